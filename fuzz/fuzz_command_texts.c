/*
 * Texts that the command takes apart: the first byte says which kind, the rest is the text. What
 * must hold: a glob's URLs can all be made, and none is beyond its total; what is taken out of a
 * server's Content-Disposition is a plain name; a URL whose dots have been worked out stays as it
 * is; a config line's parts lie in the line.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "flags/config_file.h"
#include "fuzz.h"
#include "output/sink.h"
#include "output/write_out.h"
#include "plan/glob.h"
#include "request/dates.h"
#include "request/fields.h"
#include "request/form.h"
#include "request/url.h"

static void try_glob(char *text)
{
    struct glob glob;
    const char *why;
    size_t at;
    if (glob_parse(&glob, text, false, &why, &at) < 0) {
        MUST(at <= strlen(text));
        return;
    }
    MUST(glob.total > 0);
    const uint64_t numbers[] = {0, glob.total / 2, glob.total - 1};
    for (size_t i = 0; i < 3; i++) {
        char *url = glob_text(&glob, numbers[i]), *name = glob_name(&glob, numbers[i], "#1-#2");
        MUST(url != NULL && name != NULL);
        free(url);
        free(name);
    }
    glob_free(&glob);
}

static void try_config_line(char *text)
{
    struct config_line line;
    const char *end = text + strlen(text);
    config_line_parse(text, &line);
    MUST(line.name == NULL || (line.name >= text && line.name <= end));
    MUST(line.value == NULL || (line.value >= text && line.value <= end));
}

static void try_form_part(char *text)
{
    struct form_part part;
    const char *end = text + strlen(text);
    form_part_parse(text, &part);
    MUST(part.content >= text && part.content <= end);
    while (part.next != NULL) {
        form_part_parse(part.next, &part);
        part.kind = '@';
        MUST(part.content <= end);
    }
}

static void try_disposition(char *text)
{
    char *name = disposition_name(text);
    MUST(name == NULL || (name[0] != '\0' && name[0] != '.' && strpbrk(name, "/\\\r\n") == NULL));
    free(name);
}

static void try_url(char *text)
{
    char *user, *password;
    url_drop_dots(text);
    char *once = strdup(text);
    MUST(once != NULL);
    url_drop_dots(text);
    MUST(strcmp(once, text) == 0);
    MUST(url_credentials(text, &user, &password));
    free(user);
    free(password);
    url_drop_credentials(text);
    char *name = url_file_name(text), *query = url_with_query(text, "a=b"),
         *file = url_with_file(text, "x");
    MUST(name != NULL && strchr(name, '/') == NULL && query != NULL && file != NULL);
    free(once);
    free(name);
    free(query);
    free(file);
}

static void try_head(char *text)
{
    char *json = NULL;
    size_t len;
    FILE *out = open_memstream(&json, &len);
    MUST(out != NULL);
    write_out_header_json(out, text);
    MUST(fclose(out) == 0 && json[0] == '{' && json[len - 1] == '}');
    free(json);
}

static void try_field(char *text)
{
    char *name, *value;
    time_t when;
    date_parse(text, &when);
    if (field_parse(text, &name, &value)) {
        MUST(name[0] != '\0' && strpbrk(name, ":;") == NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const tries[])(char *text) = {
        try_glob, try_config_line, try_form_part, try_disposition, try_url, try_head, try_field,
    };
    if (size == 0) {
        return 0;
    }
    char *text = malloc(size);
    if (text == NULL) {
        return 0;
    }
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    tries[data[0] % (sizeof(tries) / sizeof(*tries))](text);
    free(text);
    return 0;
}
