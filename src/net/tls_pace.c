/*
 * How many handshakes a thread has under way. A thousand that begin at once are over no sooner than one
 * after another, for what they take is the thread's own computing. But each has 41 KiB of OpenSSL's from
 * its beginning to its end, between what stays in the heap, and none can resume a session that another
 * one brings. So a few are under way, and the others wait for their turn, first come first served.
 *
 * A server that is far away, or does not answer, keeps nobody: a handshake counts for a while only. Then
 * a thousand begin in a second, about as many as a thread has the time to compute.
 */
#include "net/tls_internal.h"

#include "task/sched.h"

#define MOST_UNDER_WAY 16

int64_t fy_tls_pace_counted = 15 * FY_MILLISECOND;

static void give_turn(struct fy_sched *sched)
{
    if (!fy_chan_try_send(&sched->handshake_over, NULL)) {
        sched->handshakes--;
    }
}

static void count_no_longer(struct fy_timer *timer)
{
    give_turn(FY_CONTAINER(timer, struct fy_tls_pace, timer)->sched);
}

int64_t fy_tls_pace_begin(struct fy_tls_pace *pace, struct fy_chan *canceled)
{
    struct fy_sched *sched = fy_sched_running();
    int64_t began = fy_now();
    *pace = (struct fy_tls_pace){.sched = sched};
    if (sched->handshakes < MOST_UNDER_WAY) {
        sched->handshakes++;
    } else {
        struct fy_case cases[] = {FY_RECEIVE_FROM(&sched->handshake_over),
                                  FY_RECEIVE_FROM(canceled)};
        if (fy_select(cases, 2, FY_NEVER, "waiting for its turn to shake hands") == 1) {
            return fy_now() - began;
        }
    }
    int64_t now = fy_now();
    fy_timer_arm(&sched->timers, &pace->timer, now + fy_tls_pace_counted, count_no_longer);
    return now - began;
}

void fy_tls_pace_end(struct fy_tls_pace *pace)
{
    if (fy_timer_armed(&pace->timer)) {
        fy_timer_disarm(&pace->sched->timers, &pace->timer);
        give_turn(pace->sched);
    }
}
