/*
 * A line at a time: its end may be CR LF, LF or CR, so that after a CR a LF that follows is passed
 * over when it comes, which may be in another piece.
 */
#include "client/event_parser.h"

#include <string.h>

#include "base/error.h"

#define BYTE_ORDER_MARK "\xef\xbb\xbf"

static bool name_is(const char *line, size_t len, const char *name)
{
    return len == strlen(name) && memcmp(line, name, len) == 0;
}

/* Digits only, or it does not count. A year is as good as for ever. */
static void take_retry(struct fy_event_parser *parser, const char *value, size_t len)
{
    int64_t ms = 0;
    for (size_t i = 0; i < len; i++) {
        if (value[i] < '0' || value[i] > '9') {
            return;
        }
        ms = ms * 10 + (value[i] - '0');
        ms = ms > INT64_C(31536000000) ? INT64_C(31536000000) : ms;
    }
    parser->retry_ms = len > 0 ? ms : parser->retry_ms;
}

static void set(struct fy_buffer *buffer, const char *bytes, size_t len)
{
    buffer->len = 0;
    fy_buffer_append(buffer, bytes, len);
}

static void take_field(struct fy_event_parser *parser, const char *line, size_t len)
{
    const char *colon = memchr(line, ':', len);
    size_t name_len = colon != NULL ? (size_t)(colon - line) : len;
    const char *value = colon != NULL ? colon + 1 : line + len;
    size_t value_len = (size_t)(line + len - value);
    if (value_len > 0 && *value == ' ') {
        value++;
        value_len--;
    }
    if (name_is(line, name_len, "data")) {
        fy_buffer_append(&parser->data, value, value_len);
        fy_buffer_append_byte(&parser->data, '\n');
    } else if (name_is(line, name_len, "event")) {
        set(&parser->type, value, value_len);
    } else if (name_is(line, name_len, "id")) {
        if (memchr(value, '\0', value_len) == NULL) {
            set(&parser->id, value, value_len);
        }
    } else if (name_is(line, name_len, "retry")) {
        take_retry(parser, value, value_len);
    }
}

/* NUL behind the bytes, not counted. */
static const char *text_of(struct fy_buffer *buffer)
{
    fy_buffer_append_byte(buffer, '\0');
    buffer->len -= buffer->failed ? 0 : 1;
    return buffer->bytes;
}

/* An empty line: true if there is an event. Without data there is none, but its id counts. */
static bool dispatch(struct fy_event_parser *parser, ferry_event *event)
{
    set(&parser->last_id, parser->id.bytes, parser->id.len);
    const char *id = text_of(&parser->last_id);
    if (parser->data.len == 0) {
        parser->type.len = 0;
        return false;
    }
    parser->data.len--; /* the last LF */
    if (parser->type.len == 0) {
        fy_buffer_append_text(&parser->type, "message");
    }
    parser->dispatched = true;
    *event = (ferry_event){.id = id,
                           .type = text_of(&parser->type),
                           .data = text_of(&parser->data),
                           .data_len = parser->data.len,
                           .retry_ms = parser->retry_ms};
    return true;
}

static bool end_line(struct fy_event_parser *parser, ferry_event *event)
{
    const char *line = parser->line.bytes;
    size_t len = parser->line.len;
    parser->line.len = 0;
    if (!parser->begun && len >= 3 && memcmp(line, BYTE_ORDER_MARK, 3) == 0) {
        line += 3;
        len -= 3;
    }
    parser->begun = true;
    if (len == 0) {
        return dispatch(parser, event);
    }
    take_field(parser, line, len);
    return false;
}

static bool failed(const struct fy_event_parser *parser)
{
    return parser->line.failed || parser->data.failed || parser->type.failed || parser->id.failed ||
           parser->last_id.failed;
}

int fy_event_parser_feed(struct fy_event_parser *parser, const char *bytes, size_t len,
                         size_t *taken, ferry_event *event, ferry_error *err)
{
    size_t at = 0;
    int result = 0;
    if (parser->dispatched) {
        parser->dispatched = false;
        parser->data.len = 0;
        parser->type.len = 0;
    }
    while (at < len && result == 0) {
        if (parser->after_cr) {
            parser->after_cr = false;
            if (bytes[at] == '\n') {
                at++;
                continue;
            }
        }
        size_t run = 0;
        while (at + run < len && bytes[at + run] != '\r' && bytes[at + run] != '\n') {
            run++;
        }
        if (run > parser->max - parser->line.len ||
            parser->line.len + run > parser->max - parser->data.len) {
            *taken = at;
            return fy_fail(err, FERRY_ETOOBIG, 0, "an event is longer than %zu bytes", parser->max);
        }
        if (run > 0) {
            fy_buffer_append(&parser->line, bytes + at, run);
        }
        at += run;
        if (at < len) {
            parser->after_cr = bytes[at] == '\r';
            at++;
            result = end_line(parser, event) ? 1 : 0;
        }
        if (failed(parser)) {
            result = fy_fail_memory(err);
        }
    }
    *taken = at;
    return result;
}

int fy_event_parser_resume(struct fy_event_parser *parser, const char *id)
{
    set(&parser->id, id, strlen(id));
    set(&parser->last_id, id, strlen(id));
    (void)text_of(&parser->last_id);
    return failed(parser) ? -1 : 0;
}

void fy_event_parser_restart(struct fy_event_parser *parser)
{
    parser->line.len = 0;
    parser->data.len = 0;
    parser->type.len = 0;
    set(&parser->id, parser->last_id.bytes, parser->last_id.len);
    parser->after_cr = false;
    parser->begun = false;
    parser->dispatched = false;
}

void fy_event_parser_free(struct fy_event_parser *parser)
{
    fy_buffer_free(&parser->line);
    fy_buffer_free(&parser->data);
    fy_buffer_free(&parser->type);
    fy_buffer_free(&parser->id);
    fy_buffer_free(&parser->last_id);
}
