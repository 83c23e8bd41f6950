/*
 * From what people type to a URI of RFC 3986. The URL parser's own first step, and its messages;
 * nobody else's.
 */
#ifndef FY_HTTP_URL_TYPED_H
#define FY_HTTP_URL_TYPED_H

#include <stddef.h>

#include <ferry.h>

#include "base/buffer.h"

/* The longest URL: as it is given, and as it is once everything is encoded, since that one is given again,
 * by redirects and by callers. */
#define FY_URL_MAX ((size_t)64 * 1024)

#define FY_ZONE_MAX 63

/* A URL with everything encoded that has to be; zero-filled before use. */
struct fy_typed {
    /* Scheme, user info, host, port, target; neither fragment nor zone; NUL-terminated. */
    struct fy_buffer text;
    size_t scheme_len; /* the scheme is in lower case */
    size_t target_at;  /* where path and query begin in text: at a '/' */
    /* The zone identifier of an IPv6 address, decoded; "" if there is none. */
    char zone[FY_ZONE_MAX + 1];
};

/* Fills *typed from an absolute URL. -1 and *err with a whole sentence. Give it to
 * fy_typed_free() either way. */
int fy_url_typed(struct fy_typed *typed, const char *given, ferry_error *err);
void fy_typed_free(struct fy_typed *typed);

/* Encodes a relative reference, without its fragment, into out, NUL-terminated. -1 and *err with
 * a whole sentence. */
int fy_url_typed_reference(struct fy_buffer *out, const char *given, ferry_error *err);

/* What a reference (RFC 3986 section 4.2) brings along. */
enum fy_reference_kind {
    FY_REFERENCE_ABSOLUTE,   /* a scheme */
    FY_REFERENCE_OTHER_HOST, /* "//host..." */
    FY_REFERENCE_RELATIVE    /* a path, a query, or nothing */
};
enum fy_reference_kind fy_url_reference_kind(const char *text);

/* Makes a reason into a sentence: 'parse "http://:80/": no host', the URL shortened in its
 * middle, its password masked, its control bytes escaped. */
void fy_url_blame(ferry_error *err, const char *text);

/* Percent-encodes everything but unreserved bytes. */
void fy_url_encode_all(struct fy_buffer *out, const char *text);

#endif
