/*
 * Connections that stop speaking HTTP: 101 and CONNECT. The response's reads and writes are then
 * the two directions of a stream, from the first byte behind the head on.
 */
#include "wire_test.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

/* Answers each line with its upper-case form, until the client ends. */
static void echo_lines(struct origin_conn *conn)
{
    char byte;
    while (origin_read_some(conn, &byte, 1) == 1) {
        byte = (char)toupper((unsigned char)byte);
        if (!origin_send(conn, &byte, 1)) {
            return;
        }
    }
}

static void serve_upgrade(struct origin_conn *conn, void *arg)
{
    if (origin_read_request(conn) && origin_send_text(conn, arg)) {
        echo_lines(conn);
    }
}

static void expect_line(ferry_response *res, const char *line)
{
    char buf[64];
    read_exactly(res, buf, strlen(line));
    assert_memory_equal(buf, line, strlen(line));
}

static ferry_response *open_upgrade(ferry_transport *transport, struct origin *origin)
{
    ferry_error err = {0};
    ferry_request *req = wire_request("GET", origin, "/socket");
    assert_int_equal(ferry_request_set_header(req, "Connection", "upgrade"), 0);
    assert_int_equal(ferry_request_set_header(req, "Upgrade", "shout"), 0);
    ferry_response *res = ferry_transport_round_trip(transport, req, &err);
    assert_string_equal(err.message, "");
    ferry_request_free(req);
    assert_int_equal(ferry_response_status(res), 101);
    return res;
}

static void converse(ferry_response *res)
{
    ferry_error err = {0};
    assert_int_equal(ferry_response_write(res, "hello\n", 6, &err), 6);
    expect_line(res, "HELLO\n");
    assert_int_equal(ferry_response_write(res, "again\n", 6, &err), 6);
    expect_line(res, "AGAIN\n");
}

static void test_TR_116_body_is_writable_on_a_protocol_switch(void **state)
{
    struct origin *origin = serve_with(state, serve_upgrade,
                                       (char *)"HTTP/1.1 101 Switching Protocols\r\nConnection: "
                                               "upGRADE\r\nUpgrade: shout\r\n\r\nfirst\n");
    ferry_transport *transport = transport_with(state, NULL);
    ferry_response *res = open_upgrade(transport, origin);
    assert_string_equal(ferry_response_header(res, "Upgrade"), "shout");
    assert_int_equal(ferry_response_length(res), -1);
    expect_line(res, "first\n"); /* it came with the head */
    converse(res);
    assert_non_null(strstr(origin_request(origin, 0).head, "\r\nConnection: upgrade\r\n"));
    assert_non_null(strstr(origin_request(origin, 0).head, "\r\nUpgrade: shout\r\n"));
    ferry_response_close(res);
    assert_int_equal(stats_of(transport).connections, 0); /* never kept */
    assert_int_equal(stats_of(transport).puts, 0);
}

static void test_SV_155_keep_alives_off(void **state)
{
    struct origin *origin =
        serve_with(state, serve_upgrade,
                   (char *)"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
                           "Upgrade: shout\r\n\r\n");
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.disable_keep_alives = 1));
    ferry_response *res = open_upgrade(transport, origin);
    converse(res);
    ferry_response_close(res);
    const char *head = origin_request(origin, 0).head; /* nothing in it takes the wish back */
    assert_non_null(strstr(head, "\r\nConnection: upgrade\r\nUpgrade: shout\r\n"));
    assert_int_equal(stats_of(transport).connections, 0);

    /* Also when the server says that it closes, which it does once the other protocol has ended. */
    origin = serve_with(state, serve_upgrade,
                        (char *)"HTTP/1.1 101 Switching Protocols\r\n"
                                "Connection: upgrade, close\r\nUpgrade: shout\r\n\r\n");
    res = open_upgrade(transport, origin);
    converse(res);
    ferry_response_close(res);
    assert_int_equal(stats_of(transport).connections, 0);
}

/* One that stays with HTTP has its connection closed all the same, and the request may ask for it. */
static void test_keep_alives_off_and_no_upgrade(void **state)
{
    struct origin *origin = serve_reply(state, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.disable_keep_alives = 1));
    for (size_t i = 0; i < 4; i++) {
        ferry_request *req = wire_request("GET", origin, "/");
        ferry_request_set_header(req, "Connection", i == 2 ? "TE" : "Upgrade");
        ferry_request_set_header(req, i == 1 ? "TE" : "Upgrade", "x");
        ferry_request_set_close(req, i == 3);
        ferry_response *res = ferry_transport_round_trip(transport, req, NULL);
        assert_non_null(res);
        if (i == 0) {
            expect_line(res, "ok");
        } /* else closed early: there is nothing to drain for */
        ferry_response_close(res);
        assert_int_equal(stats_of(transport).connections, 0);
        assert_int_equal(strstr(origin_request(origin, i).head, ", close\r\n") != NULL, i > 0);
        ferry_request_free(req);
    }
    assert_int_equal(stats_of(transport).dials, 4);
    assert_int_equal(stats_of(transport).put_results[FERRY_PUT_KEEP_ALIVES_DISABLED], 1);
}

/* A server that knows nothing of the protocol, or does not want it, answers as ever. */
static void test_CS_074_upgrade_ignored(void **state)
{
    struct origin *origin =
        serve_reply(state, "HTTP/1.1 200 OK\r\nFoo: bar\r\nContent-Length: 2\r\n\r\nok");
    ferry_transport *transport = transport_with(state, NULL);
    ferry_request *req = wire_request("GET", origin, "/");
    ferry_error err = {0};
    assert_int_equal(ferry_request_set_header(req, "Connection", "Upgrade"), 0);
    assert_int_equal(ferry_request_set_header(req, "Upgrade", "WebSocket"), 0);
    for (size_t i = 0; i < 2; i++) {
        ferry_response *res = ferry_transport_round_trip(transport, req, &err);
        assert_int_equal(ferry_response_status(res), 200);
        assert_string_equal(ferry_response_header(res, "foo"), "bar");
        expect_line(res, "ok");
        ferry_response_close(res);
        const char *head = origin_request(origin, i).head;
        assert_non_null(strstr(head, " HTTP/1.1\r\n"));
        assert_non_null(strstr(head, "\r\nConnection: Upgrade\r\n"));
        assert_non_null(strstr(head, "\r\nUpgrade: WebSocket\r\n"));
    }
    assert_int_equal(origin_counts(origin).accepted, 1); /* it stays a connection like any other */
    ferry_request_free(req);
}

static void serve_stray(struct origin_conn *conn, void *arg)
{
    (void)arg;
    if (origin_read_request(conn)) {
        (void)origin_send_text(conn, "HTTP/1.1 101 Switching Protocols\r\n\r\n"
                                     "HTTP/1.1 204 No Content\r\n\r\n");
    }
}

static void test_TR_055_101_is_final(void **state)
{
    struct origin *origin = serve_with(state, serve_stray, NULL);
    ferry_transport *transport = transport_with(state, NULL);
    ferry_response *res = open_get(transport, origin_url(origin, "/"));
    char buf[64];
    ferry_error err = {0};
    assert_int_equal(ferry_response_status(res), 101);
    expect_line(res, "HTTP/1.1 204 No Content\r\n\r\n"); /* whatever follows is the protocol's */
    assert_int_equal(ferry_response_read(res, buf, sizeof buf, &err), 0);
    ferry_response_close(res);
}

static void test_other_responses_cannot_be_written_to(void **state)
{
    struct origin *origin = serve_reply(state, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    ferry_transport *transport = transport_with(state, NULL);
    ferry_response *res = open_get(transport, origin_url(origin, "/"));
    ferry_error err = {0};
    assert_int_equal(ferry_response_write(res, "x", 1, &err), -1);
    assert_error(&err, FERRY_EUNSUPPORTED, "it has status 200 and did not switch protocols");
    expect_line(res, "ok"); /* and no harm is done */
    ferry_response_close(res);
    assert_int_equal(stats_of(transport).puts, 1);
}

/* ------------------------------------------------------------------------------------- CONNECT */

static void serve_connect(struct origin_conn *conn, void *arg)
{
    (void)arg;
    char head[512];
    if (origin_read_head(conn, head, sizeof head) > 0 &&
        origin_send_text(conn, "HTTP/1.1 200 Connection established\r\n\r\n")) {
        echo_lines(conn);
    }
}

/* A body that is one half of a conversation: each line is there when the test has written it. */
struct half {
    const char *line; /* NULL: none yet */
    bool over;
    int reads;
};

static ssize_t read_half(void *arg, void *buf, size_t len)
{
    struct half *half = arg;
    while (half->line == NULL && !half->over) {
        ferry_sleep(1);
    }
    if (half->line == NULL) {
        return 0;
    }
    size_t size = strlen(half->line) < len ? strlen(half->line) : len;
    memcpy(buf, half->line, size);
    half->line = NULL;
    half->reads++;
    return (ssize_t)size;
}

static void test_TR_117_connect_in_both_directions(void **state)
{
    struct half half = {0};
    ferry_error err = {0};
    struct origin *origin = serve_with(state, serve_connect, NULL);
    ferry_transport *transport = transport_with(state, NULL);
    ferry_request *req = wire_request("CONNECT", origin, "/");
    assert_int_equal(ferry_request_set_target(req, "backend.example:443"), 0);
    assert_int_equal(ferry_request_set_body_reader(req, read_half, NULL, &half, -1), 0);
    ferry_response *res = ferry_transport_round_trip(transport, req, &err);
    assert_string_equal(err.message, "");
    assert_int_equal(ferry_response_status(res), 200);
    half.line = "hello\n";
    expect_line(res, "HELLO\n");
    half.line = "to the\n";
    expect_line(res, "TO THE\n");
    half.line = "world\n";
    expect_line(res, "WORLD\n");
    assert_int_equal(half.reads, 3);
    half.over = true;
    ferry_response_close(res);
    ferry_request_free(req);

    struct origin_request seen = origin_request(origin, 0);
    size_t len;
    char *received = origin_received(origin, 1, &len);
    assert_true(strncmp(seen.head, "CONNECT backend.example:443 HTTP/1.1\r\n", 38) == 0);
    assert_null(strcasestr(seen.head, "Transfer-Encoding"));
    assert_string_equal(received + seen.head_len, "hello\nto the\nworld\n"); /* raw */
    free(received);
}

/* CS-039: the request line and Host say what is asked for. */
static void test_CS_039_connect_targets(void **state)
{
    struct origin *origin =
        serve_reply(state, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
    ferry_client *client = wire_client(transport_with(state, NULL));
    ferry_request *req = wire_request("CONNECT", origin, "/");
    char wanted[128];
    wire_expect(client, req, 403, "");
    snprintf(wanted, sizeof wanted, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n", origin_host(origin),
             origin_host(origin));
    assert_memory_equal(origin_request(origin, 0).head, wanted, strlen(wanted));
    assert_int_equal(ferry_request_set_header(req, "Host", "other.example:80"), 0);
    wire_expect(client, req, 403, "");
    static const char overridden[] =
        "CONNECT other.example:80 HTTP/1.1\r\nHost: other.example:80\r\n";
    assert_memory_equal(origin_request(origin, 1).head, overridden, sizeof overridden - 1);
    ferry_request_free(req);
    ferry_client_free(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRANSPORT_TEST(test_TR_116_body_is_writable_on_a_protocol_switch),
        TRANSPORT_TEST(test_SV_155_keep_alives_off),
        TRANSPORT_TEST(test_keep_alives_off_and_no_upgrade),
        TRANSPORT_TEST(test_CS_074_upgrade_ignored),
        TRANSPORT_TEST(test_TR_055_101_is_final),
        TRANSPORT_TEST(test_other_responses_cannot_be_written_to),
        TRANSPORT_TEST(test_TR_117_connect_in_both_directions),
        TRANSPORT_TEST(test_CS_039_connect_targets),
    };
    return cmocka_run_group_tests_name("wire: upgraded connections", tests, NULL, NULL);
}
