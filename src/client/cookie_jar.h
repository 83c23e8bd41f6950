/*
 * The cookie jar inside: what its public functions stand on, with the time as an argument and
 * parsed URLs, for the client, the file format and the tests.
 */
#ifndef FY_CLIENT_COOKIE_JAR_H
#define FY_CLIENT_COOKIE_JAR_H

#include <stdbool.h>
#include <stdint.h>

#include <ferry.h>

#include "base/buffer.h"
#include "client/cookie_store.h"
#include "http/url.h"

/* Seconds that a cookie lives at most: RFC 6265bis section 5.5. */
#define FY_COOKIE_LIFE_MAX (INT64_C(400) * 24 * 60 * 60)

/* What a Set-Cookie field of a response from url does at that time. 0: stored, replaced or removed;
 * -1 and *err (FERRY_EINVAL, FERRY_ENOMEM): refused. */
int fy_cookie_jar_set(ferry_cookie_jar *jar, const struct fy_url *url, const char *text, size_t len,
                      int64_t now, ferry_error *err);

/* Appends the value of the Cookie field of a request to url: nothing when no cookie goes with it.
 * -1 when out of memory. */
int fy_cookie_jar_get(ferry_cookie_jar *jar, const struct fy_url *url, int64_t now,
                      struct fy_buffer *out);

/* Puts in a cookie as a file has it: domain in the form of fy_cookie_host(), strings not empty but
 * for name and value. It is checked as one that the domain itself had set. */
int fy_cookie_jar_put(ferry_cookie_jar *jar, const char *domain, const struct fy_cookie *like,
                      int64_t now, ferry_error *err);

/* Calls fn for each cookie that has not expired, oldest first, under the jar's lock: fn may not
 * call the jar. -1 when out of memory. */
int fy_cookie_jar_each(ferry_cookie_jar *jar, int64_t now,
                       void (*fn)(void *arg, const char *domain, const struct fy_cookie *cookie),
                       void *arg);

#endif
