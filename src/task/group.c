/*
 * Groups: a count of tasks and those who wait for it to be zero. The tasks may be on several
 * threads, so the count has a lock of its own, and a waiter on another scheduler is woken by a
 * post.
 */
#include <ferry.h>

#include <pthread.h>
#include <stdlib.h>

#include "base/errno.h"
#include "base/fork.h"
#include "task/exceptions.h"
#include "task/sched.h"

struct ferry_group {
    size_t running;         /* both under the group's lock */
    struct fy_link waiters; /* of waiter */
};

/* Groups share a few locks, so that a fork has not to hold one for each of thousands. Nothing else is
 * taken under them. */
#define LOCKS 8
static pthread_mutex_t locks[LOCKS] = {
    PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER,
    PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER,
    PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER,
};

static __attribute__((constructor)) void locks_are_held(void)
{
    static struct fy_fork_lock known[LOCKS];
    for (int i = 0; i < LOCKS; i++) {
        fy_fork_lock_add(&known[i], &locks[i]);
    }
}

static pthread_mutex_t *lock_of(const ferry_group *group)
{
    return &locks[(uintptr_t)group / 64 % LOCKS];
}

/* On the stack of the task that waits. */
struct waiter {
    struct fy_link link;
    struct fy_post post;
    struct fy_task *task;
    struct fy_sched *sched;
    struct ferry_group *group;
    struct fy_exit_hook exit; /* a thread that ends takes its waiting tasks along */
};

/* Allocated with the task, freed when that ends or is discarded with its thread. */
struct member {
    ferry_group *group;
    void (*fn)(void *arg);
    void *arg;
    struct fy_task *task;     /* that runs it */
    struct fy_exit_hook exit; /* a discarded task counts no more */
};

FERRY_API ferry_group *ferry_group_new(void)
{
    ferry_group *group = malloc(sizeof *group);
    if (group != NULL) {
        group->running = 0;
        fy_list_init(&group->waiters);
    }
    return group;
}

FERRY_API void ferry_group_free(ferry_group *group)
{
    free(group);
}

static void wake_waiter(struct fy_post *post)
{
    fy_wake(FY_CONTAINER(post, struct waiter, post)->task);
}

static void one_less(ferry_group *group)
{
    pthread_mutex_lock(lock_of(group));
    if (--group->running == 0) {
        struct fy_link *link;
        while ((link = fy_list_pop_front(&group->waiters)) != NULL) {
            struct waiter *waiter = FY_CONTAINER(link, struct waiter, link);
            fy_sched_post(waiter->sched, &waiter->post);
        }
    }
    pthread_mutex_unlock(lock_of(group));
}

static void run_member(void *arg)
{
    struct member *member = arg;
    ferry_group *group = member->group;
    member->fn(member->arg);
    (void)fy_enter(); /* cannot fail: this thread has its scheduler */
    fy_list_remove(&member->exit.link);
    fy_leave();
    free(member);
    one_less(group);
}

static void discard_member(struct fy_exit_hook *hook)
{
    struct member *member = FY_CONTAINER(hook, struct member, exit);
    ferry_group *group = member->group;
    free(member);
    one_less(group);
}

static void discard_in_child(struct fy_exit_hook *hook)
{
    if (!fy_task_survives(FY_CONTAINER(hook, struct member, exit)->task)) {
        fy_list_remove(&hook->link);
        discard_member(hook);
    }
}

static const struct fy_exit_kind lost_member = {.run = discard_member, .forked = discard_in_child};

FERRY_API int(ferry_group_go)(ferry_group *group, void (*fn)(void *arg), void *arg)
{
    return ferry_group_go_at(NULL, 0, group, fn, arg);
}

FERRY_API int ferry_group_go_at(const char *file, int line, ferry_group *group,
                                void (*fn)(void *arg), void *arg)
{
    if (group == NULL || fn == NULL) {
        errno = EINVAL;
        return -1;
    }
    struct member *member = malloc(sizeof *member);
    if (member == NULL) {
        errno = ENOMEM;
        return -1;
    }
    *member = (struct member){.group = group, .fn = fn, .arg = arg, .exit.kind = &lost_member};
    struct fy_task *task = NULL;
    fy_exceptions_look();
    struct fy_sched *sched = fy_enter();
    if (sched != NULL) {
        task = fy_task_start(FY_TASK_USER, FY_STACK_LARGE, "task", run_member, member);
    }
    if (task == NULL) {
        int saved_errno = errno;
        if (sched != NULL) {
            fy_leave();
        }
        free(member);
        errno = saved_errno;
        return -1;
    }
    member->task = task;
    fy_task_tell(task, fn, file, line);
    /* It begins later, on this thread: it counts by then. */
    fy_list_push_front(&sched->exit_hooks, &member->exit.link);
    pthread_mutex_lock(lock_of(group));
    group->running++;
    pthread_mutex_unlock(lock_of(group));
    fy_leave();
    return 0;
}

static void stop_waiting(struct fy_exit_hook *hook)
{
    struct waiter *waiter = FY_CONTAINER(hook, struct waiter, exit);
    pthread_mutex_lock(lock_of(waiter->group));
    fy_list_remove(&waiter->link);
    pthread_mutex_unlock(lock_of(waiter->group));
}

static void stop_waiting_in_child(struct fy_exit_hook *hook)
{
    if (!fy_task_survives(FY_CONTAINER(hook, struct waiter, exit)->task)) {
        stop_waiting(hook);
    }
}

static const struct fy_exit_kind lost_waiter = {.run = stop_waiting,
                                                .forked = stop_waiting_in_child};

FERRY_API void ferry_group_wait(ferry_group *group)
{
    struct fy_sched *sched = group != NULL ? fy_enter() : NULL;
    if (sched == NULL) {
        return; /* without a scheduler this thread has started nothing */
    }
    struct waiter waiter = {.post.run = wake_waiter,
                            .task = fy_self(),
                            .sched = sched,
                            .group = group,
                            .exit.kind = &lost_waiter};
    pthread_mutex_lock(lock_of(group));
    bool wait = group->running > 0;
    if (wait) {
        fy_list_push_back(&group->waiters, &waiter.link);
    }
    pthread_mutex_unlock(lock_of(group));
    if (wait) {
        fy_list_push_front(&sched->exit_hooks, &waiter.exit.link);
        fy_park("group wait", "waiting for a group's tasks to end");
        fy_list_remove(&waiter.exit.link);
        /* Whoever posted may still hold the lock, and the caller may be about to free the group. */
        pthread_mutex_lock(lock_of(group));
        pthread_mutex_unlock(lock_of(group));
    }
    fy_leave();
}
