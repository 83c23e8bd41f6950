/*
 * A chunked body: any bytes, read as the body's reader reads them, whole and byte by byte. What
 * must hold: both ways give the same, a size is at most 2^62, the parser moves over whole lines
 * only, and ferry's own chunk heads are read back.
 */
#include <stdint.h>
#include <string.h>

#include "fuzz.h"
#include "http/chunk.h"

/* What reading a body comes to. */
struct outcome {
    enum fy_parse_result result; /* MORE: cut off; END: whole, trailers included */
    size_t at;                   /* of the line, or the chunk, that was not taken */
    size_t bad_at;
    uint64_t bytes; /* of data */
    uint64_t hash;  /* of data */
    size_t trailers;
};

static void check_head(uint64_t size)
{
    char out[FY_CHUNK_HEAD_MAX];
    uint64_t back = 0;
    struct fy_parse parse = {.bytes = out, .len = fy_chunk_head(out, size)};
    MUST(parse.len <= sizeof(out));
    MUST(fy_parse_chunk_line(&parse, &back) == FY_PARSE_DONE && back == size &&
         parse.at == parse.len);
}

/* Reads a body of which, when it asks for more, 'step' further bytes come. */
static struct outcome read_body(const char *bytes, size_t size, size_t step)
{
    struct outcome outcome = {.hash = 5381};
    struct fy_parse parse = {.bytes = bytes, .len = step < size ? step : size};
    enum { LINE, DATA, DATA_END, TRAILERS } stage = LINE;
    uint64_t left = 0;
    for (;;) {
        size_t before = parse.at;
        struct fy_field field;
        enum fy_parse_result result = FY_PARSE_DONE;
        switch (stage) {
        case LINE:
            result = fy_parse_chunk_line(&parse, &left);
            if (result == FY_PARSE_DONE) {
                MUST(left <= (uint64_t)1 << 62 && parse.at - before <= FY_CHUNK_LINE_MAX + 2);
                check_head(left);
                stage = left == 0 ? TRAILERS : DATA;
            }
            break;
        case DATA: {
            size_t have = parse.len - parse.at;
            size_t take = left < have ? (size_t)left : have;
            for (size_t i = 0; i < take; i++) {
                outcome.hash = outcome.hash * 33 + (unsigned char)bytes[parse.at + i];
            }
            parse.at += take;
            left -= take;
            outcome.bytes += take;
            if (left > 0) {
                result = FY_PARSE_MORE;
            } else {
                stage = DATA_END;
            }
            break;
        }
        case DATA_END:
            result = fy_parse_chunk_end(&parse);
            stage = result == FY_PARSE_DONE ? LINE : DATA_END;
            break;
        case TRAILERS:
            result = fy_parse_field(&parse, &field);
            outcome.trailers += result == FY_PARSE_DONE;
            break;
        }
        MUST(parse.at <= parse.len);
        MUST(result == FY_PARSE_DONE || result == FY_PARSE_END || stage == DATA ||
             parse.at == before);
        if (result == FY_PARSE_MORE && parse.len < size) {
            parse.len = size - parse.len < step ? size : parse.len + step;
        } else if (result != FY_PARSE_DONE) {
            outcome.result = result;
            outcome.at = parse.at;
            outcome.bad_at = result == FY_PARSE_BAD ? parse.bad_at : 0;
            MUST(result != FY_PARSE_BAD || (parse.reason != NULL && parse.bad_at < parse.len));
            return outcome;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct outcome whole = read_body((const char *)data, size, size == 0 ? 1 : size);
    size_t steps[] = {1, 2, 7};
    for (size_t i = 0; i < 3 && size < 20000; i++) {
        struct outcome sliced = read_body((const char *)data, size, steps[i]);
        MUST(sliced.result == whole.result && sliced.at == whole.at &&
             sliced.bad_at == whole.bad_at);
        MUST(sliced.bytes == whole.bytes && sliced.hash == whole.hash &&
             sliced.trailers == whole.trailers);
    }
    uint64_t any = 0;
    if (size > 0) {
        memcpy(&any, data, size < sizeof(any) ? size : sizeof(any));
    }
    check_head(any >> 2);
    return 0;
}
