/*
 * Measures, and the way back to where it was.
 */
#include "scale.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "process.h"
#include "task/sanitizer.h"

/* What was held has this long to go: connections end when their loops next run. */
#define SOON_MS 10000

bool memory_is_plain(void)
{
#if defined(FY_ASAN) || defined(FY_TSAN) || defined(TESTS_EMULATED)
    return false;
#elif defined(RUNNING_ON_VALGRIND)
    return !RUNNING_ON_VALGRIND;
#else
    return true;
#endif
}

int scaled(int ordinary, int few)
{
    return memory_is_plain() ? ordinary : few;
}

int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct held held_now(void)
{
    return (struct held){
        .tasks = ferry_num_tasks(),
        .descriptors = process_descriptors(),
        .open_responses = ferry_open_responses(NULL),
    };
}

static bool given_back(struct held before)
{
    struct held now = held_now();
    return now.tasks <= before.tasks && now.descriptors <= before.descriptors &&
           now.open_responses <= before.open_responses;
}

void assert_given_back(struct held before)
{
    int64_t until = now_ms() + SOON_MS;
    while (!given_back(before) && now_ms() < until) {
        ferry_sleep(1);
    }
    struct held now = held_now();
    if (now.tasks > before.tasks) {
        ferry_dump_tasks(stderr);
    }
    assert_int_equal(now.tasks, before.tasks);
    assert_int_equal(ferry_open_responses(stderr), before.open_responses);
    assert_in_range(now.descriptors, 0, (uintmax_t)before.descriptors);
}

ferry_stats stats_of(const ferry_transport *transport)
{
    ferry_stats stats = FERRY_STATS_INIT;
    ferry_transport_stats(transport, &stats);
    return stats;
}

/* ---------------------------------------------------------------------------------- the watch */

static pthread_mutex_t watch_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t watch_changed = PTHREAD_COND_INITIALIZER;
static unsigned watch_number; /* counts the calls; whoever waits for an older one is void */

static void *watch(void *arg)
{
    int *seconds = arg;
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += *seconds;
    free(seconds);
    pthread_mutex_lock(&watch_lock);
    unsigned mine = watch_number;
    int result = 0;
    while (watch_number == mine && result == 0) {
        result = pthread_cond_timedwait(&watch_changed, &watch_lock, &until);
    }
    bool hangs = watch_number == mine;
    pthread_mutex_unlock(&watch_lock);
    if (hangs) {
        fputs("the test hangs; its tasks:\n", stderr);
        ferry_dump_tasks(stderr);
        abort();
    }
    return NULL;
}

static pthread_t watcher;
static bool watching;

void watch_for_hang(int seconds)
{
    pthread_mutex_lock(&watch_lock);
    watch_number++;
    pthread_cond_broadcast(&watch_changed);
    pthread_mutex_unlock(&watch_lock);
    if (watching) {
        pthread_join(watcher, NULL);
        watching = false;
    }
    int *copy = seconds > 0 ? malloc(sizeof *copy) : NULL;
    if (copy != NULL) {
        *copy = seconds;
        watching = pthread_create(&watcher, NULL, watch, copy) == 0;
    }
}
