/*
 * How streams over sockets come about: from a descriptor, or by connecting to one address.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/socket_stream.h"
#include "net_test.h"

static void unusable_descriptor_stays_the_callers(void **state)
{
    char name[] = "/tmp/ferry-test-XXXXXX";
    int fd = mkstemp(name); /* epoll takes no files */
    (void)state;
    assert_true(fd >= 0);
    unlink(name);
    assert_null(fy_socket_stream_new(fd));
    assert_int_equal(errno, EPERM);
    assert_int_equal(close(fd), 0);
    assert_null(fy_socket_stream_new(-1));
    assert_int_equal(errno, EBADF);
}

static int connect_to(struct fy_stream **stream, const char *host, uint16_t port)
{
    struct fy_address address;
    assert_true(fy_address_parse(&address, host, port));
    int result = fy_socket_stream_connect(stream, (const struct sockaddr *)&address.sockaddr,
                                          address.len, NULL);
    return result == -EINPROGRESS ? fy_socket_stream_finish_connect(*stream, "test") : result;
}

static void connects(void **state)
{
    uint16_t port;
    int listener = net_test_listen("127.0.0.1", &port);
    struct fy_stream *stream;
    char buf[8];
    (void)state;
    assert_int_equal(connect_to(&stream, "127.0.0.1", port), 0);
    int peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(peer >= 0);
    assert_false(stream->ops->has_input(stream));
    assert_int_equal(send(peer, "hello", 5, 0), 5);
    assert_int_equal(stream->ops->read(stream, buf, sizeof buf, "test"), 5);
    struct iovec iov = {.iov_base = (char *)"hi", .iov_len = 2};
    assert_int_equal(stream->ops->writev(stream, &iov, 1, "test"), 2);
    assert_int_equal(recv(peer, buf, 2, MSG_WAITALL), 2);
    close(peer);
    assert_int_equal(stream->ops->read(stream, buf, sizeof buf, "test"), 0);
    stream->ops->free(stream);
    close(listener);
}

/* A port of this machine that is bound, so that nobody else turns up on it, and refuses. */
static void connect_refused(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof address;
    struct fy_stream *stream;
    (void)state;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    int result = fy_socket_stream_connect(&stream, (struct sockaddr *)&address, len, NULL);
    if (result == -EINPROGRESS) {
        result = fy_socket_stream_finish_connect(stream, "test");
        stream->ops->free(stream);
    }
    assert_int_equal(result, -ECONNREFUSED);
    close(fd);
}

/* A socket that is given the very port that it dials meets itself: nobody listens there. */
static void meets_itself(void **state)
{
    uint16_t port;
    struct fy_address address;
    struct fy_local_end local = {0};
    struct fy_stream *stream;
    (void)state;
    close(net_test_listen("127.0.0.1", &port));
    local.first_port = local.last_port = port;
    assert_true(fy_address_parse(&address, "127.0.0.1", port));
    int result = fy_socket_stream_connect(&stream, (const struct sockaddr *)&address.sockaddr,
                                          address.len, &local);
    if (result == -EINPROGRESS) {
        result = fy_socket_stream_finish_connect(stream, "test");
        stream->ops->free(stream);
    }
    assert_int_equal(result, -ECONNREFUSED);
}

/* The ports at which a socket could meet itself, and so is asked which it has. */
static void ports_to_look_for(void **state)
{
    const struct fy_local_end ports = {.first_port = 5000, .last_port = 5009};
    struct sockaddr_in own;
    socklen_t len = sizeof own;
    int ends[2];
    (void)state;
    net_test_tcp_pair(ends);
    assert_int_equal(getpeername(ends[1], (struct sockaddr *)&own, &len), 0);
    assert_true(fy_local_end_may_have(NULL, ntohs(own.sin_port))); /* the system has given it */
    assert_false(fy_local_end_may_have(NULL, 0));
    assert_true(fy_local_end_may_have(&ports, 5000));
    assert_true(fy_local_end_may_have(&ports, 5009));
    assert_false(fy_local_end_may_have(&ports, 5010));
    assert_false(fy_local_end_may_have(&ports, 4999));
    close(ends[0]);
    close(ends[1]);
}

static int nodelay_of(const struct fy_stream *stream)
{
    int value = -1;
    socklen_t len = sizeof value;
    assert_int_equal(
        getsockopt(stream->ops->descriptor(stream), IPPROTO_TCP, TCP_NODELAY, &value, &len), 0);
    return value != 0;
}

/* No write waits for what went before it: the first has nothing before it. */
static void small_writes(void **state)
{
    (void)state;
    for (int delays = 0; delays < 2; delays++) {
        const struct fy_local_end local = {.delays = delays != 0};
        uint16_t port;
        int listener = net_test_listen("127.0.0.1", &port);
        struct fy_stream *stream;
        struct fy_address address;
        assert_true(fy_address_parse(&address, "127.0.0.1", port));
        int result = fy_socket_stream_connect(&stream, (const struct sockaddr *)&address.sockaddr,
                                              address.len, &local);
        if (result == -EINPROGRESS) {
            result = fy_socket_stream_finish_connect(stream, "test");
        }
        assert_int_equal(result, 0);
        for (int write = 0; write < 3; write++) {
            struct iovec iov = {.iov_base = (char *)"a", .iov_len = 1};
            assert_int_equal(stream->ops->writev(stream, &iov, 1, "test"), 1);
            assert_int_equal(nodelay_of(stream), write > 0 && !delays);
        }
        stream->ops->free(stream);
        close(listener);
    }
}

static void socket_options(void **state)
{
    int ends[2];
    int value = 0;
    socklen_t len = sizeof value;
    (void)state;
    net_test_tcp_pair(ends);
    struct fy_stream *stream = fy_socket_stream_new(ends[0]);
    assert_non_null(stream);
    assert_int_equal(getsockopt(ends[0], IPPROTO_TCP, TCP_NODELAY, &value, &len), 0);
    assert_int_not_equal(value, 0);
    assert_true(fcntl(ends[0], F_GETFL) & O_NONBLOCK);
    getsockopt(ends[0], SOL_SOCKET, SO_KEEPALIVE, &value, &len);
    assert_int_equal(value, 0);

    static const struct {
        int64_t ms;
        int seconds;
    } probes[] = {{0, 1}, {1, 1}, {1000, 1}, {15000, 15}, {15001, 16}, {INT64_MAX, 32767}};
    for (size_t i = 0; i < sizeof probes / sizeof *probes; i++) {
        fy_socket_stream_probe(stream, probes[i].ms);
        getsockopt(ends[0], SOL_SOCKET, SO_KEEPALIVE, &value, &len);
        assert_int_not_equal(value, 0);
        getsockopt(ends[0], IPPROTO_TCP, TCP_KEEPIDLE, &value, &len);
        assert_int_equal(value, probes[i].seconds);
        getsockopt(ends[0], IPPROTO_TCP, TCP_KEEPINTVL, &value, &len);
        assert_int_equal(value, probes[i].seconds);
    }
    stream->ops->free(stream);
    close(ends[1]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, net_test_enter, net_test_leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(unusable_descriptor_stays_the_callers),
        TEST(connects),
        TEST(connect_refused),
        TEST(meets_itself),
        TEST(ports_to_look_for),
        TEST(small_writes),
        TEST(socket_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
