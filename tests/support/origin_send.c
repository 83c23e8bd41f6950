/*
 * Sending to a client: whole, in slices that come out of reads of their own, one byte at a time. Called
 * by serve functions, on the connection's own thread. Nothing here raises SIGPIPE.
 */
#include "origin_internal.h"

#include "events.h"

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SLICE_LIMIT_MS 2000

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

static enum client_progress await_read(const struct client_watch *watch, int timeout_ms)
{
    int64_t deadline = events_deadline(timeout_ms);

    for (int round = 0;; round++) {
        enum client_progress progress = client_watch_look(watch);

        if (progress != CLIENT_RECEIVING && progress != CLIENT_HOLDS)
            return progress;
        if (deadline >= 0 && events_now() >= deadline)
            return progress;
        let_client_run(round);
    }
}

bool origin_wait_read(struct origin_conn *conn, int timeout_ms)
{
    struct client_watch watch;
    enum client_progress progress;

    client_watch_begin(&watch, conn);
    progress = await_read(&watch, timeout_ms);
    client_watch_end(&watch);
    return progress == CLIENT_HAS_READ;
}

bool origin_send_slices(struct origin_conn *conn, const void *data, size_t len, const size_t *cuts,
                        size_t count)
{
    const char *bytes = data;
    struct client_watch watch;
    size_t done = 0;
    bool sent = true;
    bool reads = true;

    client_watch_begin(&watch, conn);
    for (size_t i = 0; i < count && sent && reads; i++) {
        if (cuts[i] <= done || cuts[i] >= len)
            continue;
        sent = origin_send(conn, bytes + done, cuts[i] - done);
        done = cuts[i];
        switch (await_read(&watch, SLICE_LIMIT_MS)) {
        case CLIENT_UNKNOWN: events_sleep(1); break;
        case CLIENT_HAS_READ: break;
        default: reads = false; break;
        }
    }
    client_watch_end(&watch);
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
