/*
 * The body as its reader meets it. It ends in one of three ways. Read to its end: the read loop puts
 * the connection into the pool, and only then does the read that met the end return, so that the
 * caller's next request finds it there. An error: the connection is closed, and its loops are gone
 * when the read returns. Closed before: either the connection is closed, and gone when the close
 * returns; or the body is drained, which means that what has arrived is consumed on the spot, and if
 * the end is among it that is as good as read to its end; the rest the read loop reads, while the
 * close returns.
 */
#include "transport/body.h"

#include <string.h>

#include "base/errno.h"
#include "base/error.h"
#include "base/fork.h"
#include "base/seldom.h"
#include "http/chunk.h"
#include "task/clock.h"
#include "task/monitor.h"
#include "transport/abandon.h"
#include "transport/held_memory.h"
#include "transport/idle_pool.h"
#include "transport/persist_conn.h"
#include "transport/trailer.h"

#define READING "reading a response's body"

/* -------------------------------------------------------------------------- from the connection */

static int fail_read(struct fy_persist_conn *conn, ssize_t got, ferry_error *err)
{
    return fy_persist_conn_fail_read(conn, got,
                                     "the connection ended before the response's body did", err);
}

static bool would_park(struct fy_persist_conn *conn, bool may_park)
{
    return !may_park && !conn->stream->ops->has_input(conn->stream);
}

/* Bytes of the body, from what is buffered or, when nothing is, from the stream into the caller's
 * own buffer: as the stream's read, or FY_BODY_WOULD_PARK. */
static ssize_t take_bytes(struct fy_persist_conn *conn, void *buf, size_t len, bool may_park)
{
    size_t buffered = fy_conn_input_len(&conn->input);
    if (buffered > 0) {
        size_t taken = len < buffered ? len : buffered;
        memcpy(buf, fy_conn_input_bytes(&conn->input), taken);
        fy_conn_input_take(&conn->input, taken);
        return (ssize_t)taken;
    }
    if (would_park(conn, may_park)) {
        return FY_BODY_WOULD_PARK;
    }
    if (len < FY_CONN_INPUT_BUFFER / 2) {
        /* A small read: one system call serves many of its kind. */
        ssize_t got = fy_conn_input_fill(&conn->input, conn->stream, FY_CONN_INPUT_BUFFER, READING);
        return got > 0 ? take_bytes(conn, buf, len, may_park) : got;
    }
    return conn->stream->ops->read(conn->stream, buf, len, READING);
}

/* More of a line that is not all there. */
static ssize_t fill_line(struct fy_persist_conn *conn, size_t max, bool may_park, ferry_error *err)
{
    if (would_park(conn, may_park)) {
        return FY_BODY_WOULD_PARK;
    }
    ssize_t got = fy_conn_input_fill(&conn->input, conn->stream, max, READING);
    if (got == -EMSGSIZE) {
        return fy_fail(err, FERRY_EPROTOCOL, 0,
                       "malformed chunked body: a line of more than %zu bytes", max);
    }
    return got > 0 ? got : fail_read(conn, got, err);
}

/* ---------------------------------------------------------------------------- sized, and tunnel */

static ssize_t read_sized(struct fy_exchange *exchange, void *buf, size_t len, bool may_park,
                          ferry_error *err)
{
    if (exchange->left == 0) {
        return 0;
    }
    if ((uint64_t)exchange->left < len) {
        len = (size_t)exchange->left;
    }
    ssize_t got = take_bytes(exchange->conn, buf, len, may_park);
    if (got == FY_BODY_WOULD_PARK) {
        return got;
    }
    if (got <= 0) {
        return fail_read(exchange->conn, got, err);
    }
    exchange->left -= got;
    return got;
}

static ssize_t read_until_close(struct fy_exchange *exchange, void *buf, size_t len, bool may_park,
                                ferry_error *err)
{
    ssize_t got = take_bytes(exchange->conn, buf, len, may_park);
    if (got == 0 && !exchange->conn->is_closed) {
        exchange->conn->saw_end = true;
        exchange->left = 0;
        return 0;
    }
    return got > 0 || got == FY_BODY_WOULD_PARK ? got : fail_read(exchange->conn, got, err);
}

/* -------------------------------------------------------------------------------------- chunked */

static int fail_chunk(const struct fy_parse *parse, ferry_error *err)
{
    return fy_fail(err, FERRY_EPROTOCOL, 0, "malformed chunked body: %s", parse->reason);
}

/* What a chunk's line may cost without being counted: sixteen bytes, and twice the data behind it.
 * Whoever sends byte by byte stays far below. The rest adds up over the body until data makes up
 * for it, and beyond 16 KiB the peer is feeding us lines and not a body (RFC 9112 section 7.1.1
 * asks for such a limit). */
#define LINE_ALLOWANCE 16
#define LINE_EXCESS_MAX ((int64_t)16 * 1024)

static int count_line(struct fy_exchange *exchange, size_t line_len, uint64_t size,
                      ferry_error *err)
{
    int64_t data = size < (uint64_t)LINE_EXCESS_MAX ? (int64_t)size : LINE_EXCESS_MAX;
    int64_t excess = exchange->line_excess + (int64_t)line_len - LINE_ALLOWANCE - 2 * data;
    exchange->line_excess = excess > 0 ? excess : 0;
    if (exchange->line_excess > LINE_EXCESS_MAX) {
        return fy_fail(err, FERRY_ETOOBIG, 0,
                       "the chunked body is more chunk lines than data: over %lld bytes of them",
                       (long long)LINE_EXCESS_MAX);
    }
    return 0;
}

/* Takes lines until chunk data is next (1) or the body has ended (0); -1; FY_BODY_WOULD_PARK, also where
 * a raw body's reader has lines to be given first. */
static int next_chunk(struct fy_exchange *exchange, bool may_park, ferry_error *err)
{
    struct fy_persist_conn *conn = exchange->conn;
    while (exchange->left == 0) {
        if (exchange->last_chunk) {
            return fy_trailer_read(exchange, may_park, err);
        }
        struct fy_parse parse = {.bytes = fy_conn_input_bytes(&conn->input),
                                 .len = fy_conn_input_len(&conn->input)};
        uint64_t size = 0;
        enum fy_parse_result result = exchange->chunk_end_due ? fy_parse_chunk_end(&parse)
                                                              : fy_parse_chunk_line(&parse, &size);
        if (result == FY_PARSE_BAD) {
            return fail_chunk(&parse, err);
        }
        if (result == FY_PARSE_MORE) {
            ssize_t got =
                fill_line(conn, FY_CHUNK_LINE_MAX, may_park && exchange->lines.len == 0, err);
            if (got < 0) {
                return (int)got;
            }
            continue;
        }
        if (!exchange->chunk_end_due && count_line(exchange, parse.at, size, err) != 0) {
            return -1;
        }
        if (exchange->raw) {
            fy_buffer_append(&exchange->lines, parse.bytes, parse.at);
        }
        fy_conn_input_take(&conn->input, parse.at);
        if (exchange->chunk_end_due) {
            exchange->chunk_end_due = false;
        } else {
            exchange->left = (int64_t)size;
            exchange->last_chunk = size == 0;
        }
    }
    return 1;
}

/* Joins what is there: parks only for the first byte, and notices the last chunk when it is already
 * buffered, even if the caller's buffer is full. */
static ssize_t read_chunked(struct fy_exchange *exchange, void *buf, size_t len, bool may_park,
                            ferry_error *err)
{
    size_t total = 0;
    for (;;) {
        /* An error behind bytes that are good is told by the next read: the lines that it was
         * found in are still there, and a stream that has failed fails again. */
        ferry_error *told = total > 0 ? &exchange->read_error : err;
        int next = next_chunk(exchange, may_park && total == 0, told);
        if (next <= 0) {
            return total > 0 ? (ssize_t)total : next;
        }
        if (total == len) {
            return (ssize_t)total;
        }
        size_t wanted =
            (uint64_t)exchange->left < len - total ? (size_t)exchange->left : len - total;
        ssize_t got =
            take_bytes(exchange->conn, (char *)buf + total, wanted, may_park && total == 0);
        if (got <= 0) {
            if (total > 0) {
                return (ssize_t)total;
            }
            return got == FY_BODY_WOULD_PARK ? got : fail_read(exchange->conn, got, err);
        }
        total += (size_t)got;
        exchange->left -= got;
        exchange->chunk_end_due = exchange->left == 0;
    }
}

/* Lines that have been taken, and wait for a raw body's reader. */
static size_t give_lines(struct fy_exchange *exchange, void *buf, size_t len)
{
    struct fy_buffer *lines = &exchange->lines;
    size_t given = lines->len - exchange->lines_given;
    given = given < len ? given : len;
    if (given > 0) {
        memcpy(buf, lines->bytes + exchange->lines_given, given);
    }
    exchange->lines_given += given;
    if (exchange->lines_given == lines->len) {
        lines->len = 0;
        exchange->lines_given = 0;
    }
    return given;
}

/* Chunks with their lines: what has been taken of lines comes first, then what is behind them. */
static ssize_t read_raw_chunked(struct fy_exchange *exchange, void *buf, size_t len, bool may_park,
                                ferry_error *err)
{
    size_t given = give_lines(exchange, buf, len);
    if (given > 0) {
        return (ssize_t)given;
    }
    int next = next_chunk(exchange, may_park, err);
    if (exchange->lines.failed) {
        return fy_fail_memory(err);
    }
    given = give_lines(exchange, buf, len);
    if (given > 0 || next <= 0) {
        return given > 0 ? (ssize_t)given : next; /* a failure comes again */
    }
    ssize_t got =
        take_bytes(exchange->conn, buf,
                   (uint64_t)exchange->left < len ? (size_t)exchange->left : len, may_park);
    if (got <= 0) {
        return got == FY_BODY_WOULD_PARK ? got : fail_read(exchange->conn, got, err);
    }
    exchange->left -= got;
    exchange->chunk_end_due = exchange->left == 0;
    return got;
}

ssize_t fy_body_read_some(struct fy_exchange *exchange, void *buf, size_t len, bool may_park,
                          ferry_error *err)
{
    switch (exchange->framing.kind) {
    case FY_BODY_LENGTH: return read_sized(exchange, buf, len, may_park, err);
    case FY_BODY_CHUNKED:
        return exchange->raw ? read_raw_chunked(exchange, buf, len, may_park, err)
                             : read_chunked(exchange, buf, len, may_park, err);
    case FY_BODY_CLOSE:
    case FY_BODY_TUNNEL: return read_until_close(exchange, buf, len, may_park, err);
    default: return 0;
    }
}

/* ------------------------------------------------------------------------------------ the fates */

/* Whether the last byte has been taken: known with it, where the length or the last chunk tells. */
static bool at_end(const struct fy_exchange *exchange)
{
    switch (exchange->framing.kind) {
    case FY_BODY_LENGTH: return exchange->left == 0;
    case FY_BODY_CHUNKED: return exchange->body_over && exchange->lines.len == 0;
    case FY_BODY_CLOSE:
    case FY_BODY_TUNNEL: return exchange->conn->saw_end;
    default: return true;
    }
}

/* A read whose time is over has taken nothing apart: the next one goes on where it was. */
static bool is_too_late(const struct fy_exchange *exchange, int64_t deadline,
                        const ferry_error *err)
{
    return err->code == FERRY_ETIMEOUT && !exchange->conn->is_closed && fy_now() >= deadline;
}

/* Bytes of a body by length from the socket into a pipe, once nothing of them is buffered. */
static ssize_t move_some(struct fy_exchange *exchange, int pipe, size_t len, ferry_error *err)
{
    struct fy_persist_conn *conn = exchange->conn;
    struct fy_stream *stream = conn->stream;
    if (exchange->framing.kind != FY_BODY_LENGTH || exchange->left == 0 ||
        fy_conn_input_len(&conn->input) > 0 || stream->ops->splice == NULL) {
        return FY_MOVE_NOT;
    }
    if ((uint64_t)exchange->left < len) {
        len = (size_t)exchange->left;
    }
    ssize_t got = stream->ops->splice(stream, pipe, len, READING);
    if (got == -EINVAL) {
        return FY_MOVE_NOT; /* a kind of socket that has no splice() */
    }
    if (got <= 0) {
        return fail_read(conn, got, err);
    }
    exchange->left -= got;
    return got;
}

static bool is_over(const struct fy_exchange *exchange)
{
    return exchange->fate != FY_FATE_NONE || exchange->framing.kind == FY_BODY_NONE;
}

/* What a read comes back with then. */
static ssize_t read_over(const struct fy_exchange *exchange, ferry_error *err)
{
    if (exchange->abandoned) {
        return fy_fail(err, FERRY_EABANDONED, 0,
                       "the body of %s was abandoned: nobody read from it for %lld ms, and ferry "
                       "closed it",
                       exchange->res->url, (long long)exchange->transport->set.abandoned_ms);
    }
    return 0;
}

/* What follows a 101 may be silent for as long as it likes. */
static bool has_read_timeout(const struct fy_exchange *exchange)
{
    return exchange->transport->set.body_read_timeout_ms >= 0 &&
           exchange->framing.kind != FY_BODY_TUNNEL;
}

/* Something of the body into buf or, where that is NULL, into a pipe, within the transport's limit on how
 * long nothing may come. */
static FY_SELDOM ssize_t take_in_time(struct fy_exchange *exchange, void *buf, int pipe, size_t len,
                                      ferry_error *err)
{
    struct fy_stream *stream = exchange->conn->stream;
    const int64_t ms = exchange->transport->set.body_read_timeout_ms;
    const int64_t own = stream->read_deadline;
    const int64_t deadline = fy_after_ms(ms);
    stream->read_deadline = deadline < own ? deadline : own;
    ssize_t got = buf != NULL ? fy_body_read_some(exchange, buf, len, true, err)
                              : move_some(exchange, pipe, len, err);
    stream->read_deadline = own;
    if (got == -1 && is_too_late(exchange, deadline, err)) {
        fy_fail(err, FERRY_ETIMEOUT, 0, "timeout of %lld ms exceeded while waiting for more of it",
                (long long)ms);
    }
    return got;
}

/* A read has come back: what follows from that. */
static ssize_t read_done(struct fy_exchange *exchange, ssize_t got, ferry_error *err)
{
    exchange->reading = false;
    if (got < 0) {
        if (exchange->res != NULL) {
            fy_error_prefix(err, "reading the body of %s", exchange->res->url);
        }
        fy_exchange_settle(exchange, FY_FATE_ERROR);
    } else if (at_end(exchange)) {
        fy_exchange_settle(exchange, FY_FATE_END);
    }
    return got;
}

static ssize_t body_read(void *self, void *buf, size_t len, ferry_error *err)
{
    struct fy_exchange *exchange = self;
    if (is_over(exchange)) {
        return read_over(exchange, err);
    }
    exchange->reading = true;
    ssize_t got = has_read_timeout(exchange) ? take_in_time(exchange, buf, -1, len, err)
                                             : fy_body_read_some(exchange, buf, len, true, err);
    return read_done(exchange, got, err);
}

static ssize_t body_read_within(void *self, void *buf, size_t len, int64_t ms, ferry_error *err)
{
    struct fy_exchange *exchange = self;
    if (is_over(exchange)) {
        return read_over(exchange, err);
    }
    struct fy_stream *stream = exchange->conn->stream;
    const int64_t own = stream->read_deadline;
    const int64_t deadline = fy_after_ms(ms);
    stream->read_deadline = deadline < own ? deadline : own;
    exchange->reading = true;
    ssize_t got = fy_body_read_some(exchange, buf, len, true, err);
    stream->read_deadline = own;
    if (got < 0 && is_too_late(exchange, deadline, err)) {
        exchange->reading = false;
        return FY_READ_LATER;
    }
    return read_done(exchange, got, err);
}

/* A connection that is closed before the body's fate is decided was closed on purpose: the request was
 * cancelled, or its time is over. */
static int body_check(void *self, ferry_error *err)
{
    struct fy_exchange *exchange = self;
    if (is_over(exchange)) {
        return (int)read_over(exchange, err);
    }
    if (!exchange->conn->is_closed) {
        return 0;
    }
    return (int)read_done(exchange, fail_read(exchange->conn, -ECANCELED, err), err);
}

static ssize_t body_move(void *self, int pipe, size_t len, ferry_error *err)
{
    struct fy_exchange *exchange = self;
    if (is_over(exchange)) {
        return read_over(exchange, err);
    }
    exchange->reading = true;
    ssize_t got = has_read_timeout(exchange) ? take_in_time(exchange, NULL, pipe, len, err)
                                             : move_some(exchange, pipe, len, err);
    if (got == FY_MOVE_NOT) {
        exchange->reading = false;
        return got;
    }
    return read_done(exchange, got, err);
}

/* Another task may close the response meanwhile, and then its name is gone. */
static ssize_t fail_body_write(struct fy_exchange *exchange, int negative_errno, ferry_error *err)
{
    (void)fy_persist_conn_fail_write(exchange->conn, negative_errno, err);
    if (exchange->res != NULL) {
        fy_error_prefix(err, "writing to %s", exchange->res->url);
    }
    return -1;
}

static ssize_t body_write(void *self, const void *buf, size_t len, ferry_error *err)
{
    struct fy_exchange *exchange = self;
    struct fy_persist_conn *conn = exchange->conn;
    struct iovec iov = {(void *)buf, len};
    int result = conn->is_closed ? -ECANCELED
                                 : fy_stream_write_all(conn->stream, &iov, 1,
                                                       "writing to an upgraded connection");
    return result == 0 ? (ssize_t)len : fail_body_write(exchange, result, err);
}

/* ------------------------------------------------------------------------------------ the close */

/* Whether reading on may save the connection: its length, where known, is within the limit. */
static bool worth_draining(const struct fy_exchange *exchange)
{
    int64_t limit = exchange->transport->set.drain_bytes;
    bool ends = exchange->framing.kind == FY_BODY_CHUNKED ||
                (exchange->framing.kind == FY_BODY_LENGTH && exchange->left <= limit);
    return limit >= 0 && ends && exchange->framing.keep_alive && !exchange->close_asked &&
           !exchange->transport->set.disable_keep_alives && !exchange->conn->is_closed;
}

/* Consumes what has arrived: the fate that follows. */
static enum fy_body_fate drain_arrived(struct fy_exchange *exchange)
{
    char scratch[4096];
    ferry_error err;
    while (exchange->drained <= exchange->transport->set.drain_bytes) {
        ssize_t got = fy_body_read_some(exchange, scratch, sizeof scratch, false, &err);
        if (got == FY_BODY_WOULD_PARK) {
            return FY_FATE_DRAIN;
        }
        if (got < 0) {
            return FY_FATE_ERROR;
        }
        exchange->drained += got;
        if (at_end(exchange)) {
            FY_COUNT(exchange->transport, drained);
            return FY_FATE_END;
        }
    }
    return FY_FATE_CLOSED;
}

/* Closed on another thread. The connection's own may be away for long: the monitor looks, too, unless
 * there is a function of the user's on the way. */
static void entrust(struct fy_exchange *exchange)
{
    fy_sched_poke(exchange->conn->sched);
    if (exchange->transport->pool.monitored && exchange->put_trace == NULL &&
        exchange->process == fy_fork_count()) {
        exchange->entrusted = true;
        fy_monitor_watch(1);
    }
}

static void body_close(void *self, bool may_park)
{
    struct fy_exchange *exchange = self;
    if (exchange->framing.kind != FY_BODY_NONE && exchange->fate == FY_FATE_NONE) {
        FY_COUNT(exchange->transport, early_closes);
        /* What another task is in the middle of reading cannot be read on. */
        bool drain = !exchange->reading && worth_draining(exchange);
        enum fy_body_fate fate = drain ? FY_FATE_DRAIN : FY_FATE_CLOSED;
        if (may_park && fate == FY_FATE_DRAIN) {
            fate = drain_arrived(exchange);
        }
        if (may_park && fate != FY_FATE_DRAIN) {
            fy_exchange_settle(exchange, fate);
        } else {
            fy_pool_set_drains(exchange->conn, fate == FY_FATE_DRAIN);
            fy_exchange_decide(exchange, fate);
            if (!may_park) {
                entrust(exchange);
            }
        }
    }
    exchange->res = NULL;
    if (exchange->process == fy_fork_count()) {
        FY_HOST_COUNT_DOWN(exchange->counts, open_responses);
    }
}

/* In the child of a fork. */
static void watch_no_more(const struct fy_ledger_entry *entry)
{
    fy_abandon_unwatch(entry->holder);
}

static void body_release(void *self)
{
    fy_exchange_release(self);
}

static const struct fy_body_ops ops = {.read = body_read,
                                       .read_within = body_read_within,
                                       .check = body_check,
                                       .move = body_move,
                                       .close = body_close,
                                       .release = body_release};
static const struct fy_body_ops tunnel_ops = {
    .read = body_read, .write = body_write, .close = body_close, .release = body_release};

static void release_tls(void *info)
{
    fy_tls_info_release(info);
}

void fy_body_attach(struct fy_exchange *exchange, ferry_response *res)
{
    fy_exchange_hold(exchange);
    exchange->res = res;
    exchange->left = exchange->framing.length;
    if (exchange->framing.kind == FY_BODY_CHUNKED) {
        exchange->left = 0;
    }
    res->ops = exchange->framing.kind == FY_BODY_TUNNEL ? &tunnel_ops : &ops;
    res->body = exchange;
    if (exchange->conn->tls != NULL) {
        res->tls_held = fy_tls_info_hold(exchange->conn->tls);
        res->tls_release = release_tls;
        res->tls = &exchange->conn->tls->shown;
    }
    res->entry.connection = exchange->conn->number;
    res->entry.held_memory = fy_held_memory;
    res->entry.holder = exchange;
    res->entry.on_inherited = watch_no_more;
    res->entry.holds_connection = exchange->framing.kind != FY_BODY_NONE;
    FY_HOST_COUNT(exchange->counts, open_responses);
}
