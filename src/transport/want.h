/*
 * A request's want of a connection: its place among those who wait, and its dial's. Every function
 * takes and drops pool.lock by itself; the caller holds its own scheduler's lock.
 */
#ifndef FY_TRANSPORT_WANT_H
#define FY_TRANSPORT_WANT_H

#include <stdbool.h>

#include <ferry.h>

#include "transport/persist_conn.h"
#include "transport/transport.h"

/* A request's wish for a connection, while it has none. On the heap: another thread that frees a
 * slot may still have a post under way when the request has given up. Under its scheduler's lock,
 * but for the links and the next four, which are the pool's. */
struct fy_want {
    int holds; /* the request's, the dial's, one for each list it is in (which a post takes over) */
    ferry_transport *transport; /* a hold */
    struct fy_host *host;       /* valid while in one of its lists, or while a place is reserved */
    struct fy_sched *sched;
    struct fy_link waiter_link; /* in host->waiters */
    struct fy_link queue_link;  /* in host->queue */
    bool queued;
    bool relies;        /* on one of its host's spare dials: it begins none itself, but is queued */
    bool dials;         /* a dial of its own is under way, or about to be */
    bool dial_is_spare; /* ... and it does not wait for that any more */
    bool has_place;     /* one of its host's places is reserved for its dial, not begun yet */
    struct fy_post post;              /* a slot has been granted */
    struct fy_post promise;           /* another thread's connection is this want's */
    struct fy_persist_conn *promised; /* that one, with a hold, until the post runs; the pool's */
    bool promised_in_queue;   /* it was in the queue as well, whose hold the post has taken over */
    struct fy_exit_hook exit; /* the thread ends while the request waits */
    bool has_waited;          /* what it was promised came to nothing: it goes before all others */
    bool over;                /* served, failed or given up: nobody delivers to it any more */
    struct fy_chan ready; /* one value: a connection (with a hold), perhaps another thread's still;
                                 or NULL: err tells */
    void *ready_place[1];
    /* What was sent there, until the request's task runs and has it; NULL: nothing. A task that is discarded
     * meanwhile does not. */
    struct fy_persist_conn *given;
    ferry_error err;
    struct fy_chan dialed;        /* closed when its dial is over, whatever came of it */
    struct fy_dial_job *dial;     /* under way on its behalf; NULL: none (any more) */
    int64_t deadline;             /* of the request, fy_now() time; FY_NEVER: none */
    ferry_request *req;           /* whose wish it is, for traces and messages; not after 'over' */
    const struct fy_route *route; /* the request's; likewise */
};

/* All zero; NULL when out of memory. */
struct fy_want *fy_want_alloc(void);

/* Enters it: FY_WANT_DIAL when it is to dial now (a place is reserved), FY_WANT_QUEUED when it must
 * wait for a slot, FY_WANT_RELIES when it should for a dial that others have begun and do not need,
 * FY_WANT_DRAIN when it may dial but a connection of the host may be free in a moment, FY_WANT_TAKE
 * when there is one to be taken: then it is not entered. -1 when out of memory. */
enum fy_want_entry { FY_WANT_DIAL, FY_WANT_QUEUED, FY_WANT_RELIES, FY_WANT_DRAIN, FY_WANT_TAKE };
int fy_want_enter(struct fy_want *want, const struct fy_host_key *key);

/* It has relied on others' dial for long enough: FY_WANT_DIAL, or FY_WANT_QUEUED. */
int fy_want_rely_no_more(struct fy_want *want);

/* Leaves every list, and what was promised to it to the next. Returns true when nobody else waits
 * for its dial. gives_up: it is not served. */
bool fy_want_leave(struct fy_want *want, bool gives_up);

/* The want's dial has ended: whether the want is to be given what came of it, a connection (well)
 * or an error. It is over then, and out of every list. Not if it has been served, or if after a
 * failure another connection is on its way to it. */
bool fy_want_dialed(struct fy_want *want, bool well);

/* What was promised to a want, which has a hold on it, if it still is: NULL when it gave up. */
struct fy_persist_conn *fy_want_promised(struct fy_want *want);

/* The want's dial, or what was to be one, is over, whatever came of it; its place is not touched. */
void fy_want_dial_over(struct fy_want *want);

/* The dial on its behalf came to nothing, or could not begin: why, if that is to be the want's end. */
void fy_want_fail(struct fy_want *want, const ferry_error *err);

/* Gives a hold back; it is freed with the last. */
void fy_want_release(struct fy_want *want);

/* It begins now after all. */
void fy_want_dial_begins(struct fy_want *want);

/* A place that was reserved is not needed (any more): the first of the queue gets it. */
void fy_pool_free_place(ferry_transport *transport, struct fy_host *host);

/* How many requests wait. For statistics and tests. */
int fy_wants_count(ferry_transport *transport);

#endif
