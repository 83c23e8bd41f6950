/*
 * Idle connections, and bodies that nobody reads, while the program does something else: their
 * thread is not in ferry at all, and still they go when they should.
 */
#include "https_test.h"

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OK_REPLY "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

/* The thread is away for as long as it takes until the origin has that many connections open. (The
 * monitor looks about twice a second.) */
static bool away_until_open(const struct origin *origin, unsigned count)
{
    return origin_await_open(origin, count, SOON_MS);
}

/* Likewise, until the statistics say it: no call in here lets tasks run. */
static bool away_until_connections(ferry_transport *transport, uint64_t count)
{
    int64_t until = now_ms() + SOON_MS;
    while (stats_of(transport).connections != count && now_ms() < until) {
        usleep(1000);
    }
    return stats_of(transport).connections == count;
}

static void test_closed_by_the_server(void **state)
{
    struct origin *origin = serve_with(state, serve_identity, NULL);
    ferry_transport *transport = transport_with(state, NULL);

    assert_got(get(transport, origin_url(origin, "/close")), 200, "1");
    assert_true(away_until_connections(transport, 0));
    assert_int_equal(stats_of(transport).idle, 0);
    assert_int_equal(ferry_num_tasks(), 1);
    assert_got(get(transport, origin_url(origin, "/")), 200, "2");
}

static void test_idle_for_too_long(void **state)
{
    struct origin *origin = serve_with(state, serve_identity, NULL);
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.idle_timeout_ms = 20));

    assert_got(get(transport, origin_url(origin, "/")), 200, "1");
    assert_true(away_until_open(origin, 0));
    assert_true(away_until_connections(transport, 0));
    assert_int_equal(ferry_num_tasks(), 1);
}

static void test_again_and_again(void **state)
{
    struct origin *origin = serve_with(state, serve_identity, NULL);
    ferry_transport *transport = transport_with(state, NULL);

    for (int i = 0; i < 3; i++) { /* the monitor falls asleep in between, and is woken */
        assert_int_equal(get(transport, origin_url(origin, "/close")).status, 200);
        assert_true(away_until_connections(transport, 0));
    }
}

static void test_of_a_tls_server(void **state)
{
    struct tls_server *server = https_ok_server();
    ferry_transport *transport = https_transport(state, TRUSTING());

    assert_got(get(transport, https_url(tls_server_port(server), "/")), 200, "ok");
    tls_server_stop(server);
    assert_true(away_until_connections(transport, 0));
}

static bool there_is_a_monitor(void)
{
    bool found = false;
    DIR *tasks = opendir("/proc/self/task");
    struct dirent *entry;
    assert_non_null(tasks);
    while ((entry = readdir(tasks)) != NULL) {
        char path[300];
        snprintf(path, sizeof path, "/proc/self/task/%s/comm", entry->d_name);
        char *name = temp_file_read(path, NULL);
        found = found || (name != NULL && strcmp(name, "ferry monitor\n") == 0);
        free(name);
    }
    closedir(tasks);
    return found;
}

/* The first of all tests: once started, the monitor stays. */
static void test_off_by_option_and_started_when_needed(void **state)
{
    struct origin *origin = serve_with(state, serve_identity, NULL);
    ferry_transport *without = transport_with(state, FERRY_TRANSPORT_OPTIONS(.disable_monitor = 1));
    ferry_transport *with = transport_with(state, NULL);

    assert_got(get(without, origin_url(origin, "/")), 200, "1");
    assert_int_equal(stats_of(without).idle, 1);
    ferry_response *res = open_get(with, origin_url(origin, "/"));
    assert_false(there_is_a_monitor());
    ferry_response_close(res); /* what has arrived is read to its end */
    assert_int_equal(stats_of(with).idle, 1);
    assert_true(there_is_a_monitor());
}

/* ------------------------------------------------------------------ what it does not do */

/* A task of the user's whose time has come waits for its thread. */
struct told {
    atomic_bool it;
};

static void sleep_and_tell(void *arg)
{
    struct told *told = arg;
    ferry_sleep(1);
    atomic_store(&told->it, true);
}

static void test_runs_no_task_of_the_users(void **state)
{
    struct origin *origin = serve_with(state, serve_identity, NULL);
    ferry_transport *transport = transport_with(state, NULL);
    struct told *told = KEPT(state, struct told, .it = false);

    assert_int_equal(ferry_go(sleep_and_tell, told), 0);
    ferry_yield(); /* it sleeps now */
    assert_got(get(transport, origin_url(origin, "/close")), 200, "1");
    told->it = false;
    assert_int_equal(ferry_go(sleep_and_tell, told), 0);
    ferry_yield();
    told->it = false;
    assert_true(away_until_connections(transport, 0)); /* the monitor has been here */
    assert_false(told->it);
    assert_eventually(told->it);
}

/* What the monitor does see to: a connection whose server closes it when the gate opens. */
static void serve_until(struct origin_conn *conn, void *arg)
{
    if (origin_read_request(conn) && origin_send_text(conn, OK_REPLY)) {
        origin_wait(conn, arg);
    }
}

/* Nor a function of the user's in a request that is under way: the answer, with its trace, waits. */
struct noted {
    unsigned long thread;
    atomic_int events;
};

static void note_first_byte(void *arg)
{
    struct noted *noted = arg;
    noted->thread = (unsigned long)pthread_self();
    noted->events++;
}

static void note_put(void *arg, int result)
{
    (void)result;
    note_first_byte(arg);
}

static void test_runs_no_trace(void **state)
{
    struct gates *gates = KEPT(state, struct gates);
    struct origin *gated = serve_with(state, serve_gated, gates);
    struct origin *closing = serve_with(state, serve_until, &gates->go[1]);
    ferry_transport *transport = transport_with(state, NULL);
    struct noted *noted = KEPT(state, struct noted);
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%d/0", origin_port(gated));
    struct call call = {.transport = transport, .req = request("GET", url)};

    ferry_request_set_trace(
        call.req, FERRY_TRACE(.got_first_byte = note_first_byte, .put_idle_conn = note_put), noted);
    start_call(&call);
    assert_eventually(gate_is_open(&gates->arrived[0]));
    assert_got(get(transport, origin_url(closing, "/")), 200, "ok");
    gate_open(&gates->go[0]);
    gate_open(&gates->go[1]);
    assert_true(away_until_connections(transport, 1)); /* the monitor has been here */
    assert_int_equal(noted->events, 0);
    assert_eventually(call.done);
    assert_int_equal(noted->events, 2);
    assert_int_equal(noted->thread, (unsigned long)pthread_self());
    assert_got(call.outcome, 200, "1");
    ferry_request_free(call.req);
}

/* Nor one that gives a body, though its connection was idle before: the origin lets the write loop wait
 * until the thread is away. */
static void serve_reluctantly(struct origin_conn *conn, void *arg)
{
    struct gates *gates = arg;
    char head[1024];
    if (!origin_read_request(conn) || !origin_send_text(conn, OK_REPLY) ||
        origin_read_head(conn, head, sizeof head) <= 0) {
        return;
    }
    gate_open(&gates->arrived[0]);
    if (origin_wait(conn, &gates->go[0]) && origin_read_body(conn) >= 0) {
        origin_send_text(conn, OK_REPLY);
    }
}

struct giver {
    size_t left;
    unsigned long thread;
    atomic_bool elsewhere; /* it was asked on another thread */
};

static ssize_t give(void *arg, void *buf, size_t len)
{
    struct giver *giver = arg;
    size_t count = len < giver->left ? len : giver->left;
    giver->elsewhere = giver->elsewhere || giver->thread != (unsigned long)pthread_self();
    memset(buf, 'x', count);
    giver->left -= count;
    return (ssize_t)count;
}

static void test_asks_for_no_body(void **state)
{
    enum { LEN = 16 << 20 };
    struct gates *gates = KEPT(state, struct gates);
    struct giver *giver =
        KEPT(state, struct giver, .left = LEN, .thread = (unsigned long)pthread_self());
    struct origin *slow = serve_script(
        state,
        &(struct origin_script){.serve = serve_reluctantly, .arg = gates, .receive_buffer = 4096});
    struct origin *closing = serve_with(state, serve_until, &gates->go[1]);
    ferry_transport *transport = transport_with(state, NULL);
    struct call call = {.transport = transport, .req = request("POST", origin_url(slow, "/"))};

    assert_got(get(transport, origin_url(slow, "/")), 200, "ok");
    assert_int_equal(ferry_request_set_body_reader(call.req, give, NULL, giver, LEN), 0);
    start_call(&call);
    assert_eventually(gate_is_open(&gates->arrived[0]));
    assert_got(get(transport, origin_url(closing, "/")), 200, "ok");
    size_t left = giver->left;
    assert_true(left > 0);
    gate_open(&gates->go[0]);
    gate_open(&gates->go[1]);
    assert_true(away_until_connections(transport, 1)); /* the monitor has been here */
    assert_int_equal(giver->left, left);
    assert_eventually(call.done);
    assert_got(call.outcome, 200, "ok");
    assert_false(giver->elsewhere);
    assert_int_equal(stats_of(transport).dials, 2); /* one for each origin */
    ferry_request_free(call.req);
}

/* What an unread body holds is not the monitor's: it is kept. */
static void test_open_response_is_left_alone(void **state)
{
    struct origin *origin = serve_with(state, serve_identity, NULL);
    struct origin *closing = serve_with(state, serve_identity, NULL);
    ferry_transport *transport = transport_with(state, NULL);
    char byte;

    ferry_response *res = open_get(transport, origin_url(origin, "/"));
    assert_got(get(transport, origin_url(closing, "/close")), 200, "1");
    assert_true(away_until_connections(transport, 1));
    read_exactly(res, &byte, 1);
    assert_int_equal(byte, '1');
    ferry_response_close(res);
}

/* ----------------------------------------------------------------------------- abandoned bodies */

#define BODY_OF_9 "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsome"

static void serve_some(struct origin_conn *conn, void *arg)
{
    (void)arg;
    while (origin_read_request(conn) && origin_send_text(conn, BODY_OF_9)) {}
}

static void test_abandoned_while_its_thread_is_away(void **state)
{
    struct origin *origin = serve_with(state, serve_some, NULL);
    ferry_transport *transport = transport_with(state, FERRY_TRANSPORT_OPTIONS(.abandoned_ms = 30));
    ferry_error err = {0};
    char buf[16];

    ferry_response *res = open_get(transport, origin_url(origin, "/"));
    read_exactly(res, buf, 2);
    assert_true(away_until_connections(transport, 0));
    assert_int_equal(stats_of(transport).abandoned, 1);
    assert_int_equal(ferry_open_responses(NULL), 1);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(ferry_response_read(res, buf, sizeof buf, &err), -1);
        assert_error(&err, FERRY_EABANDONED, "nobody read from it for 30 ms");
    }
    assert_int_equal(ferry_num_tasks(), 1);
    ferry_response_close(res);
    assert_int_equal(ferry_open_responses(NULL), 0);
    assert_int_equal(stats_of(transport).open_responses, 0);
}

static void test_abandoned_while_its_thread_is_in_ferry(void **state)
{
    struct origin *origin = serve_with(state, serve_some, NULL);
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.abandoned_ms = 10, .disable_monitor = 1));
    char *text = NULL;
    size_t len;
    FILE *ledger = open_memstream(&text, &len);

    ferry_response *res = open_get(transport, origin_url(origin, "/"));
    assert_eventually(stats_of(transport).connections == 0);
    assert_int_equal(ferry_open_responses(ledger), 1);
    fclose(ledger);
    assert_non_null(strstr(text, "abandoned: ferry took its connection away"));
    free(text);
    ferry_response_close(res);
}

/* Who waits for the server reads; and what is read now and then is not abandoned. */
static void read_to_its_error(void *arg)
{
    struct call *call = arg;
    read_body(call->res, &call->outcome);
    call->done = true;
}

static void test_waiting_reader_has_not_abandoned_it(void **state)
{
    struct origin *origin = serve_with(state, serve_some, NULL);
    ferry_transport *transport = transport_with(state, FERRY_TRANSPORT_OPTIONS(.abandoned_ms = 5));
    struct call call = {.res = open_get(transport, origin_url(origin, "/"))};

    assert_int_equal(ferry_go(read_to_its_error, &call), 0);
    ferry_sleep(MOMENT_MS);
    assert_false(call.done);
    assert_int_equal(stats_of(transport).abandoned, 0);
    ferry_response_close(call.res);
    assert_eventually(call.done);
    assert_int_equal(call.outcome.err.code, FERRY_ECLOSED);
}

static void test_read_to_its_end_is_not_abandoned(void **state)
{
    struct origin *origin = serve_with(state, serve_identity, NULL);
    ferry_transport *transport = transport_with(state, FERRY_TRANSPORT_OPTIONS(.abandoned_ms = 5));
    char byte;

    ferry_response *res = open_get(transport, origin_url(origin, "/"));
    read_exactly(res, &byte, 1);
    ferry_sleep(MOMENT_MS);
    assert_int_equal(ferry_response_read(res, &byte, 1, NULL), 0);
    assert_int_equal(stats_of(transport).abandoned, 0);
    assert_int_equal(stats_of(transport).idle, 1);
    ferry_response_close(res);
}

/* ------------------------------------------------------------------- closed on another thread */

struct endless {
    const char *head;
    struct gate failed;
};

static void serve_endless(struct origin_conn *conn, void *arg)
{
    struct endless *endless = arg;
    bool sent = origin_read_request(conn) && origin_send_text(conn, endless->head);
    while (sent) {
        sent = origin_send_text(conn, "5\r\nsmall\r\n");
    }
    gate_open(&endless->failed);
}

static void close_it(void *res)
{
    ferry_response_close(res);
}

/* TR-047: the response's own thread does not come back into ferry, and its connection goes all the
 * same. */
static void test_closed_elsewhere_while_its_thread_is_away(void **state)
{
    static const char *const heads[] = {"HTTP/1.1 200 OK\r\n\r\n",
                                        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"};
    for (size_t i = 0; i < 2; i++) {
        struct endless *endless = KEPT(state, struct endless, .head = heads[i]);
        struct origin *origin = serve_with(state, serve_endless, endless);
        ferry_transport *transport = transport_with(state, NULL);
        char some[100];
        ferry_response *res = open_get(transport, origin_url(origin, "/"));
        read_exactly(res, some, sizeof some);
        run_elsewhere(close_it, res);
        assert_true(gate_wait(&endless->failed, SOON_MS)); /* the server's writes */
        assert_true(away_until_connections(transport, 0));
        assert_int_equal(stats_of(transport).open_responses, 0);
        assert_int_equal(ferry_num_tasks(), 1);
    }
}

/* What is left of the body is read on, and the connection kept. */
static void serve_the_rest(struct origin_conn *conn, void *go_on)
{
    if (origin_read_request(conn) && origin_send_text(conn, BODY_OF_9) &&
        origin_wait(conn, go_on) && origin_send_text(conn, " more")) {
        serve_identity(conn, NULL);
    }
}

static void test_drained_while_its_thread_is_away(void **state)
{
    struct gate *go_on = KEPT(state, struct gate);
    struct origin *origin = serve_with(state, serve_the_rest, go_on);
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.drain_ms = SOON_MS));
    ferry_response *res = open_get(transport, origin_url(origin, "/"));
    run_elsewhere(close_it, res);
    gate_open(go_on);
    for (int64_t until = now_ms() + SOON_MS; stats_of(transport).idle == 0 && now_ms() < until;) {
        usleep(1000);
    }
    assert_int_equal(stats_of(transport).drained, 1);
    assert_int_equal(stats_of(transport).idle, 1);
    assert_got(get(transport, origin_url(origin, "/")), 200, "1");
}

/* Whoever waits for that connection's place does not wait for the thread. */
static void test_its_place_is_free_while_its_thread_is_away(void **state)
{
    struct origin *origin = serve_with(state, serve_identity, NULL);
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.max_per_host = 1, .drain_bytes = -1));
    struct call call = {.transport = transport, .url = origin_url(origin, "/")};
    ferry_response *res = open_get(transport, origin_url(origin, "/"));
    run_elsewhere(close_it, res);
    run_elsewhere(run_call, &call);
    assert_got(call.outcome, 200, "2");
}

/* ------------------------------------------------------------------ over while it is still open */

/* After the monitor has fallen asleep, if it saw to anything before. */
static void cancel_and_call(void *arg)
{
    struct call *call = arg;
    usleep(900000);
    ferry_context_cancel(call->context);
    call->context = NULL;
    run_call(call);
}

/* The response is open, and its time is over, or another thread cancels it: its connection goes, and with
 * it its place, though its thread waits for the one that wants that. */
static void over_while_away(void **state, ferry_context *context, int64_t timeout_ms, int code)
{
    struct origin *origin = serve_with(state, serve_some, NULL);
    ferry_transport *transport = transport_with(state, FERRY_TRANSPORT_OPTIONS(.max_per_host = 1));
    ferry_request *req = request("GET", origin_url(origin, "/"));
    struct call call = {.transport = transport, .url = origin_url(origin, "/")};
    ferry_error err = {0};
    char buf[16];

    ferry_request_set_context(req, context);
    ferry_request_set_timeout(req, timeout_ms);
    ferry_response *res = ferry_transport_round_trip(transport, req, &err);
    assert_non_null(res);
    call.context = context;
    call.timeout_ms = SOON_MS;
    call.keep_open = true;
    run_elsewhere(cancel_and_call, &call);
    assert_non_null(call.res);
    ferry_response_close(call.res);
    while (ferry_response_read(res, buf, sizeof buf, &err) > 0) {}
    assert_error(&err, code, "while reading the body");
    ferry_response_close(res);
    ferry_request_free(req);
    ferry_context_free(context);
}

static void test_canceled_while_its_thread_is_away(void **state)
{
    over_while_away(state, ferry_context_new(-1), 0, FERRY_ECANCELED);
}

static void test_too_late_while_its_thread_is_away(void **state)
{
    over_while_away(state, NULL, 500, FERRY_ETIMEOUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRANSPORT_TEST(test_off_by_option_and_started_when_needed),
        TRANSPORT_TEST(test_closed_by_the_server),
        TRANSPORT_TEST(test_idle_for_too_long),
        TRANSPORT_TEST(test_again_and_again),
        TRANSPORT_TEST(test_of_a_tls_server),
        TRANSPORT_TEST(test_runs_no_task_of_the_users),
        TRANSPORT_TEST(test_runs_no_trace),
        TRANSPORT_TEST(test_asks_for_no_body),
        TRANSPORT_TEST(test_open_response_is_left_alone),
        TRANSPORT_TEST(test_abandoned_while_its_thread_is_away),
        TRANSPORT_TEST(test_abandoned_while_its_thread_is_in_ferry),
        TRANSPORT_TEST(test_waiting_reader_has_not_abandoned_it),
        TRANSPORT_TEST(test_read_to_its_end_is_not_abandoned),
        TRANSPORT_TEST(test_closed_elsewhere_while_its_thread_is_away),
        TRANSPORT_TEST(test_drained_while_its_thread_is_away),
        TRANSPORT_TEST(test_its_place_is_free_while_its_thread_is_away),
        TRANSPORT_TEST(test_canceled_while_its_thread_is_away),
        TRANSPORT_TEST(test_too_late_while_its_thread_is_away),
    };
    return cmocka_run_group_tests(tests, https_world_make, https_world_free);
}
