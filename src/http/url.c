/*
 * URLs. Called with what a program or a person typed, and with what servers send as Location. The
 * way is always the same: what is typed becomes a URI of RFC 3986 (url_typed.c), uriparser takes
 * that apart and resolves references, and the pieces are laid out here in the forms that the rest
 * of the house needs, in one block of memory.
 */
#include "http/url.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <uriparser/Uri.h>

#include "base/error.h"
#include "http/bytes.h"
#include "http/host.h"
#include "http/url_typed.h"

/* What a URL is put together from; all of it borrowed. */
struct pieces {
    const char *scheme;
    const char *name; /* of the host, in its final form, without brackets or zone */
    const char *zone; /* "" unless ipv6 */
    const char *target;
    const char *user; /* decoded, or NULL */
    const char *password;
    bool ipv6;
    uint16_t port; /* 0: none given, and the scheme has no default */
};

static uint16_t default_port(const char *scheme)
{
    return strcmp(scheme, "http") == 0 ? 80 : strcmp(scheme, "https") == 0 ? 443 : 0;
}

static void append_port(struct fy_buffer *out, const struct pieces *pieces)
{
    fy_buffer_printf(out, ":%u", pieces->port);
}

/* How a zone identifier is shown, if it is. */
enum zone_form { NO_ZONE, PLAIN_ZONE, ENCODED_ZONE };

static void append_host(struct fy_buffer *out, const struct pieces *pieces, enum zone_form form)
{
    if (!pieces->ipv6) {
        fy_buffer_append_text(out, pieces->name);
        return;
    }
    fy_buffer_append_byte(out, '[');
    fy_buffer_append_text(out, pieces->name);
    if (pieces->zone[0] != '\0' && form == PLAIN_ZONE) {
        fy_buffer_append_byte(out, '%');
        fy_buffer_append_text(out, pieces->zone);
    } else if (pieces->zone[0] != '\0' && form == ENCODED_ZONE) {
        fy_buffer_append_text(out, "%25"); /* RFC 6874 section 2 */
        fy_url_encode_all(out, pieces->zone);
    }
    fy_buffer_append_byte(out, ']');
}

/* Everything before the target. */
static void append_site(struct fy_buffer *out, const struct pieces *pieces, bool with_user)
{
    fy_buffer_append_text(out, pieces->scheme);
    fy_buffer_append(out, "://", 3);
    if (with_user) {
        fy_url_encode_all(out, pieces->user == NULL ? "" : pieces->user);
        fy_buffer_append_text(out, pieces->password == NULL ? "@" : ":xxxxx@");
    }
    append_host(out, pieces, ENCODED_ZONE);
    if (pieces->port != default_port(pieces->scheme)) {
        append_port(out, pieces);
    }
}

/* Ends the string that was being appended and returns where the next one begins. */
static char *next_string(struct fy_buffer *out)
{
    fy_buffer_append_byte(out, '\0');
    return out->bytes + out->len;
}

/* No less than all strings together take: three bytes for each that may be percent-encoded, and
 * the punctuation. */
static size_t most_bytes(const struct pieces *pieces)
{
    size_t scheme = strlen(pieces->scheme);
    size_t target = strlen(pieces->target);
    size_t host = strlen(pieces->name) + 3 * strlen(pieces->zone) + sizeof("[%25]:65535");
    size_t user = pieces->user == NULL ? 0 : 3 * strlen(pieces->user);
    size_t password = pieces->password == NULL ? 0 : strlen(pieces->password);
    return 3 * scheme + 2 * target + 5 * host + 2 * user + password + 64;
}

/* Lays the pieces out in a block, which is large enough from the beginning and so does not move.
 * Strings that are the same, or the end of another, are there once. */
static int build(struct fy_url *url, const struct pieces *pieces, ferry_error *err)
{
    struct fy_buffer out = {0};
    bool with_user = pieces->user != NULL || pieces->password != NULL;
    bool other_port = pieces->port != default_port(pieces->scheme);
    if (fy_buffer_reserve(&out, most_bytes(pieces)) == NULL) {
        fy_fail_memory(err);
        return -1;
    }
    url->block = out.bytes;
    url->port = pieces->port;
    url->text = out.bytes;
    append_site(&out, pieces, false);
    url->target = out.bytes + out.len;
    fy_buffer_append_text(&out, pieces->target);
    if (out.len > FY_URL_MAX) {
        fy_buffer_free(&out);
        *url = (struct fy_url){0};
        return fy_fail(err, FERRY_EURL, 0, "longer than 64 KiB once it is encoded");
    }
    url->shown = url->text;
    url->scheme = next_string(&out);
    if (with_user) {
        url->shown = url->scheme;
        append_site(&out, pieces, true);
        fy_buffer_append_text(&out, pieces->target);
        url->scheme = next_string(&out);
    }
    fy_buffer_append_text(&out, pieces->scheme);
    url->host = next_string(&out);
    fy_buffer_append_text(&out, pieces->name);
    if (pieces->zone[0] != '\0') {
        fy_buffer_append_byte(&out, '%');
        fy_buffer_append_text(&out, pieces->zone);
    }
    url->authority = next_string(&out);
    append_host(&out, pieces, NO_ZONE);
    if (other_port) {
        append_port(&out, pieces);
    }
    url->host_port = url->authority;
    if (pieces->zone[0] != '\0' || (!other_port && pieces->port != 0)) {
        url->host_port = next_string(&out);
        append_host(&out, pieces, PLAIN_ZONE);
        if (pieces->port != 0) {
            append_port(&out, pieces);
        }
    }
    if (pieces->user != NULL) {
        url->user = next_string(&out);
        fy_buffer_append_text(&out, pieces->user);
    }
    if (pieces->password != NULL) {
        url->password = next_string(&out);
        fy_buffer_append_text(&out, pieces->password);
    }
    next_string(&out);
    url->block_size = out.len;
    url->authority_len = strlen(url->authority);
    url->target_len = strlen(url->target);
    return 0;
}

/* The digits of a port, checked by uriparser; an empty port is none (RFC 3986 section 3.2.3). */
static int parse_port(uint16_t *port, const UriTextRangeA *digits, ferry_error *err)
{
    unsigned value = 0;
    if (digits->first == digits->afterLast) {
        return 0;
    }
    for (const char *at = digits->first; at < digits->afterLast && value <= UINT16_MAX; at++) {
        value = value * 10 + (unsigned)(*at - '0');
    }
    if (value == 0 || value > UINT16_MAX) {
        return fy_fail(err, FERRY_EURL, 0, "the port is not between 1 and 65535");
    }
    *port = (uint16_t)value;
    return 0;
}

/* Percent-decodes the user info in place and cuts it in two at its first colon. */
static int parse_user_info(struct pieces *pieces, char *info, ferry_error *err)
{
    char *colon = strchr(info, ':');
    if (colon != NULL) {
        *colon = '\0';
        pieces->password = colon + 1;
    }
    pieces->user = info;
    for (int i = 0; i < (colon != NULL ? 2 : 1); i++) {
        char *to = i == 0 ? info : colon + 1;
        for (char *at = to;; at++) {
            char byte = *at;
            if (byte == '%') {
                byte = (char)(fy_hex_value(at[1]) * 16 + fy_hex_value(at[2]));
                at += 2;
            } else if (byte == '\0') {
                break;
            }
            /* They would end a C string here, or a line at the server (RFC 7617 section 2). */
            if ((unsigned char)byte < 0x20 || byte == 0x7f) {
                return fy_fail(err, FERRY_EURL, 0, "the user info has a control byte in it");
            }
            *to++ = byte;
        }
        *to = '\0';
    }
    return 0;
}

/* From uriparser's ranges to pieces. name, info: where those that are decoded are put. */
static int take_pieces(struct pieces *pieces, const UriUriA *uri, char name[FY_HOST_MAX + 1],
                       char *info, ferry_error *err)
{
    pieces->port = default_port(pieces->scheme);
    if (parse_port(&pieces->port, &uri->portText, err) != 0) {
        return -1;
    }
    if (uri->userInfo.first != uri->userInfo.afterLast) {
        size_t len = (size_t)(uri->userInfo.afterLast - uri->userInfo.first);
        memcpy(info, uri->userInfo.first, len);
        info[len] = '\0';
        if (parse_user_info(pieces, info, err) != 0) {
            return -1;
        }
    }
    pieces->name = name;
    if (uri->hostData.ip6 != NULL) {
        /* One spelling for one address, so that it has one pool. */
        pieces->ipv6 = true;
        inet_ntop(AF_INET6, uri->hostData.ip6->data, name, FY_HOST_MAX + 1);
        return 0;
    }
    if (uri->hostData.ipFuture.first != NULL) {
        return fy_fail(err, FERRY_EURL, 0, "the address in brackets is no IPv6 address");
    }
    return fy_host_name(name, uri->hostText.first,
                        (size_t)(uri->hostText.afterLast - uri->hostText.first), err);
}

/* Why uriparser refused what fy_url_typed() let pass: only the inside of brackets is left to it. */
static void explain(ferry_error *err, int code, const char *text)
{
    if (code == URI_ERROR_MALLOC) {
        fy_fail(err, FERRY_ENOMEM, 0, "out of memory");
    } else if (strchr(text, '[') != NULL) {
        fy_fail(err, FERRY_EURL, 0, "the address in brackets is no IPv6 address");
    } else {
        fy_fail(err, FERRY_EURL, 0, "no URI by RFC 3986");
    }
}

static int parse_typed(struct fy_url *url, const struct fy_typed *typed, ferry_error *err)
{
    const char *text = typed->text.bytes;
    UriUriA uri;
    const char *wrong;
    /* Path and query are what fy_url_typed() made them: there is nothing left in them to refuse. */
    int code = uriParseSingleUriExA(&uri, text, text + typed->target_at, &wrong);
    if (code != URI_SUCCESS) {
        explain(err, code, text);
        return -1;
    }
    int failed = -1;
    char name[FY_HOST_MAX + 1];
    char *scheme = strndup(text, typed->scheme_len);
    char *info = malloc((size_t)(uri.userInfo.afterLast - uri.userInfo.first) + 1);
    if (scheme == NULL || info == NULL) {
        fy_fail_memory(err);
        goto done;
    }
    struct pieces pieces = {
        .scheme = scheme, .zone = typed->zone, .target = text + typed->target_at};
    if (take_pieces(&pieces, &uri, name, info, err) == 0) {
        failed = build(url, &pieces, err);
    }
done:
    free(info);
    free(scheme);
    uriFreeUriMembersA(&uri);
    return failed;
}

int fy_url_parse(struct fy_url *url, const char *text, ferry_error *err)
{
    struct fy_url_plain plain;
    struct fy_typed typed = {0};
    if (fy_url_take_plain(&plain, text)) {
        char *block = malloc(fy_url_plain_bytes(&plain));
        if (block == NULL) {
            *url = (struct fy_url){0};
            fy_fail_memory(err);
            return -1;
        }
        fy_url_lay_out(url, &plain, block);
        return 0;
    }
    *url = (struct fy_url){0};
    int failed = fy_url_typed(&typed, text, err);
    if (failed == 0 && (failed = parse_typed(url, &typed, err)) != 0) {
        fy_url_blame(err, text);
    }
    fy_typed_free(&typed);
    return failed;
}

/* A stand-in for scheme and host while a target is resolved, so that no target can be mistaken
 * for an authority. */
#define STAND_IN "http://h"

/* Resolves reference, a relative one or one that begins with STAND_IN, against a base target.
 * Returns the target from malloc(), or NULL. */
static char *resolve_target(const char *base_target, const char *reference, ferry_error *err)
{
    UriUriA base = {0};
    UriUriA relative = {0};
    UriUriA resolved = {0};
    struct fy_buffer base_text = {0};
    const char *wrong;
    char *text = NULL;
    char *target = NULL;
    int len = 0;
    fy_buffer_append_text(&base_text, STAND_IN);
    fy_buffer_append_text(&base_text, base_target);
    fy_buffer_append_byte(&base_text, '\0');
    if (base_text.failed) {
        fy_fail_memory(err);
        goto done;
    }
    int code = uriParseSingleUriA(&base, base_text.bytes, &wrong);
    if (code == URI_SUCCESS) {
        code = uriParseSingleUriA(&relative, reference, &wrong);
    }
    if (code == URI_SUCCESS) {
        code = uriAddBaseUriExA(&resolved, &relative, &base, 0);
    }
    if (code == URI_SUCCESS) {
        code = uriToStringCharsRequiredA(&resolved, &len);
    }
    if (code == URI_SUCCESS && (text = malloc((size_t)len + 1)) == NULL) {
        code = URI_ERROR_MALLOC;
    }
    if (code == URI_SUCCESS) {
        code = uriToStringA(text, &resolved, len + 1, NULL);
    }
    if (code == URI_SUCCESS) {
        const char *path = text + strlen(STAND_IN);
        if (strncmp(path, "/.//", 4) == 0 && strcspn(reference, "?") > 0) {
            path += 2; /* uriparser's, for URIs where "//" would begin a host: not so behind one */
        }
        target = strdup(*path == '\0' ? "/" : path);
        code = target == NULL ? URI_ERROR_MALLOC : URI_SUCCESS;
    }
    if (code == URI_ERROR_MALLOC) {
        fy_fail_memory(err);
    } else if (code != URI_SUCCESS) {
        fy_fail(err, FERRY_EURL, 0, "no reference by RFC 3986");
    }
done:
    free(text);
    uriFreeUriMembersA(&resolved);
    uriFreeUriMembersA(&relative);
    uriFreeUriMembersA(&base);
    fy_buffer_free(&base_text);
    return target;
}

/* Makes *url out of another one with its target replaced. */
static int with_target(struct fy_url *url, const struct fy_url *from, const char *target,
                       ferry_error *err)
{
    /* A zone stands in no other host than an IPv6 address, and only addresses have colons. */
    bool ipv6 = strchr(from->host, ':') != NULL;
    char name[FY_HOST_MAX + 1];
    size_t len = strcspn(from->host, ipv6 ? "%" : "");
    memcpy(name, from->host, len);
    name[len] = '\0';
    struct pieces pieces = {
        .scheme = from->scheme,
        .name = name,
        .zone = from->host[len] == '%' ? from->host + len + 1 : "",
        .target = target,
        .user = from->user,
        .password = from->password,
        .ipv6 = ipv6,
        .port = from->port,
    };
    return build(url, &pieces, err);
}

/* A reference with a host of its own: parsed as it is, then rid of its dot segments. */
static int resolve_absolute(struct fy_url *url, const char *text, ferry_error *err)
{
    struct fy_url parsed;
    if (fy_url_parse(&parsed, text, err) != 0) {
        return -1;
    }
    int failed = -1;
    char *target = NULL;
    struct fy_buffer reference = {0};
    fy_buffer_append_text(&reference, STAND_IN);
    fy_buffer_append_text(&reference, parsed.target);
    fy_buffer_append_byte(&reference, '\0');
    if (reference.failed) {
        fy_fail_memory(err);
    } else if ((target = resolve_target("/", reference.bytes, err)) != NULL) {
        failed = with_target(url, &parsed, target, err);
    }
    free(target);
    fy_buffer_free(&reference);
    fy_url_free(&parsed);
    return failed;
}

static int resolve_relative(struct fy_url *url, const struct fy_url *base, const char *text,
                            ferry_error *err)
{
    struct fy_buffer reference = {0};
    char *target = NULL;
    int failed = fy_url_typed_reference(&reference, text, err);
    if (failed == 0) {
        target = resolve_target(base->target, reference.bytes, err);
        failed = target == NULL ? -1 : with_target(url, base, target, err);
        if (failed != 0) {
            fy_url_blame(err, text);
        }
    }
    free(target);
    fy_buffer_free(&reference);
    return failed;
}

int fy_url_resolve(struct fy_url *url, const struct fy_url *base, const char *reference,
                   ferry_error *err)
{
    *url = (struct fy_url){0};
    switch (fy_url_reference_kind(reference)) {
    case FY_REFERENCE_ABSOLUTE: return resolve_absolute(url, reference, err);
    case FY_REFERENCE_RELATIVE: return resolve_relative(url, base, reference, err);
    case FY_REFERENCE_OTHER_HOST: break;
    }
    struct fy_buffer text = {0};
    fy_buffer_append_text(&text, base->scheme);
    fy_buffer_append_byte(&text, ':');
    fy_buffer_append_text(&text, reference + strspn(reference, " "));
    fy_buffer_append_byte(&text, '\0');
    int failed = text.failed ? fy_fail_memory(err) : resolve_absolute(url, text.bytes, err);
    fy_buffer_free(&text);
    return failed;
}

void fy_url_connect_target(const struct fy_url *url, struct fy_buffer *out)
{
    fy_buffer_append_text(out, url->authority);
    if (url->port != 0 && url->port == default_port(url->scheme)) {
        fy_buffer_printf(out, ":%u", url->port);
    }
}

int fy_url_over_tls(struct fy_url *url, const struct fy_url *from, ferry_error *err)
{
    struct fy_buffer text = {0};
    *url = (struct fy_url){0};
    fy_buffer_append_text(&text, "https://");
    if (from->user != NULL || from->password != NULL) {
        fy_url_encode_all(&text, from->user != NULL ? from->user : "");
        if (from->password != NULL) {
            fy_buffer_append_byte(&text, ':');
            fy_url_encode_all(&text, from->password);
        }
        fy_buffer_append_byte(&text, '@');
    }
    fy_buffer_append_text(&text, from->text + strlen("http://")); /* which has no port 80 */
    fy_buffer_append_byte(&text, '\0');
    int failed = text.failed ? fy_fail_memory(err) : fy_url_parse(url, text.bytes, err);
    fy_buffer_free(&text);
    return failed;
}

int fy_url_copy(struct fy_url *url, const struct fy_url *from)
{
    *url = (struct fy_url){0};
    if (from->block == NULL) {
        return 0;
    }
    char *block = malloc(from->block_size);
    if (block == NULL) {
        return -1;
    }
    memcpy(block, from->block, from->block_size);
    *url = *from;
    url->block = block;
    url->block_is_lent = false;
    char **strings[] = {&url->text,      &url->shown,  &url->scheme, &url->host,    &url->authority,
                        &url->host_port, &url->target, &url->user,   &url->password};
    for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++) {
        if (*strings[i] != NULL) {
            *strings[i] = block + (*strings[i] - from->block);
        }
    }
    return 0;
}

void fy_url_free(struct fy_url *url)
{
    if (!url->block_is_lent) {
        free(url->block);
    }
    *url = (struct fy_url){0};
}
