/*
 * Server-Sent Events, as bytes: the event stream format of the WHATWG HTML standard (section 9.2.6,
 * "Interpreting an event stream"). Fed in pieces cut anywhere; nothing is read here.
 */
#ifndef FY_CLIENT_EVENT_PARSER_H
#define FY_CLIENT_EVENT_PARSER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ferry.h>

#include "base/buffer.h"

/* Unless said otherwise, an event, or a line, beyond this is refused. */
#define FY_EVENT_MAX ((size_t)16 << 20)

/* Zero-filled, but for retry_ms -1 and max, is ready. */
struct fy_event_parser {
    struct fy_buffer line;    /* so far, without its end */
    struct fy_buffer data;    /* of the event so far; each line with a LF */
    struct fy_buffer type;    /* "event" field; empty: "message" */
    struct fy_buffer id;      /* as the last id field has it, for the next event */
    struct fy_buffer last_id; /* of the last event */
    int64_t retry_ms;         /* -1: none has come yet */
    size_t max;               /* bytes of a line, and of an event's data */
    bool after_cr;            /* a LF now belongs to the line before */
    bool begun;               /* a byte order mark can no longer come */
    bool dispatched;          /* data and type are those of an event that was given out */
};

/* Takes bytes up to the end of an event, *taken of them. 1: it is in *event, whose strings stay
 * until the next call; 0: all taken, and no event yet; -1 and *err. */
int fy_event_parser_feed(struct fy_event_parser *parser, const char *bytes, size_t len,
                         size_t *taken, ferry_event *event, ferry_error *err);

/* The id that the stream goes on from. -1 when out of memory. */
int fy_event_parser_resume(struct fy_event_parser *parser, const char *id);

/* The stream has ended, and another one will follow: what was not a whole event is dropped. The
 * last event's id and the retry time stay. */
void fy_event_parser_restart(struct fy_event_parser *parser);

void fy_event_parser_free(struct fy_event_parser *parser);

#endif
