/*
 * Connections that idle: their time runs out, their server closes them or sends what nobody asked
 * for; and every reason that a connection is refused for, by its name.
 */
#include "transport_test.h"

#include <stdio.h>

#include "bytes.h"
#include "events.h"

#define OK2 "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

/* -------------------------------------------------------------------------------- idle timeout */

static void test_idle_timeout_closes_by_itself(void **state)
{
    struct origin *origin = serve_with(state, serve_identity, NULL);
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.idle_timeout_ms = 20));

    assert_got(get(transport, origin_url(origin, "/")), 200, "1");
    assert_int_equal(ferry_num_tasks(), 3);
    /* No request comes, the thread only waits in ferry. */
    assert_eventually(stats_of(transport).connections == 0);
    assert_int_equal(stats_of(transport).idle, 0);
    assert_eventually(ferry_num_tasks() == 1);
    assert_eventually(origin_counts(origin).open == 0);
    assert_got(get(transport, origin_url(origin, "/")), 200, "2");
}

/* A thread that was not in ferry when the time ran out: the next request looks at the clock. */
static void test_idle_timeout_seen_by_the_next_request(void **state)
{
    struct origin *origin = serve_with(state, serve_identity, NULL);
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.idle_timeout_ms = 20));

    assert_got(get(transport, origin_url(origin, "/")), 200, "1");
    events_sleep(40);
    assert_got(get(transport, origin_url(origin, "/")), 200, "2");
    assert_int_equal(stats_of(transport).reuses, 0);
}

/* The time counts from when the connection became idle, not from its birth. */
static void test_idle_timeout_is_of_idleness(void **state)
{
    struct gates *gates = KEPT(state, struct gates);
    struct origin *origin = serve_with(state, serve_gated, gates);
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.idle_timeout_ms = 50));
    struct call call = {.transport = transport, .url = origin_url(origin, "/0")};

    start_call(&call);
    ferry_sleep(120); /* in use for longer than it may idle */
    gate_open(&gates->go[0]);
    assert_eventually(call.done);
    assert_got(call.outcome, 200, "1");
    gates_open(gates);
    assert_got(get(transport, origin_url(origin, "/1")), 200, "1");
}

/* ----------------------------------------------------------------------------- server's closing */

/* One reply, then what the test wants on the idle connection: to be closed, or some bytes. */
struct afterwards {
    const char *reply; /* NULL: OK2 */
    struct gate go, gone;
    const char *bytes; /* NULL: closes */
    bool reset;
};

static void serve_afterwards(struct origin_conn *conn, void *arg)
{
    struct afterwards *afterwards = arg;
    while (origin_read_request(conn)) {
        origin_send_text(conn, afterwards->reply != NULL ? afterwards->reply : OK2);
        if (origin_conn_serial(conn) > 1) {
            continue;
        }
        if (!origin_wait(conn, &afterwards->go)) {
            return;
        }
        if (afterwards->bytes == NULL) {
            if (afterwards->reset) {
                origin_reset(conn);
            } else {
                origin_close(conn);
            }
            gate_open(&afterwards->gone);
            return;
        }
        origin_send_text(conn, afterwards->bytes);
        gate_open(&afterwards->gone);
    }
}

static void test_server_closes_an_idle_connection(void **state)
{
    struct afterwards *afterwards = KEPT(state, struct afterwards);
    struct origin *origin = serve_with(state, serve_afterwards, afterwards);
    ferry_transport *transport = transport_with(state, NULL);

    assert_got(get(transport, origin_url(origin, "/")), 200, "ok");
    assert_int_equal(stats_of(transport).idle, 1);
    gate_open(&afterwards->go);
    assert_eventually(stats_of(transport).connections == 0);
    assert_eventually(ferry_num_tasks() == 1);
    assert_got(get(transport, origin_url(origin, "/")), 200, "ok");
    assert_int_equal(stats_of(transport).reuses, 0);
}

/* The thread was not in ferry when the server closed. A POST cannot be sent twice, so it must not
 * meet the dead connection. */
static void closed_behind_the_back(void **state, bool reset)
{
    struct afterwards *afterwards = KEPT(state, struct afterwards, .reset = reset);
    struct origin *origin = serve_with(state, serve_afterwards, afterwards);
    ferry_transport *transport = transport_with(state, NULL);
    ferry_request *post = request("POST", origin_url(origin, "/"));
    ferry_request_set_body(post, "body", 4);

    assert_got(get(transport, origin_url(origin, "/")), 200, "ok");
    gate_open(&afterwards->go);
    assert_true(gate_wait(&afterwards->gone, SOON_MS));
    events_sleep(2);
    assert_got(send_and_read(transport, post), 200, "ok");
    assert_int_equal(stats_of(transport).retries, 0);
    assert_int_equal(stats_of(transport).reuses, 0);
    assert_int_equal(stats_of(transport).dials, 2);
    ferry_request_free(post);
}

static void test_closed_while_the_thread_was_elsewhere(void **state)
{
    closed_behind_the_back(state, false);
}

static void test_reset_while_the_thread_was_elsewhere(void **state)
{
    closed_behind_the_back(state, true);
}

static void unasked(void **state, const char *bytes)
{
    struct afterwards *afterwards = KEPT(state, struct afterwards, .bytes = bytes);
    struct origin *origin = serve_with(state, serve_afterwards, afterwards);
    ferry_transport *transport = transport_with(state, NULL);

    assert_got(get(transport, origin_url(origin, "/")), 200, "ok");
    assert_int_equal(stats_of(transport).idle, 1);
    gate_open(&afterwards->go);
    assert_eventually(stats_of(transport).connections == 0);
    assert_got(get(transport, origin_url(origin, "/")), 200, "ok");
    assert_int_equal(origin_counts(origin).accepted, 2);
}

static void test_unasked_byte(void **state)
{
    unasked(state, "x");
}

static void test_unasked_response(void **state)
{
    unasked(state, OK2);
}

static void test_unasked_408(void **state)
{
    unasked(state, "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n");
}

/* What a peer has sent ahead is never taken for the answer to the next request, whether the bytes
 * came with the response, or after it while the thread was elsewhere. */
static void test_unasked_while_the_thread_was_elsewhere(void **state)
{
    struct afterwards *afterwards =
        KEPT(state, struct afterwards, .bytes = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
    struct origin *origin = serve_with(state, serve_afterwards, afterwards);
    ferry_transport *transport = transport_with(state, NULL);

    assert_got(get(transport, origin_url(origin, "/")), 200, "ok");
    gate_open(&afterwards->go);
    assert_true(gate_wait(&afterwards->gone, SOON_MS));
    events_sleep(2);
    assert_got(get(transport, origin_url(origin, "/")), 200, "ok");
    assert_int_equal(origin_counts(origin).accepted, 2);
}

/* ------------------------------------------------------------------------- past the framed end */

static void past_the_end(void **state, const char *reply, const char *body)
{
    struct origin *origin = serve_reply(state, reply);
    ferry_transport *transport = transport_with(state, NULL);

    assert_got(get(transport, origin_url(origin, "/")), 200, body);
    assert_int_equal(stats_of(transport).connections, 0);
    assert_int_equal(stats_of(transport).put_results[FERRY_PUT_CONNECTION_BROKEN], 1);
    assert_got(get(transport, origin_url(origin, "/")), 200, body);
    assert_int_equal(stats_of(transport).reuses, 0);
    assert_int_equal(stats_of(transport).dials, 2);
}

static void test_past_a_sized_body(void **state)
{
    past_the_end(state, OK2 "x", "ok");
}

static void test_past_a_chunked_body(void **state)
{
    past_the_end(
        state,
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nHTTP/1.1 200",
        "ok");
}

static void test_past_no_body(void **state)
{
    past_the_end(state, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nx", "");
}

/* ------------------------------------------------------------------------------- put's refusals */

/* The answers to one request's put, as its trace tells them. */
struct puts {
    int count;
    int last;
};

static void note_put(void *arg, int result)
{
    struct puts *puts = arg;
    puts->count++;
    puts->last = result;
}

static struct puts traced_get(ferry_transport *transport, const char *url, bool read, int64_t ms)
{
    struct puts puts = {.last = -1};
    struct outcome outcome = {0};
    ferry_request *req = request("GET", url);
    ferry_request_set_trace(req, FERRY_TRACE(.put_idle_conn = note_put), &puts);
    ferry_request_set_timeout(req, ms);
    ferry_response *res = ferry_transport_round_trip(transport, req, &outcome.err);
    assert_non_null(res);
    if (read) {
        read_body(res, &outcome);
    }
    ferry_response_close(res);
    ferry_request_free(req);
    return puts;
}

/* One reply and the reason it leads to, told once, and counted. */
static void test_refusals_by_name(void **state)
{
    static const struct {
        const char *reply;
        enum origin_then then;
        ferry_transport_options options;
        bool read;
        int64_t timeout_ms;
        enum ferry_put_result result;
    } cases[] = {
        {OK2, ORIGIN_THEN_KEEP, {0}, true, 0, FERRY_PUT_OK},
        {OK2,
         ORIGIN_THEN_KEEP,
         {.disable_keep_alives = 1},
         true,
         0,
         FERRY_PUT_KEEP_ALIVES_DISABLED},
        {OK2, ORIGIN_THEN_KEEP, {.max_idle_per_host = -1}, true, 0, FERRY_PUT_KEEP_ALIVES_DISABLED},
        {OK2 "x", ORIGIN_THEN_KEEP, {0}, true, 0, FERRY_PUT_CONNECTION_BROKEN},
        {OK2, ORIGIN_THEN_KEEP, {.drain_bytes = -1}, false, 0, FERRY_PUT_CLOSED_EARLY},
        {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok",
         ORIGIN_THEN_CLOSE,
         {0},
         true,
         0,
         FERRY_PUT_BODY_ERROR},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n",
         ORIGIN_THEN_KEEP,
         {0},
         true,
         0,
         FERRY_PUT_BODY_ERROR},
        {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
         ORIGIN_THEN_KEEP,
         {0},
         true,
         0,
         FERRY_PUT_CLOSE_ASKED},
        {"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
         ORIGIN_THEN_KEEP,
         {0},
         true,
         0,
         FERRY_PUT_CLOSE_ASKED},
        {"HTTP/1.1 200 OK\r\n\r\nok", ORIGIN_THEN_CLOSE, {0}, true, 0, FERRY_PUT_CLOSE_ASKED},
        {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok",
         ORIGIN_THEN_HOLD,
         {0},
         true,
         50,
         FERRY_PUT_CANCELED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct origin_reply reply = {.bytes = cases[i].reply, .then = cases[i].then};
        struct origin *origin = origin_start_replies(&reply, 1);
        assert_non_null(origin);
        ferry_transport_options options = cases[i].options;
        options.size = sizeof options;
        ferry_transport *transport = ferry_transport_new(&options);
        assert_non_null(transport);

        struct puts puts =
            traced_get(transport, origin_url(origin, "/"), cases[i].read, cases[i].timeout_ms);
        assert_int_equal(puts.count, 1);
        assert_string_equal(ferry_put_result_string(puts.last),
                            ferry_put_result_string((int)cases[i].result));
        for (int result = 0; result < FERRY_PUT_RESULTS; result++) {
            assert_int_equal(stats_of(transport).put_results[result],
                             result == (int)cases[i].result ? 1 : 0);
        }
        assert_int_equal(stats_of(transport).puts, cases[i].result == FERRY_PUT_OK ? 1 : 0);
        assert_int_equal(stats_of(transport).connections, cases[i].result == FERRY_PUT_OK ? 1 : 0);
        ferry_transport_free(transport);
        assert_true(origin_stop(origin));
    }
    (void)state;
}

/* The rest of them take more than one request: TOO_MANY_IDLE_HOST, CLOSE_IDLE are in
 * test_pool_limits.c, REQUEST_NOT_WRITTEN in test_pool_reuse.c. max_idle refuses nobody: the one that
 * was idle for longest goes, whichever thread it lives on. */
struct elsewhere {
    ferry_transport *transport;
    const char *url;
    struct gate idle, go;
};

static void idle_elsewhere(void *arg)
{
    struct elsewhere *elsewhere = arg;
    struct outcome outcome = get(elsewhere->transport, elsewhere->url);
    (void)outcome;
    gate_open(&elsewhere->idle);
    gate_wait(&elsewhere->go, SOON_MS);
}

static void test_too_many_idle(void **state)
{
    struct origin *origin = serve_with(state, serve_identity, NULL);
    struct origin *other = serve_with(state, serve_identity, NULL);
    ferry_transport *transport = transport_with(state, FERRY_TRANSPORT_OPTIONS(.max_idle = 1));
    struct elsewhere elsewhere = {.transport = transport, .url = origin_url(other, "/")};
    struct side side;

    start_side(&side, idle_elsewhere, &elsewhere);
    assert_eventually(gate_is_open(&elsewhere.idle));
    assert_int_equal(stats_of(transport).idle, 1);
    assert_got(get(transport, origin_url(origin, "/")), 200, "1");
    assert_int_equal(stats_of(transport).idle, 1);
    assert_int_equal(idle_of(transport, origin), 1);
    gate_open(&elsewhere.go);
    end_side(&side);
    assert_int_equal(stats_of(transport).connections, 1);
    assert_got(get(transport, origin_url(origin, "/")), 200, "1");
}

static void test_transport_freed_while_in_use(void **state)
{
    struct origin *origin = serve_with(state, serve_identity, NULL);
    ferry_transport *transport = transport_with(state, NULL);
    char byte;

    ferry_response *res = open_get(transport, origin_url(origin, "/"));
    transport_done(state, transport);
    assert_int_equal(stats_of(transport).connections, 1);
    read_exactly(res, &byte, 1);
    assert_int_equal(byte, '1');
    assert_int_equal(stats_of(transport).connections, 0);
    assert_int_equal(stats_of(transport).put_results[FERRY_PUT_TRANSPORT_FREED], 1);
    ferry_response_close(res);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRANSPORT_TEST(test_idle_timeout_closes_by_itself),
        TRANSPORT_TEST(test_idle_timeout_seen_by_the_next_request),
        TRANSPORT_TEST(test_idle_timeout_is_of_idleness),
        TRANSPORT_TEST(test_server_closes_an_idle_connection),
        TRANSPORT_TEST(test_closed_while_the_thread_was_elsewhere),
        TRANSPORT_TEST(test_reset_while_the_thread_was_elsewhere),
        TRANSPORT_TEST(test_unasked_byte),
        TRANSPORT_TEST(test_unasked_response),
        TRANSPORT_TEST(test_unasked_408),
        TRANSPORT_TEST(test_unasked_while_the_thread_was_elsewhere),
        TRANSPORT_TEST(test_past_a_sized_body),
        TRANSPORT_TEST(test_past_a_chunked_body),
        TRANSPORT_TEST(test_past_no_body),
        TRANSPORT_TEST(test_refusals_by_name),
        TRANSPORT_TEST(test_too_many_idle),
        TRANSPORT_TEST(test_transport_freed_while_in_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
