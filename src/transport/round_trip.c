/*
 * A round trip: get a connection, send the request over it, and, where the connection failed in a
 * way that another may cure, once more.
 */
#include <limits.h>
#include <string.h>

#include "base/error.h"
#include "base/fork.h"
#include "base/seldom.h"
#include "http/decode.h"
#include "http/request.h"
#include "http/response.h"
#include "transport/get_conn.h"
#include "transport/persist_conn.h"
#include "transport/retry.h"
#include "transport/transport.h"

/* The deadline that a client has set, or the request's own. */
static void watch(struct fy_exchange *exchange, ferry_request *req, int64_t own_deadline)
{
    if (req->send.deadline_of != NULL) {
        fy_cancel_begin(&exchange->cancel, req->context, req->send.deadline, req->send.deadline_of);
    } else {
        fy_cancel_begin(&exchange->cancel, req->context, own_deadline, "request timeout");
    }
    exchange->cancel_begun = true;
}

static int check(const ferry_transport *transport, const ferry_request *req, ferry_error *err)
{
    if (transport->set.without_size) {
        return fy_fail(err, FERRY_EINVAL, 0,
                       "ferry_transport_options without their size: use FERRY_TRANSPORT_OPTIONS(), "
                       "or set it");
    }
    if (req->refused.code != 0) {
        *err = req->refused;
        return -1;
    }
    if (req->trailer != NULL && strcmp(req->method, "CONNECT") == 0) {
        return fy_fail(err, FERRY_EINVAL, 0, "CONNECT has no body for trailers to follow");
    }
    if (req->http_1_0 && fy_request_chunked(req)) {
        return fy_fail(err, FERRY_EINVAL, 0,
                       "HTTP/1.0 has no chunks, which a body of unknown length or with trailers "
                       "needs");
    }
    if (strcmp(req->url.scheme, "http") != 0 && strcmp(req->url.scheme, "https") != 0) {
        return fy_fail(err, FERRY_ESCHEME, 0, "unsupported protocol scheme \"%s\"",
                       req->url.scheme);
    }
    return 0;
}

/* The body goes out from its beginning: a reader that has been read is rewound first. */
static FY_SELDOM int rewind_body(ferry_request *req, ferry_error *err)
{
    if (req->body.rewind == NULL) {
        return fy_fail(err, FERRY_EBODY, 0,
                       "the request's body has been read and cannot be rewound to be sent again");
    }
    fy_leave();
    int failed = req->body.rewind(req->body.arg);
    (void)fy_enter();
    if (failed != 0) {
        return fy_fail(err, FERRY_EBODY, 0, "rewinding the request's body failed");
    }
    req->body_read = false;
    return 0;
}

/* The thread ends, and with it the write loop, in the midst of a function of the user's, which does not
 * go on: the body is let go here, and nobody who has the request now is to wait for it. */
static void let_request_go(struct fy_exit_hook *hook)
{
    struct fy_exchange *exchange = FY_CONTAINER(hook, struct fy_exchange, leftover);
    if (!exchange->body_told) {
        fy_exchange_body_done(exchange->req);
    }
    exchange->req->writing = NULL;
}

static const struct fy_exit_kind lost_writing = {.run = let_request_go};

/* The thread has ended, and with it the task that waited: what it held is let go here. */
static void let_go(struct fy_exit_hook *hook)
{
    struct fy_exchange *exchange = FY_CONTAINER(hook, struct fy_exchange, leftover);
    if (exchange->req->writing == &exchange->written) {
        exchange->req->writing = NULL;
    }
    fy_exchange_close_delivered(exchange);
    fy_exchange_release(exchange);
}

static const struct fy_exit_kind lost_trip = {.run = let_go};

/* A request to switch protocols (RFC 9110 section 7.8). If the server does, the connection is never
 * kept, and "Connection: upgrade, close" would take back what it asks for. */
static bool asks_for_upgrade(const ferry_request *req)
{
    return fy_header_find(&req->header, "Upgrade", NULL) != NULL &&
           fy_header_lists(&req->header, "Connection", "upgrade");
}

static struct fy_exchange *exchange_for(ferry_transport *transport, ferry_request *req)
{
    struct fy_exchange *exchange = fy_exchange_new(transport, req);
    if (exchange != NULL) {
        exchange->leftover.kind = &lost_trip;
        fy_list_push_front(&fy_sched_running()->leftovers, &exchange->leftover.link);
        exchange->close_asked =
            req->close || (transport->set.disable_keep_alives && !asks_for_upgrade(req));
        exchange->decodes = !transport->set.disable_compression && fy_coding_names() != NULL &&
                            fy_request_leaves_coding(req);
        exchange->raw = req->raw_body;
        exchange->expects_continue = req->body.kind != FY_REQUEST_NO_BODY && req->body.len != 0 &&
                                     !req->http_1_0 &&
                                     transport->set.expect_continue_timeout_ms >= 0 &&
                                     fy_header_lists(&req->header, "Expect", "100-continue");
    }
    return exchange;
}

/* In absolute form the connection is the proxy's, and whatever goes wrong on it. */
static FY_SELDOM void blame_proxy(const struct fy_route *route, ferry_error *err)
{
    switch (err->code) {
    case FERRY_EPROTOCOL:
    case FERRY_ETRUNCATED:
    case FERRY_ESERVERCLOSED:
    case FERRY_EREAD:
    case FERRY_EWRITE:
    case FERRY_ETLS: fy_error_prefix(err, "proxy %s", route->proxy->host_port); break;
    default: break;
    }
}

/* One try. *again: it failed, and another connection may do better. */
static ferry_response *attempt(struct fy_exchange *exchange, ferry_error *err, bool *again)
{
    ferry_request *req = exchange->req;
    enum fy_trip_failure failure;
    *again = false;
    if (fy_cancel_ended(&exchange->cancel)) {
        fy_cancel_error(&exchange->cancel, err);
        return NULL;
    }
    if (fy_route_choose(exchange->transport, req, &exchange->route, err) != 0) {
        return NULL;
    }
    exchange->conn =
        fy_get_conn(exchange->transport, req, &exchange->route, &exchange->cancel, err);
    if (exchange->conn == NULL) {
        return NULL;
    }
    bool reused = exchange->conn->reused;
    if (fy_cancel_ended(&exchange->cancel)) {
        /* Cancelled between getting the connection and using it: it stays as good as it was. */
        fy_cancel_error(&exchange->cancel, err);
        fy_get_conn_undo(exchange->conn);
        return NULL;
    }
    ferry_response *res = fy_persist_conn_round_trip(exchange->conn, exchange, err, &failure);
    *again =
        res == NULL && !fy_cancel_ended(&exchange->cancel) && fy_should_retry(req, reused, failure);
    if (res == NULL && exchange->route.absolute) {
        blame_proxy(&exchange->route, err);
    }
    return res;
}

/* Its response came before all of it was written. */
static const char former_send[] = "waiting for a request's former send to end";

/* A response that is the proxy's challenge to our credentials, and no answer to the caller: closed,
 * and the request is to be sent again with what was asked for. */
static ferry_response *take_challenge(struct fy_exchange *exchange, ferry_response *res,
                                      ferry_error *err, bool *again)
{
    int challenged =
        fy_route_challenged(&exchange->route, exchange->transport, exchange->req, res, err);
    if (challenged == 0) {
        return res;
    }
    fy_response_close(res);
    fy_request_await_writing(exchange->req, former_send);
    *again = challenged > 0;
    return NULL;
}

/* This send is over; whoever is last, it or the write loop, lets the body go, and takes the leftover
 * back. */
static void end(struct fy_exchange *exchange)
{
    exchange->trip_over = true;
    fy_list_remove(&exchange->leftover.link);
    if (exchange->req->writing != &exchange->written) {
        fy_exchange_body_done(exchange->req);
    } else {
        exchange->leftover.kind = &lost_writing;
        fy_list_push_front(&exchange->sched->farewells, &exchange->leftover.link);
    }
}

/* A request's tries. Why one has failed is told if it was the last. Until then it is kept in the exchange, and
 * not in here, on the stack of the task that waits. */
static ferry_response *send_request(ferry_transport *transport, ferry_request *req,
                                    ferry_error *err)
{
    int64_t own_deadline = req->timeout_ms > 0 ? fy_after_ms(req->timeout_ms) : FY_NEVER;
    bool challenged = false; /* by a proxy: its credentials are asked for once */
    for (;;) {
        bool again;
        bool by_proxy = false;
        struct fy_exchange *exchange = exchange_for(transport, req);
        if (exchange == NULL) {
            fy_exchange_body_done(req);
            fy_fail_memory(err);
            return NULL;
        }
        ferry_error *cause = &exchange->cause;
        watch(exchange, req, own_deadline);
        ferry_response *res = NULL;
        again = false;
        if (!req->body_read || rewind_body(req, cause) == 0) {
            res = attempt(exchange, cause, &again);
        }
        if (res != NULL && exchange->route.absolute && !challenged) {
            res = take_challenge(exchange, res, cause, &again);
            challenged = by_proxy = again;
        }
        if (again && exchange->process != fy_fork_count()) {
            /* What was begun in the parent is the parent's to send again. */
            again = false;
            if (by_proxy) { /* which has challenged, and so left no cause */
                fy_fail(cause, FERRY_ECANCELED, 0,
                        "the process was forked before the request was sent again to the proxy");
            }
        }
        if (again) {
            fy_list_remove(&exchange->leftover.link);
        } else {
            end(exchange);
        }
        if (!again && res == NULL) {
            *err = *cause;
        }
        fy_exchange_release(exchange);
        if (!again) {
            return res;
        }
        if (!by_proxy) {
            FY_COUNT(transport, retries);
        }
    }
}

static ferry_response *round_trip(ferry_transport *transport, ferry_request *req, ferry_error *err,
                                  const char *file, int line)
{
    transport = transport != NULL ? transport : ferry_default_transport();
    if (req == NULL) {
        fy_fail_without_request(err);
        return NULL;
    }
    if (transport == NULL || fy_enter() == NULL) {
        fy_fail_memory(err);
        return NULL;
    }
    ferry_response *res = NULL;
    fy_request_await_writing(req, former_send);
    req->handed_begun = false;
    FY_COUNT(transport, requests);
    if (check(transport, req, err) == 0) {
        res = send_request(transport, req, err);
    } else {
        fy_exchange_body_done(req);
    }
    if (res != NULL) {
        FY_COUNT(transport, responses);
        res->entry.file = file;
        res->entry.line = line;
        fy_ledger_open(res->sched, &res->entry);
    } else {
        FY_COUNT(transport, errors);
    }
    fy_leave();
    return res;
}

static FY_SELDOM ferry_response *
round_trip_unexplained(ferry_transport *transport, ferry_request *req, const char *file, int line)
{
    ferry_error unwanted;
    return round_trip(transport, req, &unwanted, file, line);
}

FERRY_API ferry_response *ferry_transport_round_trip_at(ferry_transport *transport,
                                                        ferry_request *req, ferry_error *err,
                                                        const char *file, int line)
{
    return err != NULL ? round_trip(transport, req, err, file, line)
                       : round_trip_unexplained(transport, req, file, line);
}

FERRY_API ferry_response *(ferry_transport_round_trip)(ferry_transport *transport,
                                                       ferry_request *req, ferry_error *err)
{
    return ferry_transport_round_trip_at(transport, req, err, NULL, 0);
}
