/*
 * What a connection is, for a trace; and what it is doing, for whoever looks at the whole process
 * (watch/snapshot.h). The read loop's task describes its connection, so that nothing has to be
 * noted while requests go by, and nothing moves but the task.
 */
#include <string.h>

#include "base/debug.h"
#include "http/request.h"
#include "http/response.h"
#include "net/stream_ends.h"
#include "transport/persist_conn.h"
#include "transport/trace.h"
#include "watch/snapshot.h"

/* The request may be looked at until its round trip returns, and that waits for the answer, or for
 * the loops of a closed connection. */
static const char *request_url(const struct fy_exchange *exchange)
{
    return exchange->req->url.text;
}

static enum fy_snapshot_state state_of(const struct fy_persist_conn *conn, bool is_idle)
{
    const struct fy_exchange *exchange = conn->serving;
    if (conn->is_closed) {
        return FY_SNAPSHOT_CLOSING;
    }
    if (exchange == NULL || is_idle) {
        return FY_SNAPSHOT_IDLE;
    }
    if (conn->expected > 0) {
        return exchange->written.closed ? FY_SNAPSHOT_AWAITING : FY_SNAPSHOT_WRITING;
    }
    switch (exchange->fate) {
    case FY_FATE_NONE: return FY_SNAPSHOT_UNREAD;
    case FY_FATE_DRAIN: return FY_SNAPSHOT_DRAINING;
    default: return FY_SNAPSHOT_IDLE;
    }
}

void fy_persist_conn_describe(const struct fy_task *task, struct fy_snapshot_connection *connection)
{
    const struct fy_persist_conn *conn = task->arg;
    const int64_t now = fy_now();
    /* Another thread may be taking it out of the pool. */
    pthread_mutex_lock(&conn->transport->pool.lock);
    const bool is_idle = conn->is_idle;
    const int64_t idle_since = conn->idle_since;
    const bool has_host = conn->counted; /* else the host may be no more */
    pthread_mutex_unlock(&conn->transport->pool.lock);
    connection->number = conn->number;
    connection->state = state_of(conn, is_idle);
    connection->requests = conn->requests;
    connection->proxied = conn->route.proxy != NULL;
    connection->read_loop = fy_snapshot_parked(task, now);
    connection->write_loop = fy_snapshot_parked(conn->write_task, now);
    connection->state_ns = connection->read_loop.ns;
    if (has_host) { /* until it is closed, for which this scheduler's lock is needed */
        connection->secure = strcmp(conn->host->scheme, "https") == 0;
        connection->host = conn->host->host_port;
    }
    switch (connection->state) {
    case FY_SNAPSHOT_IDLE:
        connection->state_ns = is_idle && now > idle_since ? now - idle_since : 0;
        break;
    case FY_SNAPSHOT_WRITING:
    case FY_SNAPSHOT_AWAITING: connection->url = request_url(conn->serving); break;
    case FY_SNAPSHOT_UNREAD:
        connection->url = conn->serving->res != NULL ? conn->serving->res->url : NULL;
        break;
    default: break;
    }
}

/* For a debugger: a task that has 'describe' and a connection is its read loop, and has it as arg. */
extern FERRY_API const struct fy_debug_entry ferry_debug_connections[];
const struct fy_debug_entry ferry_debug_connections[] = {
    FY_DEBUG_FIELD(fy_persist_conn, host),      FY_DEBUG_FIELD(fy_persist_conn, counted),
    FY_DEBUG_FIELD(fy_persist_conn, serving),   FY_DEBUG_FIELD(fy_persist_conn, requests),
    FY_DEBUG_FIELD(fy_persist_conn, expected),  FY_DEBUG_FIELD(fy_persist_conn, is_idle),
    FY_DEBUG_FIELD(fy_persist_conn, is_closed), FY_DEBUG_FIELD(fy_host, scheme),
    FY_DEBUG_FIELD(fy_host, host_port),         FY_DEBUG_END,
};

void fy_persist_conn_trace(const struct fy_persist_conn *conn, ferry_request *req)
{
    struct fy_stream_ends ends;
    if (req->trace.size == 0 || req->trace.got_connection == NULL) {
        return;
    }
    fy_stream_ends(conn->stream, &ends);
    const ferry_connection_info info = {
        .size = sizeof info,
        .number = conn->number,
        .local = ends.local_text,
        .remote = ends.remote_text,
        .proxy = conn->route.proxy != NULL ? conn->route.proxy->host_port : "",
        .requests = conn->requests,
        .tls = conn->tls != NULL ? &conn->tls->shown : NULL,
    };
    FY_TRACE(req, got_connection, &info);
}
