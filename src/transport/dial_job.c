/*
 * The dial task. It is a task of its own, so that the request which wanted it may be served by another
 * connection first; the dialed one then joins the pool and is not wasted.
 */
#include "transport/dial_job.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/slab.h"
#include "http/request.h"
#include "net/connect.h"
#include "transport/get_conn.h"
#include "transport/idle_pool.h"
#include "transport/trace.h"
#include "watch/snapshot.h"

/* With the texts of its names, but for long ones. From a slab, since a burst of dials would otherwise
 * lie in the heap between what stays. */
#define JOB_BYTES 576
_Static_assert(sizeof(struct fy_dial_job) < JOB_BYTES, "there is room for texts");

FY_SLAB_STATIC(jobs, JOB_BYTES, FY_SLAB_CHUNK)

static void job_free(struct fy_dial_job *job)
{
    fy_list_remove(&job->exit.link);
    fy_want_release(job->want);
    fy_transport_release(job->transport);
    ferry_context_free(job->context);
    free(job->detour);
    free(job->user_agent);
    fy_route_end(&job->route);
    free(job->long_texts);
    fy_slab_give(&jobs, job);
}

/* The thread has ended in the middle of a dial function of the user's: its task is no more. */
static void job_lost(struct fy_exit_hook *hook)
{
    struct fy_dial_job *job = FY_CONTAINER(hook, struct fy_dial_job, exit);
    job->want->dial = NULL;
    FY_HOST_COUNT(job->counts, dial_failures);
    job_free(job);
}

static const struct fy_exit_kind lost_job = {.run = job_lost};

/* The thread ends. A dial function of the user's may never come back: its place is freed now. */
static void job_exit(struct fy_exit_hook *hook)
{
    struct fy_dial_job *job = FY_CONTAINER(hook, struct fy_dial_job, exit);
    fy_chan_close(&job->canceled);
    job->place_lost = true;
    fy_want_dial_over(job->want);
    fy_pool_free_place(job->transport, job->host);
    hook->kind = &lost_job;
    fy_list_push_front(&fy_sched_running()->leftovers, &hook->link);
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
    fy_want_release(want);
    return over;
}

/* In the child of a fork, where what has been begun of it is closed already. */
static void job_in_child(struct fy_exit_hook *hook)
{
    fy_list_remove(&hook->link);
    job_exit(hook);
}

static const struct fy_exit_kind ending_job = {
    .run = job_exit, .settle = job_settle, .settles = job_settles, .forked = job_in_child};

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

/* Whether the dial leaves the probes of the peer to the connection. Where more is agreed on than TCP
 * they have to be there while that is; a socket of the user's is the user's to set up. */
static bool puts_probes_off(const struct fy_dial_job *job)
{
    const struct fy_transport_settings *set = &job->transport->set;
    return set->keep_alive_probe_ms >= 0 && !job->secure && job->route.proxy == NULL &&
           set->dial == NULL && set->unix_socket == NULL;
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
        .keep_alive_probe_ms = puts_probes_off(job) ? -1 : set->keep_alive_probe_ms,
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
    } else if ((conn = fy_persist_conn_new(job->transport, job->host, stream, info, &job->route,
                                           puts_probes_off(job))) == NULL) {
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
        fy_want_fail(job->want, &err);
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
    bool is_long = name_size + host_port_size > JOB_BYTES - sizeof(struct fy_dial_job);
    char *long_texts = is_long ? malloc(name_size + host_port_size) : NULL;
    struct fy_dial_job *job = fy_slab_take(&jobs);
    if (job == NULL || (is_long && long_texts == NULL)) {
        free(long_texts);
        fy_slab_give(&jobs, job);
        return NULL;
    }
    *job = (struct fy_dial_job){.long_texts = long_texts};
    fy_list_init(&job->exit.link);
    fy_chan_init(&job->canceled, NULL, 0);
    job->name = memcpy(is_long ? long_texts : (char *)(job + 1), req->url.host, name_size);
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
    if (req->trace.size != 0) {
        job->trace = req->trace;
        job->trace_arg = req->trace_arg;
    }
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

void fy_dial_start(struct fy_want *want)
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
        fy_want_fail(want, &err);
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
    job->exit.kind = &ending_job;
    fy_list_push_front(&fy_sched_running()->exit_hooks, &job->exit.link);
}
