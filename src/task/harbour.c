/*
 * The harbour: a scheduler that never has a thread. Idle connections lie there whose threads have ended,
 * until another thread's request takes them along as it does from any scheduler. Called by thread.c when a
 * thread ends; the monitor sees to it as it does to schedulers whose threads are away.
 *
 * (The ended thread's own scheduler could have lived on with them; but then each would keep its
 * descriptors, and a hundred threads that end at once would leave two hundred.) It has a poller while
 * it has something in it, and no wake descriptor: nobody sleeps there.
 */
#include "task/harbour.h"

#include "task/clock.h"
#include "task/monitor.h"
#include "task/thread.h"

/* How long a thread that ends waits for connections that are being made, and that its own requests
 * did not need in the end: the next thread's would have to dial anew. */
#define SETTLE_MS 250

/* Made with the first scheduler: so it is visited last, after those that its connections come from.
 * NULL: there is none, and connections are closed with their threads. Written
 * under thread.c's lives. */
static _Atomic(struct fy_sched *) harbour;

bool fy_harbour_is_there(void)
{
    return atomic_load(&harbour) != NULL;
}

void fy_harbour_set(struct fy_sched *sched)
{
    atomic_store(&harbour, sched);
}

/* --------------------------------------------------------------------------------- a thread ends */

/* Under its lock, and as it: until there is nothing in it the monitor looks after it. */
static bool harbour_open(struct fy_sched *sched)
{
    if (sched->poller.fd < 0) {
        if (fy_poller_open(&sched->poller) != 0) {
            return false;
        }
        fy_monitor_watch(1);
    }
    sched->now = fy_now();
    return true;
}

static void harbour_close_if_empty(struct fy_sched *sched)
{
    if (sched->poller.fd >= 0 && fy_list_empty(&sched->tasks)) {
        fy_poller_close(&sched->poller);
        fy_spares_free(&sched->spares);
        fy_stock_free(&sched->stock);
        fy_monitor_watch(-1);
    }
}

/* Moves what outlives the thread, under both locks: at no time is it in neither scheduler, so that
 * nobody can miss it. */
static void leave(struct fy_sched *sched)
{
    struct fy_sched *there = atomic_load(&harbour);
    if (there == NULL || fy_list_empty(&sched->exit_hooks) || !fy_monitor_runs()) {
        return;
    }
    fy_sched_lock(there);
    fy_sched_become(there);
    if (harbour_open(there)) {
        FY_LIST_EACH_SAFE(link, &sched->exit_hooks)
        {
            struct fy_exit_hook *hook = FY_CONTAINER(link, struct fy_exit_hook, link);
            if (hook->kind->outlive != NULL) {
                (void)hook->kind->outlive(hook);
            }
        }
    }
    fy_sched_become(sched);
    fy_sched_unlock(there);
}

static bool is_settling(const struct fy_exit_hook *hook)
{
    return hook->kind->settle != NULL && hook->kind->settles(hook);
}

static void run_hooks_but_settling(struct fy_link *hooks)
{
    struct fy_link *link = hooks->next;
    while (link != hooks) {
        struct fy_exit_hook *hook = FY_CONTAINER(link, struct fy_exit_hook, link);
        if (is_settling(hook)) {
            link = link->next;
            continue;
        }
        fy_list_remove(link);
        hook->kind->run(hook);
        link = hooks->next; /* others may have gone with it */
    }
}

/* False: there is none left, or the deadline has passed. (The hook itself may be gone by then.) */
static bool settle_one(struct fy_link *hooks, int64_t deadline)
{
    FY_LIST_EACH(link, hooks)
    {
        struct fy_exit_hook *hook = FY_CONTAINER(link, struct fy_exit_hook, link);
        if (is_settling(hook)) {
            return hook->kind->settle(hook, deadline);
        }
    }
    return false;
}

static bool has_settling(struct fy_link *hooks)
{
    FY_LIST_EACH(link, hooks)
    {
        if (is_settling(FY_CONTAINER(link, struct fy_exit_hook, link))) {
            return true;
        }
    }
    return false;
}

/* No function of the user's is called meanwhile: what could come to one is closed before. */
static void settle(struct fy_sched *sched)
{
    if (!has_settling(&sched->exit_hooks)) {
        return;
    }
    int64_t deadline = fy_after_ms(SETTLE_MS);
    run_hooks_but_settling(&sched->exit_hooks);
    fy_tasks_stop_users(sched);
    while (settle_one(&sched->exit_hooks, deadline)) {
        fy_yield(); /* the new connection's loops begin */
    }
    leave(sched);
}

void fy_harbour_leave_all(struct fy_sched *sched)
{
    /* A loop may have handed its response over and not yet come to rest. */
    fy_tasks_stop_users(sched);
    for (int round = 0; round < 16 && !fy_list_empty(&sched->ready); round++) {
        fy_yield();
    }
    leave(sched);
    settle(sched);
}

/* ------------------------------------------------------------------------------ while they lie there */

void fy_harbour_visit(struct fy_sched *sched, struct fy_task *guest)
{
    struct fy_sched *before = fy_sched_running();
    if (sched->poller.fd >= 0) {
        fy_sched_become(sched);
        fy_sched_attend(sched, guest);
        harbour_close_if_empty(sched);
        fy_sched_become(before);
    }
}

void fy_harbour_attend(void)
{
    struct fy_sched *sched = atomic_load(&harbour);
    struct fy_stack own = {0};
    struct fy_task guest = {.kind = FY_TASK_LIBRARY, .name = "harbour", .stack = &own};
    if (sched == NULL || fy_switch_adopt(&guest.stopped) != 0) {
        return; /* the monitor will do it */
    }
    fy_list_init(&guest.ready);
    fy_sanitizer_adopt(&own.sanitizer);
    fy_sched_lock(sched);
    fy_harbour_visit(sched, &guest);
    fy_sched_unlock(sched);
    fy_switch_forget(&guest.stopped);
}
