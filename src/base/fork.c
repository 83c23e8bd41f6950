/*
 * The list of locks that are held over a fork.
 */
#include "base/fork.h"

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

static void drop_before(const struct fy_link *end)
{
    for (struct fy_link *link = all.next; link != end; link = link->next) {
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
        if (pthread_mutex_trylock(FY_CONTAINER(link, struct fy_fork_lock, link)->mutex) != 0) {
            drop_before(link);
            pthread_mutex_unlock(&lock);
            return false;
        }
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
    drop_before(&all);
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
