/*
 * The request object behind the public setters, and its head as bytes. No sockets: the write loop
 * sends what is made here.
 */
#ifndef FY_HTTP_REQUEST_H
#define FY_HTTP_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include <ferry.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "http/header.h"
#include "http/url.h"

enum fy_request_body_kind {
    FY_REQUEST_NO_BODY,
    FY_REQUEST_MEMORY,
    FY_REQUEST_FILE,
    FY_REQUEST_READER
};

/* Borrowed from the caller. */
struct fy_request_body {
    enum fy_request_body_kind kind;
    bool given;  /* there is one, if only an empty one, which is of no kind */
    int64_t len; /* bytes; -1: unknown (reader only; a file's is found when it is set) */
    const void *data;
    int fd;
    int64_t offset;
    ferry_read_fn read;
    int (*rewind)(void *arg);
    void *arg; /* of read, rewind and failure */
    /* What there is to say of a read that failed; NULL: its errno. */
    const ferry_error *(*failure)(const void *arg);
    void (*done)(void *done_arg); /* stays when the body is replaced; NULL: none */
    void *done_arg;
};

/* What is sent when nobody says otherwise. */
#define FY_USER_AGENT "ferry/" FERRY_VERSION

struct fy_chan;
struct fy_sched;
struct fy_request_trailer;

/* What a send is told besides the request: filled in by the client, for the round tripper below
 * it. */
struct fy_send {
    const char *file; /* the caller's place, for the ledger; NULL: unknown */
    int line;
    int64_t deadline;        /* fy_now() time, valid while deadline_of is not NULL */
    const char *deadline_of; /* whose it is, for messages; NULL: no client has set one */
    const char *user_agent;  /* of the client; NULL: none has said */
};

/* Touched by its caller between sends, by the send's tasks during one. */
struct ferry_request {
    const char *method;    /* behind the request, or static */
    char *target;          /* verbatim, or NULL: from url */
    struct fy_arena arena; /* of header */
    /* What the caller set, in order; never Content-Length, Transfer-Encoding, Trailer; at most one
     * Host; Connection without "close" and "keep-alive". */
    struct fy_header header;
    size_t stale;            /* bytes of arena that removed fields still hold */
    bool no_user_agent;      /* the caller removed it */
    bool no_authorization;   /* likewise: the URL's user info is not sent */
    bool no_accept_encoding; /* likewise: the body comes as the server has it */
    struct fy_request_body body;
    char *own_body; /* where body is not the caller's but made for it; or NULL */
    /* What goes out behind the body, http/trailer.h; the request's. NULL: nothing. */
    struct fy_request_trailer *trailer;
    bool body_dropped;  /* a redirect goes without the body, and so without the trailers */
    int64_t timeout_ms; /* 0: none */
    bool http_1_0;      /* it says so of itself */
    bool raw_body;      /* of its response: with the chunks' lines, and encoded */
    bool close; /* asked for by the setter or by "Connection: close", whichever spoke last */
    ferry_context *context; /* borrowed; NULL: none */
    struct fy_send send;
    bool body_read;    /* the reader has been called since it was set or rewound */
    bool handed_begun; /* a round tripper has read of the body in this round trip */
    int64_t handed_at; /* how far; valid while handed_begun */
    /* Closes when the write loop that still uses the request has done with it; NULL: none does. Set on
     * the sender's thread; cleared under the lock of its scheduler, which is written_on. */
    struct fy_chan *_Atomic writing;
    struct fy_sched *written_on;

    /* Not zeroed with the others when it is made, and for the most part never touched. */
    struct fy_url url;
    ferry_trace trace; /* its size 0: there is none, and nothing else of it valid */
    void *trace_arg;
    ferry_error refused; /* the first setter that refused; reported by the send. Code 0: none */
};

/* What the head's bytes depend on besides the request. */
struct fy_head_options {
    /* Sent unless the request has its own or removed it; NULL or "": none. */
    const char *user_agent;
    /* Sent as Accept-Encoding; NULL: none. */
    const char *accept_encoding;
    /* Add "Connection: close": exactly one such field is written, whoever asked for it. */
    bool close;
    /* To a proxy, in absolute form (RFC 9112 section 3.2.2); else Proxy-Authorization is not sent,
     * not even the caller's, unless the caller speaks to a proxy by itself: with CONNECT, or a
     * target that is a URL. */
    bool absolute;
    /* In absolute form: sent as Proxy-Authorization unless the request has its own; NULL: none. */
    const char *proxy_authorization;
    /* In absolute form: sent as well, but for those that the request has its own of; NULL: none. */
    const struct fy_header *proxy_fields;
};

/* Appends request line and header fields: line, Host, User-Agent, Connection, framing,
 * Authorization from the URL's user info (unless set), the caller's fields in order,
 * Accept-Encoding, those for a proxy, empty line.
 * Connection, Content-Length or Host are never written twice. Body framing: known length ->
 * Content-Length (0 only for POST, PUT, PATCH without a body); unknown -> chunked. CONNECT uses
 * host:port as target and sends its body raw. A set target, and a set Host for CONNECT, take the
 * URL's place. -1 and *err when out of memory, the only way to fail; *out then is to be thrown
 * away. */
int fy_request_write_head(const ferry_request *req, const struct fy_head_options *options,
                          struct fy_buffer *out, ferry_error *err);

/* Appends the request's target, as it stands in its request line. */
void fy_request_append_target(const ferry_request *req, bool absolute, struct fy_buffer *out);

/* What User-Agent says when a client, or nobody, has said so; NULL: it is not sent. */
const char *fy_request_user_agent(const ferry_request *req);

/* Whether the body goes out chunked: its length is not known, or trailers follow it. */
bool fy_request_chunked(const ferry_request *req);

/* Whether the request may be sent again after something of it was written: a safe method (GET,
 * HEAD, OPTIONS, TRACE: of the idempotent ones in RFC 9110 section 9.2.2 those that servers are
 * known to keep to, which is Go's rule) or an Idempotency-Key or X-Idempotency-Key field, and a
 * body that is absent, in memory, a file, or can be rewound. */
bool fy_request_replayable(const ferry_request *req);

/* Whether it is for the transport to ask for a content coding, and then to take it off: the caller
 * has said nothing about codings, and asks for no range, which would be one of the encoded bytes. A
 * HEAD is not asked about another representation than it was sent for, and a tunnel has none. */
bool fy_request_leaves_coding(const ferry_request *req);

/* As ferry_request_sleep(): ends with the request's context and with the deadline of the send that
 * it is in, if it is in one. why: for the dump. */
int fy_request_sleep(ferry_request *req, int64_t ms, const char *why, ferry_error *err);

/* A response may come before its request is written whole, and then the write loop still has the body.
 * Waits until it has done with it, on whichever thread. The first under the lock of the thread's
 * scheduler, the second outside. */
void fy_request_await_writing(ferry_request *req, const char *why);
void fy_request_join_writing(ferry_request *req, const char *why);

/* Outside the lock: keeps that write loop from having done with the request, until what this returns is
 * given to the other; NULL: there is none, and nothing to keep off. A round tripper may have sent the
 * request on another thread, and then this is that one's lock. */
struct fy_sched *fy_request_lock_writing(const ferry_request *req);
void fy_request_unlock_writing(struct fy_sched *locked);

/* Whether the body can be sent again from its beginning. */
bool fy_request_rewindable(const ferry_request *req);

/* What a program is told that sends NULL: ferry_request_new() returned it when it failed, and the
 * setters took it. Returns -1. */
int fy_fail_without_request(ferry_error *err) __attribute__((cold));

/* "Get", "Post", ...: the method as messages begin with it, in buffer, shortened if it does not
 * fit. */
const char *fy_request_verb(const ferry_request *req, char buffer[32]);

#endif
