/*
 * What has happened outside a scheduler becomes tasks that are ready. Nothing here parks or switches.
 */
#include "task/poll.h"

#include "task/clock.h"
#include "task/io.h"
#include "task/thread.h"

void fy_posts_run(struct fy_sched *sched)
{
    struct fy_post *newest = atomic_exchange(&sched->posts, NULL);
    struct fy_post *oldest = NULL;
    while (newest != NULL) {
        struct fy_post *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    while (oldest != NULL) {
        struct fy_post *next = oldest->next;
        oldest->run(oldest);
        oldest = next;
    }
}

/* What other threads and signal handlers have left here. The flag falls before the looks, so that
 * what comes during them raises it again; and after the descriptor was emptied, so that what was
 * written for a flag raised again stays to be read. */
static void answer_pokes(struct fy_sched *sched)
{
    if (!atomic_load(&sched->poked)) {
        return;
    }
    fy_thread_drain_pokes(sched);
    atomic_store(&sched->poked, false);
    fy_posts_run(sched);
    if (atomic_exchange(&sched->look_at_contexts, false)) {
        fy_cancels_check(sched);
    }
}

/* What the last wait has brought. */
static void take_events(struct fy_sched *sched, int count)
{
    for (int i = 0; i < count; i++) {
        const struct fy_poller_event *event = &sched->batch.events[i];
        struct fy_io *io = fy_poller_find(&sched->poller, event->key);
        if (io != NULL) {
            fy_io_ready(io, event->readable, event->writable, event->hangup);
        }
    }
}

static void fire_timers(struct fy_sched *sched)
{
    sched->now = fy_now();
    fy_timers_fire(&sched->timers, sched->now);
}

static void take_in(struct fy_sched *sched, int count)
{
    take_events(sched, count);
    fire_timers(sched);
    answer_pokes(sched);
}

/* Sees to it that the sleep ends in time; false: a timer is due already. */
static bool may_sleep(struct fy_sched *sched)
{
    const struct fy_timer *nearest = sched->timers.first;
    if (nearest == NULL) {
        return true;
    }
    if (nearest->when <= sched->now) {
        return false;
    }
    fy_poller_alarm(&sched->poller, nearest->when);
    return true;
}

void fy_poll(struct fy_sched *sched)
{
    take_in(sched, fy_poller_wait(sched->poller.fd, &sched->batch, false));
}

void fy_poll_now(void)
{
    fy_poll(fy_sched_running());
}

void fy_poll_and_sleep(struct fy_sched *sched)
{
    bool sleeps = may_sleep(sched);
    sched->sleeps = true;
    fy_sched_unlock(sched);
    int count = fy_poller_wait(sched->poller.fd, &sched->batch, sleeps);
    fy_sched_lock(sched);
    sched->sleeps = false;
    sched->picks = 0;
    take_in(sched, count);
}
