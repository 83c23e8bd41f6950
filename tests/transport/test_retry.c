/*
 * What is sent again and what is not: the decision by itself, and servers that hang up on a
 * connection just when a request comes. (Writes that fail are in test_faults.c; what makes a request
 * replayable, in the tests of http/request.c.)
 */
#include "transport_test.h"

#include <stdio.h>

#include "bytes.h"
#include "transport/retry.h"

/* ---------------------------------------------------------------------------------- the decision */

static ssize_t read_nothing(void *arg, void *buf, size_t len)
{
    (void)arg;
    (void)buf;
    (void)len;
    return 0;
}

static int rewind_nothing(void *arg)
{
    (void)arg;
    return 0;
}

enum body { NONE, EMPTY, IN_MEMORY, REWINDABLE, ONE_SHOT };

static ferry_request *request_with(const char *method, enum body body, const char *key)
{
    ferry_request *req = request(method, "http://one.example/");
    switch (body) {
    case NONE: break;
    case EMPTY: ferry_request_set_body(req, NULL, 0); break;
    case IN_MEMORY: ferry_request_set_body(req, "foo", 3); break;
    case REWINDABLE:
        ferry_request_set_body_reader(req, read_nothing, rewind_nothing, NULL, -1);
        break;
    case ONE_SHOT: ferry_request_set_body_reader(req, read_nothing, NULL, NULL, -1); break;
    }
    if (key != NULL) {
        ferry_request_set_header(req, key, "x");
    }
    return req;
}

static void test_TI_002_should_retry(void **state)
{
    static const struct {
        const char *method;
        enum body body;
        bool reused;
        enum fy_trip_failure failure;
        bool again;
    } cases[] = {
        {"POST", NONE, false, FY_TRIP_NOTHING_WRITTEN, false},
        {"POST", NONE, true, FY_TRIP_NOTHING_WRITTEN, true},
        {"POST", IN_MEMORY, true, FY_TRIP_NOTHING_WRITTEN, true},
        {"POST", REWINDABLE, true, FY_TRIP_NOTHING_WRITTEN, true},
        {"POST", ONE_SHOT, true, FY_TRIP_NOTHING_WRITTEN, false},
        {"GET", NONE, true, FY_TRIP_FAILED, false}, /* such as a request that was refused */
        {"POST", NONE, true, FY_TRIP_READ_FAILED, false},
        {"GET", NONE, true, FY_TRIP_READ_FAILED, true},
        {"GET", NONE, false, FY_TRIP_READ_FAILED, false},
        {"GET", ONE_SHOT, true, FY_TRIP_READ_FAILED, false},
        {"GET", NONE, true, FY_TRIP_SERVER_CLOSED, true},
        {"GET", NONE, false, FY_TRIP_SERVER_CLOSED, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ferry_request *req = request_with(cases[i].method, cases[i].body, NULL);
        if (fy_should_retry(req, cases[i].reused, cases[i].failure) != cases[i].again) {
            fail_msg("case %zu: not %s", i, cases[i].again ? "tried again" : "left");
        }
        ferry_request_free(req);
    }
}

/* ----------------------------------------------------------------- servers that hang up meanwhile */

/* The first connection serves one request, reads the next, and hangs up on it after this (NULL:
 * nothing; "reset": by a reset). Later connections serve. */
static void serve_hanging_up(struct origin_conn *conn, void *last_words)
{
    if (origin_conn_serial(conn) > 1) {
        serve_identity(conn, NULL);
        return;
    }
    if (!origin_read_request(conn) ||
        !origin_send(conn, BYTES("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1")) ||
        !origin_read_request(conn)) {
        return;
    }
    if (last_words != NULL && strcmp(last_words, "reset") == 0) {
        origin_reset(conn);
    } else if (last_words != NULL) {
        origin_send_text(conn, last_words);
    }
}

/* Sends a request first on a fresh connection, then on the reused one that will be hung up on. */
static struct outcome second_of_two(void **state, const char *last_words, ferry_request *req,
                                    ferry_transport **transport, struct origin **origin)
{
    *origin = serve_with(state, serve_hanging_up, (void *)last_words);
    struct dial_hook *hook = KEPT(state, struct dial_hook, .port = origin_port(*origin));
    *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.dial = dial_hook, .dial_arg = hook));
    assert_got(get(*transport, "http://one.example/"), 200, "1");
    return send_and_read(*transport, req);
}

static void hung_up_on(void **state, const char *last_words, ferry_request *req, bool again)
{
    ferry_transport *transport;
    struct origin *origin;
    struct outcome outcome = second_of_two(state, last_words, req, &transport, &origin);
    if (again) {
        assert_got(outcome, 200, "2");
        assert_string_equal(origin_request(origin, 1).head, origin_request(origin, 2).head);
    } else {
        assert_int_equal(outcome.status, 0);
        if (last_words == NULL) {
            assert_failed(outcome, FERRY_ESERVERCLOSED,
                          "the server closed the connection without answering");
        }
        assert_int_equal(origin_counts(origin).requests, 2);
    }
    assert_int_equal(stats_of(transport).retries, again);
    ferry_request_free(req);
}

static void test_hung_up_on_get(void **state)
{
    hung_up_on(state, NULL, request_with("GET", NONE, NULL), true);
}

static void test_hung_up_on_post(void **state)
{
    hung_up_on(state, NULL, request_with("POST", IN_MEMORY, NULL), false);
}

static void test_hung_up_on_post_with_key(void **state)
{
    hung_up_on(state, NULL, request_with("POST", IN_MEMORY, "Idempotency-Key"), true);
}

static void test_hung_up_on_post_with_x_key(void **state)
{
    hung_up_on(state, NULL, request_with("POST", NONE, "X-Idempotency-Key"), true);
}

static void test_hung_up_on_one_shot_body(void **state)
{
    hung_up_on(state, NULL, request_with("PUT", ONE_SHOT, NULL), false);
    hung_up_on(state, NULL, request_with("GET", ONE_SHOT, NULL), false);
    hung_up_on(state, NULL, request_with("POST", ONE_SHOT, "Idempotency-Key"), false);
}

static void test_reset_on_get(void **state)
{
    hung_up_on(state, "reset", request_with("GET", NONE, NULL), true);
}

static void test_reset_on_post(void **state)
{
    hung_up_on(state, "reset", request_with("POST", IN_MEMORY, NULL), false);
}

/* One byte of an answer, and it is an answer: what is wrong with it is not cured by asking again. */
static void test_no_retry_after_the_first_byte(void **state)
{
    ferry_transport *transport;
    struct origin *origin;
    ferry_request *req = request_with("GET", NONE, NULL);
    assert_failed(second_of_two(state, "H", req, &transport, &origin), FERRY_ETRUNCATED,
                  "the connection ended in the middle of the response's head");
    assert_int_equal(stats_of(transport).retries, 0);
    ferry_request_free(req);
}

static void test_no_retry_after_an_interim_response(void **state)
{
    ferry_transport *transport;
    struct origin *origin;
    ferry_request *req = request_with("GET", NONE, NULL);
    assert_failed(second_of_two(state, "HTTP/1.1 100 Continue\r\n\r\n", req, &transport, &origin),
                  FERRY_ETRUNCATED, NULL);
    assert_int_equal(stats_of(transport).retries, 0);
    ferry_request_free(req);
}

/* A reader that has been read is rewound before it is read again. */
struct text {
    const char *at;
    int rewinds;
};

static ssize_t read_text(void *arg, void *buf, size_t len)
{
    struct text *text = arg;
    size_t give = strlen(text->at) < len ? strlen(text->at) : len;
    memcpy(buf, text->at, give);
    text->at += give;
    return (ssize_t)give;
}

static int rewind_text(void *arg)
{
    struct text *text = arg;
    text->at = "the whole body";
    text->rewinds++;
    return 0;
}

static void test_retry_rewinds_the_body(void **state)
{
    ferry_transport *transport;
    struct origin *origin;
    struct text text = {.at = "the whole body"};
    ferry_request *req = request_with("POST", NONE, "Idempotency-Key");
    ferry_request_set_body_reader(req, read_text, rewind_text, &text, -1);
    assert_got(second_of_two(state, NULL, req, &transport, &origin), 200, "2");
    assert_int_equal(text.rewinds, 1);
    assert_string_equal(origin_request(origin, 2).body, "the whole body");
    ferry_request_free(req);
}

/* However many of the idle connections are dead, the request gets through. */
struct dying {
    struct gate die;
    bool all;
};

static void serve_dying(struct origin_conn *conn, void *arg)
{
    struct dying *dying = arg;
    while (origin_read_request(conn)) {
        if (dying->all && origin_conn_serial(conn) <= 3) {
            return;
        }
        origin_sendf(conn, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%u",
                     origin_conn_serial(conn));
    }
}

static void test_retry_until_one_lives(void **state)
{
    struct dying *dying = KEPT(state, struct dying);
    struct origin *origin = serve_with(state, serve_dying, dying);
    ferry_transport *transport = transport_with(state, NULL);
    ferry_response *res[3];
    char byte;

    for (int i = 0; i < 3; i++) {
        res[i] = open_get(transport, origin_url(origin, "/"));
    }
    for (int i = 0; i < 3; i++) {
        read_exactly(res[i], &byte, 1);
        ferry_response_close(res[i]);
    }
    assert_int_equal(stats_of(transport).idle, 3);
    dying->all = true;
    assert_got(get(transport, origin_url(origin, "/")), 200, "4");
    assert_int_equal(stats_of(transport).retries, 3);
    assert_int_equal(stats_of(transport).connections, 1);
}

/* A cancel ends the trying. */
static void cancel_after_write(void *context, const ferry_error *err)
{
    (void)err;
    ferry_context_cancel(context);
}

static void test_no_retry_once_cancelled(void **state)
{
    ferry_transport *transport;
    struct origin *origin;
    ferry_context *context = ferry_context_new(-1);
    ferry_request *req = request_with("GET", NONE, NULL);
    ferry_request_set_context(req, context);
    ferry_request_set_trace(req, FERRY_TRACE(.wrote_request = cancel_after_write), context);
    /* Hung up on or cancelled, whichever is seen first. */
    assert_int_equal(second_of_two(state, NULL, req, &transport, &origin).status, 0);
    assert_int_equal(stats_of(transport).retries, 0);
    ferry_request_free(req);
    ferry_context_free(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRANSPORT_TEST(test_TI_002_should_retry),
        TRANSPORT_TEST(test_hung_up_on_get),
        TRANSPORT_TEST(test_hung_up_on_post),
        TRANSPORT_TEST(test_hung_up_on_post_with_key),
        TRANSPORT_TEST(test_hung_up_on_post_with_x_key),
        TRANSPORT_TEST(test_hung_up_on_one_shot_body),
        TRANSPORT_TEST(test_reset_on_get),
        TRANSPORT_TEST(test_reset_on_post),
        TRANSPORT_TEST(test_no_retry_after_the_first_byte),
        TRANSPORT_TEST(test_no_retry_after_an_interim_response),
        TRANSPORT_TEST(test_retry_rewinds_the_body),
        TRANSPORT_TEST(test_retry_until_one_lives),
        TRANSPORT_TEST(test_no_retry_once_cancelled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
