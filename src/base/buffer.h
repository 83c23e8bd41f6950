/*
 * A growing run of bytes, for what is written before it is sent: request heads, error texts, dumps.
 */
#ifndef FY_BASE_BUFFER_H
#define FY_BASE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

/* Zero-filled is empty and ready. After a failed append 'failed' stays true and further appends
 * do nothing, so that a chain of them is checked once, at its end. */
struct fy_buffer {
    char *bytes;
    size_t len;
    size_t capacity;
    bool failed;
};

/* Room for 'more' bytes after those that are there, or NULL when out of memory. What is written
 * into it counts once len has been raised. */
char *fy_buffer_reserve(struct fy_buffer *buffer, size_t more);

void fy_buffer_append(struct fy_buffer *buffer, const void *bytes, size_t len);
void fy_buffer_append_text(struct fy_buffer *buffer, const char *text);
void fy_buffer_append_byte(struct fy_buffer *buffer, char byte);
void fy_buffer_printf(struct fy_buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Releases the bytes; the buffer is empty again. */
void fy_buffer_free(struct fy_buffer *buffer);

#endif
