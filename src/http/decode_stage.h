/*
 * One coding, as decode.c sees what is behind decode_zlib.c, decode_brotli.c and decode_zstd.c.
 */
#ifndef FY_HTTP_DECODE_STAGE_H
#define FY_HTTP_DECODE_STAGE_H

#include "http/decode.h"

struct fy_decode_stage {
    /* As fy_decoder_step(). A failure's reason is a static text, or NULL: out of memory. It takes
     * all input there is unless its room is full. */
    enum fy_decode_result (*step)(struct fy_decode_stage *stage, struct fy_decode_io *io,
                                  const char **reason);
    void (*free)(struct fy_decode_stage *stage);
};

/* What a single stream says of bytes behind its end. */
#define FY_DECODE_TRAILING "there are bytes behind its end"

/* NULL when out of memory. Each exists only in a build with its library. */
struct fy_decode_stage *fy_decode_gzip_new(void);
struct fy_decode_stage *fy_decode_deflate_new(void);
struct fy_decode_stage *fy_decode_br_new(void);
struct fy_decode_stage *fy_decode_zstd_new(void);

#endif
