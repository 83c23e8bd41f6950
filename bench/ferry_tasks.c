/*
 * Contender: ferry on one thread, a task for each connection.
 */
#include "ferry_get.h"

static void work(void *arg)
{
    struct bench_worker worker = {0};
    (void)arg;
    while (bench_go_on()) {
        get_once(&worker);
    }
}

int main(int argc, char **argv)
{
    bench_begin(argc, argv);
    ferry_group *group = ferry_group_new();
    if (group == NULL) {
        bench_fail("out of memory");
    }
    for (int i = 0; i < bench.connections; i++) {
        if (ferry_group_go(group, work, NULL) != 0) {
            bench_fail("task %d: out of memory", i + 1);
        }
    }
    ferry_group_wait(group);
    ferry_group_free(group);
    return bench_report("ferry-tasks");
}
