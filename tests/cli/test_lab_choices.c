/*
 * What can be chosen in `ferry lab`, what it prints for people, a server other than its own, and
 * how it fails.
 */
#include "bytes.h"
#include "command.h"
#include "dead_end.h"
#include "origin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <cmocka.h>

/* Runs the lab with --json and these arguments; to be given to json_decref(). */
#define lab(...) lab_run((const char *const[]){FERRY_COMMAND, "lab", "--json", __VA_ARGS__, NULL})

static json_t *lab_run(const char *const *argv)
{
    struct run_result result;

    command_run(&result, argv);
    if (result.status != 0)
        fail_msg("status %d: %s", result.status, result.err);
    json_t *rows = json_loadb(result.out, result.out_len, 0, NULL);
    run_free(&result);
    assert_true(json_is_array(rows));
    return rows;
}

/* The rows, written as people would: "sized none no off 6x1: 13 6 6 0 6". To be freed. */
static char *describe(json_t *rows)
{
    struct bytes text = {0};
    json_t *row;
    size_t i;

    json_array_foreach(rows, i, row)
    {
        const char *body, *read;
        int is_closed, drain, num, hosts, tasks, connections, dials, reuses, open;
        char line[160];
        assert_int_equal(json_unpack(row, "{s:s,s:s,s:b,s:b,s:i,s:i,s:i,s:i,s:i,s:i,s:i}", "body",
                                     &body, "read", &read, "closed", &is_closed, "drain", &drain,
                                     "num", &num, "hosts", &hosts, "tasks", &tasks, "connections",
                                     &connections, "dials", &dials, "reuses", &reuses,
                                     "open_responses", &open),
                         0);
        int len = snprintf(line, sizeof line, "%s %s %s %s %dx%d: %d %d %d %d %d\n", body, read,
                           is_closed ? "yes" : "no", drain ? "on" : "off", num, hosts, tasks,
                           connections, dials, reuses, open);
        bytes_append(&text, line, (size_t)len);
    }
    json_decref(rows);
    return text.data;
}

static void expect(json_t *rows, const char *expected)
{
    char *text = describe(rows);

    assert_string_equal(text, expected);
    free(text);
}

static void a_choice_narrows_the_table(void **state)
{
    (void)state;
    expect(lab("--body", "sized", "--read", "none", "--close", "no", "--drain", "off"),
           "sized none no off 6x1: 13 6 6 0 6\n");
    expect(lab("--body", "sized", "--read", "all", "--drain", "off"),
           "sized all no off 6x1: 3 1 1 5 6\n"
           "sized all yes off 6x1: 3 1 1 5 0\n");
    expect(lab("--read", "exact", "--close", "no", "--drain", "on"),
           "sized exact no on 6x1: 3 1 1 5 6\n"
           "conn-close exact no on 6x1: 1 0 6 0 6\n"
           "sized exact no on 6x2: 5 2 2 4 6\n");
    expect(lab("--body=empty", "--read=some", "--close=yes"), "empty some yes off 6x1: 3 1 1 5 0\n"
                                                              "empty some yes on 6x1: 3 1 1 5 0\n");
}

static void what_is_not_in_the_table_can_be_chosen(void **state)
{
    (void)state;
    expect(lab("--body", "big", "--read", "exact", "--close", "no", "--drain", "off"),
           "big exact no off 6x1: 3 1 1 5 6\n");
    expect(lab("--body", "empty", "--read", "exact", "--close", "no", "--drain", "off"),
           "empty exact no off 6x1: 3 1 1 5 6\n");
}

static void num_and_hosts_vary(void **state)
{
    (void)state;
    expect(
        lab("--num", "100", "--body", "sized", "--read", "none", "--close", "no", "--drain", "off"),
        "sized none no off 100x1: 201 100 100 0 100\n");
    expect(lab("--num", "9", "--hosts", "3", "--read", "all", "--close", "yes", "--drain", "off"),
           "sized all yes off 9x3: 7 3 3 6 0\n");
    expect(
        lab("--num", "1", "--body", "sized", "--read", "none", "--close", "no", "--drain", "off"),
        "sized none no off 1x1: 3 1 1 0 1\n");
    expect(lab("--hosts", "2", "--body", "chunked", "--read", "all", "--close", "no", "--drain",
               "off"),
           "chunked all no off 6x2: 5 2 2 4 6\n");
}

static void expect_part(const struct run_result *result, const char *part)
{
    if (!strstr(result->out, part))
        fail_msg("\"%s\" is not in:\n%s", part, result->out);
}

static void fits_100_columns(const char *text)
{
    while (*text) {
        size_t len = strcspn(text, "\n");
        /* The ledger's lines are the library's. */
        if (len > 100 && !strstr(text, "cli/lab_run.c:"))
            fail_msg("%zu columns: %.*s", len, (int)len, text);
        text += len + (text[len] == '\n');
    }
}

static void people_see_the_answer_first_and_the_culprit_last(void **state)
{
    struct run_result result;

    (void)state;
    command(&result, "lab");
    assert_int_equal(result.status, 0);
    assert_string_equal(result.err, "");
    expect_part(&result, "It is 3:");
    expect_part(&result, "read to the end, not closed     3            1      1       5");
    expect_part(&result, "not read, not closed           13            6      6       0");
    expect_part(&result, "closing early discards");
    expect_part(&result, "closing early drains");
    expect_part(&result, "cli/lab_run.c:");
    assert_true(strstr(result.out, "It is 3:") < strstr(result.out, "closing early discards"));
    assert_true(strstr(result.out, "closing early drains") < strstr(result.out, "cli/lab_run.c:"));
    assert_null(strchr(result.out, '\033'));
    fits_100_columns(result.out);
    run_free(&result);
}

static void without_a_leak_there_is_no_ledger(void **state)
{
    struct run_result result;

    (void)state;
    command(&result, "lab", "--read", "all", "--close", "yes");
    assert_int_equal(result.status, 0);
    assert_null(strstr(result.out, "cli/lab_run.c:"));
    assert_null(strstr(result.out, "It is 3:"));
    run_free(&result);
}

static void help_teaches(void **state)
{
    struct run_result result;

    (void)state;
    command(&result, "lab", "--help");
    assert_int_equal(result.status, 0);
    expect_part(&result, "ferry lab --read all --close no");
    expect_part(&result, "--drain ON|OFF");
    fits_100_columns(result.out);
    run_free(&result);
}

static void bad_choices_are_refused(void **state)
{
    static const struct {
        const char *args[4];
        const char *part;
    } cases[] = {
        {{"--num", "0"}, "--num is a whole number from 1 to"},
        {{"--num", "six"}, "not \"six\""},
        {{"--num", ""}, "--num is a whole number"},
        {{"--num"}, "--num needs an argument"},
        {{"--hosts", "-1"}, "--hosts is a whole number from 1 to"},
        {{"--body", "huge"}, "--body is sized, chunked, big, empty or conn-close, not \"huge\""},
        {{"--read", "most"}, "--read is none, some, exact or all, not \"most\""},
        {{"--close", "maybe"}, "--close is no or yes"},
        {{"--drain", "yes"}, "--drain is off or on"},
        {{"--json=1"}, "--json takes no argument"},
        {{"--frob"}, "no option --frob"},
        {{"-q"}, "no option -q"},
        {{"http://127.0.0.1/"}, "--url http://127.0.0.1/"},
        {{"--body", "chunked", "--read", "exact"}, "--body chunked has none"},
        {{"--url", "http://127.0.0.1/", "--body", "big"}, "--body"},
        {{"--url", "http://127.0.0.1/", "--hosts", "2"}, "--hosts"},
    };
    struct run_result result;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *argv[] = {
            FERRY_COMMAND,    "lab", cases[i].args[0], cases[i].args[1], cases[i].args[2],
            cases[i].args[3], NULL};
        command_run(&result, argv);
        command_fails(&result, 2, cases[i].part);
    }
}

static void another_server_can_be_asked(void **state)
{
    struct origin *origin =
        origin_start_reply("HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nhello, world");

    (void)state;
    assert_non_null(origin);
    const char *url = origin_url(origin, "/");
    expect(lab("--url", url, "--drain", "off"), "url none no off 6x1: 13 6 6 0 6\n"
                                                "url none yes off 6x1: 1 0 6 0 0\n"
                                                "url some no off 6x1: 13 6 6 0 6\n"
                                                "url some yes off 6x1: 1 0 6 0 0\n"
                                                "url exact no off 6x1: 3 1 1 5 6\n"
                                                "url exact yes off 6x1: 3 1 1 5 0\n"
                                                "url all no off 6x1: 3 1 1 5 6\n"
                                                "url all yes off 6x1: 3 1 1 5 0\n");
    assert_true(origin_stop(origin));
}

static void what_announces_no_length_is_not_read_exactly(void **state)
{
    struct run_result result;
    struct origin *origin =
        origin_start_reply("HTTP/1.1 200 OK\r\nTransfer-Encoding: "
                           "chunked\r\n\r\n14\r\n01234567890123456789\r\n0\r\n\r\n");

    (void)state;
    assert_non_null(origin);
    const char *url = origin_url(origin, "/");
    expect(lab("--url", url, "--drain", "off", "--close", "no"), "url none no off 6x1: 13 6 6 0 6\n"
                                                                 "url some no off 6x1: 13 6 6 0 6\n"
                                                                 "url all no off 6x1: 3 1 1 5 6\n");
    command(&result, "lab", "--url", url, "--read", "exact");
    command_fails(&result, 1, "announces none");
    assert_true(origin_stop(origin));
}

static void a_server_that_is_not_there_is_one_sentence(void **state)
{
    struct dead_end refusing;
    struct run_result result;

    (void)state;
    assert_true(dead_end_refuse(&refusing));
    command(&result, "lab", "--url", refusing.url);
    command_fails(&result, 1, refusing.url);
    command(&result, "lab", "--json", "--url", refusing.url);
    command_fails(&result, 1, refusing.url);
    dead_end_close(&refusing);
    command(&result, "lab", "--url", "http://");
    command_fails(&result, 1, "ferry lab: ");
}

static void a_failure_on_the_way_is_one_sentence(void **state)
{
    static const struct origin_reply replies[] = {
        {.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"},
        {.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"},
        {.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ncut", .then = ORIGIN_THEN_CLOSE},
    };
    struct origin *origin = origin_start_replies(replies, sizeof replies / sizeof *replies);
    struct run_result result;

    (void)state;
    assert_non_null(origin);
    command(&result, "lab", "--json", "--read", "all", "--url", origin_url(origin, "/"));
    command_fails(&result, 1, "request 2 of 6 failed: ");
    assert_true(origin_stop(origin));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_choice_narrows_the_table),
        cmocka_unit_test(what_is_not_in_the_table_can_be_chosen),
        cmocka_unit_test(num_and_hosts_vary),
        cmocka_unit_test(people_see_the_answer_first_and_the_culprit_last),
        cmocka_unit_test(without_a_leak_there_is_no_ledger),
        cmocka_unit_test(help_teaches),
        cmocka_unit_test(bad_choices_are_refused),
        cmocka_unit_test(another_server_can_be_asked),
        cmocka_unit_test(what_announces_no_length_is_not_read_exactly),
        cmocka_unit_test(a_server_that_is_not_there_is_one_sentence),
        cmocka_unit_test(a_failure_on_the_way_is_one_sentence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
