/*
 * A scheduler looks at what has happened: descriptors that became ready, timers that are due, what other
 * threads and signal handlers have left. Called by sched.c, between one task and the next.
 */
#ifndef FY_TASK_POLL_H
#define FY_TASK_POLL_H

#include "task/sched.h"

/* Without waiting. */
void fy_poll(struct fy_sched *sched);

/* Waits until there is something, with the lock let go meanwhile. Only on the root's stack. While the
 * thread sleeps nobody else polls here. */
void fy_poll_and_sleep(struct fy_sched *sched);

/* Does what has been posted. */
void fy_posts_run(struct fy_sched *sched);

#endif
