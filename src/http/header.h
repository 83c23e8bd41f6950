/*
 * Header fields, in the order and spelling in which they came (RFC 9110 section 5). Names compare
 * without case.
 */
#ifndef FY_HTTP_HEADER_H
#define FY_HTTP_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/arena.h"

/* In a list both strings are NUL-terminated and in the list's arena; what a parser has just found
 * stands where it came, and is not. */
struct fy_field {
    const char *name;
    const char *value; /* without surrounding white space */
    size_t name_len;
    size_t value_len;
};

/* Zero-filled is empty. The fields' array and strings live in the arena given to the adding
 * functions (always the same one). */
struct fy_header {
    struct fy_field *fields;
    size_t count;
    size_t capacity;
};

/* Room for another field, and some more; -1 when out of memory. */
int fy_header_grow(struct fy_header *header, struct fy_arena *arena);

/* Appends a copy; 0, or -1 when out of memory. */
int fy_header_add(struct fy_header *header, struct fy_arena *arena, const char *name,
                  size_t name_len, const char *value, size_t value_len);

/* What a parser has found in a text becomes a list's: its strings stand at the same places of the copy
 * that is kept of that text, and are ended there. */
void fy_header_keep(struct fy_header *header, const char *from, char *copy);

/* fy_header_find() where there are fields. */
const struct fy_field *fy_header_search(const struct fy_header *header, const char *name,
                                        size_t name_len, const struct fy_field *after);

/* The next field of that name after the given one (NULL: the first), or NULL. */
static inline const struct fy_field *fy_header_find(const struct fy_header *header,
                                                    const char *name, const struct fy_field *after)
{
    return header->count > 0 ? fy_header_search(header, name, strlen(name), after) : NULL;
}

/* First value of that name, or NULL. */
static inline const char *fy_header_get(const struct fy_header *header, const char *name)
{
    const struct fy_field *field = fy_header_find(header, name, NULL);
    return field == NULL ? NULL : field->value;
}

/* Removes every field of that name; how many there were. */
size_t fy_header_remove(struct fy_header *header, const char *name);

/* Whether a comma-separated field (Connection, Expect, ...), over all its occurrences, lists the
 * token; RFC 9110 section 5.6.1. */
bool fy_header_lists(const struct fy_header *header, const char *name, const char *token);

/* Walks a comma-separated value (RFC 9110 section 5.6.1): takes the next element that is not
 * empty, without the white space around it, and moves *rest behind it. False at the end. */
bool fy_next_element(const char **rest, const char **element, size_t *len);

/* RFC 9110 section 5.1: token. */
bool fy_is_token(const char *text, size_t len);

/* RFC 9110 section 5.5: no CR, LF, NUL nor other control byte than HTAB; obs-text allowed. */
bool fy_is_field_value(const char *text, size_t len);

#endif
