/*
 * The growing buffer. Used by whoever composes bytes before they are sent or shown; one user at a
 * time. Its bytes are never NUL-terminated unless the user appends a NUL.
 */
#include "base/buffer.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SMALLEST 256

static char *fail(struct fy_buffer *buffer)
{
    buffer->failed = true;
    buffer->capacity = buffer->len;
    return NULL;
}

char *fy_buffer_grow(struct fy_buffer *buffer, size_t more)
{
    if (buffer->failed) {
        return NULL;
    }
    /* Half the address space is more than anything here grows to, and doubling cannot overflow
     * below it. */
    if (more > SIZE_MAX / 4 || buffer->len > SIZE_MAX / 4) {
        return fail(buffer);
    }
    size_t capacity = buffer->capacity < SMALLEST ? SMALLEST : buffer->capacity;
    while (capacity < buffer->len + more) {
        capacity *= 2;
    }
    char *bytes = realloc(buffer->is_lent ? NULL : buffer->bytes, capacity);
    if (bytes == NULL) {
        return fail(buffer);
    }
    if (buffer->is_lent) {
        /* What is lent has bytes. NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker) */
        memcpy(bytes, buffer->bytes, buffer->len);
        buffer->is_lent = false;
    }
    buffer->bytes = bytes;
    buffer->capacity = capacity;
    return bytes + buffer->len;
}

void fy_buffer_printf(struct fy_buffer *buffer, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    if (len < 0) {
        fail(buffer);
    } else {
        /* vsnprintf wants room for a NUL, which is then not counted. */
        char *to = fy_buffer_reserve(buffer, (size_t)len + 1);
        if (to != NULL) {
            vsnprintf(to, (size_t)len + 1, format, again);
            buffer->len += (size_t)len;
        }
    }
    va_end(again);
    va_end(args);
}
