/*
 * Requests as bytes on the wire: the whole head for whatever a caller sets, adds, removes and
 * overrides, and how many writes it takes.
 */
#include "wire_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

/* The heads here are without the Accept-Encoding that ferry adds: test_decoding.c has that. */
#define PLAIN FERRY_TRANSPORT_OPTIONS(.disable_compression = 1)

#define NO_CONTENT "HTTP/1.1 204 No Content\r\n\r\n"

/* Asserts a head, whose every "$" stands for the origin's host and port. */
static void expect_head(struct origin *origin, size_t index, const char *pattern)
{
    struct bytes wanted = {0};
    for (const char *at = pattern; *at != '\0'; at++) {
        if (*at == '$') {
            bytes_append(&wanted, origin_host(origin), strlen(origin_host(origin)));
        } else {
            bytes_append(&wanted, at, 1);
        }
    }
    assert_string_equal(origin_request(origin, index).head, wanted.data);
    bytes_free(&wanted);
}

#define AGENT "User-Agent: ferry/" FERRY_VERSION "\r\n"

struct shape {
    const char *method;
    const char *path;
    const char *set[4][2]; /* name and value; a value NULL removes */
    const char *body;      /* NULL: none */
    const char *head;
};

static const struct shape shapes[] = {
    {"GET",
     "/a%20b?q=1&r#fragment",
     {{NULL}},
     NULL,
     "GET /a%20b?q=1&r HTTP/1.1\r\nHost: $\r\n" AGENT "\r\n"},
    {NULL, "/", {{NULL}}, NULL, "GET / HTTP/1.1\r\nHost: $\r\n" AGENT "\r\n"},
    {"HEAD", "/", {{NULL}}, NULL, "HEAD / HTTP/1.1\r\nHost: $\r\n" AGENT "\r\n"},
    {"DELETE", "/x", {{NULL}}, NULL, "DELETE /x HTTP/1.1\r\nHost: $\r\n" AGENT "\r\n"},
    {"DELETE",
     "/x",
     {{NULL}},
     "why",
     "DELETE /x HTTP/1.1\r\nHost: $\r\n" AGENT "Content-Length: 3\r\n\r\n"},
    {"GET",
     "/x",
     {{NULL}},
     "odd",
     "GET /x HTTP/1.1\r\nHost: $\r\n" AGENT "Content-Length: 3\r\n\r\n"},
    /* CS-025: what usually has content says that there is none. */
    {"POST",
     "/",
     {{NULL}},
     NULL,
     "POST / HTTP/1.1\r\nHost: $\r\n" AGENT "Content-Length: 0\r\n\r\n"},
    {"PUT", "/", {{NULL}}, "", "PUT / HTTP/1.1\r\nHost: $\r\n" AGENT "Content-Length: 0\r\n\r\n"},
    {"PATCH",
     "/",
     {{NULL}},
     NULL,
     "PATCH / HTTP/1.1\r\nHost: $\r\n" AGENT "Content-Length: 0\r\n\r\n"},
    {"POST",
     "/",
     {{"Content-Type", "text/plain"}},
     "hello",
     "POST / HTTP/1.1\r\nHost: $\r\n" AGENT
     "Content-Length: 5\r\nContent-Type: text/plain\r\n\r\n"},
    /* SV-080 */
    {"get", "/", {{NULL}}, NULL, "get / HTTP/1.1\r\nHost: $\r\n" AGENT "\r\n"},
    {"X-Odd~Method!", "/", {{NULL}}, NULL, "X-Odd~Method! / HTTP/1.1\r\nHost: $\r\n" AGENT "\r\n"},
    /* Order and spelling are the caller's. */
    {"GET",
     "/",
     {{"b", "2"}, {"A", "1"}, {"c", ""}, {"B", "3"}},
     NULL,
     "GET / HTTP/1.1\r\nHost: $\r\n" AGENT "A: 1\r\nc: \r\nB: 3\r\n\r\n"},
    {"GET",
     "/",
     {{"A", "1"}, {"B", "2"}, {"a", NULL}},
     NULL,
     "GET / HTTP/1.1\r\nHost: $\r\n" AGENT "B: 2\r\n\r\n"},
    {"GET",
     "/",
     {{"A", "  \t blanks around \t "}},
     NULL,
     "GET / HTTP/1.1\r\nHost: $\r\n" AGENT "A: blanks around\r\n\r\n"},
    {"GET",
     "/",
     {{"User-Agent", "mine/1"}},
     NULL,
     "GET / HTTP/1.1\r\nHost: $\r\nUser-Agent: mine/1\r\n\r\n"},
    {"GET", "/", {{"User-Agent", NULL}}, NULL, "GET / HTTP/1.1\r\nHost: $\r\n\r\n"},
    {"GET", "/", {{"user-agent", ""}}, NULL, "GET / HTTP/1.1\r\nHost: $\r\n\r\n"},
    {"GET",
     "/",
     {{"User-Agent", NULL}, {"User-Agent", "mine/2"}},
     NULL,
     "GET / HTTP/1.1\r\nHost: $\r\nUser-Agent: mine/2\r\n\r\n"},
    {"GET",
     "/",
     {{"Host", "other.example:8080"}},
     NULL,
     "GET / HTTP/1.1\r\nHost: other.example:8080\r\n" AGENT "\r\n"},
    {"GET",
     "/",
     {{"host", "one.example"}, {"HOST", "two.example"}},
     NULL,
     "GET / HTTP/1.1\r\nHost: two.example\r\n" AGENT "\r\n"},
    {"GET",
     "/",
     {{"Host", "one.example"}, {"Host", NULL}},
     NULL,
     "GET / HTTP/1.1\r\nHost: $\r\n" AGENT "\r\n"},
    {"GET",
     "/",
     {{"Connection", "close"}},
     NULL,
     "GET / HTTP/1.1\r\nHost: $\r\n" AGENT "Connection: close\r\n\r\n"},
    {"GET",
     "/",
     {{"Connection", "keep-alive"}},
     NULL,
     "GET / HTTP/1.1\r\nHost: $\r\n" AGENT "\r\n"},
    {"GET",
     "/",
     {{"Connection", "Upgrade, CLOSE"}, {"Upgrade", "x"}},
     NULL,
     "GET / HTTP/1.1\r\nHost: $\r\n" AGENT "Connection: Upgrade, close\r\nUpgrade: x\r\n\r\n"},
};

enum { SHAPES = sizeof shapes / sizeof shapes[0] };

static ferry_request *shaped(struct origin *origin, const struct shape *shape)
{
    ferry_request *req = wire_request(shape->method, origin, shape->path);
    for (int i = 0; i < 4 && shape->set[i][0] != NULL; i++) {
        assert_int_equal(ferry_request_set_header(req, shape->set[i][0], shape->set[i][1]), 0);
    }
    if (shape->body != NULL) {
        assert_int_equal(ferry_request_set_body(req, shape->body, strlen(shape->body)), 0);
    }
    return req;
}

static void test_heads_byte_for_byte(void **state)
{
    struct origin *origin = serve_reply(state, NO_CONTENT);
    ferry_client *client = wire_client(transport_with(state, PLAIN));
    for (size_t i = 0; i < SHAPES; i++) {
        ferry_request *req = shaped(origin, &shapes[i]);
        wire_expect(client, req, 204, "");
        ferry_request_free(req);
        expect_head(origin, i, shapes[i].head);
        struct origin_request seen = origin_request(origin, i);
        assert_true(seen.complete);
        if (shapes[i].body != NULL) {
            assert_string_equal(seen.body_len > 0 ? seen.body : "", shapes[i].body);
        }
    }
    ferry_client_free(client);
}

static void test_HD_001_fields_keep_their_order(void **state)
{
    struct origin *origin = serve_reply(state, NO_CONTENT);
    ferry_client *client = wire_client(transport_with(state, PLAIN));
    ferry_request *req = wire_request("GET", origin, "/");
    assert_int_equal(ferry_request_add_header(req, "B", "1"), 0);
    assert_int_equal(ferry_request_add_header(req, "A", "2"), 0);
    assert_int_equal(ferry_request_add_header(req, "b", "3"), 0);
    assert_string_equal(ferry_request_header(req, "b"), "1");
    wire_expect(client, req, 204, "");
    expect_head(origin, 0, "GET / HTTP/1.1\r\nHost: $\r\n" AGENT "B: 1\r\nA: 2\r\nb: 3\r\n\r\n");
    assert_int_equal(ferry_request_set_header(req, "b", "4"), 0); /* all of that name */
    assert_int_equal(ferry_request_set_header(req, "Empty", ""), 0);
    wire_expect(client, req, 204, "");
    expect_head(origin, 1, "GET / HTTP/1.1\r\nHost: $\r\n" AGENT "A: 2\r\nb: 4\r\nEmpty: \r\n\r\n");
    assert_int_equal(ferry_request_set_header(req, "A", NULL), 0);
    assert_int_equal(ferry_request_set_header(req, "empty", NULL), 0);
    wire_expect(client, req, 204, "");
    expect_head(origin, 2, "GET / HTTP/1.1\r\nHost: $\r\n" AGENT "b: 4\r\n\r\n");
    ferry_request_free(req);
    ferry_client_free(client);
}

/* The send reports what a setter has refused, and sends nothing. */
static void test_HD_001_fields_that_are_refused(void **state)
{
    static const struct {
        const char *name;
        const char *value;
        const char *sentence;
    } cases[] = {
        {"X", "a\r\nInjected: 1", "the value of the field X has a control byte in it"},
        {"X", "a\nb", "the value of the field X has a control byte in it"},
        {"X", "a\rb", "the value of the field X has a control byte in it"},
        {"X", "\x01", "the value of the field X has a control byte in it"},
        {"X", "\x7f", "the value of the field X has a control byte in it"},
        {"X Y", "a", "the field name \"X Y\" is no token"},
        {"X:", "a", "the field name \"X:\" is no token"},
        {"", "a", "the field name \"\" is no token"},
        {"X\r\nY", "a", "is no token"},
        {"\xc3\xa9", "a", "is no token"},
        {"Content-Length", "5", "the field Content-Length follows from the body and cannot be set"},
        {"transfer-encoding", "chunked",
         "the field Transfer-Encoding follows from the body and cannot be set"},
        {"Trailer", "X", "the field Trailer follows from the body and cannot be set"},
        {"Host", "a b", "the field Host takes a host and a port, not \"a b\""},
        {"Host", "a/b", "the field Host takes a host and a port, not \"a/b\""},
        {"Host", "user@a", "the field Host takes a host and a port, not \"user@a\""},
        {"Connection", "a b", "the field Connection takes tokens, not \"a b\""},
    };
    struct origin *origin = serve_reply(state, NO_CONTENT);
    ferry_client *client = wire_client(transport_with(state, PLAIN));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ferry_error err = {0};
        ferry_request *req = wire_request("GET", origin, "/");
        assert_int_equal(ferry_request_set_header(req, cases[i].name, cases[i].value), -1);
        assert_int_equal(ferry_request_set_header(req, "Fine", "yes"), 0);
        assert_null(ferry_client_do(client, req, &err));
        assert_error(&err, FERRY_EINVAL, cases[i].sentence);
        assert_null(strchr(err.message, '\r'));
        ferry_request_free(req);
        req = wire_request("GET", origin, "/");
        assert_int_equal(ferry_request_add_header(req, cases[i].name, cases[i].value), -1);
        ferry_request_free(req);
    }
    assert_int_equal(origin_counts(origin).accepted, 0);
    ferry_client_free(client);
}

static void test_refused_methods_and_targets(void **state)
{
    static const char *const methods[] = {"G T", "GET\r\n", "GET /", "\xc3\x89", "a:b", "(x)"};
    struct origin *origin = serve_reply(state, NO_CONTENT);
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        ferry_error err = {0};
        assert_null(ferry_request_new(methods[i], origin_url(origin, "/"), &err));
        assert_error(&err, FERRY_EINVAL, "is no token");
    }
    ferry_request *req = wire_request("OPTIONS", origin, "/");
    assert_int_equal(ferry_request_set_target(req, "a b"), -1);
    assert_int_equal(ferry_request_set_target(req, "/\r\nX: y"), -1);
    assert_int_equal(ferry_request_set_target(req, ""), -1);
    ferry_request_free(req);
}

static void test_CS_043_targets(void **state)
{
    struct origin *origin =
        serve_reply(state, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    ferry_client *client = wire_client(transport_with(state, PLAIN));
    ferry_request *req = wire_request("FOO", origin, "/");
    assert_int_equal(ferry_request_set_target(req, "*"), 0);
    struct wire_answer answer = wire_send(client, req);
    assert_int_equal(answer.status, 200);
    assert_int_equal(answer.length, -1);
    wire_answer_free(&answer);
    expect_head(origin, 0, "FOO * HTTP/1.1\r\nHost: $\r\n" AGENT "\r\n");
    assert_int_equal(ferry_request_set_target(req, "/a b"), -1);
    ferry_request_free(req);
    req = wire_request("GET", origin, "/elsewhere");
    assert_int_equal(ferry_request_set_target(req, "/a//b/../%7e?"), 0);
    wire_expect(client, req, 200, "");
    expect_head(origin, 1, "GET /a//b/../%7e? HTTP/1.1\r\nHost: $\r\n" AGENT "\r\n");
    assert_int_equal(ferry_request_set_target(req, NULL), 0);
    wire_expect(client, req, 200, "");
    expect_head(origin, 2, "GET /elsewhere HTTP/1.1\r\nHost: $\r\n" AGENT "\r\n");
    ferry_request_free(req);
    ferry_client_free(client);
}

/* ------------------------------------------------------------------------------------ the close */

static int closes_in(const char *head)
{
    int count = 0;
    for (const char *at = head; (at = strcasestr(at, "\r\nConnection: close\r\n")) != NULL; at++) {
        count++;
    }
    return count;
}

static void test_TR_005_TR_006_one_connection_close(void **state)
{
    struct origin *origin = serve_reply(state, NO_CONTENT);
    for (int i = 0; i < 8; i++) {
        bool transport_closes = i & 1;
        bool request_closes = i & 2;
        bool field_closes = i & 4;
        ferry_transport *transport =
            transport_with(state, FERRY_TRANSPORT_OPTIONS(.disable_keep_alives = transport_closes,
                                                          .disable_compression = 1));
        ferry_request *req = wire_request("GET", origin, "/");
        if (field_closes) {
            assert_int_equal(ferry_request_set_header(req, "Connection", "close"), 0);
        }
        if (request_closes) {
            ferry_request_set_close(req, 1);
        }
        assert_got(send_and_read(transport, req), 204, "");
        ferry_request_free(req);
        bool any = transport_closes || request_closes || field_closes;
        assert_int_equal(closes_in(origin_request(origin, (size_t)i).head), any);
        assert_int_equal(stats_of(transport).connections, !any);
        assert_int_equal(
            stats_of(transport).put_results[transport_closes ? FERRY_PUT_KEEP_ALIVES_DISABLED
                                                             : FERRY_PUT_CLOSE_ASKED],
            any);
    }
}

/* --------------------------------------------------------------------------------- who asks, and whom */

static void test_credentials_of_the_url(void **state)
{
    struct origin *origin = serve_reply(state, NO_CONTENT);
    ferry_client *client = wire_client(transport_with(state, PLAIN));
    char url[128];
    snprintf(url, sizeof url, "http://Al%%20i:open%%3Asesame%%40@%s/", origin_host(origin));
    ferry_request *req = request("GET", url);
    assert_string_equal(ferry_request_url(req), origin_url(origin, "/"));
    wire_expect(client, req, 204, "");
    expect_head(origin, 0,
                "GET / HTTP/1.1\r\nHost: $\r\n" AGENT
                "Authorization: Basic QWwgaTpvcGVuOnNlc2FtZUA=\r\n\r\n");
    assert_int_equal(ferry_request_set_header(req, "Authorization", "Bearer x"), 0);
    wire_expect(client, req, 204, "");
    expect_head(origin, 1, "GET / HTTP/1.1\r\nHost: $\r\n" AGENT "Authorization: Bearer x\r\n\r\n");
    assert_int_equal(ferry_request_set_header(req, "Authorization", NULL), 0);
    wire_expect(client, req, 204, "");
    expect_head(origin, 2, "GET / HTTP/1.1\r\nHost: $\r\n" AGENT "\r\n");
    ferry_request_free(req);
    ferry_client_free(client);
}

static void test_user_agents(void **state)
{
    static const struct {
        const char *of_client; /* NULL: not set */
        const char *line;
    } cases[] = {
        {NULL, AGENT},
        {"tool/3 (of mine)", "User-Agent: tool/3 (of mine)\r\n"},
        {"", ""},
    };
    struct origin *origin = serve_reply(state, NO_CONTENT);
    ferry_transport *transport = transport_with(state, PLAIN);
    for (size_t i = 0; i < 3; i++) {
        char head[128];
        ferry_client *client = ferry_client_new(
            FERRY_CLIENT_OPTIONS(.transport = transport, .user_agent = cases[i].of_client));
        ferry_request *req = wire_request("GET", origin, "/");
        wire_expect(client, req, 204, "");
        snprintf(head, sizeof head, "GET / HTTP/1.1\r\nHost: $\r\n%s\r\n", cases[i].line);
        expect_head(origin, i, head);
        ferry_request_free(req);
        ferry_client_free(client);
    }
}

static void test_TR_107_names_beyond_ascii(void **state)
{
    struct origin *origin = serve_reply(state, NO_CONTENT);
    struct dial_hook hook = {.port = origin_port(origin)};
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.dial = dial_hook, .dial_arg = &hook,
                                                      .disable_compression = 1));
    struct outcome outcome =
        get(transport, "http://\xd0\x93\xd0\x9e\xd0\xbb\xd0\xb0\xd0\xbd\xd0\xb3.example:8080/");
    if (outcome.err.code == FERRY_EUNSUPPORTED) {
        skip(); /* built without */
    }
    assert_got(outcome, 204, "");
    assert_non_null(
        strstr(origin_request(origin, 0).head, "\r\nHost: xn--80afb4ald.example:8080\r\n"));
    assert_int_equal(idle_of(transport, origin), 0); /* pooled by the name, not the address */
    assert_int_equal(stats_of(transport).idle, 1);
}

/* -------------------------------------------------------------------------------- single writes */

/* The program is linked so that the library's calls of these arrive here. */
ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __real_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __wrap_send(int fd, const void *bytes, size_t len, int flags);
ssize_t __real_send(int fd, const void *bytes, size_t len, int flags);

static _Thread_local int writes; /* not the origin's, which has a thread of its own */

ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags)
{
    writes++;
    return __real_sendmsg(fd, message, flags);
}

ssize_t __wrap_send(int fd, const void *bytes, size_t len, int flags)
{
    writes++;
    return __real_send(fd, bytes, len, flags);
}

static void test_CL_019_one_write_for_a_small_request(void **state)
{
    static const char *const bodies[] = {NULL, "name=value&other=1"};
    struct origin *origin = serve_reply(state, NO_CONTENT);
    ferry_client *client = wire_client(transport_with(state, PLAIN));
    for (size_t i = 0; i < 4; i++) { /* on a connection that is new, and then one that is not */
        const char *body = bodies[i % 2];
        ferry_request *req = wire_request(body == NULL ? "GET" : "POST", origin, "/");
        assert_int_equal(ferry_request_set_header(req, "X-More", "a field or two"), 0);
        if (body != NULL) {
            assert_int_equal(ferry_request_set_body(req, body, strlen(body)), 0);
        }
        writes = 0;
        wire_expect(client, req, 204, "");
        assert_int_equal(writes, 1);
        assert_true(origin_request(origin, i).complete);
        ferry_request_free(req);
    }
    ferry_client_free(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRANSPORT_TEST(test_heads_byte_for_byte),
        TRANSPORT_TEST(test_HD_001_fields_keep_their_order),
        TRANSPORT_TEST(test_HD_001_fields_that_are_refused),
        TRANSPORT_TEST(test_refused_methods_and_targets),
        TRANSPORT_TEST(test_CS_043_targets),
        TRANSPORT_TEST(test_TR_005_TR_006_one_connection_close),
        TRANSPORT_TEST(test_credentials_of_the_url),
        TRANSPORT_TEST(test_user_agents),
        TRANSPORT_TEST(test_TR_107_names_beyond_ascii),
        TRANSPORT_TEST(test_CL_019_one_write_for_a_small_request),
    };
    return cmocka_run_group_tests_name("request: heads on the wire", tests, NULL, NULL);
}
