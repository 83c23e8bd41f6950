/*
 * The example programs: a request, what goes with it, and what comes back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dead_end.h"
#include "example.h"
#include "origin.h"

static void get(void **state)
{
    struct dead_end refusing;
    struct run_result result;

    (void)state;
    EXAMPLE(&result, "get", nginx_url(nginx, "/hello.txt"));
    succeeds(&result, "hello\n", "");
    assert_true(dead_end_refuse(&refusing));
    EXAMPLE(&result, "get", refusing.url);
    fails(&result, "connection refused");
    dead_end_close(&refusing);
}

static void stream(void **state)
{
    struct origin *origin = origin_start_reply(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n"
        "Repr-Digest: sha-256=:x:\r\n\r\n");
    struct run_result result;

    (void)state;
    EXAMPLE(&result, "stream", origin_url(origin, "/"));
    succeeds(&result, "abcde", "5 bytes, digest sha-256=:x:\n");
    assert_true(origin_stop(origin));

    origin = origin_start_replies(
        &(const struct origin_reply){.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
                                     .then = ORIGIN_THEN_CLOSE},
        1);
    EXAMPLE(&result, "stream", origin_url(origin, "/"));
    assert_string_equal(result.out, "abc");
    fails(&result, "after 3 bytes: ");
    assert_true(origin_stop(origin));

    EXAMPLE(&result, "stream", nginx_url(nginx, "/big.bin"));
    assert_int_equal(result.out_len, BIG_BYTES);
    assert_int_equal(pattern_match(result.out, result.out_len, 0), BIG_BYTES);
    succeeds(&result, NULL, NULL);
}

/* Answers a request with "Expect: 100-continue" as it hopes for. */
static void take_upload(struct origin_conn *conn, void *arg)
{
    char head[4096];

    (void)arg;
    while (origin_read_head(conn, head, sizeof head) > 0) {
        if (strstr(head, "Expect: 100-continue\r\n") != NULL) {
            origin_send(conn, BYTES("HTTP/1.1 100 Continue\r\n\r\n"));
        }
        if (origin_read_body(conn) < 0) {
            return;
        }
        origin_send(conn, BYTES("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"));
    }
}

static void upload(void **state)
{
    struct origin *origin = origin_start(&(struct origin_script){.serve = take_upload});
    const char *url = origin_url(origin, "/up");
    char path[TEMP_DIR_SIZE + 16];
    struct run_result result;

    (void)state;
    snprintf(path, sizeof path, "%s/file", temp_dir);
    assert_true(temp_file_write(path, BYTES("from a file")));
    EXAMPLE(&result, "upload", url, path);
    succeeds(&result, "201 Created\n", "");
    struct origin_request request = origin_request(origin, 0);
    assert_int_equal(strncmp(request.head, "PUT /up HTTP/1.1\r\n", 18), 0);
    assert_non_null(strstr(request.head, "\r\nContent-Length: 11\r\n"));
    assert_string_equal(request.body, "from a file");

    run_example(&result, "FERRY_LEAKS=fatal", "from a pipe",
                (const char *const[]){"upload", url, "-", NULL});
    succeeds(&result, "201 Created\n", "");
    request = origin_request(origin, 1);
    assert_int_equal(strncmp(request.head, "POST /up HTTP/1.1\r\n", 19), 0);
    assert_non_null(strstr(request.head, "\r\nTransfer-Encoding: chunked\r\n"));
    assert_string_equal(request.body, "from a pipe");

    EXAMPLE(&result, "upload", nginx_url(nginx, "/hello.txt"), path);
    assert_int_equal(result.status, 1);
    assert_string_equal(result.out, "405 Not Allowed\n");
    run_free(&result);
    assert_true(origin_stop(origin));
}

static void form(void **state)
{
    struct origin *origin =
        origin_start_reply("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\ntaken\n");
    char part[TEMP_DIR_SIZE + 32];
    struct run_result result;

    (void)state;
    snprintf(part, sizeof part, "%s/photo", temp_dir);
    assert_true(temp_file_write(part, BYTES("a picture")));
    snprintf(part, sizeof part, "photo=@%s/photo", temp_dir);
    EXAMPLE(&result, "form", origin_url(origin, "/"), "title=In the harbour", part);
    succeeds(&result, "taken\n", "");
    struct origin_request request = origin_request(origin, 0);
    assert_int_equal(strncmp(request.head, "POST / HTTP/1.1\r\n", 17), 0);
    assert_non_null(strstr(request.head, "\r\nContent-Length: "));
    assert_non_null(strstr(request.body, "name=\"title\"\r\n\r\nIn the harbour\r\n--"));
    assert_non_null(strstr(request.body, "name=\"photo\"; filename=\"photo\"\r\nContent-Type: "
                                         "application/octet-stream\r\n\r\na picture\r\n--"));

    run_example(&result, "FERRY_LEAKS=fatal", "from a pipe",
                (const char *const[]){"form", origin_url(origin, "/"), "log=-", NULL});
    succeeds(&result, "taken\n", "");
    request = origin_request(origin, 1);
    assert_non_null(strstr(request.head, "\r\nTransfer-Encoding: chunked\r\n"));
    assert_non_null(strstr(request.body, "\r\n\r\nfrom a pipe\r\n--"));

    EXAMPLE(&result, "form", origin_url(origin, "/"), "photo=@/nonexistent");
    fails(&result, "the form's file /nonexistent: no such file");
    assert_true(origin_stop(origin));
}

#define EVENTS "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"

static void events(void **state)
{
    static const struct origin_reply replies[] = {
        {.bytes = EVENTS "\r\nretry: 1\nid: 8\ndata: one\n\n", .then = ORIGIN_THEN_CLOSE},
        {.bytes = EVENTS "Content-Length: 36\r\n\r\nid: 9\nevent: add\ndata: two\ndata: 2\n\n"},
        {.bytes = "HTTP/1.1 204 No Content\r\n\r\n"},
        {.bytes = EVENTS "Content-Length: 38\r\n\r\ndata: An\n\ndata: answer\n\ndata: [DONE]\n\n"},
        {.bytes = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 9\r\n\r\nno key at"},
    };
    struct origin *origin = origin_start_replies(replies, 5);
    const char *url = origin_url(origin, "/");
    struct run_result result;

    (void)state;
    EXAMPLE(&result, "events", url, "7");
    succeeds(&result, "message: one\nadd: two\n2\n", "the last id is \"9\"\n");
    assert_non_null(strstr(origin_request(origin, 0).head, "\r\nLast-Event-ID: 7\r\n"));
    assert_non_null(strstr(origin_request(origin, 1).head, "\r\nLast-Event-ID: 8\r\n"));
    assert_non_null(strstr(origin_request(origin, 2).head, "\r\nLast-Event-ID: 9\r\n"));

    EXAMPLE(&result, "events", url, "-d", "{\"stream\": true}");
    succeeds(&result, "message: An\nmessage: answer\n", "");
    assert_string_equal(origin_request(origin, 3).body, "{\"stream\": true}");
    EXAMPLE(&result, "events", url, "-d", "{}");
    fails(&result, "status 401 and the type \"\"\nno key at\n");
    assert_true(origin_stop(origin));
}

static void trailers(void **state)
{
    struct origin *origin = origin_start_reply("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
    struct run_result result;

    (void)state;
    run_example(&result, "FERRY_LEAKS=fatal", "Wikipedia",
                (const char *const[]){"trailers", origin_url(origin, "/"), NULL});
    succeeds(&result, "201 Created\n", "");
    struct origin_request request = origin_request(origin, 0);
    assert_non_null(strstr(request.head, "\r\nTrailer: X-Bytes, X-Adler-32\r\n"));
    assert_string_equal(request.raw_body, "9\r\nWikipedia\r\n0\r\nX-Bytes: 9\r\n"
                                          "X-Adler-32: 11e60398\r\n\r\n");
    assert_true(origin_stop(origin));
}

static void mock_needs_no_network(void **state)
{
    struct run_result result;

    (void)state;
    EXAMPLE(&result, "mock");
    succeeds(&result,
             "oslo: -4\natlantis: -1000\nnowhere: -1000\nasked 3 times, 0 responses left open\n",
             "");
}

static void retry(void **state)
{
    static const struct origin_reply replies[] = {
        {.bytes = "HTTP/1.1 503 Busy\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n"},
        {.bytes = "HTTP/1.1 429 Busy\r\nContent-Length: 0\r\n\r\n"},
        {.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
        {.bytes = "HTTP/1.1 503 Busy\r\nRetry-After: 60\r\nContent-Length: 0\r\n\r\n"},
    };
    struct origin *origin = origin_start_replies(replies, 4);
    struct run_result result;

    (void)state;
    EXAMPLE(&result, "retry", origin_url(origin, "/"));
    assert_non_null(strstr(result.err, ": 503, again in 0 ms\n"));
    assert_non_null(strstr(result.err, ": 429, again in "));
    succeeds(&result, "200 after 3 tries\n", NULL);
    EXAMPLE(&result, "retry", origin_url(origin, "/")); /* that long it does not wait */
    assert_string_equal(result.out, "503 after 1 tries\n");
    assert_int_equal(result.status, 1);
    run_free(&result);
    assert_true(origin_stop(origin));
}

/* Lets in who has the credentials that the path asks for. */
static void let_in(struct origin_conn *conn, void *arg)
{
    (void)arg;
    while (origin_read_request(conn)) {
        const char *head = origin_conn_request(conn).head;
        const char *wanted = strncmp(head, "GET /bearer", 11) == 0   ? "Bearer t0ken\r\n"
                             : strncmp(head, "GET /digest", 11) == 0 ? "Digest username=\"bob\""
                                                                     : "Basic Ym9iOnB3\r\n";
        const char *field = strstr(head, "\r\nAuthorization: ");
        bool good = field != NULL && strncmp(field + 17, wanted, strlen(wanted)) == 0;
        origin_sendf(conn, "HTTP/1.1 %s\r\n%sContent-Length: 0\r\n\r\n",
                     good ? "200 OK" : "401 Unauthorized",
                     good ? ""
                          : "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\"\r\n");
    }
}

static void auth(void **state)
{
    struct origin *origin = origin_start(&(struct origin_script){.serve = let_in});
    struct run_result result;
    char path[TEMP_DIR_SIZE + 16];

    (void)state;
    EXAMPLE(&result, "auth", "basic", origin_url(origin, "/basic"), "bob", "pw");
    succeeds(&result, "200 OK\n", "");
    EXAMPLE(&result, "auth", "bearer", origin_url(origin, "/bearer"), "", "t0ken");
    succeeds(&result, "200 OK\n", "");
    EXAMPLE(&result, "auth", "digest", origin_url(origin, "/digest"), "bob", "pw");
    succeeds(&result, "200 OK\n", "");
    snprintf(path, sizeof path, "%s/netrc", temp_dir);
    assert_true(temp_file_write(path, BYTES("machine 127.0.0.1 login bob password pw\n")));
    setenv("NETRC", path, 1);
    EXAMPLE(&result, "auth", "netrc", origin_url(origin, "/netrc"));
    succeeds(&result, "200 OK\n", "");
    unsetenv("NETRC");
    EXAMPLE(&result, "auth", "basic", origin_url(origin, "/basic"), "eve", "pw");
    assert_string_equal(result.out, "401 Unauthorized\n");
    assert_int_equal(result.status, 1);
    run_free(&result);
    EXAMPLE(&result, "auth", "basic", origin_url(origin, "/basic"), "a:b", "pw");
    fails(&result, "a colon in the name");
    assert_true(origin_stop(origin));
}

static void cookies(void **state)
{
    static const struct origin_reply replies[] = {
        {.bytes = "HTTP/1.1 200 OK\r\nSet-Cookie: visit=1; max-age=999\r\n"
                  "Content-Length: 0\r\n\r\n"},
        {.bytes = "HTTP/1.1 200 OK\r\nSet-Cookie: visit=2; max-age=999\r\n"
                  "Content-Length: 0\r\n\r\n"},
    };
    struct origin *origin = origin_start_replies(replies, 2);
    struct run_result result;
    char path[TEMP_DIR_SIZE + 16];

    (void)state;
    snprintf(path, sizeof path, "%s/cookies", temp_dir);
    EXAMPLE(&result, "cookies", path, origin_url(origin, "/"));
    succeeds(&result, "visit=1 for 127.0.0.1/\n", "");
    EXAMPLE(&result, "cookies", path, origin_url(origin, "/"), origin_url(origin, "/again"));
    succeeds(&result, "visit=2 for 127.0.0.1/\n", "");
    assert_null(strstr(origin_request(origin, 0).head, "Cookie"));
    assert_non_null(strstr(origin_request(origin, 1).head, "\r\nCookie: visit=1\r\n"));
    assert_non_null(strstr(origin_request(origin, 2).head, "\r\nCookie: visit=2\r\n"));
    EXAMPLE(&result, "cookies", "/nowhere/cookies", origin_url(origin, "/"));
    fails(&result, "saving cookies to /nowhere/cookies: no such file or directory");
    assert_true(origin_stop(origin));
}

static void redirects(void **state)
{
    static const struct origin_reply replies[] = {
        {.bytes = "HTTP/1.1 301 X\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n"},
        {.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
        {.bytes = "HTTP/1.1 302 X\r\nLocation: http://elsewhere.test/c\r\n"
                  "Content-Length: 0\r\n\r\n"},
        {.bytes = "HTTP/1.1 302 X\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n"},
    };
    struct origin *origin = origin_start_replies(replies, 4);
    struct run_result result;
    char expected[300];

    (void)state;
    EXAMPLE(&result, "redirects", origin_url(origin, "/a"), "127.0.0.1");
    snprintf(expected, sizeof expected, "1. 301: GET http://%s/b\n200 from http://%s/b\n",
             origin_host(origin), origin_host(origin));
    succeeds(&result, expected, "");
    EXAMPLE(&result, "redirects", origin_url(origin, "/a"), "127.0.0.1");
    snprintf(expected, sizeof expected,
             "1. 302: GET http://elsewhere.test/c\n"
             "302 from http://%s/a, which points to http://elsewhere.test/c\n",
             origin_host(origin));
    succeeds(&result, expected, "");
    EXAMPLE(&result, "redirects", origin_url(origin, "/a"));
    assert_non_null(strstr(result.out, "5. 302: GET "));
    fails(&result, "stopped after 5 redirects");
    assert_true(origin_stop(origin));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(get),
        cmocka_unit_test(stream),
        cmocka_unit_test(upload),
        cmocka_unit_test(form),
        cmocka_unit_test(events),
        cmocka_unit_test(trailers),
        cmocka_unit_test(mock_needs_no_network),
        cmocka_unit_test(retry),
        cmocka_unit_test(auth),
        cmocka_unit_test(cookies),
        cmocka_unit_test(redirects),
    };
    return cmocka_run_group_tests(tests, start_examples, stop_examples);
}
