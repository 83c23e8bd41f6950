/*
 * The URLs that most programs send: an http or https URL that is RFC 3986's and in its final form
 * as it stands, "http://example.org:8080/a?b". Nothing in it has to be encoded, decoded, mapped,
 * dropped or explained, so it is taken apart in one look at each byte. Called by fy_url_parse(),
 * which has the long way for all others, and by the request, which keeps the strings behind itself.
 */
#include <string.h>

#include "http/bytes.h"
#include "http/host.h"
#include "http/url.h"

/* What is longer goes the long way, which has a limit to check. */
#define TARGET_MAX ((size_t)16 * 1024)

/* The longest port there is: ":65535". */
#define PORT_MAX ((size_t)6)

static const char *skip(const char *at, unsigned byte_class)
{
    while (fy_byte_is(*at, byte_class)) {
        at++;
    }
    return at;
}

/* Behind the colon: a port in its final form, which is not the default. Returns what follows it, or
 * NULL. */
static const char *take_port(const char *at, uint16_t *port)
{
    unsigned value = 0;
    uint16_t standard = *port;
    if (*at == '0') {
        return NULL;
    }
    for (; *at >= '0' && *at <= '9' && value <= UINT16_MAX; at++) {
        value = value * 10 + (unsigned)(*at - '0');
    }
    *port = (uint16_t)value;
    return value > 0 && value <= UINT16_MAX && value != standard ? at : NULL;
}

bool fy_url_take_plain(struct fy_url_plain *plain, const char *text)
{
    if (text == NULL || text[0] != 'h' || text[1] != 't' || text[2] != 't' || text[3] != 'p') {
        return false;
    }
    const char *colon = text + 4;
    plain->port = 80;
    if (*colon == 's') {
        plain->port = 443;
        colon++;
    }
    if (colon[0] != ':' || colon[1] != '/' || colon[2] != '/') {
        return false;
    }
    const char *name = colon + 3;
    const char *port = skip(name, FY_BYTE_NAME);
    const char *target = *port == ':' ? take_port(port + 1, &plain->port) : port;
    if (target == NULL || *target != '/') {
        return false;
    }
    const char *end = skip(target, FY_BYTE_TARGET);
    plain->text = text;
    plain->scheme_len = (size_t)(colon - text);
    plain->name_len = (size_t)(port - name);
    plain->site_len = (size_t)(target - text);
    plain->len = (size_t)(end - text);
    return *end == '\0' && plain->name_len > 0 && plain->name_len <= FY_HOST_MAX &&
           plain->len - plain->site_len < TARGET_MAX;
}

size_t fy_url_plain_bytes(const struct fy_url_plain *plain)
{
    return plain->len + 1 + sizeof "https" + 2 * (plain->name_len + 1) + PORT_MAX;
}

void fy_url_lay_out(struct fy_url *url, const struct fy_url_plain *plain, char *block)
{
    size_t name_len = plain->name_len;
    size_t name_at = plain->scheme_len + 3;
    size_t authority_len = plain->site_len - name_at;
    bool has_port = authority_len > name_len;
    char *scheme = block + plain->len + 1;
    char *host = scheme + sizeof "https";
    char *host_port = host + name_len + 1;
    char *end = host_port + authority_len;
    memcpy(block, plain->text, plain->len + 1);
    memcpy(scheme, "https", sizeof "https");
    scheme[plain->scheme_len] = '\0';
    memcpy(host, plain->text + name_at, name_len);
    host[name_len] = '\0';
    memcpy(host_port, plain->text + name_at, authority_len);
    if (!has_port) {
        memcpy(end, plain->port == 80 ? ":80\0" : ":443", 4);
        end += plain->port == 80 ? 3 : 4;
    }
    *end = '\0';
    *url = (struct fy_url){
        .block = block,
        .block_size = (size_t)(end + 1 - block),
        .text = block,
        .shown = block,
        .scheme = scheme,
        .host = host,
        .authority = has_port ? host_port : host,
        .host_port = host_port,
        .target = block + plain->site_len,
        .authority_len = authority_len,
        .target_len = plain->len - plain->site_len,
        .port = plain->port,
    };
}
