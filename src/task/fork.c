/*
 * What fork() means here. Before it, whoever forks takes every lock of the library: first the schedulers',
 * then what lies under them (base/fork.h); so both processes have everything in order. The parent lets go
 * of them. The child has one thread, and starts clean:
 *
 *   - every descriptor is closed, by close() alone: nothing is sent and nothing shut down, and no poller of
 *     the parent's is changed, for its connections and its pollers are the same as the child's;
 *   - every connection, and every dial, is closed in the books as if its thread had ended; so the pools are
 *     empty. Tasks that may run unattended then end by themselves, as under the monitor;
 *   - no function of the user's is called, so other tasks do not run any more: their stacks, and what they
 *     hold of a request in the middle, stay as they are, in pages that the child shares with its parent
 *     until one of them writes there;
 *   - the thread that forked keeps its scheduler, with the task that forked and the thread itself.
 *
 * A program that forks without having used ferry passes through here with nothing to do.
 */
#include <pthread.h>
#include <stddef.h>
#include <unistd.h>

#include "base/fork.h"
#include "task/io.h"
#include "task/monitor.h"
#include "task/thread.h"

#ifdef FY_ASAN
#include <sanitizer/lsan_interface.h>
#endif

/* The child's: schedulers of threads that it does not have, linked by next. Inherited responses still name
 * them. */
static struct fy_sched *lost;

/* The child's: tasks that do not run any more, of the thread that forked. */
static struct fy_link discarded = {&discarded, &discarded};

static void before(void)
{
    fy_scheds_freeze();
    fy_fork_locks_take();
}

static void in_parent(void)
{
    fy_fork_locks_drop();
    fy_scheds_thaw();
}

/* ----------------------------------------------------------------------------------- the child */

bool fy_task_survives(const struct fy_task *task)
{
    const struct fy_sched *sched = fy_sched_running();
    return task == &sched->root || task == sched->current;
}

static void close_descriptors(struct fy_sched *sched)
{
    struct fy_io *arriving = sched->arriving_io;
    fy_poller_close_inherited(&sched->poller);
    if (arriving != NULL && arriving->fd >= 0) {
        close(arriving->fd);
        arriving->fd = -1;
    }
    if (atomic_load(&sched->alive)) {
        close(sched->wake_fd);
    }
    sched->wake_fd = -1;
    sched->sleeps = false;
    atomic_store(&sched->poking, 0);
    atomic_store(&sched->outsiders, 0);
    atomic_store(&sched->poked, true); /* nothing is written; what is posted is looked for */
    pthread_mutex_init(&sched->turn, NULL);
}

static void run_forked(struct fy_link *hooks)
{
    FY_LIST_EACH_SAFE(link, hooks)
    {
        struct fy_exit_hook *hook = FY_CONTAINER(link, struct fy_exit_hook, link);
        if (hook->kind->forked != NULL) {
            hook->kind->forked(hook);
        }
    }
}

/* As when a thread has ended, but for what might run functions of the user's. Timers and posts may lie on
 * the stack of the thread, which is there only as long as no other needs the room. */
static void close_lost(struct fy_sched *sched)
{
    struct fy_link *link;
    if (sched->arriving != NULL) {
        fy_list_push_front(&sched->exit_hooks, &sched->arriving->link);
        sched->arriving = NULL;
    }
    while ((link = fy_list_pop_front(&sched->exit_hooks)) != NULL) {
        struct fy_exit_hook *hook = FY_CONTAINER(link, struct fy_exit_hook, link);
        hook->kind->run(hook);
    }
    run_forked(&sched->leftovers);
    while (sched->timers.first != NULL) {
        fy_timer_disarm(&sched->timers, sched->timers.first);
    }
}

static void close_own(struct fy_sched *sched)
{
    run_forked(&sched->exit_hooks);
    run_forked(&sched->leftovers);
}

/* What only a stopped task's stack points to is not lost for a leak checker. */
static void stop_for_good(struct fy_task *task)
{
    (void)task;
#ifdef FY_ASAN
    if (task->stack != NULL && task->stack->low != NULL) {
        const struct fy_stack *stack = task->stack;
        __lsan_register_root_region(stack->low, (size_t)(stack->high - stack->low));
    }
#endif
}

static void bury_lost(struct fy_sched *sched)
{
    atomic_store(&sched->alive, false);
    atomic_store(&sched->task_count, 0);
    FY_LIST_EACH(link, &sched->tasks)
    {
        stop_for_good(FY_CONTAINER(link, struct fy_task, all));
    }
}

/* Who is woken already is not put into the queue again. */
static void discard_tasks(struct fy_sched *own)
{
    FY_LIST_EACH_SAFE(link, &own->tasks)
    {
        struct fy_task *task = FY_CONTAINER(link, struct fy_task, all);
        if (task->kind == FY_TASK_USER && !fy_task_survives(task)) {
            fy_task_detach(task);
            task->woken = true;
            fy_list_push_back(&discarded, &task->all);
            stop_for_good(task);
        }
    }
}

/* Runs what is unattended, on the stack of whoever has forked. Not under ThreadSanitizer, to which tasks are
 * threads: in the child of a process with threads it does not see any more who waits for whom. */
static void attend(struct fy_sched *sched)
{
#ifdef FY_TSAN
    (void)sched;
#else
    static struct fy_task guest;
    static struct fy_stack own_stack;
    own_stack = (struct fy_stack){0};
    guest = (struct fy_task){.kind = FY_TASK_LIBRARY, .name = "fork", .stack = &own_stack};
    if (fy_switch_adopt(&guest.stopped) != 0) {
        return;
    }
    fy_list_init(&guest.ready);
    fy_sanitizer_adopt(&own_stack.sanitizer);
    fy_sched_attend(sched, &guest);
    fy_switch_forget(&guest.stopped);
#endif
}

static struct fy_fork_listener *listeners; /* grows while the library is loaded */

void fy_fork_listen(struct fy_fork_listener *listener)
{
    listener->next = listeners;
    listeners = listener;
}

static void tell_inherited(struct fy_sched *sched)
{
    for (struct fy_fork_listener *listener = listeners; listener != NULL;
         listener = listener->next) {
        listener->inherited(sched);
    }
}

static void start_clean(struct fy_sched *own, int number)
{
    for (struct fy_sched *sched = lost; sched != NULL; sched = sched->next) {
        fy_sched_become(sched);
        fy_poller_forget_inherited(&sched->poller);
        close_lost(sched);
        tell_inherited(sched);
    }
    if (own != NULL) {
        fy_sched_become(own);
        fy_poller_forget_inherited(&own->poller);
        fy_sched_reopen(own, number); /* there is room in its books now, without new memory */
        close_own(own);
        tell_inherited(own);
        own->heir = NULL; /* whoever ends here does so before the one that it wakes goes on */
    }
    for (struct fy_sched *sched = lost; sched != NULL; sched = sched->next) {
        fy_sched_become(sched);
        attend(sched);
        bury_lost(sched);
    }
    fy_sched_become(own);
    if (own != NULL) {
        attend(own);
        discard_tasks(own);
    }
}

static void unlock_all(struct fy_sched *sched)
{
    for (; sched != NULL; sched = sched->next) {
        sem_init(&sched->lock, 0, 1); /* others may have waited for it, who do not any more */
    }
}

static void in_child(void)
{
    struct fy_sched *own = fy_sched_running();
    struct fy_sched *before = lost;
    int number = own != NULL ? own->poller.fd : -1;
    fy_fork_locks_drop();
    fy_fork_counted();
    lost = fy_scheds_keep(own);
    for (struct fy_sched *sched = lost; sched != NULL; sched = sched->next) {
        close_descriptors(sched);
    }
    if (own != NULL) {
        close_descriptors(own);
    }
    start_clean(own, number);
    fy_monitor_forget();
    unlock_all(lost);
    unlock_all(own);
    struct fy_sched **end = &lost;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = before;
    fy_scheds_thaw();
}

static __attribute__((constructor)) void watch_forks(void)
{
    (void)pthread_atfork(before, in_parent, in_child);
}
