/*
 * Several threads: each with a scheduler of its own, groups and posts between them, and what a
 * thread leaves behind when it ends.
 */
#include "checked.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "process.h"
#include "task/chan.h"
#include "task/clock.h"
#include "task/context.h"

#define THREADS 4

static void run_threads(int count, void *(*run)(void *arg), void *arg)
{
    pthread_t threads[16];
    for (int i = 0; i < count; i++) {
        CHECK_INT(pthread_create(&threads[i], NULL, run, arg), 0);
    }
    for (int i = 0; i < count; i++) {
        CHECK_INT(pthread_join(threads[i], NULL), 0);
    }
}

/* ------------------------------------------------------------------------- each with its own */

struct own {
    pthread_t thread;
    int sum;
};

static void add_slowly(void *arg)
{
    struct own *own = arg;
    for (int i = 0; i < 20; i++) {
        CHECK(pthread_equal(pthread_self(), own->thread));
        own->sum++;
        if (i % 5 == 0) {
            ferry_sleep(1);
        } else {
            ferry_yield();
        }
    }
}

static void *run_own_tasks(void *arg)
{
    (void)arg;
    struct own own = {.thread = pthread_self()};
    ferry_group *group = ferry_group_new();
    for (int i = 0; i < 50; i++) {
        CHECK_INT(ferry_group_go(group, add_slowly, &own), 0);
    }
    CHECK(ferry_num_tasks() >= 51);
    ferry_group_wait(group);
    ferry_group_free(group);
    CHECK_INT(own.sum, 1000);
    return NULL;
}

static void threads_run_their_own_tasks(void)
{
    int tasks = ferry_num_tasks();
    run_threads(THREADS, run_own_tasks, NULL);
    CHECK_INT(ferry_num_tasks(), tasks);
}

static void schedulers_are_used_again(void)
{
    run_threads(THREADS, run_own_tasks, NULL);
    int descriptors = process_descriptors();
    for (int i = 0; i < 10; i++) {
        run_threads(THREADS, run_own_tasks, NULL);
    }
    CHECK_INT(process_descriptors(), descriptors);
}

/* ----------------------------------------------------------------------- groups across threads */

struct across {
    ferry_group *group;
    atomic_int ended;
    atomic_int waited;
    pthread_barrier_t all_started;
    int expected;
};

static void take_part(void *arg)
{
    struct across *across = arg;
    ferry_yield();
    ferry_sleep(1);
    atomic_fetch_add(&across->ended, 1);
}

static void *add_to_group(void *arg)
{
    struct across *across = arg;
    for (int i = 0; i < 10; i++) {
        CHECK_INT(ferry_group_go(across->group, take_part, across), 0);
    }
    pthread_barrier_wait(&across->all_started);
    ferry_group_wait(across->group);
    CHECK_INT(atomic_load(&across->ended), across->expected);
    atomic_fetch_add(&across->waited, 1);
    return NULL;
}

static void a_group_spans_threads(void)
{
    for (int round = 0; round < 20; round++) {
        struct across across = {.group = ferry_group_new(), .expected = THREADS * 10};
        pthread_barrier_init(&across.all_started, NULL, THREADS);
        run_threads(THREADS, add_to_group, &across);
        CHECK_INT(atomic_load(&across.waited), THREADS);
        pthread_barrier_destroy(&across.all_started);
        ferry_group_free(across.group);
    }
}

struct handed {
    ferry_group *group;
    pthread_barrier_t started;
};

static void end_later(void *arg)
{
    (void)arg;
    ferry_sleep(2);
}

static void *run_the_member(void *arg)
{
    struct handed *handed = arg;
    CHECK_INT(ferry_group_go(handed->group, end_later, NULL), 0);
    pthread_barrier_wait(&handed->started);
    ferry_sleep(5); /* its member runs meanwhile; the group may be gone by the end of that */
    return NULL;
}

/* The one that waits frees the group at once, while the thread that ended it is still on its way
 * out. */
static void a_group_is_freed_by_who_waited(void)
{
    for (int round = 0; round < 20; round++) {
        struct handed handed = {.group = ferry_group_new()};
        pthread_t thread;
        pthread_barrier_init(&handed.started, NULL, 2);
        CHECK_INT(pthread_create(&thread, NULL, run_the_member, &handed), 0);
        pthread_barrier_wait(&handed.started);
        ferry_group_wait(handed.group);
        ferry_group_free(handed.group);
        CHECK_INT(pthread_join(thread, NULL), 0);
        pthread_barrier_destroy(&handed.started);
    }
}

/* --------------------------------------------------------------------------------------- posts */

struct letter {
    struct fy_post post;
    struct fy_task *task;
    int *count;
};

struct mailbox {
    struct fy_sched *sched;
    struct fy_task *task;
    int received;
    atomic_int threads;
};

static struct letter letters[THREADS][200];

static void receive(struct fy_post *post)
{
    struct letter *letter = FY_CONTAINER(post, struct letter, post);
    ++*letter->count;
    fy_wake(letter->task);
}

static void *send_letters(void *arg)
{
    struct mailbox *mailbox = arg;
    int self = atomic_fetch_add(&mailbox->threads, 1);
    for (int i = 0; i < 200; i++) {
        struct letter *letter = &letters[self][i];
        *letter = (struct letter){
            .post.run = receive, .task = mailbox->task, .count = &mailbox->received};
        fy_sched_post(mailbox->sched, &letter->post);
    }
    return NULL;
}

/* From threads that have no scheduler of their own; each post is run, and none twice. */
static void posts_reach_a_sleeping_scheduler(void)
{
    struct mailbox mailbox = {.received = 0};
    pthread_t threads[THREADS];
    mailbox.sched = check_enter();
    mailbox.task = fy_self();
    for (int i = 0; i < THREADS; i++) {
        CHECK_INT(pthread_create(&threads[i], NULL, send_letters, &mailbox), 0);
    }
    while (mailbox.received < THREADS * 200) {
        fy_park("a test", "waiting for letters");
    }
    fy_leave();
    for (int i = 0; i < THREADS; i++) {
        CHECK_INT(pthread_join(threads[i], NULL), 0);
    }
    CHECK_INT(mailbox.received, THREADS * 200);
}

/* ------------------------------------------------------------------------- a thread that ends */

static atomic_int ran; /* tasks that were let go on after their thread had ended, or too early */

static void park_for_ever(void *arg)
{
    (void)arg;
    check_enter();
    fy_park("a test", "waiting for what never comes");
    fy_leave();
    atomic_fetch_add(&ran, 1);
}

static void sleep_for_long(void *arg)
{
    (void)arg;
    ferry_sleep(1000000);
    atomic_fetch_add(&ran, 1);
}

static void never_begun(void *arg)
{
    (void)arg;
    atomic_fetch_add(&ran, 1);
}

static void *leave_users_tasks(void *arg)
{
    ferry_group *group = arg;
    for (int i = 0; i < 10; i++) {
        CHECK_INT(ferry_go(park_for_ever, NULL), 0);
        CHECK_INT(ferry_go(sleep_for_long, NULL), 0);
    }
    ferry_yield();
    CHECK_INT(ferry_go(never_begun, NULL), 0);
    if (group != NULL) {
        CHECK_INT(ferry_group_go(group, never_begun, NULL), 0);
    }
    return NULL;
}

static void users_tasks_are_discarded(void)
{
    run_threads(1, leave_users_tasks, NULL);
    int tasks = ferry_num_tasks();
    int descriptors = process_descriptors();
    atomic_store(&ran, 0);
    for (int i = 0; i < 20; i++) {
        run_threads(1, leave_users_tasks, NULL);
        run_threads(1, run_own_tasks, NULL); /* on the same scheduler, now clean */
    }
    CHECK_INT(atomic_load(&ran), 0);
    CHECK_INT(ferry_num_tasks(), tasks);
    CHECK_INT(process_descriptors(), descriptors);
}

/* A group outlives the thread whose tasks it counted: they are discarded, so they count no more. */
static void discarded_tasks_leave_their_group(void)
{
    ferry_group *group = ferry_group_new();
    atomic_store(&ran, 0);
    run_threads(1, leave_users_tasks, group);
    ferry_group_wait(group);
    ferry_group_free(group);
    CHECK_INT(atomic_load(&ran), 0);
}

/* What a connection is to its thread: two tasks of the library, which end when it is closed. */
struct connection {
    struct fy_chan closed, handed;
    struct fy_exit_hook exit;
    int loops_ended;
};

static void close_connection(struct fy_exit_hook *hook)
{
    fy_chan_close(&FY_CONTAINER(hook, struct connection, exit)->closed);
}

static const struct fy_exit_kind open_connection = {.run = close_connection};

static void first_loop(void *arg)
{
    struct connection *connection = arg;
    fy_chan_receive(&connection->closed, NULL, "waiting for the end");
    fy_chan_send(&connection->handed, NULL, "telling the other loop");
    connection->loops_ended++;
}

static void second_loop(void *arg)
{
    struct connection *connection = arg;
    fy_chan_receive(&connection->handed, NULL, "waiting for the other loop");
    connection->loops_ended++;
}

static void *leave_connection(void *arg)
{
    struct connection *connection = arg;
    struct fy_sched *sched = check_enter();
    fy_chan_init(&connection->closed, NULL, 0);
    fy_chan_init(&connection->handed, NULL, 0);
    connection->exit.kind = &open_connection;
    fy_list_push_front(&sched->exit_hooks, &connection->exit.link);
    check_spawn(second_loop, connection);
    check_spawn(first_loop, connection);
    fy_leave();
    CHECK_INT(ferry_go(park_for_ever, NULL), 0);
    ferry_yield();
    return NULL;
}

static void library_tasks_run_to_their_end(void)
{
    int tasks = ferry_num_tasks();
    for (int i = 0; i < 10; i++) {
        struct connection connection = {.loops_ended = 0};
        run_threads(1, leave_connection, &connection);
        CHECK_INT(connection.loops_ended, 2);
    }
    CHECK_INT(ferry_num_tasks(), tasks);
}

/* Settled too late, and gone in the same moment. */
static bool settle_and_vanish(struct fy_exit_hook *hook, int64_t deadline)
{
    (void)deadline;
    fy_list_remove(&hook->link);
    memset(hook, 0, sizeof *hook);
    return false;
}

static bool settles(const struct fy_exit_hook *hook)
{
    (void)hook;
    return true;
}

static const struct fy_exit_kind unsettled = {.settle = settle_and_vanish, .settles = settles};

static void *leave_unsettled(void *arg)
{
    struct fy_exit_hook *hook = arg;
    struct fy_sched *sched = check_enter();
    hook->kind = &unsettled;
    fy_list_push_front(&sched->exit_hooks, &hook->link);
    fy_leave();
    return NULL;
}

static void what_settles_too_late_is_not_touched_again(void)
{
    struct fy_exit_hook hook;
    run_threads(1, leave_unsettled, &hook);
    CHECK(hook.kind == NULL);
}

static void sleep_until_due(void *arg)
{
    (void)arg;
    ferry_sleep(1);
    atomic_fetch_add(&ran, 1);
}

static void end_slowly(void *arg)
{
    struct connection *connection = arg;
    fy_chan_receive(&connection->closed, NULL, "waiting for the end");
    usleep(3000);
    /* Parks until the next look at the timers, which finds the user's task due as well. */
    CHECK_INT(fy_select(NULL, 0, fy_now(), "waiting a moment"), FY_SELECT_TIMED_OUT);
    connection->loops_ended++;
}

static void *leave_both(void *arg)
{
    struct connection *connection = arg;
    struct fy_sched *sched = check_enter();
    fy_chan_init(&connection->closed, NULL, 0);
    connection->exit.kind = &open_connection;
    fy_list_push_front(&sched->exit_hooks, &connection->exit.link);
    check_spawn(end_slowly, connection);
    fy_leave();
    CHECK_INT(ferry_go(sleep_until_due, NULL), 0);
    ferry_yield();
    return NULL;
}

/* While the library's tasks end, a user's task comes due: it is not let go on. */
static void users_tasks_do_not_run_in_a_thread_that_ends(void)
{
    struct connection connection = {.loops_ended = 0};
    atomic_store(&ran, 0);
    run_threads(1, leave_both, &connection);
    CHECK_INT(connection.loops_ended, 1);
    CHECK_INT(atomic_load(&ran), 0);
}

/* A task that waits for a group is discarded with its thread, before the group's last task ends. */
static void wait_in_task(void *arg)
{
    ferry_group_wait(arg);
    atomic_fetch_add(&ran, 1);
}

static void *leave_waiter(void *arg)
{
    CHECK_INT(ferry_go(wait_in_task, arg), 0);
    ferry_yield();
    return NULL;
}

static void a_waiter_is_discarded(void)
{
    atomic_store(&ran, 0);
    for (int i = 0; i < 50; i++) {
        ferry_group *group = ferry_group_new();
        pthread_t thread;
        CHECK_INT(ferry_group_go(group, end_later, NULL), 0);
        CHECK_INT(pthread_create(&thread, NULL, leave_waiter, group), 0);
        if (i % 2 == 0) {
            ferry_group_wait(group); /* ends it while the thread may be ending, too */
            CHECK_INT(pthread_join(thread, NULL), 0);
        } else {
            CHECK_INT(pthread_join(thread, NULL), 0);
            ferry_group_wait(group);
        }
        ferry_group_free(group);
    }
}

/* The last member is discarded with the very thread on which a task waits for it: the word to that
 * task must not be left lying for the thread which has the scheduler next. */
struct last {
    ferry_group *group;
    pthread_barrier_t step;
    bool ended; /* the member on the first thread */
};

static void end_first(void *arg)
{
    struct last *last = arg;
    ferry_sleep(1);
    last->ended = true;
}

static void *leave_waiter_and_member(void *arg)
{
    struct last *last = arg;
    CHECK_INT(ferry_go(wait_in_task, last->group), 0);
    ferry_yield();
    CHECK_INT(ferry_group_go(last->group, park_for_ever, NULL), 0);
    ferry_yield();
    pthread_barrier_wait(&last->step);
    pthread_barrier_wait(&last->step);
    return NULL;
}

/* Leaves nothing as it was on a stack that is used again. */
static void scribble(void *arg)
{
    volatile char stack[8000];
    (void)arg;
    for (size_t i = 0; i < sizeof stack; i++) {
        stack[i] = 1;
    }
}

/* And has its scheduler look at what was posted to it. */
static void *scribble_and_poke(void *arg)
{
    (void)arg;
    ferry_context *context = ferry_context_new(-1);
    for (int i = 0; i < 100; i++) {
        CHECK_INT(ferry_go(scribble, NULL), 0);
    }
    ferry_yield();
    ferry_context_cancel(context);
    ferry_yield();
    ferry_context_free(context);
    return NULL;
}

static void a_waiter_is_discarded_with_the_last_member(void)
{
    struct last last = {.group = ferry_group_new()};
    pthread_t thread;
    atomic_store(&ran, 0);
    pthread_barrier_init(&last.step, NULL, 2);
    CHECK_INT(ferry_group_go(last.group, end_first, &last), 0);
    CHECK_INT(pthread_create(&thread, NULL, leave_waiter_and_member, &last), 0);
    pthread_barrier_wait(&last.step);
    while (!last.ended) {
        ferry_sleep(1);
    }
    pthread_barrier_wait(&last.step);
    CHECK_INT(pthread_join(thread, NULL), 0);
    run_threads(1, scribble_and_poke, NULL);
    ferry_group_wait(last.group);
    ferry_group_free(last.group);
    pthread_barrier_destroy(&last.step);
    CHECK_INT(atomic_load(&ran), 0);
}

/* A request whose task is discarded lets go of its context (seen by the leak checkers). */
static void watch_context(void *arg)
{
    struct fy_cancel cancel;
    check_enter();
    fy_cancel_begin(&cancel, arg, FY_NEVER, "");
    fy_chan_receive(&cancel.done, NULL, "waiting for the context");
    fy_cancel_end(&cancel);
    fy_leave();
    atomic_fetch_add(&ran, 1);
}

static void *leave_context(void *arg)
{
    CHECK_INT(ferry_go(watch_context, arg), 0);
    ferry_yield();
    return NULL;
}

static void contexts_are_let_go(void)
{
    ferry_context *context = ferry_context_new(-1);
    atomic_store(&ran, 0);
    run_threads(1, leave_context, context);
    ferry_context_cancel(context);
    ferry_yield();
    ferry_context_free(context);
    CHECK_INT(atomic_load(&ran), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(threads_run_their_own_tasks),
        TEST(schedulers_are_used_again),
        TEST(a_group_spans_threads),
        TEST(a_group_is_freed_by_who_waited),
        TEST(posts_reach_a_sleeping_scheduler),
        TEST(users_tasks_are_discarded),
        TEST(discarded_tasks_leave_their_group),
        TEST(library_tasks_run_to_their_end),
        TEST(what_settles_too_late_is_not_touched_again),
        TEST(users_tasks_do_not_run_in_a_thread_that_ends),
        TEST(a_waiter_is_discarded),
        TEST(a_waiter_is_discarded_with_the_last_member),
        TEST(contexts_are_let_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
