/*
 * The client's timeout, the request's and the context's: whichever is nearest ends the call and is
 * named; one deadline covers everything from the send to the last byte of the body. That a timeout
 * comes is asserted, never when.
 */
#include "wire_test.h"

#include <stdio.h>

#include "dead_end.h"

enum { SHORT = 30, LONG = 600000 };

/* How far the server goes before it stops. */
enum stop { BEFORE_HEAD, IN_HEAD, BEFORE_BODY, IN_BODY, STOPS };

static void serve_until(struct origin_conn *conn, void *arg)
{
    static const char *const parts[STOPS] = {
        "",
        "HTTP/1.1 200 OK\r\nContent-",
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
    };
    if (origin_read_request(conn)) {
        (void)origin_send_text(conn, parts[*(const enum stop *)arg]);
        (void)origin_wait_eof(conn, -1);
    }
}

struct limits {
    int64_t client_ms;
    int64_t request_ms;
    int64_t context_ms;
    const char *whose;
};

/* One request, of whose limits the short one is that long: whether its time was over where the
 * server stops, and not, on a slow machine, before that. */
static bool times_out_there(void **state, const struct limits *limits, int64_t short_ms,
                            enum stop *stop)
{
#define LIMIT(ms) ((ms) == SHORT ? short_ms : (ms))
    struct origin *origin = serve_with(state, serve_until, stop);
    ferry_transport *transport = transport_with(state, NULL);
    ferry_client *client = ferry_client_new(
        FERRY_CLIENT_OPTIONS(.transport = transport, .timeout_ms = LIMIT(limits->client_ms)));
    ferry_context *context = ferry_context_new(LIMIT(limits->context_ms));
    ferry_request *req = wire_request("GET", origin, "/");
    char sentence[256];
    ferry_request_set_timeout(req, LIMIT(limits->request_ms));
    ferry_request_set_context(req, context);
    struct wire_answer answer = wire_send(client, req);
    if (*stop < BEFORE_BODY) {
        snprintf(sentence, sizeof sentence,
                 "Get \"%s\": %s exceeded while waiting for the response", ferry_request_url(req),
                 limits->whose);
    } else {
        snprintf(sentence, sizeof sentence,
                 "reading the body of %s: %s exceeded while reading the body",
                 ferry_request_url(req), limits->whose);
    }
    bool there = answer.status == (*stop < BEFORE_BODY ? 0 : 200) &&
                 strcmp(answer.err.message, sentence) == 0;
    if (!there && short_ms > 10000) {
        fail_msg("status %d; %s", answer.status, answer.err.message);
    }
    assert_int_equal(answer.err.code, FERRY_ETIMEOUT);
    assert_non_null(strstr(answer.err.message, limits->whose));
    assert_true(wire_is_sentence(answer.err.message));
    if (there) {
        assert_int_equal(stats_of(transport).connections, 0);
    }
    wire_answer_free(&answer);
    ferry_request_free(req);
    ferry_context_free(context);
    ferry_client_free(client);
    return there;
}

static void expect_timeouts(void **state, enum stop where)
{
    static const struct limits cases[] = {
        {SHORT, 0, -1, "client timeout"},       {0, SHORT, -1, "request timeout"},
        {0, 0, SHORT, "context deadline"},      {SHORT, LONG, LONG, "client timeout"},
        {LONG, SHORT, LONG, "request timeout"}, {LONG, LONG, SHORT, "context deadline"},
    };
    enum stop *stop = KEPT(state, enum stop, where);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t short_ms = SHORT;
        while (!times_out_there(state, &cases[i], short_ms, stop)) {
            short_ms *= 4;
        }
    }
}

static void test_before_the_head(void **state)
{
    expect_timeouts(state, BEFORE_HEAD);
}

static void test_in_the_head(void **state)
{
    expect_timeouts(state, IN_HEAD);
}

static void test_before_the_body(void **state)
{
    expect_timeouts(state, BEFORE_BODY);
}

static void test_in_the_body(void **state)
{
    expect_timeouts(state, IN_BODY);
}

/* The deadline counts from the send: what the head has used up the body does not get again. */
static void test_one_deadline_for_head_and_body(void **state)
{
    struct origin *origin = serve_with(state, serve_until, KEPT(state, enum stop, BEFORE_BODY));
    ferry_transport *transport = transport_with(state, NULL);
    ferry_client *client =
        ferry_client_new(FERRY_CLIENT_OPTIONS(.transport = transport, .timeout_ms = 200));
    ferry_request *req = wire_request("GET", origin, "/");
    ferry_error err = {0};
    char buf[16];
    ferry_response *res = ferry_client_do(client, req, &err);
    if (res == NULL) {
        skip(); /* a machine so slow that the head has used up all */
    }
    ferry_sleep(250); /* longer than the deadline, while nobody reads */
    assert_int_equal(ferry_response_read(res, buf, sizeof buf, &err), -1);
    assert_error(&err, FERRY_ETIMEOUT, "client timeout exceeded while reading the body");
    ferry_response_close(res);
    ferry_request_free(req);
    ferry_client_free(client);
}

/* A body that was read in time is not ended by the deadline that comes later. */
static void test_timeout_ends_with_the_body(void **state)
{
    struct origin *origin = serve_reply(state, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    ferry_transport *transport = transport_with(state, NULL);
    ferry_client *client =
        ferry_client_new(FERRY_CLIENT_OPTIONS(.transport = transport, .timeout_ms = 300));
    ferry_request *req = wire_request("GET", origin, "/");
    ferry_response *res = ferry_client_do(client, req, NULL);
    if (res == NULL) {
        skip();
    }
    char buf[16];
    ferry_error err = {0};
    read_exactly(res, buf, 5);
    ferry_sleep(350);
    assert_int_equal(ferry_response_read(res, buf, sizeof buf, &err), 0);
    assert_string_equal(err.message, "");
    assert_int_equal(stats_of(transport).idle, 1);
    ferry_response_close(res);
    ferry_request_free(req);
    ferry_client_free(client);
}

static void test_CL_051_while_dialing(void **state)
{
    struct dead_end end;
    char sentence[256];
    assert_true(dead_end_silence(&end));
    ferry_transport *transport = transport_with(state, NULL);
    ferry_client *client =
        ferry_client_new(FERRY_CLIENT_OPTIONS(.transport = transport, .timeout_ms = SHORT));
    struct wire_answer answer = wire_get(client, end.url);
    snprintf(sentence, sizeof sentence,
             "Get \"%s\": client timeout exceeded while waiting for a connection", end.url);
    assert_string_equal(answer.err.message, sentence);
    assert_int_equal(answer.err.code, FERRY_ETIMEOUT);
    ferry_client_free(client);
    dead_end_close(&end);
}

static void test_canceled_before_and_while(void **state)
{
    struct origin *origin = serve_with(state, serve_until, KEPT(state, enum stop, BEFORE_HEAD));
    ferry_client *client = wire_client(transport_with(state, NULL));
    ferry_context *context = ferry_context_new(-1);
    ferry_request *req = wire_request("GET", origin, "/");
    char sentence[256];
    ferry_context_cancel(context);
    ferry_request_set_context(req, context);
    struct wire_answer answer = wire_send(client, req);
    snprintf(sentence, sizeof sentence, "Get \"%s\": request canceled", ferry_request_url(req));
    assert_string_equal(answer.err.message, sentence);
    assert_int_equal(answer.err.code, FERRY_ECANCELED);
    assert_int_equal(origin_counts(origin).accepted, 0);
    ferry_request_free(req);
    ferry_context_free(context);
    ferry_client_free(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRANSPORT_TEST(test_before_the_head),
        TRANSPORT_TEST(test_in_the_head),
        TRANSPORT_TEST(test_before_the_body),
        TRANSPORT_TEST(test_in_the_body),
        TRANSPORT_TEST(test_one_deadline_for_head_and_body),
        TRANSPORT_TEST(test_timeout_ends_with_the_body),
        TRANSPORT_TEST(test_CL_051_while_dialing),
        TRANSPORT_TEST(test_canceled_before_and_while),
    };
    return cmocka_run_group_tests_name("client: timeouts", tests, NULL, NULL);
}
