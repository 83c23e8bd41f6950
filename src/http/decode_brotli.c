/*
 * br: RFC 7932. One stream, with a window of at most 16 MiB (its "large window" extension stays
 * off).
 */
#include <stdlib.h>

#include <brotli/decode.h>

#include "http/decode_stage.h"

struct br_stage {
    struct fy_decode_stage base;
    BrotliDecoderState *state;
    bool at_end;
};

static enum fy_decode_result br_step(struct fy_decode_stage *self, struct fy_decode_io *io,
                                     const char **reason)
{
    struct br_stage *stage = (struct br_stage *)self;
    if (stage->at_end) {
        *reason = FY_DECODE_TRAILING;
        return io->in_len == 0 ? FY_DECODE_END : FY_DECODE_FAILED;
    }
    switch (BrotliDecoderDecompressStream(stage->state, &io->in_len, &io->in, &io->out_len,
                                          &io->out, NULL)) {
    case BROTLI_DECODER_RESULT_SUCCESS:
        stage->at_end = true;
        *reason = FY_DECODE_TRAILING;
        return io->in_len == 0 ? FY_DECODE_END : FY_DECODE_FAILED;
    case BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT:
    case BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT: return FY_DECODE_MORE;
    default: break;
    }
    BrotliDecoderErrorCode code = BrotliDecoderGetErrorCode(stage->state);
    bool memory = code <= BROTLI_DECODER_ERROR_ALLOC_CONTEXT_MODES &&
                  code >= BROTLI_DECODER_ERROR_ALLOC_BLOCK_TYPE_TREES;
    *reason = memory ? NULL : BrotliDecoderErrorString(code);
    return FY_DECODE_FAILED;
}

static void br_free(struct fy_decode_stage *self)
{
    struct br_stage *stage = (struct br_stage *)self;
    BrotliDecoderDestroyInstance(stage->state);
    free(stage);
}

struct fy_decode_stage *fy_decode_br_new(void)
{
    struct br_stage *stage = calloc(1, sizeof *stage);
    if (stage == NULL) {
        return NULL;
    }
    stage->base = (struct fy_decode_stage){.step = br_step, .free = br_free};
    stage->state = BrotliDecoderCreateInstance(NULL, NULL, NULL);
    if (stage->state == NULL) {
        free(stage);
        return NULL;
    }
    return &stage->base;
}
