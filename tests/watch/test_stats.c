/*
 * ferry_transport_stats: each number moves for what it is said to count, and for nothing else.
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

#include <ferry.h>

#include "dead_end.h"
#include "origin.h"
#include "watch_test.h"

#define HELLO "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

static ferry_transport *transport_with(const ferry_transport_options *options)
{
    ferry_transport *transport = ferry_transport_new(options);
    assert_non_null(transport);
    return transport;
}

/* After a response: one put, of that kind, and no other. */
static void put_was(const ferry_transport *transport, enum ferry_put_result result)
{
    ferry_stats stats = stats_of(transport);
    for (int i = 0; i < FERRY_PUT_RESULTS; i++) {
        if (stats.put_results[i] != (i == (int)result ? 1 : 0)) {
            fail_msg("\"%s\" is counted %d times, wanted: \"%s\"", ferry_put_result_string(i),
                     (int)stats.put_results[i], ferry_put_result_string((int)result));
        }
    }
    assert_int_equal(stats.puts, result == FERRY_PUT_OK);
    assert_int_equal(stats.put_failures, result != FERRY_PUT_OK);
}

/* -------------------------------------------------------------------------------------- requests */

static void a_new_transport_has_done_nothing(void **state)
{
    ferry_transport *transport = transport_with(NULL);
    const ferry_stats nothing = FERRY_STATS_INIT;
    ferry_stats stats = stats_of(transport);

    (void)state;
    assert_memory_equal(&stats, &nothing, sizeof stats);
    ferry_transport_free(transport);
}

static void a_request_step_by_step(void **state)
{
    struct origin *origin = origin_start_reply(HELLO);
    const char *url = origin_url(origin, "/");
    ferry_transport *transport = transport_with(NULL);

    (void)state;
    ferry_response *res = get_unread(transport, url);
    ferry_stats stats = stats_of(transport);
    assert_int_equal(stats.requests, 1);
    assert_int_equal(stats.responses, 1);
    assert_int_equal(stats.dials, 1);
    assert_int_equal(stats.reuses, 0);
    assert_int_equal(stats.connections, 1);
    assert_int_equal(stats.idle, 0);
    assert_int_equal(stats.open_responses, 1);
    assert_int_equal(stats.puts, 0);

    free(ferry_response_read_all(res, 1000, NULL, NULL));
    stats = stats_of(transport);
    assert_int_equal(stats.puts, 1);
    assert_int_equal(stats.idle, 1);
    assert_int_equal(stats.open_responses, 1); /* read, and not closed yet */

    ferry_response_close(res);
    stats = stats_of(transport);
    assert_int_equal(stats.open_responses, 0);
    assert_int_equal(stats.early_closes, 0);

    get_whole(transport, url);
    stats = stats_of(transport);
    assert_int_equal(stats.requests, 2);
    assert_int_equal(stats.dials, 1);
    assert_int_equal(stats.reuses, 1);
    assert_int_equal(stats.puts, 2);
    assert_int_equal(stats.errors, 0);

    ferry_transport_close_idle(transport);
    stats = stats_of(transport);
    assert_int_equal(stats.connections, 0);
    assert_int_equal(stats.idle, 0);
    ferry_transport_free(transport);
    assert_true(origin_stop(origin));
}

static void a_dial_that_fails(void **state)
{
    struct dead_end refusing;
    ferry_transport *transport = transport_with(NULL);

    (void)state;
    assert_true(dead_end_refuse(&refusing));
    assert_null(get_unread(transport, refusing.url));
    ferry_stats stats = stats_of(transport);
    assert_int_equal(stats.requests, 1);
    assert_int_equal(stats.responses, 0);
    assert_int_equal(stats.errors, 1);
    assert_int_equal(stats.dials, 1);
    assert_int_equal(stats.dial_failures, 1);
    assert_int_equal(stats.connections, 0);
    dead_end_close(&refusing);
    ferry_transport_free(transport);
}

/* Answers a connection's first request, and closes at the second without a word. */
static void answer_once(struct origin_conn *conn, void *arg)
{
    (void)arg;
    if (origin_read_request(conn) && origin_send(conn, BYTES(HELLO))) {
        (void)origin_read_request(conn);
    }
}

static void a_request_sent_again(void **state)
{
    struct origin *origin = origin_start(&(struct origin_script){.serve = answer_once});
    ferry_transport *transport = transport_with(NULL);

    (void)state;
    get_whole(transport, origin_url(origin, "/1"));
    get_whole(transport, origin_url(origin, "/2"));
    ferry_stats stats = stats_of(transport);
    assert_int_equal(stats.requests, 2);
    assert_int_equal(stats.responses, 2);
    assert_int_equal(stats.retries, 1);
    assert_int_equal(stats.dials, 2);
    assert_int_equal(stats.reuses, 1); /* the one that came to nothing */
    ferry_transport_free(transport);
    assert_true(origin_stop(origin));
}

static bool waiter_done;

static void wait_for_a_place(void *arg)
{
    ferry_transport *const *transport_and_url = arg;
    ferry_response_close(get_unread(transport_and_url[0], (const char *)transport_and_url[1]));
    waiter_done = true;
}

static void a_request_that_waits(void **state)
{
    struct origin *origin = origin_start_reply(HELLO);
    const char *url = origin_url(origin, "/");
    ferry_transport *transport = transport_with(FERRY_TRANSPORT_OPTIONS(.max_per_host = 1));
    ferry_response *res = get_unread(transport, url);
    void *transport_and_url[] = {transport, (void *)url};

    (void)state;
    waiter_done = false;
    assert_int_equal(ferry_go(wait_for_a_place, transport_and_url), 0);
    ferry_yield();
    assert_int_equal(stats_of(transport).waiting, 1);
    ferry_response_close(res);
    AWAIT(waiter_done);
    assert_int_equal(stats_of(transport).waiting, 0);
    ferry_transport_free(transport);
    assert_true(origin_stop(origin));
}

/* ------------------------------------------------------------------------------- what became of it */

static void closed_early_and_drained(void **state)
{
    struct origin *origin = origin_start_reply(HELLO);
    ferry_transport *transport = transport_with(NULL);

    (void)state;
    ferry_response_close(get_unread(transport, origin_url(origin, "/")));
    AWAIT(stats_of(transport).idle > 0);
    ferry_stats stats = stats_of(transport);
    assert_int_equal(stats.early_closes, 1);
    assert_int_equal(stats.drained, 1);
    put_was(transport, FERRY_PUT_OK);
    ferry_transport_free(transport);
    assert_true(origin_stop(origin));
}

static void closed_early_and_discarded(void **state)
{
    struct origin *origin = origin_start_reply(HELLO);
    ferry_transport *transport = transport_with(FERRY_TRANSPORT_OPTIONS(.drain_bytes = -1));

    (void)state;
    ferry_response_close(get_unread(transport, origin_url(origin, "/")));
    ferry_stats stats = stats_of(transport);
    assert_int_equal(stats.early_closes, 1);
    assert_int_equal(stats.drained, 0);
    assert_int_equal(stats.connections, 0);
    put_was(transport, FERRY_PUT_CLOSED_EARLY);
    ferry_transport_free(transport);
    assert_true(origin_stop(origin));
}

/* One exchange with a server that sends just that, on a transport made so: what the put says. */
static void put_says(const char *reply, enum origin_then then,
                     const ferry_transport_options *options, enum ferry_put_result result)
{
    const struct origin_reply replies[] = {{.bytes = reply, .then = then}};
    struct origin *origin = origin_start_replies(replies, 1);
    ferry_transport *transport = transport_with(options);
    ferry_response *res = get_unread(transport, origin_url(origin, "/"));

    assert_non_null(res);
    free(ferry_response_read_all(res, 1000, NULL, NULL));
    ferry_response_close(res);
    put_was(transport, result);
    ferry_transport_free(transport);
    assert_true(origin_stop(origin));
}

static void refusals_have_their_reasons(void **state)
{
    (void)state;
    put_says(HELLO, ORIGIN_THEN_KEEP, NULL, FERRY_PUT_OK);
    put_says(HELLO, ORIGIN_THEN_KEEP, FERRY_TRANSPORT_OPTIONS(.disable_keep_alives = 1),
             FERRY_PUT_KEEP_ALIVES_DISABLED);
    put_says(HELLO, ORIGIN_THEN_KEEP, FERRY_TRANSPORT_OPTIONS(.max_idle_per_host = -1),
             FERRY_PUT_KEEP_ALIVES_DISABLED);
    put_says("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello",
             ORIGIN_THEN_KEEP, NULL, FERRY_PUT_CLOSE_ASKED);
    put_says("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", ORIGIN_THEN_KEEP, NULL,
             FERRY_PUT_CLOSE_ASKED);
    put_says("HTTP/1.1 200 OK\r\n\r\nuntil close", ORIGIN_THEN_CLOSE, NULL, FERRY_PUT_CLOSE_ASKED);
    put_says("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", ORIGIN_THEN_CLOSE, NULL,
             FERRY_PUT_BODY_ERROR);
    put_says(HELLO "more", ORIGIN_THEN_KEEP, NULL, FERRY_PUT_CONNECTION_BROKEN);
}

static void limits_are_reasons_too(void **state)
{
    struct origin *origin = origin_start_reply(HELLO);
    const char *url = origin_url(origin, "/");
    ferry_transport *transport = transport_with(FERRY_TRANSPORT_OPTIONS(.max_idle_per_host = 1));

    (void)state;
    ferry_response *first = get_unread(transport, url);
    ferry_response *second = get_unread(transport, url);
    free(ferry_response_read_all(first, 1000, NULL, NULL));
    free(ferry_response_read_all(second, 1000, NULL, NULL));
    ferry_response_close(first);
    ferry_response_close(second);
    ferry_stats stats = stats_of(transport);
    assert_int_equal(stats.put_results[FERRY_PUT_OK], 1);
    assert_int_equal(stats.put_results[FERRY_PUT_TOO_MANY_IDLE_HOST], 1);
    assert_int_equal(stats.connections, 1);

    first = get_unread(transport, url);
    ferry_transport_close_idle(transport);
    free(ferry_response_read_all(first, 1000, NULL, NULL));
    ferry_response_close(first);
    assert_int_equal(stats_of(transport).put_results[FERRY_PUT_CLOSE_IDLE], 1);
    assert_int_equal(stats_of(transport).connections, 0);
    ferry_transport_free(transport);
    assert_true(origin_stop(origin));
}

static void a_cancelled_body(void **state)
{
    struct origin *origin = origin_start_reply(HELLO);
    ferry_transport *transport = transport_with(NULL);
    ferry_request *req = ferry_request_new("GET", origin_url(origin, "/"), NULL);
    ferry_context *context = ferry_context_new(-1);

    (void)state;
    ferry_request_set_context(req, context);
    ferry_response *res = ferry_transport_round_trip(transport, req, NULL);
    assert_non_null(res);
    ferry_context_cancel(context);
    AWAIT(stats_of(transport).connections == 0);
    put_was(transport, FERRY_PUT_CANCELED);
    assert_int_equal(stats_of(transport).open_responses, 1);
    ferry_response_close(res);
    assert_int_equal(stats_of(transport).open_responses, 0);
    ferry_request_free(req);
    ferry_context_free(context);
    ferry_transport_free(transport);
    assert_true(origin_stop(origin));
}

/* ----------------------------------------------------------------------------------- the interface */

static void the_default_transport_is_meant_by_null(void **state)
{
    struct origin *origin = origin_start_reply(HELLO);
    uint64_t before = stats_of(NULL).requests;

    (void)state;
    ferry_response_close(ferry_get(origin_url(origin, "/"), NULL));
    assert_int_equal(stats_of(NULL).requests, before + 1);
    assert_int_equal(stats_of(ferry_default_transport()).requests, before + 1);
    AWAIT((ferry_transport_close_idle(NULL), ferry_num_tasks() == 1));
    assert_true(origin_stop(origin));
}

/* A program compiled with a shorter struct gets what it knows; one with a longer one keeps the rest
 * as it was. */
static void only_as_much_is_written_as_the_caller_has(void **state)
{
    struct {
        ferry_stats stats;
        unsigned char later[16];
    } both;

    (void)state;
    memset(&both, 0xa5, sizeof both);
    both.stats.size = offsetof(ferry_stats, dials);
    ferry_transport_stats(NULL, &both.stats);
    assert_int_equal(both.stats.size, offsetof(ferry_stats, dials));
    assert_true(both.stats.retries != UINT64_C(0xa5a5a5a5a5a5a5a5));
    assert_true(both.stats.dials == UINT64_C(0xa5a5a5a5a5a5a5a5));

    memset(&both, 0xa5, sizeof both);
    both.stats.size = sizeof both;
    ferry_transport_stats(NULL, &both.stats);
    assert_true(both.stats.waiting == 0);
    for (size_t i = 0; i < sizeof both.later; i++) {
        assert_int_equal(both.later[i], 0xa5);
    }
}

static void each_put_result_has_a_sentence_of_its_own(void **state)
{
    (void)state;
    for (int i = 0; i < FERRY_PUT_RESULTS; i++) {
        assert_true(strlen(ferry_put_result_string(i)) > 1);
        for (int j = 0; j < i; j++) {
            assert_string_not_equal(ferry_put_result_string(i), ferry_put_result_string(j));
        }
    }
    assert_string_equal(ferry_put_result_string(-1), "?");
    assert_string_equal(ferry_put_result_string(FERRY_PUT_RESULTS), "?");
}

#define STATS_TEST(name) cmocka_unit_test_teardown(name, nothing_is_left)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STATS_TEST(a_new_transport_has_done_nothing),
        STATS_TEST(a_request_step_by_step),
        STATS_TEST(a_dial_that_fails),
        STATS_TEST(a_request_sent_again),
        STATS_TEST(a_request_that_waits),
        STATS_TEST(closed_early_and_drained),
        STATS_TEST(closed_early_and_discarded),
        STATS_TEST(refusals_have_their_reasons),
        STATS_TEST(limits_are_reasons_too),
        STATS_TEST(a_cancelled_body),
        STATS_TEST(the_default_transport_is_meant_by_null),
        STATS_TEST(only_as_much_is_written_as_the_caller_has),
        STATS_TEST(each_put_result_has_a_sentence_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
