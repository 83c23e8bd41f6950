/*
 * The shelf: where the stack of a task that has been parked for long is put away. A parked task's
 * stack has a few hundred live bytes, and takes a page or two: those bytes are kept in a block of
 * their own, and the pages given back, until the task goes on. What makes that right: a task says
 * when it parks in such a way that nothing outside points into its stack; what a wait needs
 * (task.select, fy_io's waiters) lies elsewhere. Called by the loops of idle connections, and by the
 * scheduler before every switch.
 */
#ifndef FY_TASK_SHELF_H
#define FY_TASK_SHELF_H

#include "task/sched.h"

/* After how much time (as fy_now() counts it) a parked task's stack is put away: a second. Only tests,
 * at their beginning, say otherwise. */
extern int64_t fy_shelf_after;

/* The running task is about to park, and nothing points into its stack until it goes on: if that
 * takes long, it may be put away. */
void fy_shelf_allow(struct fy_task *self);

/* It goes on: from here on it may not. */
static inline void fy_shelf_refuse(struct fy_task *self)
{
    self->shelvable = false;
}

void fy_shelf_put_back(struct fy_task *task);

/* It will not go on: what is put away of it is freed. */
void fy_shelf_drop(struct fy_task *task);

/* Before a task is switched to. */
static inline void fy_shelf_restore(struct fy_task *task)
{
    if (task->shelf != NULL) {
        fy_shelf_put_back(task);
    }
}

#endif
