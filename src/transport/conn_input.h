/*
 * What has been read from a connection and not been used yet. The buffer is there only while there
 * is something in it: an idle connection has none.
 */
#ifndef FY_TRANSPORT_CONN_INPUT_H
#define FY_TRANSPORT_CONN_INPUT_H

#include <stddef.h>
#include <sys/types.h>

#include "net/stream.h"
#include "task/spare.h"

#define FY_CONN_INPUT_BUFFER FY_SPARE_BYTES

/* Zero-filled but for the spares is empty. */
struct fy_conn_input {
    struct fy_spares *spares; /* of the connection's scheduler */
    char *buffer;             /* NULL: none */
    size_t capacity, start, end;
};

static inline size_t fy_conn_input_len(const struct fy_conn_input *input)
{
    return input->end - input->start;
}

static inline const char *fy_conn_input_bytes(const struct fy_conn_input *input)
{
    return input->buffer != NULL ? input->buffer + input->start : "";
}

/* Reads more from the stream, making room for it first (up to max bytes in all). As the stream's
 * read; -EMSGSIZE when max bytes are there already, -ENOMEM. */
ssize_t fy_conn_input_fill(struct fy_conn_input *input, struct fy_stream *stream, size_t max,
                           const char *why);

/* The same without parking: -EAGAIN. */
ssize_t fy_conn_input_try_fill(struct fy_conn_input *input, struct fy_stream *stream, size_t max);

/* Uses up len bytes. */
void fy_conn_input_take(struct fy_conn_input *input, size_t len);

void fy_conn_input_free(struct fy_conn_input *input);

/* Gives the buffer back if it is empty. */
static inline void fy_conn_input_rest(struct fy_conn_input *input)
{
    if (input->buffer != NULL && fy_conn_input_len(input) == 0) {
        fy_conn_input_free(input);
    }
}

#endif
