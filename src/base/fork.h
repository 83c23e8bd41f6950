/*
 * Locks over a fork: whoever forks holds every lock of the library that is known here, so that the child
 * finds none of them taken by a thread that it does not have, and what they guard in order. For locks that
 * are held for a few lines and taken last; task/fork.h takes them, behind the schedulers' own.
 */
#ifndef FY_BASE_FORK_H
#define FY_BASE_FORK_H

#include <pthread.h>

#include "base/list.h"

/* Beside the lock that it stands for, and as long. */
struct fy_fork_lock {
    struct fy_link link; /* in the list of all; under that list's lock */
    pthread_mutex_t *mutex;
};

void fy_fork_lock_add(struct fy_fork_lock *known, pthread_mutex_t *mutex);
void fy_fork_lock_remove(struct fy_fork_lock *known);

/* For a static one, behind its definition. */
#define FY_HELD_OVER_FORK(mutex)                                   \
    static __attribute__((constructor)) void mutex##_is_held(void) \
    {                                                              \
        static struct fy_fork_lock known;                          \
        fy_fork_lock_add(&known, &(mutex));                        \
    }

/* How often this process, and those that it was forked from, have become children: who remembers the number
 * learns that what follows is done in another process. */
unsigned fy_fork_count(void);
void fy_fork_counted(void);

/* Takes all of them, and no others can be added until they are dropped: in the parent, and in the child. */
void fy_fork_locks_take(void);
void fy_fork_locks_drop(void);

#endif
