/*
 * What the contenders share, so that they differ in nothing but their way of making requests: the same
 * arguments, the same counting, one line of JSON. A contender has workers (tasks, threads, connections
 * of an event loop), each with one connection, and runs them until they are told to stop:
 *
 *     struct bench_worker worker = {0};
 *     while (bench_go_on()) { ... one request, its body read ... bench_done(&worker, body_bytes); }
 *
 * Measured is what lies between two moments: every worker has made its first request (everything is
 * connected and warm), and the wanted number of further requests is done, or the time is up. What is
 * under way at the one moment and at the other weighs the same.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>

struct bench {
    char url[256]; /* http://127.0.0.1:port/path */
    int port;
    const char *path;
    int connections; /* as many workers, each with a connection */
    long requests;   /* to be measured */
    double seconds;  /* at most so long */
    size_t bytes;    /* of every response's body */
};

struct bench_worker {
    bool warm; /* has made its first request */
};

/* Reads the arguments: --port N --path /P --bytes N --connections N --requests N --seconds S. Ends the
 * program with a sentence if they cannot be understood. */
void bench_begin(int argc, char **argv);

extern struct bench bench; /* valid from bench_begin on; never changes */

/* Whether another request is wanted. Any thread. */
bool bench_go_on(void);

/* A response has been read whole. Any thread. */
void bench_done(struct bench_worker *worker, size_t bytes);

/* Prints the line; returns main's result. When all workers have stopped. */
int bench_report(const char *contender);

/* Ends the program with a sentence on standard error and status 1. Any thread. */
_Noreturn void bench_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Runs the function on as many threads as there are connections, and returns when all have ended; with
 * one connection on this very thread. */
void bench_run_threads(void (*work)(void));

#endif
