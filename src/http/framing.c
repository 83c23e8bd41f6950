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

/* What the fields say, all of them taken together. */
struct said {
    int64_t length;                      /* Content-Length; -1: there is none */
    const char *length_wrong;            /* why the first that cannot be believed cannot; or NULL */
    const struct fy_field *wrong_length; /* that one */
    const struct fy_field *coding; /* Transfer-Encoding, the second if there is one; NULL: none */
    int codings;                   /* how many of them there are */
    bool close, keep_alive;        /* what Connection lists */
    bool coded;                    /* there is a Content-Encoding */
};

static const char *skip_blanks(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t')) {
        at++;
    }
    return at;
}

/* Digits and nothing else: no sign, no prefix. Moves *at behind them; false: there are none, or too
 * many. */
static bool read_digits(const char **at, const char *end, int64_t *value)
{
    const char *begin = *at;
    *value = 0;
    for (; *at < end && **at >= '0' && **at <= '9'; ++*at) {
        if (__builtin_mul_overflow(*value, 10, value) ||
            __builtin_add_overflow(*value, **at - '0', value)) {
            return false;
        }
    }
    return *at > begin;
}

/* Reads one field's value into *length, which is -1 or what the fields before it said. A list
 * whose members are all the same is what a proxy makes of repeated fields, and is let pass (RFC
 * 9110 section 8.6). */
static const char *read_length(const struct fy_field *field, int64_t *length)
{
    const char *at = field->value;
    const char *end = at + field->value_len;
    for (;;) {
        int64_t value;
        at = skip_blanks(at, end);
        bool is_number = read_digits(&at, end, &value);
        at = skip_blanks(at, end);
        if (!is_number || (at < end && *at != ',')) {
            return "a malformed Content-Length";
        }
        if (*length >= 0 && value != *length) {
            return "Content-Lengths that differ";
        }
        *length = value;
        if (at == end) {
            return NULL;
        }
        at++;
    }
}

static void read_connection(const struct fy_field *field, struct said *said)
{
    if (fy_text_is(field->value, field->value_len, "keep-alive")) { /* as it mostly is */
        said->keep_alive = true;
        return;
    }
    const char *rest = field->value;
    const char *option;
    size_t len;
    while (fy_next_element(&rest, &option, &len)) {
        said->close = said->close || fy_text_is(option, len, "close");
        said->keep_alive = said->keep_alive || fy_text_is(option, len, "keep-alive");
    }
}

/* One walk over the fields: few of a head's matter here, and most of their names differ in length. */
static struct said read_fields(const struct fy_header *header)
{
    struct said said = {.length = -1};
    for (size_t i = 0; i < header->count; i++) {
        const struct fy_field *field = &header->fields[i];
        if (fy_text_is(field->name, field->name_len, "Content-Length")) {
            if (said.length_wrong == NULL) {
                said.length_wrong = read_length(field, &said.length);
                said.wrong_length = field;
            }
        } else if (fy_text_is(field->name, field->name_len, "Transfer-Encoding")) {
            if (said.codings++ < 2) {
                said.coding = field;
            }
        } else if (fy_text_is(field->name, field->name_len, "Connection")) {
            read_connection(field, &said);
        } else if (fy_text_is(field->name, field->name_len, "Content-Encoding")) {
            said.coded = true;
        }
    }
    return said;
}

/* Transfer-Encoding: nothing, or exactly one field that says "chunked". ferry sends no TE, so a
 * server has no reason to apply another coding, and "identity" is none since RFC 7230. */
static const char *refuse_coding(const struct said *said, int minor)
{
    if (said->codings > 1) {
        return "more than one Transfer-Encoding";
    }
    if (!fy_text_is(said->coding->value, said->coding->value_len, "chunked")) {
        return "an unsupported Transfer-Encoding";
    }
    return minor < 1 ? "a Transfer-Encoding from an HTTP/1.0 peer" /* RFC 9112 section 6.1 */
                     : NULL;
}

/* Why the fields cannot be believed, or NULL. */
static const char *refuse(const struct said *said, int minor, char detail[64])
{
    const struct fy_field *field = said->wrong_length;
    const char *reason = said->length_wrong;
    if (reason == NULL && said->coding != NULL) {
        field = said->coding;
        reason = refuse_coding(said, minor);
    }
    if (reason != NULL) {
        quote(detail, field->value, field->value_len);
        return reason;
    }
    return said->coding != NULL && said->length >= 0
               ? "both Content-Length and Transfer-Encoding" /* item 3 */
               : NULL;
}

/* Most methods differ in their first letter. */
static bool is_method(const char *method, const char *name)
{
    return method[0] == name[0] && strcmp(method, name) == 0;
}

const char *fy_framing_decide(struct fy_framing *framing, const char *method, int minor, int status,
                              const struct fy_header *header, bool ignore_length, char detail[64])
{
    struct said said = read_fields(header);
    if (ignore_length) {
        said.length = -1;
        said.length_wrong = NULL;
    }
    detail[0] = '\0';
    *framing = (struct fy_framing){.kind = FY_BODY_NONE,
                                   .coded = said.coded,
                                   /* RFC 9112 section 9.3 */
                                   .keep_alive = !said.close && (minor >= 1 || said.keep_alive)};
    /* The numbered items are those of RFC 9112 section 6.3. Item 2, and 101: whatever the fields
     * say, HTTP is over. */
    if (status == 101 || (is_method(method, "CONNECT") && status >= 200 && status <= 299)) {
        framing->kind = FY_BODY_TUNNEL;
        framing->announced = -1;
        framing->keep_alive = false;
        return NULL;
    }
    if (status < 200 || status == 204) {
        return NULL; /* item 1: no content, and no field that could announce some (RFC 9110
                        section 8.6) */
    }
    const char *reason = refuse(&said, minor, detail);
    if (reason != NULL) {
        return reason;
    }
    framing->announced = said.length;
    if (is_method(method, "HEAD") || status == 304) {
        if (status == 304 && said.length < 0) {
            framing->announced = 0;
        }
    } else if (said.coding != NULL) {
        framing->kind = FY_BODY_CHUNKED;
    } else if (said.length > 0) {
        framing->kind = FY_BODY_LENGTH;
        framing->length = said.length;
    } else if (said.length < 0) {
        framing->kind = FY_BODY_CLOSE; /* item 8 */
        framing->keep_alive = false;
    }
    return NULL;
}
