/*
 * Timers: a heap of a scheduler's own, in which arming cannot fail (the links are in the timers).
 * Used under the scheduler's lock. A timer fires once, from the scheduler's poll, and may be armed
 * again.
 */
#ifndef FY_TASK_TIMER_H
#define FY_TASK_TIMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zero-filled is not armed. */
struct fy_timer {
    void (*fire)(struct fy_timer *timer); /* NULL: not armed */
    int64_t when;                         /* fy_now() time */
    /* Of the pairing heap: the first child, the siblings (prev of a first child is its parent). */
    struct fy_timer *child, *next, *prev;
};

/* Zero-filled is empty. */
struct fy_timers {
    struct fy_timer *first; /* the nearest; NULL: none */
};

static inline bool fy_timer_armed(const struct fy_timer *timer)
{
    return timer->fire != NULL;
}

/* Arms a timer that is not armed. */
void fy_timer_arm(struct fy_timers *timers, struct fy_timer *timer, int64_t when,
                  void (*fire)(struct fy_timer *timer));

/* Disarms one that is armed. */
void fy_timer_take_out(struct fy_timers *timers, struct fy_timer *timer);

/* Disarms it; fine if it is not armed. */
static inline void fy_timer_disarm(struct fy_timers *timers, struct fy_timer *timer)
{
    if (fy_timer_armed(timer)) {
        fy_timer_take_out(timers, timer);
    }
}

/* Fires all that are due at now, nearest first. */
void fy_timers_fire(struct fy_timers *timers, int64_t now);

#endif
