/*
 * Driven by somebody else's loop: ferry_poll_fd() in a plain epoll loop, and what ferry_poll()
 * promises to it.
 */
#include "checked.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "task/chan.h"
#include "task/clock.h"
#include "task/context.h"
#include "traffic.h"

/* What a host loop does: waits for the descriptor as long as ferry_poll() said. Level-triggered,
 * as all do at first. False when nothing has come within a time that no test should need. */
static bool host_wait(int64_t wanted)
{
    struct pollfd host = {.fd = ferry_poll_fd(), .events = POLLIN};
    int timeout = wanted >= 0 && wanted < 10000 ? (int)wanted : 10000;
    int ready = poll(&host, 1, timeout);
    return ready > 0 || timeout == wanted;
}

static void tasks_progress_in_an_epoll_loop(void)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN};
    int fd = ferry_poll_fd();
    CHECK(fd >= 0);
    CHECK_INT(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), 0);
    int tasks = ferry_num_tasks();
    int expected = traffic_start();
    int idle = 0; /* turns that were waited for in vain */
    while (traffic_over() < expected && idle < 3) {
        int64_t wanted = ferry_poll();
        if (traffic_over() == expected) {
            break;
        }
        int timeout = wanted >= 0 && wanted < 10000 ? (int)wanted : 10000;
        int ready = epoll_wait(epoll, &event, 1, timeout);
        idle = ready == 0 && timeout != wanted ? idle + 1 : 0;
    }
    CHECK_INT(traffic_over(), expected);
    CHECK_INT(ferry_poll_fd(), fd);
    CHECK_INT(ferry_poll(), -1);
    CHECK_INT(ferry_num_tasks(), tasks);
    close(epoll);
}

/* The host may also call whenever it likes, without ever asking the descriptor. */
static void tasks_progress_in_a_polling_loop(void)
{
    int expected = traffic_start();
    while (traffic_over() < expected) {
        (void)ferry_poll();
    }
    CHECK_INT(ferry_poll(), -1);
}

/* ------------------------------------------------------------------ it never blocks */

static void park(void *arg)
{
    struct fy_chan *chan = arg;
    check_enter();
    fy_chan_receive(chan, NULL, "waiting for a test");
    fy_leave();
}

static void sleep_for(void *arg)
{
    ferry_sleep(*(int64_t *)arg);
    *(int64_t *)arg = 0;
}

static bool stop;

static void yield_until_stopped(void *arg)
{
    int *turns = arg;
    while (!stop) {
        ++*turns;
        ferry_yield();
    }
}

/* Each of these would take hours, or for ever, if the call waited for anything. */
static void poll_never_blocks(void)
{
    struct fy_chan chan;
    int64_t hours = 100 * 3600 * 1000;
    int turns = 0;
    stop = false;
    fy_chan_init(&chan, NULL, 0);
    CHECK_INT(ferry_poll(), -1);
    CHECK_INT(ferry_go(park, &chan), 0);
    CHECK_INT(ferry_poll(), -1); /* parked on what no time brings about */
    CHECK_INT(ferry_go(sleep_for, &hours), 0);
    int64_t wanted = ferry_poll();
    CHECK(wanted > 0 && wanted <= hours);
    CHECK_INT(ferry_go(yield_until_stopped, &turns), 0);
    for (int i = 0; i < 5; i++) {
        int before = turns;
        CHECK_INT(ferry_poll(), 0); /* there is more to do at once */
        CHECK(turns > before);
    }
    stop = true;
    check_enter();
    fy_chan_close(&chan);
    fy_leave();
    wanted = ferry_poll();
    CHECK(wanted > 0 && wanted <= hours);
}

static void a_sleep_ends_when_poll_said(void)
{
    int64_t ms = 5;
    CHECK_INT(ferry_go(sleep_for, &ms), 0);
    for (;;) {
        int64_t wanted = ferry_poll();
        if (ms == 0 || !CHECK(wanted >= 0) || !CHECK(host_wait(wanted))) {
            break;
        }
    }
}

static int polled_inside;

static void poll_in_task(void *arg)
{
    (void)arg;
    ferry_poll();
    polled_inside++;
}

/* A host loop may run in a task as well. */
static void poll_in_a_task_lets_others_run(void)
{
    CHECK_INT(ferry_go(poll_in_task, NULL), 0);
    CHECK_INT(ferry_go(poll_in_task, NULL), 0);
    while (polled_inside < 2) {
        (void)ferry_poll();
    }
}

/* ------------------------------------------------ other threads make it want to be called */

static void watch(void *arg)
{
    struct fy_cancel cancel;
    check_enter();
    fy_cancel_begin(&cancel, arg, FY_NEVER, "");
    fy_chan_receive(&cancel.done, NULL, "waiting for the context");
    fy_cancel_end(&cancel);
    fy_leave();
    stop = true;
}

static void *cancel_later(void *arg)
{
    usleep(1000);
    ferry_context_cancel(arg);
    return NULL;
}

static void a_cancel_elsewhere_makes_it_readable(void)
{
    for (int round = 0; round < 20; round++) {
        ferry_context *context = ferry_context_new(-1);
        pthread_t thread;
        stop = false;
        CHECK_INT(ferry_go(watch, context), 0);
        (void)ferry_poll();
        CHECK_INT(pthread_create(&thread, NULL, cancel_later, context), 0);
        while (!stop && CHECK(host_wait(-1))) {
            (void)ferry_poll();
        }
        CHECK_INT(pthread_join(thread, NULL), 0);
        ferry_context_free(context);
    }
}

static void wait_for_group(void *arg)
{
    ferry_group_wait(arg);
    stop = true;
}

static void nap(void *arg)
{
    (void)arg;
    ferry_sleep(1);
}

struct start {
    ferry_group *group;
    pthread_barrier_t started;
};

static void *run_member(void *arg)
{
    struct start *start = arg;
    ferry_group *own = ferry_group_new();
    CHECK_INT(ferry_group_go(start->group, nap, NULL), 0);
    CHECK_INT(ferry_group_go(own, nap, NULL), 0);
    pthread_barrier_wait(&start->started);
    ferry_group_wait(own);
    ferry_group_free(own);
    ferry_sleep(2);
    return NULL;
}

static void a_group_that_ends_elsewhere_makes_it_readable(void)
{
    for (int round = 0; round < 20; round++) {
        struct start start = {.group = ferry_group_new()};
        pthread_t thread;
        stop = false;
        pthread_barrier_init(&start.started, NULL, 2);
        CHECK_INT(pthread_create(&thread, NULL, run_member, &start), 0);
        pthread_barrier_wait(&start.started);
        CHECK_INT(ferry_go(wait_for_group, start.group), 0);
        (void)ferry_poll();
        while (!stop && CHECK(host_wait(-1))) {
            (void)ferry_poll();
        }
        CHECK_INT(pthread_join(thread, NULL), 0);
        pthread_barrier_destroy(&start.started);
        ferry_group_free(start.group);
    }
}

/* With nothing to do it is not readable, so that the host can sleep. (A poke that was answered may
 * show up once more.) */
static void an_idle_thread_stays_asleep(void)
{
    struct pollfd host = {.fd = ferry_poll_fd(), .events = POLLIN};
    for (int i = 0; i < 3; i++) {
        (void)ferry_poll();
    }
    CHECK_INT(poll(&host, 1, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(tasks_progress_in_an_epoll_loop),
        TEST(tasks_progress_in_a_polling_loop),
        TEST(a_cancel_elsewhere_makes_it_readable),
        TEST(a_group_that_ends_elsewhere_makes_it_readable),
        TEST(an_idle_thread_stays_asleep),
        TEST(a_sleep_ends_when_poll_said),
        TEST(poll_in_a_task_lets_others_run),
        TEST(poll_never_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
