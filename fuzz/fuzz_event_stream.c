/*
 * An event stream: any bytes, in one piece and in pieces of one and seven bytes. What must hold:
 * the same events come of it; no line end and no lone field in what has none; the strings end with
 * NUL; a limit is kept to.
 */
#include <stdint.h>
#include <string.h>

#include "client/event_parser.h"
#include "fuzz.h"

static uint64_t add(uint64_t hash, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        hash = hash * 33 + (unsigned char)bytes[i];
    }
    return hash * 33 + len;
}

static uint64_t parse(const char *bytes, size_t size, size_t step)
{
    struct fy_event_parser parser = {.retry_ms = -1, .max = FY_EVENT_MAX};
    uint64_t hash = 5381;
    for (size_t at = 0; at < size;) {
        size_t piece = size - at < step ? size - at : step;
        size_t taken = 0;
        ferry_event event;
        ferry_error err;
        int result = fy_event_parser_feed(&parser, bytes + at, piece, &taken, &event, &err);
        MUST(result >= 0 && taken <= piece && (result == 1 ? taken > 0 : taken == piece));
        at += taken;
        if (result == 1) {
            MUST(event.data[event.data_len] == '\0' && event.type != NULL);
            MUST(strpbrk(event.id, "\r\n") == NULL && strpbrk(event.type, "\r\n") == NULL);
            MUST(memchr(event.data, '\r', event.data_len) == NULL && event.retry_ms >= -1);
            hash = add(hash, event.data, event.data_len);
            hash = add(hash, event.id, strlen(event.id));
            hash = add(hash, event.type, strlen(event.type)) + (uint64_t)event.retry_ms;
        }
    }
    fy_event_parser_restart(&parser);
    hash = add(hash, parser.last_id.bytes, parser.last_id.len);
    fy_event_parser_free(&parser);
    return hash;
}

/* No more than the limit is kept of anything, and all pieces end alike. */
static size_t parse_limited(const char *bytes, size_t size, size_t step, size_t max)
{
    struct fy_event_parser parser = {.retry_ms = -1, .max = max};
    size_t events = 0;
    for (size_t at = 0; at < size;) {
        size_t piece = size - at < step ? size - at : step;
        size_t taken = 0;
        ferry_event event;
        ferry_error err = {0};
        int result = fy_event_parser_feed(&parser, bytes + at, piece, &taken, &event, &err);
        MUST(parser.line.len <= max && parser.data.len <= max && parser.type.len <= max + 7 &&
             parser.id.len <= max);
        if (result < 0) {
            MUST(err.code == FERRY_ETOOBIG);
            break;
        }
        events += (size_t)result;
        at += taken;
    }
    fy_event_parser_free(&parser);
    return events;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t events = parse_limited((const char *)data, size, size, 20);
    MUST(parse_limited((const char *)data, size, 1, 20) == events);
    uint64_t whole = parse((const char *)data, size, size);
    MUST(parse((const char *)data, size, 1) == whole);
    MUST(parse((const char *)data, size, 7) == whole);
    return 0;
}
