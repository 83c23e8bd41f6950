/*
 * A request's route: directly, or through which proxy, and how. And what a transport knows of
 * proxies: its options, or else the environment. Called by the round trip.
 */
#ifndef FY_TRANSPORT_ROUTE_H
#define FY_TRANSPORT_ROUTE_H

#include <pthread.h>
#include <stdbool.h>

#include <ferry.h>

#include "base/arena.h"
#include "base/fork.h"
#include "http/header.h"
#include "net/proxy.h"
#include "net/proxy_choice.h"
#include "transport/transport_tls.h"

struct fy_host_key;

/* Zero-filled: directly. */
struct fy_route {
    struct fy_proxy *proxy; /* a hold; NULL: none */
    bool absolute;          /* its requests are sent to the proxy in absolute form */
};

/* How many proxies' objects are kept by their settings: with them, what they asked for as Digest
 * credentials. */
#define FY_PROXIES_KEPT 16

/* Constant but for what the lock is for. */
struct fy_proxies {
    bool any;         /* a request may have a proxy: false is the short way */
    bool environment; /* settings are the environment's; else there is one for all, or fn tells */
    struct fy_proxy_settings settings; /* own copies; of an option's proxy: all_proxy */
    ferry_proxy_fn fn;                 /* the user's, called outside the lock; NULL: none */
    void *fn_arg;
    bool tunnel, digest;
    struct fy_header fields; /* for proxies only */
    struct fy_arena arena;   /* of the fields */
    ferry_error refused;     /* why the fields cannot be used; code 0: they can */
    bool own_tls;            /* HTTPS proxies have settings of their own: */
    struct fy_transport_tls tls;
    struct fy_fork_lock held;
    pthread_mutex_t lock;                   /* of all below; nothing else is taken under it */
    struct fy_proxy *kept[FY_PROXIES_KEPT]; /* most recently used first; holds */
};

/* 0, or -1 when out of memory. Reads the environment if the options do not name a proxy. */
int fy_proxies_init(struct fy_proxies *proxies, const ferry_transport_options *options);
void fy_proxies_destroy(struct fy_proxies *proxies);

/* Chooses a request's route: 0, or -1 and *err when there is none that may be taken. Ends the lock
 * for a function of the user's. */
int fy_route_choose(ferry_transport *transport, const ferry_request *req, struct fy_route *route,
                    ferry_error *err);

void fy_route_copy(struct fy_route *route, const struct fy_route *from);
void fy_route_end(struct fy_route *route); /* as if it had been direct */

/* What the connections of a request's route are pooled by; borrowed from both. */
struct fy_host_key fy_route_key(const struct fy_route *route, const ferry_request *req);

/* Appends the value of Proxy-Authorization for a request in absolute form; nothing if there is none
 * of ours to be sent. */
int fy_route_authorize(const struct fy_route *route, const ferry_transport *transport,
                       const ferry_request *req, struct fy_buffer *value, ferry_error *err);

/* Looks at the response to a request in absolute form: 1 when it is a challenge of the proxy's that
 * is answered when the request is sent once more, 0 when it is not, -1 and *err. */
int fy_route_challenged(const struct fy_route *route, const ferry_transport *transport,
                        const ferry_request *req, const ferry_response *res, ferry_error *err);

#endif
