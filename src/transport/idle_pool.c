/*
 * The pool's books. A connection is in one of three places: in use (then only its exchange knows
 * it), idle (in its host's list and in the list of all, both most recently used first), or handed
 * straight to a request that waits.
 *
 * An idle connection serves the scheduler that it lives on. A request elsewhere that is kept from
 * dialing by max_per_host has an idle one closed to get its place (fy_pool_evict_foreign).
 */
#include "transport/idle_pool.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "task/clock.h"

int fy_pool_init(ferry_transport *transport)
{
    struct fy_pool *pool = &transport->pool;
    fy_list_init(&pool->lru);
    return pthread_mutex_init(&pool->lock, NULL) == 0 ? 0 : -1;
}

void fy_pool_destroy(ferry_transport *transport)
{
    pthread_mutex_destroy(&transport->pool.lock);
}

/* ------------------------------------------------------------------------------------- hosts */

static int compare_hosts(const void *a, const void *b)
{
    const struct fy_host *left = a;
    const struct fy_host *right = b;
    int order = strcmp(left->host_port, right->host_port);
    order = order != 0 ? order : strcmp(left->scheme, right->scheme);
    return order != 0 ? order : strcmp(left->proxy, right->proxy);
}

static struct fy_host *host_find(struct fy_pool *pool, const struct fy_host_key *key)
{
    struct fy_host wanted = {.scheme = (char *)key->scheme,
                             .host_port = (char *)key->host_port,
                             .proxy = (char *)key->proxy};
    struct fy_host **found = tfind(&wanted, &pool->hosts, compare_hosts);
    return found != NULL ? *found : NULL;
}

static void host_free(struct fy_host *host)
{
    free(host->scheme);
    free(host->host_port);
    free(host->proxy);
    free(host);
}

static struct fy_host *host_find_or_make(struct fy_pool *pool, const struct fy_host_key *key)
{
    struct fy_host *host = host_find(pool, key);
    if (host != NULL) {
        return host;
    }
    host = calloc(1, sizeof *host);
    if (host == NULL) {
        return NULL;
    }
    fy_list_init(&host->idle);
    fy_list_init(&host->waiters);
    fy_list_init(&host->queue);
    host->scheme = strdup(key->scheme);
    host->host_port = strdup(key->host_port);
    host->proxy = strdup(key->proxy);
    if (host->scheme == NULL || host->host_port == NULL || host->proxy == NULL ||
        tsearch(host, &pool->hosts, compare_hosts) == NULL) {
        host_free(host);
        return NULL;
    }
    return host;
}

/* A host that nothing refers to goes, so that a crawler's pool does not grow with the web. */
static void host_prune(struct fy_pool *pool, struct fy_host *host)
{
    if (host->conns == 0 && fy_list_empty(&host->waiters)) {
        tdelete(host, &pool->hosts, compare_hosts);
        host_free(host);
    }
}

/* ------------------------------------------------------------------------------ idle or in use */

/* Under pool.lock. */
static void idle_add(struct fy_persist_conn *conn)
{
    struct fy_pool *pool = &conn->transport->pool;
    fy_list_push_front(&conn->host->idle, &conn->idle_link);
    fy_list_push_front(&pool->lru, &conn->lru_link);
    conn->is_idle = true;
    conn->host->idle_count++;
    pool->idle_count++;
}

static void idle_remove(struct fy_persist_conn *conn)
{
    fy_list_remove(&conn->idle_link);
    fy_list_remove(&conn->lru_link);
    conn->is_idle = false;
    conn->host->idle_count--;
    conn->transport->pool.idle_count--;
}

/* Under pool.lock: the least recently used idle connection of this scheduler's; NULL: none. */
static struct fy_persist_conn *oldest_of_mine(struct fy_pool *pool, struct fy_sched *mine)
{
    for (struct fy_link *link = pool->lru.prev; link != &pool->lru; link = link->prev) {
        struct fy_persist_conn *conn = FY_CONTAINER(link, struct fy_persist_conn, lru_link);
        if (conn->sched == mine) {
            return conn;
        }
    }
    return NULL;
}

struct fy_persist_conn *fy_pool_take_any(ferry_transport *transport)
{
    struct fy_pool *pool = &transport->pool;
    pthread_mutex_lock(&pool->lock);
    struct fy_persist_conn *conn = oldest_of_mine(pool, fy_sched_running());
    if (conn != NULL) {
        idle_remove(conn);
    }
    pthread_mutex_unlock(&pool->lock);
    return conn;
}

static struct fy_persist_conn *take_mine(struct fy_host *host, struct fy_sched *mine)
{
    FY_LIST_EACH(link, &host->idle)
    {
        struct fy_persist_conn *conn = FY_CONTAINER(link, struct fy_persist_conn, idle_link);
        if (conn->sched == mine) {
            idle_remove(conn);
            return conn;
        }
    }
    return NULL;
}

static bool idle_too_long(const struct fy_persist_conn *conn)
{
    int64_t limit = conn->transport->set.idle_timeout_ms;
    return limit >= 0 && conn->sched->now - conn->idle_since >= limit * FY_MILLISECOND;
}

struct fy_persist_conn *fy_pool_take(ferry_transport *transport, const struct fy_host_key *key)
{
    struct fy_pool *pool = &transport->pool;
    for (;;) {
        struct fy_persist_conn *conn = NULL;
        pthread_mutex_lock(&pool->lock);
        pool->close_idle = false;
        struct fy_host *host = host_find(pool, key);
        if (host != NULL) {
            conn = take_mine(host, fy_sched_running());
        }
        pthread_mutex_unlock(&pool->lock);
        if (conn == NULL) {
            return NULL;
        }
        /* The timer and the read loop see both in good time, unless this thread was elsewhere. */
        if (idle_too_long(conn)) {
            fy_persist_conn_close_for(conn, FY_TRIP_SERVER_CLOSED, FERRY_ESERVERCLOSED,
                                      "the connection was idle for too long");
        } else if (fy_persist_conn_is_fresh(conn)) {
            return conn;
        } else {
            fy_persist_conn_close_for(conn, FY_TRIP_SERVER_CLOSED, FERRY_ESERVERCLOSED,
                                      "the server closed an idle connection");
        }
        fy_persist_conn_release(conn);
    }
}

/* ------------------------------------------------------------------------------------ putting */

/* Under pool.lock: the first waiter on this connection's scheduler gets it, with a hold. */
static bool hand_to_waiter(struct fy_persist_conn *conn)
{
    FY_LIST_EACH(link, &conn->host->waiters)
    {
        struct fy_want *want = FY_CONTAINER(link, struct fy_want, waiter_link);
        if (want->sched == conn->sched && !want->over) {
            want->over = true;
            fy_list_remove(&want->waiter_link);
            conn->transport->pool.waiting--;
            if (want->queued) {
                want->queued = false;
                fy_list_remove(&want->queue_link);
                want->holds--; /* never the last: the request has one */
            }
            fy_persist_conn_hold(conn);
            (void)fy_chan_try_send(&want->ready, conn); /* its one place is free */
            return true;
        }
    }
    return false;
}

/* Under pool.lock. *evicted: an idle connection that has to be closed, with the pool's hold. */
static enum ferry_put_result put(struct fy_persist_conn *conn, struct fy_persist_conn **evicted)
{
    struct fy_pool *pool = &conn->transport->pool;
    const struct fy_transport_settings *set = &conn->transport->set;
    if (pool->freed) {
        return FERRY_PUT_TRANSPORT_FREED;
    }
    if (hand_to_waiter(conn)) {
        return FERRY_PUT_OK;
    }
    if (pool->close_idle) {
        return FERRY_PUT_CLOSE_IDLE;
    }
    if (conn->host->idle_count >= set->max_idle_per_host) {
        return FERRY_PUT_TOO_MANY_IDLE_HOST;
    }
    if (!fy_list_empty(&conn->host->queue)) {
        return FERRY_PUT_PLACE_WANTED; /* by a request on another thread, which needs the place to
                                          dial */
    }
    if (pool->idle_count >= set->max_idle) {
        *evicted = oldest_of_mine(pool, conn->sched);
        if (*evicted == NULL) {
            return FERRY_PUT_TOO_MANY_IDLE;
        }
        idle_remove(*evicted);
    }
    conn->idle_since = conn->sched->now;
    fy_persist_conn_hold(conn);
    idle_add(conn);
    return FERRY_PUT_OK;
}

enum ferry_put_result fy_pool_try_put(struct fy_persist_conn *conn)
{
    struct fy_pool *pool = &conn->transport->pool;
    const struct fy_transport_settings *set = &conn->transport->set;
    struct fy_persist_conn *evicted = NULL;
    enum ferry_put_result result;
    if (set->disable_keep_alives || set->max_idle_per_host < 0) {
        result = FERRY_PUT_KEEP_ALIVES_DISABLED;
    } else if (conn->is_closed || fy_conn_input_len(&conn->input) > 0) {
        result = FERRY_PUT_CONNECTION_BROKEN;
    } else {
        fy_conn_input_rest(&conn->input);
        conn->reused = true;
        pthread_mutex_lock(&pool->lock);
        result = put(conn, &evicted);
        pthread_mutex_unlock(&pool->lock);
    }
    if (evicted != NULL) {
        fy_persist_conn_close_for(evicted, FY_TRIP_SERVER_CLOSED, FERRY_ESERVERCLOSED,
                                  "there were too many idle connections");
        fy_persist_conn_release(evicted);
    }
    return result;
}

/* ------------------------------------------------------------------------- waiting and places */

/* Under pool.lock: hands free places to those who queue for one. */
static void grant(ferry_transport *transport, struct fy_host *host)
{
    while (host->conns < transport->set.max_per_host && !fy_list_empty(&host->queue)) {
        struct fy_want *want = FY_CONTAINER(host->queue.next, struct fy_want, queue_link);
        fy_list_remove(&want->queue_link);
        want->queued = false;
        host->conns++;
        fy_sched_post(want->sched, &want->post);
    }
}

int fy_pool_enter(struct fy_want *want, const struct fy_host_key *key)
{
    struct fy_pool *pool = &want->transport->pool;
    pthread_mutex_lock(&pool->lock);
    struct fy_host *host = host_find_or_make(pool, key);
    if (host == NULL) {
        pthread_mutex_unlock(&pool->lock);
        return -1;
    }
    want->host = host;
    fy_list_push_back(&host->waiters, &want->waiter_link);
    pool->waiting++;
    int entry = host->drains > 0 ? FY_WANT_DRAIN : FY_WANT_DIAL;
    if (host->conns >= want->transport->set.max_per_host) {
        fy_list_push_back(&host->queue, &want->queue_link);
        want->queued = true;
        want->holds++;
        entry = FY_WANT_QUEUED;
    } else {
        host->conns++;
        want->has_place = true;
    }
    pthread_mutex_unlock(&pool->lock);
    return entry;
}

bool fy_pool_leave(struct fy_want *want)
{
    struct fy_pool *pool = &want->transport->pool;
    pthread_mutex_lock(&pool->lock);
    /* The host is there for sure only while the want is in its list, or has a place there. */
    bool listed = !fy_list_empty(&want->waiter_link);
    if (listed) {
        fy_list_remove(&want->waiter_link);
        pool->waiting--;
    }
    if (want->queued) {
        fy_list_remove(&want->queue_link);
        want->queued = false;
        want->holds--; /* never the last: the caller has one */
    }
    bool alone = want->dial == NULL || fy_list_empty(&want->host->waiters);
    if (listed) {
        host_prune(pool, want->host);
    }
    pthread_mutex_unlock(&pool->lock);
    return alone;
}

/* Under pool.lock. */
static void free_place(ferry_transport *transport, struct fy_host *host)
{
    host->conns--;
    grant(transport, host);
    host_prune(&transport->pool, host);
}

void fy_pool_free_place(ferry_transport *transport, struct fy_host *host)
{
    pthread_mutex_lock(&transport->pool.lock);
    free_place(transport, host);
    pthread_mutex_unlock(&transport->pool.lock);
}

bool fy_pool_forget(struct fy_persist_conn *conn)
{
    struct fy_pool *pool = &conn->transport->pool;
    pthread_mutex_lock(&pool->lock);
    bool was_idle = conn->is_idle;
    if (was_idle) {
        idle_remove(conn);
    }
    if (conn->drains) {
        conn->drains = false;
        conn->host->drains--;
    }
    if (conn->counted) {
        conn->counted = false;
        free_place(conn->transport, conn->host);
    }
    pthread_mutex_unlock(&pool->lock);
    return was_idle;
}

void fy_pool_set_drains(struct fy_persist_conn *conn, bool drains)
{
    struct fy_pool *pool = &conn->transport->pool;
    pthread_mutex_lock(&pool->lock);
    if (conn->counted && conn->drains != drains) {
        conn->drains = drains;
        conn->host->drains += drains ? 1 : -1;
    }
    pthread_mutex_unlock(&pool->lock);
}

/* ---------------------------------------------------------------------------- on every thread */

/* Which idle connections of one scheduler's to close. */
struct sweep {
    ferry_transport *transport;
    struct fy_host *host;          /* NULL: of every host */
    const struct fy_sched *except; /* NULL: none */
    int most;
};

/* Under pool.lock: one that is to be closed, taken out of the idle ones; its hold goes along. */
static struct fy_persist_conn *sweep_next(struct sweep *sweep, struct fy_sched *sched)
{
    struct fy_pool *pool = &sweep->transport->pool;
    FY_LIST_EACH(link, &pool->lru)
    {
        struct fy_persist_conn *conn = FY_CONTAINER(link, struct fy_persist_conn, lru_link);
        if (conn->sched == sched && (sweep->host == NULL || conn->host == sweep->host)) {
            idle_remove(conn);
            return conn;
        }
    }
    return NULL;
}

static void sweep_sched(struct fy_sched *sched, void *arg)
{
    struct sweep *sweep = arg;
    struct fy_pool *pool = &sweep->transport->pool;
    while (sched != sweep->except && sweep->most > 0) {
        pthread_mutex_lock(&pool->lock);
        struct fy_persist_conn *conn = sweep_next(sweep, sched);
        pthread_mutex_unlock(&pool->lock);
        if (conn == NULL) {
            return;
        }
        sweep->most--;
        fy_persist_conn_close_for(conn, FY_TRIP_SERVER_CLOSED, FERRY_ESERVERCLOSED,
                                  "idle connections were closed");
        fy_persist_conn_release(conn);
        fy_sched_poke(sched); /* its loops end when it next runs: now, if it sleeps */
    }
}

void fy_pool_close_idle(ferry_transport *transport)
{
    struct sweep sweep = {.transport = transport, .most = INT32_MAX};
    fy_sched_each(sweep_sched, &sweep);
}

void fy_pool_evict_foreign(ferry_transport *transport, struct fy_host *host)
{
    struct sweep sweep = {
        .transport = transport, .host = host, .except = fy_sched_running(), .most = 1};
    fy_leave();
    fy_sched_each(sweep_sched, &sweep);
    (void)fy_enter(); /* cannot fail: this thread has its scheduler */
}

int fy_pool_idle_count(ferry_transport *transport, const char *host_port)
{
    struct fy_pool *pool = &transport->pool;
    pthread_mutex_lock(&pool->lock);
    const struct fy_host_key key = {.scheme = "http", .host_port = host_port, .proxy = ""};
    struct fy_host *host = host_port != NULL ? host_find(pool, &key) : NULL;
    int count = host_port == NULL ? pool->idle_count : host != NULL ? host->idle_count : 0;
    pthread_mutex_unlock(&pool->lock);
    return count;
}

int fy_pool_waiting_count(ferry_transport *transport)
{
    pthread_mutex_lock(&transport->pool.lock);
    int count = transport->pool.waiting;
    pthread_mutex_unlock(&transport->pool.lock);
    return count;
}
