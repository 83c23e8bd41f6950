/*
 * The list of locks that are held over a fork.
 */
#include "base/fork.h"

#include <limits.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct fy_link all = {&all, &all}; /* of fy_fork_lock; under lock */

void fy_fork_lock_add(struct fy_fork_lock *known, pthread_mutex_t *mutex)
{
    known->mutex = mutex;
    pthread_mutex_lock(&lock);
    fy_list_push_back(&all, &known->link);
    pthread_mutex_unlock(&lock);
}

void fy_fork_lock_remove(struct fy_fork_lock *known)
{
    pthread_mutex_lock(&lock);
    fy_list_remove(&known->link);
    pthread_mutex_unlock(&lock);
}

/* ThreadSanitizer gives up where a thread has 64 locks; and what it is used with does nothing in a
 * child but to exec or to end, since it does not follow tasks there. */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define MOST_TAKEN 32
#endif
#elif defined(__SANITIZE_THREAD__)
#define MOST_TAKEN 32
#endif
#ifndef MOST_TAKEN
#define MOST_TAKEN INT_MAX
#endif

static int taken; /* so many, the first of the list; under lock */

static void drop_taken(void)
{
    for (struct fy_link *link = all.next; taken > 0; link = link->next, taken--) {
        pthread_mutex_unlock(FY_CONTAINER(link, struct fy_fork_lock, link)->mutex);
    }
}

/* Some of them are taken under others, in an order that is not known here, and this list's own under any:
 * so nothing is waited for with one in hand. */
static bool take_all_at_once(void)
{
    pthread_mutex_lock(&lock);
    FY_LIST_EACH(link, &all)
    {
        if (taken == MOST_TAKEN) {
            break;
        }
        if (pthread_mutex_trylock(FY_CONTAINER(link, struct fy_fork_lock, link)->mutex) != 0) {
            drop_taken();
            pthread_mutex_unlock(&lock);
            return false;
        }
        taken++;
    }
    return true;
}

void fy_fork_locks_take(void)
{
    while (!take_all_at_once()) {
        sched_yield();
    }
}

void fy_fork_locks_drop(void)
{
    drop_taken();
    pthread_mutex_unlock(&lock);
}

static atomic_uint forks;

unsigned fy_fork_count(void)
{
    return atomic_load_explicit(&forks, memory_order_relaxed);
}

void fy_fork_counted(void)
{
    atomic_fetch_add_explicit(&forks, 1, memory_order_relaxed);
}
