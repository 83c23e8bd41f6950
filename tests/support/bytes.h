/*
 * Bytes for tests: a literal with its length, a buffer that grows, strings that are kept, and a pattern to fill large bodies
 * with, in which every byte depends on its offset, so that a lost, doubled or displaced piece shows.
 *
 * There is no way to go on without memory in here: a buffer that cannot grow ends the process. A test
 * that makes allocations fail must do so for its own thread only.
 */
#ifndef SUPPORT_BYTES_H
#define SUPPORT_BYTES_H

#include <stddef.h>
#include <stdint.h>

/* A string literal and its length, NUL bytes inside it included: origin_send(conn, BYTES("a\0b")). */
#define BYTES(literal) ("" literal), (sizeof(literal) - 1)

struct bytes {
    char *data;      /* owned; NUL after the last byte; NULL as long as nothing was added */
    size_t len;      /* without that NUL */
    size_t capacity; /* allocated */
};

void bytes_append(struct bytes *bytes, const void *data, size_t len);

/* Drops the first len bytes. */
void bytes_drop(struct bytes *bytes, size_t len);

/* Frees the data and leaves an empty buffer. */
void bytes_free(struct bytes *bytes);

/* Strings that a fixture has handed out and frees with itself. Its owner says under which lock. */
struct strings {
    char **data; /* owned, and so is each of them */
    size_t count;
    size_t capacity;
};

/* Takes the string over. Returns it. */
const char *strings_keep(struct strings *strings, char *string);
void strings_free(struct strings *strings);

/* Makes room for one more in an array of pointers that has count; returns the array. */
void *array_grow(void *array, size_t count, size_t *capacity);

/* The pattern's bytes from offset on. */
void pattern_fill(void *data, size_t len, uint64_t offset);

/* How many of the bytes, from the first on, are the pattern's from offset on: len if all are. */
size_t pattern_match(const void *data, size_t len, uint64_t offset);

#endif
