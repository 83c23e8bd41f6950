/*
 * Where a response points to: its Location field as an absolute URL, for callers who follow
 * redirects by themselves, or want to know what they have just created.
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "http/response.h"
#include "http/url.h"

static char *resolve(const char *from, const char *location, ferry_error *err)
{
    struct fy_url base = {0};
    struct fy_url url = {0};
    char *text = NULL;
    if (fy_url_parse(&base, from, err) == 0 && fy_url_resolve(&url, &base, location, err) == 0) {
        text = strdup(url.text);
        if (text == NULL) {
            fy_fail_memory(err);
        }
    }
    fy_url_free(&url);
    fy_url_free(&base);
    return text;
}

FERRY_API char *ferry_response_location(const ferry_response *res, ferry_error *err)
{
    err = FY_ERROR(err);
    if (res == NULL) {
        fy_fail_null(err, "a response");
        return NULL;
    }
    const char *location = fy_header_get(&res->header, "Location");
    if (location == NULL || location[0] == '\0') {
        fy_fail(err, FERRY_EUNSUPPORTED, 0, "the response has no Location");
        return NULL;
    }
    if (res->url[0] != '\0') {
        return resolve(res->url, location, err);
    }
    /* One that nobody has sent a request for: there is nothing to resolve it against. */
    char *text = strdup(location);
    if (text == NULL) {
        fy_fail_memory(err);
    }
    return text;
}
