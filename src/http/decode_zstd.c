/*
 * zstd: RFC 8878. One frame or several; a window of at most 8 MiB, which is all that RFC 9659
 * allows a content coding to ask for.
 */
#include <stdlib.h>
#include <string.h>

#include <zstd.h>
#include <zstd_errors.h>

#include "http/decode_stage.h"

#define WINDOW_LOG_MAX 23

/* Of what stands before a frame's blocks: RFC 8878 section 3.1.1.1. */
#define FRAME_HEAD_MAX 18

struct zstd_stage {
    struct fy_decode_stage base;
    ZSTD_DCtx *context;
    bool at_end;  /* the last frame so far is whole */
    bool pending; /* it filled its room: there may be more to come without more input */
    bool stuck;   /* a call without room came to nothing */
    /* Of the frame under way: its first bytes, as far as they have been taken, and what came out. */
    unsigned char head[FRAME_HEAD_MAX];
    size_t head_len;
    uint64_t given;
};

/* Whether what follows can be the rest of a frame's magic number, or of a frame's that is to be
 * skipped (RFC 8878 section 3.1). The library may know older formats besides, whose windows it sets
 * no limit to. */
static bool is_magic(const struct zstd_stage *stage, const struct fy_decode_io *io)
{
    static const unsigned char frame[4] = {0x28, 0xb5, 0x2f, 0xfd};
    static const unsigned char skipped[4] = {0x50, 0x2a, 0x4d, 0x18};
    for (size_t i = 0; i < io->in_len && stage->head_len + i < 4; i++) {
        size_t at = stage->head_len + i;
        unsigned char first = at == i ? io->in[0] : stage->head[0];
        const unsigned char *magic = (first & 0xf0) == skipped[0] ? skipped : frame;
        unsigned char byte = at == 0 && magic == skipped ? io->in[0] & 0xf0 : io->in[i];
        if (byte != magic[at]) {
            return false;
        }
    }
    return true;
}

/* The library has taken some of a frame, and given some, and is at its end or not. False: it is not
 * as long as its head says, which the library looks at in most cases only. */
static bool note_frame(struct zstd_stage *stage, const unsigned char *in, size_t taken,
                       size_t given)
{
    size_t more = FRAME_HEAD_MAX - stage->head_len;
    more = taken < more ? taken : more;
    memcpy(stage->head + stage->head_len, in, more);
    stage->head_len += more;
    stage->given += given;
    if (!stage->at_end) {
        return true;
    }
    uint64_t announced = ZSTD_getFrameContentSize(stage->head, stage->head_len);
    bool whole = announced == ZSTD_CONTENTSIZE_UNKNOWN || announced == stage->given;
    stage->head_len = 0;
    stage->given = 0;
    return whole;
}

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
        if (!is_magic(stage, io)) {
            *reason = "what should be a frame is none";
            return FY_DECODE_FAILED;
        }
        /* A frame that is there in one piece would go another way through the library, with other
         * opinions on what is malformed: whoever cuts the bytes has no say in that. */
        ZSTD_inBuffer in = {io->in, stage->head_len == 0 && io->in_len > 0 ? 1 : io->in_len, 0};
        ZSTD_outBuffer out = {io->out, io->out_len, 0};
        size_t result = ZSTD_decompressStream(stage->context, &out, &in);
        if (ZSTD_isError(result)) {
            bool memory = ZSTD_getErrorCode(result) == ZSTD_error_memory_allocation;
            *reason = memory ? NULL : ZSTD_getErrorName(result);
            return FY_DECODE_FAILED;
        }
        stage->at_end = result == 0;
        bool whole = note_frame(stage, io->in, in.pos, out.pos);
        io->in += in.pos;
        io->in_len -= in.pos;
        io->out += out.pos;
        io->out_len -= out.pos;
        if (!whole) {
            *reason = "a frame is not as long as it says";
            return FY_DECODE_FAILED;
        }
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
