/*
 * What the files of the pool (hosts.c, idle_pool.c, want.c) share. All under pool.lock, unless it
 * says otherwise.
 */
#ifndef FY_TRANSPORT_POOL_BOOKS_H
#define FY_TRANSPORT_POOL_BOOKS_H

#include "transport/persist_conn.h"
#include "transport/transport.h"
#include "transport/want.h"

/* NULL: it is not known; of the second, out of memory. */
struct fy_host *fy_host_find(struct fy_pool *pool, const struct fy_host_key *key);
struct fy_host *fy_host_find_or_make(struct fy_pool *pool, const struct fy_host_key *key);

/* Forgets a host that nothing refers to any more. */
void fy_host_prune(struct fy_pool *pool, struct fy_host *host);

/* The idle connection that a request on that scheduler would take; NULL: none. */
struct fy_persist_conn *fy_pool_idle_to_take(struct fy_host *host, const struct fy_sched *mine);

/* Whether a connection that is out of the books is in them again, or promised to the next who
 * waits; else it has closed meanwhile, and is to be sent home. */
bool fy_pool_take_back(struct fy_persist_conn *conn);

/* Closes a connection that is out of the books, on the thread that it lives on. Without pool.lock. */
void fy_pool_send_home(struct fy_persist_conn *conn);

/* Under the connection's scheduler's lock as well: whether the one that waited for longest has it
 * now, with a hold. */
bool fy_wants_give(struct fy_persist_conn *conn);

/* The want's scheduler is told, and its request comes for the connection. The connection's hold is
 * the want's then. */
void fy_want_promise(struct fy_persist_conn *conn, struct fy_want *want);

/* One connection less: the first of the queue gets its place. */
void fy_places_free(ferry_transport *transport, struct fy_host *host);

#endif
