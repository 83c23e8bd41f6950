/*
 * get_conn and the dial task. A dial is a task of its own, so that the request which wanted it may
 * be served by another connection first; the dialed one then joins the pool and is not wasted. Only
 * when the request is cancelled, and nobody else waits at its host, is the dial cancelled too.
 */
#include "transport/get_conn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "http/request.h"
#include "net/connect.h"
#include "transport/idle_pool.h"
#include "transport/trace.h"
#include "transport/want.h"
#include "watch/snapshot.h"

/* How long a dial is put off while a closed body of the host is being read on: about what it takes
 * until the rest of a short body, already on its way, is here and its connection can be had. */
#define DRAIN_GRACE_MS 5

/* How old the last look at the descriptors may be before idle connections are taken at their word.
 */
#define STALE_AFTER FY_MILLISECOND

/* ------------------------------------------------------------------------------------- dialing */

/* Under the lock of its scheduler. */
struct fy_dial_job {
    ferry_transport *transport; /* a hold */
    struct fy_host *host;       /* in which a place is reserved */
    struct fy_host_counts *counts;
    struct fy_want *want; /* a hold; its 'dial' is this until the job is done */
    bool place_lost;      /* the thread ends, and the place has been given back already */
    struct fy_chan canceled;
    struct fy_exit_hook exit;
    /* Copies, behind this struct: the dial may outlive the request. */
    char *name, *host_port;
    char *detour; /* where it goes instead, as a host_port; NULL: there */
    uint16_t port;
    bool secure;            /* https */
    bool in_handshake;      /* TLS is being agreed on */
    int64_t begun;          /* fy_now() */
    struct fy_route route;  /* a copy */
    char *user_agent;       /* for a proxy that is asked for a tunnel; NULL: none */
    ferry_context *context; /* a hold; NULL: none */
    int64_t request_deadline;
    ferry_trace trace; /* zeroed when the want is over: its callbacks may be no more */
    void *trace_arg;
};

static void want_release(struct fy_want *want)
{
    /* Who gives several holds back had them. NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
    if (--want->holds == 0) {
        fy_transport_release(want->transport);
        free(want);
    }
}

static void job_free(struct fy_dial_job *job)
{
    fy_list_remove(&job->exit.link);
    want_release(job->want);
    fy_transport_release(job->transport);
    ferry_context_free(job->context);
    free(job->detour);
    free(job->user_agent);
    fy_route_end(&job->route);
    free(job);
}

/* The thread ends. A dial function of the user's may never come back: its place is freed now. */
static void job_exit(struct fy_exit_hook *hook)
{
    struct fy_dial_job *job = FY_CONTAINER(hook, struct fy_dial_job, exit);
    fy_chan_close(&job->canceled);
    job->place_lost = true;
    fy_want_dial_over(job->want);
    fy_pool_free_place(job->transport, job->host);
}

/* The request was served by another connection: this one joins the pool, and outlives the thread. */
static bool job_settles(const struct fy_exit_hook *hook)
{
    const struct fy_dial_job *job = FY_CONTAINER(hook, const struct fy_dial_job, exit);
    return job->want->over && !job->canceled.closed && job->transport->set.dial == NULL &&
           job->transport->pool.monitored;
}

static bool job_settle(struct fy_exit_hook *hook, int64_t deadline)
{
    struct fy_want *want = FY_CONTAINER(hook, struct fy_dial_job, exit)->want;
    struct fy_case dialed = FY_RECEIVE_FROM(&want->dialed);
    want->holds++;
    bool over = fy_select(&dialed, 1, deadline, "waiting for a dial, before the thread ends") == 0;
    want_release(want);
    return over;
}

/* In the child of a fork, where what has been begun of it is closed already. */
static void job_in_child(struct fy_exit_hook *hook)
{
    fy_list_remove(&hook->link);
    job_exit(hook);
}

static void want_fail(struct fy_want *want, const ferry_error *err)
{
    if (fy_want_dialed(want, false)) {
        want->err = *err;
        (void)fy_chan_try_send(&want->ready, NULL); /* its one place is free */
    }
}

/* Whether the want still has use for the connection of its own dial. */
static bool want_deliver(struct fy_want *want, struct fy_persist_conn *conn)
{
    if (!fy_want_dialed(want, true)) {
        return false;
    }
    fy_persist_conn_hold(conn);
    want->given = conn;
    (void)fy_chan_try_send(&want->ready, conn);
    return true;
}

/* How to speak with the job's proxy: 0, or -1 and *err. */
static int set_through(struct fy_through *through, const struct fy_dial_job *job, ferry_error *err)
{
    const struct fy_transport_settings *set = &job->transport->set;
    struct fy_proxies *proxies = &job->transport->proxies;
    *through = (struct fy_through){
        .proxy = job->route.proxy,
        .tunnel = !job->route.absolute,
        .tls_timeout_ms = set->tls_handshake_timeout_ms,
        .user_agent = job->user_agent,
        .fields = &proxies->fields,
        .max_header_bytes = set->max_header_bytes,
        .max_header_fields = set->max_header_fields,
    };
    if (job->route.proxy->kind != FY_PROXY_HTTPS) {
        return 0;
    }
    through->tls = fy_transport_tls(proxies->own_tls ? &proxies->tls : &job->transport->tls, err);
    return through->tls != NULL ? 0 : -1;
}

static struct fy_stream *connect_stream(struct fy_dial_job *job, struct fy_tls_info **info,
                                        ferry_error *err)
{
    const struct fy_transport_settings *set = &job->transport->set;
    struct fy_connect connect = {.name = job->name,
                                 .name_port = job->host_port,
                                 .proxy_protocol = set->send_proxy_protocol,
                                 .handshake_timeout_ms = set->tls_handshake_timeout_ms,
                                 .in_handshake = &job->in_handshake};
    struct fy_through through;
    struct fy_dial_times times = {0};
    *info = NULL;
    if (set->local.refused.code != 0) {
        *err = set->local.refused;
        return NULL;
    }
    if (job->secure && (connect.tls = fy_transport_tls(&job->transport->tls, err)) == NULL) {
        return NULL;
    }
    if (job->route.proxy != NULL) {
        if (set_through(&through, job, err) != 0) {
            return NULL;
        }
        connect.through = &through;
    }
    connect.dial = (struct fy_dial){
        .host = job->name,
        .host_port = job->host_port,
        .port = job->port,
        .unix_socket = set->unix_socket,
        .local = &set->local,
        .attempt_delay_ms = set->fallback_delay_ms,
        .resolver = &job->transport->resolver,
        .deadline = fy_after_ms(set->dial_timeout_ms),
        .canceled = &job->canceled,
        .keep_alive_probe_ms = set->keep_alive_probe_ms,
        .dial = set->dial,
        .dial_arg = set->dial_arg,
        .context = job->context,
        .request_deadline = job->request_deadline,
        .trace = &job->trace,
        .trace_arg = job->trace_arg,
        .times = &times,
    };
    if (fy_detours_take(&set->detours, &connect.dial, &job->detour, err) != 0) {
        return NULL;
    }
    struct fy_stream *stream = fy_connect(&connect, info, err);
    fy_timed_dial(job->counts, &times);
    return stream;
}

void fy_get_conn_undo(struct fy_persist_conn *conn)
{
    enum ferry_put_result result = fy_pool_try_put(conn);
    if (result != FERRY_PUT_OK) {
        fy_persist_conn_close_for(conn, FY_TRIP_FAILED, FERRY_ECANCELED,
                                  ferry_put_result_string(result));
    }
}

static struct fy_persist_conn *dial_conn(struct fy_dial_job *job, ferry_error *err)
{
    struct fy_tls_info *info;
    struct fy_stream *stream = connect_stream(job, &info, err);
    if (stream == NULL) {
        return NULL;
    }
    struct fy_persist_conn *conn = NULL;
    if (job->place_lost) {
        fy_fail(err, FERRY_ECANCELED, 0, "the thread that dialed has ended");
    } else if ((conn = fy_persist_conn_new(job->transport, job->host, stream, info, &job->route)) ==
               NULL) {
        fy_fail_memory(err);
    }
    if (conn == NULL) {
        fy_tls_info_release(info);
        stream->ops->free(stream);
    }
    return conn;
}

static void dial_task(void *arg)
{
    struct fy_dial_job *job = arg;
    ferry_error err = {0};
    struct fy_persist_conn *conn = dial_conn(job, &err);
    job->want->dial = NULL;
    fy_chan_close(&job->want->dialed);
    if (conn == NULL) {
        FY_HOST_COUNT(job->counts, dial_failures);
        want_fail(job->want, &err);
        fy_want_dial_over(job->want);
        if (!job->place_lost) {
            fy_pool_free_place(job->transport, job->host);
        }
    } else {
        if (!want_deliver(job->want, conn)) {
            fy_get_conn_undo(conn);
        }
        fy_want_dial_over(job->want); /* not before the pool has what came of it */
        fy_persist_conn_release(conn);
    }
    job_free(job);
}

static struct fy_dial_job *job_new(struct fy_want *want)
{
    const ferry_request *req = want->req;
    const char *user_agent =
        want->route->proxy != NULL && !want->route->absolute ? fy_request_user_agent(req) : NULL;
    size_t name_size = strlen(req->url.host) + 1;
    size_t host_port_size = strlen(req->url.host_port) + 1;
    struct fy_dial_job *job = malloc(sizeof *job + name_size + host_port_size);
    if (job == NULL) {
        return NULL;
    }
    *job = (struct fy_dial_job){0};
    fy_list_init(&job->exit.link);
    fy_chan_init(&job->canceled, NULL, 0);
    job->name = memcpy(job + 1, req->url.host, name_size);
    job->host_port = memcpy(job->name + name_size, req->url.host_port, host_port_size);
    job->port = req->url.port;
    job->user_agent = user_agent != NULL ? strdup(user_agent) : NULL;
    fy_route_copy(&job->route, want->route);
    job->secure = strcmp(req->url.scheme, "https") == 0;
    job->host = want->host;
    job->counts = want->host->counts;
    job->want = want;
    want->holds++;
    job->transport = want->transport;
    fy_transport_hold(job->transport);
    job->context = fy_context_hold(req->context);
    job->request_deadline = want->deadline;
    job->begun = fy_now();
    job->trace = req->trace;
    job->trace_arg = req->trace_arg;
    if (user_agent != NULL && job->user_agent == NULL) {
        job_free(job);
        return NULL;
    }
    return job;
}

/* A connection that is being made, for a snapshot. */
static void describe_dial(const struct fy_task *task, struct fy_snapshot_connection *connection)
{
    const struct fy_dial_job *job = task->arg;
    const int64_t now = fy_now();
    connection->state = job->in_handshake ? FY_SNAPSHOT_HANDSHAKE : FY_SNAPSHOT_DIALING;
    connection->state_ns = now > job->begun ? now - job->begun : 0;
    connection->host = job->host_port;
    connection->secure = job->secure;
    connection->proxied = job->route.proxy != NULL;
    connection->read_loop = fy_snapshot_parked(task, now);
}

/* Starts the dial in the place that is reserved for it; when that cannot be done the want has
 * failed and the place is free again. */
static void start_dial(struct fy_want *want)
{
    struct fy_dial_job *job = job_new(want);
    struct fy_task *task = NULL;
    /* A failed job gives back only the hold that it took: the request, or the queue, has another.
     * NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
    want->has_place = false; /* it is the dial's now */
    if (job != NULL) {
        task = fy_task_start(FY_TASK_LIBRARY, FY_STACK_LARGE, "dial", dial_task, job);
    }
    if (task == NULL) {
        ferry_error err = {0};
        fy_fail_memory(&err);
        want_fail(want, &err);
        fy_want_dial_over(want);
        fy_pool_free_place(want->transport, want->host);
        if (job != NULL) {
            job_free(job);
        }
        return;
    }
    FY_HOST_COUNT(job->counts, dials);
    task->describe = describe_dial;
    want->dial = job;
    job->exit.run = job_exit;
    job->exit.settle = job_settle;
    job->exit.settles = job_settles;
    job->exit.forked = job_in_child;
    fy_list_push_front(&fy_sched_running()->exit_hooks, &job->exit.link);
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
        start_dial(want);
    }
    want_release(want); /* the queue's, which the post took over */
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
        want_release(want);
    }
    want_release(want);
}

/* The request does not want any more: it is served, has failed, or gives up. */
static void want_end(struct fy_want *want, bool canceled)
{
    want->over = true;
    fy_list_remove(&want->exit.link);
    bool nobody_else = fy_want_leave(want);
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
    want_release(want);
}

/* In the child of a fork: if the request's task goes on there, it is told. */
static void want_in_child(struct fy_exit_hook *hook)
{
    struct fy_want *want = FY_CONTAINER(hook, struct fy_want, exit);
    ferry_error err = {0};
    fy_fail(&err, FERRY_ECANCELED, 0,
            "the process was forked while the request waited for a connection");
    want_fail(want, &err);
    give_place_back(want);
}

static struct fy_want *want_new(ferry_transport *transport, ferry_request *req,
                                const struct fy_route *route)
{
    struct fy_want *want = calloc(1, sizeof *want);
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
    want->exit.run = want_exit;
    want->exit.forked = want_in_child;
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
        FY_RECEIVE_FROM(&cancel->done),
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
    start_dial(want);
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
        want_release(want);
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
    want_release(want);
    return conn;
}

/* A connection that is fit for use, here; NULL with *err. *idle_ms: as the trace's got_conn. */
static struct fy_persist_conn *find_conn(ferry_transport *transport, ferry_request *req,
                                         const struct fy_route *route, struct fy_cancel *cancel,
                                         int64_t *idle_ms, ferry_error *err)
{
    const struct fy_host_key key = fy_route_key(route, req);
    bool has_waited = false;
    for (;;) {
        struct fy_persist_conn *conn = fy_pool_take(transport, &key);
        if (conn != NULL) {
            *idle_ms = (fy_sched_running()->now - conn->idle_since) / FY_MILLISECOND;
            return conn;
        }
        *idle_ms = -1;
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
    int64_t idle_ms;
    struct fy_persist_conn *conn = find_conn(transport, req, route, cancel, &idle_ms, err);
    if (conn != NULL) {
        if (conn->reused) {
            FY_HOST_COUNT(conn->counts, reuses);
        }
        FY_TRACE(req, got_conn, conn->reused, idle_ms);
        fy_persist_conn_trace(conn, req);
    }
    return conn;
}
