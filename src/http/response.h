/*
 * The response object behind the public getters: a head, already read, and a body that somebody
 * else provides (a connection's exchange, or bytes in memory). No sockets here.
 */
#ifndef FY_HTTP_RESPONSE_H
#define FY_HTTP_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ferry.h>

#include "base/arena.h"
#include "http/header.h"
#include "task/sched.h"
#include "watch/ledger.h"

/* What a body's read_within comes back with when nothing has come. */
#define FY_READ_LATER (-2)

/* What a body's move comes back with when it has to be read instead; nothing has been taken. */
#define FY_MOVE_NOT (-3)

/* What a response's body can do. All are called under the lock of the response's scheduler. */
struct fy_body_ops {
    /* As ferry_response_read; parks. Never called again after it has returned 0 or -1. */
    ssize_t (*read)(void *body, void *buf, size_t len, ferry_error *err);
    /* Likewise, for at most ms milliseconds: FY_READ_LATER when they have passed without a byte,
     * which is no failure. NULL: this body never lets its reader wait. */
    ssize_t (*read_within)(void *body, void *buf, size_t len, int64_t ms, ferry_error *err);
    /* Where no read is needed yet: 0, or -1 and *err as the next read would have it because the request
     * was cancelled, or its time is over. NULL: neither happens. */
    int (*check)(void *body, ferry_error *err);
    /* Up to len bytes into an empty pipe, by the kernel; else as read, or FY_MOVE_NOT. NULL: never. */
    ssize_t (*move)(void *body, int pipe, size_t len, ferry_error *err);
    /* As ferry_response_write; NULL: this body cannot. */
    ssize_t (*write)(void *body, const void *buf, size_t len, ferry_error *err);
    /* The response is closed, whatever has been read; no read or write begins after this. may_park
     * false: the caller is another thread. */
    void (*close)(void *body, bool may_park);
    /* The last of the response's users has left: nothing of it is called after this. NULL: nothing
     * to do. */
    void (*release)(void *body);
};

/* Used by one caller at a time; the ledger's part is read under the scheduler's lock. */
struct ferry_response {
    int status;
    int minor;          /* HTTP/1.minor */
    const char *reason; /* in the arena, as all strings here */
    const char *url;
    int64_t length;        /* as ferry_response_length() tells it */
    struct fy_arena arena; /* begins with the room below */
    struct fy_header header;
    struct fy_header announced; /* the trailer names that the head has, without values */
    struct fy_header trailer;   /* filled when the body has ended */
    struct fy_sched *sched;     /* that of the thread which opened it */
    const struct fy_body_ops *ops;
    void *body; /* ops' */
    /* What was agreed on its TLS connection; NULL: it came on no such. Kept by a hold on tls_held,
     * which tls_release lets go; NULL: neither. */
    const ferry_tls_info *tls;
    void *tls_held;
    void (*tls_release)(void *held);
    const ferry_error *failure; /* the first failed read's, told again by the next; NULL: none */
    bool decoded;               /* a content coding is taken off on the way */
    bool ended;                 /* a read has returned 0 */
    bool closed;                /* ferry_response_close has been called */
    bool reading;               /* a task is in a read of the body */
    int users;                  /* calls that are in it: the last to leave a closed one frees it */
    struct fy_exit_hook leftover; /* in sched->leftovers while there are users: a thread may end */
    struct fy_ledger_entry entry;
    _Alignas(max_align_t) char room[]; /* up to FY_RESPONSE_BYTES in all: most heads fit */
};

/* What a response takes, with the room behind it. */
#define FY_RESPONSE_BYTES ((size_t)1536)

/* A use of a response, from a public function: enters its scheduler, and keeps the response from being
 * freed by a close that comes from another task meanwhile. NULL and *err when this is another
 * thread's response. */
struct fy_sched *fy_response_begin_use(ferry_response *res, ferry_error *err);
void fy_response_end_use(ferry_response *res);

/* In between: a read of the body; or a move of up to len bytes of it into a pipe, which may come back
 * with FY_MOVE_NOT. */
ssize_t fy_response_read_body(ferry_response *res, void *buf, size_t len, ferry_error *err);
ssize_t fy_response_move_body(ferry_response *res, int pipe, size_t len, ferry_error *err);

/* An empty response on the running scheduler, not in the ledger yet. NULL when out of memory. */
ferry_response *fy_response_new(void);

/* Moves the trailer names that the head announces, the first 'most' of them, out of its fields. -1 when out of memory. */
int fy_response_announce_trailers(ferry_response *res, size_t most);

/* Frees the memory, nothing else, under its scheduler's lock: for one that never reached the ledger,
 * and by the close. */
void fy_response_free(ferry_response *res);

/* Under the lock, on its own thread: closes as ferry_response_close does. */
void fy_response_close(ferry_response *res);

#endif
