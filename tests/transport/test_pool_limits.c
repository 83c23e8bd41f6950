/*
 * The pool's limits: idle connections in all and per host, connections per host with their queue,
 * and the state that close_idle leaves.
 */
#include "transport_test.h"

#include <stdio.h>

#include "bytes.h"
#include "task/sched.h"
#include "transport/transport.h"

#define EMPTY "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

/* ------------------------------------------------------------------------------- idle per host */

static void test_TR_009_max_idle_per_host(void **state)
{
    struct gates *gates = KEPT(state, struct gates);
    struct origin *origin = serve_with(state, serve_gated, gates);
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.max_idle_per_host = 2));
    struct call calls[3];
    const char *const paths[] = {"/0", "/1", "/2"};
    const int idle_after[] = {1, 2, 2};

    for (int i = 0; i < 3; i++) {
        calls[i] = (struct call){.transport = transport, .url = origin_url(origin, paths[i])};
        start_call(&calls[i]);
        assert_eventually(gate_is_open(&gates->arrived[i]));
    }
    assert_int_equal(idle_at(transport, NULL), 0);
    for (int i = 0; i < 3; i++) {
        gate_open(&gates->go[i]);
        assert_eventually(calls[i].done);
        assert_int_equal(calls[i].outcome.status, 200);
        assert_int_equal(idle_of(transport, origin), idle_after[i]);
    }
    assert_int_equal(stats_of(transport).connections, 2);
    assert_int_equal(stats_of(transport).put_results[FERRY_PUT_TOO_MANY_IDLE_HOST], 1);
}

static void test_max_idle_per_host_none(void **state)
{
    struct origin *origin = serve_with(state, serve_identity, NULL);
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.max_idle_per_host = -1));

    assert_got(get(transport, origin_url(origin, "/")), 200, "1");
    assert_got(get(transport, origin_url(origin, "/")), 200, "2");
    assert_int_equal(stats_of(transport).connections, 0);
    assert_int_equal(stats_of(transport).put_results[FERRY_PUT_KEEP_ALIVES_DISABLED], 2);
}

/* -------------------------------------------------------------------------------- idle in all */

static const char *const hosts[] = {"a.example:80", "b.example:80", "c.example:80", "d.example:80",
                                    "e.example:80"};

static void get_host(ferry_transport *transport, const char *host)
{
    char url[64];
    snprintf(url, sizeof url, "http://%s/", host);
    assert_got(get(transport, url), 200, "");
}

static void test_TR_102_max_idle(void **state)
{
    struct origin *origin = serve_reply(state, EMPTY);
    struct dial_hook hook = {.port = origin_port(origin)};
    ferry_transport *transport = transport_with(
        state, FERRY_TRANSPORT_OPTIONS(.max_idle = 4, .dial = dial_hook, .dial_arg = &hook));

    for (int i = 0; i < 4; i++) {
        get_host(transport, hosts[i]);
    }
    for (int i = 0; i < 4; i++) {
        assert_int_equal(idle_at(transport, hosts[i]), 1);
    }
    get_host(transport, hosts[4]);
    assert_int_equal(idle_at(transport, hosts[0]), 0);
    for (int i = 1; i < 5; i++) {
        assert_int_equal(idle_at(transport, hosts[i]), 1);
    }
    assert_eventually(origin_counts(origin).open == 4);

    /* Least recently used, not first opened: b is used again, so c is the next to go. */
    get_host(transport, hosts[1]);
    get_host(transport, hosts[0]);
    assert_int_equal(idle_at(transport, hosts[1]), 1);
    assert_int_equal(idle_at(transport, hosts[2]), 0);
    assert_int_equal(idle_at(transport, NULL), 4);
    assert_int_equal(stats_of(transport).connections, 4);
    assert_int_equal(stats_of(transport).put_results[FERRY_PUT_OK], 7);
}

/* ------------------------------------------------------------------------- connections per host */

static void test_TR_010_dial_in_progress_counts(void **state)
{
    struct origin *origin = serve_with(state, serve_identity, NULL);
    struct dial_hook hook = {.port = origin_port(origin), .stall_from = 1};
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.disable_keep_alives = 1, .max_per_host = 1,
                                                      .dial = dial_hook, .dial_arg = &hook));
    struct call first = {.transport = transport, .url = origin_url(origin, "/")};
    struct call second = first;

    start_call(&first);
    assert_eventually(hook.begun == 1);
    start_call(&second);
    assert_eventually(stats_of(transport).waiting == 2);
    ferry_sleep(MOMENT_MS);
    assert_int_equal(hook.begun, 1);

    hook.let_go = 1;
    assert_eventually(first.done && hook.begun == 2);
    assert_got(first.outcome, 200, "1");
    assert_false(second.done);
    hook.let_go = 2;
    assert_eventually(second.done);
    assert_got(second.outcome, 200, "2");
    assert_int_equal(stats_of(transport).waiting, 0);
}

#define QUEUE 6

/* The first request holds the one connection; the others come in one by one, and must be served as
 * they came. */
static void queue_in_order(void **state, bool keep_alives)
{
    struct gates *gates = KEPT(state, struct gates);
    struct origin *origin = serve_with(state, serve_gated, gates);
    ferry_transport *transport = transport_with(
        state, FERRY_TRANSPORT_OPTIONS(.max_per_host = 1, .disable_keep_alives = !keep_alives));
    struct call calls[QUEUE];
    int ended = 0;

    for (int i = 0; i < QUEUE; i++) {
        calls[i] = (struct call){.transport = transport,
                                 .url = origin_url(origin, i == 0 ? "/0" : "/1"),
                                 .ended = &ended};
        start_call(&calls[i]);
        assert_eventually(i == 0 ? gate_is_open(&gates->arrived[0])
                                 : stats_of(transport).waiting == (uint64_t)i);
    }
    gate_open(&gates->go[1]);
    assert_int_equal(stats_of(transport).dials, 1);
    gate_open(&gates->go[0]);
    assert_eventually(ended == QUEUE);
    for (int i = 0; i < QUEUE; i++) {
        char connection[8];
        snprintf(connection, sizeof connection, "%d", keep_alives ? 1 : i + 1);
        assert_got(calls[i].outcome, 200, connection);
        assert_int_equal(calls[i].order, i + 1);
    }
    assert_int_equal(stats_of(transport).dials, keep_alives ? 1 : QUEUE);
}

static void test_queue_in_order_on_one_connection(void **state)
{
    queue_in_order(state, true);
}

static void test_queue_in_order_each_dials(void **state)
{
    queue_in_order(state, false);
}

/* A place that a failed dial frees goes to the next in the queue. */
static void test_queue_goes_on_after_a_failed_dial(void **state)
{
    struct origin *origin = serve_with(state, serve_identity, NULL);
    struct dial_hook hook = {.port = origin_port(origin), .stall_from = 1, .fail_from = 1};
    ferry_transport *transport = transport_with(
        state, FERRY_TRANSPORT_OPTIONS(.max_per_host = 1, .dial = dial_hook, .dial_arg = &hook));
    struct call first = {.transport = transport, .url = origin_url(origin, "/")};
    struct call second = first;

    start_call(&first);
    assert_eventually(hook.begun == 1);
    start_call(&second);
    assert_eventually(stats_of(transport).waiting == 2);
    hook.let_go = 1;
    assert_eventually(hook.ended == 1);
    hook.fail_from = 0;
    hook.let_go = 2;
    assert_eventually(first.done && second.done);
    assert_failed(first.outcome, FERRY_ECONNECT, "dial tcp: the test's dial failed");
    assert_got(second.outcome, 200, "1");
    assert_int_equal(stats_of(transport).dial_failures, 1);
}

/* Whoever gives up leaves the queue, wherever he stands in it; the others move up. */
static void test_queue_without_the_cancelled(void **state)
{
    struct gates *gates = KEPT(state, struct gates);
    struct origin *origin = serve_with(state, serve_gated, gates);
    ferry_transport *transport = transport_with(state, FERRY_TRANSPORT_OPTIONS(.max_per_host = 1));
    ferry_context *context = ferry_context_new(-1);
    struct call calls[4];
    int ended = 0;

    for (int i = 0; i < 4; i++) {
        calls[i] = (struct call){.transport = transport,
                                 .url = origin_url(origin, "/0"),
                                 .context = i == 1 || i == 3 ? context : NULL,
                                 .ended = &ended};
        start_call(&calls[i]);
        assert_eventually(i == 0 ? gate_is_open(&gates->arrived[0])
                                 : stats_of(transport).waiting == (uint64_t)i);
    }
    ferry_context_cancel(context);
    assert_eventually(ended == 2);
    assert_failed(calls[1].outcome, FERRY_ECANCELED, "while waiting for a connection");
    assert_failed(calls[3].outcome, FERRY_ECANCELED, "while waiting for a connection");
    assert_int_equal(stats_of(transport).waiting, 1);
    gate_open(&gates->go[0]);
    assert_eventually(ended == 4);
    assert_got(calls[0].outcome, 200, "1");
    assert_got(calls[2].outcome, 200, "1");
    ferry_context_free(context);
}

static bool anything_watches_a_context(void)
{
    bool watches = !fy_list_empty(&fy_enter()->cancels);
    fy_leave();
    return watches;
}

/* A context that something of the library still held would not be freed with its owner's hold, which
 * a leak checker then reports. */
static void test_TR_030_contexts_are_let_go(void **state)
{
    struct origin *origin = serve_reply(state, EMPTY);
    ferry_transport *transport = transport_with(state, FERRY_TRANSPORT_OPTIONS(.max_per_host = 1));
    enum { CALLS = 64 };
    struct call calls[CALLS];
    ferry_context *contexts[CALLS];
    ferry_request *posts[CALLS];

    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < CALLS; i++) {
            contexts[i] = ferry_context_new(-1);
            posts[i] = request("POST", origin_url(origin, "/"));
            ferry_request_set_body(posts[i], "body", 4);
            ferry_request_set_context(posts[i], contexts[i]);
            calls[i] = (struct call){.transport = transport, .req = posts[i]};
        }
        run_calls(calls, CALLS);
        assert_false(anything_watches_a_context());
        assert_int_equal(stats_of(transport).waiting, 0);
        for (int i = 0; i < CALLS; i++) {
            assert_got(calls[i].outcome, 200, "");
            ferry_request_free(posts[i]);
            ferry_context_free(contexts[i]);
        }
    }
    assert_int_equal(origin_counts(origin).accepted, 1);
}

/* --------------------------------------------------------------------- a dial races a free one */

/* The first connection sends a head, and the body's end when it is let go; the others answer at
 * once. */
static void serve_slow_first(struct origin_conn *conn, void *go)
{
    while (origin_read_request(conn)) {
        origin_sendf(conn, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nPeer: %u\r\n\r\n",
                     origin_conn_serial(conn));
        if (!origin_wait(conn, go) || !origin_send(conn, BYTES("x"))) {
            return;
        }
    }
}

static void test_TR_051_late_binding(void **state)
{
    struct gate *go = KEPT(state, struct gate);
    struct origin *origin = serve_with(state, serve_slow_first, go);
    struct dial_hook hook = {.port = origin_port(origin), .stall_from = 2, .fail_from = 2};
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.dial = dial_hook, .dial_arg = &hook));
    struct outcome a = {0};
    struct call b = {.transport = transport, .url = origin_url(origin, "/b")};

    ferry_response *res = open_get(transport, origin_url(origin, "/a"));
    start_call(&b);
    assert_eventually(hook.begun == 2);
    ferry_sleep(MOMENT_MS);
    assert_false(b.done);

    gate_open(go);
    read_body(res, &a);
    ferry_response_close(res);
    assert_eventually(b.done);
    assert_got(b.outcome, 200, "x");
    assert_string_equal(b.outcome.peer, "1");
    assert_int_equal(hook.ended, 1); /* its own dial is still under way */

    hook.let_go = 2; /* and fails, which is nobody's business any more */
    assert_eventually(hook.ended == 2);
    assert_eventually(stats_of(transport).dial_failures == 1);
    assert_got(get(transport, origin_url(origin, "/c")), 200, "x");
}

/* A dial that nobody needs any more ends in the pool. */
static void test_late_dial_joins_the_pool(void **state)
{
    struct gate *go = KEPT(state, struct gate);
    struct origin *origin = serve_with(state, serve_slow_first, go);
    struct dial_hook hook = {.port = origin_port(origin), .stall_from = 2};
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.dial = dial_hook, .dial_arg = &hook));
    struct call b = {.transport = transport, .url = origin_url(origin, "/b")};
    char byte;

    ferry_response *res = open_get(transport, origin_url(origin, "/a"));
    start_call(&b);
    assert_eventually(hook.begun == 2);
    gate_open(go);
    read_exactly(res, &byte, 1);
    ferry_response_close(res);
    assert_eventually(b.done);
    assert_int_equal(idle_of(transport, origin), 1);
    hook.let_go = 2;
    assert_eventually(idle_of(transport, origin) == 2);
    assert_int_equal(stats_of(transport).connections, 2);
}

/* ... but nobody's for ever. One of a hook's dials does not come back before it is let go. */
struct hung_dial {
    int number, begun;
    bool let_go;
};

static void hang(void *arg)
{
    struct hung_dial *hung = arg;
    bool hangs = ++hung->begun == hung->number;
    while (hangs && !hung->let_go) {
        ferry_sleep(1);
    }
}

static void test_a_given_up_dial_is_not_relied_on(void **state)
{
    struct origin *origin = serve_with(state, serve_identity, NULL);
    struct hung_dial hung = {.number = 1};
    struct dial_hook hook = {.port = origin_port(origin), .during = hang, .during_arg = &hung};
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.dial = dial_hook, .dial_arg = &hook));
    struct call call = {
        .transport = transport, .url = origin_url(origin, "/"), .timeout_ms = MOMENT_MS};

    run_call(&call);
    assert_failed(call.outcome, FERRY_ETIMEOUT, "while waiting for a connection");
    call.timeout_ms = SOON_MS;
    run_call(&call);
    assert_got(call.outcome, 200, "1");
    hung.let_go = true;
    assert_eventually(stats_of(transport).idle == 2);
    assert_int_equal(hook.begun, 2);
}

static void test_a_hung_dial_is_not_relied_on_for_long(void **state)
{
    struct gate *go = KEPT(state, struct gate);
    struct origin *origin = serve_with(state, serve_slow_first, go);
    struct hung_dial hung = {.number = 2};
    struct dial_hook hook = {.port = origin_port(origin), .during = hang, .during_arg = &hung};
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.dial = dial_hook, .dial_arg = &hook));
    struct call calls[4];
    char byte;
    for (int i = 0; i < 4; i++) {
        calls[i] = (struct call){.transport = transport,
                                 .url = origin_url(origin, "/"),
                                 .timeout_ms = SOON_MS,
                                 .keep_open = true};
    }

    ferry_response *res = open_get(transport, calls[0].url);
    start_call(&calls[0]);
    assert_eventually(hook.begun == 2);
    gate_open(go);
    read_exactly(res, &byte, 1);
    ferry_response_close(res);
    assert_eventually(calls[0].done); /* by the first connection, which it holds */
    calls[1].timeout_ms = MOMENT_MS;
    run_call(&calls[1]); /* has no time to see that the second dial brings nothing */
    assert_failed(calls[1].outcome, FERRY_ETIMEOUT, "while waiting for a connection");
    for (int i = 2; i < 4; i++) {
        run_call(&calls[i]);
        assert_non_null(calls[i].res);
        assert_int_equal(hook.begun, i + 1);
    }
    hung.let_go = true;
    assert_eventually(stats_of(transport).idle == 1);
    /* With its end the books are even again: a dial that is spare now is relied on. */
    ferry_response_close(calls[0].res);
    ferry_response_close(calls[2].res);
    ferry_response_close(calls[3].res);
    assert_eventually(stats_of(transport).idle == 4);
    ferry_transport_close_idle(transport);
    assert_null(transport->pool.hosts);
}

static void test_TR_058_no_waiters_left(void **state)
{
    struct origin *origin = serve_reply(state, EMPTY);
    struct dial_hook hook = {.port = origin_port(origin)};
    for (int keep_alives = 0; keep_alives < 2; keep_alives++) {
        ferry_transport *transport =
            transport_with(state, FERRY_TRANSPORT_OPTIONS(.disable_keep_alives = !keep_alives,
                                                          .dial = dial_hook, .dial_arg = &hook));
        ferry_response *res[5];
        for (int i = 0; i < 5; i++) {
            char url[64];
            snprintf(url, sizeof url, "http://%s/", hosts[i]);
            res[i] = open_get(transport, url);
        }
        assert_int_equal(stats_of(transport).waiting, 0);
        assert_eventually(stats_of(transport).connections == (keep_alives ? 5 : 0));
        /* Without connections and waiters nothing is known of a host any more. */
        assert_int_equal(transport->pool.hosts != NULL, keep_alives);
        for (int i = 0; i < 5; i++) {
            ferry_response_close(res[i]);
        }
    }
}

/* ----------------------------------------------------------------------------------- close_idle */

static void test_TR_070_close_idle_then_return(void **state)
{
    struct origin *origin = serve_with(state, serve_identity, NULL);
    ferry_transport *transport = transport_with(state, NULL);
    ferry_response *res[3];
    char byte;

    for (int i = 0; i < 3; i++) {
        res[i] = open_get(transport, origin_url(origin, "/"));
    }
    assert_int_equal(idle_of(transport, origin), 0);
    read_exactly(res[0], &byte, 1);
    read_exactly(res[1], &byte, 1);
    assert_int_equal(idle_of(transport, origin), 2);
    ferry_transport_close_idle(transport);
    assert_int_equal(idle_of(transport, origin), 0);

    read_exactly(res[2], &byte, 1); /* comes back, and is refused */
    assert_int_equal(idle_of(transport, origin), 0);
    assert_int_equal(stats_of(transport).put_results[FERRY_PUT_CLOSE_IDLE], 1);
    assert_int_equal(stats_of(transport).connections, 0);

    assert_got(get(transport, origin_url(origin, "/")), 200, "4"); /* which ends that state */
    assert_int_equal(idle_of(transport, origin), 1);
    for (int i = 0; i < 3; i++) {
        ferry_response_close(res[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRANSPORT_TEST(test_TR_009_max_idle_per_host),
        TRANSPORT_TEST(test_max_idle_per_host_none),
        TRANSPORT_TEST(test_TR_102_max_idle),
        TRANSPORT_TEST(test_TR_010_dial_in_progress_counts),
        TRANSPORT_TEST(test_queue_in_order_on_one_connection),
        TRANSPORT_TEST(test_queue_in_order_each_dials),
        TRANSPORT_TEST(test_queue_goes_on_after_a_failed_dial),
        TRANSPORT_TEST(test_queue_without_the_cancelled),
        TRANSPORT_TEST(test_TR_030_contexts_are_let_go),
        TRANSPORT_TEST(test_TR_051_late_binding),
        TRANSPORT_TEST(test_late_dial_joins_the_pool),
        TRANSPORT_TEST(test_a_given_up_dial_is_not_relied_on),
        TRANSPORT_TEST(test_a_hung_dial_is_not_relied_on_for_long),
        TRANSPORT_TEST(test_TR_058_no_waiters_left),
        TRANSPORT_TEST(test_TR_070_close_idle_then_return),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
