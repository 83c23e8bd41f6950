/*
 * What the tests of the watch floor share: the text that a function writes to a FILE, a wait in
 * which ferry's tasks run, and the check that a test has left nothing behind.
 */
#ifndef TESTS_WATCH_WATCH_TEST_H
#define TESTS_WATCH_WATCH_TEST_H

#include <stdbool.h>
#include <stddef.h>

#include <ferry.h>

#include "events.h"

/* The ledger, and the dump, as text to be freed. */
char *ledger_text(size_t *count);
char *dump_text(void);

/* Lets this thread's tasks run until the dump has the text. False: it had not after 10 seconds. */
bool await_in_dump(const char *text);

/* Lets this thread's tasks run until it holds, and fails the test if it does not within 10 seconds.
 * Not in a task: a failing test leaves by longjmp. */
#define AWAIT(condition)                           \
    do {                                           \
        int64_t until = events_deadline(10000);    \
        while (!(condition)) {                     \
            if (events_now() >= until) {           \
                fail_msg("never: %s", #condition); \
            }                                      \
            ferry_sleep(1);                        \
        }                                          \
    } while (0)

/* True for one line that begins with 'begins' and ends with 'ends'. */
bool has_line(const char *text, const char *begins, const char *ends);

/* A GET: what came of it, to be closed; or a response that must come, read to its end and closed. */
ferry_response *get_unread(ferry_transport *transport, const char *url);
void get_whole(ferry_transport *transport, const char *url);

ferry_stats stats_of(const ferry_transport *transport);

/* For cmocka's teardown of every test: closes idle connections and fails if a task or an open
 * response is left. */
int nothing_is_left(void **state);

#endif
