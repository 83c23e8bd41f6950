/*
 * A proxy: what its setting says, and the credentials that it is shown. Called by the dial, and by
 * transports, whose connections hold the proxy that they go through.
 */
#ifndef FY_NET_PROXY_H
#define FY_NET_PROXY_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <ferry.h>

#include "base/buffer.h"
#include "base/fork.h"
#include "http/digest.h"
#include "http/header.h"

enum fy_proxy_kind {
    FY_PROXY_HTTP,
    FY_PROXY_HTTPS,   /* HTTP inside TLS */
    FY_PROXY_SOCKS5,  /* is told addresses */
    FY_PROXY_SOCKS5H, /* is told names */
    FY_PROXY_SOCKS4,  /* is told addresses, of IPv4 */
    FY_PROXY_SOCKS4A  /* is told names */
};

/* Constant once made, but for the holds and what the lock is for: any number of threads may use
 * one. */
struct fy_proxy {
    atomic_int holds;
    enum fy_proxy_kind kind;
    /* As it was given: two proxies are one if these are equal. Has the password in it, and is never
     * shown. */
    char *setting;
    char *host;      /* no brackets */
    char *host_port; /* "[::1]:3128": what messages call it */
    uint16_t port;
    char *user, *password; /* percent-decoded, or NULL */
    bool digest;           /* they answer a challenge, and do not go out as Basic credentials */

    struct fy_fork_lock held;
    pthread_mutex_t lock;                 /* of all below; nothing else is taken under it */
    struct fy_digest_challenge challenge; /* the last that came; block NULL: none yet */
    char cnonce[33];
    uint32_t count; /* answers made to it */
};

/* A proxy from a setting ("host:3128", "http://user:password@host:3128", "socks5h://host"), with
 * one hold. Ports are 80, 443 and 1080 where none is given; a path is passed over. NULL and *err,
 * whose message has no password in it. */
struct fy_proxy *fy_proxy_new(const char *setting, bool digest, ferry_error *err);
struct fy_proxy *fy_proxy_hold(struct fy_proxy *proxy); /* NULL is fine; returns it */
void fy_proxy_release(struct fy_proxy *proxy);          /* NULL is fine */

bool fy_proxy_is_socks(const struct fy_proxy *proxy);
bool fy_proxy_is_socks4(const struct fy_proxy *proxy); /* 4 or 4A */

/* Appends the value of the Proxy-Authorization field of a request to it: nothing if it has no
 * credentials, or is yet to ask for Digest ones. No NUL. */
int fy_proxy_authorize(struct fy_proxy *proxy, const char *method, const char *target,
                       struct fy_buffer *value, ferry_error *err);

/* What a 407's header says. FY_DIGEST_FOUND: from now on there is an answer to it. FY_DIGEST_NONE:
 * there is none that would help. FY_DIGEST_FAILED: *err. */
enum fy_digest_found fy_proxy_challenged(struct fy_proxy *proxy, const struct fy_header *header,
                                         ferry_error *err);

#endif
