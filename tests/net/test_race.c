/*
 * Racing addresses: who wins, what becomes of the others, and what is said when nobody does.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "dead_end.h"
#include "net/race.h"
#include "net_test.h"
#include "task/clock.h"
#include "task/sched.h"

/* What the trace has heard: "start 127.0.0.1:1, done …". */
static char heard[2000];

static void note(const char *what, const char *address, const ferry_error *err)
{
    size_t len = strlen(heard);
    snprintf(heard + len, sizeof heard - len, "%s%s %s%s", len > 0 ? ", " : "", what, address,
             err != NULL ? strrchr(err->message, ':') : "");
}

static void connect_start(void *arg, const char *network, const char *address)
{
    (void)arg;
    ferry_yield(); /* it is called outside the lock */
    if (strcmp(network, "tcp") == 0) {
        note("start", address, NULL);
    }
}

static void connect_done(void *arg, const char *network, const char *address,
                         const ferry_error *err)
{
    (void)arg;
    ferry_yield();
    if (strcmp(network, "tcp") == 0) {
        note("done", address, err);
    }
}

static const ferry_trace trace = {.connect_start = connect_start, .connect_done = connect_done};

static void add(struct fy_addresses *addresses, const char *host, int port)
{
    struct fy_address address;
    assert_true(fy_address_parse(&address, host, 0));
    assert_int_equal(
        fy_addresses_add(addresses, (const struct sockaddr *)&address.sockaddr, (uint16_t)port), 0);
}

/* Runs the race and frees the addresses. 1: it has a winner; 0 and *err: none. */
static int race(struct fy_addresses *addresses, int64_t deadline, struct fy_chan *canceled,
                ferry_error *err)
{
    const struct fy_dial dial = {.deadline = deadline, .canceled = canceled, .trace = &trace};
    *err = (ferry_error){0};
    heard[0] = '\0';
    struct fy_stream *stream = fy_race(&dial, addresses, err);
    assert_int_equal(net_test_tasks(), 1);
    fy_addresses_free(addresses);
    if (stream == NULL) {
        assert_int_not_equal(err->code, 0);
        return 0;
    }
    assert_string_equal(err->message, "");
    struct iovec iov = {.iov_base = (char *)"x", .iov_len = 1};
    assert_int_equal(stream->ops->writev(stream, &iov, 1, "test"), 1);
    stream->ops->free(stream);
    return 1;
}

static void one_address(void **state)
{
    struct fy_addresses addresses = {0};
    ferry_error err;
    uint16_t port;
    int listener = net_test_listen("127.0.0.1", &port);
    char wanted[100];
    (void)state;
    add(&addresses, "127.0.0.1", port);
    assert_int_equal(race(&addresses, FY_NEVER, NULL, &err), 1);
    snprintf(wanted, sizeof wanted, "start 127.0.0.1:%d, done 127.0.0.1:%d", port, port);
    assert_string_equal(heard, wanted);
    close(listener);
}

static void one_address_refused(void **state)
{
    struct dead_end refusing;
    struct fy_addresses addresses = {0};
    ferry_error err;
    char wanted[100];
    (void)state;
    assert_true(dead_end_refuse(&refusing));
    add(&addresses, "127.0.0.1", refusing.port);
    assert_int_equal(race(&addresses, FY_NEVER, NULL, &err), 0);
    snprintf(wanted, sizeof wanted, "dial tcp 127.0.0.1:%d: connection refused", refusing.port);
    assert_string_equal(err.message, wanted);
    assert_int_equal(err.code, FERRY_ECONNECT);
    assert_int_equal(err.os_errno, ECONNREFUSED);
    dead_end_close(&refusing);
}

static void refused_ones_are_passed_at_once(void **state)
{
    struct dead_end refusing;
    struct fy_addresses addresses = {0};
    ferry_error err;
    uint16_t port;
    int listener = net_test_listen("127.0.0.1", &port);
    char wanted[300];
    (void)state;
    assert_true(dead_end_refuse(&refusing));
    add(&addresses, "127.0.0.1", refusing.port);
    add(&addresses, "127.0.0.1", refusing.port);
    add(&addresses, "127.0.0.1", port);
    assert_int_equal(race(&addresses, FY_NEVER, NULL, &err), 1);
    snprintf(wanted, sizeof wanted,
             "start 127.0.0.1:%d, done 127.0.0.1:%d: connection refused, "
             "start 127.0.0.1:%d, done 127.0.0.1:%d: connection refused, "
             "start 127.0.0.1:%d, done 127.0.0.1:%d",
             refusing.port, refusing.port, refusing.port, refusing.port, port, port);
    assert_string_equal(heard, wanted);
    close(listener);
    dead_end_close(&refusing);
}

static void silent_one_is_overtaken(void **state)
{
    struct dead_end silent;
    struct fy_addresses addresses = {0};
    ferry_error err;
    uint16_t port;
    int listener = net_test_listen("127.0.0.1", &port);
    char wanted[300];
    (void)state;
    assert_true(dead_end_silence(&silent));
    add(&addresses, "127.0.0.1", silent.port);
    add(&addresses, "127.0.0.1", port);
    assert_int_equal(race(&addresses, FY_NEVER, NULL, &err), 1);
    snprintf(wanted, sizeof wanted,
             "start 127.0.0.1:%d, start 127.0.0.1:%d, done 127.0.0.1:%d, "
             "done 127.0.0.1:%d: canceled",
             silent.port, port, port, silent.port);
    assert_string_equal(heard, wanted);
    close(listener);
    dead_end_close(&silent);
}

/* Counts as time goes by, as long as others let it. */
struct ticks {
    bool over;
    int count, after_failure, at_last_start; /* both since the last failure */
};
static struct ticks *ticks;

static void tick(void *arg)
{
    struct ticks *own = arg;
    struct fy_case never = FY_RECEIVE_FROM(NULL);
    while (!own->over) {
        (void)fy_select(&never, 1, fy_after_ms(1), "ticking");
        own->count++;
    }
    own->count = -1;
}

static void tick_start(void *arg, const char *network, const char *address)
{
    connect_start(arg, network, address);
    ticks->at_last_start = ticks->count;
}

static void tick_done(void *arg, const char *network, const char *address, const ferry_error *err)
{
    if (err != NULL && strstr(err->message, "canceled") == NULL) {
        ticks->after_failure = ticks->count;
    }
    connect_done(arg, network, address, err);
}

/* One that fails on the spot is passed at once, also while another is under way. */
static void failure_beside_a_silent_one(void **state)
{
    const ferry_trace ticking = {.connect_start = tick_start, .connect_done = tick_done};
    static struct ticks own;
    struct dead_end silent;
    struct fy_addresses addresses = {0};
    ferry_error err = {0};
    uint16_t port;
    int listener = net_test_listen("127.0.0.1", &port);
    (void)state;
    assert_true(dead_end_silence(&silent));
    add(&addresses, "127.0.0.1", silent.port);
    add(&addresses, "224.0.0.1", port); /* a group: no way by TCP */
    add(&addresses, "127.0.0.1", port);
    const struct fy_dial dial = {
        .deadline = FY_NEVER, .attempt_delay_ms = 50, .trace = &ticking, .trace_arg = &own};
    ticks = &own;
    heard[0] = '\0';
    net_test_go(tick, &own);
    struct fy_stream *stream = fy_race(&dial, &addresses, &err);
    own.over = true;
    assert_non_null(stream);
    stream->ops->free(stream);
    assert_non_null(strstr(heard, "done 224.0.0.1"));
    assert_in_range(own.at_last_start - own.after_failure, 0, 5); /* not 50 */
    fy_addresses_free(&addresses);
    while (own.count >= 0) {
        fy_yield();
    }
    close(listener);
    dead_end_close(&silent);
}

/* The refusal comes first, but the first address is the one that is told. */
static void first_error_is_told(void **state)
{
    struct dead_end refusing;
    struct dead_end other;
    struct fy_addresses addresses = {0};
    ferry_error err;
    char wanted[100];
    (void)state;
    assert_true(dead_end_refuse(&refusing));
    assert_true(dead_end_refuse(&other));
    add(&addresses, "127.0.0.1", refusing.port);
    add(&addresses, "127.0.0.1", other.port);
    assert_int_equal(race(&addresses, FY_NEVER, NULL, &err), 0);
    snprintf(wanted, sizeof wanted, "dial tcp 127.0.0.1:%d: connection refused", refusing.port);
    assert_string_equal(err.message, wanted);
    dead_end_close(&refusing);
    dead_end_close(&other);
}

/* An address of a kind that goes nowhere from here explains less than one that refuses. */
static void unreachable_is_told_last(void **state)
{
    struct dead_end refusing;
    struct fy_addresses addresses = {0};
    ferry_error err;
    (void)state;
    assert_true(dead_end_refuse(&refusing));
    add(&addresses, "224.0.0.1", refusing.port); /* a group: no way by TCP */
    add(&addresses, "127.0.0.1", refusing.port);
    assert_int_equal(race(&addresses, fy_after_ms(5000), NULL, &err), 0);
    assert_non_null(strstr(err.message, "127.0.0.1"));
    assert_non_null(strstr(err.message, "connection refused"));
    dead_end_close(&refusing);
}

static void deadline(void **state)
{
    struct dead_end silent;
    struct dead_end refusing;
    struct fy_addresses addresses = {0};
    ferry_error err;
    char wanted[100];
    (void)state;
    assert_true(dead_end_silence(&silent));
    assert_true(dead_end_refuse(&refusing));
    snprintf(wanted, sizeof wanted, "dial tcp 127.0.0.1:%d: i/o timeout", silent.port);

    add(&addresses, "127.0.0.1", silent.port);
    assert_int_equal(race(&addresses, fy_after_ms(10), NULL, &err), 0);
    assert_string_equal(err.message, wanted);
    assert_int_equal(err.code, FERRY_ETIMEOUT);

    add(&addresses, "127.0.0.1", refusing.port);
    add(&addresses, "127.0.0.1", silent.port);
    add(&addresses, "127.0.0.1", silent.port);
    assert_int_equal(race(&addresses, fy_after_ms(300), NULL, &err), 0);
    assert_string_equal(err.message, wanted);
    assert_int_equal(err.code, FERRY_ETIMEOUT);

    dead_end_close(&silent);
    dead_end_close(&refusing);
}

static void canceled(void **state)
{
    struct net_test_canceler canceler;
    struct dead_end silent;
    struct fy_addresses addresses = {0};
    ferry_error err;
    char wanted[100];
    (void)state;
    assert_true(dead_end_silence(&silent));
    add(&addresses, "127.0.0.1", silent.port);
    add(&addresses, "127.0.0.1", silent.port);
    net_test_cancel_soon(&canceler);
    assert_int_equal(race(&addresses, FY_NEVER, &canceler.canceled, &err), 0);
    snprintf(wanted, sizeof wanted, "dial tcp 127.0.0.1:%d: canceled", silent.port);
    assert_string_equal(err.message, wanted);
    assert_int_equal(err.code, FERRY_ECANCELED);
    assert_int_equal(canceler.turns, 20);
    dead_end_close(&silent);
}

/* Several are under way when one comes through. */
static void late_winner(void **state)
{
    struct dead_end silent;
    struct fy_addresses addresses = {0};
    ferry_error err;
    uint16_t port;
    int listener = net_test_listen("127.0.0.1", &port);
    (void)state;
    assert_true(dead_end_silence(&silent));
    add(&addresses, "127.0.0.1", silent.port);
    add(&addresses, "127.0.0.1", silent.port);
    add(&addresses, "127.0.0.1", port);
    assert_int_equal(race(&addresses, FY_NEVER, NULL, &err), 1);
    close(listener);
    dead_end_close(&silent);
}

/* In a row: a silent one has two seconds at least, and not all the time. */
static void silent_one_in_a_row(void **state)
{
    struct dead_end silent;
    struct fy_addresses addresses = {0};
    ferry_error err = {0};
    uint16_t port;
    char wanted[200];
    int listener = net_test_listen("127.0.0.1", &port);
    (void)state;
    assert_true(dead_end_silence(&silent));
    add(&addresses, "127.0.0.1", silent.port);
    add(&addresses, "127.0.0.1", port);
    const struct fy_dial dial = {
        .deadline = fy_after_ms(3000), .attempt_delay_ms = -1, .trace = &trace};
    heard[0] = '\0';
    struct fy_stream *stream = fy_race(&dial, &addresses, &err);
    assert_non_null(stream);
    stream->ops->free(stream);
    fy_addresses_free(&addresses);
    snprintf(wanted, sizeof wanted,
             "start 127.0.0.1:%d, done 127.0.0.1:%d: connection timed out, "
             "start 127.0.0.1:%d, done 127.0.0.1:%d",
             silent.port, silent.port, port, port);
    assert_string_equal(heard, wanted);
    close(listener);
    dead_end_close(&silent);
}

/* A slow one is not given up: its own answer counts whenever it comes. The full queue is emptied by
 * a task while the race waits, and the kernel's next try gets through. */
static void make_room(void *arg)
{
    struct dead_end *end = arg;
    for (int i = 0; i < 5; i++) {
        fy_yield();
    }
    int fd = accept4(end->bound, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0) {
        close(fd);
    }
}

static void slow_one_counts_when_it_comes(void **state)
{
    struct dead_end slow;
    struct fy_addresses addresses = {0};
    ferry_error err;
    (void)state;
    assert_true(dead_end_silence(&slow));
    add(&addresses, "127.0.0.1", slow.port);
    net_test_go(make_room, &slow);
    assert_int_equal(race(&addresses, FY_NEVER, NULL, &err), 1);
    dead_end_close(&slow);
}

static void no_descriptors_left(void **state)
{
    struct rlimit before;
    struct fy_addresses addresses = {0};
    ferry_error err;
    char wanted[100];
    uint16_t port;
    int listener = net_test_listen("127.0.0.1", &port);
    (void)state;
    getrlimit(RLIMIT_NOFILE, &before);
    struct rlimit limit = {.rlim_cur = 0, .rlim_max = before.rlim_max};
    add(&addresses, "127.0.0.1", port);
    add(&addresses, "127.0.0.1", port);
    setrlimit(RLIMIT_NOFILE, &limit);
    int won = race(&addresses, FY_NEVER, NULL, &err);
    setrlimit(RLIMIT_NOFILE, &before);
    assert_int_equal(won, 0);
    snprintf(wanted, sizeof wanted, "dial tcp 127.0.0.1:%d: too many open files", port);
    assert_string_equal(err.message, wanted);
    assert_int_equal(err.code, FERRY_ENOMEM);
    assert_int_equal(err.os_errno, EMFILE);
    close(listener);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, net_test_enter, net_test_leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_address),
        TEST(one_address_refused),
        TEST(refused_ones_are_passed_at_once),
        TEST(silent_one_is_overtaken),
        TEST(failure_beside_a_silent_one),
        TEST(first_error_is_told),
        TEST(unreachable_is_told_last),
        TEST(deadline),
        TEST(canceled),
        TEST(late_winner),
        TEST(silent_one_in_a_row),
        TEST(slow_one_counts_when_it_comes),
        TEST(no_descriptors_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
