/*
 * Set-Cookie fields taken apart as RFC 6265bis section 5 has it. Pure: slices of the given text, no
 * allocation, no store. The jar decides what becomes of a cookie.
 */
#ifndef FY_CLIENT_COOKIE_PARSE_H
#define FY_CLIENT_COOKIE_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Name and value together, and a path that is the URL's, which nobody else bounds; and each
 * attribute's value (section 5.6). */
#define FY_COOKIE_MAX 4096
#define FY_COOKIE_ATTRIBUTE_MAX 1024

enum fy_same_site { FY_SAME_SITE_UNSET, FY_SAME_SITE_NONE, FY_SAME_SITE_LAX, FY_SAME_SITE_STRICT };

struct fy_slice {
    const char *at;
    size_t len;
};

/* Slices are of the parsed text. Where an attribute is repeated, the last one counts. */
struct fy_set_cookie {
    struct fy_slice name;   /* empty: the cookie has none */
    struct fy_slice value;  /* without quotes around it */
    bool quoted;            /* there were some; they belong to the value on the wire */
    bool has_domain;        /* domain is not empty */
    struct fy_slice domain; /* without a leading dot */
    bool has_path;
    struct fy_slice path; /* begins with '/' if has_path */
    bool secure, http_only;
    enum fy_same_site same_site;
    bool has_max_age;
    int64_t max_age; /* seconds; at most 0: the cookie goes at once */
    bool has_expires;
    int64_t expires; /* seconds since 1970 */
};

/* NULL, or what is wrong with it, as the end of a sentence ("a cookie with a control byte in it"). */
const char *fy_set_cookie_parse(struct fy_set_cookie *cookie, const char *text, size_t len);

/* The forgiving date of RFC 6265 section 5.1.1; false for what is none. */
bool fy_cookie_date(const char *text, size_t len, int64_t *seconds);

#endif
