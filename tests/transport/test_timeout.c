/*
 * Time running out: the client's, the request's, the response header's, the body's, the dial's.
 */
#include "transport_test.h"

#include <stdio.h>

#include "bytes.h"
#include "dead_end.h"

/* Sends this, and says how the client's side ended. */
struct stalled {
    const char *reply;
    struct gate ended;
    atomic_int end; /* enum origin_end, of the last connection that ended; each has a thread */
};

static void serve_stalled(struct origin_conn *conn, void *arg)
{
    struct stalled *stalled = arg;
    if (origin_read_request(conn) && origin_send_text(conn, stalled->reply)) {
        stalled->end = origin_wait_eof(conn, SOON_MS);
        gate_open(&stalled->ended);
    }
}

static ferry_response *client_get(ferry_client *client, const char *url, ferry_error *err)
{
    ferry_request *req = request("GET", url);
    ferry_response *res = ferry_client_do(client, req, err);
    ferry_request_free(req);
    return res;
}

/* --------------------------------------------------------------------------- response headers */

static void serve_fast_or_slow(struct origin_conn *conn, void *arg)
{
    (void)arg;
    while (origin_read_request(conn)) {
        if (strstr(origin_conn_request(conn).head, "/slow") != NULL) {
            origin_wait_eof(conn, -1);
            return;
        }
        origin_send(conn, BYTES("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfast"));
    }
}

static void test_TR_038_response_header_timeout(void **state)
{
    struct origin *origin = serve_with(state, serve_fast_or_slow, NULL);
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.response_header_timeout_ms = 500));

    assert_got(get(transport, origin_url(origin, "/fast")), 200, "fast");
    assert_failed(get(transport, origin_url(origin, "/slow")), FERRY_ETIMEOUT,
                  "timeout of 500 ms exceeded while waiting for the response headers");
    assert_int_equal(stats_of(transport).connections, 0);
    assert_int_equal(stats_of(transport).retries, 0);
    assert_got(get(transport, origin_url(origin, "/fast")), 200, "fast");
}

/* The body may take longer than the header timeout. */
static void serve_slow_body(struct origin_conn *conn, void *go)
{
    if (origin_read_request(conn) &&
        origin_send(conn, BYTES("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nsl")) &&
        origin_wait(conn, go)) {
        origin_send(conn, BYTES("ow"));
        origin_wait_eof(conn, -1);
    }
}

static void test_header_timeout_spares_the_body(void **state)
{
    struct gate *go = KEPT(state, struct gate);
    struct origin *origin = serve_with(state, serve_slow_body, go);
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.response_header_timeout_ms = 200));
    struct call call = {.transport = transport, .url = origin_url(origin, "/")};

    start_call(&call);
    assert_eventually(stats_of(transport).responses == 1);
    ferry_sleep(400);
    gate_open(go);
    assert_eventually(call.done);
    assert_got(call.outcome, 200, "slow");
}

/* Nor does the sending count: the time begins when the request is written. */
static ssize_t read_slowly(void *arg, void *buf, size_t len)
{
    int *left = arg;
    if (*left == 0) {
        return 0;
    }
    ferry_sleep(100);
    (void)len;
    *(char *)buf = 'x';
    return (*left)--, 1;
}

static void test_header_timeout_spares_the_request(void **state)
{
    struct origin *origin = serve_with(state, serve_identity, NULL);
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.response_header_timeout_ms = 250));
    ferry_request *req = request("POST", origin_url(origin, "/"));
    int left = 4;

    ferry_request_set_body_reader(req, read_slowly, NULL, &left, 4);
    assert_got(send_and_read(transport, req), 200, "1");
    ferry_request_free(req);
}

/* ------------------------------------------------------------------------------ the client's */

/* Five bytes come, and then nothing: by length, in chunks and in what stands between them, until the
 * close; read, and into a file. */
static void test_body_read_timeout(void **state)
{
    static const char *const replies[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n10;name=v",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nDigest: x",
        "HTTP/1.1 200 OK\r\n\r\nhello",
    };
    for (size_t i = 0; i < 2 * sizeof replies / sizeof replies[0]; i++) {
        struct stalled *stalled = KEPT(state, struct stalled, .reply = replies[i / 2]);
        struct origin *origin = serve_with(state, serve_stalled, stalled);
        ferry_transport *transport =
            transport_with(state, FERRY_TRANSPORT_OPTIONS(.body_read_timeout_ms = 30));
        ferry_response *res = open_get(transport, origin_url(origin, "/"));
        char wanted[200];
        char buf[16];
        ferry_error err;
        if (i % 2 == 0) {
            read_exactly(res, buf, 5);
            assert_int_equal(ferry_response_read(res, buf, sizeof buf, &err), -1);
        } else {
            FILE *file = tmpfile();
            assert_non_null(file);
            assert_int_equal(ferry_response_save(res, fileno(file), &err), -1);
            fclose(file);
        }
        snprintf(wanted, sizeof wanted,
                 "reading the body of %s: timeout of 30 ms exceeded while waiting for more of it",
                 origin_url(origin, "/"));
        assert_string_equal(err.message, wanted);
        assert_int_equal(err.code, FERRY_ETIMEOUT);
        assert_int_equal(stats_of(transport).connections, 0);
        ferry_response_close(res);
        gate_wait(&stalled->ended, SOON_MS);
    }
}

/* It is a read's: not the time between reads, nor that of a connection that speaks another protocol. */
static void test_body_read_timeout_spares(void **state)
{
    struct stalled *stalled =
        KEPT(state, struct stalled, .reply = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    struct stalled *upgraded =
        KEPT(state, struct stalled,
             .reply = "HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nhello");
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.body_read_timeout_ms = 1));
    ferry_response *res =
        open_get(transport, origin_url(serve_with(state, serve_stalled, stalled), "/"));
    char buf[16];
    ferry_error err;
    ferry_sleep(5);
    read_exactly(res, buf, 5);
    assert_int_equal(ferry_response_read(res, buf, sizeof buf, &err), 0);
    ferry_response_close(res);
    assert_int_equal(stats_of(transport).idle, 1);

    ferry_request *req =
        request("GET", origin_url(serve_with(state, serve_stalled, upgraded), "/"));
    assert_int_equal(ferry_request_set_header(req, "Connection", "upgrade"), 0);
    assert_int_equal(ferry_request_set_header(req, "Upgrade", "x"), 0);
    ferry_request_set_timeout(req, 20);
    res = ferry_transport_round_trip(transport, req, &err);
    assert_non_null(res);
    read_exactly(res, buf, 5);
    assert_int_equal(ferry_response_read(res, buf, sizeof buf, &err), -1);
    assert_non_null(strstr(err.message, "request timeout exceeded"));
    ferry_response_close(res);
    ferry_request_free(req);
}

static void test_TR_114_timeout_kills_the_connection_before_headers(void **state)
{
    struct stalled *stalled = KEPT(state, struct stalled, .reply = "");
    struct origin *origin = serve_with(state, serve_stalled, stalled);
    ferry_transport *transport = transport_with(state, NULL);
    ferry_client *client =
        ferry_client_new(FERRY_CLIENT_OPTIONS(.transport = transport, .timeout_ms = 50));
    ferry_error err = {0};

    assert_null(client_get(client, origin_url(origin, "/"), &err));
    assert_error(&err, FERRY_ETIMEOUT, "client timeout exceeded");
    assert_int_equal(stats_of(transport).connections, 0);
    if (origin_counts(origin).requests == 1) { /* unless it took 50 ms to get there */
        assert_eventually(gate_is_open(&stalled->ended));
        assert_int_equal(stalled->end, ORIGIN_EOF);
    }
    ferry_client_free(client);
}

static void test_TR_115_cancel_kills_the_connection_after_headers(void **state)
{
    struct stalled *stalled =
        KEPT(state, struct stalled, .reply = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nfoo");
    struct origin *origin = serve_with(state, serve_stalled, stalled);
    ferry_transport *transport = transport_with(state, NULL);
    ferry_client *client =
        ferry_client_new(FERRY_CLIENT_OPTIONS(.transport = transport, .timeout_ms = 60000));
    ferry_context *context = ferry_context_new(-1);
    ferry_request *req = request("GET", origin_url(origin, "/"));
    struct outcome outcome = {0};

    ferry_request_set_context(req, context);
    ferry_response *res = ferry_client_do(client, req, &outcome.err);
    assert_non_null(res);
    ferry_context_cancel(context);
    read_body(res, &outcome);
    assert_int_equal(outcome.body_len, -1);
    assert_failed(outcome, FERRY_ECANCELED, "request canceled while reading the body");
    assert_eventually(gate_is_open(&stalled->ended));
    assert_int_not_equal(stalled->end, ORIGIN_NOT_ENDED);
    ferry_response_close(res);
    ferry_request_free(req);
    ferry_context_free(context);
    ferry_client_free(client);
}

/* Redirects "/" to "/slow", which stalls in its body. */
static void serve_redirect_and_stall(struct origin_conn *conn, void *arg)
{
    (void)arg;
    while (origin_read_request(conn)) {
        if (strncmp(origin_conn_request(conn).head, "GET /slow ", 10) == 0) {
            origin_send_text(conn, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nHello");
            origin_wait_eof(conn, -1);
            return;
        }
        origin_send_text(conn, "HTTP/1.1 302 X\r\nLocation: /slow\r\nContent-Length: 0\r\n\r\n");
    }
}

static void test_CL_033_timeout_covers_the_body(void **state)
{
    struct origin *origin = serve_with(state, serve_redirect_and_stall, NULL);
    ferry_transport *transport = transport_with(state, NULL);
    struct outcome outcome = {0};
    ferry_response *res = NULL;

    for (int64_t timeout_ms = 10; res == NULL && timeout_ms < SOON_MS; timeout_ms *= 2) {
        ferry_client *client = ferry_client_new(
            FERRY_CLIENT_OPTIONS(.transport = transport, .timeout_ms = timeout_ms));
        outcome = (struct outcome){0};
        res = client_get(client, origin_url(origin, "/"), &outcome.err);
        ferry_client_free(client);
    }
    assert_non_null(res);
    assert_string_equal(ferry_response_url(res), origin_url(origin, "/slow"));
    read_body(res, &outcome);
    assert_string_equal(outcome.body, "Hello");
    assert_int_equal(outcome.body_len, -1);
    assert_failed(outcome, FERRY_ETIMEOUT, "client timeout exceeded while reading the body");
    assert_int_equal(stats_of(transport).connections, 0);
    ferry_response_close(res);
}

static void test_CL_035_timeout_in_the_headers(void **state)
{
    struct stalled *stalled = KEPT(state, struct stalled, .reply = "");
    struct origin *origin = serve_with(state, serve_stalled, stalled);
    ferry_transport *transport = transport_with(state, NULL);
    ferry_client *client =
        ferry_client_new(FERRY_CLIENT_OPTIONS(.transport = transport, .timeout_ms = 5));
    ferry_error err = {0};
    char begins[128];

    assert_null(client_get(client, origin_url(origin, "/"), &err));
    snprintf(begins, sizeof begins, "Get \"%s\": client timeout exceeded while waiting",
             origin_url(origin, "/"));
    assert_error(&err, FERRY_ETIMEOUT, begins);
    ferry_client_free(client);
}

static void test_CL_052_canceled_or_timed_out(void **state)
{
    struct origin *origin = serve_with(state, serve_identity, NULL);
    ferry_transport *transport = transport_with(state, NULL);
    ferry_client *client = ferry_client_new(FERRY_CLIENT_OPTIONS(.transport = transport));
    ferry_context *late = ferry_context_new(0);
    ferry_context *canceled = ferry_context_new(-1);
    ferry_request *req = request("GET", origin_url(origin, "/"));
    ferry_error err = {0};

    ferry_context_cancel(canceled);
    ferry_request_set_context(req, late);
    assert_null(ferry_client_do(client, req, &err));
    assert_error(&err, FERRY_ETIMEOUT, "context deadline exceeded");
    ferry_request_set_context(req, canceled);
    assert_null(ferry_client_do(client, req, &err));
    assert_error(&err, FERRY_ECANCELED, "request canceled");
    assert_int_equal(origin_counts(origin).requests, 0);
    ferry_request_free(req);
    ferry_context_free(late);
    ferry_context_free(canceled);
    ferry_client_free(client);
}

/* ------------------------------------------------------------------------ which of several it was */

static void times_out_as(ferry_transport *transport, const char *url, int64_t client_ms,
                         int64_t request_ms, int64_t context_ms, const char *says)
{
    ferry_client *client =
        ferry_client_new(FERRY_CLIENT_OPTIONS(.transport = transport, .timeout_ms = client_ms));
    ferry_context *context = ferry_context_new(context_ms);
    ferry_request *req = request("GET", url);
    ferry_error err = {0};

    ferry_request_set_timeout(req, request_ms);
    ferry_request_set_context(req, context);
    assert_null(ferry_client_do(client, req, &err));
    assert_error(&err, FERRY_ETIMEOUT, says);
    ferry_request_free(req);
    ferry_context_free(context);
    ferry_client_free(client);
}

static void test_the_nearest_is_named(void **state)
{
    struct stalled *stalled = KEPT(state, struct stalled, .reply = "");
    struct origin *origin = serve_with(state, serve_stalled, stalled);
    ferry_transport *transport = transport_with(state, NULL);
    const char *url = origin_url(origin, "/");

    times_out_as(transport, url, 10, 60000, 60000, "client timeout exceeded");
    times_out_as(transport, url, 60000, 10, 60000, "request timeout exceeded");
    times_out_as(transport, url, 60000, 60000, 10, "context deadline exceeded");
}

static void test_dial_timeout(void **state)
{
    struct dead_end silent;
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.dial_timeout_ms = 30));

    assert_true(dead_end_silence(&silent));
    struct outcome outcome = get(transport, silent.url);
    dead_end_close(&silent);
    assert_failed(outcome, FERRY_ETIMEOUT, "i/o timeout");
    assert_int_equal(stats_of(transport).dial_failures, 1);
}

/* The largest number that there is stands for ever, in all of them. */
static void test_for_ever(void **state)
{
    struct origin *origin = serve_with(state, serve_identity, NULL);
    ferry_transport *transport = transport_with(
        state,
        FERRY_TRANSPORT_OPTIONS(.idle_timeout_ms = INT64_MAX, .dial_timeout_ms = INT64_MAX,
                                .response_header_timeout_ms = INT64_MAX,
                                .expect_continue_timeout_ms = INT64_MAX,
                                .keep_alive_probe_ms = INT64_MAX, .max_header_bytes = SIZE_MAX,
                                .drain_bytes = INT64_MAX, .drain_ms = INT64_MAX,
                                .max_decoded_bytes = INT64_MAX,
                                .tls_handshake_timeout_ms = INT64_MAX, .dns_cache_ms = INT64_MAX,
                                .abandoned_ms = INT64_MAX, .fallback_delay_ms = INT64_MAX));

    for (int i = 0; i < 2; i++) {
        ferry_request *req = request("GET", origin_url(origin, "/"));
        ferry_request_set_timeout(req, INT64_MAX);
        assert_got(send_and_read(transport, req), 200, "1");
        ferry_request_free(req);
        ferry_response_close(open_get(transport, origin_url(origin, "/")));
        assert_eventually(stats_of(transport).idle == 1);
    }
    assert_int_equal(stats_of(transport).dials, 1);
    assert_int_equal(stats_of(transport).abandoned, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRANSPORT_TEST(test_TR_038_response_header_timeout),
        TRANSPORT_TEST(test_header_timeout_spares_the_body),
        TRANSPORT_TEST(test_header_timeout_spares_the_request),
        TRANSPORT_TEST(test_body_read_timeout),
        TRANSPORT_TEST(test_body_read_timeout_spares),
        TRANSPORT_TEST(test_TR_114_timeout_kills_the_connection_before_headers),
        TRANSPORT_TEST(test_TR_115_cancel_kills_the_connection_after_headers),
        TRANSPORT_TEST(test_CL_033_timeout_covers_the_body),
        TRANSPORT_TEST(test_CL_035_timeout_in_the_headers),
        TRANSPORT_TEST(test_CL_052_canceled_or_timed_out),
        TRANSPORT_TEST(test_the_nearest_is_named),
        TRANSPORT_TEST(test_dial_timeout),
        TRANSPORT_TEST(test_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
