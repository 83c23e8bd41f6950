/*
 * Encoded bodies. The zlib and zstd libraries encode as well as decode; what is in br was encoded
 * once, so that no encoder of it is needed.
 */
#include "encode.h"

#include <stdlib.h>
#include <string.h>

#include <zlib.h>
#include <zstd.h>

static void need(int condition)
{
    if (!condition) {
        abort();
    }
}

static struct bytes zlib_encode(int window_bits, const void *data, size_t len)
{
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)data, .avail_in = (uInt)len};
    struct bytes out = {0};
    need(deflateInit2(&stream, 9, Z_DEFLATED, window_bits, 9, Z_DEFAULT_STRATEGY) == Z_OK);
    out.capacity = deflateBound(&stream, len) + 64;
    out.data = malloc(out.capacity);
    need(out.data != NULL);
    stream.next_out = (Bytef *)out.data;
    stream.avail_out = (uInt)out.capacity;
    need(deflate(&stream, Z_FINISH) == Z_STREAM_END);
    out.len = stream.total_out;
    need(deflateEnd(&stream) == Z_OK);
    return out;
}

struct bytes encode(const char *coding, const void *data, size_t len)
{
    if (strcmp(coding, "gzip") == 0) {
        return zlib_encode(15 + 16, data, len);
    }
    if (strcmp(coding, "deflate") == 0) {
        return zlib_encode(15, data, len);
    }
    if (strcmp(coding, "raw deflate") == 0) {
        return zlib_encode(-15, data, len);
    }
    need(strcmp(coding, "zstd") == 0);
    struct bytes out = {.capacity = ZSTD_compressBound(len)};
    out.data = malloc(out.capacity);
    need(out.data != NULL);
    out.len = ZSTD_compress(out.data, out.capacity, data, len, 19);
    need(!ZSTD_isError(out.len));
    return out;
}

struct bytes encode_text(const char *coding)
{
    static const char br[] = "\x1b\x31\x00\xf8\x05\xea\x64\xa9\x5e\xc9\x5a\x13\xde\xe4\x67\x33"
                             "\x59\x8a\x2c\xf2\xe4\x01\xde\x94\xb4\x4b\xf6\x23\xc1\xb6\x58\x4f"
                             "\x97\x43\x28";
    struct bytes out = {0};
    if (strcmp(coding, "br") == 0) {
        bytes_append(&out, br, sizeof br - 1);
        return out;
    }
    return encode(coding, ENCODE_TEXT, strlen(ENCODE_TEXT));
}

static struct bytes zlib_events(int window_bits, size_t *first_len)
{
    const char *const events[] = {ENCODE_EVENT_1, ENCODE_EVENT_2};
    struct bytes out = {.data = malloc(1000), .capacity = 1000};
    z_stream stream = {.next_out = (Bytef *)out.data, .avail_out = 1000};
    need(out.data != NULL);
    need(deflateInit2(&stream, 9, Z_DEFLATED, window_bits, 9, Z_DEFAULT_STRATEGY) == Z_OK);
    for (int i = 0; i < 2; i++) {
        *first_len = stream.total_out;
        stream.next_in = (Bytef *)(uintptr_t)events[i];
        stream.avail_in = (uInt)strlen(events[i]);
        need(deflate(&stream, Z_SYNC_FLUSH) == Z_OK && stream.avail_in == 0);
    }
    out.len = stream.total_out;
    (void)deflateEnd(&stream); /* complains that the end is missing */
    return out;
}

static struct bytes zstd_events(size_t *first_len)
{
    const char *const events[] = {ENCODE_EVENT_1, ENCODE_EVENT_2};
    struct bytes out = {.data = malloc(1000), .capacity = 1000};
    ZSTD_CCtx *context = ZSTD_createCCtx();
    need(out.data != NULL && context != NULL);
    ZSTD_outBuffer to = {out.data, out.capacity, 0};
    for (int i = 0; i < 2; i++) {
        ZSTD_inBuffer from = {events[i], strlen(events[i]), 0};
        *first_len = to.pos;
        need(ZSTD_compressStream2(context, &to, &from, ZSTD_e_flush) == 0);
    }
    out.len = to.pos;
    need(!ZSTD_isError(ZSTD_freeCCtx(context)));
    return out;
}

struct bytes encode_events(const char *coding, size_t *first_len)
{
    static const char br[] = "\x0b\x08\x80\x69\x64\x3a\x20\x31\x0a\x64\x61\x74\x61\x3a\x20\x6f\x6e"
                             "\x65\x0a\x0a\x50\x00\x80\x5f\x5a\xe1\x8d\xee\x4e\x11\xa2\x4a\x04\x60"
                             "\x0b";
    struct bytes out = {0};
    if (strcmp(coding, "br") == 0) {
        bytes_append(&out, br, sizeof br - 1);
        *first_len = 20;
        return out;
    }
    if (strcmp(coding, "zstd") == 0) {
        return zstd_events(first_len);
    }
    return zlib_events(strcmp(coding, "gzip") == 0 ? 15 + 16 : 15, first_len);
}

struct bytes encode_zeros(const char *coding, size_t len)
{
    static const char br[] = "\xcb\xff\xff\x3f\xf8\x27\x00\xe2\xb1\x40\x20\xf7\xfe\x2f\xff\xff\x3f"
                             "\xf0\x4f\x00\xc4\x61\x11\x80\xee\xfd\x07";
    struct bytes out = {0};
    if (strcmp(coding, "br") == 0) {
        need(len == ENCODE_BOMB);
        bytes_append(&out, br, sizeof br - 1);
        return out;
    }
    char *zeros = calloc(1, len);
    need(zeros != NULL);
    out = encode(coding, zeros, len);
    free(zeros);
    return out;
}

uint32_t encode_crc32(const void *data, size_t len)
{
    return (uint32_t)crc32(0, data, (uInt)len);
}
