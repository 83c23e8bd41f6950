/*
 * A client inside: what sending a request goes by.
 */
#ifndef FY_CLIENT_CLIENT_H
#define FY_CLIENT_CLIENT_H

#include <ferry.h>

#include "client/credentials.h"
#include "client/retry.h"

/* Never changes once made, but for what the credentials, the jar and the HSTS store guard by
 * themselves. */
struct ferry_client {
    ferry_transport *transport;        /* borrowed; NULL: the default one */
    ferry_round_tripper round_tripper; /* round_trip NULL: the transport is used */
    int64_t timeout_ms;                /* 0: none */
    char *user_agent;
    int max_redirects;             /* -1: none is followed */
    ferry_redirect_fn on_redirect; /* NULL: all are */
    void *on_redirect_arg;
    ferry_cookie_jar *jar; /* borrowed; NULL: none */
    ferry_hsts *hsts;      /* borrowed; NULL: none */
    struct fy_credentials credentials;
    struct fy_retry retry;
};

#endif
