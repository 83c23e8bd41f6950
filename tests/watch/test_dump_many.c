/*
 * ferry_dump_tasks of more tasks than anybody reads: an overview of all, and paragraphs for the first
 * 10,000.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <ferry.h>

#include "watch_test.h"

#define PARAGRAPHS 10000

static void do_nothing(void *arg)
{
    (void)arg;
}

static void paragraphs_end_at_ten_thousand(void **state)
{
    const char *overview = "10003 tasks on 1 thread:\n"
                           "   10002 task [runnable]: ready to begin\n"
                           "       1 thread [running]\n\n";
    const char *end = "\n\n(and 3 more)\n";
    int paragraphs = 0;

    (void)state;
    for (int i = 0; i < PARAGRAPHS + 2; i++) {
        assert_int_equal(ferry_go(do_nothing, NULL), 0);
    }
    char *dump = dump_text();
    for (const char *at = dump; (at = strstr(at, "\ntask ")) != NULL; at++) {
        paragraphs++;
    }
    assert_int_equal(strncmp(dump, overview, strlen(overview)), 0);
    assert_int_equal(paragraphs, PARAGRAPHS);
    assert_string_equal(dump + strlen(dump) - strlen(end), end);
    free(dump);
    AWAIT(ferry_num_tasks() == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(paragraphs_end_at_ten_thousand, nothing_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
