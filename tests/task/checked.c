/*
 * Checks anywhere, counted. Used by all tests of the task runtime.
 */
#include "checked.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static atomic_int failures; /* since the test began, of all threads */

bool check_that(bool held, const char *what, const char *file, int line)
{
    if (!held) {
        atomic_fetch_add(&failures, 1);
        fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
    }
    return held;
}

bool check_int(intmax_t actual, intmax_t expected, const char *what, const char *file, int line)
{
    if (actual != expected) {
        atomic_fetch_add(&failures, 1);
        fprintf(stderr, "%s:%d: %s is %jd, not %jd\n", file, line, what, actual, expected);
    }
    return actual == expected;
}

/* cmocka's handlers leave by longjmp, too: whoever crashes would leave a lock held, for which the
 * next test would wait. */
static void die_of_crashes(void)
{
    static const int crashes[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE};
    for (size_t i = 0; i < sizeof crashes / sizeof crashes[0]; i++) {
        signal(crashes[i], SIG_DFL);
    }
}

void check_run(void **state)
{
    const struct check_test *test = *state;
    die_of_crashes();
    atomic_store(&failures, 0);
    test->run();
    int count = atomic_load(&failures);
    if (count != 0) {
        fail_msg("%d checks did not hold", count);
    }
}

int check_scale(int ordinary, int few)
{
#if defined(FY_ASAN) || defined(FY_TSAN) || defined(TESTS_EMULATED)
    (void)ordinary;
    return few;
#elif defined(RUNNING_ON_VALGRIND)
    return RUNNING_ON_VALGRIND ? few : ordinary;
#else
    (void)few;
    return ordinary;
#endif
}

struct fy_sched *check_enter(void)
{
    struct fy_sched *sched = fy_enter();
    if (sched == NULL) {
        fprintf(stderr, "no scheduler: %s\n", strerror(errno));
        abort();
    }
    return sched;
}

struct fy_task *check_spawn(void (*fn)(void *arg), void *arg)
{
    struct fy_task *task = fy_task_start(FY_TASK_LIBRARY, FY_STACK_SMALL, "test", fn, arg);
    if (task == NULL) {
        fprintf(stderr, "no task: %s\n", strerror(errno));
        abort();
    }
    return task;
}

void check_settle(void)
{
    do {
        fy_poll_now();
        fy_yield();
    } while (!fy_list_empty(&fy_sched_running()->ready));
}

uint32_t check_random(uint64_t *state)
{
    /* A linear congruential generator; its high bits are good enough to mix cases with. */
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*state >> 33);
}

void check_socketpair(int ends[2])
{
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) {
        fprintf(stderr, "no sockets: %s\n", strerror(errno));
        abort();
    }
}
