/*
 * What people type is rarely a URI: it has spaces, letters beyond ASCII, brackets in the query, an
 * @ in the password, a plain % before an IPv6 zone. What can mean one thing only is encoded here,
 * and the rest refused with a sentence that shows it. Called by the URL parser.
 */
#include "http/url_typed.h"

#include <string.h>

#include "base/error.h"
#include "http/bytes.h"
#include "http/host.h"

/* How much of a URL a message shows: 'parse "..."' and the longest reason must fit into
 * ferry_error's message. */
#define SHOWN_MAX 120

static bool is_hex_pair(const char *text, size_t len)
{
    return len >= 2 && fy_byte_is(text[0], FY_BYTE_HEX) && fy_byte_is(text[1], FY_BYTE_HEX);
}

static void append_encoded_byte(struct fy_buffer *out, char byte)
{
    static const char digits[] = "0123456789ABCDEF";
    char encoded[3] = {'%', digits[(unsigned char)byte >> 4], digits[(unsigned char)byte & 15]};
    fy_buffer_append(out, encoded, sizeof(encoded));
}

void fy_url_encode_all(struct fy_buffer *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (fy_byte_is(*text, FY_BYTE_UNRESERVED)) {
            fy_buffer_append_byte(out, *text);
        } else {
            append_encoded_byte(out, *text);
        }
    }
}

/* Encodes what may not stand where unreserved bytes, sub-delims and 'also' may. A % that two
 * digits follow is taken for the encoding that it looks like, any other is meant as it is. */
static void append_encoded(struct fy_buffer *out, const char *text, size_t len, const char *also)
{
    size_t done = 0;
    for (size_t i = 0; i < len; i++) {
        if (fy_byte_is(text[i], FY_BYTE_UNRESERVED | FY_BYTE_SUB_DELIM) ||
            (text[i] == '%' ? is_hex_pair(text + i + 1, len - i - 1)
                            : text[i] != '\0' && strchr(also, text[i]) != NULL)) {
            continue;
        }
        fy_buffer_append(out, text + done, i - done);
        append_encoded_byte(out, text[i]);
        done = i + 1;
    }
    fy_buffer_append(out, text + done, len - done);
}

/* Path and query, which begin with '/' or '?' or not at all where a host stood before them. */
static void append_target(struct fy_buffer *out, const char *text, size_t len)
{
    const char *query = memchr(text, '?', len);
    size_t path_len = query == NULL ? len : (size_t)(query - text);
    append_encoded(out, text, path_len, ":@/");
    if (query != NULL) {
        append_encoded(out, query, len - path_len, ":@/?");
    }
}

/* The length of the scheme that text begins with, without its colon; 0 if it begins with none
 * (RFC 3986 section 3.1). */
static size_t scheme_len(const char *text)
{
    size_t len = 0;
    while ((text[len] >= 'a' && text[len] <= 'z') || (text[len] >= 'A' && text[len] <= 'Z') ||
           (len > 0 && ((text[len] >= '0' && text[len] <= '9') ||
                        (text[len] != '\0' && strchr("+-.", text[len]))))) {
        len++;
    }
    return text[len] == ':' ? len : 0;
}

enum fy_reference_kind fy_url_reference_kind(const char *text)
{
    text += strspn(text, " ");
    if (scheme_len(text) > 0) {
        return FY_REFERENCE_ABSOLUTE;
    }
    return text[0] == '/' && text[1] == '/' ? FY_REFERENCE_OTHER_HOST : FY_REFERENCE_RELATIVE;
}

/* The user info that text seems to hold, for masking: from after the slashes of "http://", "//" and
 * the like (or the beginning) to the last @ before the path; where there is none, to the last @ at
 * all, because a password with a slash in it is a password still. */
static size_t mask_password(struct fy_buffer *out, const char *text)
{
    const char *slashes = text + strcspn(text, "/?#");
    const char *start = strncmp(slashes, "//", 2) == 0 ? slashes + strspn(slashes, "/") : text;
    const char *at = memrchr(start, '@', strcspn(start, "/?#"));
    if (at == NULL && memchr(start, ':', strcspn(start, "/?#")) != NULL) {
        at = strrchr(start, '@');
    }
    const char *colon = at == NULL ? NULL : memchr(start, ':', (size_t)(at - start));
    if (colon == NULL) {
        return 0;
    }
    fy_buffer_append(out, text, (size_t)(colon + 1 - text));
    fy_buffer_append_text(out, "xxxxx");
    return (size_t)(at - text);
}

/* Writes text as a message shows it, at most max bytes and a NUL; where out of memory, nothing. */
static void show(char *shown, size_t max, const char *text)
{
    struct fy_buffer masked = {0};
    struct fy_buffer whole = {0};
    shown[0] = '\0';
    size_t done = mask_password(&masked, text);
    fy_buffer_append_text(&masked, text + done);
    for (size_t i = 0; !masked.failed && i < masked.len; i++) {
        if (i == max && masked.len > 2 * max) {
            i = masked.len - max; /* what lies between will not be seen */
        }
        if (fy_byte_is(masked.bytes[i], FY_BYTE_TEXT) && masked.bytes[i] != '\t') {
            fy_buffer_append_byte(&whole, masked.bytes[i]);
        } else {
            fy_buffer_printf(&whole, "\\x%02x", (unsigned char)masked.bytes[i]);
        }
    }
    if (!whole.failed && whole.len <= max) {
        memcpy(shown, whole.bytes == NULL ? "" : whole.bytes, whole.len);
        shown[whole.len] = '\0';
    } else if (!whole.failed) {
        size_t head = (max - 3) * 2 / 3;
        size_t tail = max - 3 - head;
        while (head > 0 && ((unsigned char)whole.bytes[head] & 0xc0) == 0x80) {
            head--; /* not in the middle of a character */
        }
        while (tail > 0 && ((unsigned char)whole.bytes[whole.len - tail] & 0xc0) == 0x80) {
            tail--;
        }
        memcpy(shown, whole.bytes, head);
        memcpy(shown + head, "...", 3);
        memcpy(shown + head + 3, whole.bytes + whole.len - tail, tail);
        shown[head + 3 + tail] = '\0';
    }
    fy_buffer_free(&masked);
    fy_buffer_free(&whole);
}

void fy_url_blame(ferry_error *err, const char *text)
{
    char shown[SHOWN_MAX + 1];
    show(shown, SHOWN_MAX, text);
    fy_error_prefix(err, "parse \"%s\"", shown);
}

/* Refuses a URL for a reason, as a whole sentence. */
static int refuse(ferry_error *err, const char *text, const char *reason)
{
    fy_fail(err, FERRY_EURL, 0, "%s", reason);
    fy_url_blame(err, text);
    return -1;
}

static int refuse_no_scheme(ferry_error *err, const char *text, size_t len)
{
    char shown[65];
    const char *rest = text[0] == '/' && len > 1 && text[1] == '/' ? text + 2 : text;
    show(shown, sizeof(shown) - 1, text);
    if (strchr("/?#", *rest) != NULL) {
        return fy_fail(err, FERRY_EURL, 0, "\"%s\" has no scheme and no host", shown);
    }
    char meant[65];
    show(meant, sizeof(meant) - 1, rest);
    return fy_fail(err, FERRY_EURL, 0, "\"%s\" has no scheme: did you mean \"http://%s\"?", shown,
                   meant);
}

/* Checks what every typed text must keep to, and takes the spaces from its ends, which come with
 * copying and pasting, and the fragment, which is not the server's. */
static int trim(const char **text, size_t *len, ferry_error *err)
{
    const char *from = *text;
    size_t count = strnlen(from, FY_URL_MAX + 1);
    if (count > FY_URL_MAX) {
        return refuse(err, from, "longer than 64 KiB");
    }
    for (size_t i = 0; i < count; i++) {
        if (!fy_byte_is(from[i], FY_BYTE_TEXT) || from[i] == '\t') {
            return refuse(err, from, "a control byte in it");
        }
    }
    while (count > 0 && from[count - 1] == ' ') {
        count--;
    }
    while (count > 0 && *from == ' ') {
        from++;
        count--;
    }
    const char *fragment = memchr(from, '#', count);
    *text = from;
    *len = fragment == NULL ? count : (size_t)(fragment - from);
    return 0;
}

/* The zone behind an IPv6 address: "%25" and an encoded name (RFC 6874), or a plain % as people
 * and ip(8) write it. */
static const char *take_zone(struct fy_typed *typed, const char *text, size_t len)
{
    size_t count = 0;
    bool encoded = len > 3 && memcmp(text, "%25", 3) == 0;
    for (size_t i = encoded ? 3 : 1; i < len; i++) {
        char byte = text[i];
        if (encoded && byte == '%' && is_hex_pair(text + i + 1, len - i - 1)) {
            byte = (char)(fy_hex_value(text[i + 1]) * 16 + fy_hex_value(text[i + 2]));
            i += 2;
        }
        if (byte <= ' ' || byte >= 0x7f || strchr("%[]/\\?#@", byte) != NULL ||
            count == FY_ZONE_MAX) {
            return "the zone of the IPv6 address is no interface name";
        }
        typed->zone[count++] = byte;
    }
    typed->zone[count] = '\0';
    return count == 0 ? "the zone of the IPv6 address is empty" : NULL;
}

/* "[address%zone]": the address stays, in its brackets, for uriparser to check. */
static const char *append_address(struct fy_typed *typed, const char *host, size_t len)
{
    const char *close = memchr(host, ']', len);
    if (close == NULL) {
        return "the IPv6 address has no closing bracket";
    }
    const char *percent = memchr(host, '%', (size_t)(close - host));
    const char *end = percent == NULL ? close : percent;
    for (const char *at = host + 1; at < end; at++) {
        if (!fy_byte_is(*at, FY_BYTE_HEX) && *at != ':' && *at != '.') {
            return "the address in brackets is no IPv6 address";
        }
    }
    fy_buffer_append(&typed->text, host, (size_t)(end - host));
    fy_buffer_append_byte(&typed->text, ']');
    return percent == NULL ? NULL : take_zone(typed, percent, (size_t)(close - percent));
}

static const char *append_name(struct fy_typed *typed, const char *host, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        const char *reason = fy_host_byte_refused(host[i]);
        if (reason == NULL && host[i] == '%' && !is_hex_pair(host + i + 1, len - i - 1)) {
            reason = "the host has a percent sign without two digits in it";
        }
        if (reason != NULL) {
            return reason;
        }
    }
    append_encoded(&typed->text, host, len, "");
    return NULL;
}

/* [user info@]host[:port]; NULL, or the reason for refusing it. */
static const char *append_authority(struct fy_typed *typed, const char *text, size_t len)
{
    if (memchr(text, '\\', len) != NULL) {
        /* Browsers end the host here, RFC 3986 does not: "http://a\@b/" has two readings. */
        return "a backslash before the path";
    }
    const char *at = memrchr(text, '@', len); /* the last: passwords hold the others */
    if (at != NULL) {
        if (at > text) {
            append_encoded(&typed->text, text, (size_t)(at - text), ":");
            fy_buffer_append_byte(&typed->text, '@');
        }
        len -= (size_t)(at + 1 - text);
        text = at + 1;
    }
    size_t host_len = len;
    if (len > 0 && text[0] == '[') {
        const char *close = memchr(text, ']', len);
        host_len = close == NULL ? len : (size_t)(close + 1 - text);
    } else {
        const char *colon = memchr(text, ':', len);
        host_len = colon == NULL ? len : (size_t)(colon - text);
    }
    if (host_len == 0) {
        return "no host";
    }
    const char *reason =
        text[0] == '[' ? append_address(typed, text, host_len) : append_name(typed, text, host_len);
    if (reason != NULL || host_len == len) {
        return reason;
    }
    if (text[host_len] != ':') {
        return "something other than a port follows the IPv6 address";
    }
    for (size_t i = host_len + 1; i < len; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return "the port is not a number";
        }
    }
    fy_buffer_append(&typed->text, text + host_len, len - host_len);
    return NULL;
}

static void append_scheme(struct fy_typed *typed, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        fy_buffer_append_byte(&typed->text,
                              text[i] >= 'A' && text[i] <= 'Z' ? (char)(text[i] | 0x20) : text[i]);
    }
    fy_buffer_append_text(&typed->text, "://");
    typed->scheme_len = len;
}

static size_t authority_len(const char *text, size_t len)
{
    size_t count = 0;
    while (count < len && text[count] != '/' && text[count] != '?') {
        count++;
    }
    return count;
}

int fy_url_typed(struct fy_typed *typed, const char *given, ferry_error *err)
{
    const char *text = given;
    size_t len;
    if (given == NULL) {
        return fy_fail(err, FERRY_EURL, 0, "no URL");
    }
    if (trim(&text, &len, err) != 0) {
        return -1;
    }
    if (len == 0) {
        return fy_fail(err, FERRY_EURL, 0, "the URL is empty");
    }
    size_t scheme = scheme_len(text);
    bool host_and_port =
        scheme > 0 && text[scheme + 1] >= '0' && text[scheme + 1] <= '9'; /* "localhost:8080" */
    if (scheme == 0 || host_and_port) {
        return refuse_no_scheme(err, text, len);
    }
    append_scheme(typed, text, scheme);
    text += scheme + 1;
    len -= scheme + 1;
    if (len < 2 || text[0] != '/' || text[1] != '/') {
        return refuse(err, given, "no host");
    }
    text += 2;
    len -= 2;
    size_t authority = authority_len(text, len);
    const char *reason = append_authority(typed, text, authority);
    if (reason != NULL) {
        return refuse(err, given, reason);
    }
    typed->target_at = typed->text.len;
    if (authority == len || text[authority] != '/') {
        fy_buffer_append_byte(&typed->text, '/');
    }
    append_target(&typed->text, text + authority, len - authority);
    fy_buffer_append_byte(&typed->text, '\0');
    return typed->text.failed ? fy_fail_memory(err) : 0;
}

void fy_typed_free(struct fy_typed *typed)
{
    fy_buffer_free(&typed->text);
}

int fy_url_typed_reference(struct fy_buffer *out, const char *given, ferry_error *err)
{
    const char *text = given;
    size_t len;
    if (trim(&text, &len, err) != 0) {
        return -1;
    }
    /* "1:2" is no scheme, and no relative path either unless it says so (RFC 3986 section 4.2). */
    if (memchr(text, ':', authority_len(text, len)) != NULL) {
        fy_buffer_append_text(out, "./");
    }
    append_target(out, text, len);
    fy_buffer_append_byte(out, '\0');
    return out->failed ? fy_fail_memory(err) : 0;
}
