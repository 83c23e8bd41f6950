/*
 * Requests sent again, on the wire: what is, how often, with what in it, and what comes of the last
 * attempt. The waits are not waited: the tests' on_retry function notes how long each would have
 * been, and says 0 instead.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "client_test.h"

#define BUSY "HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy"
#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

/* What the function was asked, and what it says. */
struct asked {
    int times;
    int64_t waits[8];
    int retries[8];
    int status[8];         /* 0: it was an error */
    int code[8];           /* of the error */
    char method[16];       /* of the request, the last time */
    int stop_at;           /* it says "no" the stop_at-th time; 0: never */
    bool real;             /* it says what it was told, so that the wait is waited */
    int64_t instead;       /* what it says else */
    atomic_bool has_asked; /* for other tasks */
};

static int64_t ask(void *arg, const ferry_retry *retry)
{
    struct asked *asked = arg;
    int i = asked->times++;
    if (i < 8) {
        asked->waits[i] = retry->wait_ms;
        asked->retries[i] = retry->retries;
        asked->status[i] = retry->response != NULL ? ferry_response_status(retry->response) : 0;
        asked->code[i] = retry->error != NULL ? retry->error->code : 0;
    }
    snprintf(asked->method, sizeof asked->method, "%s", ferry_request_method(retry->request));
    atomic_store(&asked->has_asked, true);
    return asked->times == asked->stop_at ? -1 : asked->real ? retry->wait_ms : asked->instead;
}

static ferry_client *retrying(ferry_transport *transport, struct asked *asked,
                              ferry_client_options options)
{
    options.max_retries = options.max_retries != 0 ? options.max_retries : 3;
    options.on_retry = asked != NULL ? ask : NULL;
    options.on_retry_arg = asked;
    return client_with(transport, options);
}

/* --------------------------------------------------------------------------- how often, and what then */

static void test_never_unless_asked(void **state)
{
    struct origin *origin = serve_reply(state, BUSY);
    ferry_client *client = client_with(transport_with(state, NULL), (ferry_client_options){0});
    assert_got(client_get(client, origin_url(origin, "/")), 503, "busy");
    assert_int_equal(origin_counts(origin).requests, 1);
    ferry_client_free(client);
}

static void test_until_it_is_there(void **state)
{
    static const struct origin_reply replies[] = {{.bytes = BUSY}, {.bytes = BUSY}, {.bytes = OK}};
    struct origin *origin = serve_replies(state, replies, 3);
    struct asked asked = {0};
    /* One that closes connections whose bodies were not read: these are read. */
    ferry_transport *transport = transport_with(state, FERRY_TRANSPORT_OPTIONS(.drain_bytes = -1));
    ferry_client *client = retrying(transport, &asked, (ferry_client_options){0});
    ferry_request *req = request("PUT", origin_url(origin, "/x"));
    assert_int_equal(ferry_request_set_body(req, "body", 4), 0);
    assert_int_equal(ferry_request_set_header(req, "X-Own", "1"), 0);
    assert_got(do_request(client, req), 200, "ok");
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(origin_request(origin, i).head, origin_request(origin, 0).head);
        assert_string_equal(origin_request(origin, i).body, "body");
    }
    assert_int_equal(origin_counts(origin).requests, 3);
    assert_int_equal(origin_counts(origin).accepted, 1);
    assert_int_equal(asked.times, 2);
    assert_string_equal(asked.method, "PUT");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(asked.retries[i], i);
        assert_int_equal(asked.status[i], 503);
        assert_in_range(asked.waits[i], 0, 200 << i);
    }
    ferry_request_free(req);
    ferry_client_free(client);
}

static void test_last_response_is_the_callers(void **state)
{
    struct origin *origin = serve_reply(state, BUSY);
    struct asked asked = {0};
    ferry_client *client = retrying(
        transport_with(state, NULL), &asked,
        (ferry_client_options){.max_retries = 5, .retry_base_ms = 1000, .retry_max_ms = 1500});
    assert_got(client_get(client, origin_url(origin, "/")), 503, "busy");
    assert_int_equal(origin_counts(origin).requests, 6);
    assert_int_equal(asked.times, 5);
    assert_in_range(asked.waits[4], 0, 1500);
    ferry_client_free(client);
}

static void test_the_callers_word_is_the_last(void **state)
{
    struct origin *origin = serve_reply(state, BUSY);
    struct asked asked = {.stop_at = 2};
    ferry_client *client = retrying(transport_with(state, NULL), &asked, (ferry_client_options){0});
    assert_got(client_get(client, origin_url(origin, "/")), 503, "busy");
    assert_int_equal(origin_counts(origin).requests, 2);
    ferry_client_free(client);
}

/* A real wait, without a function: of at most a millisecond. */
static void test_waits_by_itself(void **state)
{
    static const struct origin_reply replies[] = {{.bytes = BUSY}, {.bytes = BUSY}, {.bytes = OK}};
    struct origin *origin = serve_replies(state, replies, 3);
    ferry_client *client = retrying(transport_with(state, NULL), NULL,
                                    (ferry_client_options){.retry_base_ms = 1, .retry_max_ms = 1});
    assert_got(client_get(client, origin_url(origin, "/")), 200, "ok");
    ferry_client_free(client);
}

/* ------------------------------------------------------------------------------------- which ones */

/* Answers with the status that the path names. */
static void serve_status(struct origin_conn *conn, void *arg)
{
    (void)arg;
    while (origin_read_request(conn)) {
        const char *slash = strchr(origin_conn_request(conn).head, '/');
        origin_sendf(conn, "HTTP/1.1 %.3s X\r\nContent-Length: 0\r\n\r\n", slash + 1);
    }
}

static void test_methods(void **state)
{
    struct origin *origin = serve_with(state, serve_status, NULL);
    ferry_transport *transport = transport_with(state, NULL);
    unsigned before = 0;
    static const struct {
        const char *method, *key;
        int status, any;
        unsigned sent;
    } cases[] = {{"GET", NULL, 503, 0, 2},   {"DELETE", NULL, 502, 0, 2},
                 {"PUT", NULL, 504, 0, 2},   {"POST", NULL, 503, 0, 1},
                 {"PATCH", NULL, 503, 0, 1}, {"POST", "k1", 503, 0, 2},
                 {"POST", NULL, 503, 1, 2},  {"POST", NULL, 429, 0, 2}, /* turned away */
                 {"GET", NULL, 500, 0, 1},   {"GET", NULL, 404, 0, 1},
                 {"GET", NULL, 408, 0, 1},   {"OPTIONS", NULL, 503, 0, 2}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char path[8];
        struct asked asked = {0};
        snprintf(path, sizeof path, "/%d", cases[i].status);
        ferry_client *client =
            retrying(transport, &asked,
                     (ferry_client_options){.max_retries = 1, .retry_any_method = cases[i].any});
        ferry_request *req = request(cases[i].method, origin_url(origin, path));
        assert_int_equal(ferry_request_set_header(req, "Idempotency-Key", cases[i].key), 0);
        assert_int_equal(do_request(client, req).status, cases[i].status);
        unsigned after = origin_counts(origin).requests;
        if (after - before != cases[i].sent) {
            fail_msg("%s %d: sent %u times", cases[i].method, cases[i].status, after - before);
        }
        before = after;
        ferry_request_free(req);
        ferry_client_free(client);
    }
}

static void test_statuses_of_ones_own(void **state)
{
    static const struct origin_reply replies[] = {
        {.bytes = "HTTP/1.1 418 X\r\nContent-Length: 0\r\n\r\n"},
        {.bytes = "HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n"},
        {.bytes = BUSY},
        {.bytes = OK}};
    struct origin *origin = serve_replies(state, replies, 4);
    struct asked asked = {0};
    int statuses[] = {500, 418, 0};
    ferry_client *client = retrying(transport_with(state, NULL), &asked,
                                    (ferry_client_options){.retry_statuses = statuses});
    statuses[0] = 200; /* it was copied */
    assert_got(client_get(client, origin_url(origin, "/")), 503, "busy");
    assert_int_equal(origin_counts(origin).requests, 3);
    ferry_client_free(client);
}

/* ------------------------------------------------------------------------------------ Retry-After */

static void test_retry_after(void **state)
{
    char reply[128];
    char date[64];
    struct asked asked = {0};
    time_t in_an_hour = time(NULL) + 3600;
    struct tm tm;
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&in_an_hour, &tm));
    const struct {
        const char *field;
        int times;
        int64_t least, most;
    } cases[] = {
        {"3", 1, 3000, 3000},          {"0", 1, 0, 0},
        {"4000", 1, 4000000, 4000000}, {"4001", 0, 0, 0}, /* it is not waited for that long */
        {date, 1, 3500000, 3600000},   {"Sun, 06 Nov 1994 08:49:37 GMT", 1, 0, 0},
        {"when I like", 1, 0, 200},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        snprintf(reply, sizeof reply,
                 "HTTP/1.1 503 X\r\nRetry-After: %s\r\nContent-Length: 0\r\n\r\n", cases[i].field);
        struct origin *origin = serve_reply(state, reply);
        ferry_client *client =
            retrying(transport_with(state, NULL), &asked,
                     (ferry_client_options){.max_retries = 1, .retry_max_ms = 4000000});
        asked = (struct asked){0};
        assert_int_equal(client_get(client, origin_url(origin, "/")).status, 503);
        assert_int_equal(asked.times, cases[i].times);
        if (asked.times > 0) {
            assert_in_range(asked.waits[0], cases[i].least, cases[i].most);
        }
        ferry_client_free(client);
    }
}

/* ---------------------------------------------------------------------------------------- errors */

/* Fails as often as is said, then connects to the port. */
struct dialer {
    int failures;
    int port;
    int dials;
};

static int dial(void *arg, const ferry_dial_target *target, ferry_error *err)
{
    struct dialer *dialer = arg;
    struct dial_hook hook = {.port = dialer->port};
    if (dialer->dials++ < dialer->failures) {
        err->code = FERRY_ECONNECT;
        snprintf(err->message, sizeof err->message, "not yet");
        return -1;
    }
    return dial_hook(&hook, target, err);
}

/* A body that can be read once only is still whole when no connection was made. */
static void test_no_connection(void **state)
{
    struct origin *origin = serve_reply(state, OK);
    struct dialer *dialer = KEPT(state, struct dialer, .failures = 2, .port = origin_port(origin));
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.dial = dial, .dial_arg = dialer));
    struct asked asked = {0};
    ferry_client *client = retrying(transport, &asked, (ferry_client_options){0});
    struct xs xs = {.left = 3};
    ferry_request *req = request("POST", origin_url(origin, "/"));
    assert_int_equal(ferry_request_set_body_reader(req, read_xs, NULL, &xs, 3), 0);
    assert_got(do_request(client, req), 200, "ok");
    assert_string_equal(origin_request(origin, 0).body, "xxx");
    assert_int_equal(asked.times, 2);
    assert_int_equal(asked.code[1], FERRY_ECONNECT);
    assert_int_equal(asked.status[1], 0);
    ferry_request_free(req);

    *dialer = (struct dialer){.failures = 100};
    ferry_transport_close_idle(transport);
    req = request("GET", origin_url(origin, "/"));
    fails(client, req, FERRY_ECONNECT, "not yet"); /* the last error is the send's */
    assert_int_equal(dialer->dials, 4);
    ferry_request_free(req);
    ferry_client_free(client);
}

/* Closes the first two connections upon their requests. */
static void serve_third(struct origin_conn *conn, void *arg)
{
    (void)arg;
    while (origin_read_request(conn) && origin_conn_serial(conn) > 2) {
        origin_send_text(conn, OK);
    }
}

static void test_broken_connections(void **state)
{
    struct origin *origin = serve_with(state, serve_third, NULL);
    struct asked asked = {0};
    ferry_client *client = retrying(transport_with(state, NULL), &asked, (ferry_client_options){0});
    assert_got(client_get(client, origin_url(origin, "/")), 200, "ok");
    assert_int_equal(asked.times, 2);
    assert_int_equal(asked.code[0], FERRY_ESERVERCLOSED);
    ferry_client_free(client);

    origin = serve_with(state, serve_third, NULL);
    client = retrying(transport_with(state, NULL), &asked, (ferry_client_options){0});
    ferry_request *req = request("POST", origin_url(origin, "/")); /* it may have been acted upon */
    fails(client, req, FERRY_ESERVERCLOSED, NULL);
    assert_int_equal(origin_counts(origin).requests, 1);
    ferry_request_free(req);
    ferry_client_free(client);
}

/* What is there has no TLS: it closes at once, or refuses in TLS' own words. */
static void serve_no_tls(struct origin_conn *conn, void *alert)
{
    if (alert != NULL) {
        origin_send(conn, alert, 7);
        (void)origin_wait_eof(conn, -1);
    }
}

static void test_broken_handshakes(void **state)
{
    static const char alert[] = "\x15\x03\x03\x00\x02\x02\x28"; /* fatal, handshake_failure */
    for (int refuses = 0; refuses < 2; refuses++) {
        struct origin *origin =
            serve_with(state, serve_no_tls, refuses ? (void *)(uintptr_t)alert : NULL);
        struct asked asked = {0};
        char url[64];
        ferry_client *client =
            retrying(transport_with(state, NULL), &asked, (ferry_client_options){0});
        snprintf(url, sizeof url, "https://127.0.0.1:%d/", origin_port(origin));
        ferry_request *req = request("GET", url);
        fails(client, req, FERRY_ETLS, refuses ? "refused" : "handshake");
        assert_int_equal(asked.times, refuses ? 0 : 3);
        assert_int_equal(origin_counts(origin).accepted, 1 + asked.times);
        ferry_request_free(req);
        ferry_client_free(client);
    }
}

/* Answers on every connection but the first. */
static void serve_second(struct origin_conn *conn, void *arg)
{
    (void)arg;
    while (origin_read_request(conn)) {
        if (origin_conn_serial(conn) == 1) {
            (void)origin_wait_eof(conn, -1);
        } else {
            origin_send_text(conn, OK);
        }
    }
}

static void test_a_timeout_of_the_transports(void **state)
{
    struct origin *origin = serve_with(state, serve_second, NULL);
    struct asked asked = {0};
    ferry_client *client =
        retrying(transport_with(state, FERRY_TRANSPORT_OPTIONS(.response_header_timeout_ms = 30)),
                 &asked, (ferry_client_options){.max_retries = 10});
    assert_got(client_get(client, origin_url(origin, "/")), 200, "ok");
    assert_in_range(asked.times, 1, 10);
    assert_int_equal(asked.code[0], FERRY_ETIMEOUT);
    ferry_client_free(client);
}

/* ---------------------------------------------------------------------------------------- bodies */

static void test_bodies_from_readers(void **state)
{
    static const struct origin_reply replies[] = {{.bytes = BUSY}, {.bytes = BUSY}, {.bytes = OK}};
    struct origin *origin = serve_replies(state, replies, 3);
    struct asked asked = {0};
    ferry_client *client = retrying(transport_with(state, NULL), &asked, (ferry_client_options){0});
    struct xs xs = {.left = 3};
    ferry_request *req = request("PUT", origin_url(origin, "/"));
    assert_int_equal(ferry_request_set_body_reader(req, read_xs, rewind_xs, &xs, -1), 0);
    ferry_request_set_body_done(req, xs_done, &xs);
    assert_got(do_request(client, req), 200, "ok");
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(origin_request(origin, i).body, "xxx");
    }
    assert_int_equal(xs.rewinds, 2);
    assert_int_equal(xs.dones, 1);
    ferry_request_free(req);

    origin = serve_reply(state, BUSY);
    req = request("PUT", origin_url(origin, "/"));
    xs.left = 3;
    assert_int_equal(ferry_request_set_body_reader(req, read_xs, NULL, &xs, 3), 0);
    assert_got(do_request(client, req), 503, "busy"); /* its body is gone */
    assert_int_equal(origin_counts(origin).requests, 1);
    ferry_request_free(req);
    ferry_client_free(client);
}

/* ------------------------------------------------------------------------------- what bounds it all */

/* No wait is begun that would outlast the send's time: what there is then is better than a timeout. */
static void test_not_past_the_deadline(void **state)
{
    struct origin *origin =
        serve_reply(state, "HTTP/1.1 503 X\r\nRetry-After: 9999\r\nContent-Length: 4\r\n\r\nbusy");
    ferry_transport *transport = transport_with(state, NULL);
    struct asked asked = {.real = true};
    const ferry_client_options of_client = {.timeout_ms = 60000, .retry_max_ms = -1};
    ferry_client *client = retrying(transport, &asked, of_client);
    assert_got(client_get(client, origin_url(origin, "/")), 503, "busy");
    ferry_client_free(client);

    client = retrying(transport, &asked, (ferry_client_options){.retry_max_ms = -1});
    ferry_request *req = request("GET", origin_url(origin, "/"));
    ferry_request_set_timeout(req, 60000);
    assert_got(do_request(client, req), 503, "busy");
    ferry_request_set_timeout(req, 0);
    ferry_context *context = ferry_context_new(60000);
    ferry_request_set_context(req, context);
    assert_got(do_request(client, req), 503, "busy");
    assert_int_equal(origin_counts(origin).requests, 3);
    assert_int_equal(asked.times, 3);
    ferry_request_free(req);
    ferry_context_free(context);
    ferry_client_free(client);
}

struct waiting {
    ferry_client *client;
    ferry_request *req;
    struct outcome outcome;
    atomic_bool done;
};

static void run_waiting(void *arg)
{
    struct waiting *waiting = arg;
    ferry_response *res = ferry_client_do(waiting->client, waiting->req, &waiting->outcome.err);
    waiting->outcome.status = res != NULL ? ferry_response_status(res) : 0;
    ferry_response_close(res);
    atomic_store(&waiting->done, true);
}

static void test_cancelled_while_waiting(void **state)
{
    struct origin *origin = serve_reply(state, BUSY);
    ferry_transport *transport = transport_with(state, NULL);
    struct asked asked = {.instead = 3600000};
    ferry_client *client = retrying(transport, &asked, (ferry_client_options){0});
    ferry_context *context = ferry_context_new(-1);
    struct waiting waiting = {.client = client, .req = request("GET", origin_url(origin, "/"))};
    ferry_request_set_context(waiting.req, context);
    assert_int_equal(ferry_go(run_waiting, &waiting), 0);
    assert_eventually(atomic_load(&asked.has_asked) && stats_of(transport).idle == 1);
    assert_int_equal(stats_of(transport).open_responses, 0); /* nothing is held meanwhile */
    ferry_context_cancel(context);
    assert_eventually(atomic_load(&waiting.done));
    assert_failed(waiting.outcome, FERRY_ECANCELED, "request canceled");
    assert_int_equal(origin_counts(origin).requests, 1);
    ferry_request_free(waiting.req);
    ferry_context_free(context);
    ferry_client_free(client);
}

/* ----------------------------------------------------------- among redirects, cookies, credentials */

static void test_along_redirects(void **state)
{
    static const struct origin_reply replies[] = {
        {.bytes = BUSY},
        {.bytes = "HTTP/1.1 303 X\r\nLocation: /next\r\nContent-Length: 0\r\n\r\n"},
        {.bytes = BUSY},
        {.bytes = BUSY},
        {.bytes = OK}};
    struct origin *origin = serve_replies(state, replies, 5);
    ferry_transport *transport = transport_with(state, NULL);
    struct asked asked = {0};
    ferry_client *client =
        retrying(transport, &asked, (ferry_client_options){.retry_any_method = 1});
    ferry_request *req = request("POST", origin_url(origin, "/"));
    assert_int_equal(ferry_request_set_body(req, "body", 4), 0);
    assert_got(do_request(client, req), 200, "ok");
    static const char *const lines[] = {"POST / ", "POST / ", "GET /next ", "GET /next ",
                                        "GET /next "};
    for (size_t i = 0; i < 5; i++) {
        assert_true(has_field(origin, i, lines[i]));
        assert_string_equal(i < 2 ? origin_request(origin, i).body : "body", "body");
    }
    assert_int_equal(asked.times, 3); /* one count for the whole send */
    assert_string_equal(asked.method, "GET");
    assert_string_equal(ferry_request_method(req), "POST");
    assert_int_equal(origin_counts(origin).accepted, 1);
    ferry_request_free(req);
    ferry_client_free(client);
}

/* Cookies that come with the failure go with the next attempt, in the place of the caller's own. */
static void test_cookies(void **state)
{
    static const struct origin_reply replies[] = {
        {.bytes = "HTTP/1.1 503 X\r\nSet-Cookie: a=new\r\nContent-Length: 0\r\n\r\n"},
        {.bytes = "HTTP/1.1 503 X\r\nSet-Cookie: b=2\r\nSet-Cookie: own=; max-age=0\r\n"
                  "Content-Length: 0\r\n\r\n"},
        {.bytes = OK}};
    struct origin *origin = serve_replies(state, replies, 3);
    struct asked asked = {0};
    char value[512];
    ferry_cookie_jar *jar = ferry_cookie_jar_new();
    assert_non_null(jar);
    ferry_client *client =
        retrying(transport_with(state, NULL), &asked, (ferry_client_options){.cookie_jar = jar});
    ferry_request *req = request("GET", origin_url(origin, "/"));
    assert_int_equal(ferry_request_add_cookie(req, "own", "1"), 0);
    assert_int_equal(ferry_request_add_cookie(req, "a", "old"), 0);
    assert_got(do_request(client, req), 200, "ok");
    assert_string_equal(field_of(origin, 0, "Cookie", value), "own=1; a=old");
    assert_string_equal(field_of(origin, 1, "Cookie", value), "own=1; a=new");
    assert_string_equal(field_of(origin, 2, "Cookie", value), "a=new; b=2");
    assert_string_equal(ferry_request_header(req, "Cookie"), "own=1; a=old");
    ferry_request_free(req);
    ferry_client_free(client);
    ferry_cookie_jar_free(jar);
}

/* Each attempt is another request to a server that counts them (RFC 7616 section 3.4: nc). */
static void test_digest(void **state)
{
#define ASK(nonce)                                                           \
    "HTTP/1.1 401 X\r\nWWW-Authenticate: Digest realm=\"r\", nonce=\"" nonce \
    "\", qop=\"auth\"\r\nContent-Length: 0\r\n\r\n"
    static const struct origin_reply replies[] = {
        {.bytes = ASK("n1")}, {.bytes = BUSY}, {.bytes = ASK("n2")}, {.bytes = OK}};
    struct origin *origin = serve_replies(state, replies, 4);
    struct asked asked = {0};
    char value[512];
    ferry_client *client =
        retrying(transport_with(state, NULL), &asked,
                 (ferry_client_options){.digest_user = "bob", .digest_password = "secret"});
    assert_got(client_get(client, origin_url(origin, "/")), 200, "ok");
    assert_non_null(strstr(field_of(origin, 1, "Authorization", value), "nc=00000001"));
    assert_non_null(strstr(field_of(origin, 2, "Authorization", value), "nc=00000002"));
    field_of(origin, 3, "Authorization", value); /* the server was started anew meanwhile */
    assert_non_null(strstr(value, "nonce=\"n2\""));
    assert_non_null(strstr(value, "nc=00000001"));
    assert_int_equal(origin_counts(origin).requests, 4);
    ferry_client_free(client);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TRANSPORT_TEST(test_never_unless_asked),
        TRANSPORT_TEST(test_until_it_is_there),
        TRANSPORT_TEST(test_last_response_is_the_callers),
        TRANSPORT_TEST(test_the_callers_word_is_the_last),
        TRANSPORT_TEST(test_waits_by_itself),
        TRANSPORT_TEST(test_methods),
        TRANSPORT_TEST(test_statuses_of_ones_own),
        TRANSPORT_TEST(test_retry_after),
        TRANSPORT_TEST(test_no_connection),
        TRANSPORT_TEST(test_broken_connections),
        TRANSPORT_TEST(test_broken_handshakes),
        TRANSPORT_TEST(test_a_timeout_of_the_transports),
        TRANSPORT_TEST(test_bodies_from_readers),
        TRANSPORT_TEST(test_not_past_the_deadline),
        TRANSPORT_TEST(test_cancelled_while_waiting),
        TRANSPORT_TEST(test_along_redirects),
        TRANSPORT_TEST(test_cookies),
        TRANSPORT_TEST(test_digest),
    };
    return cmocka_run_group_tests_name("client: retries", tests, NULL, NULL);
}
