/*
 * A transport that is freed while something of it is in use: that goes on to its end, and the
 * transport's memory goes with the last of it.
 */
#include "transport_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bytes.h"
#include "http/request.h"
#include "transport/transport.h"

/* Holds on the freed transport but the fixture's own. */
static int holds(const ferry_transport *transport)
{
    return atomic_load(&transport->holds) - 1;
}

static void test_freed_with_responses_open(void **state)
{
    struct origin *origin = serve_with(state, serve_identity, NULL);
    ferry_transport *transport = transport_with(state, FERRY_TRANSPORT_OPTIONS(.drain_bytes = -1));
    ferry_response *res[3];
    struct outcome outcome = {0};

    for (int i = 0; i < 3; i++) {
        res[i] = open_get(transport, origin_url(origin, "/"));
    }
    read_body(res[0], &outcome); /* idle now, and closed with the transport */
    transport_done(state, transport);
    assert_int_equal(stats_of(transport).idle, 0);
    assert_int_equal(stats_of(transport).connections, 2);
    assert_int_equal(holds(transport), 2); /* a connection's each: the first response has none */
    ferry_response_close(res[0]);

    outcome = (struct outcome){0};
    read_body(res[1], &outcome); /* still to be had, to its end */
    assert_string_equal(outcome.body, "2");
    assert_int_equal(stats_of(transport).put_results[FERRY_PUT_TRANSPORT_FREED], 1);
    ferry_response_close(res[1]);
    assert_int_equal(stats_of(transport).connections, 1);

    ferry_response_close(res[2]); /* unread */
    assert_int_equal(stats_of(transport).connections, 0);
    assert_eventually(holds(transport) == 0);
}

/* A request that gave up leaves its dial behind; what that brings is not kept. */
static void freed_with_a_dial_in_flight(void **state, bool fails)
{
    struct origin *origin = serve_with(state, serve_identity, NULL);
    struct dial_hook hook = {
        .port = origin_port(origin), .stall_from = 1, .fail_from = fails ? 1 : 0};
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.dial = dial_hook, .dial_arg = &hook));
    ferry_context *context = ferry_context_new(-1);
    struct call call = {.transport = transport, .url = "http://one.example/", .context = context};

    start_call(&call);
    assert_eventually(hook.begun == 1);
    ferry_context_cancel(context);
    assert_eventually(call.done);
    assert_failed(call.outcome, FERRY_ECANCELED, "while waiting for a connection");
    transport_done(state, transport);
    assert_true(holds(transport) > 0);
    hook.let_go = 1;
    assert_eventually(holds(transport) == 0);
    assert_int_equal(stats_of(transport).connections, 0);
    assert_int_equal(stats_of(transport).idle, 0);
    if (!fails) {
        assert_eventually(origin_counts(origin).accepted == 1 && origin_counts(origin).open == 0);
    }
    ferry_context_free(context);
}

static void test_freed_with_a_dial_in_flight(void **state)
{
    freed_with_a_dial_in_flight(state, false);
}

static void test_freed_with_a_failing_dial_in_flight(void **state)
{
    freed_with_a_dial_in_flight(state, true);
}

/* The answer came, the request's body still has not: its reader is somebody else's business. */
static void serve_early(struct origin_conn *conn, void *arg)
{
    char head[4096];
    (void)arg;
    if (origin_read_head(conn, head, sizeof head) > 0) {
        origin_send(conn, BYTES("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly"));
        origin_wait_eof(conn, -1);
    }
}

static void serve_nothing(struct origin_conn *conn, void *arg)
{
    (void)arg;
    origin_wait_eof(conn, -1);
}

static void serve_early_or_never(struct origin_conn *conn, void *arg)
{
    char head[4096];
    (void)arg;
    if (origin_read_head(conn, head, sizeof head) > 0) {
        if (strncmp(head, "POST", 4) == 0) {
            origin_send(conn, BYTES("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly"));
        }
        origin_wait_eof(conn, -1);
    }
}

struct endless {
    bool asked, enough;
    int done;
};

static ssize_t read_endless(void *arg, void *buf, size_t len)
{
    struct endless *endless = arg;
    (void)buf;
    (void)len;
    endless->asked = true;
    while (!endless->enough) {
        ferry_sleep(1);
    }
    return 0;
}

static void note_done(void *arg)
{
    ((struct endless *)arg)->done++;
}

static void test_freed_with_an_upload_stuck(void **state)
{
    struct origin *origin = serve_with(state, serve_early, NULL);
    ferry_transport *transport = transport_with(state, NULL);
    ferry_request *req = request("POST", origin_url(origin, "/"));
    struct endless endless = {0};

    ferry_request_set_body_reader(req, read_endless, NULL, &endless, -1);
    ferry_request_set_body_done(req, note_done, &endless);
    assert_got(send_and_read(transport, req), 200, "early");
    assert_int_equal(stats_of(transport).connections, 0);
    transport_done(state, transport);
    assert_true(holds(transport) > 0);
    assert_int_equal(endless.done, 0);
    endless.enough = true;
    assert_eventually(endless.done == 1);
    assert_eventually(holds(transport) == 0);
    ferry_request_free(req);
}

static void count_done(void *times)
{
    ++*(int *)times;
}

/* An empty body is one, too, for who has a file to close behind it, or memory to free. None is none. */
static void test_done_with_an_empty_body(void **state)
{
    struct origin *origin = serve_reply(state, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    ferry_transport *transport = transport_with(state, NULL);
    ferry_client *client = ferry_client_new(FERRY_CLIENT_OPTIONS(.transport = transport));
    ferry_request *req = request("POST", origin_url(origin, "/"));
    int fd = memfd_create("empty", MFD_CLOEXEC);
    int times = 0;
    ferry_request_set_body_done(req, count_done, &times);
    assert_int_equal(ferry_request_set_body_fd(req, fd, 0, -1), 0);
    assert_got(send_and_read(transport, req), 200, "");
    assert_int_equal(times, 1);
    ferry_response_close(ferry_client_do(client, req, NULL));
    assert_int_equal(times, 2);
    assert_int_equal(ferry_request_set_body(req, "", 0), 0);
    ferry_response_close(ferry_client_do(client, req, NULL));
    assert_int_equal(times, 3);
    assert_int_equal(ferry_request_set_body(req, NULL, 0), 0);
    ferry_response_close(ferry_client_do(client, req, NULL));
    assert_int_equal(times, 3);
    ferry_request_free(req);
    ferry_client_free(client);
    close(fd);
}

/* On a thread of its own, and left to it. */
struct reader {
    ferry_transport *transport;
    const char *url;
    struct gate open, go;
    struct outcome outcome;
};

static void open_and_read_later(void *arg)
{
    struct reader *reader = arg;
    ferry_request *req = ferry_request_new("GET", reader->url, NULL);
    ferry_response *res = ferry_transport_round_trip(reader->transport, req, &reader->outcome.err);
    ferry_request_free(req);
    gate_open(&reader->open);
    gate_wait(&reader->go, SOON_MS);
    if (res != NULL) {
        read_body(res, &reader->outcome);
        ferry_response_close(res);
    }
}

/* Answers before it has read the body, which it reads once it is let go on. */
static void serve_before_the_body(struct origin_conn *conn, void *arg)
{
    char head[4096];
    if (origin_read_head(conn, head, sizeof head) > 0) {
        origin_send(conn, BYTES("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly"));
        origin_wait(conn, arg);
        (void)origin_read_body(conn);
        origin_wait_eof(conn, -1);
    }
}

/* The body's memory is its owner's again once there is another body in its place, and not before. */
static void test_body_replaced_while_it_is_written(void **state)
{
    size_t len = (size_t)8 << 20;
    struct gate *go_on = KEPT(state, struct gate, 0);
    struct origin *origin = serve_with(state, serve_before_the_body, go_on);
    ferry_transport *transport = transport_with(state, NULL);
    ferry_request *req = request("POST", origin_url(origin, "/"));
    ferry_error err;
    char *body = malloc(len);
    assert_non_null(body);
    pattern_fill(body, len, 0);
    assert_int_equal(ferry_request_set_body(req, body, len), 0);
    ferry_response *res = ferry_transport_round_trip(transport, req, &err);
    assert_non_null(res);
    gate_open(go_on);
    assert_int_equal(ferry_request_set_body(req, NULL, 0), 0);
    memset(body, 'x', len);
    free(body);
    assert_eventually(origin_request(origin, 0).complete);
    assert_int_equal(pattern_match(origin_request(origin, 0).body, len, 0), len);
    ferry_response_close(res);
    ferry_request_free(req);
}

struct resend {
    ferry_transport *transport;
    ferry_request *req;
    ferry_error err;
    bool fails;
};

static void send_again_and_free(void *arg)
{
    struct resend *resend = arg;
    ferry_response *res = ferry_transport_round_trip(resend->transport, resend->req, &resend->err);
    resend->fails = res == NULL;
    ferry_response_close(res);
    ferry_request_free(resend->req);
}

/* Who sends it again, or frees it, may be on another thread than the write loop that still has it. */
static void test_used_elsewhere_while_it_is_written(void **state)
{
    size_t len = (size_t)8 << 20;
    struct gate *go_on = KEPT(state, struct gate, 0);
    struct origin *origin = serve_with(state, serve_before_the_body, go_on);
    struct resend resend = {.transport = transport_with(state, NULL),
                            .req = request("POST", origin_url(origin, "/"))};
    struct side side;
    char *body = malloc(len);
    assert_non_null(body);
    pattern_fill(body, len, 0);
    assert_int_equal(ferry_request_set_body(resend.req, body, len), 0);
    ferry_response *res = ferry_transport_round_trip(resend.transport, resend.req, &resend.err);
    assert_non_null(res);
    start_side(&side, send_again_and_free, &resend);
    for (int i = 0; i < 5; i++) {
        ferry_sleep(1);
    }
    assert_int_equal(origin_counts(origin).requests, 1); /* it waits until the first is written */
    gate_open(go_on);
    end_side(&side);
    assert_false(resend.fails);
    memset(body, 'x', len);
    free(body);
    assert_eventually(origin_request(origin, 0).complete);
    assert_int_equal(pattern_match(origin_request(origin, 0).body, len, 0), len);
    assert_int_equal(origin_counts(origin).requests, 2);
    ferry_response_close(res);
}

static void send_and_end(void *arg)
{
    struct resend *resend = arg;
    ferry_response *res = ferry_transport_round_trip(resend->transport, resend->req, &resend->err);
    resend->fails = res == NULL;
    ferry_response_close(res);
}

/* Its thread has ended in the midst of the body's reader: there is no write loop to wait for, what it had
 * is given back, and the body is let go. */
static void test_freed_when_its_writer_has_gone(void **state)
{
    struct origin *origin = serve_with(state, serve_early, NULL);
    struct resend resend = {.transport = transport_with(state, NULL),
                            .req = request("POST", origin_url(origin, "/"))};
    struct endless endless = {0};
    ferry_request_set_body_reader(resend.req, read_endless, NULL, &endless, -1);
    ferry_request_set_body_done(resend.req, note_done, &endless);
    run_elsewhere(send_and_end, &resend);
    assert_false(resend.fails);
    assert_int_equal(endless.done, 1);
    ferry_request_free(resend.req);
    transport_done(state, resend.transport);
    assert_int_equal(holds(resend.transport), 0);
}

static void end_in_the_midst(void *arg)
{
    const struct resend *resend = arg;
    const struct endless *endless = resend->req->body.arg;
    assert_int_equal(ferry_go(send_and_end, arg), 0);
    while (!endless->asked) {
        ferry_sleep(1);
    }
}

/* And the task that sends it, too. */
static void test_freed_when_sender_and_writer_have_gone(void **state)
{
    struct origin *origin = serve_with(state, serve_nothing, NULL);
    struct resend resend = {.transport = transport_with(state, NULL),
                            .req = request("POST", origin_url(origin, "/"))};
    struct endless endless = {0};
    ferry_request_set_body_reader(resend.req, read_endless, NULL, &endless, -1);
    run_elsewhere(end_in_the_midst, &resend);
    ferry_request_free(resend.req);
    assert_int_equal(stats_of(resend.transport).connections, 0);
    transport_done(state, resend.transport);
    assert_int_equal(holds(resend.transport), 0);
}

static void linger(void *arg, int put_result)
{
    (void)put_result;
    *(bool *)arg = true;
    ferry_sleep(SOON_MS);
}

static void end_in_a_trace(void *arg)
{
    struct resend *resend = arg;
    bool told = false;
    ferry_request_set_trace(resend->req, FERRY_TRACE(.put_idle_conn = linger), &told);
    assert_int_equal(ferry_go(send_and_end, arg), 0);
    while (!told) {
        ferry_sleep(1);
    }
}

/* A read loop that is told of no more, in a function of the user's likewise, before the response is
 * delivered. */
static void test_freed_when_its_reader_has_gone(void **state)
{
    struct origin *origin = serve_reply(state, "HTTP/1.1 204 No Content\r\n\r\n");
    struct resend resend = {.transport = transport_with(state, NULL),
                            .req = request("GET", origin_url(origin, "/"))};
    run_elsewhere(end_in_a_trace, &resend);
    ferry_request_free(resend.req);
    assert_int_equal(stats_of(resend.transport).connections, 0);
    transport_done(state, resend.transport);
    assert_int_equal(holds(resend.transport), 0);
}

/* A body that is fetched from elsewhere, again when that fails. */
struct fetched {
    ferry_transport *transport;
    ferry_request *req;
    int times;
};

static ssize_t read_fetched(void *arg, void *buf, size_t len)
{
    struct fetched *fetched = arg;
    ferry_error err;
    ferry_response *res = NULL;
    while (res == NULL) {
        fetched->times++;
        res = ferry_transport_round_trip(fetched->transport, fetched->req, &err);
    }
    ssize_t got = ferry_response_read(res, buf, len, &err);
    ferry_response_close(res);
    return got;
}

/* What a function of the user's begins while its thread ends, ends with it. */
static void test_begun_while_its_thread_ends(void **state)
{
    struct origin *origin = serve_with(state, serve_early_or_never, NULL);
    struct resend resend = {.transport = transport_with(state, NULL),
                            .req = request("POST", origin_url(origin, "/"))};
    struct fetched fetched = {resend.transport, request("GET", origin_url(origin, "/")), 0};
    ferry_request_set_body_reader(resend.req, read_fetched, NULL, &fetched, -1);
    run_elsewhere(send_and_end, &resend);
    assert_false(resend.fails);
    assert_int_equal(fetched.times, 2);
    assert_int_equal(stats_of(resend.transport).connections, 0);
    ferry_request_free(resend.req);
    ferry_request_free(fetched.req);
    transport_done(state, resend.transport);
    assert_int_equal(holds(resend.transport), 0);
    assert_true(origin_await_open(origin, 0, SOON_MS));
}

static void test_freed_with_a_response_open_on_another_thread(void **state)
{
    struct origin *origin = serve_with(state, serve_identity, NULL);
    ferry_transport *transport = transport_with(state, NULL);
    struct reader reader = {.transport = transport, .url = origin_url(origin, "/")};
    struct side side;

    start_side(&side, open_and_read_later, &reader);
    assert_eventually(gate_is_open(&reader.open));
    transport_done(state, transport);
    gate_open(&reader.go);
    end_side(&side);
    assert_string_equal(reader.outcome.body, "1");
    assert_int_equal(stats_of(transport).connections, 0);
    assert_int_equal(holds(transport), 0);
}

/* The default transport is never freed: it only loses its idle connections. */
static void test_default_transport_is_not_freed(void **state)
{
    struct origin *origin = serve_with(state, serve_identity, NULL);

    for (int i = 1; i <= 2; i++) {
        char number[4];
        struct outcome outcome = {0};
        ferry_response *res = ferry_get(origin_url(origin, "/"), &outcome.err);
        assert_non_null(res);
        read_body(res, &outcome);
        ferry_response_close(res);
        snprintf(number, sizeof number, "%d", i);
        assert_string_equal(outcome.body, number);
        assert_int_equal(stats_of(NULL).idle, 1);
        ferry_transport_free(ferry_default_transport());
        assert_int_equal(stats_of(NULL).connections, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRANSPORT_TEST(test_freed_with_responses_open),
        TRANSPORT_TEST(test_freed_with_a_dial_in_flight),
        TRANSPORT_TEST(test_freed_with_a_failing_dial_in_flight),
        TRANSPORT_TEST(test_freed_with_an_upload_stuck),
        TRANSPORT_TEST(test_done_with_an_empty_body),
        TRANSPORT_TEST(test_body_replaced_while_it_is_written),
        TRANSPORT_TEST(test_used_elsewhere_while_it_is_written),
        TRANSPORT_TEST(test_freed_when_its_writer_has_gone),
        TRANSPORT_TEST(test_freed_when_sender_and_writer_have_gone),
        TRANSPORT_TEST(test_freed_when_its_reader_has_gone),
        TRANSPORT_TEST(test_begun_while_its_thread_ends),
        TRANSPORT_TEST(test_freed_with_a_response_open_on_another_thread),
        TRANSPORT_TEST(test_default_transport_is_not_freed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
