/*
 * The store behind a cookie jar. No lock of its own: the jar's.
 */
#ifndef FY_CLIENT_COOKIE_STORE_H
#define FY_CLIENT_COOKIE_STORE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/list.h"
#include "client/cookie_parse.h"

/* RFC 6265bis section 6.1 asks for no less than 50 and 3000. */
#define FY_COOKIES_PER_DOMAIN 180
#define FY_COOKIES_MAX 3000

#define FY_COOKIE_SESSION INT64_MAX /* expires: never, but not meant to outlive the program */

/* One cookie, its strings behind it in the same block. Only 'used' changes once it is stored. */
struct fy_cookie {
    struct fy_link link; /* in its domain's list */
    struct fy_cookie_domain *in;
    const char *name;
    const char *value; /* without its quotes */
    const char *path;
    int64_t expires;  /* seconds since 1970, or FY_COOKIE_SESSION */
    uint64_t created; /* order of creation; a cookie that replaces another keeps its place */
    uint64_t used;    /* order of last use: the lowest goes first when there are too many */
    bool quoted, host_only, secure, http_only;
    enum fy_same_site same_site;
};

/* The cookies of one domain; exists while it has any. */
struct fy_cookie_domain {
    struct fy_cookie_domain *next; /* in its bucket */
    struct fy_link cookies;        /* of fy_cookie */
    int count;
    char name[]; /* in the form of fy_cookie_host() */
};

#define FY_COOKIE_BUCKETS 256

/* Zero-filled is empty. */
struct fy_cookie_store {
    struct fy_cookie_domain *buckets[FY_COOKIE_BUCKETS];
    int count;
    uint64_t clock; /* counts creations and uses */
};

static inline struct fy_cookie *fy_cookie_of(struct fy_link *link)
{
    return FY_CONTAINER(link, struct fy_cookie, link);
}

/* Appends a string and its NUL to a block; where the next one goes. */
static inline char *fy_cookie_put_string(char *to, const char *text, size_t len)
{
    if (len > 0) {
        memcpy(to, text, len);
    }
    to[len] = '\0';
    return to + len + 1;
}

/* Puts a copy in, in the place of one of the same name, domain and path; or, when it has expired,
 * only takes that one out. -1 when out of memory. */
int fy_cookie_store_put(struct fy_cookie_store *store, const char *domain_name,
                        const struct fy_cookie *like, int64_t now);

/* NULL: it has no cookies. */
struct fy_cookie_domain *fy_cookie_store_find(struct fy_cookie_store *store, const char *name);

/* Drops a domain's expired cookies; the domain itself stays until it is tidied. */
void fy_cookie_store_expire(struct fy_cookie_store *store, struct fy_cookie_domain *domain,
                            int64_t now);
void fy_cookie_store_tidy(struct fy_cookie_store *store, struct fy_cookie_domain *domain);

/* Drops everything. */
void fy_cookie_store_clear(struct fy_cookie_store *store);

#endif
