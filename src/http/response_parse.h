/*
 * The response head, line by line, as RFC 9112 has it and no looser: pure functions from bytes to
 * slices. Nothing is read, written or allocated here; the read loop brings the bytes and keeps what
 * they mean.
 */
#ifndef FY_HTTP_RESPONSE_PARSE_H
#define FY_HTTP_RESPONSE_PARSE_H

#include <stdbool.h>
#include <stddef.h>

#include "http/header.h"

enum fy_parse_result {
    FY_PARSE_DONE, /* a whole line was taken */
    FY_PARSE_MORE, /* right so far, but the line is not all there yet */
    FY_PARSE_END,  /* the empty line that ends a head or a trailer section was taken */
    FY_PARSE_BAD   /* malformed: see the fy_parse's reason */
};

/* Where the parser stands in the bytes, and what it found wrong. */
struct fy_parse {
    const char *bytes;
    size_t len;
    size_t at; /* offset of the next byte to take: moves only over whole lines */
    /* For FY_PARSE_BAD: what was sent, as the end of a sentence ("a LF without CR"), and the offset
     * of the byte that is wrong. */
    const char *reason;
    size_t bad_at;
};

struct fy_slice {
    const char *bytes;
    size_t len;
};

struct fy_status_line {
    int major; /* always 1 */
    int minor; /* 0 or 1 (higher minors of HTTP/1 read as 1) */
    int status;
    struct fy_slice reason;
};

/* Takes the status line (RFC 9112 section 4): DONE, MORE or BAD. What cannot become a status
 * line is BAD at its first wrong byte, without waiting for a line's end. */
enum fy_parse_result fy_parse_status_line(struct fy_parse *parse, struct fy_status_line *line);

/* Takes one field line (RFC 9112 section 5), or the empty line. The field's strings are where they
 * stand in the bytes, the value without surrounding white space; neither is NUL-terminated. Refused:
 * line folding, white space before the colon, bare CR or LF, NUL and other control bytes, an empty
 * name, a name that is no token. */
enum fy_parse_result fy_parse_field(struct fy_parse *parse, struct fy_field *field);

/* The same for several, into an array of that much room, of which *count are there already. DONE: it
 * is full, or a line has ended beyond the first most_bytes of the bytes. */
enum fy_parse_result fy_parse_fields(struct fy_parse *parse, size_t most_bytes,
                                     struct fy_field *fields, size_t room, size_t *count);

/* Takes the CRLF that must stand at 'at': DONE (and moves behind it), MORE or BAD. For the
 * parsers of other lines. */
enum fy_parse_result fy_parse_line_end(struct fy_parse *parse, const char *at);

/* Whether bytes that nobody asked for begin a 408, which servers send before they close a
 * connection that idled too long: a polite close, not a broken peer. */
bool fy_is_408(const char *bytes, size_t len);

#endif
