/*
 * Connections at rest: neither of their loops has a stack, and what is kept at hand for them is given
 * back, here after a millisecond instead of a second. All that a connection does, and all that is done
 * to it, it does from there.
 */
#include "transport_test.h"

#include <openssl/ssl.h>
#include <pthread.h>
#include <unistd.h>

#include "https_test.h"
#include "tls_server.h"

#include "task/calm.h"
#include "task/clock.h"

static int at_rest(void)
{
    int resting = 0;
    struct fy_sched *sched = fy_enter();
    FY_LIST_EACH(link, &sched->tasks)
    {
        const struct fy_task *task = FY_CONTAINER(link, struct fy_task, all);
        resting += task->stack == NULL && fy_task_is_parked(task);
    }
    fy_leave();
    return resting;
}

#define assert_rests(loops) assert_eventually(at_rest() == (loops))

static void test_serves_again_and_again(void **state)
{
    struct origin *origin = serve_with(state, serve_identity, NULL);
    ferry_transport *transport = transport_with(state, NULL);

    for (int i = 0; i < 5; i++) {
        assert_got(get(transport, origin_url(origin, "/")), 200, "1");
        assert_int_equal(ferry_num_tasks(), 3);
        assert_rests(2);
        assert_int_equal(ferry_num_tasks(), 3);
        assert_int_equal(stats_of(transport).idle, 1);
    }
    assert_got(get(transport, origin_url(origin, "/close")), 200, "1");
}

/* Says hello once, and then what it is told to. */
struct farewell {
    struct gate now;
    const char *words; /* sent before the end; NULL: none */
};

static void serve_farewell(struct origin_conn *conn, void *arg)
{
    struct farewell *farewell = arg;
    if (origin_read_request(conn)) {
        origin_send_text(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        gate_wait(&farewell->now, SOON_MS);
        if (farewell->words != NULL) {
            origin_send_text(conn, farewell->words);
            origin_wait_eof(conn, SOON_MS);
        }
    }
}

static void rest_until_farewell(void **state, const char *words, bool away)
{
    struct farewell *farewell = KEPT(state, struct farewell, .words = words);
    struct origin *origin = serve_with(state, serve_farewell, farewell);
    ferry_transport *transport = transport_with(state, NULL);

    assert_got(get(transport, origin_url(origin, "/")), 200, "ok");
    assert_rests(2);
    gate_open(&farewell->now);
    if (away) { /* the monitor wakes it, and its loops have their last turns */
        int64_t until = now_ms() + SOON_MS;
        while (stats_of(transport).connections != 0 && now_ms() < until) {
            usleep(1000);
        }
        assert_int_equal(stats_of(transport).connections, 0);
    }
    assert_eventually(stats_of(transport).connections == 0);
    assert_eventually(ferry_num_tasks() == 1);
}

static void test_closed_by_the_server(void **state)
{
    rest_until_farewell(state, NULL, false);
}

static void test_closed_by_the_server_while_the_thread_is_away(void **state)
{
    rest_until_farewell(state, NULL, true);
}

static void test_bytes_unasked(void **state)
{
    rest_until_farewell(state, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false);
}

static void test_idle_for_too_long(void **state)
{
    struct origin *origin = serve_with(state, serve_identity, NULL);
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.idle_timeout_ms = 100));

    assert_got(get(transport, origin_url(origin, "/")), 200, "1");
    assert_eventually(stats_of(transport).connections == 0);
    assert_eventually(ferry_num_tasks() == 1);
}

static void test_closed_by_the_program(void **state)
{
    struct origin *origin = serve_with(state, serve_identity, NULL);
    ferry_transport *transport = transport_with(state, NULL);

    assert_got(get(transport, origin_url(origin, "/")), 200, "1");
    assert_rests(2);
    ferry_transport_close_idle(transport);
    assert_eventually(ferry_num_tasks() == 1);
    assert_got(get(transport, origin_url(origin, "/")), 200, "2");
    assert_rests(2); /* and the transport is freed with a connection at rest */
}

static void run_get(void *arg)
{
    run_call(arg);
}

static void test_moves_to_another_thread_and_back(void **state)
{
    struct origin *origin = serve_with(state, serve_identity, NULL);
    ferry_transport *transport = transport_with(state, NULL);

    for (int i = 0; i < 3; i++) {
        struct call call = {.transport = transport, .url = origin_url(origin, "/")};
        struct side side = {0};
        assert_got(get(transport, origin_url(origin, "/")), 200, "1");
        assert_rests(2);
        start_side(&side, run_get, &call);
        end_side(&side);
        assert_got(call.outcome, 200, "1"); /* and back, from a thread that has ended */
    }
}

/* A request whose answer does not come. */
static void test_canceled(void **state)
{
    struct gates *gates = KEPT(state, struct gates);
    struct origin *origin = serve_with(state, serve_gated, gates);
    ferry_transport *transport = transport_with(state, NULL);
    ferry_context *context = ferry_context_new(-1);
    struct call call = {
        .transport = transport, .url = origin_url(origin, "/1"), .context = context};

    gate_open(&gates->go[0]);
    assert_got(get(transport, origin_url(origin, "/0")), 200, "1");
    assert_rests(2);
    start_call(&call);
    assert_eventually(gate_is_open(&gates->arrived[1]));
    assert_rests(2); /* again: the write loop has nothing more to do, the read loop nothing yet */
    ferry_context_cancel(context);
    assert_eventually(call.done);
    assert_failed(call.outcome, FERRY_ECANCELED, NULL);
    ferry_context_free(context);
    gates_open(gates);
}

/* A response that is held holds no stacks. */
static void test_held_and_closed_early(void **state)
{
    struct origin *origin = serve_reply(state, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
    ferry_transport *transport = transport_with(state, NULL);

    ferry_response *res = open_get(transport, origin_url(origin, "/"));
    assert_rests(2);
    ferry_response_close(res);
    assert_eventually(ferry_num_tasks() == 1);
}

static void test_abandoned(void **state)
{
    struct origin *origin = serve_reply(state, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.abandoned_ms = 100));

    ferry_response *res = open_get(transport, origin_url(origin, "/"));
    assert_eventually(stats_of(transport).connections == 0);
    ferry_response_close(res);
}

/* When the last of the loops at rest came to it. */
static int64_t last_rest(void)
{
    int64_t last = 0;
    struct fy_sched *sched = fy_enter();
    FY_LIST_EACH(link, &sched->tasks)
    {
        const struct fy_task *task = FY_CONTAINER(link, struct fy_task, all);
        last = task->stack == NULL && task->since > last ? task->since : last;
    }
    fy_leave();
    return last;
}

/* Answers a request, sends a ticket when it is told to, and answers another. */
static void serve_ticket(SSL *ssl, int fd, void *arg)
{
    static const char reply[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    char buf[4096];
    (void)fd;
    for (int i = 0; i < 2 && SSL_read(ssl, buf, sizeof buf) > 0; i++) {
        SSL_write(ssl, reply, (int)strlen(reply));
        if (i == 0) {
            gate_wait(arg, SOON_MS);
            SSL_new_session_ticket(ssl);
            SSL_do_handshake(ssl);
        }
    }
    (void)SSL_read(ssl, buf, sizeof buf);
}

/* The read loop is woken by what is for TLS alone, and rests again. */
static void test_a_ticket_while_at_rest(void **state)
{
    struct gate now = {0};
    struct tls_server *server = tls_server_start(
        &(struct tls_server_options){.cert = world.server, .serve = serve_ticket, .arg = &now});
    ferry_transport *transport = https_transport(state, TRUSTING());
    const char *url = https_url(tls_server_port(server), "/");

    assert_got(get(transport, url), 200, "ok");
    assert_rests(2);
    int64_t before = last_rest();
    gate_open(&now);
    assert_eventually(at_rest() == 2 && last_rest() > before);
    assert_int_equal(stats_of(transport).idle, 1);
    assert_got(get(transport, url), 200, "ok");
    assert_int_equal(stats_of(transport).dials, 1);
    ferry_transport_close_idle(transport);
    tls_server_stop(server);
}

static void test_many_at_once(void **state)
{
    struct gates *gates = KEPT(state, struct gates);
    struct origin *origin = serve_with(state, serve_gated, gates);
    ferry_transport *transport = transport_with(state, NULL);
    struct call calls[8];

    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 8; i++) {
            calls[i] = (struct call){
                .transport = transport,
                .url = origin_url(
                    origin, (const char *[]){"/0", "/1", "/2", "/3", "/4", "/5", "/6", "/7"}[i])};
        }
        if (round == 0) {
            gates_open(gates);
        }
        run_calls(calls, 8);
        for (int i = 0; i < 8; i++) {
            assert_int_equal(calls[i].outcome.status, 200);
        }
        assert_rests(2 * (int)stats_of(transport).connections);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRANSPORT_TEST(test_serves_again_and_again),
        TRANSPORT_TEST(test_closed_by_the_server),
        TRANSPORT_TEST(test_closed_by_the_server_while_the_thread_is_away),
        TRANSPORT_TEST(test_bytes_unasked),
        TRANSPORT_TEST(test_idle_for_too_long),
        TRANSPORT_TEST(test_closed_by_the_program),
        TRANSPORT_TEST(test_moves_to_another_thread_and_back),
        TRANSPORT_TEST(test_canceled),
        TRANSPORT_TEST(test_held_and_closed_early),
        TRANSPORT_TEST(test_abandoned),
        TRANSPORT_TEST(test_a_ticket_while_at_rest),
        TRANSPORT_TEST(test_many_at_once),
    };
    fy_calm_after = FY_MILLISECOND;
    return cmocka_run_group_tests(tests, https_world_make, https_world_free);
}
