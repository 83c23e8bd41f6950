/* The process's own counts go up and down with what it holds. */
#include "origin.h"
#include "plain_client.h"
#include "process.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static void descriptors_and_sockets_are_counted(void **state)
{
    int descriptors = process_descriptors();
    int sockets = process_sockets();
    int pipes[2];
    int fd;

    (void)state;
    assert_true(descriptors >= 3);
    assert_int_equal(pipe(pipes), 0);
    fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(process_descriptors(), descriptors + 3);
    assert_int_equal(process_sockets(), sockets + 1);
    close(fd);
    close(pipes[0]);
    close(pipes[1]);
    assert_int_equal(process_descriptors(), descriptors);
    assert_int_equal(process_sockets(), sockets);
}

static void serve_until_end(struct origin_conn *conn, void *arg)
{
    char head[256];

    (void)arg;
    while (origin_read_head(conn, head, sizeof(head)) > 0)
        origin_shutdown_write(conn);
}

struct expected {
    int state;
    int port;
    int count;
};

static bool is_counted(void *arg)
{
    struct expected *expected = arg;

    return process_tcp_count(expected->state, 0, expected->port) == expected->count;
}

static void connections_are_counted_by_state(void **state)
{
    static const enum origin_family families[] = {ORIGIN_IPV4, ORIGIN_IPV6};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct origin *origin =
            origin_start(&(struct origin_script){.serve = serve_until_end, .family = families[i]});
        int port = origin_port(origin);
        int fd = i == 0 ? plain_connect(port) : plain_connect_ipv6(port);

        assert_true(origin_await_open(origin, 1, 10000));
        assert_int_equal(process_tcp_count(TCP_ESTABLISHED, 0, port), 1);
        assert_int_equal(process_tcp_count(TCP_LISTEN, port, 0), 1);
        /* On this side there may be more: others' clients have had that port as their own, and stay in
           TIME-WAIT for a minute. */
        assert_true(process_tcp_count(TCP_ESTABLISHED, port, 0) >= 1);
        assert_true(process_tcp_count(0, port, 0) >= 2);
        plain_send(fd, "GET / HTTP/1.1\r\n\r\n");
        assert_true(
            expect_eventually(is_counted, &(struct expected){TCP_CLOSE_WAIT, port, 1}, 10000));
        close(fd);
        assert_true(
            expect_eventually(is_counted, &(struct expected){TCP_CLOSE_WAIT, port, 0}, 10000));
        assert_true(origin_stop(origin));
    }
}

static bool threads_are(void *count)
{
    return process_threads() == *(int *)count;
}

/* A thread that has been joined is still in /proc for a moment: how many there are once that has been the
   same for a while. */
static int threads_in_the_end(void)
{
    int threads = process_threads();
    for (int same = 0; same < 20; same++) {
        int now;
        usleep(1000);
        now = process_threads();
        same = now == threads ? same : 0;
        threads = now;
    }
    return threads;
}

static void threads_and_memory_are_counted(void **state)
{
    struct origin *origin = origin_start_reply("");
    int threads = threads_in_the_end();
    size_t before = process_resident();
    size_t len = (size_t)64 << 20;
    char *memory;
    int fd = plain_connect(origin_port(origin));

    (void)state;
    assert_true(origin_await_open(origin, 1, 10000));
    assert_true(expect_eventually(threads_are, &(int){threads + 1}, 10000));
    close(fd);

    memory = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(memory, MAP_FAILED);
    memset(memory, 1, len);
    assert_true(process_resident() >= before + len / 2);
    munmap(memory, len);
    assert_true(process_resident() < before + len / 2);
    assert_true(origin_stop(origin));
}

static bool third_time(void *arg)
{
    return ++*(int *)arg == 3;
}

static bool never(void *arg)
{
    (void)arg;
    return false;
}

static void eventually_asks_again(void **state)
{
    int asked = 0;

    (void)state;
    assert_true(expect_eventually(third_time, &asked, 10000));
    assert_int_equal(asked, 3);
    assert_false(expect_eventually(never, NULL, 5));
    assert_true(process_raise_descriptors() > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(descriptors_and_sockets_are_counted),
        cmocka_unit_test(connections_are_counted_by_state),
        cmocka_unit_test(threads_and_memory_are_counted),
        cmocka_unit_test(eventually_asks_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
