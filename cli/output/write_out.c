/*
 * write_out.c: the format of -w: "%{name}", "%header{name}", "%%", "\n", "\r", "\t". What is
 * none of these is printed as it is.
 */
#include "output/write_out.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "message.h"
#include "request/data.h"

/* Where the output goes, and whether it still does. */
struct output {
    const struct transfer *transfer;
    FILE *out;
    bool stopped; /* %{onerror}, and there was none */
};

static void print_variable(struct output *output, const char *name, size_t len)
{
    struct write_out_value value;
    for (size_t i = 0; write_out_variable(NULL, i, &value); i++) {
        if (strlen(value.name) != len || strncmp(value.name, name, len) != 0)
            continue;
        write_out_variable(output->transfer, i, &value);
        /* curl prints a status with three digits, also when there is none. */
        bool is_status = strcmp(value.name, "http_code") == 0 ||
                         strcmp(value.name, "response_code") == 0 ||
                         strcmp(value.name, "http_connect") == 0;
        if (value.text && is_status)
            fprintf(output->out, "%03d", atoi(value.text));
        else if (value.text)
            fputs(value.text, output->out);
        free(value.text);
        return;
    }
    insist("-w knows no variable %%{%.*s}", (int)len, name);
}

static bool is_word(const char *name, size_t len, const char *word)
{
    return len == strlen(word) && strncmp(name, word, len) == 0;
}

static void print_named(struct output *output, const char *name, size_t len)
{
    const struct transfer *transfer = output->transfer;
    if (is_word(name, len, "stderr"))
        output->out = message_file();
    else if (is_word(name, len, "stdout"))
        output->out = stdout;
    else if (is_word(name, len, "json"))
        write_out_json(output->out, transfer);
    else if (is_word(name, len, "header_json"))
        write_out_header_json(output->out, transfer->result.head);
    else if (is_word(name, len, "onerror"))
        output->stopped = transfer->result.status == 0;
    else
        print_variable(output, name, len);
}

static void print_field(struct output *output, const char *name, size_t len)
{
    char *text = text_copy_part(name, len);
    char *value = text && output->transfer->result.head
                      ? head_field(output->transfer->result.head, text)
                      : NULL;
    if (value)
        fputs(value, output->out);
    free(value);
    free(text);
}

/* What begins with "%"; returns what is behind it. */
static const char *print_percent(struct output *output, const char *format)
{
    static const char header[] = "%header{";
    bool is_header = strncmp(format, header, strlen(header)) == 0;
    const char *name = format + (is_header ? strlen(header) : 2);
    const char *end = is_header || format[1] == '{' ? strchr(name, '}') : NULL;
    if (format[1] == '%') {
        fputc('%', output->out);
        return format + 2;
    }
    if (!end) {
        fputc('%', output->out);
        return format + 1;
    }
    if (is_header)
        print_field(output, name, (size_t)(end - name));
    else
        print_named(output, name, (size_t)(end - name));
    return end + 1;
}

static const char *print_backslash(struct output *output, const char *format)
{
    static const char letters[] = "nrt", meant[] = "\n\r\t";
    const char *letter = format[1] ? strchr(letters, format[1]) : NULL;
    if (!letter) {
        fputc('\\', output->out);
        if (format[1])
            fputc(format[1], output->out);
        return format + 1 + (format[1] != '\0');
    }
    fputc(meant[letter - letters], output->out);
    return format + 2;
}

void write_out(const char *format, const struct transfer *transfer)
{
    struct output output = {.transfer = transfer, .out = stdout};
    char *from_file = NULL;
    size_t len;
    if (format[0] == '@') {
        from_file = data_read_file(format + 1, &len);
        if (!from_file) {
            complain("-w cannot read %s: %s", format + 1, strerror(errno));
            return;
        }
        char *to = from_file; /* line ends in it are for the reader only, as in curl */
        for (const char *from = from_file; *from; from++) {
            if (*from != '\r' && *from != '\n')
                *to++ = *from;
        }
        *to = '\0';
        format = from_file;
    }
    while (*format && !output.stopped) {
        if (*format == '%')
            format = print_percent(&output, format);
        else if (*format == '\\')
            format = print_backslash(&output, format);
        else
            fputc(*format++, output.out);
    }
    fflush(stdout);
    free(from_file);
}
