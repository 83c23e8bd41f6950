/*
 * The response head: any bytes, read as the read loop reads them. What must hold: nothing outside
 * is read (the sanitizers see to it), the parser moves over whole lines only and says why it stops,
 * the pieces that the bytes come in make no difference, and what was accepted is what may stand in
 * a head. The framing decision is made of whatever comes out.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "http/framing.h"
#include "http/header.h"
#include "http/response_parse.h"

/* Where reading a head of 'size' bytes ends, and how. */
struct outcome {
    enum fy_parse_result result;
    size_t at;
    size_t bad_at;
    size_t fields;
    int status;
};

static bool inside(const struct fy_parse *parse, const char *text, size_t len)
{
    return text >= parse->bytes && text + len <= parse->bytes + parse->at;
}

static struct outcome read_head(const char *bytes, size_t size, struct fy_header *header,
                                struct fy_arena *arena, struct fy_status_line *line)
{
    struct outcome outcome = {0};
    struct fy_parse parse = {.bytes = bytes, .len = size};
    struct fy_field field;
    outcome.result = fy_parse_status_line(&parse, line);
    if (outcome.result == FY_PARSE_DONE) {
        MUST(line->status >= 100 && line->status <= 999 && line->major == 1 && line->minor >= 0 &&
             line->minor <= 1);
        MUST(inside(&parse, line->reason.bytes, line->reason.len) &&
             fy_is_field_value(line->reason.bytes, line->reason.len));
        outcome.status = line->status;
        size_t before = parse.at;
        while ((outcome.result = fy_parse_field(&parse, &field)) == FY_PARSE_DONE) {
            MUST(parse.at > before && parse.at <= size);
            MUST(memcmp(bytes + parse.at - 2, "\r\n", 2) == 0);
            MUST(inside(&parse, field.name, field.name_len) &&
                 fy_is_token(field.name, field.name_len));
            MUST(inside(&parse, field.value, field.value_len) &&
                 fy_is_field_value(field.value, field.value_len));
            MUST(field.value_len == 0 || (strchr(" \t", field.value[0]) == NULL &&
                                          strchr(" \t", field.value[field.value_len - 1]) == NULL));
            outcome.fields++;
            before = parse.at;
            if (header != NULL) {
                MUST(fy_header_add(header, arena, field.name, field.name_len, field.value,
                                   field.value_len) == 0);
            }
        }
        MUST(outcome.result != FY_PARSE_END || parse.at == before + 2);
    }
    if (outcome.result == FY_PARSE_BAD) {
        MUST(parse.reason != NULL && parse.bad_at < size);
        outcome.bad_at = parse.bad_at;
    }
    outcome.at = parse.at;
    return outcome;
}

static void decide(const struct fy_header *header, const struct fy_status_line *line)
{
    static const char *const methods[] = {"GET", "HEAD", "CONNECT"};
    for (size_t i = 0; i < 3; i++) {
        struct fy_framing framing;
        char detail[64];
        const char *reason = fy_framing_decide(&framing, methods[i], line->minor, line->status,
                                               header, line->status % 2 == 1, detail);
        MUST(memchr(detail, '\0', sizeof(detail)) != NULL);
        MUST(reason != NULL || framing.kind != FY_BODY_LENGTH || framing.length > 0);
        MUST(reason != NULL || framing.kind != FY_BODY_CLOSE || !framing.keep_alive);
        MUST(reason != NULL || framing.announced >= -1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fy_arena arena = {0};
    struct fy_header header = {0};
    struct fy_status_line line;
    struct outcome whole = read_head((const char *)data, size, &header, &arena, &line);
    if (whole.result == FY_PARSE_END) {
        decide(&header, &line);
    }
    fy_arena_free(&arena);

    /* Every prefix: the same up to where it ends. What is wrong shows with its first wrong byte,
     * or with the one after a CR. */
    size_t most = size < 300 ? size : 300;
    for (size_t len = 0; len < most; len++) {
        char *copy = malloc(len == 0 ? 1 : len);
        MUST(copy != NULL);
        if (len > 0) {
            memcpy(copy, data, len);
        }
        struct outcome part = read_head(copy, len, NULL, NULL, &line);
        free(copy);
        if (part.result == FY_PARSE_MORE) {
            MUST(part.at <= whole.at && part.fields <= whole.fields);
            MUST(whole.result != FY_PARSE_END || len < whole.at);
            MUST(whole.result != FY_PARSE_BAD || len <= whole.bad_at + 1);
        } else {
            MUST(part.result == whole.result && part.at == whole.at && part.bad_at == whole.bad_at);
            MUST(part.fields == whole.fields && part.status == whole.status);
        }
    }
    return 0;
}
