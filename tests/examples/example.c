/*
 * The nginx and the temporary folder of the example programs' tests, and the running of a program.
 */
#include "example.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct nginx *nginx;
char temp_dir[TEMP_DIR_SIZE];

int start_examples(void **state)
{
    char why[NGINX_WHY_SIZE];

    (void)state;
    nginx = nginx_start(NULL, why);
    if (nginx == NULL) {
        print_error("%s\n", why);
        return -1;
    }
    return nginx_write_file(nginx, "hello.txt", BYTES("hello\n")) &&
                   nginx_write_file(nginx, "bye.txt", BYTES("bye\n")) &&
                   nginx_write_pattern(nginx, "big.bin", BIG_BYTES) && temp_dir_make(temp_dir)
               ? 0
               : -1;
}

int stop_examples(void **state)
{
    (void)state;
    nginx_stop(nginx);
    temp_dir_remove(temp_dir);
    return 0;
}

void run_example(struct run_result *result, const char *leaks, const char *input,
                 const char *const *words)
{
    const char *argv[16];
    char program[300];
    size_t count = 0;

    snprintf(program, sizeof program, "%s/%s", EXAMPLES, words[0]);
    argv[count++] = program;
    while (words[count] != NULL) {
        argv[count] = words[count];
        count++;
    }
    argv[count] = NULL;
    struct run_options options = {
        .argv = argv,
        /* TSan, unless told, lets every process sleep for a second at its end. */
        .env = (const char *const[]){leaks, "TSAN_OPTIONS=halt_on_error=1:atexit_sleep_ms=0", NULL},
        .input = input,
        .input_len = input != NULL ? strlen(input) : 0,
    };
    if (!run(&options, result) || result->timed_out) {
        fail_msg("%s could not be run to its end", program);
    }
}

void succeeds(struct run_result *result, const char *out, const char *err)
{
    if (result->status != 0) {
        fail_msg("status %d, signal %d: %s", result->status, result->signal, result->err);
    }
    if (out != NULL) {
        assert_string_equal(result->out, out);
    }
    if (err != NULL) {
        assert_string_equal(result->err, err);
    }
    run_free(result);
}

void fails(struct run_result *result, const char *words)
{
    assert_int_equal(result->status, 1);
    if (strstr(result->err, words) == NULL) {
        fail_msg("\"%s\" is not in: %s", words, result->err);
    }
    run_free(result);
}
