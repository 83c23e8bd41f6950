/* The scripted origin: what it reads, counts and logs, how it ends connections and itself. */
#include "origin.h"
#include "plain_client.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define GET_A "GET /a HTTP/1.1\r\nHost: a\r\n\r\n"
#define GET_B "GET /b HTTP/1.1\r\nHost: a\r\n\r\n"

static void every_request_gets_the_next_reply(void **state)
{
    static const struct origin_reply replies[] = {
        {.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1"},
        {.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n2\0002", .len = 41},
        {.bytes = "HTTP/1.1 200 OK\r\n\r\nlast", .then = ORIGIN_THEN_CLOSE},
    };
    struct origin *origin = origin_start_replies(replies, 3);
    char got[256];
    int fd;

    (void)state;
    assert_non_null(origin);
    fd = plain_connect(origin_port(origin));
    plain_send(fd, GET_A);
    plain_expect(fd, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1");
    plain_send(fd, GET_A GET_B);
    assert_int_equal(plain_read_all(fd, got, sizeof(got)), 41 + 23);
    assert_memory_equal(
        got, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n2\0002HTTP/1.1 200 OK\r\n\r\nlast",
        41 + 23);
    close(fd);

    fd = plain_connect(origin_port(origin));
    plain_send(fd, GET_B);
    plain_read_all(fd, got, sizeof(got));
    assert_string_equal(got, "HTTP/1.1 200 OK\r\n\r\nlast");
    close(fd);
    assert_int_equal(origin_counts(origin).accepted, 2);
    assert_int_equal(origin_counts(origin).requests, 4);
    assert_true(origin_stop(origin));
}

static void requests_are_logged_byte_for_byte(void **state)
{
    static const char post[] = "POST /b HTTP/1.1\r\nContent-Length:  3 \r\n\r\nxyz";
    static const char chunked[] = "PUT /c HTTP/1.1\r\ntransfer-encoding: Chunked\r\n\r\n"
                                  "5\r\nhello\r\nA;x=y\r\n0123456789\r\n0\r\nT: v\r\n\r\n";
    struct origin *origin = origin_start_reply("HTTP/1.1 204 No Content\r\n\r\n");
    struct origin_request request;
    char *received;
    size_t len;
    int first;
    int second;

    (void)state;
    first = plain_connect(origin_port(origin));
    plain_send(first, GET_A);
    plain_expect(first, "HTTP/1.1 204 No Content\r\n\r\n");
    second = plain_connect(origin_port(origin));
    plain_send(second, post);
    plain_expect(second, "HTTP/1.1 204 No Content\r\n\r\n");
    plain_send(second, chunked);
    plain_expect(second, "HTTP/1.1 204 No Content\r\n\r\n");

    request = origin_request(origin, 0);
    assert_string_equal(request.head, GET_A);
    assert_int_equal(request.connection, 1);
    assert_int_equal(request.number, 1);
    assert_int_equal(request.body_len, 0);
    assert_true(request.complete);

    request = origin_request(origin, 1);
    assert_string_equal(request.head, "POST /b HTTP/1.1\r\nContent-Length:  3 \r\n\r\n");
    assert_string_equal(request.body, "xyz");
    assert_int_equal(request.connection, 2);

    request = origin_request(origin, 2);
    assert_int_equal(request.connection, 2);
    assert_int_equal(request.number, 2);
    assert_string_equal(request.body, "hello0123456789");
    assert_string_equal(request.raw_body, "5\r\nhello\r\nA;x=y\r\n0123456789\r\n0\r\nT: v\r\n\r\n");
    assert_true(request.complete);
    assert_int_equal(origin_request(origin, 3).connection, 0);

    received = origin_received(origin, 2, &len);
    assert_int_equal(len, strlen(post) + strlen(chunked));
    assert_memory_equal(received, post, strlen(post));
    assert_string_equal(received + strlen(post), chunked);
    free(received);
    assert_null(origin_received(origin, 3, NULL));
    close(first);
    close(second);
    assert_true(origin_stop(origin));
}

static void a_body_cut_short_is_not_complete(void **state)
{
    struct origin *origin = origin_start_reply("HTTP/1.1 204 No Content\r\n\r\n");
    int fd;

    (void)state;
    fd = plain_connect(origin_port(origin));
    plain_send(fd, "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nab");
    close(fd);
    assert_true(origin_await_accepted(origin, 1, 10000));
    assert_true(origin_await_requests(origin, 1, 10000));
    assert_true(origin_await_open(origin, 0, 10000));
    assert_string_equal(origin_request(origin, 0).body, "ab");
    assert_false(origin_request(origin, 0).complete);
    assert_true(origin_stop(origin));
}

static void urls_name_the_address(void **state)
{
    struct origin *origin = origin_start_reply("HTTP/1.1 204 No Content\r\n\r\n");
    char expected[64];

    (void)state;
    snprintf(expected, sizeof(expected), "http://127.0.0.1:%d/x?y", origin_port(origin));
    assert_string_equal(origin_url(origin, "/x?y"), expected);
    expected[strlen(expected) - strlen("/x?y")] = '\0';
    assert_string_equal(origin_host(origin), expected + strlen("http://"));
    assert_null(origin_socket_path(origin));
    assert_true(origin_stop(origin));
    assert_true(origin_stop(NULL));
}

static void serve_hello(struct origin_conn *conn, void *arg)
{
    (void)arg;
    while (origin_read_request(conn))
        origin_sendf(conn, "%s %u %d\n", "hello", origin_conn_serial(conn),
                     origin_conn_peer_port(conn) > 0);
}

static void it_listens_on_ipv6_and_on_a_unix_socket(void **state)
{
    struct origin *ipv6 =
        origin_start(&(struct origin_script){.serve = serve_hello, .family = ORIGIN_IPV6});
    struct origin *local =
        origin_start(&(struct origin_script){.serve = serve_hello, .family = ORIGIN_UNIX});
    char path[256];
    int fd;

    (void)state;
    assert_non_null(ipv6);
    assert_non_null(local);
    assert_memory_equal(origin_url(ipv6, "/"), "http://[::1]:", 13);
    fd = plain_connect_ipv6(origin_port(ipv6));
    plain_send(fd, GET_A);
    plain_expect(fd, "hello 1 1\n");
    close(fd);

    assert_string_equal(origin_url(local, "/p"), "http://localhost/p");
    snprintf(path, sizeof(path), "%s", origin_socket_path(local));
    fd = plain_connect_unix(path);
    plain_send(fd, GET_A);
    plain_expect(fd, "hello 1 0\n");
    close(fd);
    assert_true(origin_stop(ipv6));
    assert_true(origin_stop(local));
    assert_int_equal(access(path, F_OK), -1);
}

/* ---- Gates ---- */

struct gated {
    struct gate reached;
    struct gate go_on;
};

static void serve_gated(struct origin_conn *conn, void *arg)
{
    struct gated *gated = arg;
    char head[256];

    if (origin_read_head(conn, head, sizeof(head)) <= 0)
        return;
    origin_send(conn, BYTES("first"));
    gate_open(&gated->reached);
    if (origin_wait(conn, &gated->go_on))
        origin_send(conn, BYTES("second"));
}

static void a_gate_holds_the_origin(void **state)
{
    struct gated gated = {0};
    struct origin *origin =
        origin_start(&(struct origin_script){.serve = serve_gated, .arg = &gated});
    char got[64];
    int fd;

    (void)state;
    fd = plain_connect(origin_port(origin));
    assert_false(gate_wait(&gated.reached, 0));
    plain_send(fd, GET_A);
    plain_expect(fd, "first");
    assert_true(gate_wait(&gated.reached, 10000));
    assert_int_equal(recv(fd, got, sizeof(got), MSG_DONTWAIT), -1);
    assert_int_equal(errno, EAGAIN);
    gate_open(&gated.go_on);
    plain_read_all(fd, got, sizeof(got));
    assert_string_equal(got, "second");
    close(fd);
    assert_true(origin_stop(origin));
}

static void an_accept_gate_holds_connections(void **state)
{
    struct gate accept = {0};
    struct origin *origin =
        origin_start(&(struct origin_script){.serve = serve_hello, .accept_gate = &accept});
    int fd;

    (void)state;
    fd = plain_connect(origin_port(origin));
    plain_send(fd, GET_A);
    assert_int_equal(origin_counts(origin).accepted, 0);
    gate_open(&accept);
    plain_expect(fd, "hello 1 1\n");
    assert_int_equal(origin_counts(origin).accepted, 1);
    close(fd);
    assert_true(origin_stop(origin));
}

/* ---- Ends ---- */

static void serve_reset(struct origin_conn *conn, void *arg)
{
    char head[256];

    (void)arg;
    origin_read_head(conn, head, sizeof(head));
    origin_send(conn, BYTES("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nbytes, then a reset"));
    origin_reset(conn);
}

static void a_reset_comes_after_the_bytes(void **state)
{
    struct origin *origin = origin_start(&(struct origin_script){.serve = serve_reset});

    (void)state;
    for (int i = 0; i < 50; i++) {
        int fd = plain_connect(origin_port(origin));
        char byte;

        plain_send(fd, GET_A);
        plain_expect(fd, "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nbytes, then a reset");
        assert_int_equal(plain_recv(fd, &byte, 1), -1);
        assert_int_equal(errno, ECONNRESET);
        close(fd);
    }
    assert_true(origin_stop(origin));
}

struct seen {
    struct gate known;
    enum origin_end before;
    enum origin_end end;
};

static void serve_until_end(struct origin_conn *conn, void *arg)
{
    struct seen *seen = arg;
    char head[256];

    origin_read_head(conn, head, sizeof(head));
    seen->before = origin_wait_eof(conn, 0);
    origin_send(conn, BYTES("x"));
    seen->end = origin_wait_eof(conn, 10000);
    gate_open(&seen->known);
}

static void it_tells_a_close_from_a_reset(void **state)
{
    struct seen closed = {.before = ORIGIN_RESET};
    struct seen reset = {0};
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    struct origin *origin;
    int fd;

    (void)state;
    origin = origin_start(&(struct origin_script){.serve = serve_until_end, .arg = &closed});
    fd = plain_connect(origin_port(origin));
    plain_send(fd, GET_A);
    plain_expect(fd, "x");
    close(fd);
    assert_true(gate_wait(&closed.known, 10000));
    assert_int_equal(closed.before, ORIGIN_NOT_ENDED);
    assert_int_equal(closed.end, ORIGIN_EOF);
    assert_true(origin_stop(origin));

    origin = origin_start(&(struct origin_script){.serve = serve_until_end, .arg = &reset});
    fd = plain_connect(origin_port(origin));
    plain_send(fd, GET_A);
    plain_expect(fd, "x");
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    close(fd);
    assert_true(gate_wait(&reset.known, 10000));
    assert_int_equal(reset.end, ORIGIN_RESET);
    assert_true(origin_stop(origin));
}

static void serve_heads(struct origin_conn *conn, void *arg)
{
    ssize_t *lengths = arg;
    char head[32];

    lengths[0] = origin_read_head(conn, head, sizeof(head));
    lengths[1] = origin_read_head(conn, head, sizeof(head));
    lengths[2] = origin_conn_request(conn).number;
}

static void a_head_says_how_it_came(void **state)
{
    static const struct {
        const char *sent;
        ssize_t first;
        ssize_t second;
        ssize_t requests;
    } cases[] = {
        {"", 0, 0, 0},
        {"GET / HTTP/1.1\r\n\r\n", 18, 0, 1},
        {"GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n", 18, 18, 2},
        {"GET / HTTP/1.1\r\n\r", -1, -1, 0},
        {"GET /0123456789 HTTP/1.1\r\nA: b\r\n\r\n", -1, -1, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ssize_t lengths[3] = {-9, -9, -9};
        struct origin *origin =
            origin_start(&(struct origin_script){.serve = serve_heads, .arg = lengths});
        int fd = plain_connect(origin_port(origin));

        plain_send(fd, cases[i].sent);
        shutdown(fd, SHUT_WR);
        assert_true(origin_await_accepted(origin, 1, 10000));
        assert_true(origin_await_open(origin, 0, 10000));
        assert_true(origin_stop(origin));
        close(fd);
        assert_int_equal(lengths[0], cases[i].first);
        assert_int_equal(lengths[1], cases[i].second);
        assert_int_equal(lengths[2], cases[i].requests);
    }
}

/* ---- Stopping ---- */

static void serve_stuck(struct origin_conn *conn, void *arg)
{
    static struct gate never;
    char head[256];

    (void)arg;
    switch (origin_conn_serial(conn)) {
    case 1: origin_read_head(conn, head, sizeof(head)); break;
    case 2: origin_wait(conn, &never); break;
    case 3: origin_sleep(conn, 3600000); break;
    case 4: origin_send_pattern(conn, UINT64_MAX); break;
    default: origin_wait_eof(conn, -1); break;
    }
}

static void stopping_ends_every_wait(void **state)
{
    struct gate never = {0};
    struct origin *origin = origin_start(&(struct origin_script){.serve = serve_stuck});
    struct origin *unaccepted =
        origin_start(&(struct origin_script){.serve = serve_stuck, .accept_gate = &never});
    int fds[6];

    (void)state;
    for (int i = 0; i < 5; i++) {
        fds[i] = plain_connect(origin_port(origin));
        assert_true(fds[i] >= 0);
    }
    fds[5] = plain_connect(origin_port(unaccepted));
    assert_true(origin_await_accepted(origin, 5, 10000));
    assert_true(origin_stop(origin));
    assert_true(origin_stop(unaccepted));
    for (int i = 0; i < 6; i++)
        close(fds[i]);
}

static void thousands_in_a_row(void **state)
{
    struct origin *origin = origin_start_reply("HTTP/1.1 204 No Content\r\n\r\n");

    (void)state;
    for (int i = 0; i < 2000; i++) {
        int fd = plain_connect(origin_port(origin));

        plain_send(fd, GET_A);
        plain_expect(fd, "HTTP/1.1 204 No Content\r\n\r\n");
        close(fd);
    }
    assert_true(origin_await_open(origin, 0, 10000));
    assert_int_equal(origin_counts(origin).accepted, 2000);
    assert_int_equal(origin_counts(origin).requests, 2000);
    assert_true(origin_stop(origin));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_request_gets_the_next_reply),
        cmocka_unit_test(requests_are_logged_byte_for_byte),
        cmocka_unit_test(a_body_cut_short_is_not_complete),
        cmocka_unit_test(urls_name_the_address),
        cmocka_unit_test(it_listens_on_ipv6_and_on_a_unix_socket),
        cmocka_unit_test(a_gate_holds_the_origin),
        cmocka_unit_test(an_accept_gate_holds_connections),
        cmocka_unit_test(a_reset_comes_after_the_bytes),
        cmocka_unit_test(it_tells_a_close_from_a_reset),
        cmocka_unit_test(a_head_says_how_it_came),
        cmocka_unit_test(stopping_ends_every_wait),
        cmocka_unit_test(thousands_in_a_row),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
