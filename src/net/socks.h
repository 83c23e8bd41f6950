/*
 * SOCKS5: RFC 1928, with the names and passwords of RFC 1929. Called by the dial, in its task, on a
 * stream that is connected to the proxy.
 */
#ifndef FY_NET_SOCKS_H
#define FY_NET_SOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ferry.h>

#include "net/address.h"
#include "net/proxy.h"
#include "net/stream.h"
#include "task/chan.h"

/* Whom to ask for what. Borrowed during the call. */
struct fy_socks {
    const struct fy_proxy *proxy;
    const struct fy_address *address; /* the target, its port included; NULL: by its name */
    const char *host;                 /* no brackets; used when address is NULL */
    uint16_t port;                    /* likewise */
    int64_t deadline;                 /* fy_now() time; FY_NEVER: none */
    struct fy_chan *canceled;         /* NULL: never */
};

/* Asks the proxy to connect. 0: from now on the stream is the target's. -1 and *err, the stream of
 * no use any more: FERRY_ECONNECT when the proxy could not reach the target ("socks5: host
 * unreachable"), FERRY_EPROXY when it would not, or broke the protocol. */
int fy_socks_connect(struct fy_stream *stream, const struct fy_socks *socks, ferry_error *err);

/* What a proxy's answer may be, so far. */
enum fy_socks_heard {
    FY_SOCKS_MORE,   /* right so far, and not all there */
    FY_SOCKS_WHOLE,  /* all there, and nothing behind it: *value */
    FY_SOCKS_BEYOND, /* there is something behind it, which nobody can have asked for */
    FY_SOCKS_BAD     /* *problem: what was sent, as the end of a sentence */
};

/* The three answers, as far as they are there; pure. method: that the proxy chose, 0xff for none;
 * status: 0 for right credentials; reply: its code, 0 for connected. Of a refusal only the code is
 * waited for. */
enum fy_socks_heard fy_socks_method(const uint8_t *bytes, size_t len, uint8_t *method,
                                    const char **problem);
enum fy_socks_heard fy_socks_status(const uint8_t *bytes, size_t len, uint8_t *status,
                                    const char **problem);
enum fy_socks_heard fy_socks_reply(const uint8_t *bytes, size_t len, uint8_t *reply,
                                   const char **problem);

#endif
