/*
 * get_conn: an idle connection, or a want, and what comes for it first. Only when the request is
 * cancelled, and nobody else waits at its host, is its dial cancelled too.
 */
#include "transport/get_conn.h"

#include <stdlib.h>
#include <string.h>

#include "base/errno.h"
#include "base/error.h"
#include "http/request.h"
#include "transport/dial_job.h"
#include "transport/idle_pool.h"
#include "transport/trace.h"
#include "transport/want.h"

/* How long a dial is put off while a closed body of the host is being read on: about what it takes
 * until the rest of a short body, already on its way, is here and its connection can be had. */
#define DRAIN_GRACE_MS 5

/* How long a dial is put off since there is another's that nobody needs. That one is ahead; but it
 * may be the one of all that goes nowhere, or its thread may be elsewhere. */
#define RELIANCE_MS 250

/* How old the last look at the descriptors may be before idle connections are taken at their word. */
#define STALE_AFTER FY_MILLISECOND

void fy_get_conn_undo(struct fy_persist_conn *conn)
{
    enum ferry_put_result result = fy_pool_try_put(conn);
    if (result != FERRY_PUT_OK) {
        fy_persist_conn_close_for(conn, FY_TRIP_FAILED, FERRY_ECANCELED,
                                  ferry_put_result_string(result));
    }
}

/* ------------------------------------------------------------------------------------ wanting */

/* A place has become free, and is reserved for this want. */
static void run_granted(struct fy_post *post)
{
    struct fy_want *want = FY_CONTAINER(post, struct fy_want, post);
    if (want->over) {
        fy_want_dial_over(want);
        fy_pool_free_place(want->transport, want->host);
    } else {
        fy_dial_start(want);
    }
    fy_want_release(want); /* the queue's, which the post took over */
}

/* Another thread's connection is this want's, unless that is over meanwhile. */
static void run_promise(struct fy_post *post)
{
    struct fy_want *want = FY_CONTAINER(post, struct fy_want, promise);
    struct fy_persist_conn *conn = fy_want_promised(want);
    bool in_queue = want->promised_in_queue;
    if (conn != NULL) {
        want->over = true;
        want->given = conn;
        (void)fy_chan_try_send(&want->ready, conn); /* its one place is free */
    }
    if (in_queue) {
        fy_want_release(want);
    }
    fy_want_release(want);
}

/* The request does not want any more: it is served, has failed, or gives up. */
static void want_end(struct fy_want *want, bool canceled)
{
    want->over = true;
    fy_list_remove(&want->exit.link);
    bool nobody_else = fy_want_leave(want, canceled);
    if (want->dial != NULL) {
        want->dial->trace = (ferry_trace){0};
        if (canceled && nobody_else) {
            fy_chan_close(&want->dial->canceled);
        }
    }
    want->req = NULL;
    want->route = NULL;
}

/* A connection may have been delivered in the very moment of the cancel, or of the thread's end. */
static void give_back(struct fy_want *want)
{
    struct fy_persist_conn *conn = want->given;
    want->given = NULL;
    if (conn == NULL) {
        return;
    }
    if (conn->sched != want->sched) {
        fy_pool_return(conn);
        return;
    }
    fy_get_conn_undo(conn);
    fy_persist_conn_release(conn);
}

static void give_place_back(struct fy_want *want)
{
    if (want->has_place) {
        want->has_place = false;
        fy_pool_free_place(want->transport, want->host);
    }
}

/* The thread ends with the request still waiting; its task will not go on. */
static void want_exit(struct fy_exit_hook *hook)
{
    struct fy_want *want = FY_CONTAINER(hook, struct fy_want, exit);
    want_end(want, true);
    give_place_back(want);
    give_back(want);
    fy_want_release(want);
}

/* In the child of a fork: if the request's task goes on there, it is told. */
static void want_in_child(struct fy_exit_hook *hook)
{
    struct fy_want *want = FY_CONTAINER(hook, struct fy_want, exit);
    ferry_error err = {0};
    fy_fail(&err, FERRY_ECANCELED, 0,
            "the process was forked while the request waited for a connection");
    fy_want_fail(want, &err);
    give_place_back(want);
}

static const struct fy_exit_kind lost_want = {.run = want_exit, .forked = want_in_child};

static struct fy_want *want_new(ferry_transport *transport, ferry_request *req,
                                const struct fy_route *route)
{
    struct fy_want *want = fy_want_alloc();
    if (want == NULL) {
        return NULL;
    }
    want->holds = 1;
    want->transport = transport;
    fy_transport_hold(transport);
    want->req = req;
    want->route = route;
    want->sched = fy_sched_running();
    want->post.run = run_granted;
    want->promise.run = run_promise;
    want->exit.kind = &lost_want;
    fy_list_init(&want->waiter_link);
    fy_list_init(&want->queue_link);
    fy_chan_init(&want->ready, want->ready_place, 1);
    fy_chan_init(&want->dialed, NULL, 0);
    fy_list_push_front(&want->sched->exit_hooks, &want->exit.link);
    return want;
}

enum outcome {
    ANSWERED, /* served, or failed: the connection, or NULL and the want's error */
    CANCELED,
    TIME_OVER
};

/* Parks until the want has an answer, the cancel has ended, or the time is over. */
static enum outcome wait_for(struct fy_want *want, struct fy_cancel *cancel, int64_t deadline,
                             struct fy_persist_conn **conn, const char *why)
{
    struct fy_case cases[] = {
        FY_RECEIVE_FROM(&want->ready),
        FY_RECEIVE_FROM(fy_cancel_done(cancel)),
    };
    switch (fy_select(cases, 2, deadline, why)) {
    case 0:
        *conn = cases[0].value;
        want->given = NULL;
        return ANSWERED;
    case 1: return CANCELED;
    default: return TIME_OVER;
    }
}

/* Sees to it that a connection comes, and waits for it. */
static enum outcome await_conn(struct fy_want *want, int entry, struct fy_cancel *cancel,
                               struct fy_persist_conn **conn)
{
    if (entry == FY_WANT_RELIES) {
        enum outcome outcome = wait_for(want, cancel, fy_after_ms(RELIANCE_MS), conn,
                                        "waiting for a dial that another request has begun");
        if (outcome != TIME_OVER) {
            return outcome;
        }
        entry = fy_want_rely_no_more(want);
    }
    if (entry == FY_WANT_QUEUED) {
        return wait_for(want, cancel, FY_NEVER, conn,
                        "waiting for a connection's place at its host");
    }
    if (entry == FY_WANT_DRAIN) {
        enum outcome outcome = wait_for(want, cancel, fy_after_ms(DRAIN_GRACE_MS), conn,
                                        "waiting for a closed body to be read on, before dialing");
        if (outcome != TIME_OVER) {
            give_place_back(want);
            return outcome;
        }
        fy_want_dial_begins(want);
    }
    fy_dial_start(want);
    return wait_for(want, cancel, FY_NEVER, conn, "waiting for a connection");
}

/* A dial that has been cancelled is over in a moment, and is waited for, so that a cancelled
 * request leaves nothing behind; but not a user's dial function, which knows nothing of the
 * cancel. */
static void await_canceled_dial(struct fy_want *want)
{
    if (want->dial != NULL && want->dial->canceled.closed && want->transport->set.dial == NULL) {
        fy_chan_receive(&want->dialed, NULL, "waiting for a canceled dial to end");
    }
}

/* The connection that comes, perhaps one of another thread's; NULL with *err, or without one when
 * there is an idle connection to be taken. */
static struct fy_persist_conn *want_conn(ferry_transport *transport, ferry_request *req,
                                         const struct fy_route *route, struct fy_cancel *cancel,
                                         bool has_waited, ferry_error *err)
{
    struct fy_persist_conn *conn = NULL;
    struct fy_want *want = want_new(transport, req, route);
    if (want == NULL) {
        fy_fail_memory(err);
        return NULL;
    }
    want->has_waited = has_waited;
    want->deadline = cancel->deadline;
    const struct fy_host_key key = fy_route_key(route, req);
    int entry = fy_want_enter(want, &key);
    if (entry < 0 || entry == FY_WANT_TAKE) {
        fy_list_remove(&want->exit.link);
        fy_want_release(want);
        if (entry < 0) {
            fy_fail_memory(err);
        }
        return NULL;
    }
    if (await_conn(want, entry, cancel, &conn) == CANCELED) {
        fy_cancel_error(cancel, err);
        fy_error_suffix(err, " while waiting for a connection");
        want_end(want, true);
        await_canceled_dial(want);
        give_back(want);
    } else {
        want_end(want, false);
        if (conn == NULL) {
            *err = want->err;
        }
    }
    fy_want_release(want);
    return conn;
}

/* A connection that is fit for use, here; NULL with *err. *was_idle: it was in the pool. */
static struct fy_persist_conn *find_conn(ferry_transport *transport, ferry_request *req,
                                         const struct fy_route *route, struct fy_cancel *cancel,
                                         bool *was_idle, ferry_error *err)
{
    const struct fy_host_key key = fy_route_key(route, req);
    bool has_waited = false;
    for (;;) {
        struct fy_persist_conn *conn = fy_pool_take(transport, &key);
        *was_idle = conn != NULL;
        if (conn != NULL) {
            return conn;
        }
        err->code = 0;
        conn = want_conn(transport, req, route, cancel, has_waited, err);
        if (conn == NULL && err->code != 0) {
            return NULL;
        }
        if (conn != NULL && fy_pool_bring_here(conn)) {
            return conn;
        }
        has_waited = conn != NULL;
    }
}

struct fy_persist_conn *fy_get_conn(ferry_transport *transport, ferry_request *req,
                                    const struct fy_route *route, struct fy_cancel *cancel,
                                    ferry_error *err)
{
    FY_TRACE(req, get_conn, req->url.host_port);
    struct fy_sched *sched = fy_sched_running();
    int64_t now = fy_now();
    if (now - sched->now > STALE_AFTER) {
        fy_poll_now(); /* the thread was elsewhere: has a server closed an idle connection since? */
    } else {
        sched->now = now; /* near enough for whatever the request notes on its way */
    }
    bool was_idle;
    struct fy_persist_conn *conn = find_conn(transport, req, route, cancel, &was_idle, err);
    if (conn != NULL) {
        int64_t idle = conn->sched->now - conn->idle_since; /* nanoseconds; if it was */
        if (conn->reused) {
            FY_HOST_COUNT(conn->counts, reuses);
        }
        FY_TRACE(req, got_conn, conn->reused, was_idle ? idle / FY_MILLISECOND : -1);
        fy_persist_conn_trace(conn, req);
    }
    return conn;
}
