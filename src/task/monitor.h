/*
 * The monitor: a thread of the library's own that sees to schedulers while their threads are away,
 * so that an idle connection which its server has closed, or whose time is over, goes although the
 * program does something else for minutes. It runs tasks that are marked as unattended, which idle
 * connections' loops are, and never a function of the user's.
 *
 * Started with the first that is to be watched; sleeps while there is nothing, and else looks about
 * twice a second.
 */
#ifndef FY_TASK_MONITOR_H
#define FY_TASK_MONITOR_H

#include <stdbool.h>

/* There is something to be watched from now on (1), or no more (-1); they are counted. From any
 * thread, with or without locks. Where no thread can be started, nothing is watched. */
void fy_monitor_watch(int change);

/* In the child of a fork, which has neither the thread nor anything to be watched. */
void fy_monitor_forget(void);

/* Whether there is the thread. */
bool fy_monitor_runs(void);

#endif
