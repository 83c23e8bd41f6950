/*
 * A process that forks in the midst of what its tasks and threads are at.
 */
#include "fork_test.h"

#include <pthread.h>
#include <unistd.h>

#include "dead_end.h"
#include "task/sanitizer.h"

/* ----------------------------------------------------------------------------------------- tasks */

/* What a task that forks, and what it forks beside, have to do with each other. */
struct beside {
    struct family family;
    struct gates *gates;
    pid_t child;
    bool in_child;
    int ran; /* of the others, after the fork */
    struct outcome outcome;
};

static void sleep_and_count(void *arg)
{
    struct beside *beside = arg;
    ferry_sleep(MOMENT_MS);
    beside->ran++;
}

static void ask_and_count(void *arg)
{
    struct beside *beside = arg;
    beside->outcome = get(beside->family.transport, origin_url(beside->family.origin, "/0"));
    beside->ran++;
}

static void fork_in_a_task(void *arg)
{
    struct beside *beside = arg;
    while (!gate_is_open(&beside->gates->arrived[0])) {
        ferry_sleep(1);
    }
    int ran = beside->ran;
    beside->child = fork_and_watch();
    if (beside->child == 0) {
        ferry_transport *transport = beside->family.transport;
        beside->in_child = true;
        CHECK(ferry_num_tasks() >= 2); /* this one and the thread, which waits for it */
        CHECK(stats_of(transport).connections == 0);
        gate_open(&beside->gates->go[1]); /* the parent's origin has its own */
        CHECK(got(transport, origin_url(beside->family.origin, "/1"), "2"));
        CHECK(ferry_num_tasks() == 4); /* and the connection's loops */
        ferry_sleep(2 * MOMENT_MS);
        CHECK(beside->ran == ran);
        ferry_transport_close_idle(transport);
        CHECK(ferry_num_tasks() == 2);
    } else {
        gate_open(&beside->gates->go[1]);
        gate_open(&beside->gates->go[0]);
    }
}

/* The task goes on in the child, and so does the thread behind it; other tasks do not. */
static void test_fork_in_a_task(void **state)
{
    struct gates *gates = KEPT(state, struct gates);
    struct beside beside = {.gates = gates,
                            .family = {.origin = serve_with(state, serve_gated, gates),
                                       .transport = transport_with(state, NULL)}};
    ferry_group *group = ferry_group_new();

    assert_int_equal(ferry_group_go(group, sleep_and_count, &beside), 0);
    assert_int_equal(ferry_group_go(group, ask_and_count, &beside), 0);
    assert_int_equal(ferry_group_go(group, fork_in_a_task, &beside), 0);
    gate_open(&gates->go[1]);
    ferry_group_wait(group);
    if (beside.in_child) {
        check_clean(beside.family.transport);
        _exit(0);
    }
    ferry_group_free(group);
    await_well(beside.child);
    assert_int_equal(beside.ran, 2);
    assert_got(beside.outcome, 200, "1");
}

static void fork_and_return(void *arg)
{
    struct beside *beside = arg;
    while (!gate_is_open(&beside->gates->arrived[0])) {
        ferry_sleep(1);
    }
    beside->child = fork_and_watch();
    beside->in_child = beside->child == 0;
    if (beside->child > 0) {
        gate_open(&beside->gates->go[0]);
    }
}

/* The thread is in a request while its task forks: in the child that fails, and is not sent again. */
static void test_fork_while_the_thread_is_in_a_request(void **state)
{
    struct gates *gates = KEPT(state, struct gates);
    struct beside beside = {.gates = gates,
                            .family = {.origin = serve_with(state, serve_gated, gates),
                                       .transport = transport_with(state, NULL)}};

    assert_int_equal(ferry_go(fork_and_return, &beside), 0);
    beside.outcome = get(beside.family.transport, origin_url(beside.family.origin, "/0"));
    if (beside.in_child) {
        CHECK(beside.outcome.err.code == FERRY_ECANCELED);
        CHECK(strstr(beside.outcome.err.message,
                     "the process was forked, and the connection is the parent's") != NULL);
        check_clean(beside.family.transport);
        _exit(0);
    }
    assert_got(beside.outcome, 200, "1");
    await_well(beside.child);
    assert_int_equal(origin_counts(beside.family.origin).requests, 1);
}

static void fork_while_dialing(void *arg)
{
    struct beside *beside = arg;
    while (stats_of(beside->family.transport).waiting == 0) {
        ferry_sleep(1);
    }
    ferry_sleep(2);
    beside->child = fork_and_watch();
    beside->in_child = beside->child == 0;
}

/* The thread waits for a dial that goes nowhere. */
static void test_fork_while_the_thread_dials(void **state)
{
    struct beside beside = {.family = {.transport = transport_with(state, NULL)}};
    struct dead_end silent;
    assert_true(dead_end_silence(&silent));
    ferry_request *req = request("GET", silent.url);
    ferry_request_set_timeout(req, 200);

    assert_int_equal(ferry_go(fork_while_dialing, &beside), 0);
    beside.outcome = send_and_read(beside.family.transport, req);
    ferry_request_free(req);
    if (beside.in_child) {
        CHECK(beside.outcome.err.code == FERRY_ECANCELED);
        check_clean(beside.family.transport);
        _exit(0);
    }
    assert_failed(beside.outcome, FERRY_ETIMEOUT, NULL);
    await_well(beside.child);
    dead_end_close(&silent);
}

static void fork_in_a_trace(void *arg)
{
    struct beside *beside = arg;
    if (beside->child == 0) {
        beside->child = fork_and_watch();
        beside->in_child = beside->child == 0;
    }
}

/* In the middle of a request, from a function that ferry calls. */
static void test_fork_in_a_trace(void **state)
{
    struct beside beside = {.family = {.origin = serve_with(state, serve_identity, NULL),
                                       .transport = transport_with(state, NULL)}};
    ferry_request *req = request("GET", origin_url(beside.family.origin, "/"));
    ferry_request_set_trace(req, FERRY_TRACE(.got_first_byte = fork_in_a_trace), &beside);

    beside.outcome = send_and_read(beside.family.transport, req);
    ferry_request_free(req);
    if (beside.in_child) {
        CHECK(beside.outcome.err.code != 0);
        CHECK(stats_of(beside.family.transport).connections == 0);
        _exit(0);
    }
    await_well(beside.child);
    assert_got(beside.outcome, 200, "1");
    assert_int_equal(origin_counts(beside.family.origin).requests, 1);
}

/* --------------------------------------------------------------------------------------- threads */

static void ask_until_told(void *arg)
{
    struct call *call = arg;
    while (!atomic_load(&call->done)) {
        struct outcome outcome = get(call->transport, call->url);
        if (outcome.status == 0) {
            call->outcome = outcome;
            return;
        }
    }
}

static void ask_with_tasks(void *arg)
{
    ferry_group *group = ferry_group_new();
    for (int i = 0; i < 4; i++) {
        (void)!ferry_group_go(group, ask_until_told, arg);
    }
    ferry_group_wait(group);
    ferry_group_free(group);
}

static void *run_side(void *arg)
{
    ask_with_tasks(arg);
    return NULL;
}

static void use_from_a_new_thread(struct family *family)
{
    pthread_t thread;
    struct call call = {.transport = family->transport, .url = family->url};
    check_clean(family->transport);
    CHECK(got(family->transport, family->url, "hello"));
    CHECK(pthread_create(&thread, NULL, (void *(*)(void *))(void (*)(void))run_call, &call) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(call.outcome.status == 200);
    CHECK(stats_of(family->transport).connections <= 1);
    ferry_transport_close_idle(family->transport);
    check_clean(family->transport);
    _exit(0);
}

#define ASKERS 4
#define FORKS 20

/* Other threads are anywhere in the library when this one forks. (AddressSanitizer's own allocator is not
 * made for that: in the child its locks may be held by threads that are not there.) */
static void test_fork_under_load(void **state)
{
#ifdef FY_ASAN
    skip();
#endif
    struct family family = {
        .origin = serve_reply(state, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"),
        .transport = transport_with(state, NULL)};
    struct call calls[ASKERS];
    pthread_t threads[ASKERS];
    family.url = origin_url(family.origin, "/");
    for (int i = 0; i < ASKERS; i++) {
        calls[i] = (struct call){.transport = family.transport, .url = family.url};
        assert_int_equal(pthread_create(&threads[i], NULL, run_side, &calls[i]), 0);
    }
    for (int i = 0; i < FORKS; i++) {
        pid_t child = fork_and_watch();
        if (child == 0) {
            use_from_a_new_thread(&family);
        }
        await_well(child);
    }
    for (int i = 0; i < ASKERS; i++) {
        atomic_store(&calls[i].done, true);
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(calls[i].outcome.err.code, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRANSPORT_TEST(test_fork_in_a_task),
        TRANSPORT_TEST(test_fork_while_the_thread_is_in_a_request),
        TRANSPORT_TEST(test_fork_while_the_thread_dials),
        TRANSPORT_TEST(test_fork_in_a_trace),
        TRANSPORT_TEST(test_fork_under_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
