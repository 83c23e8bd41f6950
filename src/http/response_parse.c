/*
 * The response head's parser. Called by the read loop, again from the same place whenever more
 * bytes have come; knows nothing but the bytes that it is given. What is refused here is what lets
 * two readers of one stream disagree about where a message ends (RFC 9112 section 11.2), so none of
 * it is ever repaired.
 */
#include "http/response_parse.h"

#include <stdbool.h>

#include "http/bytes.h"

static enum fy_parse_result bad(struct fy_parse *parse, const char *at, const char *reason)
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

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Whether a byte may stand at this place of "HTTP/1.x 200"; of versions only HTTP/1 is spoken
 * here. */
static bool fits_status_line(size_t place, char byte)
{
    static const char pattern[] = "HTTP/1.d Ndd";
    switch (pattern[place]) {
    case 'd': return is_digit(byte);
    case 'N': return byte >= '1' && byte <= '9'; /* no status is below 100: RFC 9110 section 15 */
    default: return byte == pattern[place];
    }
}

enum { VERSION_LEN = 8, STATUS_LEN = 12 }; /* "HTTP/1.1", "HTTP/1.1 200" */

enum fy_parse_result fy_parse_status_line(struct fy_parse *parse, struct fy_status_line *line)
{
    const char *start = parse->bytes + parse->at;
    const char *end = parse->bytes + parse->len;
    size_t have = (size_t)(end - start);
    for (size_t i = 0; i < STATUS_LEN && i < have; i++) {
        if (!fits_status_line(i, start[i])) {
            return bad(parse, start + i,
                       i < VERSION_LEN ? "no HTTP/1 status line"
                                       : "a status line without a status of three digits");
        }
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

enum fy_parse_result fy_parse_field(struct fy_parse *parse, struct fy_slice *name,
                                    struct fy_slice *value)
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
    const char *from = colon + 1;
    while (from < end && is_blank(*from)) {
        from++;
    }
    const char *line_end = fy_find_control(from, end);
    enum fy_parse_result result = fy_parse_line_end(parse, line_end);
    if (result == FY_PARSE_DONE) {
        const char *to = line_end;
        while (to > from && is_blank(to[-1])) {
            to--;
        }
        *name = (struct fy_slice){start, (size_t)(colon - start)};
        *value = (struct fy_slice){from, (size_t)(to - from)};
    }
    return result;
}

bool fy_is_408(const char *bytes, size_t len)
{
    static const char status[] = "408";
    if (len < STATUS_LEN) {
        return false;
    }
    for (size_t i = 0; i < STATUS_LEN; i++) {
        if (i > VERSION_LEN ? bytes[i] != status[i - VERSION_LEN - 1]
                            : !fits_status_line(i, bytes[i])) {
            return false;
        }
    }
    return len == STATUS_LEN || bytes[STATUS_LEN] == ' ' || bytes[STATUS_LEN] == '\r';
}
