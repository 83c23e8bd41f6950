/*
 * Who waits for a connection. A want stands in its host's line of waiters, whichever thread it is
 * on; and, while it may not dial (max_per_host, or a dial that others have begun and do not need),
 * in its queue. A connection that comes free goes to the first waiter, a place to the first in the
 * queue.
 */
#include "transport/want.h"

#include <stdlib.h>

#include "base/slab.h"
#include "transport/idle_pool.h"
#include "transport/pool_books.h"

/* ---------------------------------------------------------------------------- serving who waits */

/* Under pool.lock. Its list's hold goes to whoever takes it off. The dial that it does not need now
 * is there for the next that comes: so dials are never more than requests at a time. */
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

/* Under pool.lock: it has relied on a spare dial in vain, which others are not to do after it: that
 * dial may be a function of the user's that never comes back. */
static void write_off(struct fy_want *want)
{
    struct fy_host *host = want->host;
    want->relies = false;
    if (host->spare_dials < 0) {
        host->spare_dials++; /* it relied on one that has ended */
    } else {
        host->lost_dials++;
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
    want->given = conn;
    (void)fy_chan_try_send(&want->ready, conn); /* its one place is free */
}

/* Under pool.lock: the want's scheduler is told, and its request comes for the connection. The
 * connection's hold is the want's then. */
void fy_want_promise(struct fy_persist_conn *conn, struct fy_want *want)
{
    unlist(&conn->transport->pool, want);
    want->promised = conn;
    conn->is_fetched = true;
    want->promised_in_queue = want->queued;
    if (want->queued) {
        want->queued = false;
        fy_list_remove(&want->queue_link);
    }
    fy_sched_post(want->sched, &want->promise);
}

/* Under pool.lock and the connection's scheduler's. Whether the one that waited for longest has it
 * now, with a hold. */
bool fy_wants_give(struct fy_persist_conn *conn)
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
            fy_want_promise(conn, want);
        }
        return true;
    }
    return false;
}

/* --------------------------------------------------------------------------- dials and places */

/* Under pool.lock. */
static void set_dials(struct fy_want *want)
{
    want->dials = true;
    want->host->dials++;
}

/* Under pool.lock: the first who queues for a place to dial in, rather than for a dial that is
 * under way anyway. NULL: nobody. */
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

void fy_want_dial_begins(struct fy_want *want)
{
    pthread_mutex_lock(&want->transport->pool.lock);
    set_dials(want);
    pthread_mutex_unlock(&want->transport->pool.lock);
}

/* Under pool.lock: it brings nothing any more that others could rely on. */
static void take_spare_back(struct fy_want *want)
{
    if (!want->dial_is_spare) {
        return;
    }
    want->dial_is_spare = false;
    if (want->host->lost_dials > 0) {
        want->host->lost_dials--; /* this one, or another, which may be relied on then */
    } else {
        want->host->spare_dials--;
    }
}

/* Under pool.lock. */
static void end_dial(struct fy_want *want)
{
    want->dials = false;
    want->host->dials--;
    take_spare_back(want);
}

void fy_want_dial_over(struct fy_want *want)
{
    pthread_mutex_lock(&want->transport->pool.lock);
    if (want->dials) {
        end_dial(want);
        grant(want->transport, want->host); /* who relied on one too many */
        fy_host_prune(&want->transport->pool, want->host);
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

int fy_want_enter(struct fy_want *want, const struct fy_host_key *key)
{
    struct fy_pool *pool = &want->transport->pool;
    pthread_mutex_lock(&pool->lock);
    struct fy_host *host = fy_host_find_or_make(pool, key);
    if (host == NULL) {
        pthread_mutex_unlock(&pool->lock);
        return -1;
    }
    if (fy_pool_idle_to_take(host, want->sched) != NULL) {
        pthread_mutex_unlock(&pool->lock);
        return FY_WANT_TAKE; /* it came free since the caller looked */
    }
    want->host = host;
    fy_host_counts_find(want->transport, host);
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
        entry = want->relies ? FY_WANT_RELIES : FY_WANT_QUEUED;
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

int fy_want_rely_no_more(struct fy_want *want)
{
    struct fy_pool *pool = &want->transport->pool;
    int entry = FY_WANT_QUEUED;
    pthread_mutex_lock(&pool->lock);
    if (want->relies) {
        write_off(want);
        if (want->host->conns < want->transport->set.max_per_host) {
            fy_list_remove(&want->queue_link);
            want->queued = false;
            want->holds--; /* never the last: the request has one */
            want->host->conns++;
            want->has_place = true;
            set_dials(want);
            entry = FY_WANT_DIAL;
        }
    }
    pthread_mutex_unlock(&pool->lock);
    return entry;
}

/* Under pool.lock: takes a want out of every list. What was promised to it is another's: in *unkept
 * is what nobody can have. */
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
        *unkept = fy_pool_take_back(promised) ? NULL : promised;
    }
}

bool fy_want_leave(struct fy_want *want, bool gives_up)
{
    struct fy_pool *pool = &want->transport->pool;
    struct fy_persist_conn *unkept;
    pthread_mutex_lock(&pool->lock);
    if (want->relies && gives_up) {
        write_off(want);
    }
    /* The host is there for sure only while the want is in its list, or dials. (A thread that ends
     * takes the dial from it first.) */
    bool listed = !fy_list_empty(&want->waiter_link);
    withdraw(want, &unkept);
    bool alone = !want->dials || fy_list_empty(&want->host->waiters);
    if (want->dials && alone && gives_up) {
        take_spare_back(want); /* it is called off */
    }
    if (listed) {
        fy_host_prune(pool, want->host);
    }
    pthread_mutex_unlock(&pool->lock);
    if (unkept != NULL) {
        fy_pool_send_home(unkept);
    }
    return alone;
}

bool fy_want_dialed(struct fy_want *want, bool well)
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
        fy_pool_send_home(unkept);
    }
    return wanted;
}

struct fy_persist_conn *fy_want_promised(struct fy_want *want)
{
    struct fy_pool *pool = &want->transport->pool;
    pthread_mutex_lock(&pool->lock);
    struct fy_persist_conn *conn = want->promised;
    want->promised = NULL;
    pthread_mutex_unlock(&pool->lock);
    return conn;
}

/* Under pool.lock. */
void fy_places_free(ferry_transport *transport, struct fy_host *host)
{
    host->conns--;
    grant(transport, host);
    fy_host_prune(&transport->pool, host);
}

void fy_pool_free_place(ferry_transport *transport, struct fy_host *host)
{
    pthread_mutex_lock(&transport->pool.lock);
    fy_places_free(transport, host);
    pthread_mutex_unlock(&transport->pool.lock);
}

int fy_wants_count(ferry_transport *transport)
{
    pthread_mutex_lock(&transport->pool.lock);
    int count = transport->pool.waiting;
    pthread_mutex_unlock(&transport->pool.lock);
    return count;
}

FY_SLAB_STATIC(wants, sizeof(struct fy_want), FY_SLAB_CHUNK)

struct fy_want *fy_want_alloc(void)
{
    struct fy_want *want = fy_slab_take(&wants);
    if (want != NULL) {
        *want = (struct fy_want){0};
    }
    return want;
}

void fy_want_release(struct fy_want *want)
{
    /* Who gives several holds back had them. NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
    if (--want->holds == 0) {
        fy_transport_release(want->transport);
        fy_slab_give(&wants, want);
    }
}

void fy_want_fail(struct fy_want *want, const ferry_error *err)
{
    if (fy_want_dialed(want, false)) {
        want->err = *err;
        (void)fy_chan_try_send(&want->ready, NULL); /* its one place is free */
    }
}
