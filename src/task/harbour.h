/*
 * Where idle connections outlive their threads: harbour.c.
 */
#ifndef FY_TASK_HARBOUR_H
#define FY_TASK_HARBOUR_H

#include "task/sched.h"

/* Moves what outlives the thread of the running scheduler, which is ending. Under its lock, which is
 * dropped meanwhile if a dial is worth waiting for. */
void fy_harbour_leave_all(struct fy_sched *sched);

/* The monitor's visit, under the harbour's lock. */
void fy_harbour_visit(struct fy_sched *sched, struct fy_task *guest);

/* Runs at once what is ready there. From any thread that is out of ferry; else the monitor does it when
 * it next looks. */
void fy_harbour_attend(void);

/* thread.c's, which makes it, and loses it in the child of a fork (NULL). */
bool fy_harbour_is_there(void);
void fy_harbour_set(struct fy_sched *sched);

#endif
