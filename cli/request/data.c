/*
 * data.c: pieces of data, from texts and files, joined as curl joins them.
 */
#include "request/data.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exit_code.h"
#include "memory.h"
#include "message.h"
#include "request/url.h"

char *data_read_file(const char *path, size_t *len)
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
    char *bytes = NULL;
    size_t used = 0, capacity = 0;
    if (!file && errno == ENOMEM)
        memory_note_lack();
    if (!file)
        return NULL;
    for (size_t n = 1; n > 0; used += n) {
        if (capacity - used < 2) {
            char *grown = memory_resize(bytes, capacity = capacity * 2 + 16384);
            if (!grown) {
                free(bytes);
                bytes = NULL;
                break;
            }
            bytes = grown;
        }
        n = fread(bytes + used, 1, capacity - used - 1, file);
    }
    if (bytes && ferror(file)) {
        free(bytes);
        bytes = NULL;
    }
    if (bytes)
        bytes[used] = '\0';
    *len = used;
    int error = errno;
    if (file != stdin)
        fclose(file);
    errno = error;
    return bytes;
}

static char *read_or_say(const char *path, size_t *len, int *status)
{
    char *bytes = data_read_file(path, len);
    if (!bytes) {
        *status = errno == ENOMEM ? CLI_NO_MEMORY : CLI_READ_FAILED;
        complain("(%d) cannot read %s: %s", *status, path, strerror(errno));
    }
    return bytes;
}

static char *no_memory(int *status)
{
    complain("(27) out of memory");
    *status = CLI_NO_MEMORY;
    return NULL;
}

/* Without CR, LF and NUL, as -d @FILE has it. */
static void drop_line_ends(char *bytes, size_t *len)
{
    size_t kept = 0;
    for (size_t i = 0; i < *len; i++) {
        if (bytes[i] != '\r' && bytes[i] != '\n' && bytes[i] != '\0')
            bytes[kept++] = bytes[i];
    }
    bytes[ *len = kept] = '\0';
}

/* As a form's value: a space becomes a "+" in curl's data, "%20" in its query. */
static char *encode(const char *text, size_t len, bool plus)
{
    char *encoded = url_encode(text, len);
    if (encoded && plus) {
        char *to = encoded;
        for (const char *from = encoded; *from; to++) {
            bool space = strncmp(from, "%20", 3) == 0;
            *to = space ? '+' : *from;
            from += space ? 3 : 1;
        }
        *to = '\0';
    }
    return encoded;
}

/* "text", "=text", "name=text", "@file", "name@file". */
static char *urlencoded(const char *text, bool plus, size_t *len, int *status)
{
    size_t name = strcspn(text, "=@");
    const char *value = text[name] ? text + name + 1 : text;
    bool is_file = text[name] == '@';
    char *bytes = NULL, *joined = NULL;
    if (text[name] == '\0')
        name = 0;
    *len = strlen(value);
    if (is_file && !(bytes = read_or_say(value, len, status)))
        return NULL;
    char *encoded = encode(bytes ? bytes : value, *len, plus);
    if (!encoded ||
        text_print(&joined, "%.*s%s%s", (int)name, text, name > 0 ? "=" : "", encoded) < 0)
        joined = NULL;
    free(encoded);
    free(bytes);
    if (!joined)
        return no_memory(status);
    *len = strlen(joined);
    return joined;
}

static char *piece_bytes(const struct data_piece *piece, size_t *len, int *status)
{
    if (piece->kind == DATA_URLENCODE)
        return urlencoded(piece->text, true, len, status);
    if (piece->kind != DATA_RAW && piece->text[0] == '@') {
        char *bytes = read_or_say(piece->text + 1, len, status);
        if (bytes && piece->kind == DATA_TEXT)
            drop_line_ends(bytes, len);
        return bytes;
    }
    *len = strlen(piece->text);
    char *copy = text_copy(piece->text);
    if (!copy)
        return no_memory(status);
    return copy;
}

/* What has been joined, or NULL with *status. fine: all pieces were to be had, and else *status
 * tells. */
static char *end_joining(struct growing_text *text, bool fine, int *status)
{
    char *joined = text_end(text);
    if (joined && fine)
        return joined;
    free(joined);
    return fine ? no_memory(status) : NULL;
}

char *data_join(const struct config *config, size_t *len, int *status)
{
    struct growing_text text = {0};
    bool fine = true;
    for (size_t i = 0; fine && i < config->data_count; i++) {
        size_t piece_len;
        char *bytes = piece_bytes(&config->data[i], &piece_len, status);
        if (bytes && i > 0 && config->data[i].kind != DATA_JSON)
            text_add(&text, "&", 1);
        if (bytes)
            text_add(&text, bytes, piece_len);
        fine = bytes != NULL;
        free(bytes);
    }
    *len = text.len;
    return end_joining(&text, fine, status);
}

char *data_url_query(const struct config *config, int *status)
{
    struct growing_text joined = {0};
    bool fine = true;
    for (size_t i = 0; fine && i < config->url_queries.count; i++) {
        const char *text = config->url_queries.items[i];
        size_t len;
        char *piece = text[0] == '+' ? text_copy(text + 1) : urlencoded(text, true, &len, status);
        if (piece && i > 0)
            text_add(&joined, "&", 1);
        if (piece)
            text_add(&joined, piece, strlen(piece));
        fine = piece != NULL;
        free(piece);
    }
    return end_joining(&joined, fine, status);
}
