/*
 * One request as a program makes it: ferry_get, the body read into the caller's buffer, close. What the
 * contenders "ferry-tasks" and "ferry-calls" share.
 */
#ifndef BENCH_FERRY_GET_H
#define BENCH_FERRY_GET_H

#include <ferry.h>

#include "bench.h"

static inline void get_once(struct bench_worker *worker)
{
    ferry_error err;
    char buffer[16384];
    size_t bytes = 0;
    ssize_t got;
    ferry_response *res = ferry_get(bench.url, &err);
    if (res == NULL) {
        bench_fail("%s", err.message);
    }
    if (ferry_response_status(res) != 200) {
        bench_fail("the status is %d", ferry_response_status(res));
    }
    while ((got = ferry_response_read(res, buffer, sizeof buffer, &err)) > 0) {
        bytes += (size_t)got;
    }
    if (got < 0) {
        bench_fail("%s", err.message);
    }
    ferry_response_close(res);
    bench_done(worker, bytes);
}

#endif
