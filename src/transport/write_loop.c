/*
 * The write loop: one task a connection, which writes one request after the other and reports what
 * came of each. A small request in memory goes out in one write, head and body together.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/errno.h"
#include "base/error.h"
#include "base/seldom.h"
#include "http/chunk.h"
#include "http/decode.h"
#include "http/request.h"
#include "http/trailer.h"
#include "transport/persist_conn.h"
#include "transport/trace.h"

/* What a body is read into, on its way from a reader (or a file that cannot be sent by the kernel). */
#define BODY_BUFFER ((size_t)32 * 1024)

/* A head of up to so many bytes is made on the loop's stack. */
#define USUAL_HEAD 1024

/* One request on its way out. */
struct writing {
    struct fy_persist_conn *conn;
    struct fy_exchange *exchange;
    ferry_request *req;
    ferry_error *err;
};

/* ----------------------------------------------------------------------------- to the stream */

static FY_SELDOM int fail_write(struct writing *w, int negative_errno)
{
    return fy_persist_conn_fail_write(w->conn, negative_errno, w->err);
}

/* Writes it all. */
static int write_out(struct writing *w, struct iovec *iov, int count)
{
    struct fy_stream *stream = w->conn->stream;
    while (count > 0) {
        ssize_t written = stream->ops->writev(stream, iov, count, "writing the request");
        if (written < 0) {
            return fail_write(w, (int)written);
        }
        w->conn->bytes_written += (uint64_t)written;
        while (count > 0 && (size_t)written >= iov->iov_len) {
            written -= (ssize_t)iov->iov_len;
            iov++;
            count--;
        }
        if (count > 0) {
            iov->iov_base = (char *)iov->iov_base + written;
            iov->iov_len -= (size_t)written;
        }
    }
    return 0;
}

/* -------------------------------------------------------------------------- bodies of each kind */

/* Calls the user's reader, outside the lock. Meanwhile the connection may be closed, and nobody
 * waits for a loop that is in a user's function. */
static ssize_t call_reader(struct writing *w, char *buffer, size_t len)
{
    struct fy_request_body *body = &w->req->body;
    w->req->body_read = true;
    w->conn->in_user_function = true;
    fy_leave();
    errno = 0;
    ssize_t got = body->read(body->arg, buffer, len);
    int cause = errno;
    (void)fy_enter();
    w->conn->in_user_function = false;
    if (w->conn->is_closed) {
        *w->err = *w->conn->why;
        return -1;
    }
    if (got < 0 && body->failure != NULL) {
        *w->err = *body->failure(body->arg);
        fy_error_prefix(w->err, "reading the request's body");
        return -1;
    }
    if (got < 0) {
        return fy_fail(w->err, FERRY_EBODY, cause, "reading the request's body: %s",
                       cause != 0 ? fy_errno_text(cause) : "its reader reported an error");
    }
    if ((size_t)got > len) {
        return fy_fail(
            w->err, FERRY_EBODY, 0,
            "reading the request's body: its reader claims more bytes than there was room for");
    }
    return got;
}

/* A piece of the body, which is a chunk of its own where there are chunks. */
static int write_piece(struct writing *w, char *bytes, size_t len)
{
    bool chunked = fy_request_chunked(w->req);
    char head[FY_CHUNK_HEAD_MAX];
    struct iovec iov[3] = {{head, 0}, {bytes, len}, {(char *)"\r\n", chunked ? 2 : 0}};
    if (chunked) {
        iov[0].iov_len = fy_chunk_head(head, len);
    }
    return write_out(w, iov, 3);
}

/* The end of a body in chunks: the last chunk and the trailers, of which the reader may have set
 * one that cannot be sent. */
static int append_last_chunk(struct writing *w, struct fy_buffer *out)
{
    const ferry_error *refused = &w->req->refused;
    if (refused->code != 0) {
        int code = refused->code == FERRY_ENOMEM ? FERRY_ENOMEM : FERRY_EBODY;
        return fy_fail(w->err, code, 0, "%s", refused->message);
    }
    fy_request_trailer_write(w->req->trailer, out);
    return out->failed ? fy_fail_memory(w->err) : 0;
}

static int write_last_chunk(struct writing *w)
{
    struct fy_buffer end = {0};
    int result = append_last_chunk(w, &end);
    if (result == 0) {
        struct iovec iov = {end.bytes, end.len};
        result = write_out(w, &iov, 1);
    }
    fy_buffer_free(&end);
    return result;
}

static int write_reader_sized(struct writing *w, char *buffer)
{
    int64_t left = w->req->body.len;
    while (left > 0) {
        ssize_t got =
            call_reader(w, buffer, (uint64_t)left < BODY_BUFFER ? (size_t)left : BODY_BUFFER);
        if (got < 0) {
            return -1;
        }
        if (got == 0) {
            return fy_fail(w->err, FERRY_EBODY, 0,
                           "the request's body ended after %lld bytes of the %lld announced",
                           (long long)(w->req->body.len - left), (long long)w->req->body.len);
        }
        if (write_piece(w, buffer, (size_t)got) != 0) {
            return -1;
        }
        left -= got;
    }
    return fy_request_chunked(w->req) ? write_last_chunk(w) : 0;
}

/* Each piece goes out at once, as it comes: the reader may be one half of a conversation. */
static int write_reader_unsized(struct writing *w, char *buffer)
{
    ssize_t got;
    while ((got = call_reader(w, buffer, BODY_BUFFER)) > 0) {
        if (write_piece(w, buffer, (size_t)got) != 0) {
            return -1;
        }
    }
    if (got < 0) {
        return -1;
    }
    return fy_request_chunked(w->req) ? write_last_chunk(w) : 0;
}

static int write_reader(struct writing *w)
{
    char *buffer = malloc(BODY_BUFFER);
    if (buffer == NULL) {
        return fy_fail_memory(w->err);
    }
    w->exchange->body_buffer = buffer; /* where it is found if the reader does not come back */
    int result =
        w->req->body.len >= 0 ? write_reader_sized(w, buffer) : write_reader_unsized(w, buffer);
    w->exchange->body_buffer = NULL;
    free(buffer);
    return result;
}

/* The part of a file that the kernel would not send. */
static int write_file_by_copy(struct writing *w, int64_t offset, int64_t left)
{
    char *buffer = malloc(BODY_BUFFER);
    if (buffer == NULL) {
        return fy_fail_memory(w->err);
    }
    int result = 0;
    while (left > 0 && result == 0) {
        size_t wanted = (uint64_t)left < BODY_BUFFER ? (size_t)left : BODY_BUFFER;
        ssize_t got = pread(w->req->body.fd, buffer, wanted, offset);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            int cause = errno;
            result = fy_fail(w->err, FERRY_EBODY, cause, "reading the request's body: %s",
                             fy_errno_text(cause));
        } else if (got == 0) {
            result =
                fy_fail(w->err, FERRY_EBODY, 0,
                        "the request's body: the file ended %lld bytes early", (long long)left);
        } else {
            struct iovec iov = {buffer, (size_t)got};
            result = write_out(w, &iov, 1);
            offset += got;
            left -= got;
        }
    }
    free(buffer);
    return result;
}

/* At most this much at a time, and between two of them others have a turn: a peer may take it as fast
 * as it comes. It is what a socket's buffer has room for at best; less would only be more calls. */
#define SEND_FILE_AT_ONCE ((int64_t)4 << 20)

static int write_file(struct writing *w)
{
    struct fy_stream *stream = w->conn->stream;
    int64_t offset = w->req->body.offset;
    int64_t left = w->req->body.len;
    while (left > 0) {
        size_t wanted = (size_t)(left < SEND_FILE_AT_ONCE ? left : SEND_FILE_AT_ONCE);
        ssize_t sent = stream->ops->send_file == NULL
                           ? -ENOSYS
                           : stream->ops->send_file(stream, w->req->body.fd, offset, wanted,
                                                    "sending a file as the request's body");
        if (sent == -ENOSYS || sent == -EINVAL || sent == -EBADF || sent == -EIO) {
            /* Where the fault is the file's, reading it tells that it is. */
            return write_file_by_copy(w, offset, left);
        }
        if (sent < 0) {
            return fail_write(w, (int)sent);
        }
        if (sent == 0) {
            return fy_fail(w->err, FERRY_EBODY, 0,
                           "the request's body: the file ended %lld bytes early", (long long)left);
        }
        w->conn->bytes_written += (uint64_t)sent;
        offset += sent;
        left -= sent;
        if (sent == SEND_FILE_AT_ONCE) {
            fy_yield();
        }
    }
    return 0;
}

/* What stands around a body whose length is known when trailers follow it, and make it one chunk. */
static int frame_whole(struct writing *w, struct fy_buffer *before, struct fy_buffer *after)
{
    const struct fy_request_body *body = &w->req->body;
    if (body->kind != FY_REQUEST_NO_BODY) {
        char line[FY_CHUNK_HEAD_MAX];
        fy_buffer_append(before, line, fy_chunk_head(line, (uint64_t)body->len));
        fy_buffer_append_text(after, "\r\n");
    }
    if (append_last_chunk(w, after) != 0) {
        return -1;
    }
    return before->failed ? fy_fail_memory(w->err) : 0;
}

/* The bytes of a body in memory; none where there is no body. */
static struct iovec in_memory(const struct fy_request_body *body)
{
    return body->kind == FY_REQUEST_MEMORY ? (struct iovec){(void *)body->data, (size_t)body->len}
                                           : (struct iovec){0};
}

static FY_SELDOM int write_memory_framed(struct writing *w, struct fy_buffer *before)
{
    struct fy_buffer after = {0};
    int result = frame_whole(w, before, &after);
    if (result == 0) {
        struct iovec iov[3] = {
            {before->bytes, before->len}, in_memory(&w->req->body), {after.bytes, after.len}};
        result = write_out(w, iov, 3);
    }
    fy_buffer_free(&after);
    return result;
}

/* A body in memory, or none, behind what is to go out before it: all in one write. */
static int write_memory(struct writing *w, struct fy_buffer *before)
{
    if (fy_request_chunked(w->req)) {
        return write_memory_framed(w, before);
    }
    struct iovec iov[2] = {{before->bytes, before->len}, in_memory(&w->req->body)};
    return write_out(w, iov, iov[1].iov_len > 0 ? 2 : 1);
}

static int write_file_framed(struct writing *w)
{
    struct fy_buffer before = {0};
    struct fy_buffer after = {0};
    int result = fy_request_chunked(w->req) ? frame_whole(w, &before, &after) : 0;
    if (result == 0 && before.len > 0) {
        struct iovec iov = {before.bytes, before.len};
        result = write_out(w, &iov, 1);
    }
    if (result == 0) {
        result = write_file(w);
    }
    if (result == 0 && after.len > 0) {
        struct iovec iov = {after.bytes, after.len};
        result = write_out(w, &iov, 1);
    }
    fy_buffer_free(&before);
    fy_buffer_free(&after);
    return result;
}

static int write_body(struct writing *w)
{
    struct fy_buffer nothing = {0};
    int result;
    switch (w->req->body.kind) {
    case FY_REQUEST_READER: return write_reader(w);
    case FY_REQUEST_FILE: return write_file_framed(w);
    default:
        result = write_memory(w, &nothing);
        fy_buffer_free(&nothing);
        return result;
    }
}

/* --------------------------------------------------------------------------------- the request */

/* Waits for the server's word on whether it wants the body (RFC 9110 section 10.1.1). A server that
 * says nothing gets the body after a while: it may not know of the expectation. */
static bool body_is_wanted(struct writing *w)
{
    struct fy_case cases[] = {
        FY_RECEIVE_FROM(&w->exchange->go_on),
        FY_RECEIVE_FROM(&w->conn->closed),
    };
    FY_TRACE_PLAIN(w->req, wait_100_continue);
    int64_t deadline = fy_after_ms(w->conn->transport->set.expect_continue_timeout_ms);
    switch (fy_select(cases, 2, deadline, "waiting for 100 Continue")) {
    case 0: return cases[0].value != NULL;
    default: return true; /* also when the connection has closed: the caller looks */
    }
}

/* A body in memory goes with the head, unless the server is to be asked first. */
static int write_head(struct writing *w, struct fy_buffer *head, bool *with_body)
{
    enum fy_request_body_kind kind = w->req->body.kind;
    size_t head_len = head->len; /* a chunk line may come to stand behind it */
    struct iovec iov = {head->bytes, head_len};
    *with_body =
        kind == FY_REQUEST_NO_BODY || (kind == FY_REQUEST_MEMORY && !w->exchange->expects_continue);
    if ((*with_body ? write_memory(w, head) : write_out(w, &iov, 1)) != 0) {
        return -1;
    }
    FY_TRACE(w->req, wrote_head_text, head->bytes, head_len);
    FY_TRACE_PLAIN(w->req, wrote_head);
    return 0;
}

/* A head in absolute form, with what a proxy gets besides. */
static FY_SELDOM int make_head_for_proxy(struct writing *w, struct fy_head_options *options,
                                         struct fy_buffer *head)
{
    const struct fy_route *route = &w->conn->route;
    struct fy_buffer credentials = {0};
    options->absolute = true;
    options->proxy_fields = &w->conn->transport->proxies.fields;
    int failed = fy_route_authorize(route, w->conn->transport, w->req, &credentials, w->err);
    if (failed == 0 && credentials.len > 0) {
        fy_buffer_append_byte(&credentials, '\0');
        options->proxy_authorization = credentials.bytes;
        failed = credentials.failed ? fy_fail_memory(w->err) : 0;
    }
    if (failed == 0) {
        failed = fy_request_write_head(w->req, options, head, w->err);
    }
    fy_buffer_free(&credentials);
    return failed;
}

static int make_head(struct writing *w, struct fy_buffer *head)
{
    struct fy_head_options options = {
        .user_agent = w->req->send.user_agent != NULL ? w->req->send.user_agent : FY_USER_AGENT,
        .close = w->exchange->close_asked,
        .accept_encoding = w->exchange->decodes ? fy_coding_names() : NULL,
    };
    return w->conn->route.absolute ? make_head_for_proxy(w, &options, head)
                                   : fy_request_write_head(w->req, &options, head, w->err);
}

static enum fy_write_state write_request(struct writing *w, struct fy_buffer *head)
{
    bool with_body;
    if (make_head(w, head) != 0 || write_head(w, head, &with_body) != 0) {
        return FY_WRITE_FAILED;
    }
    if (with_body) {
        return FY_WRITE_WHOLE;
    }
    if (w->exchange->expects_continue && !body_is_wanted(w)) {
        return FY_WRITE_PARTIAL;
    }
    if (w->conn->is_closed) {
        /* Before the body is read: its reader may never have to be rewound. */
        (void)fail_write(w, -ECANCELED);
        return FY_WRITE_FAILED;
    }
    return write_body(w) == 0 ? FY_WRITE_WHOLE : FY_WRITE_FAILED;
}

/* Writes one request and reports it: false when the connection is of no more use for writing. */
static bool serve(struct fy_persist_conn *conn, struct fy_exchange *exchange)
{
    struct writing w = {
        .conn = conn, .exchange = exchange, .req = exchange->req, .err = &exchange->write_error};
    char usual[USUAL_HEAD];
    struct fy_buffer head = FY_BUFFER_IN(usual);
    uint64_t before = conn->bytes_written;
    enum fy_write_state state = write_request(&w, &head);
    fy_buffer_free(&head);
    exchange->nothing_written = state == FY_WRITE_FAILED && conn->bytes_written == before;
    FY_TRACE(w.req, wrote_request, state == FY_WRITE_FAILED ? w.err : NULL);
    if (exchange->trip_over) {
        conn->in_user_function = true;
        exchange->body_told = true;
        fy_exchange_body_done(exchange->req);
        conn->in_user_function = false;
        fy_list_remove(&exchange->leftover.link);
    }
    /* From here on the request is its caller's again. */
    exchange->write_state = state;
    w.req->writing = NULL;
    fy_chan_close(&exchange->written);
    if (state == FY_WRITE_FAILED) {
        fy_chan_close(&exchange->write_failed);
    }
    return state == FY_WRITE_WHOLE;
}

enum fy_turn fy_write_loop(void *arg)
{
    struct fy_persist_conn *conn = arg;
    struct fy_case *cases = conn->to_write_cases;
    int chosen;
    bool alive = true;
    while (alive && (chosen = fy_select_rest(cases, 2, "waiting for a request to write")) != 1) {
        if (chosen == FY_SELECT_RESTS) {
            return FY_TURN_REST;
        }
        struct fy_exchange *exchange = cases[0].value;
        conn->being_written = exchange;
        alive = serve(conn, exchange);
        conn->being_written = NULL;
        fy_exchange_release(exchange);
    }
    conn->write_loop_over = true;
    conn->write_task = NULL;
    fy_persist_conn_loop_over(conn);
    fy_persist_conn_release(conn);
    return FY_TURN_OVER;
}
