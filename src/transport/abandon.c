/*
 * Closing what nobody reads. The timer is left alone while the body is read; when it goes off it
 * looks when that was last, as an idle connection's does. It decides the body's fate, and the read
 * loop does the rest; the response stays open, and on the ledger, until it is closed.
 */
#include "transport/abandon.h"

#include "http/response.h"
#include "task/clock.h"
#include "task/monitor.h"
#include "transport/body.h"
#include "transport/persist_conn.h"

static int64_t last_use(const struct fy_ledger_entry *entry)
{
    return entry->last_read > entry->opened ? entry->last_read : entry->opened;
}

static void look_if_abandoned(struct fy_timer *timer)
{
    struct fy_exchange *exchange = FY_CONTAINER(timer, struct fy_exchange, abandon_timer);
    int64_t limit = exchange->transport->set.abandoned_ms * FY_MILLISECOND;
    int64_t now = fy_now();
    /* A reader that waits for the server has not abandoned anything. */
    int64_t since = exchange->reading ? now : last_use(&exchange->res->entry);
    if (now - since < limit) {
        fy_timer_arm(&exchange->conn->sched->timers, timer, since + limit, look_if_abandoned);
        return;
    }
    exchange->abandoned = true;
    exchange->res->entry.abandoned = true;
    exchange->res->entry.holds_connection = false;
    FY_COUNT(exchange->transport, abandoned);
    fy_exchange_decide(exchange, FY_FATE_CLOSED);
}

void fy_abandon_watch(struct fy_exchange *exchange)
{
    int64_t limit = exchange->transport->set.abandoned_ms;
    if (limit >= 0) {
        exchange->abandon_watched = true;
        fy_timer_arm(&exchange->conn->sched->timers, &exchange->abandon_timer, fy_after_ms(limit),
                     look_if_abandoned);
        if (exchange->transport->pool.monitored) {
            fy_monitor_watch(1);
        }
    }
}

void fy_abandon_unwatch(struct fy_exchange *exchange)
{
    if (exchange->abandon_watched) {
        exchange->abandon_watched = false;
        fy_timer_disarm(&exchange->conn->sched->timers, &exchange->abandon_timer);
        if (exchange->transport->pool.monitored) {
            fy_monitor_watch(-1);
        }
    }
}
