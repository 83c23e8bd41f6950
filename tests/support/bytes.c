/* A growing buffer, an array of strings, and the pattern for large bodies. Used by the whole test support and by tests. */
#include "bytes.h"

#include <stdlib.h>
#include <string.h>

void bytes_append(struct bytes *bytes, const void *data, size_t len)
{
    size_t needed = bytes->len + len + 1;

    if (needed > bytes->capacity) {
        size_t capacity = bytes->capacity * 2 > needed ? bytes->capacity * 2 : needed;
        char *grown = realloc(bytes->data, capacity);

        if (grown == NULL)
            abort();
        bytes->data = grown;
        bytes->capacity = capacity;
    }
    if (len > 0)
        memcpy(bytes->data + bytes->len, data, len);
    bytes->len += len;
    bytes->data[bytes->len] = '\0';
}

void bytes_drop(struct bytes *bytes, size_t len)
{
    if (len == 0)
        return;
    bytes->len -= len;
    memmove(bytes->data, bytes->data + len, bytes->len + 1);
}

void bytes_free(struct bytes *bytes)
{
    free(bytes->data);
    *bytes = (struct bytes){0};
}

void *array_grow(void *array, size_t count, size_t *capacity)
{
    if (count < *capacity)
        return array;
    *capacity = *capacity == 0 ? 16 : *capacity * 2;
    array = realloc(array, *capacity * sizeof(void *));
    if (array == NULL)
        abort();
    return array;
}

const char *strings_keep(struct strings *strings, char *string)
{
    strings->data = array_grow(strings->data, strings->count, &strings->capacity);
    strings->data[strings->count++] = string;
    return string;
}

void strings_free(struct strings *strings)
{
    for (size_t i = 0; i < strings->count; i++)
        free(strings->data[i]);
    free(strings->data);
    *strings = (struct strings){0};
}

/* A multiplicative hash of the offset: no period that a buffer's size could be a multiple of. */
static unsigned char pattern_byte(uint64_t offset)
{
    return (unsigned char)((offset * UINT64_C(0x9E3779B97F4A7C15)) >> 56);
}

void pattern_fill(void *data, size_t len, uint64_t offset)
{
    unsigned char *bytes = data;

    for (size_t i = 0; i < len; i++)
        bytes[i] = pattern_byte(offset + i);
}

size_t pattern_match(const void *data, size_t len, uint64_t offset)
{
    const unsigned char *bytes = data;
    size_t i = 0;

    while (i < len && bytes[i] == pattern_byte(offset + i))
        i++;
    return i;
}
