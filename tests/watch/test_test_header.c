/*
 * ferry_test.h, as tests of other programs use it: with each framework a program that forgets a response
 * fails and says which, and one that does not passes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "run.h"

static void passes_and_fails(const char *program, const char *teardown)
{
    struct run_result result;
    const struct run_options clean = {.argv = (const char *const[]){program, NULL},
                                      .env = (const char *const[]){"LEAK", teardown, NULL}};
    const struct run_options leaks = {
        .argv = (const char *const[]){program, NULL},
        .env = (const char *const[]){"LEAK=1", "ASAN_OPTIONS=detect_leaks=0", teardown, NULL}};

    assert_true(run(&clean, &result));
    if (result.status != 0) {
        fail_msg("%s\n%s", result.out, result.err);
    }
    run_free(&result);
    assert_true(run(&leaks, &result));
    assert_int_not_equal(result.status, 0); /* or a signal: abort() */
    char both[20000];
    snprintf(both, sizeof both, "%s%s", result.out, result.err);
    if (strstr(both, "1 response was never closed:") == NULL ||
        strstr(both, "0 of 1 bytes read, holds memory only (") == NULL) {
        fail_msg("not the ledger:\n%s", both);
    }
    run_free(&result);
}

static void plain_c(void **state)
{
    (void)state;
    passes_and_fails(ASSERT_PLAIN, NULL);
}

static void with_cmocka(void **state)
{
    (void)state;
    passes_and_fails(ASSERT_CMOCKA, "TEARDOWN");
}

static void in_cmockas_teardown(void **state)
{
    (void)state;
    passes_and_fails(ASSERT_CMOCKA, "TEARDOWN=1");
}

static void with_criterion(void **state)
{
    (void)state;
#ifdef ASSERT_CRITERION
    passes_and_fails(ASSERT_CRITERION, NULL);
#else
    skip(); /* it is not installed, or cannot run under a sanitizer */
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_c),
        cmocka_unit_test(with_cmocka),
        cmocka_unit_test(in_cmockas_teardown),
        cmocka_unit_test(with_criterion),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
