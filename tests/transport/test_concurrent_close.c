/*
 * One task reads a response, or writes to it, while another closes it: the one that is in it gets
 * FERRY_ECLOSED, nobody waits for ever, nothing is touched once it is freed, and the connection is
 * gone.
 */
#include "transport_test.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bytes.h"

/* A head and some bytes, then nothing until the client is gone. */
static void serve_stalled(struct origin_conn *conn, void *reply)
{
    if (origin_read_request(conn) && origin_send_text(conn, reply)) {
        origin_wait_eof(conn, -1);
    }
}

#define SIZED "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nsome"
#define CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nsome"
#define UNTIL_CLOSE "HTTP/1.1 200 OK\r\n\r\nsome"
#define TUNNEL "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nsome"

/* Somebody in a response. */
struct user {
    ferry_response *res;
    bool begun, ended;
    ssize_t result;
    ferry_error err;
};

static void read_until_it_fails(void *arg)
{
    struct user *user = arg;
    char buf[64];
    user->begun = true;
    do {
        user->result = ferry_response_read(user->res, buf, sizeof buf, &user->err);
    } while (user->result > 0);
    user->ended = true;
}

static void read_all(void *arg)
{
    struct user *user = arg;
    user->begun = true;
    char *all = ferry_response_read_all(user->res, 10000, NULL, &user->err);
    user->result = all != NULL ? 0 : -1;
    free(all);
    user->ended = true;
}

static void save(void *arg)
{
    struct user *user = arg;
    int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    user->begun = true;
    user->result = (ssize_t)ferry_response_save(user->res, fd, &user->err);
    close(fd);
    user->ended = true;
}

static void write_until_it_fails(void *arg)
{
    static const char zeros[65536];
    struct user *user = arg;
    user->begun = true;
    do {
        user->result = ferry_response_write(user->res, zeros, sizeof zeros, &user->err);
    } while (user->result > 0);
    user->ended = true;
}

static void close_it(void *res)
{
    ferry_response_close(res);
}

/* Closes a response under the feet of somebody parked in it, on this thread or from another. */
static void close_under(void **state, const char *reply, void (*use)(void *user), bool from_thread)
{
    struct origin *origin = serve_with(state, serve_stalled, (void *)reply);
    for (int drain = 0; drain < 2; drain++) {
        ferry_transport *transport =
            transport_with(state, FERRY_TRANSPORT_OPTIONS(.drain_bytes = drain ? 0 : -1));
        struct user user = {.res = open_get(transport, origin_url(origin, "/"))};
        assert_int_equal(ferry_go(use, &user), 0);
        assert_eventually(user.begun);
        ferry_sleep(MOMENT_MS); /* it is parked now */
        assert_false(user.ended);

        if (from_thread) {
            struct side side;
            start_side(&side, close_it, user.res);
            end_side(&side);
        } else {
            ferry_response_close(user.res);
        }
        assert_int_equal(ferry_open_responses(NULL), 0);
        assert_eventually(user.ended);
        assert_int_equal(user.result, -1);
        assert_error(&user.err, FERRY_ECLOSED, "was closed while it was");
        assert_eventually(stats_of(transport).connections == 0);
    }
}

static void test_close_under_a_read_sized(void **state)
{
    close_under(state, SIZED, read_until_it_fails, false);
}

static void test_close_under_a_read_chunked(void **state)
{
    close_under(state, CHUNKED, read_until_it_fails, false);
}

static void test_close_under_a_read_until_close(void **state)
{
    close_under(state, UNTIL_CLOSE, read_until_it_fails, false);
}

static void test_close_under_a_read_all(void **state)
{
    close_under(state, SIZED, read_all, false);
}

static void test_close_under_a_save(void **state)
{
    close_under(state, CHUNKED, save, false);
}

static void test_close_under_a_tunnels_read(void **state)
{
    close_under(state, TUNNEL, read_until_it_fails, false);
}

static void test_close_from_a_thread_under_a_read_sized(void **state)
{
    close_under(state, SIZED, read_until_it_fails, true);
}

static void test_close_from_a_thread_under_a_read_chunked(void **state)
{
    close_under(state, CHUNKED, read_until_it_fails, true);
}

static void test_close_from_a_thread_under_a_save(void **state)
{
    close_under(state, UNTIL_CLOSE, save, true);
}

/* ------------------------------------------------------------------------- both ways of a tunnel */

/* Answers 101 and reads nothing, so that the client's writes come to a halt. */
static void serve_deaf(struct origin_conn *conn, void *go)
{
    if (origin_read_request(conn) && origin_send_text(conn, TUNNEL)) {
        origin_wait(conn, go);
    }
}

static void close_under_both(void **state, bool from_thread)
{
    struct gate *go = KEPT(state, struct gate);
    struct origin *origin = serve_script(
        state, &(struct origin_script){.serve = serve_deaf, .arg = go, .receive_buffer = 4096});
    ferry_transport *transport = transport_with(state, NULL);
    struct user reader = {.res = open_get(transport, origin_url(origin, "/"))};
    struct user writer = {.res = reader.res};

    assert_int_equal(ferry_go(read_until_it_fails, &reader), 0);
    assert_int_equal(ferry_go(write_until_it_fails, &writer), 0);
    assert_eventually(reader.begun && writer.begun);
    ferry_sleep(MOMENT_MS);
    assert_false(reader.ended || writer.ended);
    if (from_thread) {
        struct side side;
        start_side(&side, close_it, reader.res);
        end_side(&side);
    } else {
        ferry_response_close(reader.res);
    }
    assert_eventually(reader.ended && writer.ended);
    assert_error(&reader.err, FERRY_ECLOSED, "was closed while it was");
    assert_error(&writer.err, FERRY_ECLOSED, "was closed while it was");
    assert_eventually(stats_of(transport).connections == 0);
    gate_open(go);
}

static void test_close_under_a_tunnels_read_and_write(void **state)
{
    close_under_both(state, false);
}

static void test_close_from_a_thread_under_a_tunnels_read_and_write(void **state)
{
    close_under_both(state, true);
}

/* ----------------------------------------------------------------------------------- in a race */

static void serve_endless(struct origin_conn *conn, void *failed)
{
    if (!origin_read_request(conn) ||
        !origin_send(conn, BYTES("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"))) {
        return;
    }
    while (origin_send(conn, BYTES("5\r\nsmall\r\n"))) {}
    gate_open(failed);
}

static void test_TR_047_close_an_endless_body(void **state)
{
    struct gate *failed = KEPT(state, struct gate);
    struct origin *origin = serve_with(state, serve_endless, failed);
    ferry_transport *transport = transport_with(state, NULL);
    struct user reader = {.res = open_get(transport, origin_url(origin, "/"))};
    char some[15];

    read_exactly(reader.res, some, sizeof some);
    assert_memory_equal(some, "smallsmallsmall", sizeof some);
    assert_int_equal(ferry_go(read_until_it_fails, &reader), 0);
    ferry_yield();
    ferry_response_close(reader.res); /* does not try to come to its end */
    assert_eventually(reader.ended);
    assert_error(&reader.err, FERRY_ECLOSED, NULL);
    assert_eventually(stats_of(transport).connections == 0);
    assert_eventually(gate_is_open(failed));
}

/* Bodies that end while somebody else closes: at every distance between the two. */
static void serve_trickle(struct origin_conn *conn, void *arg)
{
    (void)arg;
    while (origin_read_request(conn)) {
        origin_send(conn, BYTES("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"));
        for (int i = 0; i < 3; i++) {
            origin_send(conn, BYTES("5\r\nsmall\r\n"));
        }
        if (!origin_send(conn, BYTES("0\r\n\r\n"))) {
            return;
        }
    }
}

static void test_close_races_the_end(void **state)
{
    struct origin *origin = serve_with(state, serve_trickle, NULL);
    ferry_transport *transport = transport_with(state, NULL);
    for (int i = 0; i < 200; i++) {
        struct user reader = {.res = open_get(transport, origin_url(origin, "/"))};
        assert_int_equal(ferry_go(read_until_it_fails, &reader), 0);
        ferry_yield(); /* it is in the response by now */
        for (int turn = 0; turn < i % 8; turn++) {
            ferry_yield();
        }
        ferry_response_close(reader.res);
        assert_eventually(reader.ended);
        assert_true(reader.result == 0 || reader.err.code == FERRY_ECLOSED);
    }
    assert_got(get(transport, origin_url(origin, "/")), 200, "smallsmallsmall");
}

/* ----------------------------------------------------------- between two reads of a single call */

/* On a thread of its own: saves into a pipe that nobody empties. */
struct saver {
    ferry_transport *transport;
    const char *url;
    int pipe;
    _Atomic(ferry_response *) res;
    _Atomic int64_t result; /* 0 until it is over */
    ferry_error err;
};

static void save_into_pipe(void *arg)
{
    struct saver *saver = arg;
    ferry_request *req = ferry_request_new("GET", saver->url, &saver->err);
    ferry_response *res = ferry_transport_round_trip(saver->transport, req, &saver->err);
    saver->res = res;
    saver->result = ferry_response_save(res, saver->pipe, &saver->err);
    ferry_request_free(req);
}

/* Two tasks in one body would take each other's bytes: the second is told so, the first reads on. */
static void test_a_second_reader_is_refused(void **state)
{
    struct origin *origin = serve_with(state, serve_stalled, (void *)SIZED);
    ferry_transport *transport = transport_with(state, NULL);
    struct user first = {.res = open_get(transport, origin_url(origin, "/"))};
    ferry_error err;
    char byte;

    assert_int_equal(ferry_go(read_until_it_fails, &first), 0);
    assert_eventually(first.begun && first.result == 4);
    assert_int_equal(ferry_response_read(first.res, &byte, 1, &err), -1);
    assert_error(&err, FERRY_EINVAL, "is being read by another task");
    assert_false(first.ended);
    ferry_response_close(first.res);
    assert_eventually(first.ended);
    assert_error(&first.err, FERRY_ECLOSED, NULL);
}

static void test_close_while_a_save_writes(void **state)
{
    struct gate *failed = KEPT(state, struct gate);
    struct origin *origin = serve_with(state, serve_endless, failed);
    ferry_transport *transport = transport_with(state, NULL);
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    struct saver saver = {.transport = transport, .url = origin_url(origin, "/"), .pipe = ends[1]};
    struct side side;
    char buf[4096];

    start_side(&side, save_into_pipe, &saver);
    struct pollfd writable = {.fd = ends[1], .events = POLLOUT};
    assert_eventually(poll(&writable, 1, 0) == 0);
    ferry_response_close(saver.res); /* the other thread stands in a write() */
    int flags = fcntl(ends[0], F_GETFL);
    assert_int_equal(fcntl(ends[0], F_SETFL, flags | O_NONBLOCK), 0);
    while (!saver.result) {
        if (read(ends[0], buf, sizeof buf) < 0) {
            ferry_sleep(1);
        }
    }
    end_side(&side);
    assert_int_equal(saver.result, -1);
    assert_error(&saver.err, FERRY_ECLOSED, "was closed while it was read");
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRANSPORT_TEST(test_close_under_a_read_sized),
        TRANSPORT_TEST(test_close_under_a_read_chunked),
        TRANSPORT_TEST(test_close_under_a_read_until_close),
        TRANSPORT_TEST(test_close_under_a_read_all),
        TRANSPORT_TEST(test_close_under_a_save),
        TRANSPORT_TEST(test_close_under_a_tunnels_read),
        TRANSPORT_TEST(test_close_from_a_thread_under_a_read_sized),
        TRANSPORT_TEST(test_close_from_a_thread_under_a_read_chunked),
        TRANSPORT_TEST(test_close_from_a_thread_under_a_save),
        TRANSPORT_TEST(test_close_under_a_tunnels_read_and_write),
        TRANSPORT_TEST(test_close_from_a_thread_under_a_tunnels_read_and_write),
        TRANSPORT_TEST(test_TR_047_close_an_endless_body),
        TRANSPORT_TEST(test_close_races_the_end),
        TRANSPORT_TEST(test_a_second_reader_is_refused),
        TRANSPORT_TEST(test_close_while_a_save_writes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
