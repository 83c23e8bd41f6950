/*
 * Chunk lines. Called by the body's reader (which brings the bytes and counts the data in between)
 * and, for the size line to be sent, by the write loop.
 */
#include "http/chunk.h"

#include "http/bytes.h"

/* Leaves room for a sum of sizes in an int64_t. */
#define SIZE_LIMIT ((uint64_t)1 << 62)

static enum fy_parse_result bad(struct fy_parse *parse, const char *at, const char *reason)
{
    parse->reason = reason;
    parse->bad_at = (size_t)(at - parse->bytes);
    return FY_PARSE_BAD;
}

/* Takes the digits; where they end, or NULL where the value passes the limit (at *too_far). */
static const char *take_size(const char *at, const char *end, uint64_t *size, const char **too_far)
{
    uint64_t value = 0;
    for (; at < end && fy_byte_is(*at, FY_BYTE_HEX); at++) {
        uint64_t digit = (uint64_t)fy_hex_value(*at);
        if (value > (SIZE_LIMIT - digit) / 16) {
            *too_far = at;
            return NULL;
        }
        value = value * 16 + digit;
    }
    *size = value;
    return at;
}

enum fy_parse_result fy_parse_chunk_line(struct fy_parse *parse, uint64_t *size)
{
    const char *start = parse->bytes + parse->at;
    const char *end = parse->bytes + parse->len;
    /* Nothing behind the longest line is looked at: an endless one costs no more than that. */
    const char *limit = end - start > FY_CHUNK_LINE_MAX ? start + FY_CHUNK_LINE_MAX : end;
    const char *wrong = NULL;
    uint64_t value = 0;
    const char *at = take_size(start, limit, &value, &wrong);
    if (at == NULL) {
        return bad(parse, wrong, "a chunk size that is too large");
    }
    if (at < limit && at == start) {
        return bad(parse, at, "a chunk without a size");
    }
    /* White space belongs before an extension only (RFC 9112 section 7.1.1). Some servers pad
     * the size with it to a fixed width, which can mean nothing else, so it is let pass at the
     * line's end too. */
    while (at < limit && (*at == ' ' || *at == '\t')) {
        at++;
    }
    if (at < limit && *at == ';') {
        at = fy_find_control(at, limit);
    }
    if (at == limit) {
        /* The longest line may still be followed by its CRLF. */
        if (limit == end) {
            return FY_PARSE_MORE;
        }
        if (*at != '\r') {
            return bad(parse, at, "a chunk line that is too long");
        }
    }
    if (fy_byte_is(*at, FY_BYTE_TEXT)) {
        return bad(parse, at, "a malformed chunk size");
    }
    enum fy_parse_result result = fy_parse_line_end(parse, at);
    if (result == FY_PARSE_DONE) {
        *size = value;
    }
    return result;
}

enum fy_parse_result fy_parse_chunk_end(struct fy_parse *parse)
{
    const char *at = parse->bytes + parse->at;
    if (parse->at < parse->len && *at != '\r') {
        return bad(parse, at, "a chunk that is longer than its size");
    }
    return fy_parse_line_end(parse, at);
}

size_t fy_chunk_head(char out[FY_CHUNK_HEAD_MAX], uint64_t size)
{
    static const char digits[] = "0123456789abcdef";
    size_t count = 1;
    while (count < 16 && size >> (4 * count) != 0) {
        count++;
    }
    for (size_t i = 0; i < count; i++) {
        out[i] = digits[(size >> (4 * (count - 1 - i))) & 15];
    }
    out[count] = '\r';
    out[count + 1] = '\n';
    return count + 2;
}
