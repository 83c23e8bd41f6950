/*
 * A process that forks with everything open. The child starts clean, and what it does, its end included,
 * neither uses nor harms its parent's connections: the origin counts connections and keeps their bytes.
 */
#include "fork_test.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dead_end.h"
#include "https_test.h"
#include "task/sanitizer.h"

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

/* The same with a connection whose thread has ended before. */
static void *use_once(void *arg)
{
    struct family *family = arg;
    (void)got(family->transport, origin_url(family->origin, "/parent"), "1");
    return NULL;
}

static void test_connections_that_have_outlived_their_thread(void **state)
{
    struct family family = {.origin = serve_with(state, serve_identity, NULL),
                            .transport = transport_with(state, NULL)};
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, use_once, &family), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(idle_of(family.transport, family.origin), 1);
    pid_t child = fork_and_watch();
    if (child == 0) {
        use_and_free(&family);
    }
    await_well(child);
    assert_int_equal(idle_of(family.transport, family.origin), 1);
    assert_got(get(family.transport, origin_url(family.origin, "/parent")), 200, "1");
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
        TRANSPORT_TEST(test_connections_that_have_outlived_their_thread),
        TRANSPORT_TEST(test_the_child_holds_nothing_open),
        TRANSPORT_TEST(test_a_child_of_a_child),
        TRANSPORT_TEST(test_the_child_has_a_monitor),
        TRANSPORT_TEST(test_tls_goes_on),
        TRANSPORT_TEST(test_an_open_response_is_the_parents),
        TRANSPORT_TEST(test_nothing_is_left_to_another_program),
    };
    return cmocka_run_group_tests(tests, https_world_make, https_world_free);
}
