/*
 * Cookie jars as files in the Netscape format, which curl, wget and browsers' exports share: a
 * cookie a line, seven fields with tabs between them,
 *
 *     domain  TRUE when hosts inside it get it too  path  secure  expires (0: session)  name  value
 *
 * where "#HttpOnly_" before the domain is no comment. SameSite has no place in it. Files are read
 * and written outside the jar's lock.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/errno.h"
#include "base/error.h"
#include "client/cookie_jar.h"
#include "client/cookie_scope.h"
#include "client/file.h"
#include "http/bytes.h"

#define HTTP_ONLY "#HttpOnly_"

/* --------------------------------------------------------------------------------------- saving */

static void write_cookie(void *arg, const char *domain, const struct fy_cookie *cookie)
{
    struct fy_buffer *out = arg;
    /* What the format cannot hold is left out, rather than read back as something else. */
    if (strchr(cookie->name, '\t') != NULL || strchr(cookie->path, '\t') != NULL) {
        return;
    }
    long long expires = cookie->expires == FY_COOKIE_SESSION ? 0 : (long long)cookie->expires;
    const char *quote = cookie->quoted ? "\"" : "";
    fy_buffer_printf(out, "%s%s%s\t%s\t%s\t%s\t%lld\t", cookie->http_only ? HTTP_ONLY : "",
                     cookie->host_only ? "" : ".", domain, cookie->host_only ? "FALSE" : "TRUE",
                     cookie->path, cookie->secure ? "TRUE" : "FALSE", expires);
    fy_buffer_append_text(out, cookie->name);
    fy_buffer_printf(out, "\t%s%s%s\n", quote, cookie->value, quote);
}

FERRY_API int ferry_cookie_jar_save(ferry_cookie_jar *jar, const char *path, ferry_error *err)
{
    struct fy_buffer text = {0};
    err = FY_ERROR(err);
    if (jar == NULL || path == NULL) {
        return fy_fail_null(err, jar == NULL ? "a cookie jar" : "a path");
    }
    fy_buffer_append_text(&text, "# Netscape HTTP Cookie File\n\n");
    int failed = fy_cookie_jar_each(jar, (int64_t)time(NULL), write_cookie, &text);
    if (failed != 0 || text.failed) {
        failed = fy_fail_memory(err);
    } else {
        failed = fy_replace_file(path, &text, "saving cookies to", err);
    }
    fy_buffer_free(&text);
    return failed;
}

/* -------------------------------------------------------------------------------------- loading */

/* Cuts a line into its fields; the last one takes what is left. */
static size_t cut(char *line, char *fields[7])
{
    size_t count = 0;
    while (count < 7) {
        fields[count++] = line;
        char *tab = count < 7 ? strchr(line, '\t') : NULL;
        if (tab == NULL) {
            break;
        }
        *tab = '\0';
        line = tab + 1;
    }
    return count;
}

static bool take_expires(const char *text, int64_t now, int64_t *expires)
{
    char *end;
    errno = 0;
    long long seconds = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0) {
        return false;
    }
    int64_t last = now + FY_COOKIE_LIFE_MAX;
    *expires = seconds == 0 ? FY_COOKIE_SESSION : seconds < last ? seconds : last;
    return true;
}

/* Not every program that writes these files shouts. */
static bool is_true(const char *flag)
{
    return fy_text_is(flag, strlen(flag), "TRUE");
}

/* A line that is no cookie, or one that may not be, is passed over: other programs write here, too.
 * -1 only when out of memory. */
static int load_line(void *jar, char *line, ferry_error *err)
{
    int64_t now = (int64_t)time(NULL);
    char *fields[7] = {0};
    char domain[FY_HOST_MAX + 1];
    struct fy_cookie cookie = {0};
    if (strncmp(line, HTTP_ONLY, strlen(HTTP_ONLY)) == 0) {
        cookie.http_only = true;
        line += strlen(HTTP_ONLY);
    }
    line[strcspn(line, "\r\n")] = '\0';
    if (line[0] == '#') {
        return 0;
    }
    size_t count = cut(line, fields);
    if (count < 6) {
        return 0;
    }
    const char *name = fields[0] + (fields[0][0] == '.' ? 1 : 0);
    cookie.path = fields[2];
    cookie.name = fields[5];
    char *value = count == 7 ? fields[6] : fields[5] + strlen(fields[5]);
    size_t value_len = strlen(value);
    if (value_len >= 2 && value[0] == '"' && value[value_len - 1] == '"') {
        cookie.quoted = true;
        value[value_len - 1] = '\0';
        value++;
    }
    cookie.value = value;
    cookie.host_only = !is_true(fields[1]);
    cookie.secure = is_true(fields[3]);
    const char *name_end = cookie.name + strlen(cookie.name);
    if (!take_expires(fields[4], now, &cookie.expires) || cookie.expires <= now ||
        cookie.path[0] != '/' || strlen(cookie.path) > FY_COOKIE_MAX ||
        !fy_cookie_host(domain, name, strlen(name)) ||
        strlen(cookie.name) + value_len > FY_COOKIE_MAX || strlen(cookie.name) + value_len == 0 ||
        strpbrk(cookie.name, ";=") != NULL || strchr(value, ';') != NULL ||
        fy_find_control(cookie.name, name_end) != name_end ||
        fy_find_control(value, value + strlen(value)) != value + strlen(value)) {
        return 0;
    }
    if (fy_cookie_host_is_ip(domain)) {
        cookie.host_only = true;
    }
    ferry_error refused = {0};
    if (fy_cookie_jar_put(jar, domain, &cookie, now, &refused) != 0 &&
        refused.code == FERRY_ENOMEM) {
        *err = refused;
        return -1;
    }
    return 0;
}

FERRY_API int ferry_cookie_jar_load(ferry_cookie_jar *jar, const char *path, ferry_error *err)
{
    err = FY_ERROR(err);
    if (jar == NULL || path == NULL) {
        return fy_fail_null(err, jar == NULL ? "a cookie jar" : "a path");
    }
    return fy_read_lines(path, "loading cookies from", load_line, jar, err);
}
