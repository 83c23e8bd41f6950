/*
 * What a caller may choose of the protocol: HTTP/1.0 for a request, a response's body as it is on
 * the wire, and no faith in lengths.
 */
#include "wire_test.h"

#include <stdio.h>

/* ------------------------------------------------------------------------------------- HTTP/1.0 */

static ssize_t no_bytes(void *arg, void *buf, size_t len)
{
    (void)arg;
    (void)buf;
    (void)len;
    return 0;
}

static void test_http_1_0_head(void **state)
{
    struct origin *origin = serve_reply(state, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    ferry_transport *transport = transport_with(state, NULL);
    ferry_request *req = wire_request("POST", origin, "/a");
    char wanted[256];
    ferry_request_set_http_1_0(req, 1);
    assert_int_equal(ferry_request_set_header(req, "User-Agent", NULL), 0);
    assert_int_equal(ferry_request_set_header(req, "Accept-Encoding", NULL), 0);
    assert_int_equal(ferry_request_set_header(req, "Expect", "100-continue"), 0);
    assert_int_equal(ferry_request_set_body(req, "body", 4), 0);
    assert_int_equal(send_and_read(transport, req).status, 200);
    snprintf(wanted, sizeof wanted,
             "POST /a HTTP/1.0\r\nHost: %s\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n",
             origin_host(origin));
    assert_string_equal(origin_request(origin, 0).head, wanted);
    ferry_request_free(req);
}

/* A connection that the server has not promised to keep is not used again. */
static void test_http_1_0_connections(void **state)
{
    static const struct {
        const char *reply;
        unsigned connections; /* of two requests */
    } cases[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 2},
        {"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", 2},
        {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", 1},
        {"HTTP/1.1 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\nok", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct origin *origin = serve_reply(state, cases[i].reply);
        ferry_transport *transport = transport_with(state, NULL);
        ferry_request *req = wire_request("GET", origin, "/");
        ferry_request_set_http_1_0(req, 1);
        assert_got(send_and_read(transport, req), 200, "ok");
        assert_got(send_and_read(transport, req), 200, "ok");
        assert_int_equal(origin_counts(origin).accepted, cases[i].connections);
        ferry_request_free(req);
    }
}

static void test_http_1_0_has_no_chunks(void **state)
{
    struct origin *origin = serve_reply(state, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    ferry_transport *transport = transport_with(state, NULL);
    ferry_request *req = wire_request("POST", origin, "/");
    ferry_request_set_http_1_0(req, 1);
    assert_int_equal(ferry_request_set_body_reader(req, no_bytes, NULL, NULL, -1), 0);
    assert_failed(send_and_read(transport, req), FERRY_EINVAL, "HTTP/1.0 has no chunks");
    ferry_request_set_http_1_0(req, 0);
    assert_got(send_and_read(transport, req), 200, "ok");
    assert_int_equal(origin_counts(origin).accepted, 1);
    ferry_request_free(req);
}

/* ----------------------------------------------------------------------------------- raw bodies */

#define CHUNKS "5;name=value\r\nhello\r\n00A\r\n, \r\nworld!\r\n0\r\nX-Trailer: end\r\n\r\n"
#define CHUNKED_HEAD \
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n\r\n"

/* Reads the body in pieces of a size. */
static void reads_raw(ferry_transport *transport, struct origin *origin, size_t size)
{
    char body[256] = "";
    size_t len = 0;
    ssize_t got;
    ferry_error err = {0};
    ferry_request *req = wire_request("GET", origin, "/");
    ferry_request_set_raw_body(req, 1);
    ferry_response *res = ferry_transport_round_trip(transport, req, &err);
    assert_non_null(res);
    assert_false(ferry_response_decoded(res));
    while ((got = ferry_response_read(res, body + len, size, &err)) > 0) {
        len += (size_t)got;
        assert_true(len + size < sizeof body);
    }
    assert_int_equal(got, 0);
    assert_string_equal(body, CHUNKS);
    assert_string_equal(ferry_response_trailer(res, "X-Trailer"), "end");
    assert_int_equal(idle_of(transport, origin), 1);
    ferry_response_close(res);
    ferry_request_free(req);
}

static void test_raw_body(void **state)
{
    struct origin *origin = serve_reply(state, CHUNKED_HEAD CHUNKS);
    ferry_transport *transport = transport_with(state, NULL);
    const size_t sizes[] = {1, 2, 3, 7, 100};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        reads_raw(transport, origin, sizes[i]);
    }
    assert_int_equal(origin_counts(origin).accepted, 1);
    assert_null(strstr(origin_request(origin, 0).head, "Accept-Encoding"));
}

static void send_chunks_slowly(struct origin_conn *conn, void *arg)
{
    (void)arg;
    while (origin_read_request(conn)) {
        (void)origin_send_slowly(conn, BYTES(CHUNKED_HEAD CHUNKS));
    }
}

static void test_raw_body_in_pieces(void **state)
{
    struct origin *origin = serve_with(state, send_chunks_slowly, NULL);
    ferry_transport *transport = transport_with(state, NULL);
    reads_raw(transport, origin, 100);
    reads_raw(transport, origin, 1);
}

static void send_chunks_when_told(struct origin_conn *conn, void *arg)
{
    struct gate *go_on = arg;
    if (origin_read_request(conn) &&
        origin_send_text(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                               "5\r\nhello\r\n") &&
        origin_wait(conn, &go_on[0]) && origin_send_text(conn, "0\r\nX-A: 1\r\n") &&
        origin_wait(conn, &go_on[1])) {
        (void)origin_send_text(conn, "\r\n");
    }
}

/* Lines that are there are given before more is waited for: the server does not go on otherwise. */
static void test_raw_body_waits_for_nothing(void **state)
{
    struct gate *go_on = keep_copy(state, (struct gate[2]){0}, 2 * sizeof *go_on);
    struct origin *origin = serve_with(state, send_chunks_when_told, go_on);
    ferry_request *req = wire_request("GET", origin, "/");
    char buf[16];
    ferry_error err = {0};
    ferry_request_set_raw_body(req, 1);
    ferry_response *res = ferry_transport_round_trip(transport_with(state, NULL), req, &err);
    assert_non_null(res);
    read_exactly(res, buf, 10);
    assert_memory_equal(buf, "5\r\nhello\r\n", 10);
    gate_open(&go_on[0]);
    read_exactly(res, buf, 11);
    assert_memory_equal(buf, "0\r\nX-A: 1\r\n", 11);
    gate_open(&go_on[1]);
    read_exactly(res, buf, 2);
    assert_memory_equal(buf, "\r\n", 2);
    assert_int_equal(ferry_response_read(res, buf, sizeof buf, &err), 0);
    ferry_response_close(res);
    ferry_request_free(req);
}

/* What was taken is given before what is wrong behind it is told; and a body closed early is read
 * on, lines and all. */
static void test_raw_body_that_is_broken(void **state)
{
    struct origin *origin =
        serve_reply(state, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\nx\r\n");
    ferry_transport *transport = transport_with(state, NULL);
    ferry_request *req = wire_request("GET", origin, "/");
    ferry_request_set_raw_body(req, 1);
    struct outcome outcome = send_and_read(transport, req);
    assert_int_equal(outcome.body_len, -1);
    assert_error(&outcome.err, FERRY_EPROTOCOL, "chunk");
    assert_memory_equal(outcome.body, "2\r\nok", 5);
    ferry_request_free(req);

    origin = serve_reply(state, CHUNKED_HEAD CHUNKS);
    req = wire_request("GET", origin, "/");
    ferry_request_set_raw_body(req, 1);
    ferry_error err = {0};
    ferry_response *res = ferry_transport_round_trip(transport, req, &err);
    ferry_response_close(res);
    assert_int_equal(idle_of(transport, origin), 1);
    ferry_request_free(req);
}

/* ------------------------------------------------------------------------- lengths that count not */

static void test_ignore_content_length(void **state)
{
    static const struct {
        const char *reply;
        const char *body;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nlonger", "longer"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\nshorter", "shorter"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nsome", "some"},
        {"HTTP/1.1 200 OK\r\nContent-Length: -2147483648\r\n\r\nnegative", "negative"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 7\r\nTransfer-Encoding: chunked\r\n\r\n"
         "2\r\nok\r\n0\r\n\r\n",
         "ok"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct origin_reply *reply =
            KEPT(state, struct origin_reply, .bytes = cases[i].reply, .then = ORIGIN_THEN_CLOSE);
        struct origin *origin = serve_replies(state, reply, 1);
        ferry_transport *transport =
            transport_with(state, FERRY_TRANSPORT_OPTIONS(.ignore_content_length = 1));
        ferry_error err = {0};
        struct outcome outcome = {0};
        ferry_request *req = wire_request("GET", origin, "/");
        ferry_response *res = ferry_transport_round_trip(transport, req, &err);
        assert_non_null(res);
        assert_int_equal(ferry_response_length(res), -1);
        outcome.status = 200;
        read_body(res, &outcome);
        ferry_response_close(res);
        assert_got(outcome, 200, cases[i].body);
        ferry_request_free(req);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRANSPORT_TEST(test_http_1_0_head),
        TRANSPORT_TEST(test_http_1_0_connections),
        TRANSPORT_TEST(test_http_1_0_has_no_chunks),
        TRANSPORT_TEST(test_raw_body),
        TRANSPORT_TEST(test_raw_body_in_pieces),
        TRANSPORT_TEST(test_raw_body_that_is_broken),
        TRANSPORT_TEST(test_raw_body_waits_for_nothing),
        TRANSPORT_TEST(test_ignore_content_length),
    };
    return cmocka_run_group_tests_name("choices on the wire", tests, NULL, NULL);
}
