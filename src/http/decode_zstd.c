/*
 * zstd: RFC 8878. One frame or several; a window of at most 8 MiB, which is all that RFC 9659
 * allows a content coding to ask for.
 */
#include <stdlib.h>

#include <zstd.h>
#include <zstd_errors.h>

#include "http/decode_stage.h"

#define WINDOW_LOG_MAX 23

struct zstd_stage {
    struct fy_decode_stage base;
    ZSTD_DCtx *context;
    bool at_end;  /* the last frame so far is whole */
    bool pending; /* it filled its room: there may be more to come without more input */
    bool stuck;   /* a call without room came to nothing */
};

static enum fy_decode_result zstd_step(struct fy_decode_stage *self, struct fy_decode_io *io,
                                       const char **reason)
{
    struct zstd_stage *stage = (struct zstd_stage *)self;
    for (;;) {
        if (stage->at_end && io->in_len == 0) {
            return FY_DECODE_END;
        }
        /* The library takes too many calls that can come to nothing for an error. */
        stage->stuck = stage->stuck && io->out_len == 0;
        if (stage->stuck || (io->in_len == 0 && !stage->pending)) {
            return FY_DECODE_MORE;
        }
        ZSTD_inBuffer in = {io->in, io->in_len, 0};
        ZSTD_outBuffer out = {io->out, io->out_len, 0};
        size_t result = ZSTD_decompressStream(stage->context, &out, &in);
        if (ZSTD_isError(result)) {
            bool memory = ZSTD_getErrorCode(result) == ZSTD_error_memory_allocation;
            *reason = memory ? NULL : ZSTD_getErrorName(result);
            return FY_DECODE_FAILED;
        }
        io->in += in.pos;
        io->in_len -= in.pos;
        io->out += out.pos;
        io->out_len -= out.pos;
        stage->at_end = result == 0;
        stage->pending = out.pos == out.size;
        stage->stuck = in.pos == 0 && out.size == 0;
        if (!stage->at_end && (io->in_len == 0 || io->out_len == 0)) {
            return FY_DECODE_MORE;
        }
    }
}

static void zstd_free(struct fy_decode_stage *self)
{
    struct zstd_stage *stage = (struct zstd_stage *)self;
    (void)ZSTD_freeDCtx(stage->context);
    free(stage);
}

struct fy_decode_stage *fy_decode_zstd_new(void)
{
    struct zstd_stage *stage = calloc(1, sizeof *stage);
    if (stage == NULL) {
        return NULL;
    }
    stage->base = (struct fy_decode_stage){.step = zstd_step, .free = zstd_free};
    stage->context = ZSTD_createDCtx();
    if (stage->context == NULL ||
        ZSTD_isError(ZSTD_DCtx_setParameter(stage->context, ZSTD_d_windowLogMax, WINDOW_LOG_MAX))) {
        zstd_free(&stage->base);
        return NULL;
    }
    return &stage->base;
}
