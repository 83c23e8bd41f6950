/*
 * Responses that are closed before their end, in both modes: discarding the connection, and reading
 * on for a while to keep it.
 */
#include "transport_test.h"

#include <stdio.h>

#include "bytes.h"

/* A head, a part of the body at once, the rest when it is let go. Then requests as usual. */
struct parts {
    const char *at_once, *later;
    struct gate go, failed;
};

static void serve_parts(struct origin_conn *conn, void *arg)
{
    struct parts *parts = arg;
    if (!origin_read_request(conn)) {
        return;
    }
    origin_send_text(conn, parts->at_once);
    if (!origin_wait(conn, &parts->go) || !origin_send_text(conn, parts->later)) {
        return;
    }
    serve_identity(conn, NULL);
}

#define SIZED(n) "HTTP/1.1 200 OK\r\nContent-Length: " #n "\r\n\r\n"
#define CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

/* ------------------------------------------------------------------------------------- discard */

static void discards(void **state, const char *at_once, const ferry_transport_options *options)
{
    struct parts *parts = KEPT(state, struct parts, .at_once = at_once, .later = "");
    struct origin *origin = serve_with(state, serve_parts, parts);
    ferry_transport *transport = transport_with(state, options);

    ferry_response *res = open_get(transport, origin_url(origin, "/"));
    assert_int_equal(ferry_num_tasks(), 3);
    ferry_response_close(res);
    assert_int_equal(ferry_num_tasks(), 1); /* gone when the close returns */
    assert_int_equal(stats_of(transport).connections, 0);
    assert_int_equal(stats_of(transport).early_closes, 1);
    assert_int_equal(stats_of(transport).drained, 0);
    assert_int_equal(stats_of(transport).put_results[FERRY_PUT_CLOSED_EARLY], 1);
}

static void test_discard_sized(void **state)
{
    discards(state, SIZED(4) "some", FERRY_TRANSPORT_OPTIONS(.drain_bytes = -1));
}

static void test_discard_chunked(void **state)
{
    discards(state, CHUNKED "4\r\nsome\r\n0\r\n\r\n", FERRY_TRANSPORT_OPTIONS(.drain_bytes = -1));
}

/* What draining could not save is discarded as quickly in the other mode. */
static void test_no_drain_of_what_is_known_to_be_too_long(void **state)
{
    discards(state, SIZED(1001) "some", FERRY_TRANSPORT_OPTIONS(.drain_bytes = 1000));
}

static void test_no_drain_until_close(void **state)
{
    discards(state, "HTTP/1.1 200 OK\r\n\r\nsome", NULL);
}

static void test_no_drain_when_the_server_closes(void **state)
{
    discards(state, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 9\r\n\r\nsome", NULL);
}

static void test_no_drain_without_keep_alives(void **state)
{
    discards(state, SIZED(9) "some", FERRY_TRANSPORT_OPTIONS(.disable_keep_alives = 1));
}

/* --------------------------------------------------------------------------- drained on the spot */

static void drains_at_once(void **state, const char *reply, const ferry_transport_options *options)
{
    struct parts *parts = KEPT(state, struct parts, .at_once = reply, .later = "");
    gate_open(&parts->go);
    struct origin *origin = serve_with(state, serve_parts, parts);
    ferry_transport *transport = transport_with(state, options);

    ferry_response *res = open_get(transport, origin_url(origin, "/"));
    ferry_response_close(res);
    assert_int_equal(idle_of(transport, origin), 1);
    assert_int_equal(stats_of(transport).early_closes, 1);
    assert_int_equal(stats_of(transport).drained, 1);
    assert_int_equal(stats_of(transport).put_results[FERRY_PUT_OK], 1);
    assert_got(get(transport, origin_url(origin, "/")), 200, "1");
    assert_int_equal(stats_of(transport).dials, 1);
}

static void test_drain_what_has_arrived(void **state)
{
    drains_at_once(state, SIZED(4) "some", NULL);
}

static void test_drain_chunks_that_have_arrived(void **state)
{
    drains_at_once(state, CHUNKED "4\r\nsome\r\n1\r\n!\r\n0\r\nTrailer: x\r\n\r\n", NULL);
}

static void test_drain_just_within_the_limit(void **state)
{
    drains_at_once(state, SIZED(4) "some", FERRY_TRANSPORT_OPTIONS(.drain_bytes = 4));
}

/* -------------------------------------------------------------------------- drained by and by */

/* The close returns at once; the connection comes into the pool when the rest has come. */
static void drains_later(void **state, const char *at_once, const char *later)
{
    struct parts *parts = KEPT(state, struct parts, .at_once = at_once, .later = later);
    struct origin *origin = serve_with(state, serve_parts, parts);
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.drain_ms = SOON_MS));

    ferry_response *res = open_get(transport, origin_url(origin, "/"));
    ferry_response_close(res);
    assert_int_equal(ferry_open_responses(NULL), 0);
    assert_int_equal(stats_of(transport).connections, 1);
    assert_int_equal(stats_of(transport).idle, 0);
    gate_open(&parts->go);
    assert_eventually(stats_of(transport).idle == 1);
    assert_int_equal(stats_of(transport).drained, 1);
    assert_got(get(transport, origin_url(origin, "/")), 200, "1");
}

static void test_drain_a_sized_body(void **state)
{
    drains_later(state, SIZED(8) "some", "more");
}

static void test_drain_in_the_middle_of_a_chunk(void **state)
{
    drains_later(state, CHUNKED "8\r\nsome", "more\r\n0\r\n\r\n");
}

static void test_drain_in_the_middle_of_a_chunk_line(void **state)
{
    drains_later(state, CHUNKED "4\r\nsome\r\n0", "\r\n\r\n");
}

static void test_drain_before_the_trailer(void **state)
{
    drains_later(state, CHUNKED "4\r\nsome\r\n0\r\nTrail", "er: x\r\n\r\n");
}

static void test_drain_stops_at_garbage(void **state)
{
    struct parts *parts =
        KEPT(state, struct parts, .at_once = CHUNKED "4\r\nsome\r\n", .later = "garbage\r\n");
    struct origin *origin = serve_with(state, serve_parts, parts);
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.drain_ms = SOON_MS));

    ferry_response_close(open_get(transport, origin_url(origin, "/")));
    gate_open(&parts->go);
    assert_eventually(stats_of(transport).connections == 0);
    assert_int_equal(stats_of(transport).put_results[FERRY_PUT_CLOSED_EARLY], 1);
}

static void test_drain_is_over_in_time(void **state)
{
    struct parts *parts = KEPT(state, struct parts, .at_once = SIZED(8) "some", .later = "more");
    struct origin *origin = serve_with(state, serve_parts, parts);
    ferry_transport *transport = transport_with(state, FERRY_TRANSPORT_OPTIONS(.drain_ms = 20));

    ferry_response_close(open_get(transport, origin_url(origin, "/")));
    assert_int_equal(stats_of(transport).connections, 1);
    assert_eventually(stats_of(transport).connections == 0); /* and the rest has not come */
    assert_int_equal(stats_of(transport).drained, 0);
    assert_int_equal(stats_of(transport).put_results[FERRY_PUT_CLOSED_EARLY], 1);
    gate_open(&parts->go);
}

/* Chunks without end; the connection is done when the client is. */
static void serve_endless(struct origin_conn *conn, void *arg)
{
    struct parts *parts = arg;
    if (!origin_read_request(conn) || !origin_send_text(conn, CHUNKED)) {
        return;
    }
    while (origin_send_text(conn, "8\r\nendless!\r\n")) {}
    gate_open(&parts->failed);
}

static void test_drain_is_over_in_bytes(void **state)
{
    struct parts *parts = KEPT(state, struct parts);
    struct origin *origin = serve_with(state, serve_endless, parts);
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.drain_bytes = 10000, .drain_ms = SOON_MS));

    ferry_response_close(open_get(transport, origin_url(origin, "/")));
    assert_eventually(stats_of(transport).connections == 0);
    assert_int_equal(stats_of(transport).drained, 0);
    assert_int_equal(stats_of(transport).put_results[FERRY_PUT_CLOSED_EARLY], 1);
    assert_eventually(gate_is_open(&parts->failed));
}

/* The same where the bytes come by and by, and then no more: they are counted, not waited for. */
static void test_drain_is_over_in_bytes_to_come(void **state)
{
    static char later[3000]; /* the origin's thread sends it */
    memset(later, 'x', sizeof later - 1);
    later[sizeof later - 1] = '\0';
    struct parts *parts =
        KEPT(state, struct parts, .at_once = CHUNKED "ffff\r\nsome", .later = later);
    struct origin *origin = serve_with(state, serve_parts, parts);
    ferry_transport *transport = transport_with(
        state, FERRY_TRANSPORT_OPTIONS(.drain_bytes = 1000, .drain_ms = 10 * SOON_MS));

    ferry_response_close(open_get(transport, origin_url(origin, "/")));
    assert_int_equal(stats_of(transport).connections, 1);
    gate_open(&parts->go);
    assert_eventually(stats_of(transport).connections == 0);
    assert_int_equal(stats_of(transport).drained, 0);
}

/* The defaults stand: a body of 256 KiB is drained, one of a byte more, the connection's second, is
 * not. */
static void serve_pattern(struct origin_conn *conn, void *arg)
{
    (void)arg;
    for (size_t len = (size_t)256 * 1024; origin_read_request(conn); len++) {
        origin_sendf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", len);
        if (!origin_send_pattern(conn, len)) {
            return;
        }
    }
}

static void test_drain_256_kib_by_default(void **state)
{
    struct origin *origin = serve_with(state, serve_pattern, NULL);
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.drain_ms = SOON_MS));

    ferry_response_close(open_get(transport, origin_url(origin, "/")));
    assert_eventually(stats_of(transport).idle == 1);
    ferry_response_close(open_get(transport, origin_url(origin, "/")));
    assert_int_equal(stats_of(transport).connections, 0);
    assert_int_equal(stats_of(transport).drained, 1);
}

/* ---------------------------------------------------------------- while another request waits */

/* With a place for a second connection, nobody waits long for a drain: the other request dials. */
static void test_drain_does_not_hold_up_another_request(void **state)
{
    struct parts *parts = KEPT(state, struct parts, .at_once = SIZED(8) "some", .later = "more");
    struct origin *origin = serve_with(state, serve_parts, parts);
    struct origin *other = serve_with(state, serve_identity, NULL);
    struct dial_hook hook = {.port = origin_port(origin)};
    ferry_transport *transport = transport_with(
        state, FERRY_TRANSPORT_OPTIONS(.drain_ms = SOON_MS, .dial = dial_hook, .dial_arg = &hook));

    ferry_response_close(open_get(transport, "http://one.example/"));
    hook.port = origin_port(other);
    assert_got(get(transport, "http://one.example/"), 200, "1");
    assert_int_equal(hook.begun, 2);
    assert_int_equal(idle_at(transport, "one.example:80"), 1);
    gate_open(&parts->go);
    assert_eventually(idle_at(transport, "one.example:80") == 2);
}

/* Without, it is the drain's end that serves it. */
static void test_drained_connection_serves_the_queue(void **state)
{
    struct parts *parts = KEPT(state, struct parts, .at_once = SIZED(8) "some", .later = "more");
    struct origin *origin = serve_with(state, serve_parts, parts);
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.max_per_host = 1, .drain_ms = SOON_MS));
    struct call call = {.transport = transport, .url = origin_url(origin, "/")};

    ferry_response_close(open_get(transport, origin_url(origin, "/")));
    start_call(&call);
    assert_eventually(stats_of(transport).waiting == 1);
    ferry_sleep(MOMENT_MS);
    assert_false(call.done);
    gate_open(&parts->go);
    assert_eventually(call.done);
    assert_got(call.outcome, 200, "1");
    assert_int_equal(stats_of(transport).dials, 1);
}

static void test_failed_drain_frees_the_place(void **state)
{
    struct parts *parts = KEPT(state, struct parts, .at_once = SIZED(8) "some", .later = "more");
    struct origin *origin = serve_with(state, serve_parts, parts);
    struct origin *other = serve_with(state, serve_identity, NULL);
    struct dial_hook hook = {.port = origin_port(origin)};
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.max_per_host = 1, .drain_ms = 20,
                                                      .dial = dial_hook, .dial_arg = &hook));

    ferry_response_close(open_get(transport, "http://one.example/"));
    hook.port = origin_port(other);
    assert_got(get(transport, "http://one.example/"), 200, "1");
    assert_int_equal(hook.begun, 2);
    assert_int_equal(stats_of(transport).connections, 1);
}

/* Closed while its connection drains: the transport goes with the last byte. */
static void test_transport_freed_during_a_drain(void **state)
{
    struct parts *parts = KEPT(state, struct parts, .at_once = SIZED(8) "some", .later = "more");
    struct origin *origin = serve_with(state, serve_parts, parts);
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.drain_ms = SOON_MS));

    ferry_response_close(open_get(transport, origin_url(origin, "/")));
    transport_done(state, transport);
    gate_open(&parts->go);
    assert_eventually(stats_of(transport).connections == 0);
    assert_int_equal(stats_of(transport).put_results[FERRY_PUT_TRANSPORT_FREED], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRANSPORT_TEST(test_discard_sized),
        TRANSPORT_TEST(test_discard_chunked),
        TRANSPORT_TEST(test_no_drain_of_what_is_known_to_be_too_long),
        TRANSPORT_TEST(test_no_drain_until_close),
        TRANSPORT_TEST(test_no_drain_when_the_server_closes),
        TRANSPORT_TEST(test_no_drain_without_keep_alives),
        TRANSPORT_TEST(test_drain_what_has_arrived),
        TRANSPORT_TEST(test_drain_chunks_that_have_arrived),
        TRANSPORT_TEST(test_drain_just_within_the_limit),
        TRANSPORT_TEST(test_drain_a_sized_body),
        TRANSPORT_TEST(test_drain_in_the_middle_of_a_chunk),
        TRANSPORT_TEST(test_drain_in_the_middle_of_a_chunk_line),
        TRANSPORT_TEST(test_drain_before_the_trailer),
        TRANSPORT_TEST(test_drain_stops_at_garbage),
        TRANSPORT_TEST(test_drain_is_over_in_time),
        TRANSPORT_TEST(test_drain_is_over_in_bytes),
        TRANSPORT_TEST(test_drain_is_over_in_bytes_to_come),
        TRANSPORT_TEST(test_drain_256_kib_by_default),
        TRANSPORT_TEST(test_drain_does_not_hold_up_another_request),
        TRANSPORT_TEST(test_drained_connection_serves_the_queue),
        TRANSPORT_TEST(test_failed_drain_frees_the_place),
        TRANSPORT_TEST(test_transport_freed_during_a_drain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
