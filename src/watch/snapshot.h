/*
 * A snapshot: every task, connection and open response of the process, and the sums of all
 * transports' statistics, copied out, so that it can be looked at in peace. snapshot_json.c writes
 * it down for those outside: pages and scripts.
 *
 * It is taken scheduler by scheduler, each under its lock for as long as the copying takes: of one
 * thread it is a moment's truth, of several threads nearly so. A thread that takes one needs no
 * scheduler of its own and does not count as a task.
 */
#ifndef FY_WATCH_SNAPSHOT_H
#define FY_WATCH_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ferry.h>

#include "watch/ledger_read.h"

struct fy_task;

enum fy_snapshot_state {
    FY_SNAPSHOT_DIALING,   /* name lookup, connect, a proxy's tunnel */
    FY_SNAPSHOT_HANDSHAKE, /* TLS is being agreed on */
    FY_SNAPSHOT_WRITING,   /* the request is on its way out */
    FY_SNAPSHOT_AWAITING,  /* it is out; the response's head is not here */
    FY_SNAPSHOT_UNREAD,    /* the response is delivered, its body neither at its end nor closed */
    FY_SNAPSHOT_DRAINING,  /* a body closed early is being read on */
    FY_SNAPSHOT_IDLE,      /* in the pool, or on its way to or from there */
    FY_SNAPSHOT_CLOSING    /* closed; its loops end when their thread next runs */
};

/* A task's why, for how long it has been parked there. */
struct fy_snapshot_parked {
    uint64_t task;   /* its number; 0: there is no such task */
    const char *why; /* static; NULL: it runs, or is ready to */
    int64_t ns;
};

enum fy_snapshot_kind { FY_SNAPSHOT_THREAD, FY_SNAPSHOT_LIBRARY, FY_SNAPSHOT_USER };

struct fy_snapshot_task {
    uint64_t number;
    enum fy_snapshot_kind kind;
    int64_t thread_id;           /* the system's, of the thread that it is on */
    const char *on;              /* "select": how it is parked; static; NULL: not parked */
    void (*function)(void *arg); /* a user's task's; NULL: the library's */
    uint64_t creator;            /* the task that started it; 0: none */
    const char *file;            /* and where; static; NULL: unknown */
    int line;
    uint64_t thread;     /* the number of its thread's own task */
    const char *name;    /* static */
    uint64_t connection; /* 0: none */
    bool running;
    struct fy_snapshot_parked parked;
};

struct fy_snapshot_connection {
    uint64_t number; /* 0: still being dialed */
    uint64_t thread;
    const char *host; /* "example.org:80"; "": closed, or a proxy's own, for any host. Own copy */
    bool secure;      /* https */
    bool proxied;     /* by way of a proxy, which is not named: its setting may have a password */
    enum fy_snapshot_state state;
    int64_t state_ns;  /* how long it has been in it */
    uint64_t requests; /* begun on it */
    const char *url;   /* of the request or response that it serves; NULL: none. Own copy */
    struct fy_snapshot_parked read_loop, write_loop; /* dialing: read_loop is the dial's task */
};

struct fy_snapshot {
    int64_t taken; /* nanoseconds of the monotonic clock */
    struct fy_snapshot_task *tasks;
    size_t task_count;
    struct fy_snapshot_connection *connections;
    size_t connection_count;
    struct fy_open_responses responses; /* oldest first */
    ferry_stats total; /* of all transports there are, and what those that are gone have counted */
};

/* NULL when out of memory. */
struct fy_snapshot *fy_snapshot_take(void);
void fy_snapshot_free(struct fy_snapshot *snapshot);

/* ---- For the floors above, which know what a connection is ---- */

/* A task that stands for a connection (its read loop, its dial) has a function 'describe', which is
 * called under the task's scheduler's lock and fills a fy_snapshot_connection, with texts that
 * are borrowed until the lock is dropped. It may use this: */

/* Where a task is parked, at that time. task may be NULL. */
struct fy_snapshot_parked fy_snapshot_parked(const struct fy_task *task, int64_t now);

#endif
