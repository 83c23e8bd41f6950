/*
 * TCP's keep-alive probes (the option keep_alive_probe_ms): a connection that is kept, or lives for long,
 * has them; one that serves a single request at once does without.
 */
#include "transport_test.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>

/* Answers when it may. */
struct slow {
    atomic_int client_port; /* of the connection that came last */
    struct gate go;
};

static void serve_slowly(struct origin_conn *conn, void *arg)
{
    struct slow *slow = arg;
    while (origin_read_request(conn)) {
        struct sockaddr_in peer = {0};
        socklen_t len = sizeof peer;
        (void)getpeername(origin_conn_fd(conn), (struct sockaddr *)&peer, &len);
        atomic_store(&slow->client_port, ntohs(peer.sin_port));
        origin_wait(conn, &slow->go);
        origin_send_text(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    }
}

/* The interval of the probes on the client's end, in seconds; 0: there are none; -1: no such socket. */
static int probes_every(int client_port)
{
    for (int fd = 0; fd < 256; fd++) {
        struct sockaddr_in own = {0};
        socklen_t len = sizeof own;
        int on = 0;
        int idle = 0;
        int interval = 0;
        if (getsockname(fd, (struct sockaddr *)&own, &len) != 0 ||
            ntohs(own.sin_port) != client_port) {
            continue;
        }
        len = sizeof on;
        (void)getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, &len);
        (void)getsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, &len);
        (void)getsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, &len);
        return on == 0 ? 0 : idle == interval ? interval : -1;
    }
    return -1;
}

/* Starts a GET, and returns the client's port when the server has it. */
static int start_slow(struct call *call, struct slow *slow)
{
    start_call(call);
    assert_eventually(atomic_load(&slow->client_port) != 0);
    return atomic_load(&slow->client_port);
}

static void end_slow(struct call *call, struct slow *slow)
{
    gate_open(&slow->go);
    assert_eventually(call->done);
    assert_got(call->outcome, 200, "ok");
}

static void test_probes_begin_when_the_connection_is_kept(void **state)
{
    struct slow *slow = KEPT(state, struct slow);
    struct origin *origin = serve_with(state, serve_slowly, slow);
    ferry_transport *transport = transport_with(state, NULL);
    struct call call = {.transport = transport, .url = origin_url(origin, "/")};

    int port = start_slow(&call, slow);
    assert_int_equal(probes_every(port), 0);
    end_slow(&call, slow);
    assert_eventually(stats_of(transport).idle == 1);
    assert_int_equal(probes_every(port), 15);
}

static void begin_while_a_response_is_waited_for(void **state, int64_t idle_timeout_ms)
{
    struct slow *slow = KEPT(state, struct slow);
    struct origin *origin = serve_with(state, serve_slowly, slow);
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.keep_alive_probe_ms = 20,
                                                      .idle_timeout_ms = idle_timeout_ms));
    struct call call = {.transport = transport, .url = origin_url(origin, "/")};

    int port = start_slow(&call, slow);
    assert_eventually(probes_every(port) == 1);
    end_slow(&call, slow);
    assert_int_equal(probes_every(port), 1);
    transport_done(state, transport);
}

/* A server that is lost while its first response is waited for is to be found out, too. */
static void test_probes_begin_when_a_response_takes_long(void **state)
{
    begin_while_a_response_is_waited_for(state, 0);
}

/* ... and where connections may be idle for ever, or for as long as one likes. */
static void test_probes_do_not_depend_on_the_idle_timeout(void **state)
{
    begin_while_a_response_is_waited_for(state, -1);
    begin_while_a_response_is_waited_for(state, 1000);
}

static void test_no_probes_where_none_are_wanted(void **state)
{
    struct slow *slow = KEPT(state, struct slow);
    struct origin *origin = serve_with(state, serve_slowly, slow);
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.keep_alive_probe_ms = -1));

    gate_open(&slow->go);
    assert_got(get(transport, origin_url(origin, "/")), 200, "ok");
    assert_int_equal(stats_of(transport).idle, 1);
    assert_int_equal(probes_every(atomic_load(&slow->client_port)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRANSPORT_TEST(test_probes_begin_when_the_connection_is_kept),
        TRANSPORT_TEST(test_probes_begin_when_a_response_takes_long),
        TRANSPORT_TEST(test_probes_do_not_depend_on_the_idle_timeout),
        TRANSPORT_TEST(test_no_probes_where_none_are_wanted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
