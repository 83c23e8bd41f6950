/*
 * write_out_json.c: %{json} and %{header_json}.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "output/write_out.h"

void json_text(FILE *out, const char *text, size_t len)
{
    fputc('"', out);
    for (size_t i = 0; i < len; i++) {
        static const char letters[] = "\\\"\b\f\n\r\t", escapes[] = "\\\"bfnrt";
        unsigned char byte = (unsigned char)text[i];
        const char *letter = byte ? strchr(letters, byte) : NULL;
        if (letter)
            fprintf(out, "\\%c", escapes[letter - letters]);
        else if (byte < 0x20)
            fprintf(out, "\\u%04x", byte);
        else
            fputc(byte, out);
    }
    fputc('"', out);
}

void write_out_json(FILE *out, const struct transfer *transfer)
{
    struct write_out_value value;
    for (size_t i = 0; write_out_variable(transfer, i, &value); i++) {
        fprintf(out, "%s\"%s\":", i > 0 ? "," : "{", value.name);
        if (!value.text)
            fputs("null", out);
        else if (value.is_text)
            json_text(out, value.text, strlen(value.text));
        else
            fputs(value.text, out);
        free(value.text);
    }
    fputc('}', out);
}

/* Whether a field of that name stands before this one: then it was printed with that. */
static bool came_before(const char *head, const char *name, size_t len)
{
    const char *at = head_fields(head), *other, *value;
    size_t other_len, value_len;
    while (head_next_field(&at, &other, &other_len, &value, &value_len) && other < name) {
        if (other_len == len && strncasecmp(other, name, len) == 0)
            return true;
    }
    return false;
}

static void print_values(FILE *out, const char *at, const char *name, size_t len)
{
    const char *other, *value, *comma = "";
    size_t other_len, value_len;
    while (head_next_field(&at, &other, &other_len, &value, &value_len)) {
        if (other_len != len || strncasecmp(other, name, len) != 0)
            continue;
        fputs(comma, out);
        json_text(out, value, value_len);
        comma = ",";
    }
}

void write_out_header_json(FILE *out, const char *head)
{
    const char *at = head ? head_fields(head) : "", *name, *value, *comma = "";
    size_t name_len, value_len;
    fputc('{', out);
    while (head_next_field(&at, &name, &name_len, &value, &value_len)) {
        if (came_before(head, name, name_len))
            continue;
        fprintf(out, "%s\"", comma);
        for (size_t i = 0; i < name_len; i++)
            fputc(tolower((unsigned char)name[i]), out);
        fputs("\":[", out);
        print_values(out, name, name, name_len);
        fputc(']', out);
        comma = ",\n";
    }
    fputs("\n}", out);
}
