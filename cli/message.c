/*
 * message.c: sentences on standard error.
 */
#include "message.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

static FILE *file; /* NULL: standard error */

FILE *message_file(void)
{
    return file ? file : stderr;
}

bool message_to(const char *path)
{
    FILE *opened = strcmp(path, "-") == 0 ? stdout : fopen(path, "w");
    if (!opened)
        return complain("cannot write to %s: %s", path, strerror(errno));
    if (opened != stdout)
        setvbuf(opened, NULL, _IOLBF, 0);
    file = opened;
    return true;
}

bool complain(const char *format, ...)
{
    va_list args;
    FILE *out = message_file();
    fputs("ferry: ", out);
    va_start(args, format);
    vfprintf(out, format, args);
    va_end(args);
    fputc('\n', out);
    return false;
}

void warn(const char *format, ...)
{
    va_list args;
    FILE *out = message_file();
    fputs("ferry: warning: ", out);
    va_start(args, format);
    vfprintf(out, format, args);
    va_end(args);
    fputc('\n', out);
}
