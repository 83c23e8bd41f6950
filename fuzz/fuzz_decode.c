/*
 * Content decoding: any bytes, in any list of codings, in one piece and in small ones. What must
 * hold: both ways end alike and give the same bytes, never more than the limit, which changes nothing
 * else; a step without a limit comes to an end, too; and what has ended stays ended.
 */
#include <stdint.h>
#include <string.h>

#include "fuzz.h"
#include "http/decode.h"

#define MOST ((int64_t)256 * 1024)

struct outcome {
    enum fy_decode_result result;
    int code;
    int64_t bytes;
    uint64_t hash;
};

/* With a limit or without; no further than the limit, either way. */
static struct outcome decode(const struct fy_codings *codings, int64_t max, const uint8_t *data,
                             size_t size, size_t in_step, size_t out_step)
{
    struct outcome outcome = {.result = FY_DECODE_MORE, .hash = 5381};
    unsigned char out[4096];
    ferry_error err = {0};
    struct fy_decoder *decoder = fy_decoder_new(codings, max, &err);
    if (decoder == NULL) {
        outcome.result = FY_DECODE_FAILED;
        outcome.code = err.code;
        return outcome;
    }
    size_t at = 0;
    size_t given;
    do {
        size_t piece = size - at < in_step ? size - at : in_step;
        struct fy_decode_io io = {data + at, piece, out, out_step};
        outcome.result = fy_decoder_step(decoder, &io, &err);
        MUST(io.in_len <= piece && io.out_len <= out_step);
        MUST(outcome.result == FY_DECODE_FAILED || io.in_len == 0 || io.out_len == 0);
        at += piece - io.in_len;
        given = out_step - io.out_len;
        for (size_t i = 0; i < given; i++) {
            outcome.hash = outcome.hash * 33 + out[i];
        }
        outcome.bytes += (int64_t)given;
        MUST(max < 0 || outcome.bytes <= max);
    } while (outcome.result != FY_DECODE_FAILED && outcome.bytes <= MOST &&
             (given == out_step || at < size));
    if (outcome.result == FY_DECODE_END) {
        struct fy_decode_io io = {data, 0, out, sizeof out};
        MUST(fy_decoder_step(decoder, &io, &err) == FY_DECODE_END && io.out_len == sizeof out);
    }
    outcome.code = outcome.result == FY_DECODE_FAILED ? err.code : 0;
    fy_decoder_free(decoder);
    return outcome;
}

/* The first byte says which codings: how many, and two bits for each of three. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    struct fy_codings codings = {.count = 1 + data[0] % 3};
    for (int i = 0; i < codings.count; i++) {
        codings.list[i] = (enum fy_coding)(data[0] >> (2 + 2 * i) & 3);
    }
    data++;
    size--;
    struct outcome whole = decode(&codings, MOST, data, size, SIZE_MAX, 4096);
    struct outcome endless = decode(&codings, -1, data, size, SIZE_MAX, 4096);
    MUST(whole.code == FERRY_ETOOBIG ||
         (endless.result == whole.result && endless.bytes == whole.bytes &&
          endless.hash == whole.hash));
    if (size < 2000 && whole.bytes < 10000) {
        struct outcome sliced = decode(&codings, MOST, data, size, 1, 7);
        MUST(sliced.result == whole.result);
        MUST(sliced.result != FY_DECODE_END || whole.result != FY_DECODE_END ||
             (sliced.bytes == whole.bytes && sliced.hash == whole.hash));
    }
    return 0;
}
