/*
 * Header fields: lists of them in an arena, lookups without case, comma-separated values. Used by
 * the request (what the caller set), the response and the trailer section; each list has one user
 * at a time.
 */
#include "http/header.h"

#include <stdint.h>
#include <string.h>

#include "http/bytes.h"

#define FIRST_FIELDS 16

/* The outgrown array stays in the arena until all of it goes: twice the size at most. */
int fy_header_grow(struct fy_header *header, struct fy_arena *arena)
{
    size_t capacity = header->capacity == 0 ? FIRST_FIELDS : header->capacity * 2;
    if (capacity > SIZE_MAX / sizeof(*header->fields)) {
        return -1;
    }
    struct fy_field *fields = fy_arena_alloc(arena, capacity * sizeof(*fields));
    if (fields == NULL) {
        return -1;
    }
    if (header->count > 0) {
        memcpy(fields, header->fields, header->count * sizeof(*fields));
    }
    header->fields = fields;
    header->capacity = capacity;
    return 0;
}

int fy_header_add(struct fy_header *header, struct fy_arena *arena, const char *name,
                  size_t name_len, const char *value, size_t value_len)
{
    if (header->count == header->capacity && fy_header_grow(header, arena) != 0) {
        return -1;
    }
    /* One allocation for both: "name\0value\0". */
    if (name_len > SIZE_MAX / 4 || value_len > SIZE_MAX / 4) {
        return -1;
    }
    char *text = fy_arena_alloc(arena, name_len + value_len + 2);
    if (text == NULL) {
        return -1;
    }
    memcpy(text, name, name_len);
    text[name_len] = '\0';
    char *value_text = text + name_len + 1;
    if (value_len > 0) {
        memcpy(value_text, value, value_len);
    }
    value_text[value_len] = '\0';
    header->fields[header->count++] = (struct fy_field){
        .name = text, .value = value_text, .name_len = name_len, .value_len = value_len};
    return 0;
}

void fy_header_keep(struct fy_header *header, const char *from, char *copy)
{
    for (size_t i = 0; i < header->count; i++) {
        struct fy_field *field = &header->fields[i];
        char *name = copy + (field->name - from);
        char *value = copy + (field->value - from);
        name[field->name_len] = '\0';
        value[field->value_len] = '\0';
        field->name = name;
        field->value = value;
    }
}

const struct fy_field *fy_header_search(const struct fy_header *header, const char *name,
                                        size_t name_len, const struct fy_field *after)
{
    const struct fy_field *field = after == NULL ? header->fields : after + 1;
    const struct fy_field *end = header->fields + header->count;
    for (; field < end; field++) {
        if (field->name_len == name_len && fy_equal_fold(field->name, name, name_len)) {
            return field;
        }
    }
    return NULL;
}

size_t fy_header_remove(struct fy_header *header, const char *name)
{
    size_t name_len = strlen(name);
    size_t kept = 0;
    for (size_t i = 0; i < header->count; i++) {
        struct fy_field *field = &header->fields[i];
        if (field->name_len != name_len || !fy_equal_fold(field->name, name, name_len)) {
            header->fields[kept++] = *field;
        }
    }
    size_t removed = header->count - kept;
    header->count = kept;
    return removed;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

bool fy_next_element(const char **rest, const char **element, size_t *len)
{
    const char *at = *rest;
    while (*at == ',' || is_blank(*at)) {
        at++;
    }
    const char *end = at;
    while (*end != '\0' && *end != ',') {
        end++;
    }
    *rest = end;
    *element = at;
    while (end > at && is_blank(end[-1])) {
        end--;
    }
    *len = (size_t)(end - at);
    return *len > 0;
}

bool fy_header_lists(const struct fy_header *header, const char *name, const char *token)
{
    const struct fy_field *field = NULL;
    while ((field = fy_header_find(header, name, field)) != NULL) {
        const char *rest = field->value;
        const char *element;
        size_t len;
        while (fy_next_element(&rest, &element, &len)) {
            if (fy_text_is(element, len, token)) {
                return true;
            }
        }
    }
    return false;
}

bool fy_is_token(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (!fy_byte_is(text[i], FY_BYTE_TOKEN)) {
            return false;
        }
    }
    return len > 0;
}

bool fy_is_field_value(const char *text, size_t len)
{
    return fy_find_control(text, text + len) == text + len;
}
