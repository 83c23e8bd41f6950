/*
 * Making a connection through a proxy: a dial to it, TLS with it if it is an HTTPS proxy, and what
 * it takes until the stream is the target's. Called by the transport, in the dial's task.
 */
#ifndef FY_NET_DIAL_THROUGH_H
#define FY_NET_DIAL_THROUGH_H

#include <ferry.h>

#include "http/header.h"
#include "net/dial.h"
#include "net/proxy.h"
#include "net/stream.h"
#include "net/tls.h"

/* The proxy and how to speak with it. Borrowed during the call. */
struct fy_through {
    struct fy_proxy *proxy;
    /* An HTTP proxy is asked for a tunnel; else the stream leads to the proxy itself, for requests
     * in absolute form. SOCKS always leads to the target. */
    bool tunnel;
    struct fy_tls_config *tls; /* for an HTTPS proxy */
    int64_t tls_timeout_ms;    /* for the handshake with it; -1: none of its own */
    const char *user_agent;    /* these four: as struct fy_tunnel has them */
    const struct fy_header *fields;
    size_t max_header_bytes;
    int max_header_fields;
};

/* As fy_dial(), where the dial's host, host_port and port are the target's, and its deadline is
 * that of all of it: 'proxy 127.0.0.1:3128: dial tcp 127.0.0.1:3128: connection refused', 'proxy
 * 127.0.0.1:1080: socks5: host unreachable'. What became of no use on the way is gone. */
struct fy_stream *fy_dial_through(const struct fy_dial *dial, const struct fy_through *through,
                                  ferry_error *err);

#endif
