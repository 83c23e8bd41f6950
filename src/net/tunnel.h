/*
 * CONNECT: a tunnel through an HTTP proxy (RFC 9110 section 9.3.6). Called by the dial, in its
 * task, on a stream that is connected to the proxy.
 */
#ifndef FY_NET_TUNNEL_H
#define FY_NET_TUNNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ferry.h>

#include "http/header.h"
#include "http/response_parse.h"
#include "net/proxy.h"
#include "net/stream.h"
#include "task/chan.h"

/* Whom to ask for what. Borrowed during the call. */
struct fy_tunnel {
    struct fy_proxy *proxy;
    const char *host; /* of the target; no brackets */
    uint16_t port;
    const char *user_agent; /* NULL or "": none */
    /* More fields for the proxy; they go before the user agent and the proxy's own credentials
     * where they have the same name. NULL: none. */
    const struct fy_header *fields;
    size_t max_header_bytes; /* of what it answers */
    int max_header_fields;
    int64_t deadline;         /* fy_now() time; FY_NEVER: none */
    struct fy_chan *canceled; /* NULL: never */
    /* tunnel_*, called outside the lock: as struct fy_dial has it. NULL: none. */
    const ferry_trace *trace;
    void *trace_arg;
};

enum fy_tunnel_result {
    FY_TUNNEL_FAILED = -1,    /* *err */
    FY_TUNNEL_OPEN = 0,       /* the stream is the target's */
    FY_TUNNEL_CHALLENGED = 1, /* asked again, on another connection, it can be answered; *err is
                                 filled for who does not want to */
};

/* Asks for the tunnel. Unless it is open the stream is of no use any more. */
enum fy_tunnel_result fy_tunnel_connect(struct fy_stream *stream, const struct fy_tunnel *tunnel,
                                        ferry_error *err);

/* A proxy's answer, read as it comes. Zero-filled but for the limits. */
struct fy_tunnel_answer {
    size_t max_bytes;
    size_t max_fields;
    size_t at;               /* whole lines that have been taken */
    int status;              /* 0: the status line is yet to come */
    const char *reason;      /* the arena's */
    struct fy_header header; /* of the final answer: interim ones are passed over */
    size_t fields;           /* of those as well */
    struct fy_arena arena;   /* to be freed whatever comes of it */
    const char *problem;     /* for FY_PARSE_BAD: what was sent, as the end of a sentence; NULL: out
                                of memory */
};

/* Takes what has come, the bytes from the first on: FY_PARSE_END when the answer is whole ('at' is
 * its length), FY_PARSE_MORE, or FY_PARSE_BAD. Pure but for the arena. */
enum fy_parse_result fy_tunnel_parse(struct fy_tunnel_answer *answer, const char *bytes,
                                     size_t len);

#endif
