/*
 * Switching from task to task. A task that parks picks the next one that is ready and switches
 * straight to it. When none is ready it switches to the root, and only the root, on its thread's
 * own stack, sleeps in the poller: so a parked task is truly parked, and whoever holds the lock may
 * take it elsewhere.
 *
 * A loop has a stack only during its turn. When that is over and the next one that is ready is a loop
 * as well, its turn is a plain call on the same stack; else the stack goes into the stock, or back. A
 * task that waits for nothing but a loop's turn can lend it its own.
 */
#include "task/sched.h"

#include <stdlib.h>

#include "base/errno.h"
#include "base/slab.h"
#include "task/calm.h"
#include "task/exceptions.h"
#include "task/poll.h"
#include "task/thread.h"

/* So many hand-overs in a row, then it is the turn of whoever is first in the queue: a request's way
 * from its response to the next request takes three. */
#define HEIRS_IN_A_ROW 8

/* A queue that never runs dry is interrupted this often for a look at the descriptors: some sixty small
 * requests. Looked at more often, each look finds less, and the server is woken for less. */
#define PICKS_PER_POLL 256

FY_SLAB_STATIC(tasks, sizeof(struct fy_task), FY_SLAB_CHUNK)

/* The stack that was left for good, and the task that has ended on it, can go now. */
static void bury(struct fy_sched *sched)
{
    struct fy_stack *stack = sched->left;
    struct fy_task *task = sched->over;
    sched->left = NULL;
    sched->over = NULL;
    fy_sanitizer_end(&stack->sanitizer);
    if (task != NULL) {
        fy_stack_free(stack);
        fy_slab_give(&tasks, task);
    } else {
        fy_stack_give(stack);
    }
}

static void arrived(struct fy_sched *sched, struct fy_stack *stack)
{
    fy_sanitizer_arrive(&stack->sanitizer, &sched->previous->sanitizer);
    if (sched->left != NULL) {
        bury(sched);
    }
}

static void take_turns(void *arg);

/* Leaves a stack, with the place to go on in *stopped, for the next task's. */
static void leave(struct fy_sched *sched, struct fy_stack *stack, fy_stopped *stopped,
                  struct fy_task *next)
{
    struct fy_stack *to = next->stack;
    fy_stopped there = next->stopped;
    if (to == NULL) {
        to = fy_stock_take(&sched->stock, take_turns);
        there = to->stopped;
    }
    sched->previous = stack;
    sched->current = next;
    fy_sanitizer_leave(sched->left == stack ? NULL : &stack->sanitizer, &to->sanitizer);
    fy_switch(stopped, there);
}

static void switch_stacks(struct fy_sched *sched, struct fy_task *next)
{
    struct fy_task *self = sched->current;
    leave(sched, self->stack, &self->stopped, next);
    arrived(self->sched, self->stack);
}

static __attribute__((noinline)) void switch_with_exceptions(struct fy_sched *sched,
                                                             struct fy_task *next)
{
    struct fy_exceptions held = fy_exceptions_take();
    switch_stacks(sched, next);
    fy_exceptions_put_back(&held);
}

static void switch_to(struct fy_sched *sched, struct fy_task *next)
{
    if (fy_exceptions_known() != NULL) {
        switch_with_exceptions(sched, next);
    } else {
        switch_stacks(sched, next);
    }
}

/* ------------------------------------------------------------------------------------ parking */

/* Whom a task gives way to when nobody is ready. */
static struct fy_task *host(struct fy_sched *sched)
{
    return sched->guest != NULL ? sched->guest : &sched->root;
}

/* The monitor runs what is unattended; all others wait, in their order, for their thread. */
static struct fy_task *pick_unattended(struct fy_sched *sched)
{
    FY_LIST_EACH(link, &sched->ready)
    {
        struct fy_task *task = FY_CONTAINER(link, struct fy_task, ready);
        if (task->unattended || task == sched->guest) {
            fy_list_remove(&task->ready);
            return task;
        }
    }
    return NULL;
}

static struct fy_task *pick(struct fy_sched *sched)
{
    if (++sched->picks % PICKS_PER_POLL == 0) {
        fy_poll(sched);
    }
    if (sched->guest != NULL) {
        return pick_unattended(sched);
    }
    struct fy_task *heir = sched->heir;
    sched->heir = NULL;
    if (heir != NULL && !fy_list_empty(&heir->ready) && ++sched->inherited < HEIRS_IN_A_ROW) {
        fy_list_remove(&heir->ready);
        return heir;
    }
    sched->inherited = 0;
    struct fy_link *first = fy_list_pop_front(&sched->ready);
    return first != NULL ? FY_CONTAINER(first, struct fy_task, ready) : NULL;
}

/* Runs others until the task has been woken and its turn has come. The root also comes back here
 * when nothing is ready: then it sleeps in the poller. */
static void give_way(struct fy_task *self)
{
    do {
        struct fy_sched *sched = self->sched;
        struct fy_task *next = pick(sched);
        if (next == self) {
            return;
        }
        if (next != NULL) {
            switch_to(sched, next);
        } else if (self != host(sched)) {
            switch_to(sched, host(sched));
        } else {
            fy_poll_and_sleep(sched);
        }
    } while (!self->woken || !fy_list_empty(&self->ready));
}

static void say_why(struct fy_task *self, const char *on, const char *why)
{
    self->on = on;
    self->why = why;
    self->since = self->sched->now;
}

void fy_park(const char *on, const char *why)
{
    struct fy_task *self = fy_self();
    if (self->woken) {
        fy_list_remove(&self->ready);
    } else {
        int saved_errno = errno;
        say_why(self, on, why);
        give_way(self);
        self->why = NULL;
        errno = saved_errno;
    }
    self->woken = false;
}

void fy_task_rest(const char *on, const char *why)
{
    say_why(fy_self(), on, why);
}

void fy_wake(struct fy_task *task)
{
    if (!task->woken) {
        task->woken = true;
        fy_list_push_back(&task->sched->ready, &task->ready);
    }
}

void fy_wake_next(struct fy_task *task)
{
    if (!task->woken) {
        fy_wake(task);
        task->sched->heir = task;
    }
}

bool fy_task_is_parked(const struct fy_task *task)
{
    return task->why != NULL;
}

/* A task that leaves its scheduler, or ends, is nobody's heir. */
static void disinherit(struct fy_task *task)
{
    if (task->sched->heir == task) {
        task->sched->heir = NULL;
    }
}

static void leave_books(struct fy_task *task)
{
    disinherit(task);
    fy_list_remove(&task->all);
    fy_list_remove(&task->ready);
    atomic_fetch_sub_explicit(&task->sched->task_count, 1, memory_order_relaxed);
}

static void enter_books(struct fy_task *task, struct fy_sched *sched)
{
    task->sched = sched;
    fy_list_push_back(&sched->tasks, &task->all);
    atomic_fetch_add_explicit(&sched->task_count, 1, memory_order_relaxed);
}

void fy_task_detach(struct fy_task *task)
{
    leave_books(task);
}

void fy_task_attach(struct fy_task *task)
{
    struct fy_sched *sched = fy_sched_running();
    enter_books(task, sched);
    if (task->woken) {
        fy_list_push_back(&sched->ready, &task->ready);
    }
}

void fy_yield(void)
{
    struct fy_task *self = fy_self();
    int saved_errno = errno;
    if (fy_list_empty(&self->sched->ready)) {
        fy_poll(self->sched);
    }
    fy_wake(self);
    say_why(self, "runnable", "ready to go on");
    give_way(self);
    self->why = NULL;
    self->woken = false;
    errno = saved_errno;
}

/* -------------------------------------------------------------------------- the monitor's visit */

static bool has_unattended(const struct fy_sched *sched)
{
    FY_LIST_EACH(link, &sched->ready)
    {
        if (FY_CONTAINER(link, struct fy_task, ready)->unattended) {
            return true;
        }
    }
    return false;
}

/* The task whose thread is away in a function of the user's stays what it is: who runs meanwhile
 * runs as the guest, on the monitor's stack, and on those of the tasks that it runs. */
void fy_sched_attend(struct fy_sched *sched, struct fy_task *guest)
{
    struct fy_task *absent = sched->current;
    guest->sched = sched;
    sched->guest = guest;
    sched->current = guest;
    fy_poll(sched);
    while (has_unattended(sched)) {
        fy_wake(guest);
        give_way(guest);
        guest->woken = false;
    }
    sched->current = absent;
    sched->guest = NULL;
}

/* ------------------------------------------------------------------- the beginning and the end */

static atomic_uint_least64_t next_number = 1;

void fy_task_register(struct fy_task *task, struct fy_sched *sched)
{
    task->number = atomic_fetch_add_explicit(&next_number, 1, memory_order_relaxed);
    fy_list_init(&task->ready);
    enter_books(task, sched);
}

/* Who goes on when a task has ended, or a loop's turn has. Meanwhile it is not the one that runs. */
static struct fy_task *pick_next(struct fy_sched *sched)
{
    sched->current = host(sched);
    struct fy_task *next = pick(sched);
    return next != NULL ? next : sched->current;
}

static void begin(void *arg)
{
    struct fy_task *self = arg;
    arrived(self->sched, self->stack);
    self->woken = false;
    self->why = NULL;
    if (self->kind == FY_TASK_USER) {
        fy_leave(); /* a user's function runs outside ferry */
        self->fn(self->arg);
        (void)fy_enter(); /* cannot fail: this thread has its scheduler */
    } else {
        self->fn(self->arg);
    }
    struct fy_sched *sched = self->sched;
    leave_books(self);
    struct fy_task *next = pick_next(sched);
    sched->left = self->stack;
    sched->over = self;
    leave(sched, self->stack, &self->stopped, next);
    abort(); /* nobody switches to a task that is over */
}

/* A loop's turn. Returns the loop if it is over. (If it has been woken on its way to rest, it is among
 * those that are ready.) */
static struct fy_task *give_turn(struct fy_task *loop, struct fy_stack *stack)
{
    loop->stack = stack;
    loop->stopped = stack->stopped; /* which ucontext wants to find there */
    loop->woken = false;
    loop->why = NULL;
    if (loop->turn(loop->arg) == FY_TURN_OVER) {
        leave_books(loop);
        return loop;
    }
    loop->stack = NULL;
    fy_calm_note(loop->sched);
    return NULL;
}

/* A loop that is over, once its stack is another one's, or the stock's: what was promised to it is not
 * needed any more. */
static void dismiss(struct fy_task *over)
{
    if (over != NULL) {
        fy_stacks_unpromise(FY_STACK_SMALL, 1);
        fy_slab_give(&tasks, over);
    }
}

/* What runs on a stack of the stock: a turn, and those of others as long as they have no stack either.
 * Stops here when the next one has. */
static void take_turns(void *arg)
{
    struct fy_stack *stack = arg;
    for (;;) {
        struct fy_sched *sched = fy_sched_running();
        struct fy_task *next = sched->current;
        struct fy_task *over = NULL;
        arrived(sched, stack);
        do {
            dismiss(over);
            over = give_turn(next, stack);
            sched = fy_sched_running(); /* it may have moved while it was parked in its turn */
            next = pick_next(sched);
            if (next->stack == NULL) {
                sched->current = next;
            }
        } while (next->stack == NULL);
        if (fy_stock_put(&sched->stock, stack)) {
            dismiss(over);
        } else {
            sched->left = stack;
            sched->over = over;
        }
        leave(sched, stack, &stack->stopped, next);
    }
}

void fy_loop_turn_here(struct fy_task *loop)
{
    struct fy_sched *sched = fy_sched_running();
    struct fy_task *lender = sched->current;
    if (!loop->woken || loop->stack != NULL) {
        return;
    }
    disinherit(loop);
    fy_list_remove(&loop->ready);
    sched->current = loop;
    struct fy_task *over = give_turn(loop, lender->stack);
    sched->current = lender;
    dismiss(over);
}

static struct fy_task *start(enum fy_task_kind kind, const char *name, void *arg)
{
    struct fy_sched *sched = fy_sched_running();
    struct fy_task *task = fy_slab_take(&tasks);
    if (task == NULL) {
        errno = ENOMEM;
        return NULL;
    }
    *task = (struct fy_task){.kind = kind, .name = name, .arg = arg};
    fy_task_register(task, sched);
    say_why(task, "runnable", "ready to begin");
    task->creator = sched->current->number;
    fy_wake(task);
    return task;
}

struct fy_task *fy_task_start(enum fy_task_kind kind, enum fy_stack_kind stack_kind,
                              const char *name, void (*fn)(void *arg), void *arg)
{
    struct fy_stack *stack = fy_stack_new(stack_kind);
    struct fy_task *task = stack != NULL ? start(kind, name, arg) : NULL;
    if (task != NULL) {
        task->fn = fn;
        task->stack = stack;
        fy_stack_prepare(stack, begin, task);
        task->stopped = stack->stopped;
    } else if (stack != NULL) {
        fy_stack_free(stack);
    }
    return task;
}

struct fy_task *fy_loop_start(const char *name, enum fy_turn (*turn)(void *arg), void *arg)
{
    struct fy_task *task = NULL;
    if (fy_stacks_promise(FY_STACK_SMALL, 1) == 0) {
        task = start(FY_TASK_LIBRARY, name, arg);
        if (task == NULL) {
            fy_stacks_unpromise(FY_STACK_SMALL, 1);
        }
    }
    if (task != NULL) {
        task->turn = turn;
    }
    return task;
}

void fy_task_tell(struct fy_task *task, void (*function)(void *arg), const char *file, int line)
{
    task->function = function;
    task->file = file;
    task->line = line;
}

/* ------------------------------------------------------------------------- when a thread ends */

/* What counts as woken is not put into the queue again. */
static void stop_users(struct fy_sched *sched, bool and_loops)
{
    FY_LIST_EACH(link, &sched->tasks)
    {
        struct fy_task *task = FY_CONTAINER(link, struct fy_task, all);
        if (task->kind == FY_TASK_USER || (and_loops && task->turn != NULL)) {
            disinherit(task);
            fy_list_remove(&task->ready);
            task->woken = true;
        }
    }
}

static bool is_stopped(const struct fy_task *task)
{
    return task->woken && fy_list_empty(&task->ready);
}

static bool library_goes_on(const struct fy_sched *sched)
{
    FY_LIST_EACH(link, &sched->tasks)
    {
        const struct fy_task *task = FY_CONTAINER(link, struct fy_task, all);
        if (task->kind == FY_TASK_LIBRARY && !is_stopped(task)) {
            return true;
        }
    }
    return false;
}

void fy_tasks_stop_users(struct fy_sched *sched)
{
    stop_users(sched, false);
}

static void discard(struct fy_sched *sched, struct fy_task *task)
{
    if (task->stack != NULL) {
        sched->left = task->stack;
        sched->over = task;
        bury(sched);
    } else {
        dismiss(task);
    }
}

void fy_tasks_finish(struct fy_sched *sched)
{
    fy_tasks_stop_users(sched);
    /* A library task whose connection is closed has nothing left to wait for but other tasks of its
     * own: each round lets all that are ready run. The bound is for one that waits for a user's
     * task, or for whatever a function of the user's waits for. */
    for (int round = 0; round < 1000 && library_goes_on(sched); round++) {
        fy_yield();
    }
    stop_users(sched, true);
}

void fy_tasks_discard(struct fy_sched *sched)
{
    fy_cancels_forget(sched);
    /* While the stacks that timers lie on are there: who disarms one later finds it disarmed. */
    while (sched->timers.first != NULL) {
        fy_timer_disarm(&sched->timers, sched->timers.first);
    }
    FY_LIST_EACH_SAFE(link, &sched->tasks)
    {
        struct fy_task *task = FY_CONTAINER(link, struct fy_task, all);
        fy_list_remove(&task->all);
        fy_list_remove(&task->ready);
        if (task != &sched->root) {
            discard(sched, task);
        }
    }
    fy_list_init(&sched->ready);
    fy_stock_free(&sched->stock);
}
