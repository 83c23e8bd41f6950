/*
 * A byte stream: what TCP, a Unix socket, TLS and a tunnel through a proxy all look like from
 * above, and what each sees below. Calls park the running task instead of blocking; all under the
 * lock of the scheduler that the stream was made on, or moved to since. At most one task reads and
 * one writes at a time.
 */
#ifndef FY_NET_STREAM_H
#define FY_NET_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base/errno.h"
#include "task/clock.h"
#include "task/io.h"

struct fy_stream;

/* Results below 0 are -errno: -ETIMEDOUT when the stream's deadline has passed, even if there is
 * something to read; -ECANCELED when the stream was closed by another task (or before the call).
 * why is static, for the dump. */
struct fy_stream_ops {
    /* Up to len bytes (at least 1), as soon as there are some; 0 when the peer has ended its
     * side. */
    ssize_t (*read)(struct fy_stream *stream, void *buf, size_t len, const char *why);
    /* As read, into an empty pipe of the caller's and not through here. NULL: this kind of stream
     * cannot. */
    ssize_t (*splice)(struct fy_stream *stream, int pipe, size_t len, const char *why);
    /* As much as goes now, at least one byte; parks only when nothing goes. When it fails, nothing
     * has gone: what has, and what may have, was told first. */
    ssize_t (*writev)(struct fy_stream *stream, const struct iovec *iov, int count,
                      const char *why);
    /* As much of len bytes of a file from offset as goes now; 0: the file has ended; -ENOSYS: not
     * from this file, read it and write instead. NULL: this kind of stream cannot, likewise. */
    ssize_t (*send_file)(struct fy_stream *stream, int fd, int64_t offset, size_t len,
                         const char *why);
    /* Until there is news: 0. What it is says a try_read, which may find nothing after all: then this is
     * to be called again. */
    int (*wait_readable)(struct fy_stream *stream, const char *why);
    /* The same between two turns of a loop (fy_loop_start()): where there is no news yet it returns
     * -EAGAIN, the turn is to end with FY_TURN_REST, and the next one to begin with the same call.
     * Needs no buffer meanwhile, which is how an idle connection is watched. It may park for other
     * reasons. */
    int (*rest_readable)(struct fy_stream *stream, const char *why);
    /* Whether a read would return at once (bytes, end or error), asked without parking. Knows what
     * the poller has seen, not what has come since it last looked. */
    bool (*has_input)(struct fy_stream *stream);
    /* As read and writev, with -EAGAIN instead of parking, and no word about deadlines. What TLS
     * has taken may stay with it until its next write. */
    ssize_t (*try_read)(struct fy_stream *stream, void *buf, size_t len);
    ssize_t (*try_write)(struct fy_stream *stream, const void *buf, size_t len);
    /* Takes the stream out of its scheduler, with the one reader that may rest in
     * rest_readable, under that one's lock; and into the running scheduler. attach returns -errno
     * when it cannot be used there; it is to be closed then. NULL, both: this kind of stream stays
     * where it is. */
    void (*detach)(struct fy_stream *stream);
    int (*attach)(struct fy_stream *stream);
    /* Ends the writing side only (a half close): 0 or -errno. */
    int (*shutdown_write)(struct fy_stream *stream);
    /* Ends it at once; tasks parked in it go on with -ECANCELED. Again and again if you like. */
    void (*close)(struct fy_stream *stream);
    /* Closes and frees it. Nobody may be in it. */
    void (*free)(struct fy_stream *stream);
    /* Why it failed, where there is more to say than an errno tells: a sentence, or NULL. Valid as
     * long as the stream. NULL: this kind of stream never knows more. */
    const char *(*failure)(const struct fy_stream *stream);
    /* The socket at the bottom, to ask it where it leads; -1: it is closed. NULL: there is none. */
    int (*descriptor)(const struct fy_stream *stream);
};

/* The first member of every kind of stream. */
struct fy_stream {
    const struct fy_stream_ops *ops;
    /* fy_now() times; FY_NEVER: none. Each may be changed while nobody is parked in its
     * direction. */
    int64_t read_deadline;
    int64_t write_deadline;
};

/* As -errno of a read: the peer has ended a TLS connection without saying so in TLS (close_notify,
 * RFC 8446 section 6.1), so that anybody on the way may have cut it off. Where a message's framing
 * does not depend on the end this means what 0 means; where it does, the message is truncated. */
#define FY_TRUNCATED ENODATA

/* Writes all of it, changing iov as it goes: 0 or -errno. */
int fy_stream_write_all(struct fy_stream *stream, struct iovec *iov, int count, const char *why);

#endif
