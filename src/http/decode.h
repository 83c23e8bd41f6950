/*
 * Content codings (RFC 9110 section 8.4.1): what a Content-Encoding field names, and a streaming
 * decoder for it. Bytes in, bytes out: no sockets, nothing of responses. The transport puts one
 * between a response's body and its reader.
 *
 * Each coding is a library's, which a build may leave out: fy_coding_names() says what there is.
 */
#ifndef FY_HTTP_DECODE_H
#define FY_HTTP_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ferry.h>

#include "http/header.h"

enum fy_coding { FY_CODING_GZIP, FY_CODING_DEFLATE, FY_CODING_BR, FY_CODING_ZSTD };

/* A list longer than this is nobody's honest encoding, and multiplies what a bomb can do. */
#define FY_CODINGS_MAX 5

/* Codings in the order in which they were applied: they are taken off from the last to the first. */
struct fy_codings {
    enum fy_coding list[FY_CODINGS_MAX];
    int count; /* may be more than there is room for: fy_decoder_new() refuses that */
};

/* What the Content-Encoding fields name, over all of them, "identity" left out. False: nothing, or
 * something that ferry does not know in any build; then the body is the caller's as it is. */
bool fy_codings_parse(const struct fy_header *header, struct fy_codings *codings);

/* The codings of this build as an Accept-Encoding field lists them, "gzip, deflate, br, zstd";
 * NULL: none. Static. */
const char *fy_coding_names(void);

/* What a step takes from and adds to; both ends move on as they are used. */
struct fy_decode_io {
    const unsigned char *in;
    size_t in_len;
    unsigned char *out; /* not NULL, even with out_len 0 */
    size_t out_len;
};

enum fy_decode_result {
    FY_DECODE_MORE, /* wants more input, or more room */
    FY_DECODE_END,  /* whole, if the input ends here. More input is another member (gzip, zstd), or
                     * an error. */
    FY_DECODE_FAILED
};

struct fy_decoder;

/* A decoder for codings. max: bytes that may come out of it, and out of each coding on the way; -1:
 * no limit. NULL and *err: out of memory, FERRY_EUNSUPPORTED for a coding that this build was made
 * without, FERRY_EPROTOCOL for too many. */
struct fy_decoder *fy_decoder_new(const struct fy_codings *codings, int64_t max, ferry_error *err);

/* Decodes until the input is used up or the room is. What was added to out before a failure is
 * good. FERRY_EPROTOCOL: the data are malformed; FERRY_ETOOBIG: the limit. */
enum fy_decode_result fy_decoder_step(struct fy_decoder *decoder, struct fy_decode_io *io,
                                      ferry_error *err);

/* The input has ended although the last step did not say FY_DECODE_END: fills *err, returns -1. */
int fy_decoder_fail_end(const struct fy_decoder *decoder, ferry_error *err);

/* NULL is fine. */
void fy_decoder_free(struct fy_decoder *decoder);

#endif
