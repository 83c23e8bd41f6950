/*
 * The public face of tasks: starting them, sleeping, giving way, and being driven by a host loop.
 */
#include <ferry.h>

#include "base/errno.h"
#include "task/clock.h"
#include "task/exceptions.h"
#include "task/sched.h"

FERRY_API int(ferry_go)(void (*fn)(void *arg), void *arg)
{
    return ferry_go_at(NULL, 0, fn, arg);
}

FERRY_API int ferry_go_at(const char *file, int line, void (*fn)(void *arg), void *arg)
{
    if (fn == NULL) {
        errno = EINVAL;
        return -1;
    }
    fy_exceptions_look();
    if (fy_enter() == NULL) {
        return -1;
    }
    struct fy_task *task = fy_task_start(FY_TASK_USER, FY_STACK_LARGE, "task", fn, arg);
    if (task != NULL) {
        fy_task_tell(task, fn, file, line);
    }
    fy_leave();
    return task != NULL ? 0 : -1;
}

struct sleep {
    struct fy_timer timer;
    struct fy_task *task;
};

static void wake_up(struct fy_timer *timer)
{
    fy_wake(FY_CONTAINER(timer, struct sleep, timer)->task);
}

FERRY_API void ferry_sleep(int64_t ms)
{
    struct fy_sched *sched = fy_enter();
    if (sched == NULL) {
        /* No memory for a scheduler: there are no tasks that could run meanwhile. */
        struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
        nanosleep(&time, NULL);
        return;
    }
    if (ms > 0) {
        struct sleep sleep = {.task = fy_self()};
        fy_timer_arm(&sched->timers, &sleep.timer, fy_after_ms(ms), wake_up);
        fy_park("sleep", "sleeping");
    } else {
        fy_yield();
    }
    fy_leave();
}

FERRY_API void ferry_yield(void)
{
    if (fy_enter() != NULL) {
        fy_yield();
        fy_leave();
    }
}

static void count(struct fy_sched *sched, void *arg)
{
    *(int *)arg += atomic_load_explicit(&sched->task_count, memory_order_relaxed);
}

int fy_count_tasks(void)
{
    int tasks = 0;
    fy_sched_each(count, &tasks);
    return tasks;
}

FERRY_API int ferry_num_tasks(void)
{
    /* The caller's thread counts, as main does in Go: so it gets its scheduler now. */
    if (fy_enter() != NULL) {
        fy_leave();
    }
    return fy_count_tasks();
}

FERRY_API int ferry_poll_fd(void)
{
    struct fy_sched *sched = fy_enter();
    if (sched == NULL) {
        return -1;
    }
    int fd = sched->poller.fd;
    fy_leave();
    return fd;
}

/* How often ferry_poll lets everything that is ready run before it gives the host loop its turn. */
#define ROUNDS 16

FERRY_API int64_t ferry_poll(void)
{
    struct fy_sched *sched = fy_enter();
    if (sched == NULL) {
        return -1;
    }
    int64_t wanted = 0;
    for (int round = 0; round < ROUNDS; round++) {
        fy_poll_now();
        if (fy_list_empty(&sched->ready)) {
            wanted = -1;
            break;
        }
        fy_yield();
    }
    if (wanted < 0 && sched->timers.first != NULL) {
        int64_t left = sched->timers.first->when - fy_now();
        wanted = left > 0 ? (left + FY_MILLISECOND - 1) / FY_MILLISECOND : 0;
    }
    fy_leave();
    return wanted;
}
