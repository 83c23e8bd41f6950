/*
 * What may be asked of a request by whoever is handed one to bring the response to: a round tripper
 * that is no transport. Its body, as it would be sent; and the time that it has. On the request's
 * own task, outside the scheduler's lock.
 */
#include <string.h>
#include <unistd.h>

#include "base/errno.h"
#include "base/error.h"
#include "http/request.h"
#include "task/clock.h"
#include "task/context.h"
#include "task/sched.h"

/* ------------------------------------------------------------------------------------- the body */

FERRY_API int64_t ferry_request_body_length(const ferry_request *req)
{
    return req == NULL || req->body.kind == FY_REQUEST_NO_BODY ? 0 : req->body.len;
}

/* The first read since the round trip began: a reader that has been read before begins again. */
static int begin(ferry_request *req, ferry_error *err)
{
    if (req->handed_begun) {
        return 0;
    }
    if (req->body.kind == FY_REQUEST_READER && req->body_read) {
        if (req->body.rewind == NULL) {
            return fy_fail(err, FERRY_EBODY, 0,
                           "the request's body has been read and cannot be rewound");
        }
        if (req->body.rewind(req->body.arg) != 0) {
            return fy_fail(err, FERRY_EBODY, 0, "rewinding the request's body failed");
        }
        req->body_read = false;
    }
    req->handed_begun = true;
    req->handed_at = 0;
    return 0;
}

static ssize_t read_file(ferry_request *req, void *buf, size_t len, ferry_error *err)
{
    ssize_t got;
    do {
        got = pread(req->body.fd, buf, len, req->body.offset + req->handed_at);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        return fy_fail(err, FERRY_EBODY, errno, "reading the request's body: %s",
                       fy_errno_text(errno));
    }
    if (got == 0) {
        return fy_fail(err, FERRY_EBODY, 0, "the request's body: the file ended %lld bytes early",
                       (long long)(req->body.len - req->handed_at));
    }
    return got;
}

static ssize_t read_reader(ferry_request *req, void *buf, size_t len, ferry_error *err)
{
    req->body_read = true;
    errno = 0;
    ssize_t got = req->body.read(req->body.arg, buf, len);
    int cause = errno;
    if (got < 0 && req->body.failure != NULL) {
        *err = *req->body.failure(req->body.arg);
        fy_error_prefix(err, "reading the request's body");
        return -1;
    }
    if (got < 0) {
        return fy_fail(err, FERRY_EBODY, cause, "reading the request's body: %s",
                       cause != 0 ? fy_errno_text(cause) : "its reader reported an error");
    }
    if ((size_t)got > len) {
        return fy_fail(
            err, FERRY_EBODY, 0,
            "reading the request's body: its reader claims more bytes than there was room for");
    }
    if (got == 0 && req->body.len >= 0) {
        return fy_fail(err, FERRY_EBODY, 0,
                       "the request's body ended after %lld bytes of the %lld announced",
                       (long long)req->handed_at, (long long)req->body.len);
    }
    return got;
}

FERRY_API ssize_t ferry_request_read_body(ferry_request *req, void *buf, size_t len,
                                          ferry_error *err)
{
    err = FY_ERROR(err);
    if (req == NULL || (buf == NULL && len > 0)) {
        return fy_fail_null(err, req == NULL ? "a request" : "a buffer");
    }
    if (req->body.kind == FY_REQUEST_NO_BODY || len == 0) {
        return 0;
    }
    if (begin(req, err) != 0) {
        return -1;
    }
    if (req->body.len >= 0) {
        int64_t left = req->body.len - req->handed_at;
        if (left == 0) {
            return 0;
        }
        len = (uint64_t)left < len ? (size_t)left : len;
    }
    ssize_t got = (ssize_t)len;
    switch (req->body.kind) {
    case FY_REQUEST_MEMORY: memcpy(buf, (const char *)req->body.data + req->handed_at, len); break;
    case FY_REQUEST_FILE: got = read_file(req, buf, len, err); break;
    default: got = read_reader(req, buf, len, err); break;
    }
    req->handed_at += got > 0 ? got : 0;
    return got;
}

/* ------------------------------------------------------------------------------------- the time */

/* The nearest of the send's deadline and its context's, and whose it is. */
static int64_t nearest(const ferry_request *req)
{
    int64_t deadline = req->send.deadline_of != NULL ? req->send.deadline : FY_NEVER;
    int64_t context = fy_context_deadline(req->context);
    return context < deadline ? context : deadline;
}

FERRY_API int64_t ferry_request_time_left(const ferry_request *req)
{
    if (req == NULL) {
        return -1;
    }
    int64_t deadline = nearest(req);
    int64_t now = fy_now();
    if (ferry_context_error(req->context) != 0 || deadline <= now) {
        return 0;
    }
    return deadline == FY_NEVER ? -1 : (deadline - now + FY_MILLISECOND - 1) / FY_MILLISECOND;
}

int fy_request_sleep(ferry_request *req, int64_t ms, const char *why, ferry_error *err)
{
    if (fy_enter() == NULL) {
        return fy_fail_memory(err);
    }
    const struct fy_send *send = &req->send;
    struct fy_cancel cancel;
    fy_cancel_begin(&cancel, req->context, send->deadline_of != NULL ? send->deadline : FY_NEVER,
                    send->deadline_of);
    if (cancel.deadline <= fy_now()) {
        fy_cancel_now(&cancel, FERRY_ETIMEOUT); /* its timer has not been looked at yet */
    }
    struct fy_case ended[] = {FY_RECEIVE_FROM(&cancel.done)};
    int result = 0;
    if (fy_select(ended, 1, fy_after_ms(ms), why) == 0) {
        fy_cancel_error(&cancel, err);
        result = -1;
    }
    fy_cancel_end(&cancel);
    fy_leave();
    return result;
}

FERRY_API int ferry_request_sleep(ferry_request *req, int64_t ms, ferry_error *err)
{
    err = FY_ERROR(err);
    return req != NULL ? fy_request_sleep(req, ms, "a round tripper's sleep", err)
                       : fy_fail_null(err, "a request");
}
