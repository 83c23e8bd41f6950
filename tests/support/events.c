/*
 * The lock and the condition behind every wait in the test support. The condition counts time on the
 * monotonic clock, so that a clock being set does not end a wait early.
 */
#include "events.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make_condition(void)
{
    pthread_condattr_t attributes;

    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&changed, &attributes);
    pthread_condattr_destroy(&attributes);
}

int64_t events_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t events_deadline(int timeout_ms)
{
    return timeout_ms < 0 ? -1 : events_now() + timeout_ms;
}

void events_lock(void)
{
    pthread_once(&once, make_condition);
    pthread_mutex_lock(&lock);
}

void events_unlock(void)
{
    pthread_mutex_unlock(&lock);
}

void events_changed(void)
{
    pthread_cond_broadcast(&changed);
}

bool events_wait(int64_t deadline)
{
    struct timespec until;

    if (deadline < 0) {
        pthread_cond_wait(&changed, &lock);
        return true;
    }
    if (events_now() >= deadline)
        return false;
    until.tv_sec = (time_t)(deadline / 1000);
    until.tv_nsec = (long)(deadline % 1000) * 1000000;
    /* A change that comes with the deadline still counts: the caller looks once more, and the next
       wait says no. */
    pthread_cond_timedwait(&changed, &lock, &until);
    return true;
}

void events_sleep(int ms)
{
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        continue;
}
