/*
 * message.c: sentences on standard error.
 */
#include "message.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

static FILE *file; /* NULL: standard error */
static bool warns_not, complains_not;

void message_hush(bool silent, bool show_error)
{
    warns_not = silent;
    complains_not = silent && !show_error;
}

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

static void say(const char *before, const char *format, va_list args)
{
    FILE *out = message_file();
    fputs(before, out);
    vfprintf(out, format, args);
    fputc('\n', out);
}

bool complain(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (!complains_not)
        say("ferry: ", format, args);
    va_end(args);
    return false;
}

bool insist(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say("ferry: ", format, args);
    va_end(args);
    return false;
}

void warn(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (!warns_not)
        say("ferry: warning: ", format, args);
    va_end(args);
}
