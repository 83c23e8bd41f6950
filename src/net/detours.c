/*
 * Reading and finding "host:port:to-host:to-port", any of the four empty.
 */
#include "net/detours.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "net/dial.h"

/* The host that *text begins with, in brackets or not, up to a colon; *text goes behind that. NULL
 * when out of memory, or *bad. */
static char *take_host(const char **text, bool *bad)
{
    const char *start = *text;
    const char *after;
    size_t len;
    if (*start == '[') {
        len = strcspn(++start, "]");
        after = start + len + (start[len] == ']');
    } else {
        len = strcspn(start, ":");
        after = start + len;
    }
    if (*after != ':') {
        *bad = true;
        return NULL;
    }
    *text = after + 1;
    return strndup(start, len > 1 && start[len - 1] == '.' ? len - 1 : len);
}

/* The port that *text begins with, up to the end character. */
static bool take_port(const char **text, char end, uint16_t *port)
{
    unsigned value = 0;
    const char *at = *text;
    while (*at >= '0' && *at <= '9' && value <= 65535) {
        value = value * 10 + (unsigned)(*at++ - '0');
    }
    *port = (uint16_t)value;
    if (*at != end || value > 65535 || (at > *text && value == 0)) {
        return false;
    }
    *text = at + (end != '\0');
    return true;
}

/* 0; -1 out of memory; 1 it is none. */
static int read_detour(struct fy_detour *detour, const char *text)
{
    bool bad = false;
    detour->host = take_host(&text, &bad);
    if (detour->host == NULL || !take_port(&text, ':', &detour->port)) {
        return detour->host == NULL && !bad ? -1 : 1;
    }
    detour->to_host = take_host(&text, &bad);
    if (detour->to_host == NULL) {
        return bad ? 1 : -1;
    }
    return take_port(&text, '\0', &detour->to_port) ? 0 : 1;
}

static void detour_free(struct fy_detour *detour)
{
    free(detour->host);
    free(detour->to_host);
}

int fy_detours_read(struct fy_detours *detours, const char *const *texts)
{
    size_t count = 0;
    while (texts != NULL && texts[count] != NULL) {
        count++;
    }
    if (count == 0) {
        return 0;
    }
    detours->list = calloc(count, sizeof *detours->list);
    if (detours->list == NULL) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        struct fy_detour detour = {0};
        int result = read_detour(&detour, texts[i]);
        if (result == 0) {
            detours->list[detours->count++] = detour;
            continue;
        }
        detour_free(&detour);
        if (result < 0) {
            return -1;
        }
        if (detours->refused.code == 0) {
            fy_fail(&detours->refused, FERRY_EINVAL, 0,
                    "the transport's connect_to entry \"%s\" cannot be read: write "
                    "host:port:to-host:to-port",
                    texts[i]);
        }
    }
    return 0;
}

void fy_detours_free(struct fy_detours *detours)
{
    for (size_t i = 0; i < detours->count; i++) {
        detour_free(&detours->list[i]);
    }
    free(detours->list);
    *detours = (struct fy_detours){0};
}

/* A final dot makes no difference here. */
static bool is_host(const struct fy_detour *detour, const char *host)
{
    size_t len = strlen(host);
    len -= len > 1 && host[len - 1] == '.';
    return detour->host[0] == '\0' ||
           (strlen(detour->host) == len && strncasecmp(detour->host, host, len) == 0);
}

bool fy_detours_find(const struct fy_detours *detours, const char **host, uint16_t *port)
{
    for (size_t i = 0; i < detours->count; i++) {
        const struct fy_detour *detour = &detours->list[i];
        if (is_host(detour, *host) && (detour->port == 0 || detour->port == *port)) {
            *host = detour->to_host[0] != '\0' ? detour->to_host : *host;
            *port = detour->to_port != 0 ? detour->to_port : *port;
            return true;
        }
    }
    return false;
}

int fy_detours_take(const struct fy_detours *detours, struct fy_dial *dial, char **host_port,
                    ferry_error *err)
{
    *host_port = NULL;
    if (detours->refused.code != 0) {
        *err = detours->refused;
        return -1;
    }
    if (!fy_detours_find(detours, &dial->host, &dial->port)) {
        return 0;
    }
    bool brackets = strchr(dial->host, ':') != NULL;
    if (asprintf(host_port, "%s%s%s:%d", brackets ? "[" : "", dial->host, brackets ? "]" : "",
                 dial->port) < 0) {
        *host_port = NULL;
        return fy_fail_memory(err);
    }
    dial->host_port = *host_port;
    return 0;
}
