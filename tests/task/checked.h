/*
 * Checks that may be made anywhere: in a task, on another thread, with a scheduler locked. A failed
 * assertion of cmocka's leaves by longjmp, which must neither cross from one stack to another nor
 * leave a lock held; a failed check is counted and printed, the test goes on, and fails when it is
 * over.
 *
 *     static void sends_before_receive(void) { ... CHECK(x == 1); ... }
 *
 *     const struct CMUnitTest tests[] = {TEST(sends_before_receive)};
 *     return cmocka_run_group_tests(tests, NULL, NULL);
 *
 * And the few words that all tests of the task runtime use.
 */
#ifndef TESTS_TASK_CHECKED_H
#define TESTS_TASK_CHECKED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ferry.h>

#include "task/sched.h"

/* Both return whether it held. */
#define CHECK(condition) check_that((condition), #condition, __FILE__, __LINE__)
#define CHECK_INT(actual, expected) \
    check_int((intmax_t)(actual), (intmax_t)(expected), #actual, __FILE__, __LINE__)

bool check_that(bool held, const char *what, const char *file, int line);
bool check_int(intmax_t actual, intmax_t expected, const char *what, const char *file, int line);

#define TEST(function)                                         \
    {                                                          \
#function, check_run, NULL, NULL, &(struct check_test) \
        {                                                      \
            function                                           \
        }                                                      \
    }

struct check_test {
    void (*run)(void);
};

void check_run(void **state);

/* How much a test may ask for: ordinary where nothing slows it down, else few (a sanitizer,
 * Valgrind, an emulator). */
int check_scale(int ordinary, int few);

/* The scheduler of this thread locked, as every function inside ferry finds it; fy_leave() ends
 * it. */
struct fy_sched *check_enter(void);

/* With the scheduler locked: a task of the library's kind, which runs with it locked too. */
struct fy_task *check_spawn(void (*fn)(void *arg), void *arg);

/* With the scheduler locked: lets all others run until each of them waits for something. */
void check_settle(void);

/* A number from a sequence that is the same in each run. */
uint32_t check_random(uint64_t *state);

/* Two ends of a stream, neither of which blocks. */
void check_socketpair(int ends[2]);

#endif
