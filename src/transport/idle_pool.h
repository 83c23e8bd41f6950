/*
 * The pool: which connections are idle. (want.h has who waits for one.) Every function takes and
 * drops pool.lock by itself; the caller holds its own scheduler's lock.
 */
#ifndef FY_TRANSPORT_IDLE_POOL_H
#define FY_TRANSPORT_IDLE_POOL_H

#include <stdbool.h>

#include <ferry.h>

#include "transport/persist_conn.h"
#include "transport/transport.h"

int fy_pool_init(ferry_transport *transport);
void fy_pool_destroy(ferry_transport *transport);

/* An idle connection that is fit for use, with the pool's hold on it: the most recently used of
 * this scheduler's, else of another's, which is moved here (this scheduler's lock is dropped
 * meanwhile). NULL: none. Ends the state that ferry_transport_close_idle() has left. */
struct fy_persist_conn *fy_pool_take(ferry_transport *transport, const struct fy_host_key *key);

/* Sees to it that a connection which the caller has got, with its hold, is this scheduler's. False:
 * it has closed, or cannot be moved now, and is not the caller's any more. */
bool fy_pool_bring_here(struct fy_persist_conn *conn);

/* The idle connection of this scheduler's that was idle for longest, fit for use or not, with the
 * pool's hold. NULL: none. */
struct fy_persist_conn *fy_pool_take_any(ferry_transport *transport);

/* Gives a connection back: to the first waiter of its host, on whichever thread, else to the idle
 * ones. On refusal the connection is still the caller's to close. Does the counting. */
enum ferry_put_result fy_pool_try_put(struct fy_persist_conn *conn);

/* A connection that was taken out, or promised, is not needed after all; it may be another
 * thread's. The pool's hold goes along. */
void fy_pool_return(struct fy_persist_conn *conn);

/* Likewise for one that could not be moved since its loops were at work: it is not offered to other
 * threads until fy_pool_rest(). Under its scheduler's lock. */
void fy_pool_put_back(struct fy_persist_conn *conn);
void fy_pool_rest(struct fy_persist_conn *conn);

/* Since when a connection has been idle; otherwise, if it is not. */
int64_t fy_pool_idle_since(struct fy_persist_conn *conn, int64_t otherwise);

/* Forgets a connection that is being closed: takes it out of the idle ones and frees its place.
 * Returns whether the pool's hold on it is now the caller's. */
bool fy_pool_forget(struct fy_persist_conn *conn);

/* Says that a connection's closed body is being read on, or that it no longer is. */
void fy_pool_set_drains(struct fy_persist_conn *conn, bool drains);

/* Closes idle connections: all of the transport's, on every thread; the caller holds no scheduler's
 * lock. */
void fy_pool_close_idle(ferry_transport *transport);

/* The idle ones now, of one host, http without a proxy (NULL: of all). For statistics and
 * tests. */
int fy_pool_idle_count(ferry_transport *transport, const char *host_port);

#endif
