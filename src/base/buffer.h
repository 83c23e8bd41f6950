/*
 * A growing run of bytes, for what is written before it is sent: request heads, error texts, dumps.
 */
#ifndef FY_BASE_BUFFER_H
#define FY_BASE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/seldom.h"

/* Zero-filled is empty and ready. After a failed append 'failed' stays true and there is no room for
 * further ones, so that a chain of them is checked once, at its end. */
struct fy_buffer {
    char *bytes;
    size_t len;
    size_t capacity;
    bool failed;
    bool is_lent; /* bytes are another's, and large enough for most of what is to come */
};

/* An empty one that begins with an array of the caller's, which outlives it. */
#define FY_BUFFER_IN(array)                                          \
    {                                                                \
        .bytes = (array), .capacity = sizeof(array), .is_lent = true \
    }

/* What reserve does when there is no room left. */
FY_SELDOM char *fy_buffer_grow(struct fy_buffer *buffer, size_t more);

/* Room for 'more' bytes after those that are there, or NULL when out of memory. What is written
 * into it counts once len has been raised. Here, as the appending is, because a head is put
 * together of many small pieces whose lengths the compiler knows. */
static inline char *fy_buffer_reserve(struct fy_buffer *buffer, size_t more)
{
    if (buffer->bytes != NULL && buffer->capacity - buffer->len >= more) {
        return buffer->bytes + buffer->len;
    }
    return fy_buffer_grow(buffer, more);
}

static inline void fy_buffer_append(struct fy_buffer *buffer, const void *bytes, size_t len)
{
    char *to = fy_buffer_reserve(buffer, len);
    if (to != NULL && len > 0) {
        memcpy(to, bytes, len);
        buffer->len += len;
    }
}

static inline void fy_buffer_append_text(struct fy_buffer *buffer, const char *text)
{
    fy_buffer_append(buffer, text, strlen(text));
}

static inline void fy_buffer_append_byte(struct fy_buffer *buffer, char byte)
{
    fy_buffer_append(buffer, &byte, 1);
}

void fy_buffer_printf(struct fy_buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Releases the bytes; the buffer is empty again. */
static inline void fy_buffer_free(struct fy_buffer *buffer)
{
    if (buffer->bytes != NULL && !buffer->is_lent) {
        free(buffer->bytes);
    }
    *buffer = (struct fy_buffer){0};
}

#endif
