/*
 * Connecting: the dial, perhaps through a proxy, and TLS on top of it.
 */
#include "net/connect.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "net/stream_ends.h"
#include "task/clock.h"
#include "task/sched.h"

static void trace_start(const struct fy_dial *dial)
{
    if (dial->trace != NULL && dial->trace->tls_handshake_start != NULL) {
        fy_leave();
        dial->trace->tls_handshake_start(dial->trace_arg);
        (void)fy_enter();
    }
}

static void trace_done(const struct fy_dial *dial, const struct fy_tls_info *info,
                       const ferry_error *err)
{
    if (dial->trace != NULL && dial->trace->tls_handshake_done != NULL) {
        fy_leave();
        dial->trace->tls_handshake_done(dial->trace_arg, info != NULL ? &info->shown : NULL, err);
        (void)fy_enter();
    }
}

/* Whoever offers h2 by an option gets what it asks for, and cannot be talked to in HTTP/1.1. */
static int check_protocol(const struct fy_connect *connect, const struct fy_tls_info *info,
                          ferry_error *err)
{
    if (strcmp(info->shown.alpn, "h2") != 0) {
        return 0;
    }
    return fy_fail(
        err, FERRY_EUNSUPPORTED, 0,
        "tls %s: the server chose HTTP/2 (ALPN), which is not spoken here: do not offer h2",
        connect->name_port);
}

/* The connection's first line, of the PROXY protocol's version 1: a stream's own ends, for a server
 * that would otherwise only see its load balancer's. */
static int introduce(const struct fy_connect *connect, struct fy_stream *stream, ferry_error *err)
{
    struct fy_stream_ends ends;
    char line[2 * FY_END_TEXT + 32];
    char from[FY_END_TEXT];
    char to[FY_END_TEXT];
    int from_port;
    int to_port;
    fy_stream_ends(stream, &ends);
    if (fy_address_split(&ends.local, from, sizeof from, &from_port) &&
        fy_address_split(&ends.remote, to, sizeof to, &to_port)) {
        snprintf(line, sizeof line, "PROXY TCP%d %s %s %d %d\r\n",
                 ends.local.sockaddr.ss_family == AF_INET6 ? 6 : 4, from, to, from_port, to_port);
    } else {
        snprintf(line, sizeof line, "PROXY UNKNOWN\r\n");
    }
    struct iovec iov = {line, strlen(line)}; /* a new connection takes that at once */
    int failed = fy_stream_write_all(stream, &iov, 1, "introducing a connection");
    return failed == 0
               ? 0
               : fy_fail(err, FERRY_EWRITE, -failed, "telling %s this connection's ends: %s",
                         connect->name_port, fy_errno_text(-failed));
}

/* TLS over the stream: 0, and *stream is the one to use; else *stream is as it was. */
static int secure(const struct fy_connect *connect, struct fy_stream **stream,
                  struct fy_tls_info **info, ferry_error *err)
{
    const struct fy_dial *dial = &connect->dial;
    if (connect->in_handshake != NULL) {
        *connect->in_handshake = true;
    }
    trace_start(dial);
    int64_t began = fy_now();
    struct fy_stream *over =
        fy_tls_client(connect->tls, *stream, connect->name, connect->name_port,
                      fy_after_ms(connect->handshake_timeout_ms), dial->canceled, err);
    int result = over != NULL ? 0 : -1;
    if (over != NULL) {
        *stream = over;
        *info = fy_tls_info_new(over);
        result = *info != NULL ? check_protocol(connect, *info, err) : fy_fail_memory(err);
    }
    if (result == 0 && dial->times != NULL) {
        dial->times->tls = fy_now() - began;
    }
    trace_done(dial, result == 0 ? *info : NULL, result == 0 ? NULL : err);
    return result;
}

struct fy_stream *fy_connect(const struct fy_connect *connect, struct fy_tls_info **info,
                             ferry_error *err)
{
    *info = NULL;
    struct fy_stream *stream = connect->through != NULL
                                   ? fy_dial_through(&connect->dial, connect->through, err)
                                   : fy_dial(&connect->dial, err);
    if (stream == NULL) {
        return NULL;
    }
    if (connect->proxy_protocol && introduce(connect, stream, err) != 0) {
        goto fail;
    }
    if (connect->tls != NULL && secure(connect, &stream, info, err) != 0) {
        goto fail;
    }
    return stream;
fail:
    fy_tls_info_release(*info);
    *info = NULL;
    stream->ops->free(stream);
    return NULL;
}
