/*
 * disposition.c: the file name that a Content-Disposition field gives (RFC 6266). It comes from the
 * server: no folder, no hidden file, no control byte is taken from it.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "memory.h"
#include "output/sink.h"

/* The value of filename=, or NULL. Quotes and their backslashes are passed over. */
static const char *find_filename(const char *field)
{
    for (; *field; field++) {
        if (*field == '"') {
            for (field++; *field && *field != '"'; field++)
                field += *field == '\\' && field[1];
            if (!*field)
                return NULL;
        }
        if (*field != ';')
            continue;
        field++;
        while (isspace((unsigned char)*field))
            field++;
        if (strncasecmp(field, "filename=", 9) == 0)
            return field + 9;
        field--;
    }
    return NULL;
}

static char *take_value(const char *value)
{
    bool quoted = *value == '"';
    char *name = memory_resize(NULL, strlen(value) + 1), *to = name;
    if (!name)
        return NULL;
    value += quoted;
    for (; *value && (quoted ? *value != '"' : *value != ';'); value++) {
        if (quoted && *value == '\\' && value[1])
            value++;
        *to++ = *value;
    }
    while (!quoted && to > name && isspace((unsigned char)to[-1]))
        to--;
    *to = '\0';
    return name;
}

char *disposition_name(const char *field)
{
    const char *value = find_filename(field);
    char *name = value ? take_value(value) : NULL;
    if (!name)
        return NULL;
    char *base = name;
    for (char *at = name; *at; at++) {
        if (*at == '/' || *at == '\\')
            base = at + 1;
        else if (iscntrl((unsigned char)*at))
            *at = '_';
    }
    memmove(name, base, strlen(base) + 1);
    if (name[0] == '.')
        name[0] = '_';
    if (name[0] == '\0') {
        free(name);
        return NULL;
    }
    return name;
}
