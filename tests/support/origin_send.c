/*
 * Sending to a client: whole, in slices that come out of reads of their own, one byte at a time. Called
 * by serve functions, on the connection's own thread. Nothing here raises SIGPIPE.
 */
#include "origin_internal.h"

#include "events.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* How often a slice is looked after, with a rest of 50 µs in between: about ten seconds where the
   machine has time for it, and longer where it has not. Counted and not timed: a machine that
   stands still for a while takes that from client and origin alike. */
#define SLICE_LOOKS 100000

bool origin_send(struct origin_conn *conn, const void *data, size_t len)
{
    const char *rest = data;

    if (conn->fd < 0)
        return false;
    while (len > 0) {
        ssize_t n = send(conn->fd, rest, len, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        conn->sent += (uint64_t)n;
        rest += n;
        len -= (size_t)n;
    }
    return true;
}

bool origin_send_text(struct origin_conn *conn, const char *text)
{
    return origin_send(conn, text, strlen(text));
}

bool origin_sendf(struct origin_conn *conn, const char *format, ...)
{
    va_list arguments;
    char *text;
    int len;
    bool sent;

    va_start(arguments, format);
    len = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (len < 0)
        abort();
    sent = origin_send(conn, text, (size_t)len);
    free(text);
    return sent;
}

bool origin_send_pattern(struct origin_conn *conn, uint64_t len)
{
    char piece[16384];

    for (uint64_t offset = 0; offset < len;) {
        size_t n = len - offset < sizeof(piece) ? (size_t)(len - offset) : sizeof(piece);

        pattern_fill(piece, n, offset);
        if (!origin_send(conn, piece, n))
            return false;
        offset += n;
    }
    return true;
}

/* Gives the client's thread a chance: first only the processor, then, so as not to take it away again,
   a little time. */
static void let_client_run(int round)
{
    struct timespec moment = {.tv_nsec = 50000};

    if (round < 20)
        sched_yield();
    else
        nanosleep(&moment, NULL);
}

static enum client_progress await_read(const struct client_watch *watch, int timeout_ms, int looks)
{
    int64_t deadline = events_deadline(timeout_ms);

    for (int round = 0;; round++) {
        enum client_progress progress = client_watch_look(watch);

        if (progress != CLIENT_RECEIVING && progress != CLIENT_HOLDS)
            return progress;
        if (round >= looks || (deadline >= 0 && events_now() >= deadline))
            return progress;
        let_client_run(round);
    }
}

bool origin_wait_read(struct origin_conn *conn, int timeout_ms)
{
    struct client_watch watch;
    enum client_progress progress;

    client_watch_begin(&watch, conn);
    progress = await_read(&watch, timeout_ms, INT_MAX);
    client_watch_end(&watch);
    return progress == CLIENT_HAS_READ;
}

/* A read of a Unix socket that has taken a slice looks, before it returns, for more, and nothing
   tells from here whether it is still at that. But no read goes on behind a message with a
   descriptor, which a client that asks for none never sees: so each slice carries one. (A read of a
   TCP socket is over when the kernel answers: it takes the socket's lock for that, which such a
   read holds.) descriptor: any; -1: none. */
static bool send_slice(struct origin_conn *conn, const char *slice, size_t len, int descriptor)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec iov = {(void *)slice, len};
    struct msghdr message = {
        .msg_iov = &iov,
        .msg_iovlen = 1,
        .msg_control = &control,
        .msg_controllen = sizeof(control.bytes),
    };
    ssize_t n;

    if (descriptor < 0 || conn->fd < 0)
        return origin_send(conn, slice, len);
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(&control.header), &descriptor, sizeof(int));
    do {
        n = sendmsg(conn->fd, &message, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return false;
    conn->sent += (uint64_t)n;
    return origin_send(conn, slice + n, len - (size_t)n);
}

bool origin_send_slices(struct origin_conn *conn, const void *data, size_t len, const size_t *cuts,
                        size_t count)
{
    const char *bytes = data;
    struct client_watch watch;
    size_t done = 0;
    bool sent = true;
    bool reads = true;
    int descriptor =
        conn->local.ss_family == AF_UNIX ? open("/dev/null", O_RDONLY | O_CLOEXEC) : -1;

    client_watch_begin(&watch, conn);
    for (size_t i = 0; i < count && sent && reads; i++) {
        if (cuts[i] <= done || cuts[i] >= len)
            continue;
        sent = send_slice(conn, bytes + done, cuts[i] - done, descriptor);
        done = cuts[i];
        switch (await_read(&watch, -1, SLICE_LOOKS)) {
        case CLIENT_UNKNOWN: events_sleep(1); break;
        case CLIENT_HAS_READ: break;
        default: reads = false; break;
        }
    }
    client_watch_end(&watch);
    if (descriptor >= 0)
        close(descriptor);
    return sent && origin_send(conn, bytes + done, len - done);
}

bool origin_send_slowly(struct origin_conn *conn, const void *data, size_t len)
{
    size_t *cuts;
    bool sent;

    if (len < 2)
        return origin_send(conn, data, len);
    cuts = malloc((len - 1) * sizeof(*cuts));
    if (cuts == NULL)
        abort();
    for (size_t i = 0; i < len - 1; i++)
        cuts[i] = i + 1;
    sent = origin_send_slices(conn, data, len, cuts, len - 1);
    free(cuts);
    return sent;
}
