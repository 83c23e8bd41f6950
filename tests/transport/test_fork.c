/*
 * A process that forks with everything open. The child starts clean, and what it does, its end included,
 * neither uses nor harms its parent's connections: the origin counts connections and keeps their bytes.
 *
 * A child says by its exit status whether all was well; what was not is on standard error.
 */
#include "https_test.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dead_end.h"
#include "task/sanitizer.h"

/* In a child, which must not come back into the test. */
#define CHECK(expression)                                                                         \
    do {                                                                                          \
        if (!(expression)) {                                                                      \
            fprintf(stderr, "%s:%d: not so in the child: %s\n", __FILE__, __LINE__, #expression); \
            _exit(1);                                                                             \
        }                                                                                         \
    } while (0)

/* To ThreadSanitizer tasks are threads, and it does not follow the child of a process that has some: there
 * the child only ends, and what is looked at is the parent. */
static pid_t fork_and_watch(void)
{
    pid_t child = fork();
#ifdef FY_TSAN
    if (child == 0) {
        _exit(0);
    }
#endif
    return child;
}

static void await_well(pid_t child)
{
    int status = -1;
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        fail_msg("the child ended with wait status 0x%x", (unsigned)status);
    }
}

/* What all children are used for. */
struct family {
    ferry_transport *transport;
    struct origin *origin;
    ferry_response *open;
    const char *url;
};

static bool got(ferry_transport *transport, const char *url, const char *body)
{
    struct outcome outcome = get(transport, url);
    if (outcome.status != 200 || strcmp(outcome.body, body) != 0) {
        fprintf(stderr, "got %d \"%s\" %s\n", outcome.status, outcome.body, outcome.err.message);
        return false;
    }
    return true;
}

static void check_clean(ferry_transport *transport)
{
    CHECK(ferry_num_tasks() == 1);
    CHECK(ferry_open_responses(NULL) == 0);
    CHECK(stats_of(transport).connections == 0);
    CHECK(stats_of(transport).idle == 0);
    CHECK(stats_of(transport).waiting == 0);
    CHECK(stats_of(transport).open_responses == 0);
}

/* ------------------------------------------------------------------------------ idle connections */

static void use_and_free(struct family *family)
{
    check_clean(family->transport);
    CHECK(got(family->transport, origin_url(family->origin, "/child"), "2"));
    CHECK(got(family->transport, origin_url(family->origin, "/child"), "2"));
    CHECK(stats_of(family->transport).connections == 1);
    ferry_transport_close_idle(family->transport);
    check_clean(family->transport);
    ferry_transport_free(family->transport);
    _exit(0);
}

#define HOST(family) origin_host((family).origin)

static void test_the_child_dials_its_own(void **state)
{
    struct family family = {.origin = serve_with(state, serve_identity, NULL),
                            .transport = transport_with(state, NULL)};
    char wanted[256];
    size_t len;

    assert_got(get(family.transport, origin_url(family.origin, "/parent")), 200, "1");
    pid_t child = fork_and_watch();
    if (child == 0) {
        use_and_free(&family);
    }
    await_well(child);
    assert_int_equal(idle_of(family.transport, family.origin), 1);
    assert_got(get(family.transport, origin_url(family.origin, "/parent")), 200, "1");
#ifndef FY_TSAN
    assert_int_equal(origin_counts(family.origin).accepted, 2);
#endif
    assert_int_equal(stats_of(family.transport).dials, 1);

    /* Not a byte of the child's is on it. */
    char *received = origin_received(family.origin, 1, &len);
    int one = snprintf(wanted, sizeof wanted, "GET /parent HTTP/1.1\r\nHost: %s\r\n", HOST(family));
    assert_int_equal(strncmp(received, wanted, (size_t)one), 0);
    assert_null(strstr(received, "/child"));
    assert_int_equal(len % 2, 0);
    assert_int_equal(memcmp(received, received + len / 2, len / 2), 0);
    free(received);
}

/* It keeps nothing of the parent's open: what the parent closes is closed, however long the child lives and
 * though it never calls ferry. */
static void test_the_child_holds_nothing_open(void **state)
{
    struct family family = {.origin = serve_with(state, serve_identity, NULL),
                            .transport = transport_with(state, NULL)};
    int until[2];
    char byte;

    assert_int_equal(pipe2(until, O_CLOEXEC), 0);
    assert_got(get(family.transport, origin_url(family.origin, "/")), 200, "1");
    pid_t child = fork_and_watch();
    if (child == 0) {
        close(until[1]);
        _exit(read(until[0], &byte, 1) == 0 ? 0 : 1);
    }
    close(until[0]);
    ferry_transport_close_idle(family.transport);
    assert_true(origin_await_open(family.origin, 0, SOON_MS));
    close(until[1]);
    await_well(child);
}

static void fork_twice(struct family *family)
{
    pid_t grandchild = fork_and_watch();
    if (grandchild == 0) {
        use_and_free(family);
    }
    int status = -1;
    CHECK(waitpid(grandchild, &status, 0) == grandchild && status == 0);
    _exit(0);
}

static void test_a_child_of_a_child(void **state)
{
    struct family family = {.origin = serve_with(state, serve_identity, NULL),
                            .transport = transport_with(state, NULL)};
    assert_got(get(family.transport, origin_url(family.origin, "/")), 200, "1");
    pid_t child = fork_and_watch();
    if (child == 0) {
        fork_twice(&family);
    }
    await_well(child);
    assert_got(get(family.transport, origin_url(family.origin, "/")), 200, "1");
}

/* The child's monitor is its own. */
static void watch_alone(struct family *family)
{
    CHECK(got(family->transport, origin_url(family->origin, "/close"), "2"));
    int64_t until = now_ms() + SOON_MS;
    while (stats_of(family->transport).connections != 0 && now_ms() < until) {
        usleep(1000);
    }
    CHECK(stats_of(family->transport).connections == 0);
    _exit(0);
}

static void serve_then_close(struct origin_conn *conn, void *arg)
{
    (void)arg;
    while (origin_read_request(conn)) {
        bool last = strstr(origin_conn_request(conn).head, "/close ") != NULL;
        origin_sendf(conn, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%u",
                     origin_conn_serial(conn));
        if (last) {
            return;
        }
    }
}

static void test_the_child_has_a_monitor(void **state)
{
    struct family family = {.origin = serve_with(state, serve_then_close, NULL),
                            .transport = transport_with(state, NULL)};
    assert_got(get(family.transport, origin_url(family.origin, "/")), 200, "1");
    pid_t child = fork_and_watch();
    if (child == 0) {
        watch_alone(&family);
    }
    await_well(child);
    assert_got(get(family.transport, origin_url(family.origin, "/")), 200, "1");
}

/* --------------------------------------------------------------------------------------- TLS */

/* No close_notify of the child's ends the parent's connection: its server would answer nothing more. */
static void test_tls_goes_on(void **state)
{
    struct tls_server *server = https_ok_server();
    const char *url = https_url(tls_server_port(server), "/");
    ferry_transport *transport = https_transport(state, TRUSTING());

    assert_got(get(transport, url), 200, "ok");
    pid_t child = fork_and_watch();
    if (child == 0) {
        check_clean(transport);
        ferry_transport_free(transport);
        _exit(0);
    }
    await_well(child);
    assert_got(get(transport, url), 200, "ok");
    assert_int_equal(stats_of(transport).dials, 1);
    transport_done(state, transport);
    tls_server_stop(server);
}

/* -------------------------------------------------------------------------------- open responses */

static void serve_in_halves(struct origin_conn *conn, void *gate)
{
    if (origin_read_request(conn) &&
        origin_send_text(conn, "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf") &&
        origin_wait(conn, gate)) {
        origin_send_text(conn, "more");
        origin_wait_eof(conn, -1);
    }
}

static void use_inherited(struct family *family, bool close_it)
{
    char buf[16];
    ferry_error err = {0};
    check_clean(family->transport);
    CHECK(ferry_response_status(family->open) == 200);
    CHECK(strcmp(ferry_response_header(family->open, "Content-Length"), "8") == 0);
    CHECK(ferry_response_read(family->open, buf, sizeof buf, &err) == -1);
    CHECK(err.code == FERRY_ETHREAD);
    CHECK(strstr(err.message,
                 "was opened before the process was forked, and only the parent can use "
                 "it: send the request again in the child") != NULL);
    CHECK(ferry_response_read_all(family->open, 100, NULL, &err) == NULL);
    if (close_it) {
        ferry_response_close(family->open);
    }
    check_clean(family->transport);
    ferry_transport_free(family->transport);
    _exit(0);
}

static void test_an_open_response_is_the_parents(void **state)
{
    struct gate *gate = KEPT(state, struct gate);
    struct family family = {.origin = serve_with(state, serve_in_halves, gate),
                            .transport = transport_with(state, NULL)};
    char buf[4];

    family.open = open_get(family.transport, origin_url(family.origin, "/"));
    read_exactly(family.open, buf, 4);
    for (int close_it = 0; close_it < 2; close_it++) {
        pid_t child = fork_and_watch();
        if (child == 0) {
            use_inherited(&family, close_it != 0);
        }
        await_well(child);
    }
    assert_int_equal(ferry_open_responses(NULL), 1);
    gate_open(gate);
    read_exactly(family.open, buf, 4);
    assert_memory_equal(buf, "more", 4);
    ferry_response_close(family.open);
    assert_int_equal(origin_counts(family.origin).accepted, 1);
}

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

/* ------------------------------------------------------------------------------------ descriptors */

/* The highest number that may be in use. */
#define NUMBERS 1024

static void test_nothing_is_left_to_another_program(void **state)
{
    struct gates *gates = KEPT(state, struct gates);
    struct origin *origin = serve_with(state, serve_gated, gates);
    ferry_transport *transport = transport_with(state, NULL);
    bool before[NUMBERS];
    struct dead_end silent;
    struct call dialing = {.transport = transport, .timeout_ms = 100};
    for (int fd = 0; fd < NUMBERS; fd++) {
        before[fd] = fcntl(fd, F_GETFD) >= 0;
    }
    assert_true(dead_end_silence(&silent));
    dialing.url = silent.url;
    gates_open(gates);
    assert_got(get(transport, origin_url(origin, "/0")), 200, "1");
    ferry_response *open = open_get(transport, origin_url(origin, "/1"));
    start_call(&dialing);
    ferry_sleep(2);
    int found = 0;
    for (int fd = 0; fd < NUMBERS; fd++) {
        int flags = fcntl(fd, F_GETFD);
        if (!before[fd] && flags >= 0) {
            found++;
            assert_int_equal(flags & FD_CLOEXEC, FD_CLOEXEC);
        }
    }
    assert_true(found >= 2);
    int parents = process_descriptors();
    pid_t child = fork_and_watch();
    if (child == 0) {
        /* The parent's connection and dial; the poller and what wakes it are there anew. */
        CHECK(process_descriptors() <= parents - 2);
        _exit(0);
    }
    await_well(child);
    ferry_response_close(open);
    assert_eventually(dialing.done);
    dead_end_close(&silent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRANSPORT_TEST(test_the_child_dials_its_own),
        TRANSPORT_TEST(test_the_child_holds_nothing_open),
        TRANSPORT_TEST(test_a_child_of_a_child),
        TRANSPORT_TEST(test_the_child_has_a_monitor),
        TRANSPORT_TEST(test_tls_goes_on),
        TRANSPORT_TEST(test_an_open_response_is_the_parents),
        TRANSPORT_TEST(test_fork_in_a_task),
        TRANSPORT_TEST(test_fork_while_the_thread_is_in_a_request),
        TRANSPORT_TEST(test_fork_while_the_thread_dials),
        TRANSPORT_TEST(test_fork_in_a_trace),
        TRANSPORT_TEST(test_fork_under_load),
        TRANSPORT_TEST(test_nothing_is_left_to_another_program),
    };
    return cmocka_run_group_tests(tests, https_world_make, https_world_free);
}
