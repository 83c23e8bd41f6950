/*
 * Runs a program to its end and keeps what it wrote: for tests of the command line tool and of programs
 * built against the library.
 *
 *     struct run_result result;
 *
 *     run(&(struct run_options){.argv = (const char *const[]){FERRY, "-I", url, NULL}}, &result);
 *     assert_int_equal(result.status, 0);
 *     assert_string_equal(result.out, "HTTP/1.1 200 OK\r\n…");
 *     run_free(&result);
 */
#ifndef SUPPORT_RUN_H
#define SUPPORT_RUN_H

#include <stdbool.h>
#include <stddef.h>

struct run_options {
    const char *const *argv; /* argv[0] is looked for in PATH; NULL at the end */
    const char *const
        *env; /* "NAME=value" sets, "NAME" removes, beside what there is; NULL at the end */
    const char *directory; /* where it runs; NULL: here */
    const void *input;     /* its standard input, through a pipe; NULL: /dev/null */
    size_t input_len;
    int timeout_ms; /* after that it is killed; 0: 60 seconds */
};

struct run_result {
    int status;     /* its exit status; -1: there is none */
    int signal;     /* what killed it; 0: nothing did */
    bool timed_out; /* it was killed here, for taking too long */
    int os_errno;   /* why it could not be started; 0: it was */
    char *out;      /* what it wrote, with a NUL behind it; never NULL */
    size_t out_len;
    char *err;
    size_t err_len;
};

/* True if it was started. The result is always filled, and always to be freed. */
bool run(const struct run_options *options, struct run_result *result);

void run_free(struct run_result *result);

#endif
