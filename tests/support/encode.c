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
