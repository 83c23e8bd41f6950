/*
 * .netrc files: words with white space between them, "machine", "login", "password", "account",
 * "default" and "macdef" (whose text goes on to an empty line) among them; words in quotes may hold
 * white space, and \" in it. A '#' where a word would begin starts a comment.
 */
#include "client/netrc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/errno.h"
#include "base/error.h"
#include "client/file.h"
#include "http/bytes.h"

#define FILE_MAX ((size_t)1 << 20)

/* The next word, in *word, which is overwritten. False at the end. */
static bool next_word(const char **at, struct fy_buffer *word)
{
    word->len = 0;
    for (;;) {
        *at += strspn(*at, " \t\r\n");
        if (**at != '#') {
            break;
        }
        *at += strcspn(*at, "\n");
    }
    if (**at == '\0') {
        return false;
    }
    if (**at != '"') {
        size_t len = strcspn(*at, " \t\r\n");
        fy_buffer_append(word, *at, len);
        *at += len;
    } else {
        for (++*at; **at != '\0' && **at != '"'; ++*at) {
            if (**at == '\\' && (*at)[1] != '\0') {
                ++*at;
            }
            fy_buffer_append_byte(word, **at);
        }
        *at += **at == '"' ? 1 : 0;
    }
    fy_buffer_append_byte(word, '\0');
    return !word->failed;
}

static bool is_word(const struct fy_buffer *word, const char *what)
{
    return fy_text_is(word->bytes, word->len - 1, what);
}

static void skip_macro(const char **at)
{
    const char *end = strstr(*at, "\n\n");
    const char *other = strstr(*at, "\r\n\r\n");
    end = end == NULL || (other != NULL && other < end) ? other : end;
    *at = end != NULL ? end : *at + strlen(*at);
}

/* The word after login or password, kept if it is the first. */
static bool keep_word(const char **at, struct fy_buffer *word, char **place)
{
    if (!next_word(at, word)) {
        return !word->failed;
    }
    if (*place == NULL) {
        *place = strdup(word->bytes);
    }
    return *place != NULL;
}

int fy_netrc_find(const char *text, const char *host, struct fy_netrc_entry *entry)
{
    struct fy_buffer word = {0};
    bool mine = false;
    bool found = false;
    bool good = true;
    *entry = (struct fy_netrc_entry){0};
    while (good && next_word(&text, &word)) {
        if (is_word(&word, "machine") || is_word(&word, "default")) {
            if (found) {
                break;
            }
            entry->is_default = is_word(&word, "default");
            mine = entry->is_default || (next_word(&text, &word) && is_word(&word, host));
            found = mine;
        } else if (is_word(&word, "macdef")) {
            skip_macro(&text);
        } else if (mine && is_word(&word, "login")) {
            good = keep_word(&text, &word, &entry->login);
        } else if (mine && is_word(&word, "password")) {
            good = keep_word(&text, &word, &entry->password);
        } else if (is_word(&word, "login") || is_word(&word, "password") ||
                   is_word(&word, "account")) {
            (void)next_word(&text, &word);
        }
    }
    good = good && !word.failed;
    fy_buffer_free(&word);
    if (!good || !found) {
        fy_netrc_free(entry);
    }
    return good ? found : -1;
}

void fy_netrc_free(struct fy_netrc_entry *entry)
{
    free(entry->login);
    free(entry->password);
    *entry = (struct fy_netrc_entry){0};
}

static int default_path(struct fy_buffer *path)
{
    const char *named = getenv("NETRC");
    const char *home = getenv("HOME");
    if (named != NULL && named[0] != '\0') {
        fy_buffer_append_text(path, named);
    } else if (home != NULL) {
        fy_buffer_append_text(path, home);
        fy_buffer_append_text(path, "/.netrc");
    } else {
        return -1;
    }
    fy_buffer_append_byte(path, '\0');
    return 0;
}

static int read_file(FILE *file, const char *path, struct fy_buffer *text, ferry_error *err)
{
    size_t got;
    do {
        char *to = fy_buffer_reserve(text, 4096);
        got = to != NULL ? fread(to, 1, 4096, file) : 0;
        text->len += got;
    } while (got > 0 && text->len <= FILE_MAX);
    if (ferror(file)) {
        return fy_fail_file(err, FERRY_EREAD, errno, "reading", path);
    }
    if (text->len > FILE_MAX) {
        return fy_fail(err, FERRY_ETOOBIG, 0, "reading %s: it has more than a MiB", path);
    }
    fy_buffer_append_byte(text, '\0');
    return text->failed ? fy_fail_memory(err) : 0;
}

char *fy_netrc_read(const char *path, ferry_error *err)
{
    struct fy_buffer text = {0};
    struct fy_buffer standard = {0};
    FILE *file = NULL;
    int failed = -1;
    if (path[0] == '\0') {
        if (default_path(&standard) != 0) {
            fy_fail(err, FERRY_EREAD, 0, "there is no $NETRC and no $HOME to find a .netrc in");
            goto done;
        }
        path = standard.bytes;
    }
    if (standard.failed) {
        fy_fail_memory(err);
        goto done;
    }
    file = fopen(path, "re");
    if (file == NULL) {
        fy_fail_file(err, FERRY_EREAD, errno, "reading", path);
        goto done;
    }
    failed = read_file(file, path, &text, err);
done:
    if (file != NULL) {
        fclose(file);
    }
    if (failed != 0) {
        fy_buffer_free(&text);
    }
    fy_buffer_free(&standard);
    return text.bytes;
}
