/*
 * Bad input of every kind, through a client: one sentence that says what was asked for, of whom,
 * and what went wrong, with the password masked; and nothing is left behind.
 */
#include "wire_test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dead_end.h"

static void assert_sentence(const ferry_error *err, int code, const char *sentence)
{
    assert_string_equal(err->message, sentence);
    assert_string_equal(ferry_strerror(err->code), ferry_strerror(code));
    assert_true(wire_is_sentence(err->message));
}

/* ---------------------------------------------------------------------- URLs that are no good */

/* TR-049 among them: nothing is dialed where there is no host. */
static void test_TR_049_absurd_urls(void **state)
{
    static const struct {
        const char *url;
        int code;
        const char *sentence;
    } cases[] = {
        {"", FERRY_EURL, "the URL is empty"},
        {"hello", FERRY_EURL, "\"hello\" has no scheme: did you mean \"http://hello\"?"},
        {"/path", FERRY_EURL, "\"/path\" has no scheme and no host"},
        {"//host/path", FERRY_EURL,
         "\"//host/path\" has no scheme: did you mean \"http://host/path\"?"},
        {"http://", FERRY_EURL, "parse \"http://\": no host"},
        {"http:///path", FERRY_EURL, "parse \"http:///path\": no host"},
        {"http://:80/", FERRY_EURL, "parse \"http://:80/\": no host"},
        {"http://host:0/", FERRY_EURL,
         "parse \"http://host:0/\": the port is not between 1 and 65535"},
        {"http://host:65536/", FERRY_EURL,
         "parse \"http://host:65536/\": the port is not between 1 and 65535"},
        {"http://host:-1/", FERRY_EURL, "parse \"http://host:-1/\": the port is not a number"},
        {"http://host:80x/", FERRY_EURL, "parse \"http://host:80x/\": the port is not a number"},
        {"http://[::1/", FERRY_EURL,
         "parse \"http://[::1/\": the IPv6 address has no closing bracket"},
        {"http://[hello]/", FERRY_EURL,
         "parse \"http://[hello]/\": the address in brackets is no IPv6 address"},
        {"http://a b/", FERRY_EURL, "parse \"http://a b/\": the host has a space in it"},
        {"http://host/\r\nHost: other", FERRY_EURL,
         "parse \"http://host/\\x0d\\x0aHost: other\": a control byte in it"},
        {"http://user:secret@:80/", FERRY_EURL, "parse \"http://user:xxxxx@:80/\": no host"},
        {"ftp://host/", FERRY_ESCHEME, "Get \"ftp://host/\": unsupported protocol scheme \"ftp\""},
        {"file:///etc/passwd", FERRY_EURL, "parse \"file:///etc/passwd\": no host"},
    };
    ferry_client *client = wire_client(transport_with(state, NULL));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct wire_answer answer = wire_get(client, cases[i].url);
        assert_int_equal(answer.status, 0);
        assert_sentence(&answer.err, cases[i].code, cases[i].sentence);
    }
    ferry_client_free(client);
}

static void test_url_of_absurd_length(void **state)
{
    ferry_client *client = wire_client(transport_with(state, NULL));
    size_t len = (size_t)1 << 20;
    char *url = malloc(len + 1);
    assert_non_null(url);
    memset(url, 'x', len);
    memcpy(url, "http://127.0.0.1/", 17);
    url[len] = '\0';
    struct wire_answer answer = wire_get(client, url);
    assert_int_equal(answer.err.code, FERRY_EURL);
    assert_true(strlen(answer.err.message) > 20);
    assert_null(strchr(answer.err.message, '\n'));
    free(url);
    ferry_client_free(client);
}

static void test_missing_url(void **state)
{
    ferry_error err = {0};
    (void)state;
    assert_null(ferry_request_new("GET", NULL, &err));
    assert_error(&err, FERRY_EURL, "URL");
}

/* ------------------------------------------------------------------------ nobody there */

/* A request that could not be made goes through setters and sends, which say so. */
static void test_missing_request(void **state)
{
    ferry_error err;
    (void)state;
    ferry_request *req = ferry_request_new("GET", "no scheme", &err);
    assert_null(req);
    assert_int_equal(ferry_request_set_header(req, "Accept", "text/plain"), -1);
    ferry_request_set_timeout(req, 1000);
    static const char *const sentence =
        "there is no request to send: ferry_request_new() has failed, and the error that it was "
        "given says why";
    assert_null(ferry_client_do(NULL, req, &err));
    assert_sentence(&err, FERRY_EINVAL, sentence);
    assert_null(ferry_transport_round_trip(NULL, req, &err));
    assert_sentence(&err, FERRY_EINVAL, sentence);
    assert_null(ferry_event_stream_open(NULL, req, 0, &err));
    assert_sentence(&err, FERRY_EINVAL, sentence);
    ferry_request_free(req);
}

static void test_names_that_do_not_resolve(void **state)
{
    /* Reserved for this: RFC 6761 and RFC 7686. No name server is asked, or it says no. */
    static const char *const urls[] = {"http://nobody.invalid/", "http://nobody.onion:8080/x"};
    ferry_client *client =
        wire_client(transport_with(state, FERRY_TRANSPORT_OPTIONS(.dial_timeout_ms = 20000)));
    for (size_t i = 0; i < 2; i++) {
        char begin[64];
        struct wire_answer answer = wire_get(client, urls[i]);
        snprintf(begin, sizeof begin, "Get \"%s\": ", urls[i]);
        assert_memory_equal(answer.err.message, begin, strlen(begin));
        assert_error(&answer.err, FERRY_ERESOLVE, i == 0 ? "nobody.invalid" : "nobody.onion");
        assert_true(wire_is_sentence(answer.err.message));
    }
    ferry_client_free(client);
}

static void test_refused(void **state)
{
    struct dead_end end;
    char sentence[256];
    assert_true(dead_end_refuse(&end));
    ferry_client *client = wire_client(transport_with(state, NULL));
    struct wire_answer answer = wire_get(client, end.url);
    snprintf(sentence, sizeof sentence, "Get \"%s\": dial tcp 127.0.0.1:%d: connection refused",
             end.url, end.port);
    assert_sentence(&answer.err, FERRY_ECONNECT, sentence);
    assert_int_equal(answer.err.os_errno, ECONNREFUSED);
    dead_end_close(&end);
    ferry_client_free(client);
}

static void test_no_socket_there(void **state)
{
    ferry_client *client = wire_client(
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.unix_socket = "/nonexistent/socket")));
    struct wire_answer answer = wire_get(client, "http://localhost/");
    assert_sentence(&answer.err, FERRY_ECONNECT,
                    "Get \"http://localhost/\": dial unix /nonexistent/socket: no such file or "
                    "directory");
    assert_int_equal(answer.err.os_errno, ENOENT);
    ferry_client_free(client);
}

/* --------------------------------------------------------------------- answers that are no good */

static void test_what_servers_do_wrong(void **state)
{
    static const struct origin_reply replies[] = {
        {.bytes = "HTTP/1.1 200 OK\r\nContent-Le", .then = ORIGIN_THEN_CLOSE},
        {.bytes = "HTTP/1.1 200 OK\r\nContent-Le", .then = ORIGIN_THEN_RESET},
        {.bytes = "+OK POP3 ready\r\n", .then = ORIGIN_THEN_HOLD},
        {.bytes = "HTTP/1.1 200 OK\r\nContent-Length: a lot\r\n\r\n", .then = ORIGIN_THEN_HOLD},
        {.bytes = "HTTP/1.1 200 OK\r\nX: 0123456789012345678901234567890123456789\r\n\r\n",
         .then = ORIGIN_THEN_HOLD},
    };
    static const struct {
        int code;
        const char *cause;
    } causes[] = {
        {FERRY_ETRUNCATED, "the connection ended in the middle of the response's head"},
        {FERRY_EREAD, "read: connection reset by peer"},
        {FERRY_EPROTOCOL, "malformed response: no HTTP/1 status line (byte 0 of the head)"},
        {FERRY_EPROTOCOL, "malformed response: a malformed Content-Length \"a lot\""},
        {FERRY_ETOOBIG, "the response head is longer than 60 bytes"},
    };
    struct origin *origin = serve_replies(state, replies, 5);
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.max_header_bytes = 60));
    ferry_client *client = wire_client(transport);
    for (size_t i = 0; i < 5; i++) {
        char sentence[256];
        ferry_request *req = wire_request("DELETE", origin, "/thing?a=b");
        struct wire_answer answer = wire_send(client, req);
        snprintf(sentence, sizeof sentence, "Delete \"%s\": %s", ferry_request_url(req),
                 causes[i].cause);
        assert_sentence(&answer.err, causes[i].code, sentence);
        ferry_request_free(req);
        assert_int_equal(stats_of(transport).connections, 0);
    }
    ferry_client_free(client);
}

static void serve_silence(struct origin_conn *conn, void *arg)
{
    (void)arg;
    (void)origin_read_request(conn);
}

static void test_no_answer(void **state)
{
    struct origin *origin = serve_with(state, serve_silence, NULL);
    ferry_client *client = wire_client(transport_with(state, NULL));
    char sentence[256];
    const char *url = origin_url(origin, "/");
    struct wire_answer answer = wire_get(client, url);
    snprintf(sentence, sizeof sentence,
             "Get \"%s\": the server closed the connection without answering", url);
    assert_sentence(&answer.err, FERRY_ESERVERCLOSED, sentence);
    ferry_client_free(client);
}

/* ------------------------------------------------------------------------------- passwords */

static ferry_response *fail_always(void *self, ferry_request *req, ferry_error *err)
{
    (void)self;
    (void)req;
    err->code = FERRY_ECONNECT;
    snprintf(err->message, sizeof err->message, "dummy cause");
    return NULL;
}

static void test_CL_032_password_is_masked_and_nothing_else(void **state)
{
    static const struct {
        const char *url;
        const char *shown;
    } cases[] = {
        {"http://user@dummy.faketld/", "http://user@dummy.faketld/"},
        {"http://user:password@dummy.faketld/", "http://user:xxxxx@dummy.faketld/"},
        {"http://user:password@dummy.faketld/password", "http://user:xxxxx@dummy.faketld/password"},
        {"http://user:password@password.faketld/", "http://user:xxxxx@password.faketld/"},
        {"http://user:pass%3Aword@dummy.faketld/", "http://user:xxxxx@dummy.faketld/"},
        {"http://password:password@dummy.faketld/?password#x",
         "http://password:xxxxx@dummy.faketld/?password"},
        {"http://:@dummy.faketld/", NULL},
        {"http://dummy.faketld/a@b:c", "http://dummy.faketld/a@b:c"},
    };
    (void)state;
    const ferry_round_tripper failing = {.round_trip = fail_always};
    ferry_client *client = ferry_client_new(FERRY_CLIENT_OPTIONS(.round_tripper = &failing));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char sentence[256];
        struct wire_answer answer = wire_get(client, cases[i].url);
        if (cases[i].shown != NULL) {
            snprintf(sentence, sizeof sentence, "Get \"%s\": dummy cause", cases[i].shown);
            assert_sentence(&answer.err, FERRY_ECONNECT, sentence);
        }
        assert_null(strstr(answer.err.message, "word@"));
    }
    ferry_client_free(client);
}

/* A caller that does not care for the reason need not take it. */
static void test_error_may_be_null(void **state)
{
    struct dead_end end;
    assert_true(dead_end_refuse(&end));
    ferry_client *client = wire_client(transport_with(state, NULL));
    ferry_request *req = request("GET", end.url);
    assert_null(ferry_client_do(client, req, NULL));
    ferry_request_free(req);
    assert_null(ferry_request_new("GET", "nonsense", NULL));
    dead_end_close(&end);
    ferry_client_free(client);
}

/* Filled only on failure. */
static void test_error_is_left_alone_on_success(void **state)
{
    struct origin *origin = serve_reply(state, "HTTP/1.1 500 Oops\r\nContent-Length: 2\r\n\r\nno");
    ferry_client *client = wire_client(transport_with(state, NULL));
    ferry_error err = {.code = 4711, .os_errno = 42, .message = "as it was"};
    ferry_request *req = wire_request("GET", origin, "/");
    ferry_response *res = ferry_client_do(client, req, &err);
    assert_int_equal(ferry_response_status(res), 500); /* a response like any other */
    char *all = ferry_response_read_all(res, 100, NULL, &err);
    assert_string_equal(all, "no");
    free(all);
    ferry_response_close(res);
    ferry_request_free(req);
    ferry_client_free(client);
    assert_int_equal(err.code, 4711);
    assert_int_equal(err.os_errno, 42);
    assert_string_equal(err.message, "as it was");
}

/* Options whose size nobody has set say nothing that could be relied on, limits and certificates
 * among it: no request is sent by them. */
static void test_options_without_their_size(void **state)
{
    struct origin *origin = serve_reply(state, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    char sentence[256];
    ferry_client *client = ferry_client_new(&(ferry_client_options){.timeout_ms = 1000});
    struct wire_answer answer = wire_get(client, "http://127.0.0.1:1/");
    assert_sentence(&answer.err, FERRY_EINVAL,
                    "Get \"http://127.0.0.1:1/\": ferry_client_options without their size: use "
                    "FERRY_CLIENT_OPTIONS(), or set it");
    ferry_client_free(client);

    ferry_transport *transport = ferry_transport_new(&(ferry_transport_options){.max_per_host = 1});
    client = wire_client(transport);
    answer = wire_get(client, origin_url(origin, "/"));
    snprintf(sentence, sizeof sentence,
             "Get \"%s\": ferry_transport_options without their size: use "
             "FERRY_TRANSPORT_OPTIONS(), or set it",
             origin_url(origin, "/"));
    assert_sentence(&answer.err, FERRY_EINVAL, sentence);
    ferry_client_free(client);
    ferry_transport_free(transport);

    transport = ferry_transport_new(
        FERRY_TRANSPORT_OPTIONS(.tls = &(ferry_tls_options){.pinned_public_keys = "sha256//x"}));
    client = wire_client(transport);
    answer = wire_get(client, "https://127.0.0.1:1/");
    assert_sentence(&answer.err, FERRY_EINVAL,
                    "Get \"https://127.0.0.1:1/\": ferry_tls_options without their size: use "
                    "FERRY_TLS_OPTIONS(), or set it");
    answer = wire_get(client, origin_url(origin, "/")); /* which does without TLS */
    assert_int_equal(answer.status, 200);
    wire_answer_free(&answer);
    ferry_client_free(client);
    ferry_transport_free(transport);
}

/* What a failed call has not brought can be asked for its body: an error that says so. */
static void test_no_response_and_no_stream(void **state)
{
    (void)state;
    char buf[4];
    ferry_event event;
    ferry_error err = {0};
    const char *sentence =
        "there is no response to read or write: the call that was to bring it says why";
    assert_int_equal(ferry_response_read(NULL, buf, sizeof buf, &err), -1);
    assert_sentence(&err, FERRY_EINVAL, sentence);
    memset(&err, 0, sizeof err);
    assert_null(ferry_response_read_all(NULL, 100, NULL, &err));
    assert_sentence(&err, FERRY_EINVAL, sentence);
    assert_int_equal(ferry_response_save(NULL, 1, NULL), -1);
    assert_int_equal(ferry_response_write(NULL, "x", 1, NULL), -1);
    assert_int_equal(ferry_event_stream_next(NULL, &event, &err), -1);
    assert_sentence(&err, FERRY_EINVAL,
                    "there is no event stream: the call that was to open it says why");
    assert_null(ferry_event_stream_response(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRANSPORT_TEST(test_TR_049_absurd_urls),
        TRANSPORT_TEST(test_url_of_absurd_length),
        TRANSPORT_TEST(test_missing_url),
        TRANSPORT_TEST(test_missing_request),
        TRANSPORT_TEST(test_names_that_do_not_resolve),
        TRANSPORT_TEST(test_refused),
        TRANSPORT_TEST(test_no_socket_there),
        TRANSPORT_TEST(test_what_servers_do_wrong),
        TRANSPORT_TEST(test_no_answer),
        TRANSPORT_TEST(test_CL_032_password_is_masked_and_nothing_else),
        TRANSPORT_TEST(test_error_may_be_null),
        TRANSPORT_TEST(test_error_is_left_alone_on_success),
        TRANSPORT_TEST(test_options_without_their_size),
        TRANSPORT_TEST(test_no_response_and_no_stream),
    };
    return cmocka_run_group_tests_name("client: errors", tests, NULL, NULL);
}
