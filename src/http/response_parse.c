/*
 * The response head's parser. Called by the read loop, again from the same place whenever more
 * bytes have come; knows nothing but the bytes that it is given. What is refused here is what lets
 * two readers of one stream disagree about where a message ends (RFC 9112 section 11.2), so none of
 * it is ever repaired.
 */
#include "http/response_parse.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "http/bytes.h"

static __attribute__((cold)) enum fy_parse_result bad(struct fy_parse *parse, const char *at,
                                                      const char *reason)
{
    parse->reason = reason;
    parse->bad_at = (size_t)(at - parse->bytes);
    return FY_PARSE_BAD;
}

/* What is wrong with a byte that no line may hold. */
static const char *control_reason(char byte)
{
    switch (byte) {
    case '\0': return "a NUL byte";
    case '\r': return "a CR without LF";
    case '\n': return "a LF without CR";
    default: return "a control byte";
    }
}

enum fy_parse_result fy_parse_line_end(struct fy_parse *parse, const char *at)
{
    const char *end = parse->bytes + parse->len;
    if (at == end) {
        return FY_PARSE_MORE;
    }
    if (*at != '\r') {
        return bad(parse, at, control_reason(*at));
    }
    if (at + 1 == end) {
        return FY_PARSE_MORE;
    }
    if (at[1] != '\n') {
        return bad(parse, at, control_reason('\r'));
    }
    parse->at = (size_t)(at + 2 - parse->bytes);
    return FY_PARSE_DONE;
}

/* "HTTP/1.1", "HTTP/1.1 200", and what is compared at once. */
enum { VERSION_LEN = 8, STATUS_LEN = 12, STATUS_BLOCK = 16 };

/* What may stand at each place of "HTTP/1.1 200", from the one to the other, and behind it anything;
 * of versions only HTTP/1 is spoken here, and no status is below 100 (RFC 9110 section 15). */
static const unsigned char status_least[STATUS_BLOCK] = "HTTP/1.0 100\0\0\0\0";
static const unsigned char status_most[STATUS_BLOCK] = "HTTP/1.9 999\xff\xff\xff\xff";

/* How many of the first bytes, up to the status, fit. Where there are enough, all of them are compared
 * at once: compilers make that one comparison of vectors. */
static size_t fitting_status_line(const char *start, size_t have)
{
    const unsigned char *bytes = (const unsigned char *)start;
    unsigned char misfits = have < STATUS_BLOCK;
    for (size_t i = 0; i < STATUS_BLOCK && have >= STATUS_BLOCK; i++) {
        misfits |= (bytes[i] < status_least[i]) | (bytes[i] > status_most[i]);
    }
    if (misfits == 0) {
        return STATUS_LEN;
    }
    size_t fits = 0;
    size_t all = have < STATUS_LEN ? have : STATUS_LEN;
    while (fits < all && bytes[fits] >= status_least[fits] && bytes[fits] <= status_most[fits]) {
        fits++;
    }
    return fits;
}

enum fy_parse_result fy_parse_status_line(struct fy_parse *parse, struct fy_status_line *line)
{
    const char *start = parse->bytes + parse->at;
    const char *end = parse->bytes + parse->len;
    size_t have = (size_t)(end - start);
    size_t fits = fitting_status_line(start, have);
    if (fits < STATUS_LEN && fits < have) {
        return bad(parse, start + fits,
                   fits < VERSION_LEN ? "no HTTP/1 status line"
                                      : "a status line without a status of three digits");
    }
    if (have <= STATUS_LEN) {
        return FY_PARSE_MORE;
    }
    const char *reason = start + STATUS_LEN;
    if (*reason == ' ') {
        reason++;
    } else if (*reason != '\r') {
        /* The space belongs there even before an empty reason (RFC 9112 section 4), and servers
         * are known to leave it out. Nothing else can be meant by a CR here, so that is let
         * pass; a fourth digit, say, is not. */
        return bad(parse, reason,
                   fy_byte_is(*reason, FY_BYTE_TEXT)
                       ? "a status line without a status of three digits"
                       : control_reason(*reason));
    }
    const char *line_end = fy_find_control(reason, end);
    enum fy_parse_result result = fy_parse_line_end(parse, line_end);
    if (result == FY_PARSE_DONE) {
        line->major = 1;
        line->minor = start[7] == '0' ? 0 : 1;
        line->status = (start[9] - '0') * 100 + (start[10] - '0') * 10 + (start[11] - '0');
        line->reason = (struct fy_slice){reason, (size_t)(line_end - reason)};
    }
    return result;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Where the line behind a whole field line begins; NULL: there is none here, no_field() says why. */
static inline const char *take_field(const char *start, const char *end, struct fy_field *field)
{
    const char *colon = fy_find_no_token(start, end);
    if (colon == end || *colon != ':' || colon == start) {
        return NULL;
    }
    const char *from = colon + 1;
    while (from < end && is_blank(*from)) {
        from++;
    }
    const char *line_end = fy_find_control(from, end);
    if (end - line_end < 2 || line_end[0] != '\r' || line_end[1] != '\n') {
        return NULL;
    }
    const char *to = line_end;
    while (to > from && is_blank(to[-1])) {
        to--;
    }
    *field = (struct fy_field){.name = start,
                               .value = from,
                               .name_len = (size_t)(colon - start),
                               .value_len = (size_t)(to - from)};
    return line_end + 2;
}

/* The empty line, one that is not all there, or one that is wrong. */
static enum fy_parse_result no_field(struct fy_parse *parse)
{
    const char *start = parse->bytes + parse->at;
    const char *end = parse->bytes + parse->len;
    if (start == end) {
        return FY_PARSE_MORE;
    }
    if (*start == '\r' || *start == '\n') {
        enum fy_parse_result result = fy_parse_line_end(parse, start);
        return result == FY_PARSE_DONE ? FY_PARSE_END : result;
    }
    if (is_blank(*start)) {
        /* Folded lines are read in two ways (RFC 9112 section 5.2), and so is a blank before the
         * first field (section 2.2). */
        return bad(parse, start, "a folded field line");
    }
    const char *colon = fy_find_no_token(start, end);
    if (colon == end) {
        return FY_PARSE_MORE;
    }
    if (*colon != ':') {
        return bad(parse, colon,
                   is_blank(*colon)                   ? "white space in or after a field name"
                   : fy_byte_is(*colon, FY_BYTE_TEXT) ? "a field name that is no token"
                                                      : control_reason(*colon));
    }
    if (colon == start) {
        return bad(parse, colon, "an empty field name");
    }
    return fy_parse_line_end(parse, fy_find_control(colon, end));
}

enum fy_parse_result fy_parse_fields(struct fy_parse *parse, size_t most_bytes,
                                     struct fy_field *fields, size_t room, size_t *count)
{
    const char *bytes = parse->bytes;
    const char *end = bytes + parse->len;
    const char *at = bytes + parse->at;
    size_t taken = *count;
    while (taken < room && (size_t)(at - bytes) <= most_bytes) {
        const char *next = take_field(at, end, &fields[taken]);
        if (next == NULL) {
            parse->at = (size_t)(at - bytes);
            *count = taken;
            return no_field(parse);
        }
        at = next;
        taken++;
    }
    parse->at = (size_t)(at - bytes);
    *count = taken;
    return FY_PARSE_DONE;
}

enum fy_parse_result fy_parse_field(struct fy_parse *parse, struct fy_field *field)
{
    size_t count = 0;
    return fy_parse_fields(parse, SIZE_MAX, field, 1, &count);
}

bool fy_is_408(const char *bytes, size_t len)
{
    return len >= STATUS_LEN && fitting_status_line(bytes, len) == STATUS_LEN &&
           memcmp(bytes + VERSION_LEN + 1, "408", 3) == 0 &&
           (len == STATUS_LEN || bytes[STATUS_LEN] == ' ' || bytes[STATUS_LEN] == '\r');
}
