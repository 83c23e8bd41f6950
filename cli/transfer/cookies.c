/*
 * cookies.c: files of cookies, into the jar and out of it.
 */
#include "transfer/cookies.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <unistd.h>

#include "exit_code.h"
#include "flags/words.h"
#include "memory.h"
#include "message.h"
#include "request/data.h"
#include "transfer/watch.h"

static bool is_file(const char *text)
{
    return strchr(text, '=') == NULL;
}

/* The time at which a line's cookie expires is its fifth field; 0: with the session. */
static bool ends_with_session(const char *line)
{
    for (int field = 0; field < 4; field++) {
        line = strchr(line, '\t');
        if (!line)
            return false;
        line++;
    }
    return line[0] == '0' && (line[1] == '\t' || line[1] == '\0');
}

/* A file may as well hold a response's head, as -D writes it. */
static bool is_field(const char *line)
{
    return strncasecmp(line, "Set-Cookie:", 11) == 0;
}

static void keep_field(struct group *group, const char *line)
{
    const char *value = line + 11 + strspn(line + 11, " \t");
    const char *kept = word_keep(value, strlen(value));
    if (kept)
        texts_add(&group->set_cookies, kept);
}

/* What is left of a file's text, by way of a file in memory, since that is how a jar is read. */
static int load_text(struct run *run, struct group *group, const char *name, char *text)
{
    char path[40], *rest = text;
    ferry_error err = {0};
    int fd = memfd_create("cookies", MFD_CLOEXEC);
    FILE *file = fd >= 0 ? fdopen(fd, "w+") : NULL;
    if (!file) {
        if (fd >= 0)
            close(fd);
        complain("(26) cannot read %s: %s", name, strerror(errno));
        return CLI_READ_FAILED;
    }
    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
        line[strcspn(line, "\r")] = '\0';
        if (is_field(line))
            keep_field(group, line);
        else if (!group->config->junk_session_cookies || !ends_with_session(line))
            fprintf(file, "%s\n", line);
    }
    fflush(file);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int result = ferry_cookie_jar_load(run->jar, path, &err);
    fclose(file);
    if (result < 0) {
        complain("(26) %s: %s", name, err.message);
        return CLI_READ_FAILED;
    }
    return CLI_OK;
}

static int load(struct run *run, struct group *group, const char *path)
{
    size_t len;
    char *text = data_read_file(path, &len);
    if (!text) {
        /* As in curl: -b with a name that is none only begins to keep cookies. */
        if (path[0] != '\0' && errno != ENOENT)
            warn("cannot read cookies from %s: %s", path, strerror(errno));
        return CLI_OK;
    }
    int status = load_text(run, group, path, text);
    free(text);
    return status;
}

int cookies_open(struct run *run, struct group *group)
{
    const struct config *config = group->config;
    int status = CLI_OK;
    group->cookies = config->cookie_jar != NULL;
    for (size_t i = 0; i < config->cookies.count; i++)
        group->cookies |= is_file(config->cookies.items[i]);
    if (!group->cookies)
        return CLI_OK;
    if (!run->jar && !(run->jar = ferry_cookie_jar_new())) {
        complain("(27) out of memory");
        return CLI_NO_MEMORY;
    }
    for (size_t i = 0; status == CLI_OK && i < config->cookies.count; i++) {
        if (is_file(config->cookies.items[i]))
            status = load(run, group, config->cookies.items[i]);
    }
    return status;
}

static void print_cookie(void *arg, const ferry_cookie *cookie)
{
    fprintf(arg, "%s%s%s\t%s\t%s\t%s\t%lld\t%s\t%s\n", cookie->http_only ? "#HttpOnly_" : "",
            cookie->host_only ? "" : ".", cookie->domain, cookie->host_only ? "FALSE" : "TRUE",
            cookie->path, cookie->secure ? "TRUE" : "FALSE", (long long)cookie->expires,
            cookie->name, cookie->value);
}

int cookies_save(const struct run *run, const struct group *group)
{
    const char *path = group->config->cookie_jar;
    ferry_error err = {0};
    if (!path || !run->jar)
        return CLI_OK;
    if (strcmp(path, "-") == 0) {
        printf("# Netscape HTTP Cookie File\n\n");
        if (ferry_cookie_jar_each(run->jar, print_cookie, stdout) < 0)
            memory_note_lack();
        return CLI_OK;
    }
    /* As in curl, a jar that cannot be written is no reason to fail. */
    if (ferry_cookie_jar_save(run->jar, path, &err) < 0)
        warn("%s", err.message);
    memory_note(&err);
    return CLI_OK;
}
