/*
 * How long a response's body is, and whether its connection can serve again: decided from the
 * request's method and the response's head alone (RFC 9112 sections 6 and 9.3).
 */
#ifndef FY_HTTP_FRAMING_H
#define FY_HTTP_FRAMING_H

#include <stdbool.h>
#include <stdint.h>

#include "http/header.h"

enum fy_framing_kind {
    FY_BODY_NONE,    /* HEAD, 1xx, 204, 304, Content-Length: 0 */
    FY_BODY_LENGTH,  /* Content-Length */
    FY_BODY_CHUNKED, /* Transfer-Encoding: chunked */
    FY_BODY_CLOSE,   /* until the connection closes */
    FY_BODY_TUNNEL   /* 101, or 2xx to CONNECT: no longer HTTP */
};

struct fy_framing {
    int64_t length; /* bytes of body to come when kind is FY_BODY_LENGTH */
    /* For ferry_response_length(): Content-Length as sent (to HEAD too), 0 for a status without
     * content (1xx, 204, 304 without a length), -1 if unknown. */
    int64_t announced;
    enum fy_framing_kind kind;
    /* The peer lets the connection serve again: HTTP/1.1 without close, HTTP/1.0 with keep-alive.
     * Never true for bodies that only the connection's close ends, nor for tunnels. */
    bool keep_alive;
    bool coded; /* there is a Content-Encoding: seen on the way */
};

/* Decides; NULL, or the reason why the response is refused (end of a sentence): Content-Length
 * with Transfer-Encoding, differing or malformed Content-Lengths ("+3", "3, 4"; "3, 3" and
 * repeated equal fields are one), a coding other than one single "chunked", Transfer-Encoding
 * from an HTTP/1.0 peer. ignore_length: as if there were no Content-Length. The offending value is
 * written, shortened, into detail. */
const char *fy_framing_decide(struct fy_framing *framing, const char *method, int minor, int status,
                              const struct fy_header *header, bool ignore_length, char detail[64]);

#endif
