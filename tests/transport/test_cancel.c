/*
 * Cancelling, case by case: what is cancelled must end, what is not must not. (The stages of a
 * request's way, one by one, are in test_cancel_stages.c.)
 */
#include "transport_test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "bytes.h"
#include "task/sched.h"

#define EMPTY "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

static bool anything_watches_a_context(void)
{
    bool watches = !fy_list_empty(&fy_enter()->cancels);
    fy_leave();
    return watches;
}

/* Sends this, and waits for the client's end. */
static void serve_stalled(struct origin_conn *conn, void *reply)
{
    if (origin_read_request(conn) && origin_send_text(conn, reply)) {
        origin_wait_eof(conn, -1);
    }
}

/* ------------------------------------------------------------------------ while something waits */

static void test_TR_039_cancel_while_reading(void **state)
{
    struct origin *origin = serve_with(state, serve_stalled,
                                       (void *)"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nHello");
    ferry_transport *transport = transport_with(state, NULL);
    ferry_context *context = ferry_context_new(-1);
    struct call call = {.transport = transport, .url = origin_url(origin, "/"), .context = context};

    start_call(&call);
    assert_eventually(stats_of(transport).responses == 1);
    ferry_sleep(MOMENT_MS);
    assert_false(call.done);
    ferry_context_cancel(context);
    assert_eventually(call.done);
    assert_string_equal(call.outcome.body, "Hello");
    assert_int_equal(call.outcome.body_len, -1);
    assert_failed(call.outcome, FERRY_ECANCELED, "request canceled while reading the body");
    assert_false(anything_watches_a_context());
    ferry_context_free(context);
}

static void cancel_in_do(void **state, const char *body)
{
    struct origin *origin = serve_with(state, serve_stalled, (void *)"");
    ferry_transport *transport = transport_with(state, NULL);
    ferry_context *context = ferry_context_new(-1);
    ferry_request *req = request("GET", origin_url(origin, "/"));
    struct call call = {.transport = transport, .req = req};

    ferry_request_set_body(req, body, strlen(body));
    ferry_request_set_context(req, context);
    start_call(&call);
    for (int i = 0; i < 1000 && !call.done; i++) {
        ferry_sleep(1);
        if (i >= 5) {
            ferry_context_cancel(context);
        }
    }
    assert_true(call.done);
    assert_failed(call.outcome, FERRY_ECANCELED, "request canceled");
    ferry_request_free(req);
    ferry_context_free(context);
}

static void test_TR_040_cancel_in_do(void **state)
{
    cancel_in_do(state, "");
}

static void test_TR_041_cancel_in_do_with_body(void **state)
{
    cancel_in_do(state, "0");
}

static void test_TR_042_cancel_in_dial(void **state)
{
    struct dial_hook hook = {.stall_from = 1, .fail_from = 1};
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.dial = dial_hook, .dial_arg = &hook));
    ferry_context *context = ferry_context_new(-1);
    struct call call = {.transport = transport, .url = "http://one.example/", .context = context};

    start_call(&call);
    assert_eventually(hook.begun == 1);
    ferry_context_cancel(context);
    ferry_context_cancel(context);
    assert_eventually(call.done);
    assert_int_equal(hook.ended, 0); /* the dial is still under way */
    assert_failed(call.outcome, FERRY_ECANCELED, "request canceled while waiting for a connection");
    ferry_context_free(context); /* which the dial does not need any more, or holds itself */
    hook.let_go = 1;
    assert_eventually(hook.ended == 1);
}

/* The peer reads the first three bytes and no more: what is reported is the cancel, not what became
 * of the write. */
static void test_TR_046_cancel_during_the_write(void **state)
{
    struct dial_hook hook = {.pairs = true};
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.dial = dial_hook, .dial_arg = &hook));
    ferry_context *context = ferry_context_new(-1);
    ferry_request *req = request("GET", "http://one.example/");
    struct call call = {.transport = transport, .req = req};
    size_t len = (size_t)4 << 20;
    char *body = calloc(1, len);
    char three[3];

    ferry_request_set_body(req, body, len);
    ferry_request_set_context(req, context);
    start_call(&call);
    assert_eventually(hook.ended == 1);
    assert_eventually(recv(hook.peer[0], three, 3, MSG_DONTWAIT) == 3);
    assert_memory_equal(three, "GET", 3);
    ferry_context_cancel(context);
    assert_eventually(call.done);
    assert_failed(call.outcome, FERRY_ECANCELED, "request canceled");
    assert_int_equal(stats_of(transport).connections, 0);
    dial_hook_close(&hook);
    ferry_request_free(req);
    ferry_context_free(context);
    free(body);
}

/* --------------------------------------------------------------------------------- before it began */

static void test_TR_044_cancelled_before(void **state)
{
    struct dial_hook hook = {0};
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.dial = dial_hook, .dial_arg = &hook));
    ferry_context *context = ferry_context_new(-1);
    ferry_request *req = request("GET", "http://one.example/");

    ferry_request_set_context(req, context);
    ferry_context_cancel(context);
    assert_failed(send_and_read(transport, req), FERRY_ECANCELED, "request canceled");
    assert_int_equal(hook.begun, 0);
    assert_int_equal(stats_of(transport).dials, 0);
    assert_int_equal(stats_of(transport).errors, 1);
    ferry_request_free(req);
    ferry_context_free(context);
}

static void test_TR_045_context_cancelled_before(void **state)
{
    struct dial_hook hook = {0};
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.dial = dial_hook, .dial_arg = &hook));
    ferry_client *client = ferry_client_new(FERRY_CLIENT_OPTIONS(.transport = transport));
    ferry_context *context = ferry_context_new(-1);
    ferry_request *req = request("GET", "http://one.example/");
    ferry_error err = {0};

    ferry_request_set_context(req, context);
    ferry_context_cancel(context);
    assert_null(ferry_client_do(client, req, &err));
    assert_int_equal(err.code, FERRY_ECANCELED);
    assert_string_equal(err.message, "Get \"http://one.example/\": request canceled");
    assert_int_equal(hook.begun, 0);
    ferry_request_free(req);
    ferry_context_free(context);
    ferry_client_free(client);
}

static void test_TR_113_context_over_before(void **state)
{
    struct dial_hook hook = {0};
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.dial = dial_hook, .dial_arg = &hook));
    ferry_context *context = ferry_context_new(0);
    ferry_request *req = request("GET", "http://one.example/");

    ferry_request_set_context(req, context);
    struct outcome outcome = send_and_read(transport, req);
    assert_int_equal(outcome.err.code, FERRY_ETIMEOUT);
    assert_string_equal(outcome.err.message, "context deadline exceeded");
    assert_int_equal(hook.begun, 0);
    ferry_request_free(req);
    ferry_context_free(context);
}

/* -------------------------------------------------------------------------- when it has ended already */

static void test_TR_074_cancel_after_the_end(void **state)
{
    struct origin *origin = serve_with(state, serve_identity, NULL);
    ferry_transport *transport = transport_with(state, NULL);
    ferry_context *context = ferry_context_new(-1);
    ferry_request *req = request("GET", origin_url(origin, "/"));
    ferry_error err = {0};
    struct outcome outcome = {0};

    ferry_request_set_context(req, context);
    ferry_response *res = ferry_transport_round_trip(transport, req, &err);
    assert_non_null(res);
    read_body(res, &outcome);
    ferry_context_cancel(context);
    assert_got(get(transport, origin_url(origin, "/")), 200, "1"); /* on the same connection */
    assert_int_equal(ferry_response_read(res, &(char){0}, 1, &err), 0);
    ferry_response_close(res);
    ferry_request_free(req);
    ferry_context_free(context);
}

/* A body closed early belongs to nobody: neither a cancel nor the deadline stops its draining. */
static void serve_in_two(struct origin_conn *conn, void *go)
{
    if (origin_read_request(conn) &&
        origin_send(conn, BYTES("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsome")) &&
        origin_wait(conn, go) && origin_send(conn, BYTES("more"))) {
        serve_identity(conn, NULL);
    }
}

static void test_cancel_during_a_drain(void **state)
{
    struct gate *go = KEPT(state, struct gate);
    struct origin *origin = serve_with(state, serve_in_two, go);
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.drain_ms = SOON_MS));
    ferry_context *context = ferry_context_new(-1);
    ferry_request *req = request("GET", origin_url(origin, "/"));
    ferry_error err = {0};

    ferry_request_set_context(req, context);
    ferry_response *res = ferry_transport_round_trip(transport, req, &err);
    assert_non_null(res);
    ferry_response_close(res);
    ferry_yield();
    ferry_context_cancel(context);
    ferry_sleep(MOMENT_MS);
    assert_int_equal(stats_of(transport).connections, 1);
    gate_open(go);
    assert_eventually(stats_of(transport).idle == 1);
    assert_int_equal(stats_of(transport).drained, 1);
    ferry_request_free(req);
    ferry_context_free(context);
}

static void test_CS_027_cancel_mid_body(void **state)
{
    struct origin *origin =
        serve_with(state, serve_stalled,
                   (void *)"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nHello\r\n");
    ferry_transport *transport = transport_with(state, NULL);
    ferry_context *context = ferry_context_new(-1);
    ferry_request *req = request("GET", origin_url(origin, "/"));
    ferry_error err = {0};
    char buf[64];

    ferry_request_set_context(req, context);
    ferry_response *res = ferry_transport_round_trip(transport, req, &err);
    assert_non_null(res);
    assert_int_equal(ferry_response_read(res, buf, sizeof buf, &err), 5);
    assert_memory_equal(buf, "Hello", 5);
    ferry_context_cancel(context);
    for (int i = 0; i < 2; i++) { /* and it is told again */
        err = (ferry_error){0};
        assert_int_equal(ferry_response_read(res, buf, sizeof buf, &err), -1);
        assert_error(&err, FERRY_ECANCELED, "request canceled while reading the body");
    }
    ferry_response_close(res);
    ferry_request_free(req);
    ferry_context_free(context);
}

/* ----------------------------------------------------------- between having a connection and using it */

static void cancel_when_got(void *context, int reused, int64_t idle_ms)
{
    (void)reused;
    (void)idle_ms;
    ferry_context_cancel(context);
}

static void cancel_when_asked(void *context, const char *host_port)
{
    (void)host_port;
    ferry_context_cancel(context);
}

static void cancelled_by_trace(ferry_transport *transport, const char *url,
                               const ferry_trace *trace)
{
    ferry_context *context = ferry_context_new(-1);
    ferry_request *req = request("GET", url);
    ferry_request_set_context(req, context);
    ferry_request_set_trace(req, trace, context);
    assert_failed(send_and_read(transport, req), FERRY_ECANCELED, "request canceled");
    ferry_request_free(req);
    ferry_context_free(context);
}

static void test_TR_076_cancel_once_connected(void **state)
{
    struct origin *origin = serve_with(state, serve_identity, NULL);
    ferry_transport *transport = transport_with(state, NULL);
    const ferry_trace *got = FERRY_TRACE(.got_conn = cancel_when_got);

    cancelled_by_trace(transport, origin_url(origin, "/"), got); /* freshly dialed */
    assert_int_equal(origin_counts(origin).requests, 0);
    assert_eventually(stats_of(transport).connections == stats_of(transport).idle);
    assert_got(get(transport, origin_url(origin, "/")), 200, "1");
    cancelled_by_trace(transport, origin_url(origin, "/"), got); /* from the pool */
    assert_got(get(transport, origin_url(origin, "/")), 200, "1");
    assert_int_equal(origin_counts(origin).requests, 2);
    assert_int_equal(stats_of(transport).dials, 1);
}

static void test_cancel_when_a_connection_is_asked_for(void **state)
{
    struct origin *origin = serve_with(state, serve_identity, NULL);
    ferry_transport *transport = transport_with(state, NULL);

    cancelled_by_trace(transport, origin_url(origin, "/"),
                       FERRY_TRACE(.get_conn = cancel_when_asked));
    assert_int_equal(origin_counts(origin).requests, 0);
    assert_eventually(stats_of(transport).connections == stats_of(transport).idle);
}

/* ---------------------------------------------------- connections that come when nobody wants them */

/* In the dial: cancels the request, waits until its send has returned, and connects only then. */
struct late {
    struct call call;
    ferry_context *context;
    bool was_done; /* when the dial went on */
};

static void cancel_and_wait(void *arg)
{
    struct late *late = arg;
    ferry_context_cancel(late->context);
    for (int i = 0; i < SOON_MS && !late->call.done; i++) {
        ferry_sleep(1);
    }
    late->was_done = late->call.done;
}

static void too_late(ferry_transport *transport, struct dial_hook *hook)
{
    struct late late = {.context = ferry_context_new(-1)};
    late.call = (struct call){
        .transport = transport, .url = "http://one.example/", .context = late.context};
    hook->during = cancel_and_wait;
    hook->during_arg = &late;
    start_call(&late.call);
    assert_eventually(hook->ended == 1);
    assert_true(late.was_done);
    assert_failed(late.call.outcome, FERRY_ECANCELED,
                  "request canceled while waiting for a connection");
    ferry_context_free(late.context);
}

static void test_TR_090_late_connection_is_disposed_of(void **state)
{
    struct origin *origin = serve_with(state, serve_identity, NULL);
    struct dial_hook hook = {.port = origin_port(origin)};
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.disable_keep_alives = 1, .dial = dial_hook,
                                                      .dial_arg = &hook));
    too_late(transport, &hook);
    assert_eventually(origin_counts(origin).accepted == 1 && origin_counts(origin).open == 0);
    assert_int_equal(stats_of(transport).connections, 0);
    assert_int_equal(origin_counts(origin).requests, 0);
}

static void test_TR_105_late_connection_idles_out(void **state)
{
    struct origin *origin = serve_with(state, serve_identity, NULL);
    struct dial_hook hook = {.port = origin_port(origin)};
    ferry_transport *transport = transport_with(
        state, FERRY_TRANSPORT_OPTIONS(.idle_timeout_ms = 5, .dial = dial_hook, .dial_arg = &hook));
    too_late(transport, &hook);
    assert_eventually(origin_counts(origin).accepted == 1 && origin_counts(origin).open == 0);
    assert_int_equal(stats_of(transport).connections, 0);
}

static void test_late_connection_serves_the_next(void **state)
{
    struct origin *origin = serve_with(state, serve_identity, NULL);
    struct dial_hook hook = {.port = origin_port(origin)};
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.dial = dial_hook, .dial_arg = &hook));
    too_late(transport, &hook);
    assert_eventually(stats_of(transport).idle == 1);
    assert_got(get(transport, "http://one.example/"), 200, "1");
    assert_int_equal(hook.begun, 1);
}

/* ---------------------------------------------------------------------- in the same moment */

struct together {
    struct gate go, sent[2]; /* by connection */
};

static void serve_when_told(struct origin_conn *conn, void *arg)
{
    struct together *gates = arg;
    struct gate *sent = &gates->sent[origin_conn_serial(conn) - 1];
    while (origin_read_request(conn) && gate_wait(&gates->go, SOON_MS) &&
           origin_send(conn, BYTES(EMPTY))) {
        gate_open(sent);
    }
}

/* The cancel wakes both requests, and the second one is the first to go on, and gives up. Then the
 * first one's read loop has its turn, and puts the connection back into the pool: from there on that
 * is not the canceled request's to close, for it may serve another. */
static void test_cancel_when_the_answer_has_come(void **state)
{
    struct together *gates = KEPT(state, struct together, .go = {0});
    struct origin *origin = serve_with(state, serve_when_told, gates);
    ferry_transport *transport = transport_with(state, NULL);
    ferry_context *context = ferry_context_new(-1);
    struct call calls[2];

    for (int i = 0; i < 2; i++) {
        calls[i] = (struct call){
            .transport = transport, .url = origin_url(origin, "/"), .context = context};
        start_call(&calls[i]);
    }
    assert_eventually(origin_counts(origin).requests == 2);
    gate_open(&gates->go);
    /* Nothing of ferry's runs meanwhile. */
    assert_true(gate_wait(&gates->sent[0], SOON_MS) && gate_wait(&gates->sent[1], SOON_MS));
    ferry_context_cancel(context);
    assert_eventually(calls[0].done && calls[1].done);
    assert_got(calls[0].outcome, 200, "");
    assert_failed(calls[1].outcome, FERRY_ECANCELED, "request canceled");
    assert_int_equal(stats_of(transport).idle, 1);
    assert_got(get(transport, origin_url(origin, "/")), 200, "");
    assert_int_equal(stats_of(transport).dials, 2);
    ferry_context_free(context);
}

/* --------------------------------------------------------------- two requests, one connection */

/* Answers the first request, with an empty body; to the second only listens. */
static void serve_once(struct origin_conn *conn, void *arg)
{
    (void)arg;
    if (origin_read_request(conn) && origin_send(conn, BYTES(EMPTY))) {
        origin_wait_eof(conn, -1);
    }
}

/* Holds the read loop where it has put the connection back. */
struct held {
    bool there, let_go;
};

static void hold_read_loop(void *arg, int result)
{
    struct held *held = arg;
    (void)result;
    held->there = true;
    while (!held->let_go) {
        ferry_sleep(1);
    }
}

static void test_TR_131_cancel_when_sharing_a_connection(void **state)
{
    struct origin *origin = serve_with(state, serve_once, NULL);
    ferry_transport *transport = transport_with(state, FERRY_TRANSPORT_OPTIONS(.max_per_host = 1));
    ferry_context *context = ferry_context_new(-1);
    ferry_request *req = request("GET", origin_url(origin, "/"));
    struct held held = {0};
    struct call first = {.transport = transport, .req = req};
    struct call second = {
        .transport = transport, .url = origin_url(origin, "/"), .context = context};

    ferry_request_set_trace(req, FERRY_TRACE(.put_idle_conn = hold_read_loop), &held);
    start_call(&first);
    assert_eventually(held.there);
    start_call(&second);
    assert_eventually(stats_of(transport).reuses == 1);
    ferry_sleep(MOMENT_MS);
    assert_false(first.done);
    ferry_context_cancel(context);
    assert_eventually(second.done); /* though the read loop is not at hand */
    assert_failed(second.outcome, FERRY_ECANCELED, "request canceled");
    assert_false(first.done);
    held.let_go = true;
    assert_eventually(first.done);
    assert_got(first.outcome, 200, "");
    assert_eventually(stats_of(transport).connections == 0);
    ferry_request_free(req);
    ferry_context_free(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRANSPORT_TEST(test_TR_039_cancel_while_reading),
        TRANSPORT_TEST(test_TR_040_cancel_in_do),
        TRANSPORT_TEST(test_TR_041_cancel_in_do_with_body),
        TRANSPORT_TEST(test_TR_042_cancel_in_dial),
        TRANSPORT_TEST(test_TR_046_cancel_during_the_write),
        TRANSPORT_TEST(test_TR_044_cancelled_before),
        TRANSPORT_TEST(test_TR_045_context_cancelled_before),
        TRANSPORT_TEST(test_TR_113_context_over_before),
        TRANSPORT_TEST(test_TR_074_cancel_after_the_end),
        TRANSPORT_TEST(test_cancel_during_a_drain),
        TRANSPORT_TEST(test_CS_027_cancel_mid_body),
        TRANSPORT_TEST(test_TR_076_cancel_once_connected),
        TRANSPORT_TEST(test_cancel_when_a_connection_is_asked_for),
        TRANSPORT_TEST(test_TR_090_late_connection_is_disposed_of),
        TRANSPORT_TEST(test_TR_105_late_connection_idles_out),
        TRANSPORT_TEST(test_late_connection_serves_the_next),
        TRANSPORT_TEST(test_cancel_when_the_answer_has_come),
        TRANSPORT_TEST(test_TR_131_cancel_when_sharing_a_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
