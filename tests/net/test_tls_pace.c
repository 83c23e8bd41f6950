/*
 * How many handshakes a thread has under way: with servers that say nothing, so that each lasts until the
 * test ends it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/socket_stream.h"
#include "net/tls_internal.h"
#include "net_test.h"
#include "process.h"
#include "task/sched.h"
#include "tls_test.h"

#define AT_ONCE 16
#define MORE 4
#define ALL (AT_ONCE + MORE)

#define FOR_EVER (INT64_C(3600000) * FY_MILLISECOND)

static struct client {
    int peer;
    int64_t ms; /* its time limit; 0: none */
    struct fy_chan *canceled;
    bool over;
    ferry_error err;
} clients[ALL];

static struct fy_tls_config *config;

static int begin(void **state)
{
    fy_tls_pace_counted = FOR_EVER;
    for (int i = 0; i < ALL; i++) {
        clients[i] = (struct client){.peer = -1};
    }
    if (net_test_enter(state) != 0) {
        return -1;
    }
    config = tls_test_config(&(ferry_tls_options){0});
    return 0;
}

static int finish(void **state)
{
    bool counts_none = fy_sched_running()->handshakes == 0;
    fy_tls_config_release(config);
    return net_test_leave(state) == 0 && counts_none ? 0 : -1;
}

static void shake_hands(void *arg)
{
    struct client *client = arg;
    int ends[2];
    net_test_tcp_pair(ends);
    client->peer = ends[1];
    struct fy_stream *below = fy_socket_stream_new(ends[0]);
    int64_t deadline = client->ms > 0 ? fy_after_ms(client->ms) : FY_NEVER;
    assert_null(fy_tls_client(config, below, "localhost", "test:443", deadline, client->canceled,
                              &client->err));
    tls_test_free(below);
    client->over = true;
}

static void start(int count)
{
    for (int i = 0; i < count; i++) {
        net_test_go(shake_hands, &clients[i]);
    }
    net_test_yield();
}

/* Whether the server has got the beginning of a handshake. */
static bool has_begun(const struct client *client)
{
    char byte;
    return recv(client->peer, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
}

static int begun(void)
{
    int count = 0;
    for (int i = 0; i < ALL; i++) {
        count += clients[i].peer >= 0 && has_begun(&clients[i]);
    }
    return count;
}

static bool is_over(void *arg)
{
    fy_poll_now();
    net_test_yield();
    return ((const struct client *)arg)->over;
}

/* The server goes away. */
static void end_one(struct client *client)
{
    shutdown(client->peer, SHUT_RDWR);
    assert_true(expect_eventually(is_over, client, 10000));
}

static void end_all(void)
{
    for (int i = 0; i < ALL; i++) {
        if (clients[i].peer >= 0) {
            end_one(&clients[i]);
            close(clients[i].peer);
        }
    }
}

/* ------------------------------------------------------------------------------------------- tests */

static void as_one_ends_the_next_begins(void **state)
{
    (void)state;
    start(ALL);
    assert_int_equal(begun(), AT_ONCE);
    for (int i = 0; i < MORE; i++) {
        assert_false(has_begun(&clients[AT_ONCE + i]));
        end_one(&clients[i]);
        assert_true(has_begun(&clients[AT_ONCE + i]));
    }
    end_all();
}

static bool all_have_begun(void *arg)
{
    (void)arg;
    fy_poll_now();
    net_test_yield();
    return begun() == ALL;
}

static void silent_servers_keep_nobody(void **state)
{
    (void)state;
    fy_tls_pace_counted = 20 * FY_MILLISECOND;
    start(ALL);
    assert_true(expect_eventually(all_have_begun, NULL, 10000));
    for (int i = 0; i < ALL; i++) {
        assert_false(clients[i].over);
    }
    end_all();
}

static void whoever_waits_can_be_canceled(void **state)
{
    (void)state;
    struct fy_chan canceled;
    fy_chan_init(&canceled, NULL, 0);
    clients[AT_ONCE].canceled = &canceled;
    start(AT_ONCE + 2);
    fy_chan_close(&canceled);
    net_test_yield();
    assert_true(clients[AT_ONCE].over);
    assert_int_equal(clients[AT_ONCE].err.code, FERRY_ECANCELED);
    assert_false(has_begun(&clients[AT_ONCE + 1])); /* it had no turn that could be given on */
    end_one(&clients[0]);
    assert_true(has_begun(&clients[AT_ONCE + 1]));
    end_all();
}

/* The time that a server has is not spent on waiting for others. */
static void the_time_limit_begins_with_the_turn(void **state)
{
    (void)state;
    clients[AT_ONCE].ms = 300;
    start(AT_ONCE + 1);
    int64_t until = fy_after_ms(400);
    while (fy_now() < until) {
        fy_poll_now();
        net_test_yield();
    }
    assert_false(clients[AT_ONCE].over);
    end_one(&clients[0]);
    assert_true(has_begun(&clients[AT_ONCE]));
    assert_true(expect_eventually(is_over, &clients[AT_ONCE], 10000));
    assert_string_equal(clients[AT_ONCE].err.message, "tls test:443: handshake timeout");
    end_all();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(as_one_ends_the_next_begins),
        TEST(silent_servers_keep_nobody),
        TEST(whoever_waits_can_be_canceled),
        TEST(the_time_limit_begins_with_the_turn),
    };
    return cmocka_run_group_tests_name("tls pace", tests, NULL, NULL);
}
