/*
 * Making a connection: a name, its addresses, and a race between them, down to a byte stream. Runs
 * in a task of its own (a dial task, large stack) and parks there.
 */
#ifndef FY_NET_DIAL_H
#define FY_NET_DIAL_H

#include <stdint.h>

#include <ferry.h>

#include "net/address.h"
#include "net/local_end.h"
#include "net/resolve.h"
#include "net/stream.h"
#include "task/chan.h"

/* How long the steps of a dial that succeeded took, in nanoseconds; 0: there was no such step. */
struct fy_dial_times {
    int64_t dns;     /* the lookup, if one had to be made */
    int64_t connect; /* of all addresses that were tried, or of the user's dial function */
    int64_t tls;     /* with the host, not with a proxy */
};

/* What to connect to and how. Borrowed during the call. */
struct fy_dial {
    const char *host;      /* name or literal, no brackets */
    const char *host_port; /* for messages and the dial function: "[::1]:80" */
    uint16_t port;
    /* A path, or '@' and an abstract name (unix(7)): instead of all these. NULL: TCP. */
    const char *unix_socket;
    const struct fy_local_end *local; /* NULL: as the system likes */
    struct fy_resolver *resolver;     /* what is known of names; NULL: nothing */
    int64_t attempt_delay_ms;         /* between addresses; 0: the standard one; -1: in a row */
    int64_t deadline;                 /* fy_now() time; FY_NEVER: none */
    struct fy_chan *canceled;    /* closes when nobody wants the connection any more; NULL: never */
    int64_t keep_alive_probe_ms; /* below 0: no probes */
    /* The user's own, instead; called outside the lock. It cannot be cancelled, and what it brings
     * too late is still brought. NULL: none. */
    ferry_dial_fn dial;
    void *dial_arg;
    ferry_context *context;   /* for the user's own; NULL: none */
    int64_t request_deadline; /* likewise; fy_now() time; FY_NEVER: none */
    /* dns_* (when there is a lookup to wait for), connect_* and tunnel_*: all of the struct, whatever its
     * size says. Called outside the lock, one at a time, from the task that dials. NULL: none. */
    const ferry_trace *trace;
    void *trace_arg;
    struct fy_dial_times *times; /* filled in; NULL: nobody wants to know */
};

/* A connected stream, or NULL and *err: 'dial tcp 127.0.0.1:1: connection refused', 'dial tcp:
 * lookup nosuch.example: no such host', 'dial unix /run/x.sock: no such file or directory', 'dial
 * tcp 127.0.0.1:1: i/o timeout' (FERRY_ETIMEOUT). When all addresses fail, the first one's error is
 * told, of those that this machine has a way to if there are any. Every socket, task and byte of
 * the addresses that lost is gone when it returns. */
struct fy_stream *fy_dial(const struct fy_dial *dial, ferry_error *err);

/* Looks the host up, as a dial does first: fy_resolve() with the dial's trace. */
int fy_dial_resolve(const struct fy_dial *dial, struct fy_addresses *addresses, ferry_error *err);

#endif
