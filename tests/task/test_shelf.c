/*
 * Stacks that are put away while their tasks are parked for long. Where they are not (sanitizers,
 * Valgrind, ucontext) the same tasks must come to the same.
 */
#include "checked.h"

#include <string.h>

#include "task/chan.h"
#include "task/clock.h"
#include "task/shelf.h"

/* A task with something on its stack, whose cases are not there. */
struct sleeper {
    struct fy_chan go_on;
    struct fy_case case_;
    struct fy_task *task;
    bool intact;
};

static void rest(void *arg)
{
    struct sleeper *sleeper = arg;
    volatile char kept[600];
    for (size_t i = 0; i < sizeof kept; i++) {
        kept[i] = (char)(i * 7);
    }
    sleeper->case_ = (struct fy_case)FY_RECEIVE_FROM(&sleeper->go_on);
    fy_shelf_allow(fy_self());
    fy_select(&sleeper->case_, 1, FY_NEVER, "resting");
    fy_shelf_refuse(fy_self());
    sleeper->intact = true;
    for (size_t i = 0; i < sizeof kept; i++) {
        sleeper->intact = sleeper->intact && kept[i] == (char)(i * 7);
    }
    sleeper->task = NULL;
}

static void start(struct sleeper *sleeper)
{
    *sleeper = (struct sleeper){0};
    fy_chan_init(&sleeper->go_on, NULL, 0);
    sleeper->task = check_spawn(rest, sleeper);
    check_settle();
}

/* The scheduler's own look, as soon as it is due. True: the stack is away. */
static bool wait_for_shelf(struct sleeper *sleeper)
{
    if (!sleeper->task->shelvable) {
        return false; /* not in this build */
    }
    while (sleeper->task->shelf == NULL) {
        fy_leave();
        ferry_sleep(20);
        check_enter();
    }
    return true;
}

static void a_stack_comes_back_as_it_was(void)
{
    struct sleeper sleeper;
    check_enter();
    start(&sleeper);
    (void)wait_for_shelf(&sleeper);
    CHECK(fy_chan_try_send(&sleeper.go_on, NULL));
    check_settle();
    CHECK(sleeper.intact);
    CHECK(sleeper.task == NULL);
    fy_leave();
}

static void whoever_is_needed_again_is_left_alone(void)
{
    struct sleeper sleeper;
    check_enter();
    start(&sleeper);
    CHECK(sleeper.task->shelf == NULL);
    fy_chan_close(&sleeper.go_on);
    check_settle();
    CHECK(sleeper.intact);
    /* The look that was arranged finds nobody, and arranges no other. */
    while (fy_sched_running()->shelving.armed) {
        fy_leave();
        ferry_sleep(20);
        check_enter();
    }
    fy_leave();
}

/* Discarded with its thread: nothing is left of it. */
static void *leave_one_behind(void *arg)
{
    check_enter();
    start(arg);
    (void)wait_for_shelf(arg);
    fy_chan_close(&((struct sleeper *)arg)->go_on);
    fy_leave();
    return NULL;
}

static void a_thread_ends_with_a_stack_away(void)
{
    struct sleeper sleeper;
    pthread_t thread;
    CHECK_INT(pthread_create(&thread, NULL, leave_one_behind, &sleeper), 0);
    pthread_join(thread, NULL);
    CHECK(sleeper.intact);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_stack_comes_back_as_it_was),
        TEST(whoever_is_needed_again_is_left_alone),
        TEST(a_thread_ends_with_a_stack_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
