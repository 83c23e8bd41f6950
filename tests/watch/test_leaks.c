/*
 * FERRY_LEAKS: what a program says about its open responses when it ends, and what becomes of its
 * status. Each case runs leaker.c, linked with the static and with the shared library.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "origin.h"
#include "run.h"

static struct origin *origin;

static int start(void **state)
{
    (void)state;
    origin = origin_start_reply("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    return origin != NULL ? 0 : -1;
}

static int stop(void **state)
{
    (void)state;
    return origin_stop(origin) ? 0 : -1;
}

/* Runs it; leaks is FERRY_LEAKS and its value, or the name alone to have it unset. */
static void run_leaker(struct run_result *result, const char *program, const char *leaks,
                       const char *what, const char *and_what)
{
    struct run_options options = {
        .argv = (const char *const[]){program, origin_url(origin, "/a"), what, and_what, NULL},
        /* A leak checker of the compiler's would have its own word on the status, 23 as well; and
         * TSan, unless told, lets every process sleep for a second at its end. */
        .env = (const char *const[]){leaks, "ASAN_OPTIONS=detect_leaks=0",
                                     "TSAN_OPTIONS=halt_on_error=1:atexit_sleep_ms=0", NULL},
    };
    if (!run(&options, result) || result->status < 0) {
        fail_msg("%s did not run to its end: %s", program, result->err);
    }
    assert_string_equal(result->out, "bye");
}

static void says(struct run_result *result, int status, const char *first_line, int entries)
{
    assert_int_equal(result->status, status);
    assert_int_equal(strncmp(result->err, first_line, strlen(first_line)), 0);
    const char *line = result->err + strlen(first_line);
    for (int i = 0; i < entries; i++) {
        if (strncmp(line, "leaker.c:1: http://", 19) != 0) {
            fail_msg("entry %d of %d is missing: %s", i + 1, entries, result->err);
        }
        line = strchr(line, '\n') + 1;
    }
    assert_string_equal(line, "");
    run_free(result);
}

static void off_unless_asked_for(void **state)
{
    static const char *const off[] = {"FERRY_LEAKS", "FERRY_LEAKS=", "FERRY_LEAKS=0"};
    struct run_result result;
    for (int i = 0; i < 3; i++) {
        run_leaker(&result, *state, off[i], "leak", NULL);
        says(&result, 5, "", 0);
    }
}

static void one_prints_and_leaves_the_status_alone(void **state)
{
    struct run_result result;
    run_leaker(&result, *state, "FERRY_LEAKS=1", "leak", NULL);
    assert_non_null(
        strstr(result.err, " s, 0 of 5 bytes read, holds connection 1 and its 2 tasks ("));
    says(&result, 5, "ferry: 1 response was never closed:\n", 1);
    run_leaker(&result, *state, "FERRY_LEAKS=1", "leak", "leak");
    says(&result, 5, "ferry: 2 responses were never closed:\n", 2);
}

static void fatal_prints_and_ends_with_23(void **state)
{
    struct run_result result;
    run_leaker(&result, *state, "FERRY_LEAKS=fatal", "leak", NULL);
    says(&result, 23, "ferry: 1 response was never closed:\n", 1);
}

static void nothing_open_nothing_said(void **state)
{
    struct run_result result;
    run_leaker(&result, *state, "FERRY_LEAKS=1", "close", NULL);
    says(&result, 5, "", 0);
    run_leaker(&result, *state, "FERRY_LEAKS=fatal", "close", NULL);
    says(&result, 5, "", 0);
    run_leaker(&result, *state, "FERRY_LEAKS=fatal", NULL, NULL);
    says(&result, 5, "", 0);
}

static void what_an_atexit_function_closes_is_closed(void **state)
{
    struct run_result result;
    run_leaker(&result, *state, "FERRY_LEAKS=fatal", "close-at-exit", NULL);
    says(&result, 5, "", 0);
}

static void a_thread_that_has_ended_has_leaked_all_the_same(void **state)
{
    struct run_result result;
    run_leaker(&result, *state, "FERRY_LEAKS=fatal", "thread", "leak");
    assert_non_null(strstr(result.err, " s, 0 of 5 bytes read, holds memory only ("));
    says(&result, 23, "ferry: 2 responses were never closed:\n", 2);
}

static void a_task_may_end_the_program(void **state)
{
    struct run_result result;
    run_leaker(&result, *state, "FERRY_LEAKS=fatal", "exit-in-a-task", NULL);
    says(&result, 23, "ferry: 1 response was never closed:\n", 1);
}

#define TWICE(test)                                                    \
    cmocka_unit_test_prestate(test, (void *)(uintptr_t)LEAKER_STATIC), \
        cmocka_unit_test_prestate(test, (void *)(uintptr_t)LEAKER_SHARED)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TWICE(off_unless_asked_for),
        TWICE(one_prints_and_leaves_the_status_alone),
        TWICE(fatal_prints_and_ends_with_23),
        TWICE(nothing_open_nothing_said),
        TWICE(what_an_atexit_function_closes_is_closed),
        TWICE(a_thread_that_has_ended_has_leaked_all_the_same),
        TWICE(a_task_may_end_the_program),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
