/*
 * The decisions about redirects.
 */
#include "client/redirect.h"

#include <string.h>

#include "http/bytes.h"
#include "http/url_typed.h"

struct fy_redirect fy_redirect_decide(int status, const char *method, bool resendable)
{
    struct fy_redirect redirect = {.method = method};
    switch (status) {
    case 301:
    case 302:
    case 303:
        redirect.follow = true;
        redirect.method = strcmp(method, "HEAD") == 0 ? method : "GET";
        break;
    case 307:
    case 308:
        redirect.follow = resendable;
        redirect.with_body = true;
        break;
    default: break;
    }
    return redirect;
}

/* A name inside a domain. Not an IPv6 address: its zone could be made to end in anything. */
static bool is_inside(const char *host, const char *domain)
{
    size_t len = strlen(host);
    size_t domain_len = strlen(domain);
    return strpbrk(host, ":%") == NULL && len > domain_len && host[len - domain_len - 1] == '.' &&
           strcmp(host + len - domain_len, domain) == 0;
}

bool fy_redirect_same_site(const struct fy_url *first, const struct fy_url *next)
{
    if (strcmp(first->scheme, "https") == 0 && strcmp(next->scheme, "https") != 0) {
        return false;
    }
    return first->port == next->port &&
           (strcmp(first->host, next->host) == 0 || is_inside(next->host, first->host));
}

static bool is_one_of(const char *name, const char *const *names)
{
    for (; *names != NULL; names++) {
        if (fy_text_is(name, strlen(name), *names)) {
            return true;
        }
    }
    return false;
}

bool fy_redirect_is_sensitive(const char *name)
{
    static const char *const names[] = {
        "Authorization",       "WWW-Authenticate",   "Cookie", "Cookie2",
        "Proxy-Authorization", "Proxy-Authenticate", NULL};
    return is_one_of(name, names);
}

bool fy_redirect_is_about_body(const char *name)
{
    static const char *const names[] = {
        "Content-Type",   "Content-Encoding", "Content-Language", "Content-Location",
        "Content-Digest", "Digest",           "Expect",           NULL};
    return is_one_of(name, names);
}

const char *fy_redirect_referer(const struct fy_url *last, const struct fy_url *next,
                                const char *own)
{
    if (strcmp(last->scheme, "https") == 0 && strcmp(next->scheme, "https") != 0) {
        return NULL;
    }
    return own != NULL ? own : last->text;
}

bool fy_redirect_keeps_host(const struct fy_url *last, const struct fy_url *next,
                            const char *location)
{
    return fy_url_reference_kind(location) == FY_REFERENCE_RELATIVE &&
           strcmp(last->host_port, next->host_port) == 0;
}
