/*
 * Trailer fields (RFC 9110 section 6.5): which may stand behind a body, and those of a request.
 */
#ifndef FY_HTTP_TRAILER_H
#define FY_HTTP_TRAILER_H

#include <stdbool.h>
#include <stddef.h>

#include <ferry.h>

#include "base/buffer.h"

/* Whether a field may stand behind a body. Those about framing, routing, credentials, conditions
 * and how the content is to be read belong to the head, where whoever acts on them looks (section
 * 6.5.1). */
bool fy_trailer_allows(const char *name, size_t len);

struct fy_trailer_field {
    char *name;
    char *value; /* NULL: announced, and not known yet */
};

/* A request's, in the order in which they were set; a name stands there once. Touched by the
 * request's owner between sends, and by its body's reader during one, which the write loop waits
 * for. */
struct fy_request_trailer {
    struct fy_trailer_field *fields;
    size_t count;
};

/* NULL is fine. */
void fy_request_trailer_free(struct fy_request_trailer *trailer);

/* Appends the announcement to a head: "Trailer: A, B" and its line's end. */
void fy_request_trailer_announce(const struct fy_request_trailer *trailer, struct fy_buffer *out);

/* Appends the last chunk with the fields that have a value, and the empty line (RFC 9112 section
 * 7.1). The trailer may be NULL. */
void fy_request_trailer_write(const struct fy_request_trailer *trailer, struct fy_buffer *out);

#endif
