/*
 * Contexts: cancelled from the same thread, from another, from a signal handler; deadlines; freed
 * while something still watches them.
 */
#include "checked.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "task/chan.h"
#include "task/clock.h"
#include "task/context.h"

/* A task that waits until its context, or its own deadline, ends what it does. */
struct watch {
    ferry_context *context;
    int64_t deadline;
    bool begun, over;
    int code;
    ferry_error error;
};

static void watch_context(void *arg)
{
    struct watch *watch = arg;
    struct fy_cancel cancel;
    check_enter();
    fy_cancel_begin(&cancel, watch->context, watch->deadline, "test deadline");
    watch->begun = true;
    fy_chan_receive(&cancel.done, NULL, "waiting for the context");
    watch->code = cancel.code;
    fy_cancel_error(&cancel, &watch->error);
    fy_cancel_end(&cancel);
    watch->over = true;
    fy_leave();
}

static struct watch watching(ferry_context *context)
{
    return (struct watch){.context = context, .deadline = FY_NEVER};
}

static void start(struct watch *watch)
{
    CHECK_INT(ferry_go(watch_context, watch), 0);
    ferry_yield();
    CHECK(watch->begun);
}

/* --------------------------------------------------------------------------------- one thread */

static void a_cancel_ends_who_watches(void)
{
    ferry_context *context = ferry_context_new(-1);
    ferry_context *other = ferry_context_new(-1);
    struct watch watches[] = {watching(context), watching(context), watching(other),
                              watching(NULL)};
    watches[3].deadline = fy_after_ms(3);
    for (int i = 0; i < 4; i++) {
        start(&watches[i]);
    }
    CHECK_INT(ferry_context_error(context), 0);
    ferry_context_cancel(context);
    ferry_context_cancel(context); /* again: nothing more */
    CHECK_INT(ferry_context_error(context), FERRY_ECANCELED);
    CHECK_INT(ferry_context_error(other), 0);
    while (!watches[0].over || !watches[1].over || !watches[3].over) {
        ferry_sleep(1);
    }
    CHECK(!watches[2].over);
    CHECK_INT(watches[0].code, FERRY_ECANCELED);
    CHECK_INT(watches[0].error.code, FERRY_ECANCELED);
    CHECK(strcmp(watches[0].error.message, "request canceled") == 0);
    CHECK_INT(watches[3].code, FERRY_ETIMEOUT);
    CHECK(strcmp(watches[3].error.message, "test deadline exceeded") == 0);
    ferry_context_cancel(other);
    while (!watches[2].over) {
        ferry_yield();
    }
    ferry_context_free(context);
    ferry_context_free(other);
}

static void a_cancel_comes_before_the_beginning(void)
{
    ferry_context *context = ferry_context_new(-1);
    struct watch watch = watching(context);
    ferry_context_cancel(context);
    start(&watch);
    CHECK(watch.over); /* it had ended at once */
    CHECK_INT(watch.code, FERRY_ECANCELED);
    ferry_context_free(context);
}

static void a_null_context_is_fine(void)
{
    ferry_context_cancel(NULL);
    ferry_context_free(NULL);
    CHECK_INT(ferry_context_error(NULL), 0);
}

static void a_context_has_a_deadline(void)
{
    ferry_context *context = ferry_context_new(5);
    struct watch watch = watching(context);
    watch.deadline = fy_after_ms(1000000);
    start(&watch);
    while (!watch.over) {
        ferry_sleep(1);
    }
    CHECK_INT(watch.code, FERRY_ETIMEOUT);
    CHECK(strcmp(watch.error.message, "context deadline exceeded") == 0);
    CHECK_INT(ferry_context_error(context), FERRY_ETIMEOUT);

    struct watch late = watching(context);
    start(&late);
    CHECK(late.over);
    CHECK_INT(late.code, FERRY_ETIMEOUT);
    ferry_context_free(context);
}

static void a_cancel_wins_over_a_deadline_to_come(void)
{
    ferry_context *context = ferry_context_new(1000000);
    struct watch watch = watching(context);
    start(&watch);
    ferry_context_cancel(context);
    while (!watch.over) {
        ferry_yield();
    }
    CHECK_INT(watch.code, FERRY_ECANCELED);
    CHECK_INT(ferry_context_error(context), FERRY_ECANCELED);
    CHECK(fy_sched_running()->timers.first == NULL);
    ferry_context_free(context);
}

static void a_negative_time_is_none(void)
{
    ferry_context *context = ferry_context_new(-1);
    struct fy_cancel cancel;
    check_enter();
    fy_cancel_begin(&cancel, context, FY_NEVER, "");
    CHECK(!fy_timer_armed(&cancel.timer));
    fy_cancel_end(&cancel);
    int64_t deadline = fy_after_ms(1000000);
    fy_cancel_begin(&cancel, context, deadline, "");
    CHECK(fy_timer_armed(&cancel.timer));
    CHECK_INT(cancel.timer.when, deadline);
    CHECK_INT(cancel.code, 0);
    fy_cancel_end(&cancel);
    fy_leave();
    ferry_context_free(context);
}

static void it_can_be_ended_by_hand(void)
{
    struct fy_cancel cancel;
    check_enter();
    fy_cancel_begin(&cancel, NULL, fy_after_ms(1000000), "");
    fy_cancel_now(&cancel, FERRY_ETIMEOUT);
    fy_cancel_now(&cancel, FERRY_ECANCELED); /* the first reason stays */
    CHECK_INT(cancel.code, FERRY_ETIMEOUT);
    CHECK(!fy_chan_receive(&cancel.done, NULL, ""));
    CHECK(fy_sched_running()->timers.first == NULL);
    fy_cancel_end(&cancel);
    fy_cancel_end(&cancel); /* again: nothing happens */
    fy_leave();
}

/* Its maker is done with it; who watches still has it. */
static void a_context_is_freed_while_in_use(void)
{
    ferry_context *context = ferry_context_new(5);
    struct watch watch = watching(context);
    start(&watch);
    ferry_context_free(context);
    while (!watch.over) {
        ferry_sleep(1);
    }
    CHECK_INT(watch.code, FERRY_ETIMEOUT);

    ferry_context *cancelled = ferry_context_new(-1);
    struct watch other = watching(cancelled);
    start(&other);
    ferry_context_cancel(cancelled);
    ferry_context_free(cancelled); /* before the scheduler has looked */
    while (!other.over) {
        ferry_yield();
    }
    CHECK_INT(other.code, FERRY_ECANCELED);
}

/* ----------------------------------------------------------------------------- between threads */

#define THREADS 4

struct crowd {
    ferry_context *context;
    pthread_barrier_t watching;
};

/* The thread itself is parked on done, asleep in its poller when the cancel comes. */
static void *watch_on_thread(void *arg)
{
    struct crowd *crowd = arg;
    struct watch in_task = watching(crowd->context);
    struct watch on_thread = watching(crowd->context);
    start(&in_task);
    pthread_barrier_wait(&crowd->watching);
    watch_context(&on_thread);
    CHECK_INT(on_thread.code, FERRY_ECANCELED);
    while (!in_task.over) {
        ferry_yield();
    }
    CHECK_INT(in_task.code, FERRY_ECANCELED);
    return NULL;
}

static void a_cancel_reaches_every_thread(void)
{
    for (int round = 0; round < 20; round++) {
        struct crowd crowd = {.context = ferry_context_new(-1)};
        pthread_t threads[THREADS];
        pthread_barrier_init(&crowd.watching, NULL, THREADS + 1);
        for (int i = 0; i < THREADS; i++) {
            CHECK_INT(pthread_create(&threads[i], NULL, watch_on_thread, &crowd), 0);
        }
        pthread_barrier_wait(&crowd.watching);
        if (round % 2 == 0) {
            usleep(1000); /* likely asleep, else likely not yet */
        }
        ferry_context_cancel(crowd.context);
        for (int i = 0; i < THREADS; i++) {
            CHECK_INT(pthread_join(threads[i], NULL), 0);
        }
        pthread_barrier_destroy(&crowd.watching);
        ferry_context_free(crowd.context);
    }
}

struct race {
    pthread_barrier_t step;
    _Atomic(ferry_context *) context;
};

static void *cancel_each(void *arg)
{
    struct race *race = arg;
    for (;;) {
        pthread_barrier_wait(&race->step);
        ferry_context *context = atomic_load(&race->context);
        if (context == NULL) {
            return NULL;
        }
        ferry_context_cancel(context);
        pthread_barrier_wait(&race->step);
    }
}

/* Beginning and cancelling at the same time: whichever comes first, it ends. */
static void a_cancel_races_the_beginning(void)
{
    struct race race = {.context = NULL};
    pthread_t thread;
    pthread_barrier_init(&race.step, NULL, 2);
    CHECK_INT(pthread_create(&thread, NULL, cancel_each, &race), 0);
    for (int i = 0; i < check_scale(1000, 100); i++) {
        ferry_context *context = ferry_context_new(-1);
        atomic_store(&race.context, context);
        struct watch watch = watching(context);
        pthread_barrier_wait(&race.step);
        watch_context(&watch);
        CHECK_INT(watch.code, FERRY_ECANCELED);
        pthread_barrier_wait(&race.step);
        ferry_context_free(context);
    }
    atomic_store(&race.context, NULL);
    pthread_barrier_wait(&race.step);
    CHECK_INT(pthread_join(thread, NULL), 0);
    pthread_barrier_destroy(&race.step);
}

/* ------------------------------------------------------------------------------- from a signal */

static _Atomic(ferry_context *) to_cancel;
static atomic_int signals;

static void cancel_in_handler(int number)
{
    (void)number;
    ferry_context_cancel(atomic_load(&to_cancel));
    atomic_fetch_add(&signals, 1);
}

static void handle_signal(ferry_context *context)
{
    struct sigaction action = {.sa_handler = cancel_in_handler};
    atomic_store(&to_cancel, context);
    atomic_store(&signals, 0);
    sigaction(SIGUSR1, &action, NULL);
}

static void raise_inside_ferry(void *arg)
{
    (void)arg;
    check_enter();
    raise(SIGUSR1); /* with the scheduler locked: the handler must not want it */
    fy_leave();
}

static void a_signal_handler_cancels_at_any_point(void)
{
    ferry_context *context = ferry_context_new(-1);
    struct watch watch = watching(context);
    handle_signal(context);
    start(&watch);
    CHECK_INT(ferry_go(raise_inside_ferry, NULL), 0);
    while (!watch.over) {
        ferry_sleep(1);
    }
    CHECK_INT(atomic_load(&signals), 1);
    CHECK_INT(watch.code, FERRY_ECANCELED);
    ferry_context_free(context);
}

struct target {
    pthread_t thread;
    atomic_bool done;
};

static void *send_signals(void *arg)
{
    struct target *target = arg;
    while (!atomic_load(&target->done)) {
        usleep(500);
        pthread_kill(target->thread, SIGUSR1);
    }
    return NULL;
}

/* The thread sleeps, in ferry_sleep and parked on done in turn, and the signal comes to it. */
static void a_signal_handler_cancels_a_sleeping_thread(void)
{
    for (int round = 0; round < 20; round++) {
        ferry_context *context = ferry_context_new(-1);
        struct watch watch = watching(context);
        struct target target = {.thread = pthread_self()};
        pthread_t thread;
        handle_signal(context);
        if (round % 2 == 0) {
            start(&watch);
        }
        CHECK_INT(pthread_create(&thread, NULL, send_signals, &target), 0);
        if (round % 2 == 0) {
            while (!watch.over) {
                ferry_sleep(50);
            }
        } else {
            watch_context(&watch);
        }
        atomic_store(&target.done, true);
        CHECK_INT(pthread_join(thread, NULL), 0);
        CHECK_INT(watch.code, FERRY_ECANCELED);
        CHECK(atomic_load(&signals) >= 1);
        atomic_store(&to_cancel, NULL);
        ferry_context_free(context);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_cancel_ends_who_watches),
        TEST(a_cancel_comes_before_the_beginning),
        TEST(a_null_context_is_fine),
        TEST(a_context_has_a_deadline),
        TEST(a_cancel_wins_over_a_deadline_to_come),
        TEST(a_negative_time_is_none),
        TEST(it_can_be_ended_by_hand),
        TEST(a_context_is_freed_while_in_use),
        TEST(a_cancel_reaches_every_thread),
        TEST(a_cancel_races_the_beginning),
        TEST(a_signal_handler_cancels_at_any_point),
        TEST(a_signal_handler_cancels_a_sleeping_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
