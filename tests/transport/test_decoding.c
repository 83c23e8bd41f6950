/*
 * Decoding on the way: what is asked for, what the caller sees, and what becomes of the connection.
 */
#include "transport_test.h"

#include <stdio.h>
#include <stdlib.h>

#include "bytes.h"
#include "encode.h"

#define TEXT ENCODE_TEXT

/* What an origin sends: a body in a coding, framed one way or another. */
struct reply {
    const char *label; /* of Content-Encoding */
    struct bytes body;
    enum { SIZED, CHUNKED, UNTIL_CLOSE } framing;
    struct gate *last_chunk; /* the last chunk waits for it; NULL: no wait */
};

static void serve_encoded(struct origin_conn *conn, void *arg)
{
    /* A copy: the test may be over before this is. */
    const struct reply reply = *(const struct reply *)arg;
    size_t half = reply.body.len / 2;
    while (origin_read_request(conn)) {
        struct bytes out = {0};
        char head[256];
        snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nX-Kept: yes\r\n",
                 reply.label);
        bytes_append(&out, head, strlen(head));
        if (reply.framing == SIZED) {
            snprintf(head, sizeof head, "Content-Length: %zu\r\n\r\n", reply.body.len);
            bytes_append(&out, head, strlen(head));
            bytes_append(&out, reply.body.data, reply.body.len);
        } else if (reply.framing == UNTIL_CLOSE) {
            bytes_append(&out, "\r\n", 2);
            bytes_append(&out, reply.body.data, reply.body.len);
        } else {
            snprintf(head, sizeof head, "Transfer-Encoding: chunked\r\n\r\n%zx\r\n", half);
            bytes_append(&out, head, strlen(head));
            bytes_append(&out, reply.body.data, half);
            snprintf(head, sizeof head, "\r\n%zx\r\n", reply.body.len - half);
            bytes_append(&out, head, strlen(head));
            bytes_append(&out, reply.body.data + half, reply.body.len - half);
            bytes_append(&out, "\r\n", 2);
            if (reply.last_chunk != NULL) {
                origin_send(conn, out.data, out.len);
                bytes_free(&out);
                origin_wait(conn, reply.last_chunk);
            }
            bytes_append(&out, BYTES("0\r\nX-End: reached\r\n\r\n"));
        }
        origin_send(conn, out.data, out.len);
        bytes_free(&out);
        if (reply.framing == UNTIL_CLOSE) {
            return;
        }
    }
}

static bool asked(const struct origin *origin, size_t index, const char *field)
{
    const char *head = origin_request(origin, index).head;
    return head != NULL && strstr(head, field) != NULL;
}

/* TR-075, CS-019, CS-060: any case, any framing; the coding and the length are gone, the connection
 * is kept. */
static void test_TR_075_CS_019_CS_060_decoded(void **state)
{
    static const char *const labels[] = {"gzip", "GZIP", "x-gzip", "deflate", "br", "zstd"};
    for (size_t i = 0; i < 6; i++) {
        struct reply reply = {.label = labels[i], .framing = i % 2 == 0 ? SIZED : CHUNKED};
        reply.body = encode_text(i < 3 ? "gzip" : labels[i]);
        struct origin *origin = serve_with(state, serve_encoded, &reply);
        ferry_transport *transport = transport_with(state, NULL);
        ferry_response *res = open_get(transport, origin_url(origin, "/"));
        struct outcome outcome = {.status = ferry_response_status(res)};
        read_body(res, &outcome);
        assert_got(outcome, 200, TEXT);
        assert_true(ferry_response_decoded(res));
        assert_null(ferry_response_header(res, "Content-Encoding"));
        assert_null(ferry_response_header(res, "Content-Length"));
        assert_string_equal(ferry_response_header(res, "X-Kept"), "yes");
        assert_int_equal(ferry_response_length(res), -1);
        assert_true(i % 2 == 0 || ferry_response_trailer(res, "X-End") != NULL);
        ferry_response_close(res);
        assert_true(asked(origin, 0, "\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n"));
        assert_int_equal(stats_of(transport).idle, 1);
        transport_done(state, transport);
        bytes_free(&reply.body);
    }
}

static void test_until_close(void **state)
{
    struct reply reply = {.label = "gzip", .framing = UNTIL_CLOSE, .body = encode_text("gzip")};
    struct origin *origin = serve_with(state, serve_encoded, &reply);
    assert_got(get(transport_with(state, NULL), origin_url(origin, "/")), 200, TEXT);
    bytes_free(&reply.body);
}

/* TR-091: exactly the decoded length is read, and nothing closed: the raw end has been reached all
 * the same. Also when it comes later than the last byte of the coding: the read waits for it. */
static void test_TR_091_reuse_after_exact_reads(void **state)
{
    static struct gate last_chunk;
    struct reply reply = {.label = "gzip", .framing = CHUNKED, .body = encode_text("gzip")};
    struct origin *origin = serve_with(state, serve_encoded, &reply);
    ferry_transport *transport = transport_with(state, NULL);
    ferry_response *res[3];
    char buf[sizeof TEXT];
    for (int i = 0; i < 3; i++) {
        res[i] = open_get(transport, origin_url(origin, "/"));
        read_exactly(res[i], buf, strlen(TEXT));
        assert_memory_equal(buf, TEXT, strlen(TEXT));
        assert_int_equal(idle_of(transport, origin), 1);
    }
    assert_int_equal(origin_counts(origin).accepted, 1);
    for (int i = 0; i < 3; i++) {
        ferry_error err;
        assert_int_equal(ferry_response_read(res[i], buf, sizeof buf, &err), 0);
        ferry_response_close(res[i]);
    }
    struct reply late = reply;
    late.last_chunk = &last_chunk;
    origin = serve_with(state, serve_encoded, &late);
    struct call call = {.transport = transport, .url = origin_url(origin, "/")};
    start_call(&call);
    assert_eventually(origin_counts(origin).requests == 1);
    gate_open(&last_chunk);
    assert_eventually(atomic_load(&call.done));
    assert_got(call.outcome, 200, TEXT);
    assert_int_equal(idle_of(transport, origin), 1);
    bytes_free(&reply.body);
}

/* TR-026: the response comes, and its reading fails: no clean end. */
static void test_TR_026_cut_short(void **state)
{
    struct origin *origin = serve_reply(
        state, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x8b");
    ferry_transport *transport = transport_with(state, NULL);
    ferry_response *res = open_get(transport, origin_url(origin, "/"));
    assert_int_equal(ferry_response_status(res), 200);
    struct outcome outcome = {0};
    read_body(res, &outcome);
    assert_int_equal(outcome.body_len, -1);
    assert_failed(outcome, FERRY_ETRUNCATED, "unexpected end of the gzip data");
    ferry_error err; /* and again */
    char byte;
    assert_int_equal(ferry_response_read(res, &byte, 1, &err), -1);
    assert_error(&err, FERRY_ETRUNCATED, "unexpected end");
    ferry_response_close(res);
}

/* The good bytes come first, then the error. */
static void test_trailing_garbage(void **state)
{
    for (int framing = SIZED; framing <= CHUNKED; framing++) {
        struct reply reply = {.label = "gzip", .framing = framing, .body = encode_text("gzip")};
        bytes_append(&reply.body, "garbage", 7);
        struct origin *origin = serve_with(state, serve_encoded, &reply);
        ferry_transport *transport = transport_with(state, NULL);
        ferry_response *res = open_get(transport, origin_url(origin, "/"));
        char buf[100];
        ferry_error err;
        assert_int_equal(ferry_response_read(res, buf, sizeof buf, &err), strlen(TEXT));
        assert_int_equal(ferry_response_read(res, buf, sizeof buf, &err), -1);
        assert_error(&err, FERRY_EPROTOCOL, "malformed gzip data: incorrect header check");
        ferry_response_close(res);
        transport_done(state, transport);
        bytes_free(&reply.body);
    }
}

/* Who speaks of codings, or of ranges, gets the bytes as they are; likewise what ferry cannot
 * decode. */
static void test_left_alone(void **state)
{
    static const struct {
        const char *method, *name, *value;
        bool disable;
    } cases[] = {
        {"GET", "Accept-Encoding", "gzip", false},
        {"GET", "Accept-Encoding", NULL, false},
        {"GET", "Range", "bytes=0-99", false},
        {"GET", NULL, NULL, true},
        {"HEAD", NULL, NULL, false},
    };
    for (size_t i = 0; i < 5; i++) {
        struct reply reply = {.label = "gzip", .body = encode_text("gzip")};
        if (strcmp(cases[i].method, "HEAD") == 0) {
            reply.body.len = 0;
        }
        struct origin *origin = serve_with(state, serve_encoded, &reply);
        ferry_transport *transport =
            transport_with(state, FERRY_TRANSPORT_OPTIONS(.disable_compression = cases[i].disable));
        ferry_request *req = request(cases[i].method, origin_url(origin, "/"));
        if (cases[i].name != NULL) {
            ferry_request_set_header(req, cases[i].name, cases[i].value);
        }
        ferry_error err;
        ferry_response *res = ferry_transport_round_trip(transport, req, &err);
        assert_non_null(res);
        assert_false(ferry_response_decoded(res));
        assert_string_equal(ferry_response_header(res, "Content-Encoding"), "gzip");
        char body[200];
        size_t len = 0;
        ssize_t got;
        while ((got = ferry_response_read(res, body + len, sizeof body - len, &err)) > 0) {
            len += (size_t)got;
        }
        assert_int_equal(got, 0);
        assert_int_equal(len, reply.body.len);
        assert_memory_equal(body, reply.body.data, len);
        ferry_response_close(res);
        ferry_request_free(req);
        assert_int_equal(asked(origin, 0, "\r\nAccept-Encoding: gzip\r\n"), i == 0);
        assert_true(i == 0 || !asked(origin, 0, "Accept-Encoding"));
        transport_done(state, transport);
        bytes_free(&reply.body);
    }
}

static void test_unknown_codings_and_empty_bodies(void **state)
{
    static const struct origin_reply replies[] = {
        {.bytes = "HTTP/1.1 200 OK\r\nContent-Encoding: compress\r\nContent-Length: 2\r\n\r\nok"},
        {.bytes = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 0\r\n\r\n"},
        {.bytes = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: "
                  "chunked\r\n\r\n0\r\n\r\n"},
        {.bytes = "HTTP/1.1 204 No Content\r\nContent-Encoding: gzip\r\n\r\n"},
    };
    struct origin *origin = serve_replies(state, replies, 4);
    ferry_transport *transport = transport_with(state, NULL);
    const char *url = origin_url(origin, "/");
    assert_got(get(transport, url), 200, "ok");
    assert_got(get(transport, url), 200, "");
    assert_got(get(transport, url), 200, "");
    assert_got(get(transport, url), 204, "");
    assert_int_equal(origin_counts(origin).accepted, 1);
}

/* Closing early is as with any body: drained, or not. */
static void test_closed_early(void **state)
{
    struct reply reply = {.label = "gzip", .body = encode_zeros("gzip", ENCODE_BOMB)};
    struct origin *origin = serve_with(state, serve_encoded, &reply);
    ferry_transport *transport = transport_with(state, NULL);
    char buf[100];
    ferry_response *res = open_get(transport, origin_url(origin, "/"));
    read_exactly(res, buf, sizeof buf);
    ferry_response_close(res);
    assert_eventually(idle_of(transport, origin) == 1);
    res = open_get(transport, origin_url(origin, "/"));
    ferry_response_close(res);
    assert_eventually(idle_of(transport, origin) == 1);
    assert_int_equal(origin_counts(origin).accepted, 1);
    bytes_free(&reply.body);
}

struct closing {
    ferry_response *res;
    ssize_t got;
    ferry_error err;
    bool done;
};

static void read_until_closed(void *arg)
{
    struct closing *closing = arg;
    char buf[100];
    closing->got = ferry_response_read(closing->res, buf, sizeof buf, &closing->err);
    closing->done = true;
}

static void serve_beginning(struct origin_conn *conn, void *arg)
{
    if (origin_read_request(conn)) {
        origin_send(conn, BYTES("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"
                                "Content-Length: 100\r\n\r\n\x1f\x8b"));
        origin_wait(conn, arg);
    }
}

/* One task reads, another closes: the reader is told, and nothing it uses goes from under it. */
static void test_closed_while_read(void **state)
{
    static struct gate end; /* its origin outlives the test */
    struct origin *origin = serve_with(state, serve_beginning, &end);
    ferry_transport *transport = transport_with(state, NULL);
    struct closing closing = {.res = open_get(transport, origin_url(origin, "/"))};
    assert_int_equal(ferry_go(read_until_closed, &closing), 0);
    ferry_yield();
    ferry_response_close(closing.res);
    assert_eventually(closing.done);
    assert_int_equal(closing.got, -1);
    assert_error(&closing.err, FERRY_ECLOSED, NULL);
    gate_open(&end);
}

static void test_bomb(void **state)
{
    struct reply reply = {.label = "gzip, br", .framing = CHUNKED};
    reply.body = encode_zeros("br", ENCODE_BOMB);
    reply.label = "br";
    struct origin *origin = serve_with(state, serve_encoded, &reply);
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.max_decoded_bytes = 100000));
    ferry_response *res = open_get(transport, origin_url(origin, "/"));
    ferry_error err = {0};
    size_t len;
    assert_null(ferry_response_read_all(res, ENCODE_BOMB + 1, &len, &err));
    assert_error(&err, FERRY_ETOOBIG, "the decoded body is longer than 100000 bytes");
    ferry_response_close(res);
    assert_eventually(idle_of(transport, origin) == 1); /* the wire was in order */
    bytes_free(&reply.body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRANSPORT_TEST(test_TR_075_CS_019_CS_060_decoded),
        TRANSPORT_TEST(test_until_close),
        TRANSPORT_TEST(test_TR_091_reuse_after_exact_reads),
        TRANSPORT_TEST(test_TR_026_cut_short),
        TRANSPORT_TEST(test_trailing_garbage),
        TRANSPORT_TEST(test_left_alone),
        TRANSPORT_TEST(test_unknown_codings_and_empty_bodies),
        TRANSPORT_TEST(test_closed_early),
        TRANSPORT_TEST(test_closed_while_read),
        TRANSPORT_TEST(test_bomb),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
