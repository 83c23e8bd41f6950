/*
 * One transport, several threads: limits that hold for all of them, responses that change hands, and
 * threads that end with something open.
 */
#include "transport_test.h"

#include <pthread.h>
#include <stdio.h>

#include "bytes.h"
#include "dead_end.h"

static void close_it(void *res)
{
    ferry_response_close(res);
}

/* ------------------------------------------------------------------------- limits for all threads */

static void test_a_connection_goes_to_the_thread_that_waits(void **state)
{
    struct origin *origin = serve_with(state, serve_identity, NULL);
    ferry_transport *transport = transport_with(state, FERRY_TRANSPORT_OPTIONS(.max_per_host = 1));
    struct call call = {.transport = transport, .url = origin_url(origin, "/")};
    struct side side;
    char byte;

    ferry_response *res = open_get(transport, origin_url(origin, "/"));
    start_side(&side, run_call, &call);
    assert_eventually(stats_of(transport).waiting == 1);
    ferry_sleep(MOMENT_MS);
    assert_false(call.done);
    read_exactly(res, &byte, 1); /* the connection does not idle: it is waited for */
    assert_int_equal(idle_of(transport, origin), 0);
    end_side(&side);
    assert_got(call.outcome, 200, "1");
    assert_int_equal(stats_of(transport).dials, 1);
    ferry_response_close(res);
}

/* The thread that has the idle connection is not in ferry, and does not need to be. */
static void test_an_idle_connection_is_taken_along(void **state)
{
    struct origin *origin = serve_with(state, serve_identity, NULL);
    ferry_transport *transport = transport_with(state, FERRY_TRANSPORT_OPTIONS(.max_per_host = 1));
    struct call call = {.transport = transport, .url = origin_url(origin, "/")};

    assert_got(get(transport, origin_url(origin, "/")), 200, "1");
    assert_int_equal(idle_of(transport, origin), 1);
    run_elsewhere(run_call, &call);
    assert_got(call.outcome, 200, "1");
    assert_int_equal(idle_of(transport, origin), 1); /* its new thread has ended, and it has not */
    assert_got(get(transport, origin_url(origin, "/")), 200, "1");
}

#define HAMMERERS 3
#define TASKS 6
#define GETS 15

/* A thread's tasks. */
struct hammer {
    ferry_transport *transport;
    const char *url;
    int good; /* all on one thread */
};

static void hammer_task(void *arg)
{
    struct hammer *hammer = arg;
    for (int i = 0; i < GETS; i++) {
        struct outcome outcome = get(hammer->transport, hammer->url);
        hammer->good += outcome.status == 200 && outcome.body_len > 0;
    }
}

static void hammer_thread(void *arg)
{
    struct hammer *hammer = arg;
    ferry_group *group = ferry_group_new();
    for (int i = 0; i < TASKS; i++) {
        (void)!ferry_group_go(group, hammer_task, hammer);
    }
    ferry_group_wait(group);
    ferry_group_free(group);
}

static void test_limit_holds_over_all_threads(void **state)
{
    struct origin *origin = serve_with(state, serve_identity, NULL);
    ferry_transport *transport = transport_with(state, FERRY_TRANSPORT_OPTIONS(.max_per_host = 2));
    struct hammer hammers[HAMMERERS];
    struct side sides[HAMMERERS];

    for (int i = 0; i < HAMMERERS; i++) {
        hammers[i] = (struct hammer){.transport = transport, .url = origin_url(origin, "/")};
        start_side(&sides[i], hammer_thread, &hammers[i]);
    }
    uint64_t most = 0;
    for (int i = 0; i < HAMMERERS; i++) {
        while (!sides[i].done) {
            uint64_t now = stats_of(transport).connections;
            most = now > most ? now : most;
            ferry_sleep(1);
        }
        end_side(&sides[i]);
        assert_int_equal(hammers[i].good, TASKS * GETS);
    }
    assert_in_range(most, 0, 2);
    assert_int_equal(stats_of(transport).waiting, 0);
    assert_int_equal(stats_of(transport).responses, HAMMERERS * TASKS * GETS);
}

static void close_all_idle(void *transport)
{
    ferry_transport_close_idle(transport);
}

static void test_close_idle_of_every_thread(void **state)
{
    struct origin *origin = serve_with(state, serve_identity, NULL);
    ferry_transport *transport = transport_with(state, NULL);

    assert_got(get(transport, origin_url(origin, "/")), 200, "1");
    run_elsewhere(close_all_idle, transport);
    assert_int_equal(stats_of(transport).connections, 0);
    assert_true(origin_await_open(origin, 0, SOON_MS)); /* and this thread was not in ferry */
    assert_got(get(transport, origin_url(origin, "/")), 200, "2");
}

/* ------------------------------------------------------------------- responses that change hands */

/* One that waits for another thread. */
struct reading {
    ferry_response *res;
    ssize_t result;
    ferry_error err;
};

static void read_one(void *arg)
{
    struct reading *reading = arg;
    char byte;
    reading->result = ferry_response_read(reading->res, &byte, 1, &reading->err);
}

static void test_read_on_another_thread(void **state)
{
    struct origin *origin = serve_with(state, serve_identity, NULL);
    ferry_transport *transport = transport_with(state, NULL);
    struct reading reading = {.res = open_get(transport, origin_url(origin, "/"))};
    char byte;

    run_elsewhere(read_one, &reading);
    assert_int_equal(reading.result, -1);
    assert_error(&reading.err, FERRY_ETHREAD, "is used on a thread that did not open it");
    read_exactly(reading.res, &byte, 1); /* none the worse for it */
    assert_int_equal(byte, '1');
    ferry_response_close(reading.res);
}

static void serve_stalled(struct origin_conn *conn, void *reply)
{
    if (origin_read_request(conn) && origin_send_text(conn, reply)) {
        origin_wait_eof(conn, -1);
    }
}

#define SOME_OF_9 "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsome"
#define ALL_OF_4 "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nsome"

static void test_close_on_another_thread(void **state)
{
    struct origin *origin = serve_with(state, serve_stalled, (void *)SOME_OF_9);
    ferry_transport *transport = transport_with(state, FERRY_TRANSPORT_OPTIONS(.drain_bytes = -1));

    ferry_response *res = open_get(transport, origin_url(origin, "/"));
    run_elsewhere(close_it, res);
    assert_int_equal(ferry_open_responses(NULL), 0);
    assert_int_equal(stats_of(transport).open_responses, 0);
    assert_int_equal(stats_of(transport).connections, 1); /* till its owner next runs */
    ferry_yield();
    assert_eventually(stats_of(transport).connections == 0);
}

static void test_close_on_another_thread_drains(void **state)
{
    struct origin *origin = serve_with(state, serve_identity, NULL);
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.drain_ms = SOON_MS));

    ferry_response *res = open_get(transport, origin_url(origin, "/"));
    run_elsewhere(close_it, res);
    assert_eventually(stats_of(transport).idle == 1);
    assert_got(get(transport, origin_url(origin, "/")), 200, "1");
}

/* Its owner sleeps in ferry, and is woken for it. */
static void test_close_on_another_thread_wakes_the_owner(void **state)
{
    struct origin *origin = serve_with(state, serve_stalled, (void *)SOME_OF_9);
    ferry_transport *transport = transport_with(state, FERRY_TRANSPORT_OPTIONS(.drain_bytes = -1));
    struct side side;

    ferry_response *res = open_get(transport, origin_url(origin, "/"));
    start_side(&side, close_it, res);
    assert_true(eventually(stats_of(transport).connections == 0));
    end_side(&side);
}

/* ------------------------------------------------------------------------------ threads that end */

/* What a thread leaves behind. */
struct leaver {
    ferry_transport *transport;
    const char *url;
    const char *more;      /* of another host, whose dial goes nowhere; NULL: none */
    ferry_response *open;  /* neither read nor closed */
    ferry_response *begun; /* read in part */
    struct call call, other_call;
};

static void leave_idle(void *arg)
{
    struct leaver *leaver = arg;
    struct outcome outcome = get(leaver->transport, leaver->url);
    (void)outcome;
}

static ferry_response *open_quietly(struct leaver *leaver)
{
    ferry_request *req = ferry_request_new("GET", leaver->url, NULL);
    ferry_response *res = ferry_transport_round_trip(leaver->transport, req, NULL);
    ferry_request_free(req);
    return res;
}

static void leave_open(void *arg)
{
    struct leaver *leaver = arg;
    char byte;
    leave_idle(leaver);
    leaver->open = open_quietly(leaver);
    leaver->begun = open_quietly(leaver);
    (void)!ferry_response_read(leaver->begun, &byte, 1, NULL);
}

static void read_for_ever(void *arg)
{
    char buf[64];
    while (ferry_response_read(arg, buf, sizeof buf, NULL) > 0) {}
}

/* Ends with a task of its own in the middle of a read, of a response that outlives the thread. */
static void leave_reading(void *arg)
{
    struct leaver *leaver = arg;
    leaver->open = open_quietly(leaver);
    if (ferry_go(read_for_ever, leaver->open) == 0) {
        ferry_sleep(MOMENT_MS);
    }
}

static void test_thread_ends_with_a_read_under_way(void **state)
{
    struct origin *origin = serve_with(state, serve_stalled, (void *)SOME_OF_9);
    ferry_transport *transport = transport_with(state, NULL);
    struct leaver leaver = {.transport = transport, .url = origin_url(origin, "/")};

    run_elsewhere(leave_reading, &leaver);
    assert_non_null(leaver.open);
    assert_int_equal(stats_of(transport).connections, 0);
    assert_int_equal(ferry_num_tasks(), 1);
    assert_int_equal(ferry_open_responses(NULL), 1);
    ferry_response_close(
        leaver.open); /* frees it, though the reader never left: leak checkers see it */
    assert_int_equal(ferry_open_responses(NULL), 0);
    assert_int_equal(stats_of(transport).open_responses, 0);
}

static void test_thread_ends_with_idle_connections(void **state)
{
    struct origin *origin = serve_with(state, serve_identity, NULL);
    ferry_transport *transport = transport_with(state, NULL);
    struct leaver leaver = {.transport = transport, .url = origin_url(origin, "/")};

    run_elsewhere(leave_idle, &leaver);
    assert_int_equal(stats_of(transport).connections, 1);
    assert_int_equal(stats_of(transport).idle, 1);
    assert_int_equal(ferry_num_tasks(), 3); /* its two loops, and no thread but this one */
    assert_got(get(transport, origin_url(origin, "/")), 200, "1");
}

static void test_thread_ends_with_open_responses(void **state)
{
    struct origin *origin = serve_reply(state, ALL_OF_4);
    ferry_transport *transport = transport_with(state, NULL);
    struct leaver leaver = {.transport = transport, .url = origin_url(origin, "/")};
    struct reading reading;

    run_elsewhere(leave_open, &leaver);
    assert_non_null(leaver.open);
    assert_int_equal(stats_of(transport).connections, 0);
    assert_true(origin_await_open(origin, 0, SOON_MS));
    assert_int_equal(ferry_num_tasks(), 1);
    /* The responses are there still, and on the ledger; what is read is not to be had any more. */
    assert_int_equal(ferry_open_responses(NULL), 2);
    assert_int_equal(ferry_response_status(leaver.open), 200);
    assert_string_equal(ferry_response_header(leaver.open, "Content-Length"), "4");
    reading = (struct reading){.res = leaver.open};
    read_one(&reading);
    assert_int_equal(reading.result, -1);
    assert_error(&reading.err, FERRY_ETHREAD, NULL);
    ferry_response_close(leaver.open);
    run_elsewhere(close_it, leaver.begun);
    assert_int_equal(ferry_open_responses(NULL), 0);
    assert_int_equal(stats_of(transport).open_responses, 0);
}

/* A later thread may have the former one's scheduler. What was received may be read there, or may not;
 * the connection is gone either way. */
static void test_thread_after_one_that_ended(void **state)
{
    struct origin *origin = serve_reply(state, ALL_OF_4);
    ferry_transport *transport = transport_with(state, NULL);
    struct leaver leaver = {.transport = transport, .url = origin_url(origin, "/")};
    struct reading reading;

    run_elsewhere(leave_open, &leaver);
    reading = (struct reading){.res = leaver.open};
    run_elsewhere(read_one, &reading);
    assert_true(reading.result == 1 || reading.err.code != 0);
    run_elsewhere(close_it, leaver.open);
    assert_int_equal(stats_of(transport).puts, 1); /* that of the thread's first, to its end */
    ferry_response_close(leaver.begun);
}

/* Tasks of the thread stand at every stage: their requests go with it, and so do dials. (What such a
 * task itself has allocated is lost with it, so the requests are the test's.) */
struct abandoned {
    struct origin *origin;
    struct call dialing, queueing, awaiting;
};

static void sleep_long(void *arg)
{
    (void)arg;
    ferry_sleep(60000);
}

static void leave_in_flight(void *arg)
{
    struct abandoned *abandoned = arg;
    (void)!ferry_go(sleep_long, NULL);
    (void)!ferry_go(run_call, &abandoned->awaiting);
    for (int i = 0; i < SOON_MS && origin_counts(abandoned->origin).requests == 0; i++) {
        ferry_sleep(1);
    }
    (void)!ferry_go(run_call, &abandoned->queueing);
    (void)!ferry_go(run_call, &abandoned->dialing);
    for (int i = 0; i < SOON_MS && stats_of(abandoned->dialing.transport).waiting < 1; i++) {
        ferry_sleep(1);
    }
    ferry_sleep(2);
}

static void test_thread_ends_with_requests_in_flight(void **state)
{
    struct origin *origin = serve_with(state, serve_stalled, (void *)"");
    ferry_transport *limited = transport_with(state, FERRY_TRANSPORT_OPTIONS(.max_per_host = 1));
    ferry_transport *dials = transport_with(state, NULL);
    struct dead_end silent;
    struct abandoned *abandoned = KEPT(state, struct abandoned, .origin = origin);

    assert_true(dead_end_silence(&silent));
    abandoned->awaiting =
        (struct call){.transport = limited, .req = request("GET", origin_url(origin, "/"))};
    abandoned->queueing = abandoned->awaiting;
    abandoned->queueing.req = request("GET", origin_url(origin, "/"));
    abandoned->dialing = (struct call){.transport = dials, .req = request("GET", silent.url)};

    /* With deadlines and a context: what watches them goes, too. */
    ferry_request_set_timeout(abandoned->awaiting.req, 50000);
    ferry_request_set_timeout(abandoned->dialing.req, 70000);
    ferry_context *context = ferry_context_new(65000);
    ferry_request_set_context(abandoned->queueing.req, context);

    run_elsewhere(leave_in_flight, abandoned);
    ferry_context_cancel(context);
    ferry_context_free(context);
    assert_false(abandoned->awaiting.done || abandoned->queueing.done || abandoned->dialing.done);
    assert_int_equal(ferry_num_tasks(), 1);
    assert_int_equal(stats_of(limited).connections, 0);
    assert_int_equal(stats_of(limited).waiting, 0);
    assert_int_equal(stats_of(dials).waiting, 0);
    assert_true(origin_await_open(origin, 0, SOON_MS));
    dead_end_close(&silent);
    ferry_request_free(abandoned->awaiting.req);
    ferry_request_free(abandoned->queueing.req);
    ferry_request_free(abandoned->dialing.req);

    struct call call = {.transport = limited, .url = origin_url(origin, "/"), .timeout_ms = 50};
    run_call(&call); /* the place is free: it comes to the server */
    assert_failed(call.outcome, FERRY_ETIMEOUT, "while waiting for the response");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRANSPORT_TEST(test_a_connection_goes_to_the_thread_that_waits),
        TRANSPORT_TEST(test_an_idle_connection_is_taken_along),
        TRANSPORT_TEST(test_limit_holds_over_all_threads),
        TRANSPORT_TEST(test_close_idle_of_every_thread),
        TRANSPORT_TEST(test_read_on_another_thread),
        TRANSPORT_TEST(test_close_on_another_thread),
        TRANSPORT_TEST(test_close_on_another_thread_drains),
        TRANSPORT_TEST(test_close_on_another_thread_wakes_the_owner),
        TRANSPORT_TEST(test_thread_ends_with_a_read_under_way),
        TRANSPORT_TEST(test_thread_ends_with_idle_connections),
        TRANSPORT_TEST(test_thread_ends_with_open_responses),
        TRANSPORT_TEST(test_thread_after_one_that_ended),
        TRANSPORT_TEST(test_thread_ends_with_requests_in_flight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
