/*
 * The life of a scheduler: it comes with a thread's first call and goes, to be used again, with the
 * thread. Between threads: the list of all schedulers, and poking one that sleeps.
 */
#ifndef FY_TASK_THREAD_H
#define FY_TASK_THREAD_H

#include "task/sched.h"

/* Empties the wake descriptor. */
void fy_thread_drain_pokes(struct fy_sched *sched);

/* sched.c's: enters a task into the scheduler's books. */
void fy_task_register(struct fy_task *task, struct fy_sched *sched);

/* Has the monitor run what is ready and unattended in each scheduler whose thread is out of ferry. */
void fy_scheds_attend(struct fy_task *guest);

/* For a fork (fork.c): takes the locks of all schedulers, and lets nobody make or end one, until they are
 * given back. In the child: leaves only one in the list of all (NULL: none) and returns the others, linked
 * by next; gives a scheduler a poller, by the number that the old one had, and a wake descriptor; and makes
 * a scheduler this thread's. */
void fy_scheds_freeze(void);
void fy_scheds_thaw(void);
struct fy_sched *fy_scheds_keep(struct fy_sched *own);
void fy_sched_reopen(struct fy_sched *sched, int number);
void fy_sched_become(struct fy_sched *sched);

/* sched.c's: the same for one, under its lock, on the monitor's stack. */
void fy_sched_attend(struct fy_sched *sched, struct fy_task *guest);

/* sched.c's: users' tasks do not go on any more. For a thread that ends. */
void fy_tasks_stop_users(struct fy_sched *sched);

/* sched.c's: runs library tasks until none is left, without waiting. Loops that do not end, because
 * they are in functions of the user's, do not go on any more, and nor do users' tasks. For a thread that
 * ends. */
void fy_tasks_finish(struct fy_sched *sched);

/* sched.c's, after that: discards every task but the root. */
void fy_tasks_discard(struct fy_sched *sched);

#endif
