/*
 * Tasks as a program sees them: starting, groups, sleeping, giving way, counting.
 */
#include "checked.h"

#include <errno.h>
#include <unistd.h>

#include "task/clock.h"
#include "task/io.h"

/* ---------------------------------------------------------------------------- starting */

static int order[64];
static int order_count;

static void note(void *arg)
{
    order[order_count++] = (int)(intptr_t)arg;
}

static void tasks_begin_in_order_once_the_thread_waits(void)
{
    order_count = 0;
    for (intptr_t i = 0; i < 10; i++) {
        CHECK_INT(ferry_go(note, (void *)i), 0);
    }
    CHECK_INT(order_count, 0);
    ferry_yield();
    CHECK_INT(order_count, 10);
    for (int i = 0; i < order_count; i++) {
        CHECK_INT(order[i], i);
    }
}

static void start_another(void *arg)
{
    intptr_t left = (intptr_t)arg;
    note(arg);
    if (left > 0) {
        CHECK_INT(ferry_go(start_another, (void *)(left - 1)), 0);
    }
}

static void a_task_starts_tasks(void)
{
    order_count = 0;
    CHECK_INT(ferry_go(start_another, (void *)5), 0);
    for (int i = 0; i < 100 && order_count < 6; i++) {
        ferry_yield();
    }
    CHECK_INT(order_count, 6);
    CHECK_INT(order[5], 0);
}

static void count_tasks(void *arg)
{
    *(int *)arg = ferry_num_tasks();
}

static void num_tasks_counts_the_thread_and_its_tasks(void)
{
    int before = ferry_num_tasks();
    int inside = 0;
    CHECK(before >= 1);
    CHECK_INT(ferry_go(count_tasks, &inside), 0);
    CHECK_INT(ferry_go(note, 0), 0);
    CHECK_INT(ferry_num_tasks(), before + 2);
    ferry_yield();
    CHECK_INT(inside, before + 2);
    CHECK_INT(ferry_num_tasks(), before);
}

/* ------------------------------------------------------------------------------ groups */

struct shared {
    ferry_group *group;
    int ended;   /* members */
    int waiters; /* that have come back */
    int seen;    /* how many members had ended when the last of them did */
};

static void member(void *arg)
{
    struct shared *shared = arg;
    ferry_yield();
    ferry_sleep(1);
    shared->ended++;
}

static void wait_too(void *arg)
{
    struct shared *shared = arg;
    ferry_group_wait(shared->group);
    CHECK_INT(shared->ended, 3);
    shared->waiters++;
}

static void several_wait_for_a_group(void)
{
    struct shared shared = {.group = ferry_group_new()};
    ferry_group *waiters = ferry_group_new();
    for (int i = 0; i < 3; i++) {
        CHECK_INT(ferry_group_go(shared.group, member, &shared), 0);
        CHECK_INT(ferry_group_go(waiters, wait_too, &shared), 0);
    }
    ferry_group_wait(shared.group);
    CHECK_INT(shared.ended, 3);
    ferry_group_wait(waiters);
    CHECK_INT(shared.waiters, 3);
    ferry_group_wait(shared.group); /* nothing to wait for: returns at once */
    ferry_group_free(shared.group);
    ferry_group_free(waiters);
    ferry_group_free(NULL);
}

struct tree {
    ferry_group *group;
    int depth;
    int *leaves;
};

static void grow(void *arg)
{
    struct tree self = *(struct tree *)arg;
    if (self.depth == 0) {
        ++*self.leaves;
        return;
    }
    struct tree child = {self.group, self.depth - 1, self.leaves};
    CHECK_INT(ferry_group_go(self.group, grow, &child), 0);
    CHECK_INT(ferry_group_go(self.group, grow, &child), 0);
    ferry_yield(); /* both have copied child once this task has its turn again */
    ferry_yield();
}

static void tasks_add_to_their_own_group(void)
{
    int leaves = 0;
    ferry_group *group = ferry_group_new();
    struct tree root = {group, 6, &leaves};
    CHECK_INT(ferry_group_go(group, grow, &root), 0);
    ferry_group_wait(group);
    CHECK_INT(leaves, 64);
    ferry_group_free(group);
}

/* A group that is used again after it was waited for. */
static void a_group_is_used_again(void)
{
    struct shared shared = {.group = ferry_group_new()};
    for (int round = 1; round <= 20; round++) {
        CHECK_INT(ferry_group_go(shared.group, member, &shared), 0);
        ferry_group_wait(shared.group);
        CHECK_INT(shared.ended, round);
    }
    ferry_group_free(shared.group);
}

/* Waited for in a task that is itself a member of another group. */
static void wait_for_inner(void *arg)
{
    struct shared *outer = arg;
    struct shared inner = {.group = ferry_group_new()};
    for (int i = 0; i < 3; i++) {
        CHECK_INT(ferry_group_go(inner.group, member, &inner), 0);
    }
    ferry_group_wait(inner.group);
    ferry_group_free(inner.group);
    CHECK_INT(inner.ended, 3);
    outer->ended++;
}

static void groups_nest(void)
{
    struct shared outer = {.group = ferry_group_new()};
    for (int i = 0; i < 5; i++) {
        CHECK_INT(ferry_group_go(outer.group, wait_for_inner, &outer), 0);
    }
    ferry_group_wait(outer.group);
    CHECK_INT(outer.ended, 5);
    ferry_group_free(outer.group);
}

/* ------------------------------------------------------------------------------ sleeping */

struct sleeper {
    int64_t ms;
    int64_t begun;  /* right before it slept */
    int64_t parked; /* when another task ran after that */
};

static struct sleeper sleepers[40];
static struct sleeper *woken[40];
static int woken_count;

static void sleep_once(void *arg)
{
    struct sleeper *self = arg;
    self->begun = fy_now();
    ferry_sleep(self->ms);
    CHECK(fy_now() >= self->begun + self->ms * FY_MILLISECOND);
    woken[woken_count++] = self;
}

static void note_time(void *arg)
{
    *(int64_t *)arg = fy_now();
}

/* Who must wake first does, however slow the machine: two are compared only when the time at which
 * the one was due lies before the other's without a doubt. */
static void sleepers_wake_in_order(void)
{
    const int count = sizeof sleepers / sizeof sleepers[0];
    uint64_t random = 1;
    ferry_group *group = ferry_group_new();
    woken_count = 0;
    for (int i = 0; i < count; i++) {
        sleepers[i] = (struct sleeper){.ms = 1 + check_random(&random) % 60};
        CHECK_INT(ferry_group_go(group, sleep_once, &sleepers[i]), 0);
        CHECK_INT(ferry_group_go(group, note_time, &sleepers[i].parked), 0);
    }
    ferry_group_wait(group);
    ferry_group_free(group);
    CHECK_INT(woken_count, count);
    for (int i = 0; i < woken_count; i++) {
        for (int j = i + 1; j < woken_count; j++) {
            int64_t not_before = woken[i]->begun + woken[i]->ms * FY_MILLISECOND;
            int64_t at_the_latest = woken[j]->parked + woken[j]->ms * FY_MILLISECOND;
            CHECK(not_before <= at_the_latest);
        }
    }
}

static void the_thread_sleeps_while_tasks_run(void)
{
    struct shared shared = {.group = ferry_group_new()};
    CHECK_INT(ferry_group_go(shared.group, member, &shared), 0);
    while (shared.ended == 0) {
        ferry_sleep(1);
    }
    ferry_group_free(shared.group);
    ferry_sleep(0);
    ferry_sleep(-5);
}

/* ---------------------------------------------------------------------------- giving way */

static int turns[3];

static void take_turns(void *arg)
{
    intptr_t self = (intptr_t)arg;
    for (int i = 0; i < 500; i++) {
        turns[self]++;
        for (int other = 0; other < 3; other++) {
            CHECK(turns[self] - turns[other] <= 1 && turns[other] - turns[self] <= 1);
        }
        ferry_yield();
    }
}

static void yield_is_fair(void)
{
    ferry_group *group = ferry_group_new();
    for (intptr_t i = 0; i < 3; i++) {
        CHECK_INT(ferry_group_go(group, take_turns, (void *)i), 0);
    }
    ferry_group_wait(group);
    ferry_group_free(group);
}

struct busy {
    bool stop;
    int ends[2];
    int read;
};

static void yield_until_stopped(void *arg)
{
    struct busy *busy = arg;
    while (!busy->stop) {
        ferry_yield();
    }
}

static void sleep_then_write(void *arg)
{
    struct busy *busy = arg;
    ferry_sleep(5);
    CHECK_INT(write(busy->ends[1], "x", 1), 1);
}

static void read_then_stop(void *arg)
{
    struct busy *busy = arg;
    struct fy_io io;
    char byte;
    check_enter();
    CHECK_INT(fy_io_open(&io, busy->ends[0]), 0);
    fy_io_drained(&io);
    CHECK_INT(fy_io_wait_readable(&io, FY_NEVER, "waiting for the byte"), FY_IO_READY);
    busy->read = (int)read(io.fd, &byte, 1);
    fy_io_close(&io);
    fy_leave();
    busy->stop = true;
}

/* With one that yields for ever, then with a crowd: neither timers nor descriptors wait for an end
 * that does not come. */
static void yielding_starves_neither_timers_nor_descriptors(void)
{
    for (int crowd = 1; crowd <= 100; crowd += 99) {
        struct busy busy = {0};
        check_socketpair(busy.ends);
        ferry_group *group = ferry_group_new();
        for (int i = 0; i < crowd; i++) {
            CHECK_INT(ferry_group_go(group, yield_until_stopped, &busy), 0);
        }
        CHECK_INT(ferry_group_go(group, read_then_stop, &busy), 0);
        CHECK_INT(ferry_group_go(group, sleep_then_write, &busy), 0);
        ferry_group_wait(group);
        ferry_group_free(group);
        CHECK_INT(busy.read, 1);
        close(busy.ends[1]);
    }
}

/* --------------------------------------------------------------------- parking and waking */

static struct fy_task *parked;
static int went_on;

static void park_three_times(void *arg)
{
    (void)arg;
    for (int i = 0; i < 3; i++) {
        fy_park("a test", "waiting for a test");
        went_on++;
    }
}

static void a_wake_is_neither_lost_nor_doubled(void)
{
    check_enter();
    went_on = 0;
    parked = check_spawn(park_three_times, NULL);
    check_settle();
    CHECK_INT(went_on, 0);
    CHECK(parked->why != NULL);
    fy_wake(parked);
    fy_wake(parked); /* two before it runs are one */
    check_settle();
    CHECK_INT(went_on, 1);
    fy_wake(parked);
    check_settle();
    CHECK_INT(went_on, 2);
    fy_wake(parked);
    check_settle();
    CHECK_INT(went_on, 3);

    fy_wake(fy_self()); /* before it parks: then it does not */
    fy_park("a test", "a wake that has come already");
    CHECK(fy_list_empty(&fy_self()->ready));
    fy_leave();
}

/* As there is none where ferry_group_new() had no memory. */
static void no_group(void)
{
    errno = 0;
    CHECK_INT(ferry_group_go(NULL, note, 0), -1);
    CHECK_INT(errno, EINVAL);
    ferry_group_wait(NULL);
    ferry_group_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(tasks_begin_in_order_once_the_thread_waits),
        TEST(a_task_starts_tasks),
        TEST(num_tasks_counts_the_thread_and_its_tasks),
        TEST(several_wait_for_a_group),
        TEST(tasks_add_to_their_own_group),
        TEST(a_group_is_used_again),
        TEST(groups_nest),
        TEST(no_group),
        TEST(sleepers_wake_in_order),
        TEST(the_thread_sleeps_while_tasks_run),
        TEST(yield_is_fair),
        TEST(yielding_starves_neither_timers_nor_descriptors),
        TEST(a_wake_is_neither_lost_nor_doubled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
