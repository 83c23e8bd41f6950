/*
 * `ferry URL...`: bodies from a real nginx, and what the command says and how it exits when
 * something is wrong. The exit statuses are curl's.
 */
#include "bytes.h"
#include "command.h"
#include "dead_end.h"
#include "nginx.h"
#include "origin.h"
#include "own_folder.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <cmocka.h>

#define BIG_BYTES (3 * 1024 * 1024 + 7)

static struct nginx *nginx;

static int start(void **state)
{
    char why[NGINX_WHY_SIZE];

    nginx = nginx_start(NULL, why);
    if (!nginx) {
        print_error("%s\n", why);
        return -1;
    }
    return nginx_write_file(nginx, "hello.txt", BYTES("hello\n")) &&
                   nginx_write_file(nginx, "bye.txt", BYTES("bye\n")) &&
                   nginx_write_pattern(nginx, "big.bin", BIG_BYTES)
               ? own_folder_make(state)
               : -1;
}

static int stop(void **state)
{
    nginx_stop(nginx);
    return own_folder_remove(state);
}

static void succeeds_with(struct run_result *result, const char *out)
{
    if (result->status != 0)
        fail_msg("status %d: %s", result->status, result->err);
    assert_string_equal(result->out, out);
    assert_string_equal(result->err, "");
    run_free(result);
}

static void prints_a_body(void **state)
{
    struct run_result result;

    (void)state;
    command(&result, nginx_url(nginx, "/hello.txt"));
    succeeds_with(&result, "hello\n");
}

static void the_scheme_may_be_left_out(void **state)
{
    struct run_result result;

    (void)state;
    command(&result, nginx_url(nginx, "/hello.txt") + strlen("http://"));
    succeeds_with(&result, "hello\n");
}

/* A system's store, and what people set for curl, hold a hundred of them: nobody opens the file. */
static void authorities_are_not_read_before_tls(void **state)
{
    struct run_result result;
    struct inotify_event opened;
    int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

    (void)state;
    assert_true(temp_file_write(own_path("bundle"), BYTES("no certificate")));
    assert_true(inotify_add_watch(watch, own_path("bundle"), IN_OPEN) >= 0);
    assert_int_equal(setenv("CURL_CA_BUNDLE", own_path("bundle"), 1), 0);
    command(&result, nginx_url(nginx, "/hello.txt"));
    unsetenv("CURL_CA_BUNDLE");
    succeeds_with(&result, "hello\n");
    assert_int_equal(read(watch, &opened, sizeof opened), -1);
    assert_int_equal(errno, EAGAIN);
    close(watch);
}

static void prints_a_large_body_byte_for_byte(void **state)
{
    struct run_result result;

    (void)state;
    command(&result, nginx_url(nginx, "/big.bin"));
    assert_int_equal(result.status, 0);
    assert_int_equal(result.out_len, BIG_BYTES);
    assert_int_equal(pattern_match(result.out, result.out_len, 0), BIG_BYTES);
    run_free(&result);
}

static void several_urls_share_a_connection(void **state)
{
    struct run_result result;
    struct nginx_counts before = nginx_counts(nginx);

    (void)state;
    command(&result, nginx_url(nginx, "/hello.txt"), nginx_url(nginx, "/bye.txt"),
            nginx_url(nginx, "/hello.txt"));
    succeeds_with(&result, "hello\nbye\nhello\n");
    assert_true(nginx_await_requests(nginx, before.requests + 3, 5000));
    assert_int_equal(nginx_counts(nginx).connections, before.connections + 1);
}

static void writes_to_a_file(void **state)
{
    struct run_result result;
    size_t len;

    (void)state;
    command(&result, "-o", own_path("big"), nginx_url(nginx, "/big.bin"));
    succeeds_with(&result, "");
    char *data = temp_file_read(own_path("big"), &len);
    assert_non_null(data);
    assert_int_equal(len, BIG_BYTES);
    assert_int_equal(pattern_match(data, len, 0), BIG_BYTES);
    free(data);

    command(&result, nginx_url(nginx, "/hello.txt"), "--output=-");
    succeeds_with(&result, "hello\n");
}

static void a_failure_leaves_an_old_file_alone(void **state)
{
    struct dead_end refusing;
    struct run_result result;

    (void)state;
    assert_true(temp_file_write(own_path("old"), BYTES("precious")));
    assert_true(dead_end_refuse(&refusing));
    command(&result, "-o", own_path("old"), refusing.url);
    command_fails(&result, 7, refusing.url);
    dead_end_close(&refusing);
    char *data = temp_file_read(own_path("old"), NULL);
    assert_string_equal(data, "precious");
    free(data);
}

static void head_and_include_print_the_head(void **state)
{
    static const char head[] =
        "HTTP/1.1 200 Fine\r\nContent-Length: 3\r\nX-Twice: a\r\nx-twice: b\r\n\r\n";
    struct origin *origin = origin_start_reply(
        "HTTP/1.1 200 Fine\r\nContent-Length: 3\r\nX-Twice: a\r\nx-twice: b\r\n\r\nyes");
    struct run_result result;
    char expected[sizeof head + 3];

    (void)state;
    assert_non_null(origin);
    command(&result, "-i", origin_url(origin, "/"));
    snprintf(expected, sizeof expected, "%syes", head);
    succeeds_with(&result, expected);
    assert_true(origin_stop(origin));

    origin = origin_start_reply(
        "HTTP/1.1 200 Fine\r\nContent-Length: 3\r\nX-Twice: a\r\nx-twice: b\r\n\r\n");
    assert_non_null(origin);
    command(&result, "-I", origin_url(origin, "/"));
    succeeds_with(&result, head);
    assert_int_equal(strncmp(origin_request(origin, 0).head, "HEAD / HTTP/1.1\r\n", 17), 0);
    assert_true(origin_stop(origin));
}

static void a_status_is_an_answer(void **state)
{
    struct run_result result;

    (void)state;
    command(&result, nginx_url(nginx, "/nothing-here"));
    assert_int_equal(result.status, 0);
    assert_non_null(strstr(result.out, "404 Not Found"));
    assert_string_equal(result.err, "");
    run_free(&result);
}

static void speaks_over_a_unix_socket(void **state)
{
    struct run_result result;

    (void)state;
    command(&result, "--unix-socket", nginx_socket_path(nginx), "http://localhost/hello.txt",
            "any.example/bye.txt");
    succeeds_with(&result, "hello\nbye\n");
    command(&result, "--unix-socket", own_path("no-such-socket"), "http://localhost/hello.txt");
    command_fails(&result, 7, "no-such-socket");
}

static void verbose_tells_the_way(void **state)
{
    struct run_result result;

    (void)state;
    command(&result, "-v", nginx_url(nginx, "/hello.txt"), nginx_url(nginx, "/bye.txt"));
    assert_int_equal(result.status, 0);
    assert_string_equal(result.out, "hello\nbye\n");
    assert_non_null(strstr(result.err, "* connected to tcp 127.0.0.1:"));
    assert_non_null(strstr(result.err, "* goes over connection 1, which is new"));
    assert_non_null(strstr(result.err, "> GET /hello.txt HTTP/1.1\n"));
    assert_non_null(strstr(result.err, "< HTTP/1.1 200 OK\n"));
    assert_non_null(strstr(result.err, "* connection 1 is kept for the next request"));
    assert_non_null(strstr(result.err, "* goes over connection 1, used before (1 request)"));
    run_free(&result);
}

static void help_and_version(void **state)
{
    struct run_result result;

    (void)state;
    command(&result, "--version");
    succeeds_with(&result, "ferry " FERRY_EXPECTED_VERSION "\n");
    command(&result, "--help");
    assert_int_equal(result.status, 0);
    assert_non_null(strstr(result.out, "ferry -o big.iso"));
    assert_non_null(strstr(result.out, "ferry lab"));
    run_free(&result);
}

static void a_bad_command_line_is_status_2(void **state)
{
    struct run_result result;

    (void)state;
    command_run(&result, (const char *const[]){FERRY_COMMAND, NULL});
    command_fails(&result, 2, "which URL?");
    command(&result, "--frob", "http://127.0.0.1/");
    command_fails(&result, 2, "no option --frob");
    command(&result, "-o");
    command_fails(&result, 2, "--output needs an argument");
    command(&result, "-m", "soon", "http://127.0.0.1/");
    command_fails(&result, 2, "--max-time is a number of seconds");
    command(&result, "--slient", "http://127.0.0.1/");
    command_fails(&result, 2, "did you mean --silent?");
    command(&result, "--ntlm", "http://127.0.0.1/");
    command_fails(&result, 2, "a flag of curl's that ferry does not have");
    command(&result, "--max", "1", "http://127.0.0.1/");
    command_fails(&result, 2, "may mean several flags");
    command(&result, "--silent=yes", "http://127.0.0.1/");
    command_fails(&result, 2, "--silent takes no argument");
}

static void a_bad_url_is_status_3(void **state)
{
    struct run_result result;

    (void)state;
    command(&result, "http://");
    command_fails(&result, 3, "http://");
    command(&result, "");
    command_fails(&result, 3, "");
    command(&result, "http://127.0.0.1:99999/");
    command_fails(&result, 3, "99999");
    command(&result, "gopher://127.0.0.1/");
    command_fails(&result, 1, "gopher");
}

/* Names under .onion are never asked of a name server (RFC 7686), so this does not depend on
 * there being one. */
static void an_unknown_host_is_status_6(void **state)
{
    struct run_result result;

    (void)state;
    command(&result, "http://nobody.onion/");
    command_fails(&result, 6, "nobody.onion");
}

static void a_refused_connection_is_status_7(void **state)
{
    struct dead_end refusing;
    struct run_result result;

    (void)state;
    assert_true(dead_end_refuse(&refusing));
    command(&result, refusing.url);
    command_fails(&result, 7, "refused");
    dead_end_close(&refusing);
}

static void time_that_is_up_is_status_28(void **state)
{
    static const struct origin_reply stalled = {
        .bytes = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ncut", .then = ORIGIN_THEN_HOLD};
    struct origin *origin = origin_start_replies(&stalled, 1);
    struct dead_end silent;
    struct run_result result;

    (void)state;
    assert_true(dead_end_silence(&silent));
    command(&result, "-m", "0.1", silent.url);
    command_fails(&result, 28, silent.url);
    dead_end_close(&silent);

    assert_non_null(origin);
    command(&result, "--max-time=0.1", "-o", own_path("stalled"), origin_url(origin, "/"));
    command_fails(&result, 28, origin_url(origin, "/"));
    assert_true(origin_stop(origin));
}

/* What the server does to the response, and the exit status that says so. */
static void broken_responses_have_their_status(void **state)
{
    static const struct {
        struct origin_reply reply;
        int status;
    } cases[] = {
        {{.bytes = "", .then = ORIGIN_THEN_CLOSE}, 52},
        {{.bytes = "SSH-2.0-OpenSSH_9.2\r\n\r\n", .then = ORIGIN_THEN_CLOSE}, 1},
        {{.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
          .then = ORIGIN_THEN_CLOSE},
         8},
        {{.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ncut", .then = ORIGIN_THEN_CLOSE},
         18},
        {{.bytes = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ncut\r\n",
          .then = ORIGIN_THEN_CLOSE},
         18},
        {{.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ncut", .then = ORIGIN_THEN_RESET},
         56},
        {{.bytes = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
          .then = ORIGIN_THEN_CLOSE},
         56},
    };
    struct run_result result;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct origin *origin = origin_start_replies(&cases[i].reply, 1);
        assert_non_null(origin);
        command(&result, "-o", own_path("broken"), origin_url(origin, "/"));
        command_fails(&result, cases[i].status, origin_url(origin, "/"));
        assert_true(origin_stop(origin));
    }
}

static void what_cannot_be_written_is_status_23(void **state)
{
    struct run_result result;

    (void)state;
    command(&result, "-o", "/dev/full", nginx_url(nginx, "/hello.txt"));
    command_fails(&result, 23, "/dev/full");
    command(&result, "-o", own_path("no/such/folder"), nginx_url(nginx, "/hello.txt"));
    command_fails(&result, 23, "no/such/folder");
}

/* curl's rule for the exit status: of transfers that follow each other the last one counts, unless
 * --fail-early ends them at the first failure. */
static void the_rest_is_fetched_after_a_failure(void **state)
{
    struct dead_end refusing;
    struct run_result result;

    (void)state;
    assert_true(dead_end_refuse(&refusing));
    command(&result, nginx_url(nginx, "/hello.txt"), refusing.url, "http://",
            nginx_url(nginx, "/bye.txt"));
    assert_int_equal(result.status, 0);
    assert_string_equal(result.out, "hello\nbye\n");
    run_free(&result);
    command(&result, "--fail-early", nginx_url(nginx, "/hello.txt"), refusing.url,
            nginx_url(nginx, "/bye.txt"));
    assert_int_equal(result.status, 7);
    assert_string_equal(result.out, "hello\n");
    run_free(&result);
    dead_end_close(&refusing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prints_a_body),
        cmocka_unit_test(the_scheme_may_be_left_out),
        cmocka_unit_test(authorities_are_not_read_before_tls),
        cmocka_unit_test(prints_a_large_body_byte_for_byte),
        cmocka_unit_test(several_urls_share_a_connection),
        cmocka_unit_test(writes_to_a_file),
        cmocka_unit_test(a_failure_leaves_an_old_file_alone),
        cmocka_unit_test(head_and_include_print_the_head),
        cmocka_unit_test(a_status_is_an_answer),
        cmocka_unit_test(speaks_over_a_unix_socket),
        cmocka_unit_test(verbose_tells_the_way),
        cmocka_unit_test(help_and_version),
        cmocka_unit_test(a_bad_command_line_is_status_2),
        cmocka_unit_test(a_bad_url_is_status_3),
        cmocka_unit_test(an_unknown_host_is_status_6),
        cmocka_unit_test(a_refused_connection_is_status_7),
        cmocka_unit_test(time_that_is_up_is_status_28),
        cmocka_unit_test(broken_responses_have_their_status),
        cmocka_unit_test(what_cannot_be_written_is_status_23),
        cmocka_unit_test(the_rest_is_fetched_after_a_failure),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
