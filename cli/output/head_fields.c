/*
 * head_fields.c: the fields in a head as it came.
 */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "memory.h"
#include "output/write_out.h"

const char *head_fields(const char *head)
{
    const char *line_end = strchr(head, '\n');
    return line_end ? line_end + 1 : head + strlen(head);
}

bool head_next_field(const char **at, const char **name, size_t *name_len, const char **value,
                     size_t *value_len)
{
    while (**at) {
        const char *line = *at;
        size_t len = strcspn(line, "\n");
        *at = line + len + (line[len] != '\0');
        const char *colon = memchr(line, ':', len);
        if (!colon)
            continue;
        const char *from = colon + 1, *to = line + len;
        while (from < to && isspace((unsigned char)*from))
            from++;
        while (to > from && isspace((unsigned char)to[-1]))
            to--;
        *name = line;
        *name_len = (size_t)(colon - line);
        *value = from;
        *value_len = (size_t)(to - from);
        return true;
    }
    return false;
}

char *head_field(const char *head, const char *name)
{
    const char *at = head_fields(head), *found, *value;
    size_t found_len, value_len;
    while (head_next_field(&at, &found, &found_len, &value, &value_len)) {
        if (found_len == strlen(name) && strncasecmp(found, name, found_len) == 0)
            return text_copy_part(value, value_len);
    }
    return NULL;
}
