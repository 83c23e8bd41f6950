/*
 * What the contenders share, so that they differ in nothing but their way of making requests: the same
 * arguments, the same counting, one line of JSON. A contender has workers (tasks, threads, connections
 * of an event loop), each with one connection at a time, and runs them until they are told to stop:
 *
 *     struct bench_worker worker = {0};
 *     while (bench_next(&worker)) { ... one request, its body read ... bench_done(&worker, body_bytes); }
 *
 * Measured is what lies between two moments: every worker has made its first request (everything is
 * connected and warm), and the wanted number of further requests is done, or the time is up. What is
 * under way at the one moment and at the other weighs the same. A request that fails ends the program:
 * a run with an error in it is no run.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bench {
    bool tls; /* https */
    int port;
    const char *path;
    int addresses;    /* of the server: 127.0.0.1 and those that follow it, taken in turn */
    int connections;  /* as many workers, each with a connection */
    long requests;    /* to be measured */
    long warm;        /* requests before that, of all workers together, at least */
    double seconds;   /* that measuring may take; it ends with a whole request */
    size_t bytes;     /* of every response's body */
    size_t buffer;    /* bytes that a body is read into at a time */
    bool cold;        /* measured from the beginning on: nothing is made warm */
    bool close;       /* a new connection for each request, which says "Connection: close" */
    bool resume;      /* TLS sessions of earlier connections may be resumed */
    bool release;     /* OpenSSL is to release its buffers between uses, where that is a choice */
    bool splice;      /* a body goes to its file by splice, where that is a choice */
    const char *ca;   /* PEM: whom to trust */
    const char *save; /* bodies go to this file, each from its beginning; NULL: nowhere */
    int upload;       /* descriptor of the file that is POSTed; -1: GET */
    size_t upload_len;
    char *upload_bytes; /* the same in memory if it is small (UPLOAD_IN_MEMORY), else NULL */
    double idle;        /* seconds for which idle connections are looked at; 0: not the subject */
    bool latency;       /* time every request */
};

/* A larger upload goes out from the file. */
#define UPLOAD_IN_MEMORY ((size_t)64 * 1024)

/* Room for a URL of bench_url(). */
#define BENCH_URL_SIZE 300

struct bench_worker {
    bool warm;     /* has made its first request */
    int64_t began; /* the one under way, in nanoseconds; with bench.latency only */
};

/* Used by bench_begin: the first reading, with --cold. */
void bench_begin_measuring(void);

/* Reads the arguments (arguments.c lists them). Ends the program with a sentence if they cannot be
 * understood. */
void bench_begin(int argc, char **argv);

extern struct bench bench; /* valid from bench_begin on; never changes */

/* The worker's host, "127.0.0.1", and URL. Workers are counted from 0 on. */
void bench_host(int worker, char host[16]);
void bench_url(int worker, char url[BENCH_URL_SIZE]);

/* Whether another request is wanted, which then begins. Any thread. */
bool bench_next(struct bench_worker *worker);

/* A response has been read whole. Any thread. */
void bench_done(struct bench_worker *worker, size_t bytes);

/* So many connections have been opened. Any thread. */
void bench_opened(long connections);

/* The descriptor of bench.save, empty. The caller closes it. */
int bench_save_open(void);

/* Prints the line; returns main's result. When all workers have stopped. */
int bench_report(const char *contender);

/* Idle connections are the subject: called with one request made, with all the connections open and
 * idle, and bench.idle seconds later. The last one prints the line, and returns main's result. */
void bench_idle_before(void);
void bench_idle_now(void);
int bench_idle_report(const char *contender);

/* Ends the program with a sentence on standard error and status 1. Any thread. */
_Noreturn void bench_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Runs the function on as many threads as there are connections, with the worker's number, and returns
 * when all have ended; with one connection on this very thread. */
void bench_run_threads(void (*work)(int worker));

#endif
