/*
 * The pool: which connections are idle, who waits for one, and how many a host has. Every function
 * takes and drops pool.lock by itself; the caller holds its own scheduler's lock.
 */
#ifndef FY_TRANSPORT_IDLE_POOL_H
#define FY_TRANSPORT_IDLE_POOL_H

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
    struct fy_post post;    /* a slot has been granted */
    struct fy_post promise; /* another thread's connection is this want's */
    struct fy_persist_conn
        *promised;            /* that one, with a hold, from the post to its run; the pool's */
    bool promised_in_queue;   /* it was in the queue as well, whose hold the post has taken over */
    struct fy_exit_hook exit; /* the thread ends while the request waits */
    bool has_waited;          /* what it was promised came to nothing: it goes before all others */
    bool over;                /* served, failed or given up: nobody delivers to it any more */
    struct fy_chan ready; /* one value: a connection (with a hold), perhaps another thread's still;
                                 or NULL: err tells */
    void *ready_place[1];
    ferry_error err;
    struct fy_chan dialed;    /* closed when its dial is over, whatever came of it */
    struct fy_dial_job *dial; /* under way on its behalf; NULL: none (any more) */
    ferry_request *req;       /* whose wish it is, for traces and messages; not after 'over' */
};

int fy_pool_init(ferry_transport *transport);
void fy_pool_destroy(ferry_transport *transport);

/* An idle connection that is fit for use, with the pool's hold on it: the most recently used of this
 * scheduler's, else of another's, which is moved here (this scheduler's lock is dropped meanwhile).
 * NULL: none. Ends the state that ferry_transport_close_idle() has left. */
struct fy_persist_conn *fy_pool_take(ferry_transport *transport, const char *scheme,
                                     const char *host_port);

/* Sees to it that a connection which the caller has got, with its hold, is this scheduler's. False: it
 * has closed, or cannot be moved now, and is not the caller's any more. */
bool fy_pool_bring_here(struct fy_persist_conn *conn);

/* The idle connection of this scheduler's that was idle for longest, fit for use or not, with the pool's hold. NULL: none. */
struct fy_persist_conn *fy_pool_take_any(ferry_transport *transport);

/* Gives a connection back: to the first waiter of its host, on whichever thread, else to the idle ones. On refusal the
 * connection is still the caller's to close. Does the counting. */
enum ferry_put_result fy_pool_try_put(struct fy_persist_conn *conn);

/* A connection that was taken out, or promised, is not needed after all; it may be another thread's.
 * The pool's hold goes along. */
void fy_pool_return(struct fy_persist_conn *conn);

/* Likewise for one that could not be moved since its loops were at work: it is not offered to other
 * threads until fy_pool_rest(). Under its scheduler's lock. */
void fy_pool_put_back(struct fy_persist_conn *conn);
void fy_pool_rest(struct fy_persist_conn *conn);

/* Enters a wish: FY_WANT_DIAL when it is to dial now (a place is reserved), FY_WANT_QUEUED when it
 * must wait for a slot, or for a dial that others have begun and do not need, FY_WANT_DRAIN when it may dial but a connection of the host may be free in
 * a moment, FY_WANT_TAKE when there is one to be taken: then it is not entered. -1 when out of
 * memory. */
enum fy_want_entry { FY_WANT_DIAL, FY_WANT_QUEUED, FY_WANT_DRAIN, FY_WANT_TAKE };
int fy_pool_enter(struct fy_want *want, const char *scheme, const char *host_port);

/* Leaves every list, and what was promised to it to the next. Returns true when nobody else waits at its
 * host. */
bool fy_pool_leave(struct fy_want *want);

/* The want's dial has ended: whether the want is to be given what came of it, a connection (well) or an
 * error. It is over then, and out of every list. Not if it has been served, or if after a failure another
 * connection is on its way to it. */
bool fy_pool_dialed(struct fy_want *want, bool well);

/* What was promised to a want, which has a hold on it, if it still is: NULL when it gave up. */
struct fy_persist_conn *fy_pool_promised(struct fy_want *want);

/* The want's dial, or what was to be one, is over, whatever came of it; its place is not touched. */
void fy_pool_dial_over(struct fy_want *want);

/* It begins now after all. */
void fy_pool_dial_begins(struct fy_want *want);

/* A place that was reserved is not needed (any more): the first of the queue gets it. */
void fy_pool_free_place(ferry_transport *transport, struct fy_host *host);

/* Forgets a connection that is being closed: takes it out of the idle ones and frees its place.
 * Returns whether the pool's hold on it is now the caller's. */
bool fy_pool_forget(struct fy_persist_conn *conn);

/* Says that a connection's closed body is being read on, or that it no longer is. */
void fy_pool_set_drains(struct fy_persist_conn *conn, bool drains);

/* Closes idle connections: all of the transport's, on every thread; the caller holds no scheduler's
 * lock. */
void fy_pool_close_idle(ferry_transport *transport);

/* The idle ones now, of one host (NULL: of all); how many requests wait. For statistics and tests.
 */
int fy_pool_idle_count(ferry_transport *transport, const char *host_port);
int fy_pool_waiting_count(ferry_transport *transport);

#endif
