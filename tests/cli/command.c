/*
 * Runs the `ferry` command for the tests of this folder.
 */
#include "command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

void command_run(struct run_result *result, const char *const *argv)
{
    /* What the surroundings ask for must not change what is printed. */
    static const char *const env[] = {"NO_COLOR", "FERRY_LEAKS", "TERM=xterm", "LC_ALL=C", NULL};

    if (!run(&(struct run_options){.argv = argv, .env = env}, result))
        fail_msg("%s: %s", argv[0], strerror(result->os_errno));
    assert_false(result->timed_out);
    if (result->signal != 0)
        fail_msg("killed by signal %d; standard error: %s", result->signal, result->err);
}

void command_fails(struct run_result *result, int status, const char *part_of_sentence)
{
    const char *end = strchr(result->err, '\n');

    if (result->status != status)
        fail_msg("exit status %d instead of %d: %s", result->status, status, result->err);
    assert_string_equal(result->out, "");
    assert_int_equal(strncmp(result->err, "ferry", 5), 0);
    assert_non_null(end);
    assert_string_equal(end, "\n");
    if (!strstr(result->err, part_of_sentence))
        fail_msg("\"%s\" is not in: %s", part_of_sentence, result->err);
    run_free(result);
}
