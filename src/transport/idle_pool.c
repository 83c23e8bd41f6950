/*
 * The pool's books. A connection is in one of three places: in use (then only its exchange knows
 * it), idle (in its host's list and in the list of all, both most recently used first), or handed
 * straight to a request that waits.
 *
 * An idle connection lives on one thread's scheduler, and serves whichever thread asks next: that one
 * takes it out of the books here, and then moves it (fy_persist_conn_move_here). One that comes free
 * while requests wait goes to the one that has waited for longest; if that is on another thread, the
 * connection is promised to it, and it comes for it.
 */
#include "transport/idle_pool.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "task/clock.h"
#include "task/monitor.h"

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
    return order != 0 ? order : strcmp(left->scheme, right->scheme);
}

static struct fy_host *host_find(struct fy_pool *pool, const char *scheme, const char *host_port)
{
    struct fy_host key = {.scheme = (char *)scheme, .host_port = (char *)host_port};
    struct fy_host **found = tfind(&key, &pool->hosts, compare_hosts);
    return found != NULL ? *found : NULL;
}

static void host_free(struct fy_host *host)
{
    free(host->scheme);
    free(host->host_port);
    free(host);
}

static struct fy_host *host_find_or_make(struct fy_pool *pool, const char *scheme,
                                         const char *host_port)
{
    struct fy_host *host = host_find(pool, scheme, host_port);
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
    host->scheme = strdup(scheme);
    host->host_port = strdup(host_port);
    if (host->scheme == NULL || host->host_port == NULL ||
        tsearch(host, &pool->hosts, compare_hosts) == NULL) {
        host_free(host);
        return NULL;
    }
    return host;
}

/* A host that nothing refers to goes, so that a crawler's pool does not grow with the web. */
static void host_prune(struct fy_pool *pool, struct fy_host *host)
{
    if (host->conns == 0 && host->dials == 0 && fy_list_empty(&host->waiters)) {
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
    conn->rests = true;
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
static struct fy_persist_conn *idle_to_take(struct fy_host *host, const struct fy_sched *mine)
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
    return conn->sched == fy_sched_running() || fy_persist_conn_move_here(conn);
}

struct fy_persist_conn *fy_pool_take(ferry_transport *transport, const char *scheme,
                                     const char *host_port)
{
    struct fy_pool *pool = &transport->pool;
    for (;;) {
        struct fy_persist_conn *conn = NULL;
        pthread_mutex_lock(&pool->lock);
        pool->close_idle = false;
        struct fy_host *host = host_find(pool, scheme, host_port);
        if (host != NULL && (conn = idle_to_take(host, fy_sched_running())) != NULL) {
            idle_remove(conn);
        }
        pthread_mutex_unlock(&pool->lock);
        if (conn == NULL) {
            return NULL;
        }
        if (!fy_pool_bring_here(conn)) {
            continue;
        }
        /* The timer and the read loop see both in good time, unless their thread was elsewhere. */
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

/* Under pool.lock. Its list's hold goes to whoever takes it off. The dial that it does not need now is
 * there for the next that comes: so dials are never more than requests at a time. */
static void unlist(struct fy_pool *pool, struct fy_want *want)
{
    fy_list_remove(&want->waiter_link);
    pool->waiting--;
    if (want->relies) {
        want->relies = false;
        want->host->spare_dials++;
    }
    if (want->dials) {
        want->dial_is_spare = true;
        want->host->spare_dials++;
    }
}

/* Under pool.lock and the lock of the scheduler that both are on. */
static void hand_over(struct fy_persist_conn *conn, struct fy_want *want)
{
    want->over = true;
    unlist(&conn->transport->pool, want);
    want->holds--; /* never the last: the request has one */
    if (want->queued) {
        want->queued = false;
        fy_list_remove(&want->queue_link);
        want->holds--;
    }
    (void)fy_chan_try_send(&want->ready, conn); /* its one place is free */
}

/* Under pool.lock: the want's scheduler is told, and its request comes for the connection. The
 * connection's hold is the want's then. */
static void promise(struct fy_persist_conn *conn, struct fy_want *want)
{
    unlist(&conn->transport->pool, want);
    want->promised = conn;
    want->promised_in_queue = want->queued;
    if (want->queued) {
        want->queued = false;
        fy_list_remove(&want->queue_link);
    }
    fy_sched_post(want->sched, &want->promise);
}

/* Under pool.lock and the connection's scheduler's. Whether the one that waited for longest has it
 * now, with a hold. */
static bool give_to_waiter(struct fy_persist_conn *conn)
{
    FY_LIST_EACH(link, &conn->host->waiters)
    {
        struct fy_want *want = FY_CONTAINER(link, struct fy_want, waiter_link);
        bool here = want->sched == conn->sched;
        if (here && want->over) {
            continue; /* it has just been served, and its task has not run yet */
        }
        fy_persist_conn_hold(conn);
        if (here) {
            hand_over(conn, want);
        } else {
            promise(conn, want);
        }
        return true;
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
    if (give_to_waiter(conn)) {
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
    conn->idle_since = conn->sched->now;
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
static void send_home(struct fy_persist_conn *conn)
{
    if (conn->sched == fy_sched_running()) {
        close_at_home(&conn->home);
    } else {
        conn->home.run = close_at_home;
        fy_sched_post_home(conn->sched, &conn->home);
    }
}

/* Under pool.lock: whether a connection that is out of the books is in them again, or promised to the next
 * who waits; else it has closed meanwhile. */
static bool take_back(struct fy_persist_conn *conn)
{
    struct fy_link *waiters = &conn->host->waiters;
    if (!conn->counted || conn->transport->pool.freed) {
        return false;
    }
    if (!fy_list_empty(waiters)) {
        promise(conn, FY_CONTAINER(waiters->next, struct fy_want, waiter_link));
    } else {
        idle_add(conn);
    }
    return true;
}

void fy_pool_return(struct fy_persist_conn *conn)
{
    struct fy_pool *pool = &conn->transport->pool;
    pthread_mutex_lock(&pool->lock);
    bool kept = take_back(conn);
    pthread_mutex_unlock(&pool->lock);
    if (!kept) {
        send_home(conn);
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
        if (give_to_waiter(conn)) {
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
    if (evicted != NULL) {
        send_home(evicted);
    }
    return result;
}

/* ------------------------------------------------------------------------- waiting and places */

/* Under pool.lock. */
static void set_dials(struct fy_want *want)
{
    want->dials = true;
    want->host->dials++;
}

/* Under pool.lock: the first who queues for a place to dial in, rather than for a dial that is under way
 * anyway. NULL: nobody. */
static struct fy_want *first_in_queue(struct fy_host *host)
{
    FY_LIST_EACH(link, &host->queue)
    {
        struct fy_want *want = FY_CONTAINER(link, struct fy_want, queue_link);
        if (!want->relies || host->spare_dials < 0) {
            return want;
        }
    }
    return NULL;
}

/* Under pool.lock: hands free places to those who queue for one. */
static void grant(ferry_transport *transport, struct fy_host *host)
{
    struct fy_want *want;
    while (host->conns < transport->set.max_per_host && (want = first_in_queue(host)) != NULL) {
        fy_list_remove(&want->queue_link);
        want->queued = false;
        if (want->relies) {
            want->relies = false;
            host->spare_dials++;
        }
        set_dials(want);
        host->conns++;
        fy_sched_post(want->sched, &want->post);
    }
}

void fy_pool_dial_begins(struct fy_want *want)
{
    pthread_mutex_lock(&want->transport->pool.lock);
    set_dials(want);
    pthread_mutex_unlock(&want->transport->pool.lock);
}

/* Under pool.lock. */
static void end_dial(struct fy_want *want)
{
    want->dials = false;
    want->host->dials--;
    want->host->spare_dials -= want->dial_is_spare;
}

void fy_pool_dial_over(struct fy_want *want)
{
    pthread_mutex_lock(&want->transport->pool.lock);
    if (want->dials) {
        end_dial(want);
        grant(want->transport, want->host); /* who relied on one too many */
        host_prune(&want->transport->pool, want->host);
    }
    pthread_mutex_unlock(&want->transport->pool.lock);
}

/* Under pool.lock. */
static void line_up(struct fy_link *line, struct fy_link *link, bool in_front)
{
    if (in_front) {
        fy_list_push_front(line, link);
    } else {
        fy_list_push_back(line, link);
    }
}

int fy_pool_enter(struct fy_want *want, const char *scheme, const char *host_port)
{
    struct fy_pool *pool = &want->transport->pool;
    pthread_mutex_lock(&pool->lock);
    struct fy_host *host = host_find_or_make(pool, scheme, host_port);
    if (host == NULL) {
        pthread_mutex_unlock(&pool->lock);
        return -1;
    }
    if (idle_to_take(host, want->sched) != NULL) {
        pthread_mutex_unlock(&pool->lock);
        return FY_WANT_TAKE; /* it came free since the caller looked */
    }
    want->host = host;
    line_up(&host->waiters, &want->waiter_link, want->has_waited);
    want->holds++;
    pool->waiting++;
    int entry = host->drains > 0 ? FY_WANT_DRAIN : FY_WANT_DIAL;
    want->relies = host->conns < want->transport->set.max_per_host && host->spare_dials > 0;
    if (want->relies) {
        host->spare_dials--;
    }
    if (want->relies || host->conns >= want->transport->set.max_per_host) {
        line_up(&host->queue, &want->queue_link, want->has_waited);
        want->queued = true;
        want->holds++;
        entry = FY_WANT_QUEUED;
    } else {
        host->conns++;
        want->has_place = true;
        if (entry == FY_WANT_DIAL) {
            set_dials(want);
        }
    }
    pthread_mutex_unlock(&pool->lock);
    return entry;
}

/* Under pool.lock: takes a want out of every list. What was promised to it is another's: in *unkept is what
 * nobody can have. */
static void withdraw(struct fy_want *want, struct fy_persist_conn **unkept)
{
    struct fy_persist_conn *promised = want->promised;
    *unkept = NULL;
    if (!fy_list_empty(&want->waiter_link)) {
        unlist(&want->transport->pool, want);
        want->holds--; /* never the last: the caller has one */
    }
    if (want->queued) {
        fy_list_remove(&want->queue_link);
        want->queued = false;
        want->holds--;
    }
    if (promised != NULL) {
        want->promised = NULL;
        *unkept = take_back(promised) ? NULL : promised;
    }
}

bool fy_pool_leave(struct fy_want *want)
{
    struct fy_pool *pool = &want->transport->pool;
    struct fy_persist_conn *unkept;
    pthread_mutex_lock(&pool->lock);
    /* The host is there for sure only while the want is in its list, or has a place there. */
    bool listed = !fy_list_empty(&want->waiter_link);
    withdraw(want, &unkept);
    bool alone = want->dial == NULL || fy_list_empty(&want->host->waiters);
    if (listed) {
        host_prune(pool, want->host);
    }
    pthread_mutex_unlock(&pool->lock);
    if (unkept != NULL) {
        send_home(unkept);
    }
    return alone;
}

bool fy_pool_dialed(struct fy_want *want, bool well)
{
    struct fy_pool *pool = &want->transport->pool;
    struct fy_persist_conn *unkept = NULL;
    pthread_mutex_lock(&pool->lock);
    bool wanted = !want->over && (well || want->promised == NULL);
    if (wanted) {
        want->over = true;
        if (want->dials) {
            end_dial(want);
        }
        withdraw(want, &unkept);
    }
    pthread_mutex_unlock(&pool->lock);
    if (unkept != NULL) {
        send_home(unkept);
    }
    return wanted;
}

struct fy_persist_conn *fy_pool_promised(struct fy_want *want)
{
    struct fy_pool *pool = &want->transport->pool;
    pthread_mutex_lock(&pool->lock);
    struct fy_persist_conn *conn = want->promised;
    want->promised = NULL;
    pthread_mutex_unlock(&pool->lock);
    return conn;
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
}

int fy_pool_idle_count(ferry_transport *transport, const char *host_port)
{
    struct fy_pool *pool = &transport->pool;
    pthread_mutex_lock(&pool->lock);
    struct fy_host *host = host_port != NULL ? host_find(pool, "http", host_port) : NULL;
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
