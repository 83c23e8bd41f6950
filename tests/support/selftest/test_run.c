/* Running programs: their streams, how they end, and that a hanging one does not hang the test. */
#include "bytes.h"
#include "plain_client.h"
#include "run.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* Runs a line of shell. */
static void shell(const char *line, struct run_options options, struct run_result *result)
{
    options.argv = (const char *const[]){"sh", "-c", line, NULL};
    assert_true(run(&options, result));
}

static void streams_and_status_are_kept(void **state)
{
    struct run_result result;

    (void)state;
    shell("cat; printf 'a\\0b'; echo oops >&2; exit 3",
          (struct run_options){.input = "input ", .input_len = 6}, &result);
    assert_int_equal(result.status, 3);
    assert_int_equal(result.signal, 0);
    assert_false(result.timed_out);
    assert_int_equal(result.out_len, 9);
    assert_memory_equal(result.out, "input a\0b", 9);
    assert_string_equal(result.err, "oops\n");
    run_free(&result);
}

static void without_input_there_is_nothing_to_read(void **state)
{
    struct run_result result;

    (void)state;
    shell("cat", (struct run_options){0}, &result);
    assert_int_equal(result.status, 0);
    assert_string_equal(result.out, "");
    assert_string_equal(result.err, "");
    run_free(&result);
}

static void more_than_a_pipe_holds_goes_both_ways(void **state)
{
    size_t len = 3000000;
    char *input = malloc(len);
    struct run_result result;

    (void)state;
    pattern_fill(input, len, 0);
    shell("cat", (struct run_options){.input = input, .input_len = len}, &result);
    assert_int_equal(result.out_len, len);
    assert_int_equal(pattern_match(result.out, len, 0), len);
    run_free(&result);

    /* A program that does not read its input: no SIGPIPE here. */
    shell("exit 0", (struct run_options){.input = input, .input_len = len}, &result);
    assert_int_equal(result.status, 0);
    run_free(&result);
    free(input);
}

static void environment_and_directory_are_set(void **state)
{
    static const char *const env[] = {"SUPPORT_SET=yes", "SUPPORT_GONE", NULL};
    struct run_result result;

    (void)state;
    setenv("SUPPORT_SET", "no", 1);
    setenv("SUPPORT_GONE", "no", 1);
    setenv("SUPPORT_KEPT", "kept", 1);
    shell("echo $SUPPORT_SET ${SUPPORT_GONE-gone} $SUPPORT_KEPT; pwd",
          (struct run_options){.env = env, .directory = "/"}, &result);
    assert_string_equal(result.out, "yes gone kept\n/\n");
    run_free(&result);
}

static void a_signal_is_told(void **state)
{
    struct run_result result;

    (void)state;
    shell("kill -s SEGV $$", (struct run_options){0}, &result);
    assert_int_equal(result.status, -1);
    assert_int_equal(result.signal, SIGSEGV);
    assert_false(result.timed_out);
    run_free(&result);
}

static void a_program_that_hangs_is_killed(void **state)
{
    struct run_result result;

    (void)state;
    shell("echo so far; sleep 1000 & sleep 1000", (struct run_options){.timeout_ms = 300}, &result);
    assert_true(result.timed_out);
    assert_int_equal(result.signal, SIGKILL);
    assert_string_equal(result.out, "so far\n");
    run_free(&result);
}

static void a_grandchild_does_not_hold_us_up(void **state)
{
    struct run_result result;

    (void)state;
    shell("echo done; sleep 1000 &", (struct run_options){0}, &result);
    assert_int_equal(result.status, 0);
    assert_false(result.timed_out);
    assert_string_equal(result.out, "done\n");
    run_free(&result);
}

static void a_program_that_is_not_there_is_told(void **state)
{
    struct run_result result;

    (void)state;
    assert_false(run(&(struct run_options){.argv = (const char *const[]){"/no/such/program", NULL}},
                     &result));
    assert_int_equal(result.os_errno, ENOENT);
    assert_int_equal(result.status, -1);
    assert_string_equal(result.out, "");
    run_free(&result);
}

/* The listing's own descriptor is the fourth. */
static void only_the_standard_descriptors_are_inherited(void **state)
{
    struct run_result result;
    int fd = dup(0);

    (void)state;
    assert_true(
        run(&(struct run_options){.argv = (const char *const[]){"ls", "/proc/self/fd", NULL}},
            &result));
    assert_string_equal(result.out, "0\n1\n2\n3\n");
    run_free(&result);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams_and_status_are_kept),
        cmocka_unit_test(without_input_there_is_nothing_to_read),
        cmocka_unit_test(more_than_a_pipe_holds_goes_both_ways),
        cmocka_unit_test(environment_and_directory_are_set),
        cmocka_unit_test(a_signal_is_told),
        cmocka_unit_test(a_program_that_hangs_is_killed),
        cmocka_unit_test(a_grandchild_does_not_hold_us_up),
        cmocka_unit_test(a_program_that_is_not_there_is_told),
        cmocka_unit_test(only_the_standard_descriptors_are_inherited),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
