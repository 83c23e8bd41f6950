/*
 * Contender: ferry's plain blocking calls, a thread for each connection. Idle connections are opened by
 * one thread, which then does something else than ferry.
 */
#include <stdlib.h>
#include <unistd.h>

#include "ferry_request.h"

static int idle(void)
{
    ferry_response **responses = calloc((size_t)bench.connections, sizeof *responses);
    if (responses == NULL) {
        bench_fail("out of memory");
    }
    struct ferry_worker worker;
    for (int i = 0; i < bench.connections; i++) {
        ferry_worker_begin(&worker, i);
        responses[i] = ferry_open(&worker);
        if (i == 0) {
            ferry_finish(&worker, responses[0]);
            responses[0] = ferry_open(&worker);
            bench_idle_before();
        }
        ferry_worker_end(&worker);
    }
    ferry_worker_begin(&worker, 0);
    for (int i = 0; i < bench.connections; i++) {
        ferry_finish(&worker, responses[i]);
    }
    ferry_worker_end(&worker);
    free(responses);
    bench_idle_now();
    usleep((useconds_t)(bench.idle * 1e6));
    return bench_idle_report("ferry-calls");
}

int main(int argc, char **argv)
{
    bench_begin(argc, argv);
    ferry_begin();
    if (bench.idle > 0) {
        return idle();
    }
    bench_run_threads(ferry_work);
    ferry_end();
    return bench_report("ferry-calls");
}
