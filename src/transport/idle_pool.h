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
 * but for the links and 'queued', which are the pool's. */
struct fy_want {
    int holds; /* the request's, the dial's, the queue's (which a granting post takes over) */
    ferry_transport *transport; /* a hold */
    struct fy_host *host;       /* valid while in one of its lists, or while a place is reserved */
    struct fy_sched *sched;
    struct fy_link waiter_link; /* in host->waiters */
    struct fy_link queue_link;  /* in host->queue */
    bool queued;
    bool has_place;           /* one of its host's places is reserved for its dial, not begun yet */
    struct fy_post post;      /* a slot has been granted */
    struct fy_exit_hook exit; /* the thread ends while the request waits */
    bool over;                /* served, failed or given up: nobody delivers to it any more */
    struct fy_chan ready;     /* one value: a connection (with a hold), or NULL: err tells */
    void *ready_place[1];
    ferry_error err;
    struct fy_chan dialed;        /* closed when its dial is over, whatever came of it */
    struct fy_dial_job *dial;     /* under way on its behalf; NULL: none (any more) */
    int64_t deadline;             /* of the request, fy_now() time; FY_NEVER: none */
    ferry_request *req;           /* whose wish it is, for traces and messages; not after 'over' */
    const struct fy_route *route; /* the request's; likewise */
};

int fy_pool_init(ferry_transport *transport);
void fy_pool_destroy(ferry_transport *transport);

/* The most recently used idle connection of this scheduler's that is fit for use, with the pool's
 * hold on it. NULL: none. Ends the state that ferry_transport_close_idle() has left. */
struct fy_persist_conn *fy_pool_take(ferry_transport *transport, const struct fy_host_key *key);

/* Any idle connection of this scheduler's, fit for use or not, with the pool's hold. NULL: none. */
struct fy_persist_conn *fy_pool_take_any(ferry_transport *transport);

/* Gives a connection back: to the first waiter of its host, else to the idle ones. On refusal the
 * connection is still the caller's to close. Does the counting. */
enum ferry_put_result fy_pool_try_put(struct fy_persist_conn *conn);

/* Enters a wish: FY_WANT_DIAL when it may dial now (a place is reserved), FY_WANT_QUEUED when it
 * must wait for a slot, FY_WANT_DRAIN when it may dial but a connection of the host may be free in
 * a moment. -1 when out of memory. */
enum fy_want_entry { FY_WANT_DIAL, FY_WANT_QUEUED, FY_WANT_DRAIN };
int fy_pool_enter(struct fy_want *want, const struct fy_host_key *key);

/* Leaves every list. Returns true when nobody else waits at its host. */
bool fy_pool_leave(struct fy_want *want);

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

/* Likewise, one idle connection of the host on another thread, which keeps this thread's requests
 * from a slot. */
void fy_pool_evict_foreign(ferry_transport *transport, struct fy_host *host);

/* The idle ones now, of one host, http without a proxy (NULL: of all); how many requests wait. For
 * statistics and tests. */
int fy_pool_idle_count(ferry_transport *transport, const char *host_port);
int fy_pool_waiting_count(ferry_transport *transport);

#endif
