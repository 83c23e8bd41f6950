/*
 * When a scheduler's connections have all been at rest for a while, what was kept at hand for their
 * next requests is given back. Told of each loop that comes to rest.
 */
#ifndef FY_TASK_CALM_H
#define FY_TASK_CALM_H

#include "task/sched.h"

/* How long (as fy_now() counts it) no loop must have had a turn: a second. Only tests, at their
 * beginning, say otherwise. */
extern int64_t fy_calm_after;

/* The first since the last time that things were given back. */
void fy_calm_begin(struct fy_sched *sched);

static inline void fy_calm_note(struct fy_sched *sched)
{
    sched->last_turn = sched->now;
    if (!fy_timer_armed(&sched->calm)) {
        fy_calm_begin(sched);
    }
}

#endif
