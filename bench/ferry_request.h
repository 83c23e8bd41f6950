/*
 * One request as a program makes it. What the contenders "ferry-tasks" and "ferry-calls" share.
 */
#ifndef BENCH_FERRY_REQUEST_H
#define BENCH_FERRY_REQUEST_H

#include <ferry.h>

#include "bench.h"

/* Idle connections that the default transport keeps for a host, and fewer than its limit. */
#define KEPT_BY_DEFAULT 250

/* What a worker keeps from request to request. */
struct ferry_worker {
    struct bench_worker bench;
    char url[BENCH_URL_SIZE];
    char *buffer; /* bench.buffer bytes */
};

/* Before and after all else. */
void ferry_begin(void);
void ferry_end(void);

void ferry_worker_begin(struct ferry_worker *worker, int number);
void ferry_worker_end(struct ferry_worker *worker);

/* A response whose status is 200. Ends the program if there is none. */
ferry_response *ferry_open(struct ferry_worker *worker);

/* Reads it to its end, closes it, and returns the bytes of its body. */
size_t ferry_finish(struct ferry_worker *worker, ferry_response *res);

/* Requests until the benchmark is over. */
void ferry_work(int number);

#endif
