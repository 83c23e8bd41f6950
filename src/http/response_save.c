/*
 * A response's body into a descriptor of the caller's. Where the bytes come plain from a socket and go
 * to a file, the kernel moves them by way of a pipe, and they never come here; else they are read and
 * written.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/errno.h"
#include "base/error.h"
#include "base/sigpipe.h"
#include "http/response.h"

#define SAVE_BUFFER ((size_t)256 * 1024)

/* A body of less is not worth a pipe. */
#define WORTH_MOVING ((int64_t)256 * 1024)

/* What is saved to. */
struct target {
    int fd;
    bool is_file;    /* a write raises no signal there, and never waits */
    int pipe[2];     /* -1: nothing is moved */
    size_t capacity; /* of the pipe */
};

/* write() that raises no signal: the descriptor may be a pipe that nobody reads any more. */
static ssize_t quiet_write(const struct target *to, const char *bytes, size_t len)
{
    struct fy_sigpipe held;
    if (to->is_file) {
        return write(to->fd, bytes, len);
    }
    fy_sigpipe_hold(&held);
    ssize_t written = write(to->fd, bytes, len);
    fy_sigpipe_release(&held, written < 0 ? errno == EPIPE : (size_t)written < len);
    return written;
}

/* Writes all of it; a non-blocking descriptor is waited for. */
static int write_all(const struct target *to, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t written = quiet_write(to, bytes, len);
        if (written >= 0) {
            bytes += written;
            len -= (size_t)written;
        } else if (errno == EAGAIN) {
            struct pollfd writable = {.fd = to->fd, .events = POLLOUT};
            (void)poll(&writable, 1, -1);
        } else if (errno != EINTR) {
            return -1;
        }
    }
    return 0;
}

/* ---------------------------------------------------------------------------------- by the kernel */

/* To a file that is not appended to (splice() refuses one that is) a body of some length goes through
 * a pipe, as large a one as we are given. */
static void target_open(struct target *to, const ferry_response *res, int fd)
{
    struct stat status;
    int flags = fcntl(fd, F_GETFL);
    *to = (struct target){.fd = fd, .pipe = {-1, -1}};
    to->is_file = fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
    if (!to->is_file || flags < 0 || (flags & O_APPEND) != 0 || res->length < WORTH_MOVING ||
        pipe2(to->pipe, O_CLOEXEC) != 0) {
        return;
    }
    int capacity = fcntl(to->pipe[1], F_SETPIPE_SZ, 1 << 20);
    to->capacity = capacity > 0 ? (size_t)capacity : (size_t)64 * 1024;
}

static void target_close(struct target *to)
{
    if (to->pipe[0] >= 0) {
        close(to->pipe[0]);
        close(to->pipe[1]);
        to->pipe[0] = to->pipe[1] = -1;
    }
}

/* What is in the pipe goes into the file: 0, or -1 with errno. A file that cannot be spliced to has
 * what is there written, and the pipe is given up. */
static int empty_pipe(struct target *to, size_t len, char *buffer)
{
    bool refused = false;
    while (len > 0) {
        ssize_t moved;
        if (!refused) {
            moved = splice(to->pipe[0], NULL, to->fd, NULL, len, SPLICE_F_MOVE);
            if (moved < 0 && errno == EINVAL) {
                refused = true;
                continue;
            }
        } else {
            moved = read(to->pipe[0], buffer, len < SAVE_BUFFER ? len : SAVE_BUFFER);
            if (moved > 0 && write_all(to, buffer, (size_t)moved) != 0) {
                return -1;
            }
        }
        if (moved > 0) {
            len -= (size_t)moved;
        } else if (moved == 0) {
            errno = EIO;
            return -1;
        } else if (errno != EINTR) {
            return -1;
        }
    }
    if (refused) {
        target_close(to);
    }
    return 0;
}

/* The next piece of the body, in the pipe (*moved) or in the buffer; as a read. */
static ssize_t take_piece(ferry_response *res, struct target *to, char *buffer, bool *moved,
                          ferry_error *err)
{
    ssize_t got = FY_MOVE_NOT;
    if (to->pipe[0] >= 0) {
        got = fy_response_move_body(res, to->pipe[1], to->capacity, err);
    }
    *moved = got != FY_MOVE_NOT;
    return *moved ? got : fy_response_read_body(res, buffer, SAVE_BUFFER, err);
}

/* In one use of the response; the descriptor is written to outside the lock. */
static int64_t save_rest(ferry_response *res, struct target *to, char *buffer, ferry_error *err)
{
    int64_t saved = 0;
    bool moved;
    ssize_t got;
    while ((got = take_piece(res, to, buffer, &moved, err)) > 0) {
        fy_leave();
        int failed =
            moved ? empty_pipe(to, (size_t)got, buffer) : write_all(to, buffer, (size_t)got);
        int cause = failed == 0 ? 0 : errno;
        (void)fy_enter(); /* cannot fail: this thread has its scheduler */
        if (cause != 0) {
            return fy_fail(err, FERRY_EWRITE, cause, "saving the body of %s: %s", res->url,
                           fy_errno_text(cause));
        }
        saved += got;
    }
    return got < 0 ? -1 : saved;
}

FERRY_API int64_t ferry_response_save(ferry_response *res, int fd, ferry_error *err)
{
    err = FY_ERROR(err);
    char *buffer = malloc(SAVE_BUFFER);
    int64_t saved = -1;
    if (buffer == NULL) {
        return fy_fail_memory(err);
    }
    if (fy_response_begin_use(res, err) != NULL) {
        struct target to;
        target_open(&to, res, fd);
        saved = save_rest(res, &to, buffer, err);
        target_close(&to);
        fy_response_end_use(res);
    }
    free(buffer);
    return saved;
}
