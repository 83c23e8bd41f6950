/*
 * Threads that end, or go away, while a dial of theirs is under way.
 */
#include "transport_test.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

/* How many transports there are. */
static int transports(void)
{
    char *text = NULL;
    size_t len = 0;
    int count = 0;
    FILE *memory = open_memstream(&text, &len);
    assert_int_equal(ferry_metrics(memory), 0);
    fclose(memory);
    for (const char *at = text; (at = strstr(at, "\nferry_requests_total{")) != NULL; at++) {
        count++;
    }
    free(text);
    return count;
}

static int dial_for_ever(void *arg, const ferry_dial_target *target, ferry_error *err)
{
    (void)target;
    (void)err;
    gate_open(arg);
    ferry_sleep(3600 * 1000);
    return -1;
}

struct lost_dial {
    struct call call;
    struct gate dials;
};

static void leave_dialing(void *arg)
{
    struct lost_dial *lost = arg;
    (void)!ferry_go(run_call, &lost->call);
    (void)eventually(gate_is_open(&lost->dials));
}

/* The transport is as free as ever: nothing of such a dial holds it. */
static void test_thread_ends_in_a_dial_function(void **state)
{
    struct lost_dial *lost = KEPT(state, struct lost_dial, .call = {0});
    int before = transports();
    ferry_transport *transport = ferry_transport_new(
        FERRY_TRANSPORT_OPTIONS(.dial = dial_for_ever, .dial_arg = &lost->dials));
    lost->call = (struct call){.transport = transport, .req = request("GET", "http://h.example/")};

    run_elsewhere(leave_dialing, lost);
    assert_int_equal(stats_of(transport).dial_failures, 1);
    assert_int_equal(transports(), before + 1);
    ferry_transport_free(transport);
    assert_int_equal(transports(), before);
    ferry_request_free(lost->call.req);
}

/* On a thread: is served by a connection that comes free, while its own dial is under way, and goes away
 * with that. */
struct away {
    struct call call;
    struct gate is_away, come_back;
};

static void go_away(void *arg)
{
    struct away *away = arg;
    run_call(&away->call);
    gate_open(&away->is_away);
    gate_wait(&away->come_back, SOON_MS);
}

struct slow_second {
    struct gate go;
    atomic_int dials;
};

static void dial_slowly(void *arg)
{
    struct slow_second *slow = arg;
    if (++slow->dials == 2) {
        while (!gate_is_open(&slow->go)) {
            ferry_sleep(1);
        }
    }
}

static void test_a_dial_of_a_thread_that_is_away(void **state)
{
    struct origin *origin = serve_with(state, serve_identity, NULL);
    struct slow_second *slow = KEPT(state, struct slow_second, .dials = 0);
    struct dial_hook *hook = KEPT(state, struct dial_hook, .port = origin_port(origin),
                                  .during = dial_slowly, .during_arg = slow);
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.dial = dial_hook, .dial_arg = hook));
    struct call call = {
        .transport = transport, .url = origin_url(origin, "/"), .timeout_ms = SOON_MS / 2};
    struct away away = {.call = call};
    struct side side;
    char byte;

    away.call.keep_open = true;
    ferry_response *res = open_get(transport, call.url);
    start_side(&side, go_away, &away);
    assert_eventually(slow->dials == 2);
    read_exactly(res, &byte, 1);
    ferry_response_close(res);
    assert_true(eventually(gate_is_open(&away.is_away)));
    gate_open(&slow->go); /* nobody is there to see it */
    run_call(&call);
    gate_open(&away.come_back);
    end_side(&side);
    ferry_response_close(away.call.res);
    assert_got(call.outcome, 200, "2");
}

#define SOME "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsome"

/* The first connection's CONNECT is never answered; the second's response ends once its body is closed. */
struct late_end {
    struct origin *origin;
    struct gate closed, sent;
    struct call dialing;
};

static void serve_late_end(struct origin_conn *conn, void *arg)
{
    struct late_end *end = arg;
    char head[1024];
    if (origin_read_head(conn, head, sizeof head) <= 0) {
        return;
    }
    if (origin_conn_serial(conn) > 1 && origin_send_text(conn, "HTTP/1.1 200 OK\r\n\r\n") &&
        origin_read_request(conn) && origin_send_text(conn, SOME) &&
        origin_wait(conn, &end->closed)) {
        origin_send_text(conn, " more");
        gate_open(&end->sent);
    }
    origin_wait_eof(conn, -1);
}

static void leave_served(void *arg)
{
    struct late_end *end = arg;
    ferry_request *req = ferry_request_new("GET", "http://h.example/", NULL);
    (void)!ferry_go(run_call, &end->dialing);
    for (int i = 0; i < SOON_MS && origin_counts(end->origin).requests == 0; i++) {
        ferry_sleep(1);
    }
    ferry_response_close(ferry_transport_round_trip(end->dialing.transport, req, NULL));
    ferry_request_free(req);
    gate_open(&end->closed);
    gate_wait(&end->sent, SOON_MS);
}

/* A request that waits for its dial is served by a body's late end while the thread ends, and what it
 * was served with is closed before it is told: of its host nothing is left then. */
static void test_thread_ends_with_a_request_just_served(void **state)
{
    struct late_end *end = KEPT(state, struct late_end, .origin = NULL);
    struct origin *origin = serve_with(state, serve_late_end, end);
    ferry_transport *transport = transport_with(
        state, FERRY_TRANSPORT_OPTIONS(.proxy = origin_host(origin), .proxy_tunnel = true,
                                       .disable_monitor = true, .drain_ms = SOON_MS));

    end->origin = origin;
    end->dialing =
        (struct call){.transport = transport, .req = request("GET", "http://h.example/")};
    run_elsewhere(leave_served, end);
    assert_true(gate_is_open(&end->sent));
    assert_false(end->dialing.done);
    assert_int_equal(stats_of(transport).drained, 1);
    assert_int_equal(stats_of(transport).connections, 0);
    assert_int_equal(stats_of(transport).waiting, 0);
    assert_true(origin_await_open(origin, 0, SOON_MS));
    ferry_request_free(end->dialing.req);
}
int main(void)
{
    const struct CMUnitTest tests[] = {
        TRANSPORT_TEST(test_thread_ends_in_a_dial_function),
        TRANSPORT_TEST(test_a_dial_of_a_thread_that_is_away),
        TRANSPORT_TEST(test_thread_ends_with_a_request_just_served),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
