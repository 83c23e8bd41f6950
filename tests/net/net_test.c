/*
 * What the tests of this folder share.
 */
#include "net_test.h"

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "process.h"
#include "task/sched.h"

static int descriptors;

int net_test_enter(void **state)
{
    (void)state;
    if (fy_enter() == NULL) {
        return -1;
    }
    descriptors = process_descriptors();
    return 0;
}

static bool as_many_descriptors(void *arg)
{
    (void)arg;
    return process_descriptors() == descriptors;
}

int net_test_leave(void **state)
{
    (void)state;
    int tasks = net_test_tasks();
    fy_leave();
    /* A connection's other end, in a thread of the test's own, may be a little longer about it. */
    bool closed = expect_eventually(as_many_descriptors, NULL, 2000);
    if (tasks != 1 || !closed) {
        print_error("left behind: %d tasks, %d descriptors\n", tasks - 1,
                    process_descriptors() - descriptors);
        return -1;
    }
    return 0;
}

int net_test_tasks(void)
{
    return atomic_load(&fy_sched_running()->task_count);
}

void net_test_go(void (*fn)(void *arg), void *arg)
{
    assert_non_null(fy_task_start(FY_TASK_LIBRARY, FY_STACK_LARGE, "test", fn, arg));
}

void net_test_yield(void)
{
    for (int i = 0; i < 10; i++) {
        fy_yield();
    }
}

int net_test_wait_readable(struct fy_stream *stream, const char *why)
{
    for (;;) {
        int result = stream->ops->rest_readable(stream, why);
        if (result == -EAGAIN) {
            fy_park("rest", why);
        } else if (result != 0 || stream->ops->has_input(stream)) {
            return result;
        }
    }
}

void net_test_unix_pair(int ends[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
}

int net_test_listen(const char *host, uint16_t *port)
{
    struct fy_address address;
    assert_true(fy_address_parse(&address, host, 0));
    int fd = socket(address.sockaddr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    if (bind(fd, (struct sockaddr *)&address.sockaddr, address.len) != 0 || listen(fd, 16) != 0) {
        close(fd);
        return -1;
    }
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address.sockaddr, &address.len), 0);
    *port = ntohs(address.sockaddr.ss_family == AF_INET6
                      ? ((struct sockaddr_in6 *)&address.sockaddr)->sin6_port
                      : ((struct sockaddr_in *)&address.sockaddr)->sin_port);
    return fd;
}

void net_test_tcp_pair(int ends[2])
{
    uint16_t port;
    struct fy_address address;
    int listener = net_test_listen("127.0.0.1", &port);
    assert_true(listener >= 0);
    assert_true(fy_address_parse(&address, "127.0.0.1", port));
    ends[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(ends[0], (struct sockaddr *)&address.sockaddr, address.len), 0);
    ends[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(ends[1] >= 0);
    close(listener);
}

static void cancel(void *arg)
{
    struct net_test_canceler *canceler = arg;
    int turns = 0;
    for (; turns < 20; turns++) {
        fy_yield();
    }
    canceler->turns = turns;
    fy_chan_close(&canceler->canceled);
}

void net_test_cancel_soon(struct net_test_canceler *canceler)
{
    fy_chan_init(&canceler->canceled, NULL, 0);
    canceler->turns = -1;
    net_test_go(cancel, canceler);
}
