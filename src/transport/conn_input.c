/*
 * Buffered input of a connection.
 */
#include "transport/conn_input.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/errno.h"

/* The first buffer is a spare one, which is not realloc()'s. */
static int grow(struct fy_conn_input *input)
{
    size_t capacity = input->capacity == 0 ? FY_CONN_INPUT_BUFFER : input->capacity * 2;
    bool was_spare = input->capacity == FY_CONN_INPUT_BUFFER;
    char *buffer = input->capacity == 0 ? fy_spare_take(input->spares)
                   : was_spare          ? malloc(capacity)
                                        : realloc(input->buffer, capacity);
    if (buffer == NULL) {
        return -ENOMEM;
    }
    if (was_spare) {
        memcpy(buffer, input->buffer, input->end);
        fy_spare_give(input->spares, input->buffer);
    }
    input->buffer = buffer;
    input->capacity = capacity;
    return 0;
}

/* Room for at least one byte after end: by moving what is there to the front, or by growing. */
static int make_room(struct fy_conn_input *input, size_t max)
{
    size_t len = fy_conn_input_len(input);
    if (input->end < input->capacity) {
        return 0;
    }
    if (len >= max) {
        return -EMSGSIZE;
    }
    if (input->start > 0) {
        memmove(input->buffer, input->buffer + input->start, len);
        input->start = 0;
        input->end = len;
        return 0;
    }
    return grow(input);
}

/* Enters what a read has put behind end. */
static ssize_t came(struct fy_conn_input *input, ssize_t got)
{
    if (got > 0) {
        input->end += (size_t)got;
    }
    return got;
}

ssize_t fy_conn_input_fill(struct fy_conn_input *input, struct fy_stream *stream, size_t max,
                           const char *why)
{
    int failed = make_room(input, max);
    if (failed != 0) {
        return failed;
    }
    return came(input, stream->ops->read(stream, input->buffer + input->end,
                                         input->capacity - input->end, why));
}

ssize_t fy_conn_input_try_fill(struct fy_conn_input *input, struct fy_stream *stream, size_t max)
{
    int failed = make_room(input, max);
    if (failed != 0) {
        return failed;
    }
    return came(input, stream->ops->try_read(stream, input->buffer + input->end,
                                             input->capacity - input->end));
}

void fy_conn_input_take(struct fy_conn_input *input, size_t len)
{
    input->start += len;
    if (input->start == input->end) {
        input->start = 0;
        input->end = 0;
    }
}

void fy_conn_input_free(struct fy_conn_input *input)
{
    if (input->capacity == FY_CONN_INPUT_BUFFER) {
        fy_spare_give(input->spares, input->buffer);
    } else {
        free(input->buffer);
    }
    *input = (struct fy_conn_input){.spares = input->spares};
}
