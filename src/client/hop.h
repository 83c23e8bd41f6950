/*
 * The hops of one send. A request that is redirected, or sent again with credentials, goes out
 * several times with another method, URL or other fields each time. The caller's own request object
 * carries each hop in turn, so that its body, context and trace go along, and what it was is put
 * back at the end.
 */
#ifndef FY_CLIENT_HOP_H
#define FY_CLIENT_HOP_H

#include <stdbool.h>

#include "base/buffer.h"
#include "client/cookie_jar.h"
#include "client/redirect.h"
#include "http/request.h"

/* What the caller has sent, while the request carries a hop that is another. */
struct fy_first {
    struct ferry_request request;
    /* Its URL with https in its place, where hsts asked for that; else its block is NULL, and nothing
     * else of it valid. */
    struct fy_url secure;
};

/* Made by fy_hops_begin(). All of the sending task's, and on its stack: so what most sends have no need of,
 * being one hop, is allocated. */
struct fy_hops {
    ferry_request *req;
    /* Once req's method, URL and fields are a hop's own, to be freed at the end. NULL: they are not. */
    struct fy_first *first;
    bool secrets_gone; /* a hop led away from the first site: what was meant for it stays behind
                          from then on, even if a later hop leads back */
    bool body_read;    /* of the first request's body, by a hop */
    bool lent;         /* this hop's Authorization is one that the client has put there */
    bool lent_before;  /* ... for an attempt that is over: to be made anew */
    int retries;       /* how often a hop was sent again as the retry policy has it */
    ferry_hsts *hsts;  /* borrowed; NULL: none */
    struct fy_buffer cookies; /* the caller's Cookie fields, without those that servers have set;
                                   valid once cookies_known */
    bool cookies_known;
    struct fy_buffer hop_cookies; /* likewise of this hop, before the jar's are added */
    bool hop_cookies_known;
    bool hop_cookies_fewer;       /* some have been taken out since */
    void (*body_done)(void *arg); /* taken out of the body until the last hop */
};

void fy_hops_begin(struct fy_hops *hops, ferry_request *req);

/* Sends over https, from the first hop on, what goes to hosts that have asked for it (RFC 6797). */
int fy_hops_secure(struct fy_hops *hops, ferry_hsts *hsts, ferry_error *err);

/* Puts the request back as it was. */
void fy_hops_end(struct fy_hops *hops);

/* The request as its caller made it, and its URL. */
const ferry_request *fy_hops_first(const struct fy_hops *hops);

/* The URL that the first hop went to: whose server the caller's secrets are for. */
const struct fy_url *fy_hops_site(const struct fy_hops *hops);

/* Gives this hop fields of its own, so that some can be set. -1 when out of memory. */
int fy_hops_own(struct fy_hops *hops, ferry_error *err);

/* Sets a field on this hop alone. */
int fy_hops_set(struct fy_hops *hops, const char *name, const char *value, ferry_error *err);

/* Sets this hop's Authorization, which is the client's own to replace. */
int fy_hops_lend(struct fy_hops *hops, const char *authorization, ferry_error *err);

/* The hop is to go out once more as it is. */
void fy_hops_again(struct fy_hops *hops);

/* Adds the jar's cookies to those that the caller has set. */
int fy_hops_add_cookies(struct fy_hops *hops, ferry_cookie_jar *jar, ferry_error *err);

/* Gives the response's cookies to the jar; the caller's own of the same names are not sent any
 * more. */
void fy_hops_keep_cookies(struct fy_hops *hops, ferry_cookie_jar *jar, const ferry_response *res);

/* Tells the HSTS store what a response over https has to say about its host. */
void fy_hops_keep_hsts(struct fy_hops *hops, const ferry_response *res);

/* Makes the request that follows a redirect to location, but for its body, with which the last
 * response may still be busy. -1 and *err, a location that is no URL among others. */
int fy_hops_next(struct fy_hops *hops, const struct fy_redirect *redirect, const char *location,
                 ferry_error *err);

/* Gives the next hop the first request's body, from its beginning, or none. Once the last response
 * is closed: until then its server may be waited for. */
void fy_hops_put_body(struct fy_hops *hops, bool with_body);

/* Whether the body allows to send the same once more. */
bool fy_hops_may_repeat(const struct fy_hops *hops);

/* Reads what little is left of a response that is not the last, so that its connection can be used
 * for the next hop, and closes it. */
void fy_hops_pass_over(ferry_response *res);

#endif
