/*
 * The exchange's making and unmaking.
 */
#include "transport/exchange.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/fork.h"
#include "http/request.h"
#include "http/response.h"
#include "task/monitor.h"
#include "task/sched.h"
#include "transport/abandon.h"
#include "transport/persist_conn.h"
#include "transport/transport.h"

/* How many a scheduler keeps: as many as end and begin between two polls. */
#define SPARE_EXCHANGES 128

FY_SLAB_STATIC(exchanges, sizeof(struct fy_exchange), FY_SLAB_CHUNK)

struct fy_exchange *fy_exchange_new(ferry_transport *transport, ferry_request *req)
{
    struct fy_sched *sched = fy_sched_running();
    struct fy_spares *spares = &sched->exchanges;
    spares->slab = &exchanges;
    spares->most = SPARE_EXCHANGES;
    struct fy_exchange *exchange = fy_spare_take(spares);
    if (exchange == NULL) {
        return NULL;
    }
    memset(exchange, 0, offsetof(struct fy_exchange, written));
    exchange->holds = 1;
    exchange->sched = sched;
    exchange->req = req;
    exchange->process = fy_fork_count();
    exchange->transport = transport;
    exchange->put_trace = req->trace.size != 0 ? req->trace.put_idle_conn : NULL;
    exchange->trace_arg = req->trace_arg;
    fy_chan_init(&exchange->written, NULL, 0);
    fy_chan_init(&exchange->write_failed, NULL, 0);
    fy_chan_init(&exchange->go_on, exchange->go_on_place, 1);
    fy_chan_init(&exchange->answer, exchange->answer_place, 1);
    fy_chan_init(&exchange->fate_told, NULL, 0);
    fy_chan_init(&exchange->settled, NULL, 0);
    return exchange;
}

void fy_exchange_hold(struct fy_exchange *exchange)
{
    exchange->holds++;
}

void fy_exchange_release(struct fy_exchange *exchange)
{
    if (--exchange->holds > 0) {
        return;
    }
    fy_exchange_unwatch(exchange);
    fy_abandon_unwatch(exchange);
    if (exchange->entrusted && exchange->process == fy_fork_count()) {
        fy_monitor_watch(-1);
    }
    if (exchange->conn != NULL) {
        fy_persist_conn_release(exchange->conn);
    }
    fy_route_end(&exchange->route);
    fy_buffer_free(&exchange->lines);
    free(exchange->body_buffer);
    fy_spare_give(&exchange->sched->exchanges, exchange);
}

void fy_exchange_settled(struct fy_exchange *exchange)
{
    fy_persist_conn_release(exchange->conn);
    exchange->conn = NULL;
    fy_chan_close(&exchange->settled);
}

void fy_exchange_body_done(const ferry_request *req)
{
    const struct fy_request_body *body = &req->body;
    if (body->done != NULL && body->given) {
        fy_leave();
        body->done(body->done_arg);
        (void)fy_enter();
    }
}

void fy_exchange_close_delivered(struct fy_exchange *exchange)
{
    ferry_response *res = exchange->delivered;
    exchange->delivered = NULL;
    if (res != NULL) {
        fy_response_close(res);
    }
}

void fy_exchange_unwatch(struct fy_exchange *exchange)
{
    if (exchange->cancel_begun) {
        exchange->cancel_begun = false;
        fy_cancel_end(&exchange->cancel);
    }
}

void fy_exchange_decide(struct fy_exchange *exchange, enum fy_body_fate fate)
{
    if (exchange->fate == FY_FATE_NONE) {
        exchange->fate = fate;
        fy_abandon_unwatch(exchange);
        fy_chan_close(&exchange->fate_told);
    }
}

static void await_settled(struct fy_exchange *exchange)
{
    struct fy_case cases[] = {
        FY_RECEIVE_FROM(&exchange->settled),
        FY_RECEIVE_FROM(&exchange->conn->gone),
    };
    fy_select(cases, 2, FY_NEVER, "waiting for the connection to settle");
}

void fy_exchange_settle(struct fy_exchange *exchange, enum fy_body_fate fate)
{
    if (exchange->fate != FY_FATE_NONE) {
        return;
    }
    fy_exchange_decide(exchange, fate);
    struct fy_task *read_loop = exchange->conn->read_task;
    if (read_loop != NULL && fy_exchange_is_quiet(exchange)) {
        fy_loop_turn_here(read_loop);
    }
    if (!exchange->settled.closed) {
        await_settled(exchange);
    }
    if (exchange->res != NULL) {
        exchange->res->entry.holds_connection = false;
    }
}
