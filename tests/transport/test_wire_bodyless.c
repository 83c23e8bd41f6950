/*
 * Responses without content, and with as much as they say: what is announced, what can be read,
 * and that the connection serves the next request.
 */
#include "wire_test.h"

#include <stdio.h>
#include <stdlib.h>

/* One exchange: what is sent, and what the caller must see. */
struct view {
    const char *id;
    const char *method;
    const char *reply;
    int status;
    int64_t length;
    const char *content_length; /* the field; NULL: there is none */
    const char *body;
};

/* Behind all others: whatever they left unread would be its beginning. */
static const struct view last = {
    "the last one", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone", 200, 4, "4", "done"};

/* More than any test has; the origin's until it is stopped. */
struct many {
    struct origin_reply replies[16];
};

static void expect_field(const ferry_response *res, const char *name, const char *wanted)
{
    const char *value = ferry_response_header(res, name);
    assert_string_equal(value != NULL ? value : "none", wanted != NULL ? wanted : "none");
}

static void look(ferry_transport *transport, struct origin *origin, const struct view *view)
{
    char buf[256] = "";
    ferry_error err = {0};
    ferry_request *req = wire_request(view->method, origin, "/");
    ferry_response *res = ferry_transport_round_trip(transport, req, &err);
    if (res == NULL || ferry_response_status(res) != view->status ||
        ferry_response_length(res) != view->length) {
        fail_msg("%s: status %d, length %d; %s", view->id,
                 res != NULL ? ferry_response_status(res) : 0,
                 res != NULL ? (int)ferry_response_length(res) : 0, err.message);
    }
    expect_field(res, "content-length", view->content_length);
    expect_field(res, "transfer-encoding", strstr(view->reply, "chunked") ? "chunked" : NULL);
    expect_field(res, "content-type", strstr(view->reply, "text/plain") ? "text/plain" : NULL);
    if (strlen(view->body) > 0) {
        read_exactly(res, buf, strlen(view->body));
        assert_string_equal(buf, view->body);
    }
    assert_int_equal(ferry_response_read(res, buf, sizeof buf, &err), 0);
    assert_string_equal(err.message, "");
    ferry_response_close(res);
    ferry_request_free(req);
}

/* All on one connection: no response disturbs the next, and no reader waits for what will not
 * come. */
static void look_at_all(void **state, const struct view *views, size_t count)
{
    struct origin_reply *replies = KEPT(state, struct many)->replies;
    for (size_t i = 0; i < count; i++) {
        replies[i] = (struct origin_reply){.bytes = views[i].reply};
    }
    replies[count] = (struct origin_reply){.bytes = last.reply};
    struct origin *origin = serve_replies(state, replies, count + 1);
    ferry_transport *transport = transport_with(state, NULL);
    for (size_t i = 0; i < count; i++) {
        look(transport, origin, &views[i]);
    }
    look(transport, origin, &last);
    assert_int_equal(origin_counts(origin).accepted, 1);
    assert_int_equal(stats_of(transport).early_closes, 0);
}

static void test_TR_015_CL_027_CS_004_CS_006_CS_015_SV_028_heads(void **state)
{
    static const struct view views[] = {
        {"TR-015", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 123\r\n\r\n", 200, 123, "123", ""},
        {"TR-015, again", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 123\r\n\r\n", 200, 123, "123",
         ""},
        {"CL-027", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n", 200, 1234, "1234",
         ""},
        {"CL-027, zero", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, 0, "0", ""},
        {"CL-027, CS-004", "HEAD", "HTTP/1.1 200 OK\r\n\r\n", 200, -1, NULL, ""},
        {"CS-006", "HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 200, -1, NULL,
         ""},
        {"CS-015", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 1235\r\n\r\n", 200, 1235, "1235",
         ""},
        {"SV-028", "HEAD",
         "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 10\r\n\r\n", 200, 10, "10",
         ""},
    };
    look_at_all(state, views, sizeof views / sizeof views[0]);
}

static void test_CS_007_CS_008_CS_010_CS_012_lengths(void **state)
{
    static const struct view views[] = {
        {"CS-007", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, 0, "0", ""},
        {"CS-008", "GET", "HTTP/1.1 204 No Content\r\n\r\n", 204, 0, NULL, ""},
        {"CS-010", "GET", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", 404, 0, "0", ""},
        {"CS-012", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nfoo", 200, 3, "3", "foo"},
        {"not modified", "GET", "HTTP/1.1 304 Not Modified\r\nETag: \"1\"\r\n\r\n", 304, 0, NULL,
         ""},
        {"not modified, with a length", "GET",
         "HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\n\r\n", 304, 77, "77", ""},
    };
    look_at_all(state, views, sizeof views / sizeof views[0]);
}

static void test_CS_002_CS_014_CH_005_chunks(void **state)
{
    static const struct view views[] = {
        {"CS-002", "GET",
         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nI am\r\n0\r\n\r\n", 200, -1,
         NULL, "I am"},
        {"CS-014", "GET",
         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nfoo\r\n3\r\nbar\r\n0\r\n\r\n",
         200, -1, NULL, "foobar"},
        {"CH-005", "GET",
         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7;ext=\"some quoted string\"\r\n"
         "hello, \r\n17;someext\r\nworld! 0123456789abcdef\r\n0;someextension=sometoken\r\n\r\n",
         200, -1, NULL, "hello, world! 0123456789abcdef"},
    };
    look_at_all(state, views, sizeof views / sizeof views[0]);
}

static void test_TR_034_no_content_needs_no_close(void **state)
{
    struct origin *origin = serve_reply(state, "HTTP/1.1 204 No Content\r\n\r\n");
    ferry_transport *transport = transport_with(state, NULL);
    ferry_response *unclosed[4];
    for (int i = 0; i < 4; i++) {
        ferry_response_close(open_get(transport, origin_url(origin, "/")));
    }
    for (int i = 0; i < 4; i++) {
        unclosed[i] = open_get(transport, origin_url(origin, "/"));
        assert_int_equal(ferry_response_status(unclosed[i]), 204);
    }
    assert_int_equal(origin_counts(origin).accepted, 1);
    for (int i = 0; i < 4; i++) {
        ferry_response_close(unclosed[i]);
    }
}

static void test_TR_112_no_body_behind_a_304(void **state)
{
    static const struct origin_reply reply = {
        .bytes = "HTTP/1.1 304 NOT MODIFIED\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        .then = ORIGIN_THEN_CLOSE};
    struct origin *origin = serve_replies(state, &reply, 1);
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.disable_keep_alives = 1));
    struct outcome outcome = get(transport, origin_url(origin, "/"));
    assert_got(outcome, 304, "");
    assert_int_equal(stats_of(transport).connections, 0);
}

static void serve_early_head(struct origin_conn *conn, void *arg)
{
    while (origin_read_request(conn) &&
           origin_send_text(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n") &&
           origin_wait(conn, arg)) {
        (void)origin_send_text(conn, "3\r\nfoo\r\n0\r\n\r\n");
    }
}

/* The response is there when its head is. */
static void test_CS_013_head_before_body(void **state)
{
    struct gate go_on = {0};
    ferry_error err = {0};
    struct origin *origin = serve_with(state, serve_early_head, &go_on);
    ferry_transport *transport = transport_with(state, NULL);
    ferry_response *res = open_get(transport, origin_url(origin, "/"));
    char buf[3];
    assert_int_equal(ferry_response_length(res), -1);
    gate_open(&go_on);
    read_exactly(res, buf, 3);
    assert_memory_equal(buf, "foo", 3);
    assert_int_equal(ferry_response_read(res, buf, sizeof buf, &err), 0);
    assert_string_equal(err.message, "");
    ferry_response_close(res);
    assert_got(get(transport, origin_url(origin, "/")), 200, "foo");
    assert_int_equal(origin_counts(origin).accepted, 1);
}

/* The second half is sent when the first has been read. */
static void serve_in_the_middle(struct origin_conn *conn, void *arg)
{
    if (origin_read_request(conn) &&
        origin_send_text(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                               "3\r\nfoo\r\n") &&
        origin_wait(conn, arg)) {
        (void)origin_send_text(conn, "3\r\nbar\r\n0\r\n\r\n");
        (void)origin_wait_eof(conn, -1);
    }
}

static void test_flushed_in_the_middle(void **state)
{
    struct gate *go_on = KEPT(state, struct gate);
    struct origin *origin = serve_with(state, serve_in_the_middle, go_on);
    ferry_transport *transport = transport_with(state, NULL);
    ferry_response *res = open_get(transport, origin_url(origin, "/"));
    ferry_error err = {0};
    char buf[6];
    assert_int_equal(ferry_response_length(res), -1);
    assert_int_equal(ferry_response_read(res, buf, sizeof buf, &err), 3);
    gate_open(go_on);
    read_exactly(res, buf + 3, 3);
    assert_memory_equal(buf, "foobar", 6);
    assert_int_equal(ferry_response_read(res, buf, sizeof buf, &err), 0);
    assert_string_equal(err.message, "");
    ferry_response_close(res);
    assert_int_equal(stats_of(transport).idle, 1);
}

/* A response has its fields in the order and spelling in which they came, however many. */
static void test_fields_as_they_came(void **state)
{
    struct bytes reply = {0};
    bytes_append(&reply, BYTES("HTTP/1.1 200 Very  OK\r\nContent-Length: 0\r\n"));
    for (int i = 0; i < 199; i++) {
        char line[64];
        int len = snprintf(line, sizeof line, "%s: %d\r\n", i % 2 == 0 ? "x-EVEN" : "X-odd", i);
        bytes_append(&reply, line, (size_t)len);
    }
    bytes_append(&reply, BYTES("\r\n"));
    struct origin *origin = serve_reply(state, reply.data);
    bytes_free(&reply);
    ferry_transport *transport = transport_with(state, NULL);
    ferry_response *res = open_get(transport, origin_url(origin, "/p?q"));
    assert_string_equal(ferry_response_reason(res), "Very  OK");
    assert_string_equal(ferry_response_proto(res), "HTTP/1.1");
    assert_string_equal(ferry_response_url(res), origin_url(origin, "/p?q"));
    assert_int_equal(ferry_response_header_count(res), 200);
    assert_string_equal(ferry_response_header(res, "X-Even"), "0");
    assert_string_equal(ferry_response_header(res, "X-ODD"), "1");
    assert_null(ferry_response_header(res, "X-Od"));
    assert_null(ferry_response_header(res, ""));
    const char *name;
    const char *value;
    for (size_t i = 1; i < 200; i++) {
        char wanted[16];
        snprintf(wanted, sizeof wanted, "%zu", i - 1);
        ferry_response_header_at(res, i, &name, &value);
        assert_string_equal(name, (i - 1) % 2 == 0 ? "x-EVEN" : "X-odd");
        assert_string_equal(value, wanted);
    }
    ferry_response_header_at(res, 200, &name, &value);
    assert_null(name);
    assert_null(value);
    ferry_response_header_at(res, 0, &name, NULL);
    assert_string_equal(name, "Content-Length");
    ferry_response_header_at(res, 0, NULL, &value);
    assert_string_equal(value, "0");
    ferry_response_close(res);
}

static void test_HTTP_1_0_says_so(void **state)
{
    static const struct origin_reply reply = {.bytes = "HTTP/1.0 200 \r\n\r\nold",
                                              .then = ORIGIN_THEN_CLOSE};
    struct origin *origin = serve_replies(state, &reply, 1);
    ferry_transport *transport = transport_with(state, NULL);
    ferry_response *res = open_get(transport, origin_url(origin, "/"));
    assert_string_equal(ferry_response_proto(res), "HTTP/1.0");
    assert_string_equal(ferry_response_reason(res), "");
    ferry_response_close(res);
}

/* Nothing follows, and nobody will wait in ferry again: the connection is gone with the response. */
static void test_last_response_leaves_nothing(void **state)
{
    struct origin *origin =
        serve_reply(state, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    ferry_transport *transport = transport_with(state, NULL);

    ferry_response *res = open_get(transport, origin_url(origin, "/"));
    assert_int_equal(stats_of(transport).connections, 0);
    assert_int_equal(ferry_num_tasks(), 1);
    ferry_response_close(res);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRANSPORT_TEST(test_TR_015_CL_027_CS_004_CS_006_CS_015_SV_028_heads),
        TRANSPORT_TEST(test_CS_007_CS_008_CS_010_CS_012_lengths),
        TRANSPORT_TEST(test_CS_002_CS_014_CH_005_chunks),
        TRANSPORT_TEST(test_TR_034_no_content_needs_no_close),
        TRANSPORT_TEST(test_TR_112_no_body_behind_a_304),
        TRANSPORT_TEST(test_CS_013_head_before_body),
        TRANSPORT_TEST(test_flushed_in_the_middle),
        TRANSPORT_TEST(test_fields_as_they_came),
        TRANSPORT_TEST(test_HTTP_1_0_says_so),
        TRANSPORT_TEST(test_last_response_leaves_nothing),
    };
    return cmocka_run_group_tests_name("wire: heads and what follows", tests, NULL, NULL);
}
