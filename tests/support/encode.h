/*
 * Encoded bodies for tests of decoding. Built only where ferry can decode all of these.
 */
#ifndef SUPPORT_ENCODE_H
#define SUPPORT_ENCODE_H

#include "bytes.h"

#include <stdint.h>

#define ENCODE_TEXT "ferry ferry ferry ferry: the text that was encoded"

/* Zeros that encode_zeros() can make of any coding. */
#define ENCODE_BOMB ((size_t)10 << 20)

/* "gzip", "deflate" (zlib format), "raw deflate", "zstd". To be freed; a failure ends the process. */
struct bytes encode(const char *coding, const void *data, size_t len);

/* ENCODE_TEXT, or ENCODE_BOMB zeros, in one of these or in "br". */
struct bytes encode_text(const char *coding);
struct bytes encode_zeros(const char *coding, size_t len);

/* Two events, the encoder flushed behind each, so that the first *first_len bytes are all that it
 * takes to decode the first; the end of the coding does not follow. "gzip", "deflate", "br",
 * "zstd". */
#define ENCODE_EVENT_1 "id: 1\ndata: one\n\n"
#define ENCODE_EVENT_2 "data: two\n\n"
struct bytes encode_events(const char *coding, size_t *first_len);

/* As gzip has it. */
uint32_t encode_crc32(const void *data, size_t len);

#endif
