/*
 * Many at once: what must hold whatever the order in which things happen. Every call returns, no
 * answer goes to the wrong question, nothing is left.
 */
#include "transport_test.h"

#include <stdio.h>
#include <stdlib.h>

#include "bytes.h"

/* -------------------------------------------------------------------- servers that close in the middle */

static void serve_surprise(struct origin_conn *conn, void *arg)
{
    (void)arg;
    if (origin_read_request(conn)) {
        origin_send(conn, BYTES("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHello"));
    }
}

/* A task that sends so many, one after the other. */
struct sender {
    ferry_transport *transport;
    const char *url;
    int count;
    int returned; /* with a response or an error */
    int wrong;
};

static void get_and_close(void *arg)
{
    struct sender *sender = arg;
    for (int i = 0; i < sender->count; i++) {
        ferry_request *req = ferry_request_new("GET", sender->url, NULL);
        ferry_response_close(ferry_transport_round_trip(sender->transport, req, NULL));
        ferry_request_free(req);
        sender->returned++;
    }
}

static void go_all(void (*run)(void *arg), struct sender *senders, int count)
{
    ferry_group *group = ferry_group_new();
    assert_non_null(group);
    for (int i = 0; i < count; i++) {
        assert_int_equal(ferry_group_go(group, run, &senders[i]), 0);
    }
    ferry_group_wait(group);
    ferry_group_free(group);
}

static void test_TR_014_surprise_closes(void **state)
{
    struct origin *origin = serve_with(state, serve_surprise, NULL);
    ferry_transport *transport = transport_with(state, NULL);
    struct sender senders[20];

    for (int i = 0; i < 20; i++) {
        senders[i] =
            (struct sender){.transport = transport, .url = origin_url(origin, "/"), .count = 25};
    }
    go_all(get_and_close, senders, 20);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(senders[i].returned, 25);
    }
    ferry_stats stats = stats_of(transport);
    assert_int_equal(stats.responses + stats.errors, 500);
    assert_int_equal(stats.open_responses, 0);
}

/* ------------------------------------------------------------------------------ empty responses */

static void get_empty(void *arg)
{
    struct sender *sender = arg;
    for (int i = 0; i < sender->count; i++) {
        struct outcome outcome = get(sender->transport, sender->url);
        sender->wrong += outcome.status != 200 || outcome.body_len != 0;
        sender->returned++;
    }
}

static void test_SV_105_empty_bodies_at_once(void **state)
{
    struct origin *origin = serve_reply(state, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    ferry_transport *transport = transport_with(state, NULL);
    struct sender senders[20];
    for (int i = 0; i < 20; i++) {
        senders[i] =
            (struct sender){.transport = transport, .url = origin_url(origin, "/"), .count = 5};
    }
    go_all(get_empty, senders, 20);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(senders[i].returned, 5);
        assert_int_equal(senders[i].wrong, 0);
    }
    assert_int_equal(origin_counts(origin).requests, 100);
    assert_int_equal(stats_of(transport).errors, 0);
}

/* --------------------------------------------------------------------------- no cross-talk */

/* The query is the answer. */
static void serve_echo(struct origin_conn *conn, void *arg)
{
    (void)arg;
    while (origin_read_request(conn)) {
        int number = -1;
        sscanf(origin_conn_request(conn).head, "GET /?echo=%d ", &number);
        char body[16];
        int len = snprintf(body, sizeof body, "%d", number);
        if (!origin_sendf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len, body)) {
            return;
        }
    }
}

/* Shared by the tasks: the next question. */
static int next_number;

static void ask(void *arg)
{
    struct sender *sender = arg;
    while (next_number < sender->count) {
        char url[128];
        char wanted[16];
        snprintf(wanted, sizeof wanted, "%d", next_number++);
        snprintf(url, sizeof url, "%s?echo=%s", sender->url, wanted);
        struct outcome outcome = get(sender->transport, url);
        sender->wrong += outcome.status != 200 || strcmp(outcome.body, wanted) != 0;
        sender->returned++;
    }
}

static void ask_with(void **state, int tasks, int questions, int max_per_host)
{
    struct origin *origin = serve_with(state, serve_echo, NULL);
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.max_per_host = max_per_host));
    struct sender *senders = calloc((size_t)tasks, sizeof *senders);
    int returned = 0;

    next_number = 0;
    for (int i = 0; i < tasks; i++) {
        senders[i] = (struct sender){
            .transport = transport, .url = origin_url(origin, "/"), .count = questions};
    }
    go_all(ask, senders, tasks);
    for (int i = 0; i < tasks; i++) {
        assert_int_equal(senders[i].wrong, 0);
        returned += senders[i].returned;
    }
    free(senders);
    assert_int_equal(returned, questions);
    /* Every dial has ended, and its connection is in the pool. */
    ferry_stats stats = stats_of(transport);
    assert_int_equal(stats.errors, 0);
    assert_int_equal(stats.waiting, 0);
    assert_eventually(stats_of(transport).idle == stats_of(transport).dials);
    assert_int_equal(stats_of(transport).connections, stats_of(transport).idle);
    if (max_per_host > 0) {
        assert_in_range(stats.dials, 1, max_per_host);
    }
}

static void test_TR_035_no_cross_talk(void **state)
{
    ask_with(state, 32, 500, 0);
}

/* The place of the one connection is given back once for each time it is taken, and nobody waits for
 * it for ever: else the 300 would not all come through. */
static void test_TR_126_one_place_for_300(void **state)
{
    ask_with(state, 300, 300, 1);
}

/* The same where each gives its connection up, so that the place is freed 300 times. */
static void test_one_place_freed_300_times(void **state)
{
    struct origin *origin = serve_with(state, serve_identity, NULL);
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.max_per_host = 1, .disable_keep_alives = 1));
    enum { CALLS = 300 };
    struct call *calls = calloc(CALLS, sizeof *calls);

    for (int i = 0; i < CALLS; i++) {
        calls[i] = (struct call){.transport = transport, .url = origin_url(origin, "/")};
    }
    run_calls(calls, CALLS);
    for (int i = 0; i < CALLS; i++) {
        char connection[8];
        snprintf(connection, sizeof connection, "%d", i + 1); /* in their order */
        assert_got(calls[i].outcome, 200, connection);
    }
    free(calls);
    assert_int_equal(stats_of(transport).dials, CALLS);
}

/* ------------------------------------------------------------------ deadlines in the middle of a send */

static void serve_204(struct origin_conn *conn, void *arg)
{
    (void)arg;
    if (origin_read_request(conn)) {
        origin_send(conn, BYTES("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"));
    }
}

/* The caller frees the body, and the request, as soon as the send has returned: were anything of
 * them still in use, a sanitizer would say so. */
static void test_TR_130_deadline_races_the_write(void **state)
{
    struct origin *origin = serve_with(state, serve_204, NULL);
    ferry_transport *transport = transport_with(state, NULL);
    unsigned random = 1;
    const size_t len = 10000;

    for (int i = 0; i < 1000; i++) {
        ferry_request *req = request("POST", origin_url(origin, "/"));
        char *body = malloc(len);
        memset(body, i, len);
        ferry_request_set_body(req, body, len);
        random = random * 1103515245 + 12345;
        ferry_request_set_timeout(req, (random >> 16) % 5);
        struct outcome outcome = send_and_read(transport, req);
        memset(body, 0xff, len);
        free(body);
        ferry_request_free(req);
        assert_true(outcome.status == 204 || outcome.err.code == FERRY_ETIMEOUT);
    }
    assert_int_equal(stats_of(transport).connections, 0);
}

/* ---------------------------------------------------------------------- aborted in the middle of an upload */

static void serve_abort(struct origin_conn *conn, void *arg)
{
    char head[4096];
    char some[1000];
    (void)arg;
    if (origin_read_head(conn, head, sizeof head) > 0) {
        (void)origin_read_some(conn, some, sizeof some);
        origin_reset(conn);
    }
}

#define UPLOAD ((size_t)6 << 20)

static void upload(void *arg)
{
    struct sender *sender = arg;
    char *body = calloc(1, UPLOAD);
    for (int i = 0; i < sender->count && body != NULL; i++) {
        ferry_request *req = ferry_request_new("POST", sender->url, NULL);
        ferry_request_set_body(req, body, UPLOAD);
        ferry_response_close(ferry_transport_round_trip(sender->transport, req, NULL));
        ferry_request_free(req);
        sender->returned++;
    }
    free(body);
}

static void test_TR_132_abort_during_an_upload(void **state)
{
    struct origin *origin = serve_with(state, serve_abort, NULL);
    ferry_transport *transport = transport_with(state, NULL);
    struct sender senders[2];

    for (int i = 0; i < 2; i++) {
        senders[i] =
            (struct sender){.transport = transport, .url = origin_url(origin, "/"), .count = 10};
    }
    go_all(upload, senders, 2);
    assert_int_equal(senders[0].returned + senders[1].returned, 20);
    assert_int_equal(stats_of(transport).connections, 0);
}

/* -------------------------------------------------------------------- a body that two have in hand */

/* Sends back each byte of the body as it comes. */
static void serve_mirror(struct origin_conn *conn, void *arg)
{
    char head[4096];
    char some[1000];
    (void)arg;
    if (origin_read_head(conn, head, sizeof head) <= 0 ||
        !origin_send(conn, BYTES("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"))) {
        return;
    }
    for (;;) {
        ssize_t got = origin_read_some(conn, some, sizeof some);
        if (got <= 0 || !origin_send(conn, some, (size_t)got)) {
            return;
        }
    }
}

/* The body that comes in, one half at once. */
static void serve_half(struct origin_conn *conn, void *arg)
{
    (void)arg;
    if (origin_read_request(conn) &&
        origin_send(conn, BYTES("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")) &&
        origin_send_pattern(conn, 50000)) {
        origin_wait_eof(conn, -1);
    }
}

static ssize_t read_incoming(void *res, void *buf, size_t len)
{
    return ferry_response_read(res, buf, len, NULL);
}

static void note_done(void *done)
{
    *(bool *)done = true;
}

/* A proxy passes what comes in on as its own request's body, reads half of the answer, and gives up:
 * it cancels, and closes what comes in, in which the outgoing request is just reading. */
static void test_SV_098_body_in_two_hands(void **state)
{
    struct origin *front = serve_with(state, serve_half, NULL);
    struct origin *back = serve_with(state, serve_mirror, NULL);
    ferry_transport *transport = transport_with(state, NULL);

    for (int round = 0; round < 10; round++) {
        ferry_context *context = ferry_context_new(-1);
        ferry_request *req = request("POST", origin_url(back, "/"));
        ferry_error err = {0};
        bool done = false;
        char buf[500];

        ferry_response *incoming = open_get(transport, origin_url(front, "/"));
        ferry_request_set_body_reader(req, read_incoming, NULL, incoming, 100000);
        ferry_request_set_body_done(req, note_done, &done);
        ferry_request_set_context(req, context);
        ferry_response *outgoing = ferry_transport_round_trip(transport, req, &err);
        assert_non_null(outgoing);
        for (int i = 0; i < 100; i++) {
            read_exactly(outgoing, buf, sizeof buf);
            assert_int_equal(pattern_match(buf, sizeof buf, (uint64_t)i * sizeof buf), sizeof buf);
        }
        if (round % 2 == 0) {
            ferry_context_cancel(context);
            ferry_response_close(incoming);
        } else {
            ferry_response_close(incoming);
            ferry_context_cancel(context);
        }
        assert_int_equal(ferry_response_read(outgoing, buf, sizeof buf, &err), -1);
        ferry_response_close(outgoing);
        assert_eventually(done);
        ferry_request_free(req);
        ferry_context_free(context);
        assert_eventually(stats_of(transport).connections == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRANSPORT_TEST(test_TR_014_surprise_closes),
        TRANSPORT_TEST(test_SV_105_empty_bodies_at_once),
        TRANSPORT_TEST(test_TR_035_no_cross_talk),
        TRANSPORT_TEST(test_TR_126_one_place_for_300),
        TRANSPORT_TEST(test_one_place_freed_300_times),
        TRANSPORT_TEST(test_TR_130_deadline_races_the_write),
        TRANSPORT_TEST(test_TR_132_abort_during_an_upload),
        TRANSPORT_TEST(test_SV_098_body_in_two_hands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
