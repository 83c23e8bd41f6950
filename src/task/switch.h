/*
 * Switching stacks: the one thing C cannot say. Three implementations, chosen by the build:
 * assembly for x86-64 and AArch64, ucontext for every other machine. Called only by the scheduler.
 */
#ifndef FY_TASK_SWITCH_H
#define FY_TASK_SWITCH_H

#include <stddef.h>

/*
 * Where a stopped task goes on. With assembly it is its stack pointer: the registers that a
 * function call must preserve (and the floating-point control words) lie on the stack below it.
 * With ucontext it points to a ucontext_t at the high end of the stack (from malloc() for the own
 * stack of a thread).
 */
typedef void *fy_stopped;

/* Makes a stack on which entry(arg) begins when it is first switched to. entry never returns.
 * low and high bound the usable stack. */
fy_stopped fy_switch_prepare(void *low, void *high, void (*entry)(void *arg), void *arg);

/* What a thread's own stack needs before it can be left for the first time (ucontext: a place to be
 * saved in); 0, or -1 when out of memory. fy_switch_forget undoes it. */
int fy_switch_adopt(fy_stopped *self);
void fy_switch_forget(fy_stopped *self);

/* Stops here, leaving in *from where, and goes on at to. Returns when somebody switches back. */
void fy_switch(fy_stopped *from, fy_stopped to);

#endif
