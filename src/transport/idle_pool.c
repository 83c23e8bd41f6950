/*
 * The pool's books. A connection is in one of three places: in use (then only its exchange knows
 * it), idle (in its host's list and in the list of all, both most recently used first), or handed
 * straight to a request that waits.
 *
 * An idle connection lives on one thread's scheduler, and serves whichever thread asks next: that
 * one takes it out of the books here, and then moves it (fy_persist_conn_move_here). One that comes
 * free while requests wait goes to the one that has waited for longest; if that is on another
 * thread, the connection is promised to it, and it comes for it.
 */
#include "transport/idle_pool.h"

#include "base/error.h"
#include "task/clock.h"
#include "task/harbour.h"
#include "task/monitor.h"
#include "transport/pool_books.h"

int fy_pool_init(ferry_transport *transport)
{
    struct fy_pool *pool = &transport->pool;
    fy_list_init(&pool->lru);
    if (pthread_mutex_init(&pool->lock, NULL) != 0) {
        return -1;
    }
    fy_fork_lock_add(&pool->held, &pool->lock);
    return 0;
}

void fy_pool_destroy(ferry_transport *transport)
{
    fy_fork_lock_remove(&transport->pool.held);
    pthread_mutex_destroy(&transport->pool.lock);
}

/* ------------------------------------------------------------------------------ idle or in use */

/* Under pool.lock. */
static void idle_add(struct fy_persist_conn *conn)
{
    struct fy_pool *pool = &conn->transport->pool;
    fy_list_push_front(&conn->host->idle, &conn->idle_link);
    fy_list_push_front(&pool->lru, &conn->lru_link);
    conn->is_idle = true;
    conn->rests = true;
    conn->is_fetched = false;
    fy_host_counts_idle(conn->counts, 1);
    conn->host->idle_count++;
    if (pool->idle_count++ == 0 && pool->monitored) {
        fy_monitor_watch(1);
    }
}

static void idle_remove(struct fy_persist_conn *conn)
{
    fy_list_remove(&conn->idle_link);
    fy_list_remove(&conn->lru_link);
    conn->is_idle = false;
    fy_host_counts_idle(conn->counts, -1);
    conn->host->idle_count--;
    struct fy_pool *pool = &conn->transport->pool;
    if (--pool->idle_count == 0 && pool->monitored) {
        fy_monitor_watch(-1);
    }
}

/* Under pool.lock: the least recently used idle connection of a scheduler's; NULL: none. */
static struct fy_persist_conn *oldest_of(struct fy_pool *pool, const struct fy_sched *sched)
{
    for (struct fy_link *link = pool->lru.prev; link != &pool->lru; link = link->prev) {
        struct fy_persist_conn *conn = FY_CONTAINER(link, struct fy_persist_conn, lru_link);
        if (conn->sched == sched) {
            return conn;
        }
    }
    return NULL;
}

struct fy_persist_conn *fy_pool_take_any(ferry_transport *transport)
{
    struct fy_pool *pool = &transport->pool;
    pthread_mutex_lock(&pool->lock);
    struct fy_persist_conn *conn = oldest_of(pool, fy_sched_running());
    if (conn != NULL) {
        idle_remove(conn);
    }
    pthread_mutex_unlock(&pool->lock);
    return conn;
}

/* Under pool.lock: this scheduler's, since that costs no move; else another's; NULL: none. */
struct fy_persist_conn *fy_pool_idle_to_take(struct fy_host *host, const struct fy_sched *mine)
{
    struct fy_persist_conn *others = NULL;
    FY_LIST_EACH(link, &host->idle)
    {
        struct fy_persist_conn *conn = FY_CONTAINER(link, struct fy_persist_conn, idle_link);
        if (conn->sched == mine) {
            return conn;
        }
        if (others == NULL && conn->rests) {
            others = conn;
        }
    }
    return others;
}

static bool idle_too_long(const struct fy_persist_conn *conn)
{
    int64_t limit = conn->transport->set.idle_timeout_ms;
    return limit >= 0 && conn->sched->now - conn->idle_since >= limit * FY_MILLISECOND;
}

bool fy_pool_bring_here(struct fy_persist_conn *conn)
{
    if (conn->sched != fy_sched_running()) {
        return fy_persist_conn_move_here(conn);
    }
    conn->is_fetched = false; /* somebody else's promise, which has come back to where it lives */
    return true;
}

struct fy_persist_conn *fy_pool_take(ferry_transport *transport, const struct fy_host_key *key)
{
    struct fy_pool *pool = &transport->pool;
    struct fy_sched *mine = fy_sched_running();
    for (;;) {
        struct fy_persist_conn *conn = NULL;
        bool elsewhere = false;
        pthread_mutex_lock(&pool->lock);
        pool->close_idle = false;
        struct fy_host *host = fy_host_find(pool, key);
        if (host != NULL && (conn = fy_pool_idle_to_take(host, mine)) != NULL) {
            idle_remove(conn);
            elsewhere = conn->sched != mine;
            conn->is_fetched = elsewhere;
        }
        pthread_mutex_unlock(&pool->lock);
        if (conn == NULL) {
            return NULL;
        }
        if (elsewhere && !fy_pool_bring_here(conn)) {
            continue;
        }
        /* The timer and the read loop see both in good time, unless their thread was elsewhere. */
        if (idle_too_long(conn)) {
            fy_persist_conn_close_for(conn, FY_TRIP_SERVER_CLOSED, FERRY_ESERVERCLOSED,
                                      "the connection was idle for too long");
        } else if (fy_persist_conn_is_fresh(conn)) {
            return conn;
        } else {
            FY_HOST_COUNT(conn->counts, close_waits);
            fy_persist_conn_close_for(conn, FY_TRIP_SERVER_CLOSED, FERRY_ESERVERCLOSED,
                                      "the server closed an idle connection");
        }
        fy_persist_conn_release(conn);
    }
}

/* ------------------------------------------------------------------------------------ putting */

/* Under pool.lock. *evicted: an idle connection that has to be closed, with the pool's hold. */
static enum ferry_put_result put(struct fy_persist_conn *conn, struct fy_persist_conn **evicted)
{
    struct fy_pool *pool = &conn->transport->pool;
    const struct fy_transport_settings *set = &conn->transport->set;
    if (pool->freed) {
        return FERRY_PUT_TRANSPORT_FREED;
    }
    conn->idle_since =
        conn->sched->now; /* also where whoever is given it does not want it any more */
    if (fy_wants_give(conn)) {
        return FERRY_PUT_OK;
    }
    if (pool->close_idle) {
        return FERRY_PUT_CLOSE_IDLE;
    }
    if (conn->host->idle_count >= set->max_idle_per_host) {
        return FERRY_PUT_TOO_MANY_IDLE_HOST;
    }
    if (pool->idle_count >= set->max_idle) {
        *evicted = FY_CONTAINER(pool->lru.prev, struct fy_persist_conn, lru_link);
        idle_remove(*evicted);
    }
    fy_persist_conn_hold(conn);
    idle_add(conn);
    return FERRY_PUT_OK;
}

/* Home again, with a hold that its sender had. */
static void close_at_home(struct fy_post *post)
{
    struct fy_persist_conn *conn = FY_CONTAINER(post, struct fy_persist_conn, home);
    fy_persist_conn_close_for(conn, FY_TRIP_SERVER_CLOSED, FERRY_ESERVERCLOSED,
                              "there were too many idle connections");
    fy_persist_conn_release(conn);
}

/* Closes a connection that is out of the books, on the thread that it lives on. */
void fy_pool_send_home(struct fy_persist_conn *conn)
{
    if (conn->sched == fy_sched_running()) {
        close_at_home(&conn->home);
    } else {
        conn->home.run = close_at_home;
        fy_sched_post_home(conn->sched, &conn->home);
    }
}

/* Under pool.lock: whether a connection that is out of the books is in them again, or promised to
 * the next who waits; else it has closed meanwhile. */
bool fy_pool_take_back(struct fy_persist_conn *conn)
{
    struct fy_link *waiters = &conn->host->waiters;
    conn->is_fetched = false;
    if (!conn->counted || conn->transport->pool.freed) {
        return false;
    }
    if (!fy_list_empty(waiters)) {
        fy_want_promise(conn, FY_CONTAINER(waiters->next, struct fy_want, waiter_link));
    } else {
        idle_add(conn);
    }
    return true;
}

void fy_pool_return(struct fy_persist_conn *conn)
{
    struct fy_pool *pool = &conn->transport->pool;
    pthread_mutex_lock(&pool->lock);
    bool kept = fy_pool_take_back(conn);
    pthread_mutex_unlock(&pool->lock);
    if (!kept) {
        fy_pool_send_home(conn);
    }
}

void fy_pool_put_back(struct fy_persist_conn *conn)
{
    struct fy_pool *pool = &conn->transport->pool;
    pthread_mutex_lock(&pool->lock);
    idle_add(conn);
    conn->rests = false;
    pthread_mutex_unlock(&pool->lock);
    conn->was_put_back = true;
}

void fy_pool_rest(struct fy_persist_conn *conn)
{
    struct fy_pool *pool = &conn->transport->pool;
    conn->was_put_back = false;
    pthread_mutex_lock(&pool->lock);
    if (conn->is_idle) {
        conn->rests = true;
        if (fy_wants_give(conn)) {
            idle_remove(conn);
            conn->holds--; /* the pool's; never the last: the loops have theirs */
        }
    }
    pthread_mutex_unlock(&pool->lock);
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
    if (result == FERRY_PUT_OK) {
        fy_persist_conn_probe(conn);
    }
    if (evicted != NULL) {
        fy_pool_send_home(evicted);
    }
    return result;
}

/* Another thread may be taking it out at this moment, which needs no lock of its scheduler's. */
int64_t fy_pool_idle_since(struct fy_persist_conn *conn, int64_t otherwise)
{
    struct fy_pool *pool = &conn->transport->pool;
    pthread_mutex_lock(&pool->lock);
    int64_t since = conn->is_idle ? conn->idle_since : otherwise;
    pthread_mutex_unlock(&pool->lock);
    return since;
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
        fy_places_free(conn->transport, conn->host);
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

/* Closes the idle connections of one scheduler's. */
static void sweep(struct fy_sched *sched, void *arg)
{
    ferry_transport *transport = arg;
    struct fy_pool *pool = &transport->pool;
    for (;;) {
        pthread_mutex_lock(&pool->lock);
        struct fy_persist_conn *conn = oldest_of(pool, sched);
        if (conn != NULL) {
            idle_remove(conn);
        }
        pthread_mutex_unlock(&pool->lock);
        if (conn == NULL) {
            return;
        }
        fy_persist_conn_close_for(conn, FY_TRIP_SERVER_CLOSED, FERRY_ESERVERCLOSED,
                                  "idle connections were closed");
        fy_persist_conn_release(conn);
        fy_sched_poke(sched); /* its loops end when it next runs: now, if it sleeps */
    }
}

void fy_pool_close_idle(ferry_transport *transport)
{
    fy_sched_each(sweep, transport);
    fy_harbour_attend(); /* what was in there has no thread that would end its loops */
}

int fy_pool_idle_count(ferry_transport *transport, const char *host_port)
{
    struct fy_pool *pool = &transport->pool;
    pthread_mutex_lock(&pool->lock);
    const struct fy_host_key key = {.scheme = "http", .host_port = host_port, .proxy = ""};
    struct fy_host *host = host_port != NULL ? fy_host_find(pool, &key) : NULL;
    int count = host_port == NULL ? pool->idle_count : host != NULL ? host->idle_count : 0;
    pthread_mutex_unlock(&pool->lock);
    return count;
}
