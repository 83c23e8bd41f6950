/*
 * Several codings are stages in a row, the last one applied in front: each takes its input from the
 * buffer that the one before it fills. The limits are here, the same for every coding: how much
 * comes out of each stage, how much a stage may take without giving anything, and how much work in
 * between may come to little.
 */
#include "http/decode.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "http/bytes.h"
#include "http/decode_stage.h"

/* Between two stages. */
#define BETWEEN ((size_t)16 * 1024)

/* Input without a byte of output: a name in a gzip header, empty blocks, skippable frames. Inside a
 * row of codings a few kilobytes from the wire can become any amount of that. */
#define BARREN_MAX ((size_t)16 << 20)

/* What comes out in the end excuses so many times its bytes between the stages. An honest row has few
 * more there than come out; one in which each stage wastes as much as it may by itself has a thousand
 * times more with every stage, and a few hundred bytes would keep a reader busy for hours. */
#define ROW_ALLOWANCE ((size_t)32)

struct known {
    const char *name;
    const char *other_name;                /* RFC 9110 section 8.4.1.3; NULL: none */
    struct fy_decode_stage *(*make)(void); /* NULL: left out of this build */
    const char *option;                    /* by which it was */
};

#ifdef FERRY_WITH_ZLIB
#define GZIP_NEW fy_decode_gzip_new
#define DEFLATE_NEW fy_decode_deflate_new
#define ZLIB_NAMES "gzip, deflate"
#else
#define GZIP_NEW NULL
#define DEFLATE_NEW NULL
#define ZLIB_NAMES ""
#endif
#ifdef FERRY_WITH_BROTLI
#define BR_NEW fy_decode_br_new
#define BR_NAMES ", br"
#else
#define BR_NEW NULL
#define BR_NAMES ""
#endif
#ifdef FERRY_WITH_ZSTD
#define ZSTD_NEW fy_decode_zstd_new
#define ZSTD_NAMES ", zstd"
#else
#define ZSTD_NEW NULL
#define ZSTD_NAMES ""
#endif

static const struct known known[] = {
    [FY_CODING_GZIP] = {"gzip", "x-gzip", GZIP_NEW, "FERRY_WITH_ZLIB"},
    [FY_CODING_DEFLATE] = {"deflate", NULL, DEFLATE_NEW, "FERRY_WITH_ZLIB"},
    [FY_CODING_BR] = {"br", NULL, BR_NEW, "FERRY_WITH_BROTLI"},
    [FY_CODING_ZSTD] = {"zstd", NULL, ZSTD_NEW, "FERRY_WITH_ZSTD"},
};

#define KNOWN (sizeof known / sizeof known[0])

const char *fy_coding_names(void)
{
    static const char names[] = ZLIB_NAMES BR_NAMES ZSTD_NAMES;
    /* What begins with a comma goes on behind it. */
    /* cppcheck-suppress pointerOutOfBounds */
    const char *first = names[0] == ',' ? names + 2 : names;
    return *first != '\0' ? first : NULL;
}

/* ------------------------------------------------------------------------------------ the field */

/* -1: not known. */
static int coding_named(const char *name, size_t len)
{
    for (size_t i = 0; i < KNOWN; i++) {
        if (fy_text_is(name, len, known[i].name) ||
            (known[i].other_name != NULL && fy_text_is(name, len, known[i].other_name))) {
            return (int)i;
        }
    }
    return -1;
}

bool fy_codings_parse(const struct fy_header *header, struct fy_codings *codings)
{
    codings->count = 0;
    const struct fy_field *field = NULL;
    while ((field = fy_header_find(header, "Content-Encoding", field)) != NULL) {
        const char *rest = field->value;
        const char *name;
        size_t len;
        while (fy_next_element(&rest, &name, &len)) {
            if (fy_text_is(name, len, "identity")) {
                continue;
            }
            int coding = coding_named(name, len);
            if (coding < 0) {
                return false;
            }
            if (codings->count < FY_CODINGS_MAX) {
                codings->list[codings->count] = (enum fy_coding)coding;
            }
            codings->count++;
        }
    }
    return codings->count > 0;
}

/* ---------------------------------------------------------------------------------- the decoder */

struct stage {
    const struct known *known;
    struct fy_decode_stage *coding;
    int64_t given; /* bytes that came out */
    size_t barren; /* bytes that went in since */
    /* What came out and the next stage has not taken; NULL for the last stage. */
    unsigned char *buffer;
    size_t buffer_at;
    size_t buffer_len;
};

struct fy_decoder {
    int64_t max; /* -1: none */
    int count;
    size_t row_excess; /* bytes taken between stages beyond what came out in the end excuses */
    struct stage stages[FY_CODINGS_MAX]; /* the first takes what comes from the wire */
};

static int stage_init(struct stage *stage, enum fy_coding coding, bool last, ferry_error *err)
{
    stage->known = &known[coding];
    if (stage->known->make == NULL) {
        return fy_fail(err, FERRY_EUNSUPPORTED, 0,
                       "the body is encoded with %s, which this build of ferry cannot decode (it "
                       "was made without %s)",
                       stage->known->name, stage->known->option);
    }
    stage->coding = stage->known->make();
    stage->buffer = last ? NULL : malloc(BETWEEN);
    if (stage->coding == NULL || (!last && stage->buffer == NULL)) {
        return fy_fail_memory(err);
    }
    return 0;
}

struct fy_decoder *fy_decoder_new(const struct fy_codings *codings, int64_t max, ferry_error *err)
{
    if (codings->count > FY_CODINGS_MAX) {
        fy_fail(err, FERRY_EPROTOCOL, 0, "the body is encoded %d times over, which is more than %d",
                codings->count, FY_CODINGS_MAX);
        return NULL;
    }
    struct fy_decoder *decoder = calloc(1, sizeof *decoder);
    if (decoder == NULL) {
        fy_fail_memory(err);
        return NULL;
    }
    decoder->max = max;
    decoder->count = codings->count;
    for (int i = 0; i < codings->count; i++) {
        enum fy_coding coding = codings->list[codings->count - 1 - i];
        if (stage_init(&decoder->stages[i], coding, i == codings->count - 1, err) != 0) {
            fy_decoder_free(decoder);
            return NULL;
        }
    }
    return decoder;
}

void fy_decoder_free(struct fy_decoder *decoder)
{
    if (decoder == NULL) {
        return;
    }
    for (int i = 0; i < decoder->count; i++) {
        struct stage *stage = &decoder->stages[i];
        if (stage->coding != NULL) {
            stage->coding->free(stage->coding);
        }
        free(stage->buffer);
    }
    free(decoder);
}

static enum fy_decode_result fail_stage(const struct stage *stage, const char *reason,
                                        ferry_error *err)
{
    if (reason == NULL) {
        fy_fail_memory(err);
    } else {
        fy_fail(err, FERRY_EPROTOCOL, 0, "malformed %s data: %s", stage->known->name, reason);
    }
    return FY_DECODE_FAILED;
}

/* Whether a stage has taken, or the row has, too much for what came of it. */
static bool is_barren(struct fy_decoder *decoder, struct stage *stage, size_t taken, size_t given)
{
    bool first = stage == &decoder->stages[0];
    bool last = stage == &decoder->stages[decoder->count - 1];
    size_t excess = decoder->row_excess + (first ? 0 : taken);
    if (last) {
        excess = given < excess / ROW_ALLOWANCE ? excess - given * ROW_ALLOWANCE : 0;
    }
    decoder->row_excess = excess;
    stage->barren = given > 0 ? 0 : stage->barren + taken;
    return stage->barren > BARREN_MAX || excess > BARREN_MAX;
}

/* One step of one stage, within its limits: it is offered room for one byte too many, and if that
 * one comes, it is taken back. */
static enum fy_decode_result step_stage(struct fy_decoder *decoder, struct stage *stage,
                                        struct fy_decode_io *io, ferry_error *err)
{
    struct fy_decode_io offered = *io;
    if (decoder->max >= 0 && (uint64_t)(decoder->max - stage->given) < offered.out_len) {
        offered.out_len = (size_t)(decoder->max - stage->given) + 1;
        offered.out_len = offered.out_len < io->out_len ? offered.out_len : io->out_len;
    }
    size_t room = offered.out_len;
    const char *reason = NULL;
    enum fy_decode_result result = stage->coding->step(stage->coding, &offered, &reason);
    size_t taken = io->in_len - offered.in_len;
    size_t given = room - offered.out_len;
    io->in = offered.in;
    io->in_len = offered.in_len;
    stage->given += (int64_t)given;
    bool barren = is_barren(decoder, stage, taken, given);
    bool too_big = decoder->max >= 0 && stage->given > decoder->max;
    given -= too_big ? 1 : 0;
    io->out += given;
    io->out_len -= given;
    if (too_big) {
        fy_fail(err, FERRY_ETOOBIG, 0, "the decoded body is longer than %lld bytes",
                (long long)decoder->max);
        return FY_DECODE_FAILED;
    }
    if (barren) {
        return fail_stage(stage, "too much of it decodes to nothing", err);
    }
    return result == FY_DECODE_FAILED ? fail_stage(stage, reason, err) : result;
}

/* Has stage i add to io->out, having the ones before it fill its buffer as needed; io->in is the
 * first one's. Returns with something added, or when nothing can be. */
static enum fy_decode_result pull(struct fy_decoder *decoder, int i, struct fy_decode_io *io,
                                  ferry_error *err)
{
    struct stage *stage = &decoder->stages[i];
    if (i == 0) {
        return step_stage(decoder, stage, io, err);
    }
    struct stage *before = &decoder->stages[i - 1];
    for (;;) {
        size_t room = io->out_len;
        struct fy_decode_io own = {before->buffer + before->buffer_at, before->buffer_len, io->out,
                                   io->out_len};
        enum fy_decode_result result = step_stage(decoder, stage, &own, err);
        before->buffer_at += before->buffer_len - own.in_len;
        before->buffer_len = own.in_len;
        io->out = own.out;
        io->out_len = own.out_len;
        if (result == FY_DECODE_FAILED || io->out_len < room || before->buffer_len > 0) {
            return result == FY_DECODE_FAILED ? result : FY_DECODE_MORE;
        }
        struct fy_decode_io filling = {io->in, io->in_len, before->buffer, BETWEEN};
        enum fy_decode_result filled = pull(decoder, i - 1, &filling, err);
        io->in = filling.in;
        io->in_len = filling.in_len;
        before->buffer_at = 0;
        before->buffer_len = BETWEEN - filling.out_len;
        if (filled == FY_DECODE_FAILED) {
            return filled; /* what it gave before is lost: nothing of it is checked any more */
        }
        if (before->buffer_len == 0) {
            return filled == FY_DECODE_END ? result : FY_DECODE_MORE;
        }
    }
}

enum fy_decode_result fy_decoder_step(struct fy_decoder *decoder, struct fy_decode_io *io,
                                      ferry_error *err)
{
    for (;;) {
        size_t in_len = io->in_len;
        size_t out_len = io->out_len;
        enum fy_decode_result result = pull(decoder, decoder->count - 1, io, err);
        /* On, even without room: the end may lie behind the last byte that there was room for. */
        if (result != FY_DECODE_MORE || (io->in_len == in_len && io->out_len == out_len)) {
            return result;
        }
    }
}

int fy_decoder_fail_end(const struct fy_decoder *decoder, ferry_error *err)
{
    return fy_fail(err, FERRY_ETRUNCATED, 0, "unexpected end of the %s data",
                   decoder->stages[0].known->name);
}
