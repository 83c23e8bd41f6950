/*
 * A transport's TLS configuration: made from the caller's options when the transport is, or, where
 * there are none, from the system's when the first https request wants it. So a program that never
 * asks for https never reads a trust store.
 */
#ifndef FY_TRANSPORT_TRANSPORT_TLS_H
#define FY_TRANSPORT_TRANSPORT_TLS_H

#include <pthread.h>

#include <ferry.h>

#include "base/fork.h"
#include "net/tls.h"

struct fy_transport_tls {
    pthread_mutex_t lock; /* guards config; nothing is taken under it, nobody parks */
    struct fy_fork_lock held;
    struct fy_tls_config *config; /* constant once made; NULL: not yet */
    ferry_error refused; /* constant: why the caller's options cannot be used; code 0: they can */
};

/* 0, or -1 when out of memory. options NULL: the defaults. */
int fy_transport_tls_init(struct fy_transport_tls *tls, const ferry_tls_options *options);
void fy_transport_tls_destroy(struct fy_transport_tls *tls);

/* The configuration, which lasts as long as the transport; NULL and *err. */
struct fy_tls_config *fy_transport_tls(struct fy_transport_tls *tls, ferry_error *err);

#endif
