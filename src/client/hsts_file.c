/*
 * HSTS stores as files in curl's format: a host a line,
 *
 *     .example.org "20271231 23:59:59"
 *
 * with a dot before one that speaks for its subdomains, and the time until which it counts, in UTC,
 * or "unlimited". Lines that begin with '#' are comments. Files are read and written outside the
 * store's lock.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "client/file.h"
#include "client/hsts.h"

#define UNLIMITED "unlimited"
#define YEAR_10000 INT64_C(253402300800) /* it has no room in the format */

static void write_host(void *arg, const char *host, bool subdomains, int64_t expires)
{
    struct fy_buffer *out = arg;
    char when[32] = UNLIMITED;
    struct tm tm;
    time_t seconds = (time_t)expires;
    if (expires < YEAR_10000 && gmtime_r(&seconds, &tm) != NULL) {
        strftime(when, sizeof when, "%Y%m%d %H:%M:%S", &tm);
    }
    fy_buffer_printf(out, "%s%s \"%s\"\n", subdomains ? "." : "", host, when);
}

FERRY_API int ferry_hsts_save(ferry_hsts *hsts, const char *path, ferry_error *err)
{
    struct fy_buffer text = {0};
    err = FY_ERROR(err);
    if (hsts == NULL || path == NULL) {
        return fy_fail_null(err, hsts == NULL ? "an HSTS store" : "a path");
    }
    fy_buffer_append_text(&text, "# HSTS: hosts for https only, and until when\n\n");
    fy_hsts_each(hsts, (int64_t)time(NULL), write_host, &text);
    int failed = fy_replace_file(path, &text, "saving HSTS hosts to", err);
    fy_buffer_free(&text);
    return failed;
}

static bool read_time(const char *text, int64_t *expires)
{
    struct tm tm = {0};
    int end = 0;
    if (strcmp(text, UNLIMITED) == 0) {
        *expires = FY_HSTS_FOREVER;
        return true;
    }
    if (sscanf(text, "%4d%2d%2d %2d:%2d:%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour,
               &tm.tm_min, &tm.tm_sec, &end) != 6 ||
        text[end] != '\0' || tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 || tm.tm_mday > 31 ||
        tm.tm_hour < 0 || tm.tm_hour > 23 || tm.tm_min < 0 || tm.tm_min > 59 || tm.tm_sec < 0 ||
        tm.tm_sec > 60) {
        return false;
    }
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    *expires = timegm(&tm);
    return true;
}

/* A line that is none is passed over. -1 when out of memory. */
static int load_line(void *hsts, char *line, ferry_error *err)
{
    char *host = line + strspn(line, " \t");
    char *open = strchr(host, '"');
    char *close = open != NULL ? strchr(open + 1, '"') : NULL;
    int64_t expires;
    if (*host == '#' || close == NULL) {
        return 0;
    }
    *close = '\0';
    bool subdomains = *host == '.';
    host += subdomains;
    size_t len = strcspn(host, " \t\"");
    if (host + len + strspn(host + len, " \t") != open || !read_time(open + 1, &expires)) {
        return 0;
    }
    host[len] = '\0';
    if (fy_hsts_put(hsts, host, subdomains, expires, (int64_t)time(NULL)) != 0) {
        return fy_fail_memory(err);
    }
    return 0;
}

FERRY_API int ferry_hsts_load(ferry_hsts *hsts, const char *path, ferry_error *err)
{
    err = FY_ERROR(err);
    if (hsts == NULL || path == NULL) {
        return fy_fail_null(err, hsts == NULL ? "an HSTS store" : "a path");
    }
    return fy_read_lines(path, "loading HSTS hosts from", load_line, hsts, err);
}
