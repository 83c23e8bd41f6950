/*
 * memory.c: the C library's ways to a text, with a note of their failing.
 */
#include "memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BYTES 120

static bool lacked; /* the command's one thread only */

void memory_note_lack(void)
{
    lacked = true;
}

void memory_note(const ferry_error *err)
{
    lacked |= err->code == FERRY_ENOMEM;
}

bool memory_lacked(void)
{
    return lacked;
}

void *memory_resize(void *memory, size_t size)
{
    void *resized = realloc(memory, size);
    lacked |= !resized;
    return resized;
}

char *text_copy(const char *text)
{
    return text ? text_copy_part(text, strlen(text)) : NULL;
}

char *text_copy_part(const char *text, size_t len)
{
    char *copy = strndup(text, len);
    lacked |= !copy;
    return copy;
}

int text_print(char **text, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vasprintf(text, format, args);
    va_end(args);
    if (len < 0)
        *text = NULL;
    lacked |= len < 0;
    return len;
}

void text_add(struct growing_text *text, const char *bytes, size_t len)
{
    if (text->capacity - text->len <= len) { /* room for a NUL, too */
        size_t capacity = 2 * (text->len + len) + FIRST_BYTES;
        char *grown = memory_resize(text->bytes, capacity);
        text->lost |= !grown;
        if (!grown)
            return;
        text->bytes = grown;
        text->capacity = capacity;
    }
    memcpy(text->bytes + text->len, bytes, len);
    text->len += len;
}

char *text_end(struct growing_text *text)
{
    text_add(text, "", 0);
    if (text->lost) {
        free(text->bytes);
        return NULL;
    }
    text->bytes[text->len] = '\0';
    return text->bytes;
}
