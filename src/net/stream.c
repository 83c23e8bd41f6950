/*
 * What can be said about every stream without knowing its kind. Called by whoever writes messages.
 */
#include "net/stream.h"

/* Takes written bytes off the front; returns how many of the buffers that used up. */
static int advance(struct iovec *iov, int count, size_t written)
{
    int used = 0;
    while (used < count && written >= iov[used].iov_len) {
        written -= iov[used].iov_len;
        used++;
    }
    if (used < count) {
        iov[used].iov_base = (char *)iov[used].iov_base + written;
        iov[used].iov_len -= written;
    }
    return used;
}

int fy_stream_write_all(struct fy_stream *stream, struct iovec *iov, int count, const char *why)
{
    int used =
        advance(iov, count, 0); /* a writev of nothing but empty buffers would write nothing */
    while (used < count) {
        ssize_t written = stream->ops->writev(stream, iov + used, count - used, why);
        if (written < 0) {
            return (int)written;
        }
        used += advance(iov + used, count - used, (size_t)written);
    }
    return 0;
}
