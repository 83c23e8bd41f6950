/*
 * A body into a descriptor, of whatever kind. What comes from a socket as it is, and goes to a file,
 * goes through a pipe and not through memory of ours; all else by reading and writing.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/sigpipe.h"
#include "http/response.h"
#include "task/sched.h"

/* So much is read at a time: larger pieces are no cheaper. */
#define BUFFER ((size_t)256 * 1024)

/* The pipe's size, if the system lets it have that much; else it is what pipes are. */
#define PIPE_BYTES ((size_t)1024 * 1024)

/* A body that is shorter is read and written before a pipe is made. */
#define SPLICE_LEAST ((int64_t)128 * 1024)

struct saving {
    ferry_response *res;
    int fd;          /* the caller's */
    bool is_file;    /* a write to it raises no SIGPIPE, and does not wait */
    char *buffer;    /* BUFFER bytes, from the first use on; NULL before */
    int pipe[2];     /* -1: none */
    size_t capacity; /* the pipe's, in bytes */
};

/* ---------------------------------------------------------------------------- outside the lock */

/* write() that raises no signal: the descriptor may be a pipe that nobody reads any more. */
static ssize_t quiet_write(int fd, const char *bytes, size_t len)
{
    struct fy_sigpipe held;
    fy_sigpipe_hold(&held);
    ssize_t written = write(fd, bytes, len);
    fy_sigpipe_release(&held, written < 0 ? errno == EPIPE : (size_t)written < len);
    return written;
}

/* Writes all of it; a non-blocking descriptor is waited for. 0, or an errno. */
static int write_all(const struct saving *saving, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t written =
            saving->is_file ? write(saving->fd, bytes, len) : quiet_write(saving->fd, bytes, len);
        if (written >= 0) {
            bytes += written;
            len -= (size_t)written;
        } else if (errno == EAGAIN) {
            struct pollfd writable = {.fd = saving->fd, .events = POLLOUT};
            (void)poll(&writable, 1, -1);
        } else if (errno != EINTR) {
            return errno;
        }
    }
    return 0;
}

/* The same with what is in the pipe, where the file takes no splice (it depends on the file
 * system). */
static int copy_pipe(const struct saving *saving, size_t len)
{
    while (len > 0) {
        ssize_t got = read(saving->pipe[0], saving->buffer, len < BUFFER ? len : BUFFER);
        int failed = got > 0   ? write_all(saving, saving->buffer, (size_t)got)
                     : got < 0 ? errno
                               : EIO;
        if (failed != 0 && failed != EINTR) {
            return failed;
        }
        len -= got > 0 ? (size_t)got : 0;
    }
    return 0;
}

/* Empties the pipe into the file: 0, or an errno. EINVAL: it takes no splice, and *left bytes are in
 * the pipe. */
static int pour(const struct saving *saving, size_t *left)
{
    while (*left > 0) {
        ssize_t gone = splice(saving->pipe[0], NULL, saving->fd, NULL, *left, SPLICE_F_MOVE);
        if (gone > 0) {
            *left -= (size_t)gone;
        } else if (gone == 0) {
            return EIO;
        } else if (errno != EINTR) {
            return errno;
        }
    }
    return 0;
}

/* ----------------------------------------------------------------------------------- preparing */

static void close_pipe(struct saving *saving)
{
    for (int i = 0; i < 2; i++) {
        if (saving->pipe[i] >= 0) {
            close(saving->pipe[i]);
            saving->pipe[i] = -1;
        }
    }
}

/* A pipe where it is worth one and there are descriptors left; a file that is appended to takes no
 * splice. */
static void look_at_descriptor(struct saving *saving)
{
    struct stat status;
    saving->is_file = fstat(saving->fd, &status) == 0 && S_ISREG(status.st_mode);
    bool long_enough = saving->res->length < 0 || saving->res->length >= SPLICE_LEAST;
    if (!saving->is_file || !long_enough || saving->res->ops->splice == NULL ||
        (fcntl(saving->fd, F_GETFL) & O_APPEND) != 0 || pipe2(saving->pipe, O_CLOEXEC) != 0) {
        return;
    }
    int size = fcntl(saving->pipe[0], F_SETPIPE_SZ, (int)PIPE_BYTES);
    if (size <= 0) {
        size = fcntl(saving->pipe[0], F_GETPIPE_SZ);
    }
    saving->capacity = size > 0 ? (size_t)size : 4096;
}

static int need_buffer(struct saving *saving, ferry_error *err)
{
    if (saving->buffer == NULL) {
        saving->buffer = malloc(BUFFER);
    }
    return saving->buffer != NULL ? 0 : fy_fail_memory(err);
}

/* -------------------------------------------------------------------------------------- saving */

static int fail_write(const struct saving *saving, int cause, ferry_error *err)
{
    return fy_fail(err, FERRY_EWRITE, cause, "saving the body of %s: %s", saving->res->url,
                   fy_errno_text(cause));
}

/* The next piece by way of the pipe: its length, 0 at the end, -1, or FY_READ_COPY. */
static ssize_t splice_piece(struct saving *saving, ferry_error *err)
{
    if (saving->pipe[0] < 0) {
        return FY_READ_COPY;
    }
    ssize_t got = fy_response_splice_body(saving->res, saving->pipe[1], saving->capacity, err);
    if (got <= 0) {
        return got;
    }
    size_t left = (size_t)got;
    fy_leave();
    int cause = pour(saving, &left);
    (void)fy_enter(); /* cannot fail: this thread has its scheduler */
    if (cause == EINVAL) {
        if (need_buffer(saving, err) != 0) {
            return -1;
        }
        fy_leave();
        cause = copy_pipe(saving, left);
        (void)fy_enter();
        close_pipe(saving);
    }
    return cause == 0 ? got : fail_write(saving, cause, err);
}

/* Likewise by way of the buffer. */
static ssize_t copy_piece(struct saving *saving, ferry_error *err)
{
    if (need_buffer(saving, err) != 0) {
        return -1;
    }
    ssize_t got = fy_response_read_body(saving->res, saving->buffer, BUFFER, err);
    if (got <= 0) {
        return got;
    }
    fy_leave();
    int cause = write_all(saving, saving->buffer, (size_t)got);
    (void)fy_enter();
    return cause == 0 ? got : fail_write(saving, cause, err);
}

FERRY_API int64_t ferry_response_save(ferry_response *res, int fd, ferry_error *err)
{
    struct saving saving = {.res = res, .fd = fd, .pipe = {-1, -1}};
    int64_t saved = 0;
    ssize_t got;
    err = FY_ERROR(err);
    if (fy_response_begin_use(res, err) == NULL) {
        return -1;
    }
    look_at_descriptor(&saving);
    do {
        got = splice_piece(&saving, err);
        if (got == FY_READ_COPY) {
            got = copy_piece(&saving, err);
        }
        saved += got > 0 ? got : 0;
    } while (got > 0);
    fy_response_end_use(res);
    close_pipe(&saving);
    free(saving.buffer);
    return got < 0 ? -1 : saved;
}
