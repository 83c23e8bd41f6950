/*
 * A snapshot: every task, connection and open response of the process, and the sums of all
 * transports' statistics, copied out, so that it can be looked at in peace. It is what
 * libferry-inspect shows. The two functions are exported for that library of the same version; they
 * are no part of the public interface.
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

#include "base/list.h"

struct fy_task;

enum ferry_snapshot_state {
    FERRY_SNAPSHOT_DIALING,   /* name lookup, connect, a proxy's tunnel */
    FERRY_SNAPSHOT_HANDSHAKE, /* TLS is being agreed on */
    FERRY_SNAPSHOT_WRITING,   /* the request is on its way out */
    FERRY_SNAPSHOT_AWAITING,  /* it is out; the response's head is not here */
    FERRY_SNAPSHOT_UNREAD,   /* the response is delivered, its body neither at its end nor closed */
    FERRY_SNAPSHOT_DRAINING, /* a body closed early is being read on */
    FERRY_SNAPSHOT_IDLE,     /* in the pool, or on its way to or from there */
    FERRY_SNAPSHOT_CLOSING   /* closed; its loops end when their thread next runs */
};

/* A task's why, for how long it has been parked there. */
struct ferry_snapshot_parked {
    uint64_t task;   /* its number; 0: there is no such task */
    const char *why; /* static; NULL: it runs, or is ready to */
    int64_t ns;
};

enum ferry_snapshot_kind { FERRY_SNAPSHOT_THREAD, FERRY_SNAPSHOT_LIBRARY, FERRY_SNAPSHOT_USER };

struct ferry_snapshot_task {
    uint64_t number;
    enum ferry_snapshot_kind kind;
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
    struct ferry_snapshot_parked parked;
};

struct ferry_snapshot_connection {
    uint64_t number; /* 0: still being dialed */
    uint64_t thread;
    const char *host; /* "example.org:80"; "": closed, or a proxy's own, for any host. Own copy */
    bool secure;      /* https */
    bool proxied;     /* by way of a proxy, which is not named: its setting may have a password */
    enum ferry_snapshot_state state;
    int64_t state_ns;  /* how long it has been in it */
    uint64_t requests; /* begun on it */
    const char *url;   /* of the request or response that it serves; NULL: none. Own copy */
    struct ferry_snapshot_parked read_loop, write_loop; /* dialing: read_loop is the dial's task */
};

struct ferry_snapshot_response {
    const char *file; /* static, as the program gave it; NULL: unknown */
    int line;
    char *url; /* own copy */
    int64_t age_ns;
    int64_t unread_ns; /* since the last read, or since it was opened */
    int64_t bytes_read;
    int64_t length;      /* announced; -1: unknown */
    uint64_t connection; /* that served it; 0: none */
    bool holds_connection;
};

typedef struct ferry_snapshot {
    int64_t taken; /* nanoseconds of the monotonic clock */
    struct ferry_snapshot_task *tasks;
    size_t task_count;
    struct ferry_snapshot_connection *connections;
    size_t connection_count;
    struct ferry_snapshot_response *responses;
    size_t response_count;
    ferry_stats total; /* of all transports there are, and what those that are gone have counted */
} ferry_snapshot;

/* NULL when out of memory. */
FERRY_API ferry_snapshot *ferry_snapshot_take(void);
FERRY_API void ferry_snapshot_free(ferry_snapshot *snapshot);

/* ---- For the floors above, which know what a connection is ---- */

/* A task that stands for a connection (its read loop, its dial) has a function 'describe', which is
 * called under the task's scheduler's lock and fills a ferry_snapshot_connection, with texts that
 * are borrowed until the lock is dropped. It may use this: */

/* Where a task is parked, at that time. task may be NULL. */
struct ferry_snapshot_parked fy_snapshot_parked(const struct fy_task *task, int64_t now);

/* Whatever counts: a transport. Embedded there. */
struct fy_stats_source {
    struct fy_link link;                                              /* under the sources' lock */
    void (*fill)(struct fy_stats_source *source, ferry_stats *stats); /* called under that lock */
};

/* The sources' lock is taken under any scheduler's, and a pool's under it. After the second call,
 * what the source has counted is kept, and it is not called again. */
void fy_stats_source_add(struct fy_stats_source *source);
void fy_stats_source_remove(struct fy_stats_source *source);

/* The sums. */
void fy_stats_total(ferry_stats *total);

#endif
