/*
 * Traces: the events along a request's way, in their order and with what they say; and the interim
 * responses on it.
 */
#include "wire_test.h"

#include <stdio.h>

/* -------------------------------------------------------------------------- a log of all events */

struct log {
    struct trace_text told; /* a line an event, but for connects */
    char head[1024];        /* as it was written, of the last request */
    int connect_start;      /* one or more, depending on the machine's addresses */
    int connect_done;
    int connected;
    int bad; /* an argument was not what it must be */
};

static void get_conn(void *arg, const char *host_port)
{
    tell(arg, "get_conn %s\n", strncmp(host_port, "localhost:", 10) == 0 ? "localhost" : host_port);
}

static void got_conn(void *arg, int reused, int64_t idle_ms)
{
    tell(arg, "got_conn %s, %s\n", reused ? "reused" : "new", idle_ms < 0 ? "not idle" : "idle");
}

static void dns_start(void *arg, const char *host)
{
    tell(arg, "dns_start %s\n", host);
}

static void dns_done(void *arg, size_t addresses, const ferry_error *err)
{
    tell(arg, "dns_done%s%s\n", addresses == 0 ? " with nothing" : "",
         err != NULL ? " failed" : "");
}

static void connect_start(void *arg, const char *network, const char *address)
{
    struct log *log = arg;
    log->connect_start++;
    log->bad += strcmp(network, "tcp") != 0 || strchr(address, ':') == NULL;
}

static void connect_done(void *arg, const char *network, const char *address,
                         const ferry_error *err)
{
    struct log *log = arg;
    log->connect_done++;
    log->connected += err == NULL;
    log->bad += strcmp(network, "tcp") != 0 || strchr(address, ':') == NULL;
}

static void wrote_head(void *arg)
{
    tell(arg, "wrote_head\n");
}

static void wrote_head_text(void *arg, const char *head, size_t len)
{
    struct log *log = arg;
    snprintf(log->head, sizeof log->head, "%.*s", (int)len, head);
    tell(arg, "wrote_head_text\n");
}

static void wait_100_continue(void *arg)
{
    tell(arg, "wait_100_continue\n");
}

static void got_100_continue(void *arg)
{
    tell(arg, "got_100_continue\n");
}

static void got_1xx(void *arg, int status)
{
    tell(arg, "got_1xx %d\n", status);
}

static void got_interim(void *arg, const ferry_response *interim)
{
    tell(arg, "got_interim %d %s\n", ferry_response_status(interim),
         ferry_response_reason(interim));
}

static void wrote_request(void *arg, const ferry_error *err)
{
    tell(arg, "wrote_request%s\n", err != NULL ? " failed" : "");
}

static void got_first_byte(void *arg)
{
    tell(arg, "got_first_byte\n");
}

static void put_idle_conn(void *arg, int put_result)
{
    tell(arg, "put_idle_conn: %s\n", ferry_put_result_string(put_result));
}

static const ferry_trace everything = {
    .size = sizeof everything,
    .get_conn = get_conn,
    .got_conn = got_conn,
    .dns_start = dns_start,
    .dns_done = dns_done,
    .connect_start = connect_start,
    .connect_done = connect_done,
    .wrote_head = wrote_head,
    .wait_100_continue = wait_100_continue,
    .got_100_continue = got_100_continue,
    .got_1xx = got_1xx,
    .wrote_request = wrote_request,
    .got_first_byte = got_first_byte,
    .put_idle_conn = put_idle_conn,
    .got_interim = got_interim,
    .wrote_head_text = wrote_head_text,
};

/* ------------------------------------------------------------------------------ a whole request */

/* A POST is told to go on, and its body is read before the answer. */
static void serve_posts(struct origin_conn *conn, void *arg)
{
    char head[1024];
    (void)arg;
    while (origin_read_head(conn, head, sizeof head) > 0) {
        bool post = strncmp(head, "POST", 4) == 0;
        if ((post && !origin_send_text(conn, "HTTP/1.1 100 Go on\r\n\r\n")) ||
            origin_read_body(conn) < 0) {
            return;
        }
        (void)origin_send_text(conn, post ? "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
                                          : "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    }
}

static ferry_request *post(struct origin *origin)
{
    char url[64];
    snprintf(url, sizeof url, "http://localhost:%d/", origin_port(origin));
    ferry_request *req = request("POST", url);
    assert_int_equal(ferry_request_set_body(req, "some body", 9), 0);
    assert_int_equal(ferry_request_set_header(req, "Expect", "100-continue"), 0);
    assert_int_equal(ferry_request_add_header(req, "X-Foo", "bar"), 0);
    assert_int_equal(ferry_request_add_header(req, "X-Foo", "baz"), 0);
    return req;
}

static void test_TR_094_every_event(void **state)
{
    struct origin *origin = serve_with(state, serve_posts, NULL);
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.expect_continue_timeout_ms = 20000));
    struct log log = {0};
    ferry_request *req = post(origin);
    char url[64];
    ferry_request_set_trace(req, &everything, &log);
    assert_got(send_and_read(transport, req), 200, "hello");
    assert_string_equal(log.told.text, "get_conn localhost\n"
                                       "dns_start localhost\n"
                                       "dns_done\n"
                                       "got_conn new, not idle\n"
                                       "wrote_head_text\n"
                                       "wrote_head\n"
                                       "wait_100_continue\n"
                                       "got_first_byte\n"
                                       "got_100_continue\n"
                                       "got_1xx 100\n"
                                       "got_interim 100 Go on\n"
                                       "wrote_request\n"
                                       "put_idle_conn: the connection is in the pool\n");
    assert_string_equal(log.head, origin_request(origin, 0).head);
    static const char *const fields[] = {"Host: localhost:", "Content-Length: 9\r\n",
                                         "Expect: 100-continue\r\n", "X-Foo: bar\r\nX-Foo: baz\r\n",
                                         "Accept-Encoding: "};
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        assert_non_null(strstr(log.head, fields[i]));
    }
    assert_int_equal(log.connect_start, log.connect_done);
    assert_int_equal(log.connected, 1);
    assert_int_equal(log.bad, 0);
    ferry_request_free(req);

    snprintf(url, sizeof url, "http://localhost:%d/", origin_port(origin));
    req = request("GET", url);
    log = (struct log){0};
    ferry_request_set_trace(req, &everything, &log);
    assert_got(send_and_read(transport, req), 200, "");
    assert_string_equal(log.told.text, "get_conn localhost\n"
                                       "got_conn reused, idle\n"
                                       "wrote_head_text\n"
                                       "wrote_head\n"
                                       "wrote_request\n"
                                       "got_first_byte\n"
                                       "put_idle_conn: the connection is in the pool\n");
    assert_int_equal(log.connect_start, 0);
    ferry_request_free(req);
}

/* What is known beforehand goes out in one write, and the head is told apart from what follows. */
static void test_head_text_is_the_head(void **state)
{
    struct origin *origin = serve_reply(state, "HTTP/1.1 204 No Content\r\n\r\n");
    ferry_transport *transport = transport_with(state, NULL);
    struct log log = {0};
    for (int trailers = 0; trailers < 2; trailers++) {
        ferry_request *req = wire_request("POST", origin, "/");
        assert_int_equal(ferry_request_set_body(req, "some body", 9), 0);
        if (trailers) {
            assert_int_equal(ferry_request_set_trailer(req, "X-Sum", "1"), 0);
        }
        ferry_request_set_trace(req, FERRY_TRACE(.wrote_head_text = wrote_head_text), &log);
        assert_got(send_and_read(transport, req), 204, "");
        assert_string_equal(log.head, origin_request(origin, (size_t)trailers).head);
        assert_string_equal(origin_request(origin, (size_t)trailers).body, "some body");
        ferry_request_free(req);
    }
}

static void test_TR_096_no_functions(void **state)
{
    /* As it is; from a program of another version, which knows less, or more; and none. */
    struct {
        ferry_trace trace;
        void (*unknown)(void);
    } longer = {.trace.size = sizeof longer};
    const ferry_trace shortest = {.size = sizeof(size_t), .get_conn = get_conn};
    const ferry_trace *const traces[] = {FERRY_TRACE(0), &longer.trace, &shortest, NULL};
    struct origin *origin = serve_with(state, serve_posts, NULL);
    for (size_t i = 0; i < sizeof traces / sizeof traces[0]; i++) {
        ferry_transport *transport =
            transport_with(state, FERRY_TRANSPORT_OPTIONS(.expect_continue_timeout_ms = 20000));
        struct log log = {0};
        ferry_request *req = post(origin);
        ferry_request_set_trace(req, traces[i], &log);
        assert_got(send_and_read(transport, req), 200, "hello");
        assert_string_equal(log.told.text, "");
        ferry_request_free(req);
    }
}

/* -------------------------------------------------------------------------------- early hints */

/* What came with each, and that the next comes only when this one has been told. */
struct hints {
    struct trace_text told;
    struct gate heard[2];
    int count;
};

static void note_hints(void *arg, const ferry_response *interim)
{
    struct hints *hints = arg;
    tell(hints, "%d", ferry_response_status(interim));
    for (size_t i = 0; i < ferry_response_header_count(interim); i++) {
        const char *name;
        const char *value;
        ferry_response_header_at(interim, i, &name, &value);
        tell(hints, " %s: %s", name, value);
    }
    tell(hints, "\n");
    if (hints->count < 2) {
        gate_open(&hints->heard[hints->count++]);
    }
}

#define LINK_1 "Link: </style.css>; rel=preload; as=style\r\n"
#define LINK_2 "Link: </script.js>; rel=preload; as=script\r\n"
#define LINK_3 "Link: </foo.js>; rel=preload; as=script\r\n"

static void serve_hints(struct origin_conn *conn, void *arg)
{
    struct hints *hints = arg;
    if (origin_read_request(conn) &&
        origin_send_text(conn, "HTTP/1.1 103 Early Hints\r\n" LINK_1 LINK_2 "\r\n") &&
        origin_wait(conn, &hints->heard[0]) &&
        origin_send_text(conn, "HTTP/1.1 103 Early Hints\r\n" LINK_1 LINK_2 LINK_3 "\r\n") &&
        origin_wait(conn, &hints->heard[1])) {
        (void)origin_send_text(conn, "HTTP/1.1 200 OK\r\n" LINK_1 LINK_2 LINK_3
                                     "Content-Length: 123\r\n\r\nHello");
    }
}

static void test_CS_077_early_hints(void **state)
{
    struct hints *hints = KEPT(state, struct hints);
    struct origin *origin = serve_with(state, serve_hints, hints);
    ferry_transport *transport = transport_with(state, NULL);
    ferry_request *req = wire_request("GET", origin, "/");
    ferry_error err = {0};
    char buf[64];
    ferry_request_set_trace(req, FERRY_TRACE(.got_interim = note_hints), hints);
    ferry_response *res = ferry_transport_round_trip(transport, req, &err);
    assert_non_null(res);
    assert_string_equal(hints->told.text, "103 Link: </style.css>; rel=preload; as=style"
                                          " Link: </script.js>; rel=preload; as=script\n"
                                          "103 Link: </style.css>; rel=preload; as=style"
                                          " Link: </script.js>; rel=preload; as=script"
                                          " Link: </foo.js>; rel=preload; as=script\n");
    assert_int_equal(ferry_response_header_count(res), 4);
    assert_int_equal(ferry_response_length(res), 123);
    read_exactly(res, buf, 5);
    assert_memory_equal(buf, "Hello", 5);
    assert_int_equal(ferry_response_read(res, buf, sizeof buf, &err), -1);
    assert_error(&err, FERRY_ETRUNCATED, NULL);
    ferry_response_close(res);
    ferry_request_free(req);
}

/* A name beyond ASCII is told in the form in which it is looked up. */
static void test_TR_107_names_beyond_ascii(void **state)
{
    struct origin *origin = serve_with(state, serve_posts, NULL);
    ferry_transport *transport = transport_with(state, NULL);
    struct log log = {0};
    char url[64];
    char looked_for[128];
    ferry_error err = {0};
    snprintf(url, sizeof url, "http://\xd0\x93\xd0\x9e\xd0\xbb.localhost:%d/", origin_port(origin));
    ferry_request *req = ferry_request_new("GET", url, &err);
    if (req == NULL && err.code == FERRY_EUNSUPPORTED) {
        skip(); /* built without */
    }
    ferry_request_set_trace(req, &everything, &log);
    assert_got(send_and_read(transport, req), 200, "");
    snprintf(looked_for, sizeof looked_for,
             "get_conn xn--c1aqi.localhost:%d\ndns_start xn--c1aqi.localhost\ndns_done\n",
             origin_port(origin));
    if (strncmp(log.told.text, looked_for, strlen(looked_for)) != 0) {
        fail_msg("%s", log.told.text);
    }
    snprintf(looked_for, sizeof looked_for, "\r\nHost: xn--c1aqi.localhost:%d\r\n",
             origin_port(origin));
    assert_non_null(strstr(log.head, looked_for));
    ferry_request_free(req);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRANSPORT_TEST(test_TR_094_every_event),        TRANSPORT_TEST(test_head_text_is_the_head),
        TRANSPORT_TEST(test_TR_096_no_functions),       TRANSPORT_TEST(test_CS_077_early_hints),
        TRANSPORT_TEST(test_TR_107_names_beyond_ascii),
    };
    return cmocka_run_group_tests_name("traces", tests, NULL, NULL);
}
