/*
 * tracer.c: -v prints heads line by line behind "> " and "< "; a trace has every byte, in lines of
 * sixteen (or 64 characters), with their offset.
 */
#include "transfer/tracer.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

#include "exit_code.h"
#include "message.h"

int tracer_open(struct run *run)
{
    const struct run_config *flags = run->flags;
    const char *path = flags->trace ? flags->trace : flags->trace_ascii;
    if (!path)
        return CLI_OK;
    run->trace = strcmp(path, "-") == 0   ? stdout
                 : strcmp(path, "%") == 0 ? message_file()
                                          : fopen(path, "w");
    if (run->trace)
        return CLI_OK;
    complain("(23) cannot write to %s: %s", path, strerror(errno));
    return CLI_WRITE_FAILED;
}

void tracer_close(struct run *run)
{
    bool lost = run->trace && ferror(run->trace);
    if (run->trace && run->trace != stdout && run->trace != message_file() &&
        (fclose(run->trace) != 0 || lost))
        warn("the trace is not whole: %s", strerror(errno));
    run->trace = NULL;
}

bool tracer_wanted(const struct run *run)
{
    return run->trace || run->flags->verbose;
}

static void print_time(const struct run *run, FILE *out)
{
    struct timeval now;
    struct tm tm;
    char text[16];
    if (!run->flags->trace_time)
        return;
    gettimeofday(&now, NULL);
    localtime_r(&now.tv_sec, &tm);
    strftime(text, sizeof text, "%H:%M:%S", &tm);
    fprintf(out, "%s.%06ld ", text, (long)now.tv_usec);
}

/* Each line of a head behind its mark, without its CR. */
static void print_lines(const struct run *run, const char *mark, const char *bytes, size_t len)
{
    FILE *out = message_file();
    while (len > 0) {
        const char *end = memchr(bytes, '\n', len);
        size_t line = end ? (size_t)(end - bytes) : len;
        size_t shown = line > 0 && bytes[line - 1] == '\r' ? line - 1 : line;
        print_time(run, out);
        fprintf(out, "%s%.*s\n", mark, (int)shown, bytes);
        line += end != NULL;
        bytes += line;
        len -= line;
    }
}

static void dump(FILE *out, const char *bytes, size_t len, bool hex)
{
    size_t width = hex ? 16 : 64;
    for (size_t at = 0; at < len; at += width) {
        fprintf(out, "%04zx: ", at);
        for (size_t i = at; hex && i < at + width; i++) {
            if (i < len)
                fprintf(out, "%02x ", (unsigned char)bytes[i]);
            else
                fputs("   ", out);
        }
        for (size_t i = at; i < at + width && i < len; i++) {
            if (!hex && bytes[i] == '\r' && i + 1 < len && bytes[i + 1] == '\n') {
                at = i + 2 - width; /* a line of text is a line here */
                break;
            }
            fputc(isprint((unsigned char)bytes[i]) ? bytes[i] : '.', out);
        }
        fputc('\n', out);
    }
}

void tracer_write(struct run *run, enum trace_kind kind, const char *bytes, size_t len)
{
    static const char *const titles[] = {"== Info: ", "=> Send header, ", "<= Recv header, ",
                                         "=> Send data, ", "<= Recv data, "};
    static const char *const marks[] = {"* ", "> ", "< "};
    if (run->trace) {
        print_time(run, run->trace);
        if (kind == TRACE_SAID) {
            fprintf(run->trace, "%s%.*s\n", titles[kind], (int)len, bytes);
        } else {
            fprintf(run->trace, "%s%zu bytes (0x%zx)\n", titles[kind], len, len);
            dump(run->trace, bytes, len, run->flags->trace != NULL);
        }
        fflush(run->trace);
    } else if (run->flags->verbose && kind <= TRACE_CAME) {
        print_lines(run, marks[kind], bytes, len);
    }
}
