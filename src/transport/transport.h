/*
 * The transport as its own floor sees it: resolved options, the pool's books, the counters.
 *
 * Locks. A connection, its loops and its exchanges belong to one scheduler and are touched under
 * its lock. What all schedulers share, the pool, has pool.lock, which is taken last, under at most
 * one scheduler's lock, and never held while parking.
 */
#ifndef FY_TRANSPORT_TRANSPORT_H
#define FY_TRANSPORT_TRANSPORT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <ferry.h>

#include "base/fork.h"
#include "base/list.h"
#include "net/detours.h"
#include "net/local_end.h"
#include "net/resolve.h"
#include "transport/host_counts.h"
#include "transport/route.h"
#include "transport/transport_tls.h"
#include "watch/sources.h"

/* As ferry_transport_options, with every default put in and times in a form ready for use. */
struct fy_transport_settings {
    int max_idle, max_idle_per_host, max_per_host; /* INT_MAX: no limit */
    int64_t idle_timeout_ms, dial_timeout_ms, tls_handshake_timeout_ms, response_header_timeout_ms,
        expect_continue_timeout_ms;
    int64_t keep_alive_probe_ms, abandoned_ms, body_read_timeout_ms; /* all these: -1: none */
    size_t max_header_bytes;
    int max_header_fields;
    bool disable_keep_alives;
    bool disable_compression;
    int64_t max_decoded_bytes; /* -1: no limit */
    int64_t drain_bytes;       /* -1: never */
    int64_t drain_ms;
    int64_t fallback_delay_ms; /* -1: no limit */
    bool send_proxy_protocol;
    bool ignore_content_length;
    bool without_size; /* nobody knows what the options say: each round trip fails */
    struct fy_local_end local;
    struct fy_detours detours;
    char *unix_socket;
    ferry_dial_fn dial;
    void *dial_arg;
};

/* What connections are interchangeable for; borrowed texts. */
struct fy_host_key {
    const char *scheme;    /* "http" */
    const char *host_port; /* "example.org:80"; "": any, for a proxy's, in absolute form */
    const char *proxy;     /* its setting, credentials included; "": none */
};

/* A host: the connections of one key. Guarded by pool.lock. */
struct fy_host {
    char *scheme, *host_port, *proxy; /* the key */
    struct fy_link idle;              /* of fy_persist_conn, most recently used first */
    /* Of fy_want: requests that any connection coming free may serve, in order; and those of them that
     * wait for a slot to dial in (max_per_host). */
    struct fy_link waiters;
    struct fy_link queue;
    int idle_count;
    int conns;       /* open or being dialed: what max_per_host limits */
    int drains;      /* connections whose closed body is being read on */
    int dials;       /* under way, or about to be */
    int spare_dials; /* those of them that who began them does not need any more, less the requests
                        that wait for one instead of dialing, less lost_dials */
    int lost_dials;  /* how many of these were waited for in vain: they may never end */
    struct fy_host_counts *counts; /* of its key; set when the first request comes */
};

struct fy_pool {
    pthread_mutex_t lock;
    struct fy_fork_lock held;
    void *hosts;        /* tsearch tree of fy_host, by key */
    struct fy_link lru; /* of idle fy_persist_conn, of all hosts, most recently used first */
    int idle_count;
    int waiting;     /* wants in all hosts' waiters */
    bool monitored;  /* constant: idle connections are watched while their threads are away */
    bool close_idle; /* connections are not kept until the next request asks for one */
    bool freed;      /* ferry_transport_free has been called */
};

/* Written with relaxed atomics from any scheduler. What belongs to a host is counted there. */
struct fy_counters {
    atomic_uint_least64_t requests, responses, errors, retries;
    atomic_uint_least64_t early_closes, drained, abandoned;
};

struct ferry_transport {
    struct fy_transport_settings set; /* never changes */
    struct fy_pool pool;
    struct fy_resolver resolver;
    struct fy_transport_tls tls;
    struct fy_proxies proxies;
    struct fy_counters count;
    struct fy_hosts_counted hosts_counted;
    struct fy_stats_source source; /* its place among all that count */
    atomic_int holds; /* the user's, each connection's, each dial's: freed with the last */
};

#define FY_COUNT(transport, counter) \
    atomic_fetch_add_explicit(&(transport)->count.counter, 1, memory_order_relaxed)
#define FY_COUNT_DOWN(transport, counter) \
    atomic_fetch_sub_explicit(&(transport)->count.counter, 1, memory_order_relaxed)

void fy_transport_hold(ferry_transport *transport);
void fy_transport_release(ferry_transport *transport);

#endif
