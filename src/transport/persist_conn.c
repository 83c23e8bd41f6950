/*
 * A connection's birth and death, and the round trip over it: hand the exchange to both loops, then
 * wait for whichever comes first.
 */
#include "transport/persist_conn.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/errno.h"
#include "base/error.h"
#include "base/seldom.h"
#include "base/slab.h"
#include "http/request.h"
#include "http/response.h"
#include "net/socket_stream.h"
#include "transport/idle_pool.h"

/* How long the response is waited for when writing the request has failed: a server that refuses a
 * body answers and closes, and its answer says more than a broken pipe. What it sent before it
 * closed is readable at once, so this bounds only a peer that resets one direction and keeps the
 * other. */
#define ANSWER_GRACE_MS 250

static atomic_uint_least64_t next_number = 1;

FY_SLAB_STATIC(connections, sizeof(struct fy_persist_conn), FY_SLAB_CHUNK)

/* ------------------------------------------------------------------------------ birth and death */

void fy_persist_conn_probe(struct fy_persist_conn *conn)
{
    if (conn->probes_due) {
        conn->probes_due = false;
        fy_socket_stream_probe(conn->stream, conn->transport->set.keep_alive_probe_ms);
    }
}

/* The timer is left alone while the connection comes and goes; when it fires it looks since when
 * the connection has been idle, and goes off again at the time that this one instance of idleness
 * ends. The first time may be when the system has to begin to probe. */
static void look_if_idle(struct fy_timer *timer)
{
    struct fy_persist_conn *conn = FY_CONTAINER(timer, struct fy_persist_conn, idle_timer);
    int64_t limit = conn->transport->set.idle_timeout_ms * FY_MILLISECOND;
    int64_t now = fy_now();
    if (conn->is_closed) {
        return;
    }
    fy_persist_conn_probe(conn);
    if (limit < 0) {
        return;
    }
    int64_t since = fy_pool_idle_since(conn, now);
    if (now - since >= limit) {
        fy_persist_conn_close_for(conn, FY_TRIP_SERVER_CLOSED, FERRY_ESERVERCLOSED,
                                  "the connection was idle for too long");
        return;
    }
    fy_timer_arm(&conn->sched->timers, timer, since + limit, look_if_idle);
}

static void close_with_thread(struct fy_exit_hook *hook)
{
    fy_persist_conn_close_for(FY_CONTAINER(hook, struct fy_persist_conn, exit), FY_TRIP_FAILED,
                              FERRY_ECANCELED,
                              "the thread that the connection belonged to has ended");
}

/* In the child of a fork: nothing goes out on it, and it stays the parent's. */
static void close_in_child(struct fy_exit_hook *hook)
{
    fy_persist_conn_close_for(FY_CONTAINER(hook, struct fy_persist_conn, exit), FY_TRIP_FAILED,
                              FERRY_ECANCELED,
                              "the process was forked, and the connection is the parent's");
}

static bool outlive_thread(struct fy_exit_hook *hook);

static const struct fy_exit_kind open_conn = {
    .run = close_with_thread, .outlive = outlive_thread, .forked = close_in_child};

static struct fy_persist_conn *conn_alloc(ferry_transport *transport, struct fy_host *host,
                                          struct fy_stream *stream, struct fy_tls_info *tls,
                                          const struct fy_route *route)
{
    struct fy_persist_conn *conn = fy_slab_take(&connections);
    if (conn == NULL) {
        return NULL;
    }
    *conn = (struct fy_persist_conn){0};
    conn->holds = 1;
    conn->transport = transport;
    fy_transport_hold(transport);
    conn->host = host;
    conn->counts = host->counts;
    conn->counted = true;
    struct fy_sched *sched = fy_sched_running();
    conn->sched = sched;
    conn->stream = stream;
    conn->tls = tls;
    fy_route_copy(&conn->route, route);
    conn->input.spares = &sched->spares;
    conn->number = atomic_fetch_add_explicit(&next_number, 1, memory_order_relaxed);
    fy_chan_init(&conn->to_read, conn->to_read_place, 1);
    fy_chan_init(&conn->to_write, conn->to_write_place, 1);
    fy_chan_init(&conn->closed, NULL, 0);
    conn->to_write_cases[0] = (struct fy_case)FY_RECEIVE_FROM(&conn->to_write);
    conn->to_write_cases[1] = (struct fy_case)FY_RECEIVE_FROM(&conn->closed);
    fy_chan_init(&conn->gone, NULL, 0);
    fy_list_init(&conn->idle_link);
    fy_list_init(&conn->lru_link);
    fy_list_init(&conn->exit.link);
    return conn;
}

/* The connection enters the running scheduler's books: at its birth, and when it has moved. since:
 * from when on it may be idle. */
static void settle_here(struct fy_persist_conn *conn, int64_t since)
{
    struct fy_sched *sched = fy_sched_running();
    conn->sched = sched;
    conn->input.spares = &sched->spares;
    fy_list_push_front(&sched->exit_hooks, &conn->exit.link);
    const struct fy_transport_settings *set = &conn->transport->set;
    int64_t look = set->idle_timeout_ms;
    if (conn->probes_due && (look < 0 || set->keep_alive_probe_ms < look)) {
        look = set->keep_alive_probe_ms;
    }
    if (look >= 0) {
        fy_timer_arm(&sched->timers, &conn->idle_timer, since + look * FY_MILLISECOND,
                     look_if_idle);
    }
}

/* Starts a loop, with a hold of its own on the connection. */
static struct fy_task *start_loop(struct fy_persist_conn *conn, const char *name,
                                  enum fy_turn (*loop)(void *arg))
{
    struct fy_task *task = fy_loop_start(name, loop, conn);
    if (task != NULL) {
        task->connection = conn->number;
        fy_persist_conn_hold(conn);
    }
    return task;
}

struct fy_persist_conn *fy_persist_conn_new(ferry_transport *transport, struct fy_host *host,
                                            struct fy_stream *stream, struct fy_tls_info *tls,
                                            const struct fy_route *route, bool probes_due)
{
    struct fy_persist_conn *conn = conn_alloc(transport, host, stream, tls, route);
    if (conn == NULL) {
        return NULL;
    }
    conn->probes_due = probes_due;
    conn->write_task = start_loop(conn, "write loop", fy_write_loop);
    if (conn->write_task == NULL) {
        conn->write_loop_over = true;
        goto no_write_loop;
    }
    conn->read_task = start_loop(conn, "read loop", fy_read_loop);
    if (conn->read_task == NULL) {
        goto no_read_loop;
    }
    FY_HOST_COUNT(conn->counts, connections);
    conn->read_task->describe = fy_persist_conn_describe;
    conn->exit.kind = &open_conn;
    settle_here(conn, fy_now());
    return conn;

no_read_loop:
    fy_chan_close(&conn->closed); /* ends the write loop */
no_write_loop:
    conn->is_closed = true;
    conn->counted = false;
    conn->stream = NULL;
    conn->tls = NULL;
    fy_persist_conn_release(conn);
    return NULL;
}

void fy_persist_conn_hold(struct fy_persist_conn *conn)
{
    conn->holds++;
}

/* For want of memory to say it in. */
static const ferry_error unexplained = {
    .code = FERRY_ENOMEM,
    .os_errno = ENOMEM,
    .message = "the connection is closed, and there was no memory to remember why",
};

void fy_persist_conn_release(struct fy_persist_conn *conn)
{
    if (--conn->holds > 0) {
        return;
    }
    fy_list_remove(&conn->exit.link);
    if (conn->stream != NULL) {
        conn->stream->ops->free(conn->stream);
    }
    fy_tls_info_release(conn->tls);
    fy_route_end(&conn->route);
    fy_conn_input_free(&conn->input);
    if (conn->why != &unexplained) {
        free((void *)conn->why);
    }
    fy_transport_release(conn->transport);
    fy_slab_give(&connections, conn);
}

/* Not part of every connection, most of which are open. */
static const ferry_error *keep(const ferry_error *why)
{
    ferry_error *copy = malloc(sizeof *copy);
    if (copy == NULL) {
        return &unexplained;
    }
    *copy = *why;
    return copy;
}

static void let_handed_go(struct fy_chan *chan)
{
    struct fy_case handed = FY_RECEIVE_FROM(chan);
    if (fy_select(&handed, 1, FY_AT_ONCE, NULL) == 0) {
        fy_exchange_release(handed.value);
    }
}

/* The thread has ended. A loop that is not over was in a function of the user's, and is no more: what
 * it held is let go here. */
static void loops_lost(struct fy_exit_hook *hook)
{
    struct fy_persist_conn *conn = FY_CONTAINER(hook, struct fy_persist_conn, exit);
    struct fy_exchange *held[] = {conn->being_written, conn->being_read};
    int lost = (conn->write_loop_over ? 0 : 1) + (conn->read_loop_over ? 0 : 1);
    fy_persist_conn_hold(conn);
    for (int i = 0; i < 2; i++) {
        if (held[i] != NULL) {
            fy_exchange_release(held[i]);
        }
    }
    let_handed_go(&conn->to_write);
    let_handed_go(&conn->to_read);
    for (; lost > 0; lost--) {
        fy_persist_conn_release(conn);
    }
    fy_persist_conn_release(conn);
}

static const struct fy_exit_kind closed_conn = {.run = loops_lost};

void fy_persist_conn_close(struct fy_persist_conn *conn, enum fy_trip_failure failure,
                           const ferry_error *why)
{
    if (conn->is_closed) {
        return;
    }
    conn->is_closed = true;
    conn->why = keep(why);
    conn->why_failure = failure;
    FY_HOST_COUNT_DOWN(conn->counts, connections);
    conn->exit.kind = &closed_conn;
    fy_list_remove(&conn->exit.link);
    fy_list_push_front(&conn->sched->leftovers, &conn->exit.link);
    fy_timer_disarm(&conn->sched->timers, &conn->idle_timer);
    conn->stream->ops->close(conn->stream);
    fy_chan_close(&conn->closed);
    if (fy_pool_forget(conn)) {
        conn->holds--; /* the pool's; never the last: the loops have theirs */
    }
}

void fy_persist_conn_close_for(struct fy_persist_conn *conn, enum fy_trip_failure failure, int code,
                               const char *why)
{
    ferry_error err;
    fy_fail_plain(&err, code, why);
    fy_persist_conn_close(conn, failure, &err);
}

void fy_persist_conn_loop_over(struct fy_persist_conn *conn)
{
    if ((conn->read_loop_over || conn->in_put_trace) &&
        (conn->write_loop_over || conn->in_user_function)) {
        fy_chan_close(&conn->gone);
    }
}

void fy_persist_conn_wait_gone(struct fy_persist_conn *conn)
{
    fy_chan_receive(&conn->gone, NULL, "waiting for a closed connection's loops to end");
}

void fy_persist_conn_set_unattended(struct fy_persist_conn *conn, bool unattended)
{
    if (conn->read_task != NULL) {
        conn->read_task->unattended = unattended;
    }
    if (conn->write_task != NULL) { /* it has ended where a request failed to be written */
        conn->write_task->unattended = unattended;
    }
}

bool fy_persist_conn_is_fresh(struct fy_persist_conn *conn)
{
    return !conn->is_closed && fy_conn_input_len(&conn->input) == 0 &&
           !conn->stream->ops->has_input(conn->stream);
}

/* -------------------------------------------------------------------------- to another thread */

/* Under its scheduler's lock. A loop may be in a function of the user's, on its own thread, and even
 * parked there: a trace's, a body's. */
static bool can_move(const struct fy_persist_conn *conn)
{
    return !conn->is_closed && !conn->in_put_trace && conn->stream->ops->detach != NULL &&
           conn->read_task != NULL && conn->write_task != NULL &&
           fy_task_is_parked(conn->read_task) && fy_task_is_parked(conn->write_task);
}

static void detach(struct fy_persist_conn *conn)
{
    fy_list_remove(&conn->exit.link);
    fy_timer_disarm(&conn->sched->timers, &conn->idle_timer);
    conn->stream->ops->detach(conn->stream);
    fy_task_detach(conn->read_task);
    fy_task_detach(conn->write_task);
}

/* 0, or -errno: then it can only be closed. */
static int attach(struct fy_persist_conn *conn, int64_t since)
{
    fy_sched_running()->arriving = NULL;
    fy_task_attach(conn->read_task);
    fy_task_attach(conn->write_task);
    settle_here(conn, since);
    return conn->stream->ops->attach(conn->stream);
}

static void close_unmoved(struct fy_persist_conn *conn)
{
    fy_persist_conn_close_for(conn, FY_TRIP_NOTHING_WRITTEN, FERRY_ENOMEM,
                              "an idle connection could not be moved to another thread");
}

/* The lock of the scheduler that has the connection: if its thread was just ending, that is the
 * harbour by now, which it does not leave but for the caller. */
static struct fy_sched *lock_home(struct fy_persist_conn *conn)
{
    for (;;) {
        struct fy_sched *home = conn->sched;
        fy_sched_lock(home);
        if (home == conn->sched) {
            return home;
        }
        fy_sched_unlock(home);
    }
}

/* In between the connection belongs to nobody but this function: no list, no poller and no timer
 * leads to it. */
bool fy_persist_conn_move_here(struct fy_persist_conn *conn)
{
    fy_leave();
    struct fy_sched *there = lock_home(conn);
    bool moves = can_move(conn);
    if (moves) {
        fy_sched_running()->arriving = &conn->exit;
        detach(conn);
    } else if (conn->is_closed) {
        fy_persist_conn_release(conn);
    } else {
        fy_pool_put_back(conn);
    }
    fy_sched_unlock(there);
    (void)fy_enter(); /* cannot fail: this thread has its scheduler */
    if (moves) {
        conn->is_fetched = false;
        if (attach(conn, fy_now()) != 0) {
            close_unmoved(conn);
        }
    }
    return moves;
}

/* It stays where it is in the pool's books: who asks for a connection in this very moment finds it
 * there, or waits for pool.lock. One that a request on another thread has been given is found by that
 * one in the harbour. */
static bool outlive_thread(struct fy_exit_hook *hook)
{
    struct fy_persist_conn *conn = FY_CONTAINER(hook, struct fy_persist_conn, exit);
    struct fy_pool *pool = &conn->transport->pool;
    int attached = 0;
    pthread_mutex_lock(&pool->lock);
    bool moves = pool->monitored && !pool->freed && (conn->is_idle || conn->is_fetched) &&
                 can_move(conn) && conn->read_task->unattended && conn->write_task->unattended;
    if (moves) {
        detach(conn);
        attached = attach(conn, conn->idle_since);
    }
    pthread_mutex_unlock(&pool->lock);
    if (attached != 0) {
        close_unmoved(conn);
    }
    return moves;
}

/* ------------------------------------------------------------------------------ when it fails */

int fy_persist_conn_fail_read(const struct fy_persist_conn *conn, ssize_t got, const char *ended,
                              ferry_error *err)
{
    const char *failure =
        conn->stream->ops->failure != NULL ? conn->stream->ops->failure(conn->stream) : NULL;
    if (conn->is_closed) {
        *err = *conn->why; /* not its consequence, "canceled" */
        return -1;
    }
    switch (got) {
    case 0: return fy_fail(err, FERRY_ETRUNCATED, 0, "%s", ended);
    case -FY_TRUNCATED:
        return fy_fail(err, FERRY_ETRUNCATED, 0,
                       "%s, and without TLS's close_notify: it may have been cut off on the way",
                       ended);
    case -ENOMEM:
        return fy_fail(err, FERRY_ENOMEM, ENOMEM, "%s",
                       failure != NULL ? failure : fy_errno_text(ENOMEM));
    case -EPROTO:
        return fy_fail(err, FERRY_ETLS, 0, "tls: %s",
                       failure != NULL ? failure : fy_errno_text(EPROTO));
    default:
        return fy_fail(err, got == -ETIMEDOUT ? FERRY_ETIMEOUT : FERRY_EREAD, (int)-got, "read: %s",
                       fy_errno_text((int)-got));
    }
}

int fy_persist_conn_fail_write(const struct fy_persist_conn *conn, int result, ferry_error *err)
{
    if (conn->is_closed) {
        *err = *conn->why;
        return -1;
    }
    return fy_fail(err, result == -ENOMEM ? FERRY_ENOMEM : FERRY_EWRITE, -result, "%s%s",
                   result == -ENOMEM ? "" : "write: ", fy_errno_text(-result));
}

/* ----------------------------------------------------------------------------- the round trip */

/* What the round trip waits for, most telling first: fy_select takes the first that is ready. */
enum trip_case { ANSWERED, CANCELED, WRITE_FAILED, CLOSED, WRITTEN, TRIP_CASES };

static void hand_over(struct fy_persist_conn *conn, struct fy_exchange *exchange)
{
    conn->expected++;
    exchange->counts = conn->counts;
    exchange->handed_over = conn->sched->now;
    FY_HOST_COUNT(conn->counts, requests);
    conn->requests++;
    conn->serving = exchange;
    conn->caller = fy_self();
    exchange->req->written_on = conn->sched;
    exchange->req->writing = &exchange->written;
    fy_exchange_hold(exchange);
    (void)fy_chan_try_send(&conn->to_read,
                           exchange); /* its one place is free: so is the connection */
    fy_exchange_hold(exchange);
    (void)fy_chan_try_send(&conn->to_write, exchange);
    fy_persist_conn_set_unattended(conn, false); /* functions of the user's may be on the way now */
    conn->read_task->why = "waiting for the response";
    conn->read_task->since = conn->sched->now;
}

/* The request has been written: from now on the time to the head counts. */
static int64_t header_deadline(const struct fy_exchange *exchange)
{
    return fy_after_ms(exchange->transport->set.response_header_timeout_ms);
}

static FY_SELDOM void failed_write(struct fy_exchange *exchange, ferry_error *err,
                                   enum fy_trip_failure *failure)
{
    *err = exchange->write_error;
    *failure = exchange->nothing_written ? FY_TRIP_NOTHING_WRITTEN : FY_TRIP_FAILED;
}

/* Parks until the trip has ended one way or the other; NULL with *err and *failure. Once the answer
 * comes nothing else counts, nor may the connection be touched: it may serve another request, on any
 * thread. */
static ferry_response *await_answer(struct fy_persist_conn *conn, struct fy_exchange *exchange,
                                    ferry_error *err, enum fy_trip_failure *failure)
{
    bool timed = exchange->transport->set.response_header_timeout_ms >= 0;
    bool write_failed = false;
    int64_t deadline = FY_NEVER;
    *failure = FY_TRIP_FAILED;
    for (;;) {
        struct fy_case cases[TRIP_CASES] = {
            [ANSWERED] = FY_RECEIVE_FROM(&exchange->answer),
            [CANCELED] = FY_RECEIVE_FROM(fy_cancel_done(&exchange->cancel)),
            [WRITE_FAILED] = FY_RECEIVE_FROM(write_failed ? NULL : &exchange->write_failed),
            [CLOSED] = FY_RECEIVE_FROM(&conn->closed),
            [WRITTEN] = FY_RECEIVE_FROM(timed ? &exchange->written : NULL),
        };
        bool comes = exchange->answer_comes;
        int chosen = fy_select(cases, comes ? 1 : TRIP_CASES, comes ? FY_NEVER : deadline,
                               "waiting for the response");
        if (chosen != ANSWERED && exchange->answer_comes) {
            continue; /* which it did not when that was chosen: the pool has the connection now */
        }
        switch (chosen) {
        case ANSWERED:
            exchange->delivered = NULL;
            if (cases[ANSWERED].value != NULL) {
                return cases[ANSWERED].value;
            }
            *err = exchange->read_error;
            *failure = exchange->failure;
            if (exchange->write_state == FY_WRITE_FAILED && exchange->nothing_written) {
                *failure = FY_TRIP_NOTHING_WRITTEN;
            }
            return NULL;
        case CANCELED:
            fy_cancel_error(&exchange->cancel, err);
            fy_error_suffix(err, " while waiting for the response");
            return NULL;
        case WRITE_FAILED:
            write_failed = true;
            timed = false;
            deadline = fy_after_ms(ANSWER_GRACE_MS);
            if (exchange->write_error.code == FERRY_EBODY || exchange->nothing_written) {
                failed_write(exchange, err, failure);
                return NULL;
            }
            break;
        case CLOSED:
            *err = *conn->why;
            *failure = conn->why_failure;
            return NULL;
        case WRITTEN:
            timed = false;
            deadline = header_deadline(exchange);
            break;
        default:
            if (write_failed) {
                failed_write(exchange, err, failure);
            } else {
                fy_fail(err, FERRY_ETIMEOUT, 0,
                        "timeout of %lld ms exceeded while waiting for the "
                        "response headers",
                        (long long)exchange->transport->set.response_header_timeout_ms);
            }
            return NULL;
        }
    }
}

/* After a failed trip: nothing of the request's may be in use when this returns, and nothing of the
 * connection left. */
static FY_SELDOM void abandon(struct fy_persist_conn *conn, struct fy_exchange *exchange,
                              const ferry_error *err)
{
    fy_persist_conn_close(conn, FY_TRIP_FAILED, err);
    fy_chan_receive(&exchange->written, NULL, "waiting for the request's body to be let go");
    fy_persist_conn_wait_gone(conn);
    fy_exchange_close_delivered(exchange);
}

ferry_response *fy_persist_conn_round_trip(struct fy_persist_conn *conn,
                                           struct fy_exchange *exchange, ferry_error *err,
                                           enum fy_trip_failure *failure)
{
    if (conn->is_closed) {
        /* It closed while it was handed over: nothing of the request has gone out on it. */
        *err = *conn->why;
        *failure = FY_TRIP_NOTHING_WRITTEN;
        return NULL;
    }
    hand_over(conn, exchange);
    ferry_response *res = await_answer(conn, exchange, err, failure);
    if (res == NULL) {
        abandon(conn, exchange, err);
    } else if (exchange->conn != NULL && conn->is_closed) {
        /* The response was its last. (Where it was kept, it may be another thread's by now.) */
        fy_persist_conn_wait_gone(conn);
    }
    return res;
}
