/*
 * Dialing: to a Unix socket, by the user's own function, or over TCP, where the name is looked up
 * and its addresses raced. Called by the transport, in a task of its own.
 */
#include "net/dial.h"

#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/errno.h"
#include "base/error.h"
#include "net/address.h"
#include "net/race.h"
#include "net/resolve.h"
#include "net/socket_stream.h"
#include "task/clock.h"
#include "task/sched.h"

/* Whether the channel has closed, or does so before the time. */
static bool canceled_by(const struct fy_dial *dial, int64_t time, const char *why)
{
    struct fy_case closed = FY_RECEIVE_FROM(dial->canceled);
    return fy_select(&closed, 1, time, why) == 0;
}

static bool is_late(const struct fy_dial *dial)
{
    return dial->deadline != FY_NEVER && fy_now() >= dial->deadline;
}

/* ------------------------------------------------------------------------------- Unix sockets */

/* 0, or the errno that connect() would give if it could be asked. */
static int unix_address(const char *path, struct sockaddr_un *address, socklen_t *len)
{
    size_t path_len = strlen(path);
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (path_len == 0) {
        return ENOENT;
    }
    bool abstract = path[0] == '@';
    if (path_len + !abstract > sizeof address->sun_path) {
        return ENAMETOOLONG;
    }
    memcpy(address->sun_path, path, path_len);
    if (abstract) {
        address->sun_path[0] = '\0';
    }
    *len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path_len + !abstract);
    return 0;
}

/* A Unix socket connects or fails on the spot, but for one case: the server's queue is full.
 * Nothing tells when there is room again, so it is tried again after pauses. 0 or -errno. */
static int connect_unix(const struct fy_dial *dial, struct fy_stream **stream)
{
    struct sockaddr_un address;
    socklen_t len;
    int error = unix_address(dial->unix_socket, &address, &len);
    if (error != 0) {
        return -error;
    }
    for (int64_t pause = FY_MILLISECOND;; pause = pause < 64 * FY_MILLISECOND ? pause * 2 : pause) {
        int result = fy_socket_stream_connect(stream, (const struct sockaddr *)&address, len, NULL);
        if (result != -EAGAIN) {
            return result;
        }
        if (is_late(dial)) {
            return -ETIMEDOUT;
        }
        int64_t until = fy_now() + pause;
        if (canceled_by(dial, until < dial->deadline ? until : dial->deadline,
                        "waiting for room in a Unix socket's queue")) {
            return -ECANCELED;
        }
    }
}

static struct fy_stream *dial_unix(const struct fy_dial *dial, ferry_error *err)
{
    struct fy_stream *stream = NULL;
    fy_trace_connect_start(dial, "unix", dial->unix_socket);
    int result = connect_unix(dial, &stream);
    if (result == -ETIMEDOUT) {
        fy_fail(err, FERRY_ETIMEOUT, 0, "dial unix %s: i/o timeout", dial->unix_socket);
    } else if (result != 0) {
        fy_connect_failed(dial, err, -result, "unix", dial->unix_socket);
    }
    fy_trace_connect_done(dial, "unix", dial->unix_socket, result != 0 ? err : NULL);
    return stream;
}

/* ------------------------------------------------------------------------- the user's function */

static const char *network(const struct fy_dial *dial)
{
    return dial->unix_socket != NULL ? "unix" : "tcp";
}

static const char *target_address(const struct fy_dial *dial)
{
    return dial->unix_socket != NULL ? dial->unix_socket : dial->host_port;
}

/* Until a deadline: 0 when it has passed, -1 when there is none. */
static int64_t ms_left(int64_t deadline)
{
    if (deadline == FY_NEVER) {
        return -1;
    }
    int64_t left = deadline - fy_now();
    return left > 0 ? (left + FY_MILLISECOND - 1) / FY_MILLISECOND : 0;
}

static int call_dial(const struct fy_dial *dial, ferry_error *err)
{
    ferry_dial_target target = {
        .size = sizeof target,
        .network = network(dial),
        .address = target_address(dial),
        .host = dial->unix_socket != NULL ? "localhost" : dial->host,
        .port = dial->unix_socket != NULL ? 0 : dial->port,
        .context = dial->context,
        .timeout_ms = ms_left(dial->deadline),
        .request_ms = ms_left(dial->request_deadline),
    };
    if (target.timeout_ms == 0) {
        return fy_fail(err, FERRY_ETIMEOUT, 0, "i/o timeout");
    }
    fy_leave();
    int fd = dial->dial(dial->dial_arg, &target, err);
    (void)fy_enter(); /* cannot fail: this thread has its scheduler */
    if (fd < 0 && err->code == 0) {
        fy_fail(err, FERRY_ECONNECT, 0, "the dial function failed");
    }
    return fd;
}

static int check_stream_socket(int fd, ferry_error *err)
{
    int type;
    socklen_t len = sizeof type;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) != 0) {
        return fy_fail(err, FERRY_EINVAL, errno, "what the dial function returned is unusable: %s",
                       fy_errno_text(errno));
    }
    if (type != SOCK_STREAM) {
        return fy_fail(err, FERRY_EINVAL, 0,
                       "what the dial function returned is unusable: not a stream socket");
    }
    return 0;
}

static struct fy_stream *dial_by_user(const struct fy_dial *dial, ferry_error *err)
{
    struct fy_stream *stream = NULL;
    *err = (ferry_error){0};
    int fd = call_dial(dial, err);
    if (fd < 0) {
        goto fail;
    }
    if (check_stream_socket(fd, err) != 0) {
        if (err->os_errno != EBADF) {
            close(fd);
        }
        goto fail;
    }
    stream = fy_socket_stream_new(fd);
    if (stream == NULL) {
        fy_fail_memory(err);
        close(fd);
        goto fail;
    }
    return stream;
fail:
    if (strncmp(err->message, "dial ", strlen("dial ")) != 0) {
        fy_error_prefix(err, "dial %s %s", network(dial), target_address(dial));
    }
    return NULL;
}

/* ---------------------------------------------------------------------------------------- TCP */

static int look_up(const struct fy_dial *dial, struct fy_addresses *addresses, ferry_error *err)
{
    const ferry_trace *trace = dial->trace;
    if (trace != NULL && trace->dns_start != NULL) {
        fy_leave();
        trace->dns_start(dial->trace_arg, dial->host);
        (void)fy_enter();
    }
    int64_t began = fy_now();
    int result = fy_resolve(dial->resolver, addresses, dial->host, dial->port, dial->deadline,
                            dial->canceled, err);
    if (result == 0 && dial->times != NULL) {
        dial->times->dns = fy_now() - began;
    }
    if (trace != NULL && trace->dns_done != NULL) {
        fy_leave();
        trace->dns_done(dial->trace_arg, addresses->count, result != 0 ? err : NULL);
        (void)fy_enter();
    }
    return result;
}

int fy_dial_resolve(const struct fy_dial *dial, struct fy_addresses *addresses, ferry_error *err)
{
    int known = fy_resolve_at_once(dial->resolver, addresses, dial->host, dial->port, err);
    if (known < 0 || (known == 0 && look_up(dial, addresses, err) != 0)) {
        return -1;
    }
    fy_local_end_choose(dial->local, addresses);
    if (addresses->count > 0) {
        return 0;
    }
    fy_addresses_free(addresses);
    return fy_fail(err, FERRY_ERESOLVE, 0, "lookup %s: it has no address of IPv%d", dial->host,
                   dial->local->family == AF_INET6 ? 6 : 4);
}

/* Whether a race was lost by the addresses, and not by this process or its user. */
static bool addresses_failed(const ferry_error *err)
{
    return err->code == FERRY_ECONNECT || err->code == FERRY_ETIMEOUT;
}

/* Notes how long a step took that has made a stream. */
static void note_connect(const struct fy_dial *dial, const struct fy_stream *stream, int64_t began)
{
    if (stream != NULL && dial->times != NULL) {
        dial->times->connect = fy_now() - began;
    }
}

static struct fy_stream *dial_tcp(const struct fy_dial *dial, ferry_error *err)
{
    struct fy_addresses addresses;
    if (fy_dial_resolve(dial, &addresses, err) != 0) {
        fy_error_prefix(err, "dial tcp");
        return NULL;
    }
    int64_t began = fy_now();
    struct fy_stream *stream = fy_race(dial, &addresses, err);
    note_connect(dial, stream, began);
    fy_addresses_free(&addresses);
    if (stream == NULL && addresses_failed(err)) {
        /* The name may have moved since it was looked up. */
        fy_resolve_suspect(dial->resolver, dial->host);
    }
    if (stream != NULL && dial->keep_alive_probe_ms >= 0) {
        fy_socket_stream_probe(stream, dial->keep_alive_probe_ms);
    }
    return stream;
}

struct fy_stream *fy_dial(const struct fy_dial *dial, ferry_error *err)
{
    if (canceled_by(dial, FY_AT_ONCE, "dialing")) {
        fy_fail(err, FERRY_ECANCELED, 0, "dial %s %s: canceled", network(dial),
                target_address(dial));
        return NULL;
    }
    if (dial->dial == NULL && dial->unix_socket == NULL) {
        return dial_tcp(dial, err);
    }
    int64_t began = fy_now();
    struct fy_stream *stream = dial->dial != NULL ? dial_by_user(dial, err) : dial_unix(dial, err);
    note_connect(dial, stream, began);
    return stream;
}
