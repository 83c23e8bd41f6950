/*
 * Connections and servers that fail a request: what is told, what is preferred, what is let go.
 */
#include "transport_test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "bytes.h"
#include "dead_end.h"
#include "transport/transport.h"

/* ---------------------------------------------------------------- hung up on before any answer */

static void serve_nothing(struct origin_conn *conn, void *arg)
{
    (void)arg;
    (void)origin_read_request(conn); /* and closes */
}

static void test_TR_029_never_idle(void **state)
{
    struct origin *origin = serve_with(state, serve_nothing, NULL);
    struct dial_hook hook = {.port = origin_port(origin)};
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.dial = dial_hook, .dial_arg = &hook));
    ferry_request *req = request("POST", origin_url(origin, "/"));

    ferry_request_set_body(req, "hello", 5);
    for (int i = 0; i < 10; i++) {
        assert_failed(send_and_read(transport, req), FERRY_ESERVERCLOSED,
                      "the server closed the connection without answering");
        assert_int_equal(stats_of(transport).connections, 0);
    }
    assert_int_equal(hook.begun, 10);
    assert_int_equal(stats_of(transport).retries, 0); /* they were fresh */
    /* Each connection had a hold on the transport, which is gone with its memory: the user's and
     * this test's remain. */
    assert_eventually(atomic_load(&transport->holds) == 2);
    ferry_request_free(req);
}

/* Closes as soon as it has accepted. */
static void serve_hello_goodbye(struct origin_conn *conn, void *arg)
{
    (void)arg;
    origin_shutdown_write(conn);
    origin_wait_eof(conn, -1);
}

/* Waits, with the connection in hand, until its end has been seen. */
static void await_hang_up(void *transport, int reused, int64_t idle_ms)
{
    (void)reused;
    (void)idle_ms;
    for (int i = 0; i < SOON_MS && stats_of(transport).connections > 0; i++) {
        ferry_sleep(1);
    }
}

static void test_TI_001_hung_up_on_before_the_exchange(void **state)
{
    struct origin *origin = serve_with(state, serve_hello_goodbye, NULL);
    ferry_transport *transport = transport_with(state, NULL);
    ferry_request *req = request("GET", origin_url(origin, "/"));

    ferry_request_set_trace(req, FERRY_TRACE(.got_conn = await_hang_up), transport);
    struct outcome outcome = send_and_read(transport, req);
    assert_failed(outcome, FERRY_ESERVERCLOSED, "the server closed an idle connection");
    assert_int_equal(stats_of(transport).connections, 0);
    assert_int_equal(stats_of(transport).retries, 0);
    ferry_request_free(req);
}

/* ------------------------------------------------------------------------ an answer before the end */

/* Refuses a body unread, as a server does that has a limit: its answer is read, then it closes with
 * the client's bytes still before it, which resets the connection. */
static void serve_refusing(struct origin_conn *conn, void *arg)
{
    char head[4096];
    (void)arg;
    if (origin_read_head(conn, head, sizeof head) > 0 &&
        origin_send(conn, BYTES("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n"
                                "Content-Length: 7\r\n\r\ntoo big"))) {
        origin_wait_read(conn, SOON_MS);
    }
}

static void test_TR_079_response_before_write_error(void **state)
{
    struct origin *origin = serve_with(state, serve_refusing, NULL);
    ferry_transport *transport = transport_with(state, NULL);
    ferry_request *req = request("PUT", origin_url(origin, "/"));
    size_t len = (size_t)2 << 20;
    char *body = calloc(1, len);

    ferry_request_set_body(req, body, len);
    for (int i = 0; i < 100; i++) {
        assert_got(send_and_read(transport, req), 400, "too big");
    }
    assert_int_equal(stats_of(transport).connections, 0);
    ferry_request_free(req);
    free(body);
}

/* The same where the write has failed before the answer is looked for: the request comes in pieces,
 * the next of which finds the connection reset. */
struct pieces {
    struct gate *closed;
    int left;
};

static ssize_t read_pieces(void *arg, void *buf, size_t len)
{
    struct pieces *pieces = arg;
    while (!gate_is_open(pieces->closed)) {
        ferry_sleep(1);
    }
    memset(buf, 'x', len);
    return pieces->left-- > 0 ? (ssize_t)len : 0;
}

static void serve_answer_and_close(struct origin_conn *conn, void *closed)
{
    char head[4096];
    if (origin_read_head(conn, head, sizeof head) > 0) {
        origin_send(conn, BYTES("HTTP/1.1 400 Bad Request\r\nContent-Length: 7\r\n\r\ntoo big"));
        origin_close(conn);
    }
    gate_open(closed);
}

static void test_response_of_a_server_that_has_closed(void **state)
{
    struct gate *closed = KEPT(state, struct gate);
    struct origin *origin = serve_with(state, serve_answer_and_close, closed);
    ferry_transport *transport = transport_with(state, NULL);
    ferry_request *req = request("POST", origin_url(origin, "/"));
    struct pieces pieces = {.closed = closed, .left = 1000};

    ferry_request_set_body_reader(req, read_pieces, NULL, &pieces, -1);
    assert_got(send_and_read(transport, req), 400, "too big");
    assert_eventually(stats_of(transport).connections == 0);
    ferry_request_free(req);
}

/* ----------------------------------------------------------------------- what is let go, and when */

struct counted {
    const char *at;
    int done;
};

static ssize_t read_counted(void *arg, void *buf, size_t len)
{
    struct counted *counted = arg;
    size_t give = strlen(counted->at) < len ? strlen(counted->at) : len;
    memcpy(buf, counted->at, give);
    counted->at += give;
    return (ssize_t)give;
}

static void count_done(void *arg)
{
    ((struct counted *)arg)->done++;
}

static void test_CS_067_bad_response_after_the_body(void **state)
{
    static const struct origin_reply reply = {.bytes = "Hello, World!\r\n",
                                              .then = ORIGIN_THEN_CLOSE};
    struct origin *origin = serve_replies(state, &reply, 1);
    ferry_transport *transport = transport_with(state, NULL);
    ferry_request *req = request("POST", origin_url(origin, "/"));
    struct counted counted = {.at = "body"};

    ferry_request_set_body_reader(req, read_counted, NULL, &counted, 4);
    ferry_request_set_body_done(req, count_done, &counted);
    assert_failed(send_and_read(transport, req), FERRY_EPROTOCOL, "malformed response");
    assert_int_equal(counted.done, 1);
    ferry_request_free(req);
}

/* Whatever the send comes to, its body is let go once, and before the send returns with an error. */
static void let_go_once(ferry_transport *transport, const char *url, ferry_context *context)
{
    ferry_request *req = request("POST", url);
    struct counted counted = {.at = "body"};
    ferry_request_set_body_reader(req, read_counted, NULL, &counted, 4);
    ferry_request_set_body_done(req, count_done, &counted);
    ferry_request_set_context(req, context);
    assert_int_equal(send_and_read(transport, req).status, 0);
    assert_int_equal(counted.done, 1);
    ferry_request_free(req);
}

static void test_bodies_are_let_go_of_whatever_fails(void **state)
{
    struct origin *origin = serve_with(state, serve_nothing, NULL);
    struct dead_end refusing;
    ferry_transport *transport = transport_with(state, NULL);
    ferry_context *canceled = ferry_context_new(-1);

    ferry_context_cancel(canceled);
    assert_true(dead_end_refuse(&refusing));
    let_go_once(transport, origin_url(origin, "/"), NULL);
    let_go_once(transport, origin_url(origin, "/"), canceled);
    let_go_once(transport, refusing.url, NULL);
    dead_end_close(&refusing);
    ferry_context_free(canceled);
}

/* --------------------------------------------------------------------------- failures to connect */

static void test_refused(void **state)
{
    struct dead_end refusing;
    ferry_transport *transport = transport_with(state, NULL);
    char says[128];

    assert_true(dead_end_refuse(&refusing));
    snprintf(says, sizeof says, "dial tcp 127.0.0.1:%d: connection refused", refusing.port);
    for (int i = 0; i < 3; i++) {
        struct outcome outcome = get(transport, refusing.url);
        assert_failed(outcome, FERRY_ECONNECT, says);
        assert_int_equal(outcome.err.os_errno, ECONNREFUSED);
    }
    assert_int_equal(stats_of(transport).dial_failures, 3);
    assert_int_equal(stats_of(transport).errors, 3);
    assert_null(transport->pool.hosts); /* nothing is remembered of it */
    dead_end_close(&refusing);
}

/* An error struct is filled on failure, and only then: not by a try that another one made good. */
static void test_no_error_is_filled_on_success(void **state)
{
    static const struct origin_reply replies[] = {
        {.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
        {.bytes = "", .then = ORIGIN_THEN_CLOSE},
        {.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
    };
    struct origin *origin = serve_replies(state, replies, 3);
    ferry_transport *transport = transport_with(state, NULL);
    ferry_request *req = request("GET", origin_url(origin, "/"));

    for (int i = 0; i < 2; i++) {
        ferry_error err = {.code = -1, .os_errno = -2, .message = "untouched"};
        ferry_response *res = ferry_transport_round_trip(transport, req, &err);
        assert_non_null(res);
        assert_int_equal(ferry_response_read(res, &(char){0}, 1, &err), 0);
        ferry_response_close(res);
        assert_int_equal(err.code, -1);
        assert_int_equal(err.os_errno, -2);
        assert_string_equal(err.message, "untouched");
    }
    assert_int_equal(stats_of(transport).retries, 1);
    ferry_request_free(req);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRANSPORT_TEST(test_TR_029_never_idle),
        TRANSPORT_TEST(test_TI_001_hung_up_on_before_the_exchange),
        TRANSPORT_TEST(test_TR_079_response_before_write_error),
        TRANSPORT_TEST(test_response_of_a_server_that_has_closed),
        TRANSPORT_TEST(test_CS_067_bad_response_after_the_body),
        TRANSPORT_TEST(test_bodies_are_let_go_of_whatever_fails),
        TRANSPORT_TEST(test_refused),
        TRANSPORT_TEST(test_no_error_is_filled_on_success),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
