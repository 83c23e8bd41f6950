/*
 * What the tests of the example programs share: they are run as a reader would run them, against a real
 * nginx where a file will do, against an origin of the test's own where it matters what is sent when.
 */
#ifndef TESTS_EXAMPLES_EXAMPLE_H
#define TESTS_EXAMPLES_EXAMPLE_H

#include <stddef.h>

#include "nginx.h"
#include "run.h"
#include "temp_dir.h"

#define BIG_BYTES (1024 * 1024 + 3)

/* Between start_examples and stop_examples, which are a group's setup and teardown. It has /hello.txt
 * ("hello"), /bye.txt ("bye"), and /big.bin: a pattern of BIG_BYTES. */
extern struct nginx *nginx;
extern char temp_dir[TEMP_DIR_SIZE];

int start_examples(void **state);
int stop_examples(void **state);

/* Runs EXAMPLES/words[0] with the other words, which end in NULL. leaks is FERRY_LEAKS and its value, or
 * the name alone to have it unset. */
void run_example(struct run_result *result, const char *leaks, const char *input,
                 const char *const *words);

/* The same where every response must have been closed. */
#define EXAMPLE(result, ...) \
    run_example(result, "FERRY_LEAKS=fatal", NULL, (const char *const[]){__VA_ARGS__, NULL})

/* It succeeded and printed just that; NULL: whatever it printed. Frees the result. */
void succeeds(struct run_result *result, const char *out, const char *err);

/* It failed with a sentence that has the words in it. Frees the result. */
void fails(struct run_result *result, const char *words);

#endif
