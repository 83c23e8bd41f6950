/*
 * form.c: multipart forms, as -F describes them.
 */
#include "request/form.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "exit_code.h"
#include "memory.h"
#include "message.h"
#include "request/data.h"

const char *form_type_of(const char *file)
{
    static const struct {
        const char *ending, *type;
    } types[] = {
        {".gif", "image/gif"},       {".jpg", "image/jpeg"},    {".jpeg", "image/jpeg"},
        {".png", "image/png"},       {".svg", "image/svg+xml"}, {".txt", "text/plain"},
        {".htm", "text/html"},       {".html", "text/html"},    {".pdf", "application/pdf"},
        {".xml", "application/xml"},
    };
    size_t len = strlen(file);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        size_t ending = strlen(types[i].ending);
        if (len >= ending && strcasecmp(file + len - ending, types[i].ending) == 0)
            return types[i].type;
    }
    return "application/octet-stream";
}

/* A word up to one of the ends, or in quotes; NUL-terminated in place. *end is the byte that ended
 * it, *text what is behind. */
static char *take_word(char **text, const char *ends, char *end)
{
    char *word = *text, *to, *from;
    if (*word != '"') {
        from = word + strcspn(word, ends);
    } else {
        word++;
        for (from = to = word; *from && *from != '"'; from++) {
            if (*from == '\\' && (from[1] == '\\' || from[1] == '"'))
                from++;
            *to++ = *from;
        }
        if (*from)
            from++;
        *to = '\0';
        from += strcspn(from, ends);
    }
    *end = *from;
    *text = *from ? from + 1 : from;
    if (**text != '\0' || *from)
        *from = '\0';
    return word;
}

static bool is_attribute(const char *text, const char *name, char **value)
{
    size_t len = strlen(name);
    while (isspace((unsigned char)*text))
        text++;
    if (strncasecmp(text, name, len) != 0)
        return false;
    *value = (char *)text + len;
    return true;
}

/* Text may have ";" in it: only what is followed by a known word ends it. */
static size_t text_length(const char *text)
{
    static const char *const names[] = {"type=", "filename=", "headers=", "encoder="};
    for (size_t len = 0;; len++) {
        char *value;
        len += strcspn(text + len, ";");
        if (text[len] == '\0')
            return len;
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
            if (is_attribute(text + len + 1, names[i], &value))
                return len;
        }
    }
}

void form_part_parse(char *text, struct form_part *part)
{
    char end;
    *part = (struct form_part){0};
    if (*text == '@' || *text == '<')
        part->kind = *text++;
    if (part->kind || *text == '"') {
        part->content = take_word(&text, part->kind == '@' ? ",;" : ";", &end);
    } else {
        part->content = text;
        text += text_length(text);
        end = *text;
        if (end)
            *text++ = '\0';
    }
    while (end == ';') {
        char *value = NULL;
        if (is_attribute(text, "type=", &value)) {
            text = value;
            /* A media type may have parameters of its own: "text/plain; charset=utf-8". */
            part->type = text;
            size_t len = text_length(text);
            len = part->kind == '@' && strcspn(text, ",") < len ? strcspn(text, ",") : len;
            end = text[len];
            text[len] = '\0';
            text += len + (end != '\0');
        } else if (is_attribute(text, "filename=", &value)) {
            text = value;
            part->name = take_word(&text, part->kind == '@' ? ",;" : ";", &end);
        } else if (is_attribute(text, "headers=", &value) &&
                   part->field_count < sizeof part->fields / sizeof *part->fields) {
            text = value;
            part->fields[part->field_count++] =
                take_word(&text, part->kind == '@' ? ",;" : ";", &end);
        } else {
            const char *word = take_word(&text, ";", &end);
            if (word[0] != '\0') /* "@file;" says nothing */
                part->unknown = word;
        }
    }
    if (end == ',')
        part->next = text;
}

static int add_bytes(ferry_form *form, const char *name, const struct form_part *part,
                     const char *filename, const char *type, int *status)
{
    size_t len;
    ferry_error err = {0};
    char *bytes = data_read_file(part->content, &len);
    if (!bytes) {
        complain("(26) cannot read %s: %s", part->content, strerror(errno));
        *status = CLI_READ_FAILED;
        return -1;
    }
    int result = ferry_form_add_data(form, name, bytes, len, filename, type, &err);
    if (result < 0) {
        *status = cli_exit_code(&err);
        complain("(%d) %s", *status, err.message);
    }
    free(bytes);
    return result;
}

static int add_file(ferry_form *form, const char *name, const struct form_part *part, int *status)
{
    ferry_error err = {0};
    const char *filename = part->name ? part->name : strrchr(part->content, '/');
    filename = !filename ? part->content : filename == part->name ? filename : filename + 1;
    const char *type = part->type   ? part->type
                       : part->name ? form_type_of(part->name)
                                    : form_type_of(part->content);
    if (strcmp(part->content, "-") == 0)
        return add_bytes(form, name, part, part->name ? part->name : "-", type, status);
    if (ferry_form_add_file(form, name, part->content, filename, type, &err) == 0)
        return 0;
    if (err.code == FERRY_EINVAL) /* what is no regular file is read whole */
        return add_bytes(form, name, part, filename, type, status);
    *status = CLI_READ_FAILED;
    complain("(26) %s", err.message);
    return -1;
}

static int add_field(ferry_form *form, const char *text, int *status)
{
    ferry_error err = {0};
    const char *colon = strchr(text, ':');
    char *name = text_copy_part(text, colon ? (size_t)(colon - text) : strlen(text));
    int result = -1;
    if (name)
        result =
            ferry_form_add_field(form, name, colon ? colon + 1 + strspn(colon + 1, " ") : "", &err);
    if (result < 0) {
        *status = CLI_USAGE;
        complain("-F: %s", name ? err.message : "out of memory");
    }
    free(name);
    return result;
}

/* ";headers=": a field, or those in the lines of a file. */
static int add_fields(ferry_form *form, const struct form_part *part, int *status)
{
    int result = 0;
    for (size_t i = 0; result == 0 && i < part->field_count; i++) {
        size_t len;
        char *bytes = NULL, *rest = part->fields[i];
        if (rest[0] == '@' && !(rest = bytes = data_read_file(rest + 1, &len))) {
            complain("(26) cannot read %s: %s", part->fields[i] + 1, strerror(errno));
            *status = CLI_READ_FAILED;
            return -1;
        }
        for (char *line = strsep(&rest, "\n"); result == 0 && line; line = strsep(&rest, "\n")) {
            line[strcspn(line, "\r")] = '\0';
            if (line[0] != '\0' && line[0] != '#')
                result = add_field(form, line, status);
        }
        free(bytes);
    }
    return result;
}

static int add_content(ferry_form *form, const char *name, const struct form_part *part,
                       int *status)
{
    ferry_error err = {0};
    if (part->unknown) {
        complain("-F understands ;type=, ;filename= and ;headers=, not \";%s\"", part->unknown);
        *status = CLI_USAGE;
        return -1;
    }
    if (part->kind == '@')
        return add_file(form, name, part, status);
    if (part->kind == '<')
        return add_bytes(form, name, part, part->name, part->type, status);
    if (ferry_form_add_data(form, name, part->content, strlen(part->content), part->name,
                            part->type, &err) == 0)
        return 0;
    *status = cli_exit_code(&err);
    complain("(%d) %s", *status, err.message);
    return -1;
}

static int add_part(ferry_form *form, const char *name, const struct form_part *part, int *status)
{
    int result = add_content(form, name, part, status);
    return result == 0 ? add_fields(form, part, status) : result;
}

static int add_piece(ferry_form *form, const struct form_piece *piece, int *status)
{
    char *text = text_copy(piece->text);
    int result = text ? 0 : -1;
    if (!text) {
        complain("(27) out of memory");
        *status = CLI_NO_MEMORY;
    }
    char *equals = text ? strchr(text, '=') : NULL;
    if (equals) {
        struct form_part part = {.content = equals + 1};
        *equals = '\0';
        if (!piece->literal)
            form_part_parse(equals + 1, &part);
        result = add_part(form, text, &part, status);
        while (result == 0 && part.next) {
            char *next = part.next;
            form_part_parse(next, &part);
            part.kind = '@';
            result = add_part(form, text, &part, status);
        }
    }
    free(text);
    return result;
}

ferry_form *form_make(const struct config *config, int *status)
{
    ferry_error err = {0};
    ferry_form *form = ferry_form_new(&err);
    if (!form) {
        complain("(27) out of memory");
        *status = CLI_NO_MEMORY;
    }
    for (size_t i = 0; form && i < config->form_count; i++) {
        if (add_piece(form, &config->form[i], status) < 0) {
            ferry_form_free(form);
            form = NULL;
        }
    }
    return form;
}
