/*
 * Contender: ferry on one thread, a task for each connection. Idle connections are opened by as many
 * tasks at once, and the thread then sleeps in ferry.
 */
#include <stdlib.h>

#include "ferry_request.h"

static ferry_group *group;

static void work(void *arg)
{
    ferry_work((int)(intptr_t)arg);
}

static void run_tasks(void (*task)(void *arg), int count)
{
    for (int i = 0; i < count; i++) {
        // NOLINTNEXTLINE(performance-no-int-to-ptr): a number is all that the task needs
        if (ferry_group_go(group, task, (void *)(intptr_t)i) != 0) {
            bench_fail("task %d: out of memory", i + 1);
        }
    }
    ferry_group_wait(group);
}

/* ------------------------------------------------------------------------------ idle connections */

static ferry_response **responses; /* one for each connection, which it holds until it is read */

static void hold(void *arg)
{
    int number = (int)(intptr_t)arg;
    struct ferry_worker worker = {0}; /* its buffer is for the body, which is read later */
    bench_url(number, worker.url);
    responses[number] = ferry_open(&worker);
}

static void let_go(int number)
{
    struct ferry_worker worker;
    ferry_worker_begin(&worker, number);
    ferry_finish(&worker, responses[number]);
    ferry_worker_end(&worker);
}

static void idle(void)
{
    int all = bench.connections;
    responses = calloc((size_t)all, sizeof *responses);
    if (responses == NULL) {
        bench_fail("out of memory");
    }
    run_tasks(hold, 1);
    let_go(0);
    bench_idle_before();
    run_tasks(hold, all);
    for (int i = 0; i < all; i++) {
        let_go(i);
    }
    free(responses);
    bench_idle_now();
    ferry_sleep((int64_t)(bench.idle * 1e3));
    bench_idle_report("ferry-tasks");
}

int main(int argc, char **argv)
{
    bench_begin(argc, argv);
    ferry_begin();
    group = ferry_group_new();
    if (group == NULL) {
        bench_fail("out of memory");
    }
    if (bench.idle > 0) {
        idle();
        ferry_end();
    } else {
        run_tasks(work, bench.connections);
        ferry_end();
        bench_report("ferry-tasks");
    }
    ferry_group_free(group);
    bench_end();
    return 0;
}
