/*
 * What a redirect asks for and what it may take along: pure decisions, as Go's client makes them.
 * The loop that acts on them is the client's.
 */
#ifndef FY_CLIENT_REDIRECT_H
#define FY_CLIENT_REDIRECT_H

#include <stdbool.h>

#include "http/url.h"

struct fy_redirect {
    bool follow;
    bool with_body;     /* the body goes out again */
    const char *method; /* of the next request: the given one, or a literal */
};

/* What a response's status makes of a request's method. RFC 9110 section 15.4: 301, 302 and 303
 * become GET, but for HEAD; 307 and 308 send the same again, and are not followed when the body
 * cannot be (resendable false). */
struct fy_redirect fy_redirect_decide(int status, const char *method, bool resendable);

/* Whether what was meant for one URL's server alone (credentials, cookies set by hand) may go to
 * another: to the same host or one inside its domain, on the same port, and never from https to
 * http. */
bool fy_redirect_same_site(const struct fy_url *first, const struct fy_url *next);

/* Whether a field is of the kind that fy_redirect_same_site() is asked about. */
bool fy_redirect_is_sensitive(const char *name);

/* Whether a field speaks of the body, and goes with it. */
bool fy_redirect_is_about_body(const char *name);

/* The Referer of the next request: the caller's own, else the last URL; NULL: none, since nothing
 * of an https URL is told over http (RFC 9110 section 10.1.3). */
const char *fy_redirect_referer(const struct fy_url *last, const struct fy_url *next,
                                const char *own);

/* Whether a Host field set by the caller still names the server: the Location was a path, and the
 * next request goes where the last one went. */
bool fy_redirect_keeps_host(const struct fy_url *last, const struct fy_url *next,
                            const char *location);

#endif
