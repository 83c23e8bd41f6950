/*
 * What is ferry's own in the command: what it says of connections, transfers side by side, files of
 * flags, and the help. What is curl's is compared with curl by the table in tests/cli/curl.
 */
#include "bytes.h"
#include "command.h"
#include "origin.h"
#include "own_folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define OK_REPLY "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello\n"

static void fine(const struct run_result *result)
{
    if (result->status != 0)
        fail_msg("status %d: %s", result->status, result->err);
}

static void says_why_a_connection_is_not_kept(void **state)
{
    static const struct {
        const char *reply, *fate;
    } cases[] = {
        {OK_REPLY, "* connection 1 is kept for the next request\n"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
         "* connection 1 is not kept: one side asked for the connection to be closed\n"},
        {"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
         "* connection 1 is not kept: one side asked for the connection to be closed\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct origin *origin = origin_start_reply(cases[i].reply);
        struct run_result result;
        assert_non_null(origin);
        command(&result, "-v", origin_url(origin, "/"));
        fine(&result);
        if (!strstr(result.err, cases[i].fate))
            fail_msg("%s", result.err);
        run_free(&result);
        assert_true(origin_stop(origin));
    }
}

static void write_out_tells_of_connections(void **state)
{
    struct origin *origin = origin_start_reply(OK_REPLY);
    struct run_result result;

    (void)state;
    assert_non_null(origin);
    command(&result, "-w", "%{conn_id} %{conn_reused} %{conn_kept} %{num_connects}\\n",
            origin_url(origin, "/[1-2]"));
    fine(&result);
    assert_string_equal(result.out, "hello\n1 false true 1\nhello\n1 true true 0\n");
    run_free(&result);
    assert_true(origin_stop(origin));
}

/* Answers nobody before as many requests are here as there should be at once. */
struct meeting {
    struct gate all_here;
    int wanted;
    _Atomic int here;
};

static void serve_meeting(struct origin_conn *conn, void *arg)
{
    struct meeting *meeting = arg;

    while (origin_read_request(conn)) {
        if (++meeting->here == meeting->wanted)
            gate_open(&meeting->all_here);
        if (!origin_wait(conn, &meeting->all_here))
            return;
        origin_send(conn, BYTES(OK_REPLY));
    }
}

static void transfers_run_side_by_side(void **state)
{
    struct meeting meeting = {.wanted = 40};
    struct origin *origin =
        origin_start(&(struct origin_script){.serve = serve_meeting, .arg = &meeting});
    char output[TEMP_DIR_SIZE + 16];
    struct run_result result;

    (void)state;
    assert_non_null(origin);
    snprintf(output, sizeof output, "%s/z#1", own_folder);
    command(&result, "-Z", "--parallel-max", "40", "-o", output, origin_url(origin, "/[1-120]"));
    fine(&result);
    assert_string_equal(result.err, "");
    run_free(&result);
    assert_int_equal(origin_counts(origin).accepted, 40);
    for (int i = 1; i <= 120; i++) {
        char name[16];
        snprintf(name, sizeof name, "z%d", i);
        char *data = temp_file_read(own_path(name), NULL);
        assert_non_null(data);
        assert_string_equal(data, "hello\n");
        free(data);
    }
    assert_true(origin_stop(origin));
}

static void groups_with_the_same_flags_share_connections(void **state)
{
    struct origin *origin = origin_start_reply(OK_REPLY);
    struct run_result result;

    (void)state;
    assert_non_null(origin);
    command(&result, "-d", "x", origin_url(origin, "/a"), "--next", "-H", "X: y",
            origin_url(origin, "/b"), "--next", "--no-keepalive", origin_url(origin, "/c"));
    fine(&result);
    run_free(&result);
    assert_int_equal(origin_counts(origin).accepted, 2);
    assert_int_equal(strncmp(origin_request(origin, 0).head, "POST /a", 7), 0);
    assert_int_equal(strncmp(origin_request(origin, 1).head, "GET /b", 6), 0);
    assert_true(origin_stop(origin));
}

static void the_users_own_file_is_read_first(void **state)
{
    struct origin *origin = origin_start_reply(OK_REPLY);
    char home[TEMP_DIR_SIZE + 8];
    const char *const environment[] = {home, NULL};
    struct run_result result;
    struct run_options options = {.env = environment};

    (void)state;
    assert_non_null(origin);
    snprintf(home, sizeof home, "HOME=%s", own_folder);
    assert_true(temp_file_write(own_path(".ferryrc"), BYTES("header = \"X-Own: yes\"\n")));
    options.argv = (const char *const[]){FERRY_COMMAND, origin_url(origin, "/"), NULL};
    assert_true(run(&options, &result));
    run_free(&result);
    options.argv = (const char *const[]){FERRY_COMMAND, "-q", origin_url(origin, "/"), NULL};
    assert_true(run(&options, &result));
    run_free(&result);
    assert_non_null(strstr(origin_request(origin, 0).head, "\r\nX-Own: yes\r\n"));
    assert_null(strstr(origin_request(origin, 1).head, "X-Own"));

    assert_true(temp_file_write(own_path(".ferryrc"), BYTES("\n\nfrob\n")));
    options.argv = (const char *const[]){FERRY_COMMAND, origin_url(origin, "/"), NULL};
    assert_true(run(&options, &result));
    assert_int_equal(result.status, 2);
    assert_non_null(strstr(result.err, ".ferryrc:3: there is no option --frob"));
    run_free(&result);
    assert_true(origin_stop(origin));
}

/* curl has these two since 8.10, and the table compares them with such a one only. */
static void flags_of_a_later_curl(void **state)
{
    struct origin *origin = origin_start_reply(OK_REPLY);
    char there[TEMP_DIR_SIZE + 16], new[TEMP_DIR_SIZE + 16];
    struct run_result result;

    (void)state;
    assert_non_null(origin);
    snprintf(there, sizeof there, "%s/there", own_folder);
    snprintf(new, sizeof new, "%s/new", own_folder);
    assert_true(temp_file_write(there, BYTES("mine")));
    command(&result, "--skip-existing", "-o", there, origin_url(origin, "/there"), "-o", new,
            origin_url(origin, "/new"));
    fine(&result);
    run_free(&result);
    assert_int_equal(origin_counts(origin).requests, 1);
    assert_int_equal(strncmp(origin_request(origin, 0).head, "GET /new", 8), 0);
    char *kept = temp_file_read(there, NULL), *made = temp_file_read(new, NULL);
    assert_string_equal(kept, "mine");
    assert_string_equal(made, "hello\n");
    free(kept);
    free(made);

    command(&result, "--show-headers", origin_url(origin, "/"));
    fine(&result);
    assert_string_equal(result.out, OK_REPLY);
    run_free(&result);
    assert_true(origin_stop(origin));
}

static void help_explains(void **state)
{
    static const struct {
        const char *word, *part;
    } cases[] = {
        {"data", "-d, --data DATA\n    POST this"},
        {"-d", "-d, --data DATA\n"},
        {"--no-buffer", "-N, --no-buffer\n"},
        {"write-out", "time_starttransfer"},
        {"ntlm", "--ntlm is a flag of curl's that ferry does not have"},
        {"tls", "--cacert FILE"},
        {"curl", "--next"},
        {"all", "--xattr"},
    };
    struct run_result result;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        command(&result, "help", cases[i].word);
        fine(&result);
        if (!strstr(result.out, cases[i].part))
            fail_msg("%s: %s", cases[i].word, result.out);
        run_free(&result);
        command(&result, "--help", cases[i].word);
        fine(&result);
        run_free(&result);
    }
    command(&result, "help", "dta");
    command_fails(&result, 2, "did you mean --data?");
}

static void a_trace_has_every_byte(void **state)
{
    struct origin *origin = origin_start_reply(OK_REPLY);
    struct run_result result;

    (void)state;
    assert_non_null(origin);
    command(&result, "--trace-ascii", own_path("trace"), origin_url(origin, "/"));
    fine(&result);
    run_free(&result);
    char *trace = temp_file_read(own_path("trace"), NULL);
    assert_non_null(trace);
    assert_non_null(strstr(trace, "=> Send header, "));
    assert_non_null(strstr(trace, "0000: GET / HTTP/1.1\n"));
    assert_non_null(strstr(trace, "<= Recv header, 38 bytes (0x26)\n0000: HTTP/1.1 200 OK\n"));
    assert_non_null(strstr(trace, "<= Recv data, 6 bytes (0x6)\n0000: hello.\n"));
    free(trace);
    command(&result, "--trace", own_path("trace"), origin_url(origin, "/"));
    fine(&result);
    run_free(&result);
    trace = temp_file_read(own_path("trace"), NULL);
    assert_non_null(
        strstr(trace, "0000: 68 65 6c 6c 6f 0a                               hello.\n"));
    free(trace);
    assert_true(origin_stop(origin));
}

static void too_slow_is_status_28(void **state)
{
    static const struct origin_reply stalled = {
        .bytes = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ncut", .then = ORIGIN_THEN_HOLD};
    struct origin *origin = origin_start_replies(&stalled, 1);
    struct run_result result;

    (void)state;
    assert_non_null(origin);
    command(&result, "-y", "0.2", "-Y", "1000", "-o", own_path("slow"), origin_url(origin, "/"));
    command_fails(&result, 28, "slower than --speed-limit");
    assert_true(origin_stop(origin));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_why_a_connection_is_not_kept),
        cmocka_unit_test(write_out_tells_of_connections),
        cmocka_unit_test(transfers_run_side_by_side),
        cmocka_unit_test(groups_with_the_same_flags_share_connections),
        cmocka_unit_test(the_users_own_file_is_read_first),
        cmocka_unit_test(flags_of_a_later_curl),
        cmocka_unit_test(help_explains),
        cmocka_unit_test(a_trace_has_every_byte),
        cmocka_unit_test(too_slow_is_status_28),
    };

    return cmocka_run_group_tests(tests, own_folder_make, own_folder_remove);
}
