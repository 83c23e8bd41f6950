/*
 * gzip (RFC 1952), and "deflate", which RFC 9110 section 8.4.1.2 defines as the zlib format (RFC
 * 1950) but which some servers send as bare deflate data (RFC 1951): the first two bytes tell.
 */
#include <limits.h>
#include <stdlib.h>

#define ZLIB_CONST
#include <zlib.h>

#include "http/decode_stage.h"

struct zlib_stage {
    struct fy_decode_stage base;
    z_stream stream;
    bool gzip;              /* else deflate */
    bool at_end;            /* the stream, or the last member so far, is whole */
    bool decided;           /* zlib format or bare is known; always true of gzip */
    unsigned char first[2]; /* held back until decided, then fed before all else */
    size_t first_len;
    size_t first_fed;
};

/* Whether two bytes are a zlib header: method 8, a window of at most 32 KiB, their check. Bare data
 * that begins like this would be a stored block with bits set in its padding, which no encoder
 * writes. */
static bool is_zlib_header(const unsigned char bytes[2])
{
    return (bytes[0] & 0x0f) == 8 && bytes[0] >> 4 <= 7 && (bytes[0] * 256 + bytes[1]) % 31 == 0;
}

/* Collects the bytes that decide; false as long as there are too few. */
static bool decide(struct zlib_stage *stage, struct fy_decode_io *io)
{
    while (stage->first_len < 2 && io->in_len > 0) {
        stage->first[stage->first_len++] = *io->in++;
        io->in_len--;
    }
    if (stage->first_len < 2) {
        return false;
    }
    stage->decided = true;
    if (!is_zlib_header(stage->first)) {
        (void)inflateReset2(&stage->stream, -MAX_WBITS); /* fails only for a stream that is none */
    }
    return true;
}

/* A call of inflate with part of the input at most as large as zlib's counts can be. */
static int inflate_some(struct zlib_stage *stage, const unsigned char **in, size_t *in_len,
                        struct fy_decode_io *io)
{
    z_stream *stream = &stage->stream;
    uInt most_in = *in_len < UINT_MAX ? (uInt)*in_len : UINT_MAX;
    uInt most_out = io->out_len < UINT_MAX ? (uInt)io->out_len : UINT_MAX;
    stream->next_in = *in;
    stream->avail_in = most_in;
    stream->next_out = io->out;
    stream->avail_out = most_out;
    int result = inflate(stream, Z_NO_FLUSH);
    *in += most_in - stream->avail_in;
    *in_len -= most_in - stream->avail_in;
    io->out += most_out - stream->avail_out;
    io->out_len -= most_out - stream->avail_out;
    return result;
}

/* Another member may follow, in gzip: RFC 1952 section 2.2. */
static enum fy_decode_result begin_again(struct zlib_stage *stage, const char **reason)
{
    if (!stage->gzip) {
        *reason = FY_DECODE_TRAILING;
        return FY_DECODE_FAILED;
    }
    (void)inflateReset(&stage->stream);
    stage->at_end = false;
    return FY_DECODE_MORE;
}

static enum fy_decode_result zlib_step(struct fy_decode_stage *self, struct fy_decode_io *io,
                                       const char **reason)
{
    struct zlib_stage *stage = (struct zlib_stage *)self;
    if (!stage->decided && !decide(stage, io)) {
        return FY_DECODE_MORE;
    }
    for (;;) {
        if (stage->at_end && io->in_len + stage->first_len - stage->first_fed == 0) {
            return FY_DECODE_END;
        }
        if (stage->at_end && begin_again(stage, reason) == FY_DECODE_FAILED) {
            return FY_DECODE_FAILED;
        }
        int result;
        if (stage->first_fed < stage->first_len) {
            const unsigned char *in = stage->first + stage->first_fed;
            size_t in_len = stage->first_len - stage->first_fed;
            result = inflate_some(stage, &in, &in_len, io);
            stage->first_fed = stage->first_len - in_len;
        } else {
            result = inflate_some(stage, &io->in, &io->in_len, io);
        }
        if (result == Z_STREAM_END) {
            stage->at_end = true;
        } else if (result == Z_BUF_ERROR) {
            return FY_DECODE_MORE; /* nothing more to be done with this input and this room */
        } else if (result != Z_OK) {
            *reason = result == Z_MEM_ERROR       ? NULL
                      : stage->stream.msg != NULL ? stage->stream.msg
                                                  : "it needs a preset dictionary";
            return FY_DECODE_FAILED;
        }
    }
}

static void zlib_free(struct fy_decode_stage *self)
{
    struct zlib_stage *stage = (struct zlib_stage *)self;
    (void)inflateEnd(&stage->stream);
    free(stage);
}

static struct fy_decode_stage *zlib_new(bool gzip)
{
    struct zlib_stage *stage = calloc(1, sizeof *stage);
    if (stage == NULL) {
        return NULL;
    }
    stage->base = (struct fy_decode_stage){.step = zlib_step, .free = zlib_free};
    stage->gzip = gzip;
    stage->decided = gzip;
    if (inflateInit2(&stage->stream, gzip ? MAX_WBITS + 16 : MAX_WBITS) != Z_OK) {
        free(stage);
        return NULL;
    }
    return &stage->base;
}

struct fy_decode_stage *fy_decode_gzip_new(void)
{
    return zlib_new(true);
}

struct fy_decode_stage *fy_decode_deflate_new(void)
{
    return zlib_new(false);
}
