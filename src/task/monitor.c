/*
 * The monitor's thread.
 */
#include "task/monitor.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

#include "base/fork.h"
#include "task/thread.h"

/* How often schedulers are looked at: a closed connection is to be gone within a second. */
#define LOOK_EVERY_NS 400000000L

static atomic_int watched; /* changed by anybody */
static atomic_bool asleep; /* the thread waits until something is watched; written under lock, by
                              whoever wakes it: one wake each, however often that changes */
static pthread_mutex_t lock =
    PTHREAD_MUTEX_INITIALIZER; /* guards started; nothing is taken under it */
FY_HELD_OVER_FORK(lock)
static pthread_cond_t wanted = PTHREAD_COND_INITIALIZER; /* asleep, and something is watched now */
static bool started;
static atomic_bool running;  /* the same, for who does not have the lock */
static struct fy_task guest; /* what it is wherever it runs tasks; valid once started */

static void sleep_until_wanted(void)
{
    pthread_mutex_lock(&lock);
    atomic_store(&asleep, true);
    if (atomic_load(&watched) > 0) {
        atomic_store(&asleep, false);
    }
    while (atomic_load(&asleep)) {
        pthread_cond_wait(&wanted, &lock);
    }
    pthread_mutex_unlock(&lock);
}

static void *watch(void *arg)
{
    (void)arg;
    const struct timespec pause = {.tv_nsec = LOOK_EVERY_NS};
    fy_sanitizer_adopt(&guest.stack->sanitizer);
    for (;;) {
        if (atomic_load(&watched) <= 0) {
            sleep_until_wanted();
        }
        nanosleep(&pause, NULL);
        fy_scheds_attend(&guest);
    }
    return NULL;
}

/* Under lock. Signals are for the program's threads. */
static void start(void)
{
    static struct fy_stack own;
    sigset_t all;
    sigset_t before;
    pthread_t thread;
    guest = (struct fy_task){.kind = FY_TASK_LIBRARY, .name = "monitor", .stack = &own};
    if (fy_switch_adopt(&guest.stopped) != 0) {
        return;
    }
    fy_list_init(&guest.ready);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    started = pthread_create(&thread, NULL, watch, NULL) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (started) {
        (void)pthread_setname_np(thread, "ferry monitor");
        pthread_detach(thread);
    } else {
        fy_switch_forget(&guest.stopped);
    }
}

void fy_monitor_watch(int change)
{
    bool first = atomic_fetch_add(&watched, change) == 0 && change > 0;
    if (!first || (atomic_load(&running) && !atomic_load(&asleep))) {
        return;
    }
    pthread_mutex_lock(&lock);
    if (!started) {
        start();
        atomic_store(&running, started);
    }
    atomic_store(&asleep, false);
    pthread_cond_signal(&wanted);
    pthread_mutex_unlock(&lock);
}

bool fy_monitor_runs(void)
{
    return atomic_load(&running);
}

void fy_monitor_forget(void)
{
    if (started) {
        fy_switch_forget(&guest.stopped);
    }
    started = false;
    atomic_store(&running, false);
    atomic_store(&asleep, false);
    atomic_store(&watched, 0);
    pthread_cond_init(&wanted, NULL);
}
