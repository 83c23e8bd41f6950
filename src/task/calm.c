/*
 * Giving back what is kept at hand: buffers, exchanges, and the stacks of the stock and of stack.c with
 * their pages. A timer looks when the last turn was, and goes off again when that will have been long
 * enough ago: a busy scheduler has one look in that time.
 */
#include "task/calm.h"

#include "task/clock.h"

int64_t fy_calm_after = 1000 * FY_MILLISECOND;

static void look(struct fy_timer *timer)
{
    struct fy_sched *sched = FY_CONTAINER(timer, struct fy_sched, calm);
    int64_t calm_at = sched->last_turn + fy_calm_after;
    if (sched->now < calm_at) {
        fy_timer_arm(&sched->timers, timer, calm_at, look);
        return;
    }
    fy_spares_free(&sched->spares);
    fy_spares_free(&sched->exchanges);
    fy_spares_free(&sched->responses);
    fy_stock_free(&sched->stock);
    fy_stacks_cool();
}

void fy_calm_begin(struct fy_sched *sched)
{
    fy_timer_arm(&sched->timers, &sched->calm, sched->last_turn + fy_calm_after, look);
}
