/*
 * Holding SIGPIPE: what is raised meanwhile is gone afterwards, and nothing else has changed.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/sigpipe.h"

static void write_to_nobody(void)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    close(ends[0]);
    assert_int_equal(write(ends[1], "x", 1), -1);
    assert_int_equal(errno, EPIPE);
    close(ends[1]);
}

static bool is_pending(void)
{
    sigset_t pending;
    sigpending(&pending);
    return sigismember(&pending, SIGPIPE);
}

static bool is_blocked(void)
{
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    return sigismember(&mask, SIGPIPE);
}

static void raised_and_gone(void **state)
{
    struct fy_sigpipe held;
    (void)state;
    fy_sigpipe_hold(&held);
    write_to_nobody();
    errno = EXDEV;
    fy_sigpipe_release(&held, true);
    assert_int_equal(errno, EXDEV);
    assert_false(is_blocked());
    assert_false(is_pending());
}

static void not_raised(void **state)
{
    struct fy_sigpipe held;
    (void)state;
    fy_sigpipe_hold(&held);
    fy_sigpipe_release(&held, true);
    assert_false(is_blocked());
    fy_sigpipe_hold(&held);
    fy_sigpipe_release(&held, false);
    assert_false(is_blocked());
}

static void the_programs_own_stay(void **state)
{
    sigset_t pipe_set;
    struct fy_sigpipe held;
    const struct timespec at_once = {0};
    (void)state;
    sigemptyset(&pipe_set);
    sigaddset(&pipe_set, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_set, NULL);

    fy_sigpipe_hold(&held); /* blocked, but none is waiting: ours is taken away */
    write_to_nobody();
    fy_sigpipe_release(&held, true);
    assert_true(is_blocked());
    assert_false(is_pending());

    write_to_nobody(); /* one of the program's own is waiting: it waits on */
    fy_sigpipe_hold(&held);
    write_to_nobody();
    fy_sigpipe_release(&held, true);
    assert_true(is_blocked());
    assert_true(is_pending());

    assert_int_equal(sigtimedwait(&pipe_set, NULL, &at_once), SIGPIPE);
    pthread_sigmask(SIG_UNBLOCK, &pipe_set, NULL);
}

static void ignored_by_the_program(void **state)
{
    struct fy_sigpipe held;
    struct sigaction before;
    struct sigaction now;
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    (void)state;
    sigaction(SIGPIPE, &ignore, &before);
    fy_sigpipe_hold(&held);
    write_to_nobody();
    fy_sigpipe_release(&held, true);
    assert_false(is_pending());
    sigaction(SIGPIPE, &before, &now);
    assert_ptr_equal(now.sa_handler, SIG_IGN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(raised_and_gone),
        cmocka_unit_test(not_raised),
        cmocka_unit_test(the_programs_own_stay),
        cmocka_unit_test(ignored_by_the_program),
    };
    signal(SIGPIPE, SIG_DFL); /* whatever started this test may have ignored it */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
