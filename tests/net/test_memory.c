/*
 * Out of memory, at every point of a dial where the library asks for some: the linker puts a
 * counter before the allocators, the stacks and the poller's registrations.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "dead_end.h"
#include "dns_server.h"
#include "net/dial.h"
#include "net/lookup.h"
#include "net_test.h"
#include "task/clock.h"
#include "task/poller.h"
#include "task/stack.h"

static struct dns_server server;

/* How many requests from now on are granted before one is not; below 0: all are. Only this
 * thread's. */
static _Thread_local int granted = -1;
static _Thread_local bool refused;

static bool grant(void)
{
    if (granted < 0 || granted-- > 0) {
        return true;
    }
    refused = true;
    errno = ENOMEM;
    return false;
}

/* What the linker's --wrap makes of their names. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
struct fy_stack *__real_fy_stack_new(enum fy_stack_kind kind);
int __real_fy_poller_add(struct fy_poller *poller, struct fy_io *io);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
struct fy_stack *__wrap_fy_stack_new(enum fy_stack_kind kind);
int __wrap_fy_poller_add(struct fy_poller *poller, struct fy_io *io);

void *__wrap_malloc(size_t size)
{
    return grant() ? __real_malloc(size) : NULL;
}

void *__wrap_calloc(size_t count, size_t size)
{
    return grant() ? __real_calloc(count, size) : NULL;
}

void *__wrap_realloc(void *old, size_t size)
{
    return grant() ? __real_realloc(old, size) : NULL;
}

struct fy_stack *__wrap_fy_stack_new(enum fy_stack_kind kind)
{
    return grant() ? __real_fy_stack_new(kind) : NULL;
}

int __wrap_fy_poller_add(struct fy_poller *poller, struct fy_io *io)
{
    return grant() ? __real_fy_poller_add(poller, io) : -1;
}

/* Dials again and again, each time with one request more granted, until nothing is refused any
 * more. wanted is what comes then: 0, or an error's code. When something was refused, that is the
 * error, or another address or the next try made good for it. */
static void dial_with_less(const struct fy_dial *dial, int64_t deadline_ms, int wanted)
{
    struct fy_dial each = *dial;
    int count;
    for (count = 0, refused = true; refused; count++) {
        ferry_error err = {0};
        refused = false;
        fy_lookup_ask(server.address, 50, 4); /* so that no channel is kept from the last time */
        each.deadline = fy_after_ms(deadline_ms);
        granted = count;
        struct fy_stream *stream = fy_dial(&each, &err);
        granted = -1;
        if (stream != NULL) {
            stream->ops->free(stream);
        }
        assert_int_equal(stream == NULL, err.code != 0);
        if (err.code != wanted) {
            assert_true(refused);
            assert_int_equal(err.code, FERRY_ENOMEM);
            assert_int_equal(err.os_errno, ENOMEM);
        }
        assert_int_equal(net_test_tasks(), 1);
    }
    assert_true(count > 1); /* something could be refused; a stream is often one of before */
}

/* Nobody accepts: there is room for every connection to wait. */
static int listen_for_many(uint16_t *port)
{
    int listener = net_test_listen("127.0.0.1", port);
    assert_int_equal(listen(listener, 1000), 0);
    return listener;
}

static struct fy_dial to(const char *host, int port)
{
    return (struct fy_dial){.host = host, .host_port = "x:80", .port = (uint16_t)port};
}

static void literal(void **state)
{
    uint16_t port;
    int listener = net_test_listen("127.0.0.1", &port);
    struct fy_dial dial = to("127.0.0.1", port);
    (void)state;
    dial_with_less(&dial, -1, 0);
    close(listener);
}

static void name(void **state)
{
    uint16_t port;
    int listener = listen_for_many(&port);
    struct fy_dial dial = to("four.test.", port);
    (void)state;
    dial_with_less(&dial, -1, 0);
    close(listener);
}

/* Making a resolver: all of it, or nothing. */
static void resolver(void **state)
{
    static const char *const entries[] = {"four.test:80:127.0.0.1,::1", "six.test:80:::1", NULL};
    int count;
    (void)state;
    for (count = 0, refused = true; refused; count++) {
        struct fy_resolver made;
        refused = false;
        granted = count;
        int result = fy_resolver_init(&made, entries, 1000);
        granted = -1;
        assert_int_equal(result, refused ? -1 : 0);
        if (result == 0) {
            fy_resolver_destroy(&made);
        }
    }
    assert_true(count > 5);
}

/* A name whose addresses are kept; before it is, keeping may fail, which is no matter. */
static void kept_name(void **state)
{
    uint16_t port;
    int listener = listen_for_many(&port);
    struct fy_dial dial = to("four.test.", port);
    struct fy_resolver known;
    (void)state;
    assert_int_equal(fy_resolver_init(&known, NULL, 60000), 0);
    dial.resolver = &known;
    dial_with_less(&dial, -1, 0);
    uint64_t lookups = atomic_load(&known.lookups);
    dial_with_less(&dial, -1, 0);
    assert_int_equal(atomic_load(&known.lookups), lookups);
    fy_resolver_destroy(&known);
    close(listener);
}

static void waiting_for_a_connect(void **state)
{
    struct dead_end silent;
    (void)state;
    assert_true(dead_end_silence(&silent));
    struct fy_dial dial = to("127.0.0.1", silent.port);
    dial_with_less(&dial, 10, FERRY_ETIMEOUT);
    dead_end_close(&silent);
}

static int user_dial(void *arg, const ferry_dial_target *target, ferry_error *err)
{
    (void)arg;
    (void)target;
    (void)err;
    int ends[2];
    net_test_unix_pair(ends);
    close(ends[1]);
    return ends[0];
}

static void by_user(void **state)
{
    struct fy_dial dial = to("127.0.0.1", 80);
    (void)state;
    dial.dial = user_dial;
    dial_with_less(&dial, -1, 0);
}

static int set_up(void **state)
{
    fy_lookup_ask(server.address, 2000, 2);
    return net_test_enter(state);
}

static int start_server(void **state)
{
    (void)state;
    dns_server_start(&server);
    return 0;
}

static int stop_server(void **state)
{
    (void)state;
    dns_server_stop(&server);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, net_test_leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(literal), TEST(name), TEST(resolver), TEST(kept_name), TEST(waiting_for_a_connect),
        TEST(by_user),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
