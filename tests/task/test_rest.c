/*
 * Loops: tasks that have a stack only while they have something to do.
 */
#include "checked.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "task/calm.h"
#include "task/chan.h"
#include "task/clock.h"
#include "task/io.h"

/* What the linker's --wrap makes of its name. */
void *__real_mmap(void *place, size_t len, int access, int flags, int fd, off_t offset);
void *__wrap_mmap(void *place, size_t len, int access, int flags, int fd, off_t offset);

static bool no_memory; /* for stacks */
static size_t mapped;  /* for them, so far */

void *__wrap_mmap(void *place, size_t len, int access, int flags, int fd, off_t offset)
{
    if (no_memory) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    mapped += len;
    return __real_mmap(place, len, access, flags, fd, offset);
}

/* A loop that counts what it is sent, until its channel closes. */
struct counter {
    struct fy_chan go_on;
    struct fy_case wait;
    struct fy_task *task;   /* NULL: it is over */
    struct fy_stack *stack; /* of its last turn */
    int turns;
    int received;
    int first;            /* what the first turn sends itself, on its way to rest */
    struct fy_chan *hold; /* received from in each turn, after something has come; NULL: nothing */
};

static enum fy_turn count(void *arg)
{
    struct counter *counter = arg;
    int chosen;
    counter->stack = fy_self()->stack;
    counter->turns++;
    while ((chosen = fy_select_rest(&counter->wait, 1, "resting")) == 0 && counter->wait.ok) {
        counter->received++;
        if (counter->hold != NULL) {
            fy_chan_receive(counter->hold, NULL, "held");
            counter->stack = fy_self()->stack;
        }
    }
    if (chosen == 0) {
        counter->task = NULL;
        return FY_TURN_OVER;
    }
    while (counter->first > 0 && fy_chan_try_send(&counter->go_on, NULL)) {
        counter->first--;
    }
    return FY_TURN_REST;
}

static void start(struct counter *counter)
{
    fy_chan_init(&counter->go_on, NULL, 0);
    counter->wait = (struct fy_case)FY_RECEIVE_FROM(&counter->go_on);
    counter->task = fy_loop_start("counter", count, counter);
    CHECK(counter->task != NULL);
}

static void end(struct counter *counter)
{
    fy_chan_close(&counter->go_on);
    check_settle();
    CHECK(counter->task == NULL);
}

/* Starts many, each of which parks in the midst of a turn once it has been sent something, and goes on
 * when it can receive from hold. */
static void start_holding(struct counter *counters, int count, struct fy_chan *hold)
{
    memset(counters, 0, (size_t)count * sizeof *counters);
    fy_chan_init(hold, NULL, 0);
    for (int i = 0; i < count; i++) {
        counters[i].hold = hold;
        start(&counters[i]);
    }
}

static void send_to_all(struct counter *counters, int count)
{
    for (int i = 0; i < count; i++) {
        CHECK(fy_chan_try_send(&counters[i].go_on, NULL));
    }
    check_settle();
}

static void a_loop_at_rest_has_no_stack(void)
{
    struct counter counter = {0};
    struct fy_sched *sched = check_enter();
    int before = atomic_load(&sched->task_count);
    start(&counter);
    CHECK(counter.task->stack == NULL); /* nor before its first turn */
    check_settle();
    CHECK_INT(counter.turns, 1);
    CHECK(counter.task->stack == NULL);
    CHECK_INT(atomic_load(&sched->task_count), before + 1);
    CHECK(fy_task_is_parked(counter.task));
    CHECK(strcmp(counter.task->on, "chan receive") == 0);
    CHECK(strcmp(counter.task->why, "resting") == 0);
    for (int i = 1; i <= 3; i++) {
        CHECK(fy_chan_try_send(&counter.go_on, NULL));
        CHECK_INT(counter.received, i - 1);
        check_settle();
        CHECK_INT(counter.received, i);
        CHECK_INT(counter.turns, 1 + i);
        CHECK(counter.task->stack == NULL);
    }
    end(&counter);
    CHECK_INT(atomic_load(&sched->task_count), before);
    fy_leave();
}

/* Whoever waits only for a loop's turn lends it a stack: the turn is over when the call returns. */
static void a_turn_on_a_stack_that_is_lent(void)
{
    struct counter counters[2] = {0};
    struct fy_sched *sched = check_enter();
    int before = atomic_load(&sched->task_count);
    start(&counters[0]);
    start(&counters[1]);
    check_settle();
    fy_loop_turn_here(counters[0].task); /* which nobody has woken */
    CHECK_INT(counters[0].turns, 1);
    for (int i = 1; i <= 3; i++) {
        CHECK(fy_chan_try_send(&counters[0].go_on, NULL));
        CHECK(fy_chan_try_send(&counters[1].go_on, NULL));
        fy_loop_turn_here(counters[1].task); /* before the other, whose turn comes as ever */
        CHECK_INT(counters[1].received, i);
        CHECK_INT(counters[0].received, i - 1);
        CHECK(counters[1].stack == fy_self()->stack);
        CHECK(counters[1].task->stack == NULL);
        CHECK(fy_task_is_parked(counters[1].task));
        check_settle();
        CHECK_INT(counters[0].turns, 1 + i);
        CHECK_INT(counters[1].turns, 1 + i);
    }
    fy_chan_close(&counters[1].go_on);
    fy_loop_turn_here(counters[1].task);
    CHECK(counters[1].task == NULL);
    CHECK_INT(atomic_load(&sched->task_count), before + 1);
    end(&counters[0]);
    fy_leave();
}

/* In the midst of a turn it has a stack already. */
static void a_loop_that_is_parked_keeps_its_stack(void)
{
    struct counter counter;
    struct fy_chan hold;
    check_enter();
    start_holding(&counter, 1, &hold);
    check_settle();
    send_to_all(&counter, 1);
    struct fy_stack *own = counter.task->stack;
    CHECK(own != NULL);
    CHECK(fy_chan_try_send(&hold, NULL));
    fy_loop_turn_here(counter.task);
    CHECK_INT(counter.turns, 2);
    CHECK(counter.task->stack == own);
    check_settle();
    CHECK(counter.stack == own);
    CHECK(counter.task->stack == NULL);
    end(&counter);
    fy_leave();
}

/* Woken when it has said what it waits for, and has not returned yet: nothing is lost. */
static void whoever_is_woken_on_the_way_goes_on(void)
{
    struct counter counter = {.first = 1};
    check_enter();
    start(&counter);
    check_settle();
    CHECK_INT(counter.received, 1);
    CHECK_INT(counter.turns, 2);
    CHECK(counter.task->stack == NULL);
    end(&counter);
    fy_leave();
}

static int stacks_of(const struct counter *counters, int count)
{
    int different = 0;
    for (int i = 0; i < count; i++) {
        bool seen = false;
        for (int j = 0; j < i; j++) {
            seen = seen || counters[j].stack == counters[i].stack;
        }
        different += !seen;
    }
    return different;
}

/* However many there are: they take turns on one stack. */
static void a_burst_uses_one_stack(void)
{
    enum { COUNT = 200 };
    static struct counter counters[COUNT];
    memset(counters, 0, sizeof counters);
    check_enter();
    for (int i = 0; i < COUNT; i++) {
        start(&counters[i]);
    }
    check_settle();
    CHECK_INT(stacks_of(counters, COUNT), 1);
    send_to_all(counters, COUNT);
    CHECK_INT(stacks_of(counters, COUNT), 1);
    for (int i = 0; i < COUNT; i++) {
        CHECK_INT(counters[i].received, 1);
        end(&counters[i]);
    }
    fy_leave();
}

/* Who parks in the midst of a turn keeps its stack, and the others have others: more than a stock's. */
static void who_parks_in_its_turn_keeps_its_stack(void)
{
    enum { COUNT = 100 };
    static struct counter counters[COUNT];
    struct fy_chan hold;
    check_enter();
    start_holding(counters, COUNT, &hold);
    for (int round = 0; round < 2; round++) {
        check_settle();
        send_to_all(counters, COUNT);
        for (int i = 0; i < COUNT; i++) {
            CHECK(counters[i].task->stack != NULL);
            CHECK(strcmp(counters[i].task->why, "held") == 0);
        }
        CHECK_INT(stacks_of(counters, COUNT), COUNT);
        for (int i = 0; i < COUNT; i++) {
            CHECK(fy_chan_try_send(&hold, NULL));
        }
        check_settle();
        for (int i = 0; i < COUNT; i++) {
            CHECK(counters[i].task->stack == NULL);
            CHECK_INT(counters[i].received, round + 1);
        }
    }
    for (int i = 0; i < COUNT; i++) {
        end(&counters[i]);
    }
    fy_leave();
}

/* ------------------------------------------------------------------------------- a descriptor */

struct listener {
    struct fy_io io;
    int64_t deadline;
    enum fy_io_result results[3];
    int count;
};

static enum fy_turn listen_thrice(void *arg)
{
    struct listener *listener = arg;
    while (listener->count < 3) {
        enum fy_io_result result =
            fy_io_rest_readable(&listener->io, listener->deadline, "listening");
        if (result == FY_IO_RESTS) {
            return FY_TURN_REST;
        }
        listener->results[listener->count++] = result;
        fy_io_drained(&listener->io);
    }
    return FY_TURN_OVER;
}

static void a_descriptor_is_waited_for_at_rest(void)
{
    struct listener listener = {.deadline = FY_NEVER};
    int ends[2];
    check_enter();
    check_socketpair(ends);
    CHECK_INT(fy_io_open(&listener.io, ends[0]), 0);
    struct fy_task *task = fy_loop_start("listener", listen_thrice, &listener);
    CHECK(task != NULL);
    check_settle();
    CHECK_INT(listener.count, 1); /* the first call finds out */
    CHECK_INT(listener.results[0], FY_IO_READY);
    CHECK(task->stack == NULL);
    CHECK(strcmp(task->on, "IO wait") == 0);
    CHECK(strcmp(task->why, "listening") == 0);
    CHECK_INT(write(ends[1], "x", 1), 1);
    check_settle();
    CHECK_INT(listener.count, 2);
    CHECK_INT(listener.results[1], FY_IO_READY);
    fy_io_close(&listener.io);
    check_settle();
    CHECK_INT(listener.count, 3);
    CHECK_INT(listener.results[2], FY_IO_CLOSED);
    close(ends[1]);
    fy_leave();
}

static void a_rest_may_have_a_deadline(void)
{
    struct listener listener = {.deadline = fy_now()};
    int ends[2];
    check_enter();
    check_socketpair(ends);
    CHECK_INT(fy_io_open(&listener.io, ends[0]), 0);
    fy_io_drained(&listener.io);
    CHECK(fy_loop_start("listener", listen_thrice, &listener) != NULL);
    while (listener.count < 3) {
        check_settle();
    }
    for (int i = 0; i < 3; i++) {
        CHECK_INT(listener.results[i], FY_IO_TIMED_OUT);
    }
    fy_io_close(&listener.io);
    close(ends[1]);
    fy_leave();
}

/* ------------------------------------------------------------------------------ without memory */

/* Each of many loops at rest comes to need a stack of its own, and there is no memory for a new one:
 * they were promised. First of all tests, when there is no stack yet: where nothing was promised no
 * loop can run. */
static void a_promise_is_kept_without_memory(void)
{
    enum { COUNT = 300 };
    const size_t least = (size_t)64 * 1024; /* a stack */
    static struct counter counters[COUNT];
    struct fy_chan hold;
    check_enter();
    start_holding(counters, COUNT, &hold);
    if (!CHECK(mapped >= COUNT * least)) {
        fy_leave();
        return;
    }
    check_settle();
    no_memory = true;
    send_to_all(counters, COUNT);
    CHECK_INT(stacks_of(counters, COUNT), COUNT);
    fy_chan_close(&hold);
    check_settle();
    for (int i = 0; i < COUNT; i++) {
        CHECK_INT(counters[i].received, 1);
        end(&counters[i]);
    }
    no_memory = false;
    fy_leave();
}

/* Where nothing can be promised, no loop is started; those that are there go on. */
static void without_a_promise_no_loop_is_started(void)
{
    enum { COUNT = 1000 };
    static struct counter counters[COUNT];
    int started = 0;
    memset(counters, 0, sizeof counters);
    struct fy_sched *sched = check_enter();
    int before = atomic_load(&sched->task_count);
    no_memory = true;
    for (; started < COUNT; started++) {
        struct counter *counter = &counters[started];
        fy_chan_init(&counter->go_on, NULL, 0);
        counter->wait = (struct fy_case)FY_RECEIVE_FROM(&counter->go_on);
        counter->task = fy_loop_start("counter", count, counter);
        if (counter->task == NULL) {
            CHECK_INT(errno, ENOMEM);
            break;
        }
    }
    CHECK(started < COUNT);
    CHECK_INT(atomic_load(&sched->task_count), before + started);
    check_settle();
    for (int i = 0; i < started; i++) {
        CHECK(fy_chan_try_send(&counters[i].go_on, NULL));
        end(&counters[i]);
        CHECK_INT(counters[i].received, 1);
    }
    no_memory = false;
    fy_leave();
}

static size_t address_space(void)
{
    unsigned long pages = 0;
    FILE *statm = fopen("/proc/self/statm", "r");
    if (statm != NULL) {
        CHECK_INT(fscanf(statm, "%lu", &pages), 1);
        fclose(statm);
    }
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* What was promised to loops that are over is address space no more. */
static void promises_are_given_back(void)
{
    enum { COUNT = 3000 };
    const size_t stack = (size_t)64 * 1024;
    static struct counter counters[COUNT];
    memset(counters, 0, sizeof counters);
    if (check_scale(1, 0) == 0) {
        return; /* a sanitizer's own cannot be told from this */
    }
    check_enter();
    size_t before = address_space();
    for (int i = 0; i < COUNT; i++) {
        start(&counters[i]);
    }
    check_settle();
    CHECK(address_space() > before + COUNT / 2 * stack);
    for (int i = 0; i < COUNT; i++) {
        fy_chan_close(&counters[i].go_on);
    }
    check_settle();
    CHECK(address_space() < before + COUNT / 10 * stack);
    fy_leave();
}

/* ------------------------------------------------------------------------------------ threads */

/* Takes the other thread's loop over while that is out of ferry. */
static void *take_over(void *arg)
{
    struct counter *counter = arg;
    struct fy_sched *there = counter->task->sched;
    fy_sched_lock(there);
    fy_task_detach(counter->task);
    fy_sched_unlock(there);
    struct fy_sched *sched = check_enter();
    fy_task_attach(counter->task);
    CHECK(fy_chan_try_send(&counter->go_on, NULL));
    check_settle();
    CHECK_INT(counter->received, 1);
    CHECK(counter->task->sched == sched);
    CHECK(counter->task->stack == NULL);
    end(counter);
    fy_leave();
    return NULL;
}

static void a_loop_moves_while_it_rests(void)
{
    struct counter counter = {0};
    pthread_t thread;
    check_enter();
    start(&counter);
    check_settle();
    fy_leave();
    CHECK_INT(pthread_create(&thread, NULL, take_over, &counter), 0);
    pthread_join(thread, NULL);
}

/* Discarded with its thread, as every task whose wait has no end. */
static void *leave_one_behind(void *arg)
{
    check_enter();
    start(arg);
    check_settle();
    fy_leave();
    return NULL;
}

static void a_thread_ends_with_a_loop_at_rest(void)
{
    struct counter counter;
    for (int i = 0; i < 3; i++) {
        pthread_t thread;
        counter = (struct counter){0};
        CHECK_INT(pthread_create(&thread, NULL, leave_one_behind, &counter), 0);
        pthread_join(thread, NULL);
        CHECK_INT(counter.turns, 1);
    }
}

/* -------------------------------------------------------------------------------- a calm time */

/* When no loop has had a turn for long, nothing is kept at hand; and the next one finds a stack. */
static void what_is_at_hand_is_given_back(void)
{
    struct counter counter = {0};
    struct fy_sched *sched = check_enter();
    start(&counter);
    check_settle();
    CHECK(sched->stock.count > 0);
    while (fy_timer_armed(&sched->calm)) {
        fy_leave();
        ferry_sleep(1);
        check_enter();
    }
    CHECK_INT(sched->stock.count, 0);
    CHECK(fy_chan_try_send(&counter.go_on, NULL));
    check_settle();
    CHECK_INT(counter.received, 1);
    CHECK(fy_timer_armed(&sched->calm));
    end(&counter);
    fy_leave();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_promise_is_kept_without_memory),
        TEST(a_loop_at_rest_has_no_stack),
        TEST(a_turn_on_a_stack_that_is_lent),
        TEST(a_loop_that_is_parked_keeps_its_stack),
        TEST(whoever_is_woken_on_the_way_goes_on),
        TEST(a_burst_uses_one_stack),
        TEST(who_parks_in_its_turn_keeps_its_stack),
        TEST(a_descriptor_is_waited_for_at_rest),
        TEST(a_rest_may_have_a_deadline),
        TEST(without_a_promise_no_loop_is_started),
        TEST(promises_are_given_back),
        TEST(a_loop_moves_while_it_rests),
        TEST(a_thread_ends_with_a_loop_at_rest),
        TEST(what_is_at_hand_is_given_back),
    };
    fy_calm_after = 50 * FY_MILLISECOND;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
