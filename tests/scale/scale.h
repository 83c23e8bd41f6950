/*
 * What the tests of many and long share: how much to ask for, and whether the library is back to where
 * it was.
 */
#ifndef TESTS_SCALE_SCALE_H
#define TESTS_SCALE_SCALE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ferry.h>

/* How much a test asks for: ordinary, or few where something slows the program down (a sanitizer,
 * Valgrind, an emulator). */
int scaled(int ordinary, int few);

/* Whether memory can be measured: nothing keeps freed memory back, or adds its own. */
bool memory_is_plain(void);

int64_t now_ms(void);

/* What the process holds that a test must give back. */
struct held {
    int tasks;
    int descriptors;
    size_t open_responses;
};

struct held held_now(void);

/* Lets tasks run until no more is held than before; fails the test when that does not come. */
void assert_given_back(struct held before);

ferry_stats stats_of(const ferry_transport *transport);

/* Ends the process with the task dump if it has not called this again with 0 after so many seconds: what
 * hangs shall say where. */
void watch_for_hang(int seconds);

#endif
