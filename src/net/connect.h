/*
 * From nothing to the byte stream that HTTP is spoken over: a dial, and what is stacked on it. Runs
 * in the dial's task (large stack) and parks there.
 */
#ifndef FY_NET_CONNECT_H
#define FY_NET_CONNECT_H

#include <stdbool.h>
#include <stdint.h>

#include <ferry.h>

#include "net/dial.h"
#include "net/dial_through.h"
#include "net/stream.h"
#include "net/tls.h"

/* Borrowed during the call. */
struct fy_connect {
    struct fy_dial dial;
    const char *name;                 /* whom TLS is agreed on with: the URL's host, no brackets */
    const char *name_port;            /* for messages: "[::1]:443" */
    const struct fy_through *through; /* a proxy; NULL: none */
    struct fy_tls_config *tls;        /* NULL: no TLS */
    int64_t handshake_timeout_ms;     /* -1: none */
    bool proxy_protocol;              /* it is told its ends first */
    bool *in_handshake; /* set when TLS begins to be agreed on, for whoever looks; NULL: nobody */
};

/* A stream, or NULL and *err: what fy_dial, fy_dial_through and fy_tls_client say. *info: what was
 * agreed, with one hold; NULL without TLS. */
struct fy_stream *fy_connect(const struct fy_connect *connect, struct fy_tls_info **info,
                             ferry_error *err);

#endif
