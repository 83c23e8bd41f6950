/*
 * What stands behind a chunked body: the names that the head announces, the values once the body
 * has ended, and what is never taken for a trailer.
 */
#include "wire_test.h"

#include <stdio.h>
#include <stdlib.h>

/* "A=1 B=- C=3": all trailers, "-" for a value that is not there. */
static const char *listed(const ferry_response *res, char text[256])
{
    text[0] = '\0';
    for (size_t i = 0; i < ferry_response_trailer_count(res); i++) {
        const char *name;
        const char *value;
        ferry_response_trailer_at(res, i, &name, &value);
        size_t len = strlen(text);
        snprintf(text + len, 256 - len, "%s%s=%s", i > 0 ? " " : "", name,
                 value != NULL ? value : "-");
    }
    return text;
}

#define ANNOUNCED                                                        \
    "HTTP/1.1 200 OK\r\nTrailer: Server-Trailer-A, Server-Trailer-B\r\n" \
    "Trailer: Server-Trailer-C\r\nTransfer-Encoding: chunked\r\n\r\n"
#define TRAILERS "server-trailer-a: valuea\r\nServer-Trailer-C:  valuec \r\n"

/* Names before the body has ended, values after it. */
static void expect_trailers(struct origin *origin, ferry_transport *transport, struct gate *go_on)
{
    ferry_response *res = open_get(transport, origin_url(origin, "/"));
    char buf[64];
    char text[256];
    ferry_error err = {0};
    assert_int_equal(ferry_response_length(res), -1);
    assert_null(ferry_response_header(res, "Trailer"));
    assert_string_equal(listed(res, text),
                        "Server-Trailer-A=- Server-Trailer-B=- Server-Trailer-C=-");
    read_exactly(res, buf, 5);
    assert_memory_equal(buf, "hello", 5);
    assert_null(ferry_response_trailer(res, "Server-Trailer-A"));
    assert_int_equal(ferry_response_trailer_count(res), 3);
    gate_open(go_on);
    assert_int_equal(ferry_response_read(res, buf, sizeof buf, &err), 0);
    assert_string_equal(ferry_response_trailer(res, "Server-Trailer-A"), "valuea");
    assert_null(ferry_response_trailer(res, "Server-Trailer-B"));
    assert_string_equal(ferry_response_trailer(res, "Server-Trailer-C"), "valuec");
    assert_string_equal(listed(res, text),
                        "server-trailer-a=valuea Server-Trailer-C=valuec Server-Trailer-B=-");
    assert_null(ferry_response_header(res, "Server-Trailer-A"));
    ferry_response_close(res);
    assert_int_equal(stats_of(transport).idle, 1);
}

static void test_CS_031_names_before_the_body_values_after_it(void **state)
{
    struct origin *origin = serve_reply(state, ANNOUNCED "5\r\nhello\r\n0\r\n" TRAILERS "\r\n");
    struct gate unused = {0};
    expect_trailers(origin, transport_with(state, NULL), &unused);
}

static void serve_in_pieces(struct origin_conn *conn, void *arg)
{
    if (origin_read_request(conn) && origin_send_text(conn, ANNOUNCED "5\r\nhello\r\n") &&
        origin_wait(conn, arg) && origin_send_text(conn, "0\r\nserver-trailer-a: val")) {
        (void)origin_wait_read(conn, SOON_MS);
        (void)origin_send_text(conn, "uea\r\nServer-Trailer-C:  valuec \r\n\r\n");
        (void)origin_wait_eof(conn, -1);
    }
}

static void test_CS_033_the_body_before_the_values_are_known(void **state)
{
    struct gate *go_on = KEPT(state, struct gate);
    struct origin *origin = serve_with(state, serve_in_pieces, go_on);
    expect_trailers(origin, transport_with(state, NULL), go_on);
}

/* Framing, routing and the like do not come behind the body, announced or not; nor is a name
 * announced twice for being repeated. What is not announced comes all the same. */
static void test_what_is_no_trailer(void **state)
{
    struct origin *origin = serve_reply(
        state, "HTTP/1.1 200 OK\r\nTrailer: X-A,, x-a, Content-Length, two words, Host,X-B\r\n"
               "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nContent-Length: 3\r\n"
               "Transfer-Encoding: chunked\r\nX-Other: 1\r\nHost: x\r\nSet-Cookie: a=b\r\n"
               "X-Other: 2\r\n\r\n");
    ferry_response *res = open_get(transport_with(state, NULL), origin_url(origin, "/"));
    char buf[64];
    char text[256];
    ferry_error err = {0};
    const char *name = "unset";
    assert_string_equal(listed(res, text), "X-A=- X-B=-");
    read_exactly(res, buf, 2);
    assert_int_equal(ferry_response_read(res, buf, sizeof buf, &err), 0);
    assert_string_equal(listed(res, text), "X-Other=1 X-Other=2 X-A=- X-B=-");
    assert_null(ferry_response_trailer(res, "Content-Length"));
    assert_null(ferry_response_trailer(res, "Transfer-Encoding"));
    assert_null(ferry_response_trailer(res, "Host"));
    ferry_response_trailer_at(res, 4, &name, NULL);
    assert_null(name);
    ferry_response_trailer_at(res, 0, NULL, &name);
    assert_string_equal(name, "1");
    ferry_response_close(res);
}

/* A head has room for more names than could ever come: they are not noted, and so not compared with
 * each other either. */
static void test_no_more_names_than_may_come(void **state)
{
    char *head = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&head, &len);
    assert_non_null(out);
    fputs("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-A, Host", out);
    for (int i = 0; i < 20000; i++) {
        fprintf(out, ",X-%d", i);
    }
    fputs("\r\nTrailer: X-B\r\n\r\n0\r\nX-B: b\r\n\r\n", out);
    assert_int_equal(fclose(out), 0);
    struct origin *origin = serve_reply(state, head);
    ferry_response *res = open_get(transport_with(state, NULL), origin_url(origin, "/"));
    const char *name;
    char buf[16];
    ferry_error err = {0};
    assert_int_equal(ferry_response_trailer_count(res), 200);
    ferry_response_trailer_at(res, 0, &name, NULL);
    assert_string_equal(name, "X-A");
    ferry_response_trailer_at(res, 199, &name, NULL);
    assert_string_equal(name, "X-198");
    assert_int_equal(ferry_response_read(res, buf, sizeof buf, &err), 0);
    assert_string_equal(ferry_response_trailer(res, "X-B"), "b");
    assert_int_equal(ferry_response_trailer_count(res), 201);
    ferry_response_close(res);
    free(head);
}

/* Only chunks have something behind them. */
static void test_announced_and_impossible(void **state)
{
    struct origin *origin =
        serve_reply(state, "HTTP/1.1 200 OK\r\nTrailer: X-A\r\nContent-Length: 2\r\n\r\nhi");
    ferry_response *res = open_get(transport_with(state, NULL), origin_url(origin, "/"));
    char buf[64];
    read_exactly(res, buf, 2);
    assert_int_equal(ferry_response_trailer_count(res), 0);
    assert_string_equal(ferry_response_header(res, "Trailer"), "X-A"); /* as it came */
    ferry_response_close(res);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRANSPORT_TEST(test_CS_031_names_before_the_body_values_after_it),
        TRANSPORT_TEST(test_CS_033_the_body_before_the_values_are_known),
        TRANSPORT_TEST(test_what_is_no_trailer),
        TRANSPORT_TEST(test_no_more_names_than_may_come),
        TRANSPORT_TEST(test_announced_and_impossible),
    };
    return cmocka_run_group_tests_name("response: trailers", tests, NULL, NULL);
}
