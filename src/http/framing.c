/*
 * The framing decision. Called by the read loop once per response head. Everything that two
 * implementations could read in two ways is refused here rather than settled: that is what response
 * splitting and smuggling live on (RFC 9112 section 6.3, items 3 to 5).
 */
#include "http/framing.h"

#include <string.h>

#include "http/bytes.h"

/* The refused value between quotes, printable and short enough for a message. */
static void quote(char detail[64], const char *value, size_t len)
{
    const size_t room = 64 - sizeof("\"...\"");
    size_t shown = len <= room ? len : room;
    size_t at = 0;
    detail[at++] = '"';
    for (size_t i = 0; i < shown; i++) {
        detail[at++] = value[i] >= 0x20 && value[i] < 0x7f ? value[i] : '?';
    }
    const char *end = shown < len ? "...\"" : "\"";
    memcpy(detail + at, end, strlen(end) + 1);
}

static bool parse_length(const char *text, size_t len, int64_t *length)
{
    int64_t value = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false; /* a sign, a prefix, a blank in between */
        }
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, text[i] - '0', &value)) {
            return false;
        }
    }
    *length = value;
    return len > 0;
}

/* Reads one field's value into *length, which is -1 or what the fields before it said. A list
 * whose members are all the same is what a proxy makes of repeated fields, and is let pass (RFC
 * 9110 section 8.6). */
static const char *read_length(const struct fy_field *field, int64_t *length)
{
    const char *at = field->value;
    for (;;) {
        size_t len = strcspn(at, ",");
        size_t kept = len;
        while (kept > 0 && (*at == ' ' || *at == '\t')) {
            at++;
            len--;
            kept--;
        }
        while (kept > 0 && (at[kept - 1] == ' ' || at[kept - 1] == '\t')) {
            kept--;
        }
        int64_t value;
        if (!parse_length(at, kept, &value)) {
            return "a malformed Content-Length";
        }
        if (*length >= 0 && value != *length) {
            return "Content-Lengths that differ";
        }
        *length = value;
        if (at[len] == '\0') {
            return NULL;
        }
        at += len + 1;
    }
}

/* Content-Length over all its fields into *length, -1 where there is none. */
static const char *content_length(const struct fy_header *header, int64_t *length, char detail[64])
{
    *length = -1;
    const struct fy_field *field = NULL;
    while ((field = fy_header_find(header, "Content-Length", field)) != NULL) {
        const char *reason = strlen(field->value) == field->value_len
                                 ? read_length(field, length)
                                 : "a malformed Content-Length";
        if (reason != NULL) {
            quote(detail, field->value, field->value_len);
            return reason;
        }
    }
    return NULL;
}

/* Transfer-Encoding: nothing, or exactly one field that says "chunked". ferry sends no TE, so a
 * server has no reason to apply another coding, and "identity" is none since RFC 7230. */
static const char *transfer_encoding(const struct fy_header *header, int minor, bool *chunked,
                                     char detail[64])
{
    *chunked = false;
    const struct fy_field *field = fy_header_find(header, "Transfer-Encoding", NULL);
    if (field == NULL) {
        return NULL;
    }
    quote(detail, field->value, field->value_len);
    const struct fy_field *second = fy_header_find(header, "Transfer-Encoding", field);
    if (second != NULL) {
        quote(detail, second->value, second->value_len);
        return "more than one Transfer-Encoding";
    }
    if (!fy_text_is(field->value, field->value_len, "chunked")) {
        return "an unsupported Transfer-Encoding";
    }
    if (minor < 1) {
        return "a Transfer-Encoding from an HTTP/1.0 peer"; /* RFC 9112 section 6.1 */
    }
    detail[0] = '\0';
    *chunked = true;
    return NULL;
}

static bool persists(int minor, const struct fy_header *header)
{
    if (fy_header_lists(header, "Connection", "close")) {
        return false;
    }
    return minor >= 1 ||
           fy_header_lists(header, "Connection", "keep-alive"); /* RFC 9112 section 9.3 */
}

const char *fy_framing_decide(struct fy_framing *framing, const char *method, int minor, int status,
                              const struct fy_header *header, bool ignore_length, char detail[64])
{
    detail[0] = '\0';
    *framing = (struct fy_framing){.kind = FY_BODY_NONE, .keep_alive = persists(minor, header)};
    /* The numbered items are those of RFC 9112 section 6.3. Item 2, and 101: whatever the fields
     * say, HTTP is over. */
    if (status == 101 || (strcmp(method, "CONNECT") == 0 && status >= 200 && status <= 299)) {
        framing->kind = FY_BODY_TUNNEL;
        framing->announced = -1;
        framing->keep_alive = false;
        return NULL;
    }
    if (status < 200 || status == 204) {
        return NULL; /* item 1: no content, and no field that could announce some (RFC 9110
                        section 8.6) */
    }
    int64_t length = -1;
    bool chunked;
    const char *reason = ignore_length ? NULL : content_length(header, &length, detail);
    if (reason == NULL) {
        reason = transfer_encoding(header, minor, &chunked, detail);
    }
    if (reason == NULL && chunked && length >= 0) {
        reason = "both Content-Length and Transfer-Encoding"; /* item 3 */
    }
    if (reason != NULL) {
        return reason;
    }
    framing->announced = length;
    if (strcmp(method, "HEAD") == 0 || status == 304) {
        if (status == 304 && length < 0) {
            framing->announced = 0;
        }
    } else if (chunked) {
        framing->kind = FY_BODY_CHUNKED;
    } else if (length > 0) {
        framing->kind = FY_BODY_LENGTH;
        framing->length = length;
    } else if (length < 0) {
        framing->kind = FY_BODY_CLOSE; /* item 8 */
        framing->keep_alive = false;
    }
    return NULL;
}
