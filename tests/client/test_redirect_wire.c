/*
 * Redirects on the wire: what each hop sends, byte for byte where it matters, and what the caller
 * gets. The origin answers with the status that the query names, and points to the next one:
 * "/?code=301&next=302".
 */
#include <stdio.h>
#include <stdlib.h>

#include "client_test.h"

/* -------------------------------------------------------------------------------------- the origin */

static void answer(struct origin_conn *conn, const char *head)
{
    char code[8] = "200";
    char next[64] = "";
    const char *at = strstr(head, "code=");
    const char *line_end = strchr(head, '\r');
    if (at != NULL && at < line_end) {
        snprintf(code, sizeof code, "%.3s", at + 5);
        if (strncmp(at + 8, "&next=", 6) == 0) {
            size_t len = strcspn(at + 14, " ");
            const char *comma = memchr(at + 14, ',', len);
            size_t first = comma != NULL ? (size_t)(comma - (at + 14)) : len;
            snprintf(next, sizeof next, "?code=%.*s%s%.*s", (int)first, at + 14,
                     comma != NULL ? "&next=" : "", comma != NULL ? (int)(len - first - 1) : 0,
                     comma != NULL ? comma + 1 : "");
        }
    }
    if (strcmp(code, "304") == 0) {
        origin_send_text(conn, "HTTP/1.1 304 X\r\n\r\n");
    } else if (code[0] == '3') {
        origin_sendf(conn, "HTTP/1.1 %s X\r\nLocation: /%s\r\nContent-Length: 5\r\n\r\n%s", code,
                     next, strncmp(head, "HEAD ", 5) != 0 ? "moved" : "");
    } else {
        origin_sendf(conn, "HTTP/1.1 %s X\r\nContent-Length: 2\r\n\r\n%s", code,
                     strncmp(head, "HEAD ", 5) != 0 ? "ok" : "");
    }
}

static void serve_codes(struct origin_conn *conn, void *arg)
{
    (void)arg;
    while (origin_read_request(conn)) {
        answer(conn, origin_conn_request(conn).head);
    }
}

/* "POST /?code=301 \"body\"": the i-th request as the origin saw it. */
static const char *seen(struct origin *origin, size_t i, char text[256])
{
    struct origin_request req = origin_request(origin, i);
    if (req.connection == 0) {
        return "none";
    }
    snprintf(text, 256, "%.*s \"%s\"", (int)(strstr(req.head, " HTTP/1.1") - req.head), req.head,
             req.body != NULL ? req.body : "");
    return text;
}

struct chain {
    const char *path;
    const char *body;
    int status;
    const char *seen[6]; /* up to the first NULL */
};

static void run_chains(void **state, const char *method, const struct chain *chains, size_t count)
{
    struct origin *origin = serve_with(state, serve_codes, NULL);
    ferry_transport *transport = transport_with(state, NULL);
    ferry_client *client = client_with(transport, (ferry_client_options){0});
    size_t at = 0;
    char text[256];
    for (size_t i = 0; i < count; i++) {
        ferry_request *req = request(method, origin_url(origin, chains[i].path));
        assert_int_equal(ferry_request_set_body(req, chains[i].body, strlen(chains[i].body)), 0);
        assert_int_equal(ferry_request_set_header(req, "Content-Type", "text/x"), 0);
        struct outcome outcome = do_request(client, req);
        if (outcome.status != chains[i].status) {
            fail_msg("%s: %d %s", chains[i].path, outcome.status, outcome.err.message);
        }
        for (int hop = 0; hop < 6 && chains[i].seen[hop] != NULL; hop++, at++) {
            assert_string_equal(seen(origin, at, text), chains[i].seen[hop]);
            bool with_body = strstr(chains[i].seen[hop], "\"\"") == NULL;
            assert_int_equal(has_field(origin, at, "Content-Length:"), with_body);
            assert_int_equal(has_field(origin, at, "Content-Type:"), with_body);
        }
        assert_int_equal(origin_counts(origin).requests, at);
        /* What it was is put back. */
        assert_string_equal(ferry_request_method(req), method);
        assert_string_equal(ferry_request_header(req, "Content-Type"), "text/x");
        ferry_request_free(req);
    }
    assert_int_equal(origin_counts(origin).accepted, 1); /* bodies passed over, connection kept */
    ferry_client_free(client);
}

static void test_CL_009_post(void **state)
{
    static const struct chain chains[] = {
        {"/", "first", 200, {"POST / \"first\""}},
        {"/?code=301&next=302",
         "c301",
         200,
         {"POST /?code=301&next=302 \"c301\"", "GET /?code=302 \"\"", "GET / \"\""}},
        {"/?code=302&next=302",
         "c302",
         200,
         {"POST /?code=302&next=302 \"c302\"", "GET /?code=302 \"\"", "GET / \"\""}},
        {"/?code=303&next=301",
         "c303",
         200,
         {"POST /?code=303&next=301 \"c303\"", "GET /?code=301 \"\"", "GET / \"\""}},
        {"/?code=304", "c304", 304, {"POST /?code=304 \"c304\""}},
        {"/?code=305", "c305", 305, {"POST /?code=305 \"c305\""}},
        {"/?code=307&next=303,308,302",
         "c307",
         200,
         {"POST /?code=307&next=303,308,302 \"c307\"", "POST /?code=303&next=308,302 \"c307\"",
          "GET /?code=308&next=302 \"\"", "GET /?code=302 \"c307\"", "GET / \"\""}},
        {"/?code=308&next=302,301",
         "c308",
         200,
         {"POST /?code=308&next=302,301 \"c308\"", "POST /?code=302&next=301 \"c308\"",
          "GET /?code=301 \"\"", "GET / \"\""}},
        {"/?code=404", "c404", 404, {"POST /?code=404 \"c404\""}},
    };
    run_chains(state, "POST", chains, sizeof chains / sizeof chains[0]);
}

static void test_CL_010_delete(void **state)
{
    static const struct chain chains[] = {
        {"/", "first", 200, {"DELETE / \"first\""}},
        {"/?code=301&next=302,308",
         "c301",
         200,
         {"DELETE /?code=301&next=302,308 \"c301\"", "GET /?code=302&next=308 \"\"",
          "GET /?code=308 \"\"", "GET / \"c301\""}},
        {"/?code=302&next=302",
         "c302",
         200,
         {"DELETE /?code=302&next=302 \"c302\"", "GET /?code=302 \"\"", "GET / \"\""}},
        {"/?code=303", "c303", 200, {"DELETE /?code=303 \"c303\"", "GET / \"\""}},
        {"/?code=307&next=301,308,303,302,304",
         "c307",
         304,
         {"DELETE /?code=307&next=301,308,303,302,304 \"c307\"",
          "DELETE /?code=301&next=308,303,302,304 \"c307\"", "GET /?code=308&next=303,302,304 \"\"",
          "GET /?code=303&next=302,304 \"c307\"", "GET /?code=302&next=304 \"\"",
          "GET /?code=304 \"\""}},
        {"/?code=308&next=307",
         "c308",
         200,
         {"DELETE /?code=308&next=307 \"c308\"", "DELETE /?code=307 \"c308\"",
          "DELETE / \"c308\""}},
        {"/?code=404", "c404", 404, {"DELETE /?code=404 \"c404\""}},
    };
    run_chains(state, "DELETE", chains, sizeof chains / sizeof chains[0]);
}

/* The methods of next requests, as the server sees them. */
static void test_CL_048_methods_on_the_wire(void **state)
{
    static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "FOO"};
    static const int statuses[] = {301, 302, 303, 307, 308};
    struct origin *origin = serve_with(state, serve_codes, NULL);
    ferry_client *client = client_with(transport_with(state, NULL), (ferry_client_options){0});
    char text[256];
    char path[32];
    char wanted[64];
    size_t at = 0;
    for (int m = 0; m < 6; m++) {
        for (int s = 0; s < 5; s++, at += 2) {
            snprintf(path, sizeof path, "/?code=%d", statuses[s]);
            ferry_request *req = request(methods[m], origin_url(origin, path));
            assert_int_equal(do_request(client, req).status, 200);
            ferry_request_free(req);
            snprintf(wanted, sizeof wanted, "%s %s \"\"", methods[m], path);
            assert_string_equal(seen(origin, at, text), wanted);
            snprintf(wanted, sizeof wanted, "%s / \"\"", s < 3 && m > 1 ? "GET" : methods[m]);
            assert_string_equal(seen(origin, at + 1, text), wanted);
        }
    }
    ferry_client_free(client);
}

/* ----------------------------------------------------------------------------------- the callback */

struct watch {
    int word;
    int fail_code;
    int count;
    int status; /* of the response that redirected */
    char url[128];
    char method[16];
    const char *add; /* a field for the next hop; NULL: none */
};

static int on_redirect(void *arg, ferry_request *next, const ferry_response *res, int count,
                       ferry_error *err)
{
    struct watch *watch = arg;
    watch->count = count;
    watch->status = ferry_response_status(res);
    snprintf(watch->url, sizeof watch->url, "%s", ferry_request_url(next));
    snprintf(watch->method, sizeof watch->method, "%s", ferry_request_method(next));
    if (watch->add != NULL) {
        ferry_request_set_header(next, "X-Hop", watch->add);
    }
    if (watch->fail_code != 0) {
        err->code = watch->fail_code;
        snprintf(err->message, sizeof err->message, "not this way");
    }
    return watch->word;
}

static void test_CL_011_use_the_redirect_itself(void **state)
{
    struct origin *origin = serve_with(state, serve_codes, NULL);
    ferry_transport *transport = transport_with(state, NULL);
    struct watch watch = {.word = FERRY_REDIRECT_STOP};
    ferry_client *client = client_with(
        transport, (ferry_client_options){.on_redirect = on_redirect, .on_redirect_arg = &watch});
    ferry_error err = {0};
    ferry_request *req = request("PUT", origin_url(origin, "/?code=302&next=301"));
    ferry_response *res = ferry_client_do(client, req, &err);
    assert_non_null(res);
    struct outcome outcome = {.status = ferry_response_status(res)};
    assert_string_equal(ferry_response_url(res), origin_url(origin, "/?code=302&next=301"));
    read_body(res, &outcome);
    ferry_response_close(res);
    assert_got(outcome, 302, "moved");
    assert_int_equal(watch.status, 302);
    assert_int_equal(watch.count, 1);
    assert_string_equal(watch.url, origin_url(origin, "/?code=301"));
    assert_string_equal(watch.method, "GET");
    assert_string_equal(ferry_request_url(req), origin_url(origin, "/?code=302&next=301"));
    assert_string_equal(ferry_request_method(req), "PUT");

    watch = (struct watch){.word = FERRY_REDIRECT_FAIL, .fail_code = FERRY_EINVAL};
    fails(client, req, FERRY_EINVAL, "not this way");
    watch = (struct watch){.word = FERRY_REDIRECT_FAIL};
    fails(client, req, FERRY_EREDIRECT, "refused");
    assert_int_equal(origin_counts(origin).requests, 3);

    watch = (struct watch){.add = "yes"};
    assert_got(do_request(client, req), 200, "ok");
    assert_int_equal(watch.count, 2);
    assert_true(has_field(origin, 5, "X-Hop: yes"));
    assert_null(ferry_request_header(req, "X-Hop"));
    ferry_request_free(req);
    ferry_client_free(client);
}

static void test_CL_012_no_location(void **state)
{
    static const struct origin_reply replies[] = {
        {.bytes = "HTTP/1.1 301 X\r\nFoo: Bar\r\nContent-Length: 2\r\n\r\nhi"},
        {.bytes = "HTTP/1.1 308 X\r\nFoo: Bar\r\nContent-Length: 2\r\n\r\nhi"},
        {.bytes = "HTTP/1.1 308 X\r\nFoo: Bar\r\nLocation: \r\nContent-Length: 2\r\n\r\nhi"},
    };
    struct origin *origin = serve_replies(state, replies, 3);
    ferry_client *client = client_with(transport_with(state, NULL), (ferry_client_options){0});
    ferry_request *req = request("GET", origin_url(origin, "/"));
    for (int i = 0; i < 3; i++) {
        ferry_response *res = ferry_client_do(client, req, NULL);
        assert_non_null(res);
        assert_int_equal(ferry_response_status(res), i == 0 ? 301 : 308);
        assert_string_equal(ferry_response_header(res, "Foo"), "Bar");
        ferry_response_close(res);
    }
    assert_int_equal(origin_counts(origin).requests, 3);
    ferry_request_free(req);
    ferry_client_free(client);
}

static void test_CL_013_one_shot_body(void **state)
{
    struct origin *origin = serve_with(state, serve_codes, NULL);
    ferry_client *client = client_with(transport_with(state, NULL), (ferry_client_options){0});
    ferry_request *req = request("POST", origin_url(origin, "/?code=308"));
    struct xs xs = {.left = 3};
    assert_int_equal(ferry_request_set_body_reader(req, read_xs, NULL, &xs, 3), 0);
    ferry_response *res = ferry_client_do(client, req, NULL);
    assert_non_null(res);
    assert_int_equal(ferry_response_status(res), 308);
    assert_string_equal(ferry_response_header(res, "Location"), "/");
    ferry_response_close(res);
    ferry_request_free(req);
    assert_int_equal(origin_counts(origin).requests, 1);
    ferry_client_free(client);
}

/* The body of a reader goes out once more, and its owner is told once that it is over. */
static void test_rewound_body(void **state)
{
    struct origin *origin = serve_with(state, serve_codes, NULL);
    ferry_client *client = client_with(transport_with(state, NULL), (ferry_client_options){0});
    ferry_request *req = request("POST", origin_url(origin, "/?code=307&next=303,308"));
    struct xs xs = {.left = 3};
    char text[256];
    assert_int_equal(ferry_request_set_body_reader(req, read_xs, rewind_xs, &xs, -1), 0);
    ferry_request_set_body_done(req, xs_done, &xs);
    assert_got(do_request(client, req), 200, "ok");
    assert_string_equal(seen(origin, 1, text), "POST /?code=303&next=308 \"xxx\"");
    assert_string_equal(seen(origin, 2, text), "GET /?code=308 \"\"");
    assert_string_equal(seen(origin, 3, text), "GET / \"xxx\"");
    assert_int_equal(xs.rewinds, 2);
    assert_int_equal(xs.dones, 1);
    assert_got(do_request(client, req), 200, "ok"); /* and the whole request again */
    assert_int_equal(xs.dones, 2);
    ferry_request_free(req);
    ferry_client_free(client);
}

/* -------------------------------------------------------------------------------------- the limit */

static void test_limits(void **state)
{
    struct origin *origin =
        serve_reply(state, "HTTP/1.1 302 X\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n");
    ferry_transport *transport = transport_with(state, NULL);
    static const int limits[] = {0, 3, -1};
    static const unsigned requests[] = {11, 4, 1};
    unsigned before = 0;
    for (int i = 0; i < 3; i++) {
        ferry_client *client =
            client_with(transport, (ferry_client_options){.max_redirects = limits[i]});
        ferry_request *req = request("GET", origin_url(origin, "/"));
        struct outcome outcome = do_request(client, req);
        if (limits[i] < 0) {
            assert_int_equal(outcome.status, 302);
        } else {
            assert_failed(outcome, FERRY_EREDIRECT,
                          i == 0 ? "stopped after 10 redirects" : "stopped after 3 redirects");
        }
        assert_int_equal(origin_counts(origin).requests - before, requests[i]);
        before = origin_counts(origin).requests;
        ferry_request_free(req);
        ferry_client_free(client);
    }
}

static void test_bad_locations(void **state)
{
    static const struct origin_reply replies[] = {
        {.bytes = "HTTP/1.1 302 X\r\nLocation: http://\r\nContent-Length: 0\r\n\r\n"},
        {.bytes = "HTTP/1.1 302 X\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n"},
        {.bytes = "HTTP/1.1 302 X\r\nLocation: ftp://x/y\r\nContent-Length: 0\r\n\r\n"},
    };
    struct origin *origin = serve_replies(state, replies, 3);
    ferry_client *client = client_with(transport_with(state, NULL), (ferry_client_options){0});
    ferry_request *req = request("GET", origin_url(origin, "/"));
    fails(client, req, FERRY_EURL, "failed to parse Location");
    fails(client, req, FERRY_EURL, "failed to parse Location");
    fails(client, req, FERRY_ESCHEME, "ftp");
    ferry_request_free(req);
    ferry_client_free(client);
}

/* One deadline over all hops: an origin that redirects forever, or stalls in a hop, ends with it. */
static void serve_slow_hops(struct origin_conn *conn, void *arg)
{
    (void)arg;
    while (origin_read_request(conn)) {
        origin_sleep(conn, 20);
        origin_send_text(conn, "HTTP/1.1 302 X\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n");
    }
}

static void test_one_deadline(void **state)
{
    struct origin *origin = serve_with(state, serve_slow_hops, NULL);
    ferry_client *client =
        client_with(transport_with(state, NULL),
                    (ferry_client_options){.max_redirects = 100000, .timeout_ms = 100});
    ferry_request *req = request("GET", origin_url(origin, "/"));
    fails(client, req, FERRY_ETIMEOUT, "client timeout");
    assert_true(origin_counts(origin).requests < 8);
    ferry_request_free(req);
    ferry_client_free(client);
}

/* A server that answers before it has read the body, and never does. */
static void serve_early(struct origin_conn *conn, void *arg)
{
    char head[4096];
    if (origin_conn_serial(conn) == 1) {
        origin_read_head(conn, head, sizeof head);
        origin_send_text(conn, "HTTP/1.1 303 X\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n");
        origin_wait(conn, arg);
    } else {
        serve_codes(conn, NULL);
    }
}

static void test_redirected_before_the_body_was_read(void **state)
{
    struct gate never_read = {0};
    struct origin *origin = serve_with(state, serve_early, &never_read);
    ferry_client *client = client_with(transport_with(state, NULL), (ferry_client_options){0});
    ferry_request *req = request("POST", origin_url(origin, "/"));
    size_t len = (size_t)16 << 20;
    char *body = calloc(1, len);
    assert_non_null(body);
    assert_int_equal(ferry_request_set_body(req, body, len), 0);
    assert_got(do_request(client, req), 200, "ok");
    ferry_request_free(req);
    free(body);
    gate_open(&never_read);
    assert_true(origin_await_open(origin, 1, SOON_MS));
    ferry_client_free(client);
}

/* ------------------------------------------------------------------------------ hosts and secrets */

/* Redirects "/rel" to "/abs" and that to the other origin, whose port is in arg; replies else. */
struct two {
    char location[128];
};

static void serve_two(struct origin_conn *conn, void *arg)
{
    struct two *two = arg;
    while (origin_read_request(conn)) {
        const char *head = origin_conn_request(conn).head;
        const char *location = strncmp(head, "GET /rel ", 9) == 0   ? "/abs"
                               : strncmp(head, "GET /abs ", 9) == 0 ? two->location
                                                                    : NULL;
        if (location != NULL) {
            origin_sendf(conn, "HTTP/1.1 302 X\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n",
                         location);
        } else {
            origin_send_text(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        }
    }
}

static void test_CL_045_host_field(void **state)
{
    struct two two;
    struct origin *bystander = serve_reply(state, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    struct origin *origin = serve_with(state, serve_two, &two);
    snprintf(two.location, sizeof two.location, "%s", origin_url(origin, "/end"));
    ferry_client *client = client_with(transport_with(state, NULL), (ferry_client_options){0});
    ferry_request *req = request("GET", origin_url(origin, "/rel"));
    char field[64];
    assert_int_equal(ferry_request_set_header(req, "Host", origin_host(bystander)), 0);
    assert_got(do_request(client, req), 200, "ok");
    snprintf(field, sizeof field, "Host: %s\r\n", origin_host(bystander));
    assert_true(has_field(origin, 0, field));
    assert_true(has_field(origin, 1, field));
    snprintf(field, sizeof field, "Host: %s\r\n", origin_host(origin));
    assert_true(has_field(origin, 2, field));
    assert_int_equal(origin_counts(bystander).accepted, 0);
    ferry_request_free(req);
    ferry_client_free(client);
}

/* Credentials and cookies set on the request stay behind, and do not come back when a later hop
 * leads back to the first host. Same address, another port: another host. */
static void test_secrets_stay_behind(void **state)
{
    struct two to_other;
    struct two back;
    struct origin *first = serve_with(state, serve_two, &to_other);
    struct origin *other = serve_with(state, serve_two, &back);
    snprintf(to_other.location, sizeof to_other.location, "%s", origin_url(other, "/abs"));
    snprintf(back.location, sizeof back.location, "%s", origin_url(first, "/end"));
    ferry_client *client = client_with(transport_with(state, NULL), (ferry_client_options){0});
    ferry_request *req = request("GET", origin_url(first, "/rel"));
    assert_int_equal(ferry_request_set_bearer(req, "secret1"), 0);
    assert_int_equal(ferry_request_set_header(req, "Cookie", "sid=secret2"), 0);
    assert_int_equal(ferry_request_set_header(req, "Proxy-Authorization", "Basic secret3"), 0);
    assert_int_equal(ferry_request_set_header(req, "X-Plain", "goes along"), 0);
    assert_got(do_request(client, req), 200, "ok");
    assert_true(has_field(first, 1, "Authorization: Bearer secret1\r\n")); /* the same host */
    assert_true(has_field(first, 1, "Cookie: sid=secret2\r\n"));
    assert_false(has_field(other, 0, "secret"));
    assert_true(has_field(other, 0, "X-Plain: goes along\r\n"));
    assert_true(has_field(other, 0, "Referer: http://"));
    assert_false(has_field(first, 2, "secret"));
    assert_string_equal(ferry_request_header(req, "Authorization"), "Bearer secret1");
    ferry_request_free(req);
    ferry_client_free(client);
}

/* A URL's user info goes with relative redirects, and with no others; the Referer never has it. */
static void test_url_credentials(void **state)
{
    struct two two;
    struct origin *other = serve_reply(state, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    struct origin *origin = serve_with(state, serve_two, &two);
    char url[128];
    snprintf(two.location, sizeof two.location, "%s", origin_url(other, "/"));
    ferry_client *client = client_with(transport_with(state, NULL), (ferry_client_options){0});
    snprintf(url, sizeof url, "http://bob:pw@%s/rel", origin_host(origin));
    ferry_request *req = request("GET", url);
    assert_got(do_request(client, req), 200, "ok");
    assert_true(has_field(origin, 0, "Authorization: Basic Ym9iOnB3\r\n"));
    assert_true(has_field(origin, 1, "Authorization: Basic Ym9iOnB3\r\n"));
    assert_false(has_field(other, 0, "Authorization"));
    assert_false(has_field(other, 0, "bob"));
    ferry_request_free(req);
    ferry_client_free(client);
}

static void test_final_url(void **state)
{
    struct origin *origin = serve_with(state, serve_codes, NULL);
    ferry_client *client = client_with(transport_with(state, NULL), (ferry_client_options){0});
    ferry_request *req = request("GET", origin_url(origin, "/?code=301&next=302"));
    ferry_response *res = ferry_client_do(client, req, NULL);
    assert_non_null(res);
    assert_string_equal(ferry_response_url(res), origin_url(origin, "/"));
    ferry_response_close(res);
    ferry_request_free(req);
    ferry_client_free(client);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TRANSPORT_TEST(test_CL_009_post),
        TRANSPORT_TEST(test_CL_010_delete),
        TRANSPORT_TEST(test_CL_048_methods_on_the_wire),
        TRANSPORT_TEST(test_CL_011_use_the_redirect_itself),
        TRANSPORT_TEST(test_CL_012_no_location),
        TRANSPORT_TEST(test_CL_013_one_shot_body),
        TRANSPORT_TEST(test_rewound_body),
        TRANSPORT_TEST(test_limits),
        TRANSPORT_TEST(test_bad_locations),
        TRANSPORT_TEST(test_one_deadline),
        TRANSPORT_TEST(test_redirected_before_the_body_was_read),
        TRANSPORT_TEST(test_CL_045_host_field),
        TRANSPORT_TEST(test_secrets_stay_behind),
        TRANSPORT_TEST(test_url_credentials),
        TRANSPORT_TEST(test_final_url),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
