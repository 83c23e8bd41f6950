/*
 * Whether the next request finds the connection of the one before: what puts a connection back, what
 * does not, and which of several is taken.
 */
#include "transport_test.h"

#include <stdio.h>

#include "bytes.h"
#include "transport/transport.h"

#define CLOSE_FIELD "Connection: close\r\n"

/* ------------------------------------------------------------------------- kept or not kept */

/* Two GETs one after the other, both bodies read to their ends, nothing closed until both are
 * through. */
static void two_unclosed(ferry_transport *transport, const char *url, struct outcome outcomes[2])
{
    ferry_response *res[2];
    for (int i = 0; i < 2; i++) {
        outcomes[i] = (struct outcome){0};
        res[i] = open_get(transport, url);
        read_body(res[i], &outcomes[i]);
    }
    for (int i = 0; i < 2; i++) {
        ferry_response_close(res[i]);
    }
}

static void test_TR_002_keep_alives(void **state)
{
    struct origin *origin = serve_with(state, serve_identity, NULL);
    ferry_transport *keeps = transport_with(state, NULL);
    ferry_transport *does_not =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.disable_keep_alives = 1));
    struct outcome outcomes[2];

    two_unclosed(keeps, origin_url(origin, "/"), outcomes);
    assert_string_equal(outcomes[0].body, "1");
    assert_string_equal(outcomes[1].body, "1");
    assert_int_equal(stats_of(keeps).reuses, 1);

    two_unclosed(does_not, origin_url(origin, "/"), outcomes);
    assert_string_equal(outcomes[0].body, "2");
    assert_string_equal(outcomes[1].body, "3");
    assert_int_equal(stats_of(does_not).put_results[FERRY_PUT_KEEP_ALIVES_DISABLED], 2);
}

/* Asked to, says that it closes, and leaves that to the client. */
static void serve_announced_close(struct origin_conn *conn, void *arg)
{
    (void)arg;
    while (origin_read_request(conn)) {
        bool closes = strncmp(origin_conn_request(conn).head, "GET /close ", 11) == 0;
        origin_sendf(conn, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n%s\r\n%u",
                     closes ? CLOSE_FIELD : "", origin_conn_serial(conn));
    }
}

static void test_TR_003_close_on_response(void **state)
{
    struct origin *origin = serve_with(state, serve_announced_close, NULL);
    struct dial_hook hook = {.port = origin_port(origin)};
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.dial = dial_hook, .dial_arg = &hook));

    assert_got(get(transport, origin_url(origin, "/")), 200, "1");
    assert_got(get(transport, origin_url(origin, "/")), 200, "1");
    ferry_transport_close_idle(transport);
    assert_int_equal(hook.begun, 1);

    assert_got(get(transport, origin_url(origin, "/close")), 200, "2");
    assert_got(get(transport, origin_url(origin, "/close")), 200, "3");
    assert_int_equal(hook.begun, 3);
    assert_int_equal(stats_of(transport).put_results[FERRY_PUT_CLOSE_ASKED], 2);
    ferry_transport_close_idle(transport);
    assert_int_equal(stats_of(transport).connections, 0);
    assert_eventually(origin_counts(origin).open == 0);
}

static void test_TR_004_close_on_request(void **state)
{
    struct origin *origin = serve_with(state, serve_identity, NULL);
    struct dial_hook hook = {.port = origin_port(origin)};
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.dial = dial_hook, .dial_arg = &hook));
    ferry_request *req = request("GET", origin_url(origin, "/"));

    for (int i = 0; i < 2; i++) {
        assert_got(send_and_read(transport, req), 200, "1");
        assert_null(strstr(origin_request(origin, (size_t)i).head, CLOSE_FIELD));
    }
    ferry_transport_close_idle(transport);
    ferry_request_set_close(req, 1);
    for (int i = 0; i < 2; i++) {
        assert_got(send_and_read(transport, req), 200, i == 0 ? "2" : "3");
        assert_non_null(strstr(origin_request(origin, (size_t)i + 2).head, CLOSE_FIELD));
    }
    ferry_transport_close_idle(transport);
    assert_int_equal(hook.begun, 3);
    assert_eventually(origin_counts(origin).open == 0);
    ferry_request_free(req);
}

static void test_TR_007_idle_keys(void **state)
{
    struct origin *origin = serve_with(state, serve_identity, NULL);
    ferry_transport *transport = transport_with(state, NULL);
    struct outcome outcome = {0};

    assert_int_equal(idle_at(transport, NULL), 0);
    ferry_response *res = open_get(transport, origin_url(origin, "/"));
    assert_int_equal(idle_at(transport, NULL), 0);
    read_body(res, &outcome); /* and not closed: to the end is enough */
    assert_int_equal(idle_at(transport, NULL), 1);
    assert_int_equal(idle_of(transport, origin), 1);
    ferry_transport_close_idle(transport);
    assert_int_equal(idle_at(transport, NULL), 0);
    assert_int_equal(idle_of(transport, origin), 0);
    assert_null(transport->pool.hosts); /* and the key is forgotten */
    ferry_response_close(res);
}

static void test_CS_061_close_idle_connections(void **state)
{
    struct origin *origin = serve_with(state, serve_identity, NULL);
    ferry_transport *transport = transport_with(state, NULL);

    assert_got(get(transport, origin_url(origin, "/")), 200, "1");
    ferry_transport_close_idle(transport);
    assert_int_equal(stats_of(transport).connections, 0);
    assert_int_equal(ferry_num_tasks(), 1);
    assert_got(get(transport, origin_url(origin, "/")), 200, "2");
}

/* -------------------------------------------------------------------- responses without a body */

static void serve_head_chunked(struct origin_conn *conn, void *arg)
{
    (void)arg;
    while (origin_read_request(conn)) {
        origin_sendf(conn, "HTTP/1.1 200 OK\r\nPeer: %u\r\nTransfer-Encoding: chunked\r\n\r\n",
                     origin_conn_serial(conn));
    }
}

static void test_TR_016_head_chunked(void **state)
{
    struct origin *origin = serve_with(state, serve_head_chunked, NULL);
    ferry_transport *transport = transport_with(state, NULL);
    ferry_request *req = request("HEAD", origin_url(origin, "/"));

    for (int i = 0; i < 2; i++) {
        ferry_error err = {0};
        ferry_response *res = ferry_transport_round_trip(transport, req, &err);
        assert_non_null(res);
        assert_int_equal(idle_of(transport, origin), 1); /* right away: neither read nor closed */
        assert_string_equal(ferry_response_header(res, "Peer"), "1");
        assert_int_equal(ferry_response_read(res, &(char){0}, 1, &err), 0);
        ferry_response_close(res);
    }
    ferry_request_free(req);
}

static void test_TR_089_empty_body(void **state)
{
    struct origin *origin = serve_reply(state, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    ferry_transport *transport = transport_with(state, NULL);

    for (int i = 0; i < 100; i++) {
        ferry_response *res = open_get(transport, origin_url(origin, "/"));
        assert_int_equal(idle_of(transport, origin), 1);
        ferry_response_close(res);
    }
    assert_int_equal(origin_counts(origin).accepted, 1);
    assert_int_equal(stats_of(transport).reuses, 99);
    assert_int_equal(stats_of(transport).put_results[FERRY_PUT_OK], 100);
}

/* Runs on the origin's thread, which gets a scheduler of its own by it. */
static void serve_closing_idle(struct origin_conn *conn, void *transport)
{
    if (origin_read_request(conn)) {
        ferry_transport_close_idle(*(ferry_transport **)transport);
        origin_send(conn, BYTES("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
        origin_wait_eof(conn, -1);
    }
}

static void test_TR_031_idle_after_close_idle(void **state)
{
    ferry_transport *transport;
    struct origin *origin = serve_with(state, serve_closing_idle, &transport);
    transport = transport_with(state, NULL);

    assert_got(get(transport, origin_url(origin, "/")), 200, "");
    assert_int_equal(idle_at(transport, NULL), 0);
    assert_int_equal(stats_of(transport).put_results[FERRY_PUT_CLOSE_IDLE], 1);
    assert_eventually(origin_counts(origin).open == 0);
}

/* ---------------------------------------------------------------------------- which one of them */

/* Opens two connections, and gives them back in the order a, b. */
static void leave_idle(ferry_transport *transport, struct origin *origin, struct gates *gates)
{
    struct call a = {.transport = transport, .url = origin_url(origin, "/0")};
    struct call b = {.transport = transport, .url = origin_url(origin, "/1")};
    start_call(&a);
    assert_eventually(gate_is_open(&gates->arrived[0]));
    start_call(&b);
    assert_eventually(gate_is_open(&gates->arrived[1]));
    gate_open(&gates->go[0]);
    assert_eventually(a.done);
    gate_open(&gates->go[1]);
    assert_eventually(b.done);
    assert_got(a.outcome, 200, "1");
    assert_got(b.outcome, 200, "2");
    gates_open(gates);
}

static void test_most_recent_first(void **state)
{
    struct gates *gates = KEPT(state, struct gates);
    struct origin *origin = serve_with(state, serve_gated, gates);
    ferry_transport *transport = transport_with(state, NULL);

    leave_idle(transport, origin, gates);
    assert_int_equal(idle_of(transport, origin), 2);
    assert_got(get(transport, origin_url(origin, "/2")), 200, "2");
    assert_got(get(transport, origin_url(origin, "/2")), 200, "2");

    ferry_response *res = open_get(transport, origin_url(origin, "/2")); /* takes 2 */
    assert_got(get(transport, origin_url(origin, "/2")), 200, "1");
    ferry_response_close(res);
    assert_int_equal(stats_of(transport).dials, 2);
}

/* What is equal for the pool: scheme, host and port, and nothing else of the URL. */
static void test_hosts_do_not_share(void **state)
{
    struct origin *origin = serve_with(state, serve_identity, NULL);
    struct dial_hook hook = {.port = origin_port(origin)};
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.dial = dial_hook, .dial_arg = &hook));

    assert_got(get(transport, "http://one.example/"), 200, "1");
    assert_got(get(transport, "http://two.example/"), 200, "2");
    assert_got(get(transport, "http://ONE.example:80/a?b#c"), 200, "1");
    assert_got(get(transport, "http://user:secret@two.example/"), 200, "2");
    assert_got(get(transport, "http://one.example:81/"), 200, "3");
    assert_int_equal(idle_at(transport, "one.example:80"), 1);
    assert_int_equal(idle_at(transport, "one.example:81"), 1);
    assert_int_equal(idle_at(transport, "two.example:80"), 1);
}

/* ------------------------------------------------------------- a request that is not all out yet */

/* On POST the answer comes at once, complete, and what else arrives is read; GET as usual. */
static void serve_early(struct origin_conn *conn, void *arg)
{
    char head[4096];
    (void)arg;
    while (origin_read_head(conn, head, sizeof head) > 0) {
        origin_sendf(conn, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%u",
                     origin_conn_serial(conn));
        if (strncmp(head, "POST", 4) == 0) {
            origin_wait_eof(conn, -1);
        }
    }
}

/* 256 KiB whose last byte waits to be let go. */
struct withheld {
    size_t left;
    bool let_go, done;
};

static ssize_t read_withheld(void *arg, void *buf, size_t len)
{
    struct withheld *body = arg;
    size_t give = body->left > 1 ? body->left - 1 : body->left;
    if (body->left == 1) {
        while (!body->let_go) {
            ferry_sleep(1);
        }
    }
    give = give < len ? give : len;
    memset(buf, 'x', give);
    body->left -= give;
    return (ssize_t)give;
}

static void note_done(void *arg)
{
    ((struct withheld *)arg)->done = true;
}

static void test_TR_062_no_reuse_after_early_response(void **state)
{
    struct origin *origin = serve_with(state, serve_early, NULL);
    ferry_transport *transport = transport_with(state, NULL);
    struct withheld body = {.left = 256 * 1024};
    ferry_request *post = request("POST", origin_url(origin, "/"));
    ferry_request_set_body_reader(post, read_withheld, NULL, &body, 256 * 1024);
    ferry_request_set_body_done(post, note_done, &body);

    assert_got(send_and_read(transport, post), 200, "1");
    assert_int_equal(idle_of(transport, origin), 0);
    assert_int_equal(stats_of(transport).put_results[FERRY_PUT_REQUEST_NOT_WRITTEN], 1);
    assert_got(get(transport, origin_url(origin, "/")), 200, "2");
    assert_int_equal(body.left, 1); /* the upload has been stuck all the while */
    assert_false(body.done);

    body.let_go = true;
    assert_eventually(body.done);
    assert_int_equal(stats_of(transport).connections, 1);
    ferry_request_free(post);
}

/* The other side of it: a request that goes out while its response is read to the end is waited for
 * for a moment, and the connection kept. */
static void test_waits_for_the_request_before_reuse(void **state)
{
    struct origin *origin = serve_with(state, serve_early, NULL);
    ferry_transport *transport = transport_with(state, NULL);
    struct withheld body = {.left = 1000};
    ferry_request *post = request("POST", origin_url(origin, "/"));
    struct call call = {.transport = transport, .req = post};
    ferry_request_set_body_reader(post, read_withheld, NULL, &body, 1000);
    ferry_request_set_body_done(post, note_done, &body);

    start_call(&call);
    assert_eventually(stats_of(transport).responses == 1);
    body.let_go = true;
    assert_eventually(call.done);
    assert_got(call.outcome, 200, "1");
    assert_true(body.done);
    assert_int_equal(stats_of(transport).put_results[FERRY_PUT_OK], 1);
    assert_int_equal(idle_of(transport, origin), 1);
    ferry_request_free(post);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRANSPORT_TEST(test_TR_002_keep_alives),
        TRANSPORT_TEST(test_TR_003_close_on_response),
        TRANSPORT_TEST(test_TR_004_close_on_request),
        TRANSPORT_TEST(test_TR_007_idle_keys),
        TRANSPORT_TEST(test_CS_061_close_idle_connections),
        TRANSPORT_TEST(test_TR_016_head_chunked),
        TRANSPORT_TEST(test_TR_089_empty_body),
        TRANSPORT_TEST(test_TR_031_idle_after_close_idle),
        TRANSPORT_TEST(test_most_recent_first),
        TRANSPORT_TEST(test_hosts_do_not_share),
        TRANSPORT_TEST(test_TR_062_no_reuse_after_early_response),
        TRANSPORT_TEST(test_waits_for_the_request_before_reuse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
