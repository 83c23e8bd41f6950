/*
 * The read loop: one task a connection, which reads one response after the other. This is where a
 * connection's fate is decided, once per response, from top to bottom:
 *
 *     rest until the first byte         (idle, or behind a request)
 *     read the head
 *     no body: pool, then deliver the response
 *     a body:  deliver the response, rest until the body's fate is told, then pool or close
 *
 * A response whose body nobody reads or closes keeps this task waiting for that fate: that is the
 * leak which the ledger names.
 */
#include <stddef.h>

#include "base/cache_line.h"
#include "base/errno.h"
#include "base/error.h"
#include "base/fork.h"
#include "base/seldom.h"
#include "http/request.h"
#include "http/response_parse.h"
#include "task/monitor.h"
#include "task/sched.h"
#include "transport/abandon.h"
#include "transport/body.h"
#include "transport/idle_pool.h"
#include "transport/persist_conn.h"
#include "transport/response_read.h"
#include "transport/trace.h"

/* How long the end of a response waits for the end of its request, before the connection is given
 * up. */
#define WRITE_GRACE_MS 50

/* ------------------------------------------------------------------------------- the first byte */

/* What the stream has, without a buffer as long as it has nothing: *got as a read's, -EAGAIN where it was
 * no input after all. Otherwise -errno; -EAGAIN: there is no news yet, and the loop rests. */
static int try_input(struct fy_persist_conn *conn, ssize_t *got)
{
    fy_conn_input_rest(&conn->input);
    if (conn->expected == 0) {
        fy_persist_conn_set_unattended(conn, true);
        if (conn->was_put_back) {
            fy_pool_rest(conn);
        }
    }
    const char *why = conn->expected > 0
                          ? "waiting for the response"
                          : "idle: waiting for a request, or for the server to close";
    int failed = conn->stream->ops->rest_readable(conn->stream, why);
    if (failed == 0) {
        *got = fy_conn_input_try_fill(&conn->input, conn->stream,
                                      conn->transport->set.max_header_bytes);
    }
    return failed;
}

/* Bytes, 0 for the end, or -errno; -EAGAIN: there is nothing yet, and the loop rests. Once the stream may
 * have been wrong about news: what it knew was old, or a message of TLS's own. A server that goes on with
 * such messages does not keep the others from their turns. Never parks, as the turn may be on a stack
 * that is lent (fy_loop_turn_here). */
static ssize_t input_at_rest(struct fy_persist_conn *conn)
{
    ssize_t got = (ssize_t)fy_conn_input_len(&conn->input);
    if (got > 0) {
        return got;
    }
    for (int tries = 0; tries < 2; tries++) {
        int failed = try_input(conn, &got);
        if (failed != 0 || got != -EAGAIN) {
            return failed != 0 ? failed : got;
        }
    }
    fy_task_rest("runnable", "ready to go on");
    fy_wake(fy_self());
    return -EAGAIN;
}

/* Nobody asked: the end of an idle connection, or bytes that answer nothing. What fails in TLS
 * tells more: a server may refuse us when its handshake is over, and the request not yet here. */
static FY_SELDOM void close_unasked(struct fy_persist_conn *conn, ssize_t got)
{
    if (got == -ENOMEM || got == -EPROTO) {
        ferry_error err = {0};
        (void)fy_persist_conn_fail_read(conn, got, "", &err);
        fy_persist_conn_close(conn, FY_TRIP_SERVER_CLOSED, &err);
        return;
    }
    const char *why = "the server closed an idle connection";
    if (got == 0 || got == -FY_TRUNCATED) {
        FY_HOST_COUNT(conn->counts, close_waits);
    }
    if (got > 0 && !fy_is_408(fy_conn_input_bytes(&conn->input), fy_conn_input_len(&conn->input))) {
        why = "the server sent bytes on an idle connection, unasked";
    }
    fy_persist_conn_close_for(conn, FY_TRIP_SERVER_CLOSED, FERRY_ESERVERCLOSED, why);
}

/* The connection ended, or failed, where the response should have begun. */
static void fail_first_byte(struct fy_exchange *exchange, ssize_t got)
{
    struct fy_persist_conn *conn = exchange->conn;
    ferry_error *err = &exchange->read_error;
    exchange->failure = FY_TRIP_READ_FAILED;
    if (conn->is_closed) {
        *err = *conn->why;
        exchange->failure = conn->why_failure;
    } else if (got == 0 || got == -FY_TRUNCATED) {
        conn->saw_end = true;
        fy_fail(err, FERRY_ESERVERCLOSED, 0, "the server closed the connection without answering");
    } else {
        (void)fy_persist_conn_fail_read(conn, got, "", err);
    }
}

/* ------------------------------------------------------------------------------ fetching ahead */

/* What is ferry's on the stack of a task that waits for an answer, from where it stopped. */
#define WAITING_BYTES 1344

/* While the system hands out the response's bytes: the exchange, and who waits for it. */
static void fetch_exchange(const struct fy_persist_conn *conn)
{
    if (conn->serving != NULL) {
        fy_fetch_ahead(conn->serving, offsetof(struct fy_exchange, write_error));
        fy_fetch_ahead(conn->caller, offsetof(struct fy_task, all));
    }
}

/* While the response's head is read: what its caller goes on with. */
static void fetch_caller(const struct fy_exchange *exchange)
{
    const struct fy_task *caller = exchange->conn->caller;
    if (!exchange->trip_over) {
        fy_fetch_ahead(caller->stack, sizeof *caller->stack);
        fy_fetch_ahead(caller->stopped, WAITING_BYTES);
        fy_fetch_ahead(exchange->req, offsetof(struct ferry_request, trace));
    }
}

/* ------------------------------------------------------------------------------------ the pool */

static bool request_written(struct fy_exchange *exchange)
{
    if (exchange->written.closed) {
        return exchange->write_state == FY_WRITE_WHOLE;
    }
    struct fy_case written = FY_RECEIVE_FROM(&exchange->written);
    fy_select(&written, 1, fy_after_ms(WRITE_GRACE_MS), "waiting for the request to be written");
    return exchange->write_state == FY_WRITE_WHOLE;
}

/* Why the connection cannot be kept, as far as the exchange tells; FERRY_PUT_OK: it can. */
static enum ferry_put_result keepable(struct fy_exchange *exchange)
{
    struct fy_persist_conn *conn = exchange->conn;
    if (!exchange->framing.keep_alive || exchange->close_asked ||
        exchange->framing.kind == FY_BODY_CLOSE || exchange->framing.kind == FY_BODY_TUNNEL) {
        return conn->transport->set.disable_keep_alives ? FERRY_PUT_KEEP_ALIVES_DISABLED
                                                        : FERRY_PUT_CLOSE_ASKED;
    }
    if (!request_written(exchange)) {
        return FERRY_PUT_REQUEST_NOT_WRITTEN;
    }
    return conn->saw_end || !fy_persist_conn_is_fresh(conn) ? FERRY_PUT_CONNECTION_BROKEN
                                                            : FERRY_PUT_OK;
}

static bool note_put(struct fy_exchange *exchange, enum ferry_put_result result)
{
    FY_HOST_COUNT(exchange->counts, put_results[result]);
    if (exchange->put_trace != NULL) {
        exchange->conn->in_put_trace = true;
        fy_leave();
        exchange->put_trace(exchange->trace_arg, result);
        (void)fy_enter();
        exchange->conn->in_put_trace = false;
    }
    return result == FERRY_PUT_OK;
}

/* The response has been read to its end: pools the connection if it can be kept. */
static bool try_put_idle_conn(struct fy_exchange *exchange)
{
    enum ferry_put_result result = keepable(exchange);
    if (result == FERRY_PUT_OK) {
        result = fy_pool_try_put(exchange->conn);
    }
    return note_put(exchange, result);
}

/* ------------------------------------------------------------------------------ the body's fate */

/* Reads on a body that was closed early, within the transport's limits: whether its end came. */
static FY_SELDOM bool drain(struct fy_exchange *exchange)
{
    struct fy_persist_conn *conn = exchange->conn;
    const struct fy_transport_settings *set = &conn->transport->set;
    char scratch[2048];
    ferry_error err;
    ssize_t got = 1;
    conn->stream->read_deadline = fy_after_ms(set->drain_ms);
    while (got > 0 && exchange->drained <= set->drain_bytes) {
        got = fy_body_read_some(exchange, scratch, sizeof scratch, true, &err);
        exchange->drained += got > 0 ? got : 0;
    }
    conn->stream->read_deadline = FY_NEVER;
    fy_pool_set_drains(conn, false);
    if (got == 0) {
        FY_COUNT(exchange->transport, drained);
    }
    return got == 0;
}

/* What follows from the fate that the body's reader has decided. */
static bool follow_fate(struct fy_exchange *exchange)
{
    switch (exchange->fate) {
    case FY_FATE_END: fy_timed_body(exchange); return try_put_idle_conn(exchange);
    case FY_FATE_DRAIN:
        return drain(exchange) ? try_put_idle_conn(exchange)
                               : note_put(exchange, FERRY_PUT_CLOSED_EARLY);
    case FY_FATE_CLOSED: return note_put(exchange, FERRY_PUT_CLOSED_EARLY);
    default: return note_put(exchange, FERRY_PUT_BODY_ERROR);
    }
}

static FY_SELDOM void close_canceled(struct fy_exchange *exchange)
{
    ferry_error err;
    fy_cancel_error(&exchange->cancel, &err);
    fy_error_suffix(&err, " while reading the body");
    fy_persist_conn_close(exchange->conn, FY_TRIP_FAILED, &err);
}

/* An exchange's fates, in their order. */
enum fate_case { FATE_TOLD, CANCELED, CLOSED, FATE_CASES };

/* The response is about to be delivered: what there is to rest in until its body has been read, or
 * closed, or cannot be any more. */
static void open_body(struct fy_exchange *exchange)
{
    struct fy_persist_conn *conn = exchange->conn;
    const bool is_quiet = fy_exchange_is_quiet(exchange);
    struct fy_chan *canceled = fy_cancel_done(&exchange->cancel);
    exchange->fates[FATE_TOLD] = (struct fy_case)FY_RECEIVE_FROM(&exchange->fate_told);
    exchange->fates[CANCELED] = (struct fy_case)FY_RECEIVE_FROM(canceled);
    exchange->fates[CLOSED] = (struct fy_case)FY_RECEIVE_FROM(&conn->closed);
    conn->body_is_open = true;
    fy_abandon_watch(exchange);
    /* The monitor may see to a body that is abandoned, or closed on another thread. */
    fy_persist_conn_set_unattended(conn, is_quiet);
    /* A cancel, or the end of its time, is not to wait until the thread comes back. */
    exchange->may_end = is_quiet && canceled != NULL && conn->transport->pool.monitored;
    if (exchange->may_end) {
        fy_monitor_watch(1);
    }
}

/* The rest is over. Whether the connection lives on. */
static bool end_body(struct fy_exchange *exchange, enum fate_case chosen)
{
    if (exchange->may_end && exchange->process == fy_fork_count()) {
        fy_monitor_watch(-1);
    }
    if (chosen == CANCELED) {
        close_canceled(exchange);
    }
    fy_exchange_unwatch(exchange);
    if (chosen == FATE_TOLD) {
        return follow_fate(exchange);
    }
    fy_abandon_unwatch(exchange); /* there is nothing that could be taken away */
    if (exchange->res != NULL) {
        exchange->res->entry.holds_connection = false; /* it goes, whoever is still to close that */
    }
    return note_put(exchange,
                    chosen == CANCELED ? FERRY_PUT_CANCELED : FERRY_PUT_CONNECTION_BROKEN);
}

/* ------------------------------------------------------------------------------------- the loop */

static void deliver(struct fy_exchange *exchange, ferry_response *res)
{
    exchange->delivered = res;
    (void)fy_chan_try_send(&exchange->answer, res); /* its one place is free: there is one answer */
}

/* One response, from its first byte to its delivery, and without a body to its connection's fate. Whether
 * the connection lives on. */
static bool serve(struct fy_exchange *exchange, ssize_t got)
{
    struct fy_persist_conn *conn = exchange->conn;
    if (got <= 0) {
        fail_first_byte(exchange, got);
        deliver(exchange, NULL);
        return false;
    }
    fetch_caller(exchange);
    fy_timed_first_byte(exchange);
    FY_TRACE_PLAIN(exchange->req, got_first_byte);
    ferry_response *res = fy_response_read(exchange, &exchange->read_error);
    conn->expected--;
    if (res == NULL) {
        deliver(exchange, NULL);
        return false;
    }
    if (exchange->framing.kind != FY_BODY_NONE) {
        open_body(exchange);
        deliver(exchange, res);
        return true;
    }
    /* Pooled before the response is delivered, so that the caller's next request finds it. Another
     * request may have it, and have it closed, before this one's caller runs: no matter, the answer
     * is here. */
    exchange->answer_comes = true;
    exchange->delivered =
        res; /* if its put_idle_conn never returns, it is closed with the thread */
    fy_exchange_unwatch(exchange);
    fy_exchange_decide(exchange, FY_FATE_END);
    bool alive = try_put_idle_conn(exchange);
    deliver(exchange, res);
    return alive;
}

/* The loop is done with an exchange. */
static void let_go(struct fy_persist_conn *conn, struct fy_exchange *exchange, bool alive)
{
    conn->being_read = NULL;
    if (alive) {
        fy_exchange_settled(exchange);
    }
    if (conn->serving == exchange) {
        conn->serving = NULL; /* else it has been given the next one meanwhile */
    }
    fy_exchange_release(exchange);
}

/* The request that is answered, whose response begins with what has come. */
static bool serve_next(struct fy_persist_conn *conn, ssize_t got)
{
    void *exchange;
    fy_chan_receive(&conn->to_read, &exchange, "waiting for the request that is answered");
    conn->being_read = exchange;
    bool alive = serve(exchange, got);
    if (!conn->body_is_open) {
        let_go(conn, exchange, alive);
    }
    return alive;
}

static bool follow_body(struct fy_persist_conn *conn, enum fate_case chosen)
{
    struct fy_exchange *exchange = conn->being_read;
    conn->body_is_open = false;
    bool alive = end_body(exchange, chosen);
    let_go(conn, exchange, alive);
    return alive;
}

enum fy_turn fy_read_loop(void *arg)
{
    struct fy_persist_conn *conn = arg;
    bool alive = true;
    while (alive) {
        if (conn->body_is_open) {
            int chosen = fy_select_rest(conn->being_read->fates, FATE_CASES,
                                        "waiting for the body to be read");
            if (chosen == FY_SELECT_RESTS) {
                return FY_TURN_REST;
            }
            alive = follow_body(conn, chosen);
            continue;
        }
        fetch_exchange(conn);
        ssize_t got = input_at_rest(conn);
        if (got == -EAGAIN) {
            return FY_TURN_REST;
        }
        if (conn->expected == 0) {
            close_unasked(conn, got);
            break;
        }
        alive = serve_next(conn, got);
    }
    fy_persist_conn_close_for(conn, FY_TRIP_SERVER_CLOSED, FERRY_ESERVERCLOSED,
                              "the connection was not kept");
    conn->read_loop_over = true;
    conn->read_task = NULL;
    fy_persist_conn_loop_over(conn);
    fy_persist_conn_release(conn);
    return FY_TURN_OVER;
}
