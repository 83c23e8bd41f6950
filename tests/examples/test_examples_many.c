/*
 * The example programs: many requests at once, in tasks, threads and other loops; how they are ended; and
 * what is left open.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "child.h"
#include "example.h"
#include "origin.h"

static void many(void **state)
{
    struct run_result result;
    struct nginx_counts before = nginx_counts(nginx);
    int connections = 0;
    int reuses = 0;

    (void)state;
    EXAMPLE(&result, "many", nginx_url(nginx, "/hello.txt"), nginx_url(nginx, "/bye.txt"));
    if (sscanf(result.out,
               "200 requests, 200 answered 200, 1000 bytes, %d connections, %d reuses\n",
               &connections, &reuses) != 2) {
        fail_msg("%s%s", result.out, result.err);
    }
    assert_in_range(connections, 1, 8);
    assert_true(connections + reuses >= 200);
    succeeds(&result, NULL, "");
    assert_true(nginx_await_requests(nginx, before.requests + 200, 5000));
    assert_in_range(nginx_counts(nginx).connections - before.connections, 1, 8);

    EXAMPLE(&result, "many", nginx_url(nginx, "/hello.txt"), nginx_url(nginx, "/missing"));
    assert_non_null(strstr(result.out, "200 requests, 100 answered 200, "));
    assert_int_equal(result.status, 1);
    run_free(&result);
}

static void answer_nothing(struct origin_conn *conn, void *arg)
{
    char head[4096];

    (void)arg;
    (void)origin_read_head(conn, head, sizeof head);
    (void)origin_wait_eof(conn, -1);
}

/* The signal is sent when the request is there: by then its handler is, too. */
static void cancel_at_an_interrupt(void **state)
{
    struct origin *origin = origin_start(&(struct origin_script){.serve = answer_nothing});
    FILE *errors = tmpfile();
    char said[400] = "";
    int status;

    (void)state;
    assert_non_null(errors);
    pid_t pid = child_start(&(struct child_options){
        .argv = (const char *const[]){EXAMPLES "/cancel", origin_url(origin, "/"), NULL},
        .standard = {-1, -1, fileno(errors)},
    });
    assert_true(pid > 0);
    assert_true(origin_await_requests(origin, 1, 20000));
    kill(pid, SIGINT);
    if (!child_wait(pid, 20000, &status)) {
        child_stop(pid, SIGKILL, 0);
        fail_msg("it does not end");
    }
    rewind(errors);
    assert_non_null(fgets(said, sizeof said, errors));
    assert_non_null(strstr(said, "FERRY_ECANCELED: Get \"http://127.0.0.1:"));
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    fclose(errors);
    assert_true(origin_stop(origin));
}

static void cancel_when_time_is_over(void **state)
{
    struct origin *origin = origin_start(&(struct origin_script){.serve = answer_nothing});
    struct run_result result;

    (void)state;
    EXAMPLE(&result, "cancel", origin_url(origin, "/"), "20");
    fails(&result, "FERRY_ETIMEOUT: ");
    EXAMPLE(&result, "cancel", nginx_url(nginx, "/hello.txt"));
    succeeds(&result, "hello\n", "");
    assert_true(origin_stop(origin));
}

static void host_loop(const char *name)
{
    char expected[300];
    struct run_result result;

    EXAMPLE(&result, name, nginx_url(nginx, "/hello.txt"));
    snprintf(expected, sizeof expected, "%s: 200, 6 bytes\n", nginx_url(nginx, "/hello.txt"));
    succeeds(&result, expected, NULL);
    EXAMPLE(&result, name, nginx_url(nginx, "/hello.txt"), nginx_url(nginx, "/big.bin"));
    assert_non_null(strstr(result.out, expected));
    snprintf(expected, sizeof expected, "/big.bin: 200, %d bytes\n", BIG_BYTES);
    assert_non_null(strstr(result.out, expected));
    succeeds(&result, NULL, NULL);
}

static void epoll_loop(void **state)
{
    (void)state;
    host_loop("epoll_loop");
}

static void glib_loop(void **state)
{
    (void)state;
    if (access(EXAMPLES "/glib_loop", X_OK) != 0) {
        skip();
    }
    host_loop("glib_loop");
}

static void leaks(void **state)
{
    struct run_result result;
    const char *const words[] = {"leaks", nginx_url(nginx, "/hello.txt"), NULL};

    (void)state;
    run_example(&result, "FERRY_LEAKS", NULL, words);
    assert_int_equal(strncmp(result.out, "3 tasks\n", 8), 0);
    assert_non_null(strstr(result.out, "leaks.c:"));
    assert_non_null(strstr(result.out, " s, 6 of 6 bytes read, the last "));
    assert_non_null(strstr(result.out, " s ago, holds memory only ("));
    assert_non_null(
        strstr(result.out, " s, 0 of 6 bytes read, holds connection 1 and its 2 tasks ("));
    assert_non_null(strstr(result.out, " KiB)\n2 responses were never closed\n"));
    succeeds(&result, NULL, NULL);

    run_example(&result, "FERRY_LEAKS=fatal", NULL, words);
    assert_int_equal(result.status, 23);
    assert_non_null(strstr(result.err, "ferry: 2 responses were never closed:\n"));
    run_free(&result);
}

/* Sixteen threads with at most four requests at a time: four connections, and sixteen where each thread
 * has a handle of libcurl's. The program's word on it, and the server's. */
static void pool(const char *name, int fewest, int most)
{
    struct run_result result;
    struct nginx_counts before = nginx_counts(nginx);
    int connections = 0;

    EXAMPLE(&result, name, nginx_url(nginx, "/hello.txt"));
    if (sscanf(result.out,
               "16 threads, 320 requests, 4 at a time, 320 answered 200: %d connections opened\n",
               &connections) != 1) {
        fail_msg("%s%s", result.out, result.err);
    }
    succeeds(&result, NULL, "");
    assert_in_range(connections, fewest, most);
    assert_true(nginx_await_requests(nginx, before.requests + 320, 5000));
    assert_int_equal(nginx_counts(nginx).connections - before.connections, connections);
}

static void thread_pool(void **state)
{
    (void)state;
    pool("thread_pool", 1, 4);
}

static void thread_pool_with_libcurl(void **state)
{
    (void)state;
    if (access(EXAMPLES "/thread_pool_curl", X_OK) != 0) {
        skip();
    }
    pool("thread_pool_curl", 16, 16);
}

static void scope(void **state)
{
    struct run_result result;
    char expected[300];

    (void)state;
    snprintf(expected, sizeof expected, "%s: hello\n", nginx_url(nginx, "/hello.txt"));
    EXAMPLE(&result, "scope", nginx_url(nginx, "/missing"), nginx_url(nginx, "/hello.txt"),
            nginx_url(nginx, "/bye.txt"));
    assert_non_null(strstr(result.err, "/missing: status 404\n"));
    succeeds(&result, expected, NULL);
    EXAMPLE(&result, "scope", nginx_url(nginx, "/missing"));
    fails(&result, "/missing: status 404\n");
}

static void metrics(void **state)
{
    struct run_result result;
    char expected[300];

    (void)state;
    EXAMPLE(&result, "metrics", nginx_url(nginx, "/hello.txt"), nginx_url(nginx, "/bye.txt"));
    snprintf(expected, sizeof expected,
             "ferry_reuses_total{transport=\"default\",scheme=\"http\",host=\"127.0.0.1:%d\",proxy="
             "\"\"} 1\n",
             nginx_port(nginx));
    if (strstr(result.out, expected) == NULL) {
        fail_msg("no %s in:\n%s", expected, result.out);
    }
    succeeds(&result, NULL, "");
}

static void a_unit_test(void **state)
{
    struct run_result result;

    (void)state;
    EXAMPLE(&result, "unit_test");
    succeeds(&result, "passed\n", "");
    run_example(&result, "FERRY_LEAKS", NULL, (const char *const[]){"unit_test", "forget", NULL});
    assert_int_not_equal(result.status, 0);
    assert_string_equal(result.out, "");
    assert_non_null(strstr(result.err, "1 response was never closed:\n"));
    assert_non_null(strstr(result.err, "unit_test.c:"));
    run_free(&result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many),
        cmocka_unit_test(thread_pool),
        cmocka_unit_test(thread_pool_with_libcurl),
        cmocka_unit_test(cancel_at_an_interrupt),
        cmocka_unit_test(cancel_when_time_is_over),
        cmocka_unit_test(epoll_loop),
        cmocka_unit_test(glib_loop),
        cmocka_unit_test(leaks),
        cmocka_unit_test(scope),
        cmocka_unit_test(metrics),
        cmocka_unit_test(a_unit_test),
    };
    return cmocka_run_group_tests(tests, start_examples, stop_examples);
}
