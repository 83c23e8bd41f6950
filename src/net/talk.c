/*
 * Talking to a proxy.
 */
#include "net/talk.h"

#include "base/errno.h"
#include "base/error.h"
#include "task/clock.h"

int fy_talk_begin(struct fy_talk *talk, struct fy_stream *stream, int64_t deadline,
                  struct fy_chan *canceled, ferry_error *err)
{
    *talk = (struct fy_talk){.stream = stream, .err = err};
    if (fy_canceler_begin(&talk->canceler, canceled, stream) != 0) {
        return fy_fail_memory(err);
    }
    stream->read_deadline = deadline;
    stream->write_deadline = deadline;
    return 0;
}

int fy_talk_end(struct fy_talk *talk, int result)
{
    fy_canceler_end(&talk->canceler);
    talk->stream->read_deadline = FY_NEVER;
    talk->stream->write_deadline = FY_NEVER;
    if (talk->canceler.fired) {
        return fy_fail(talk->err, FERRY_ECANCELED, 0, "canceled"); /* the stream is closed */
    }
    return result;
}

static int fail(struct fy_talk *talk, int error, const char *doing)
{
    const struct fy_stream_ops *ops = talk->stream->ops;
    const char *more = ops->failure != NULL ? ops->failure(talk->stream) : NULL;
    switch (error) {
    case ETIMEDOUT: return fy_fail(talk->err, FERRY_ETIMEOUT, 0, "timeout while %s", doing);
    case ECANCELED: return fy_fail(talk->err, FERRY_ECANCELED, 0, "canceled");
    case ENOMEM: return fy_fail(talk->err, FERRY_ENOMEM, ENOMEM, "out of memory");
    case FY_TRUNCATED:
        return fy_fail(talk->err, FERRY_EPROXY, 0, "it closed the connection instead of answering");
    default:
        return fy_fail(talk->err, FERRY_EPROXY, error, "%s: %s", doing,
                       more != NULL ? more : fy_errno_text(error));
    }
}

int fy_talk_say(struct fy_talk *talk, const void *bytes, size_t len)
{
    struct iovec iov = {(void *)bytes, len};
    int failed = fy_stream_write_all(talk->stream, &iov, 1, "talking to a proxy");
    return failed == 0 ? 0 : fail(talk, -failed, "asking it");
}

ssize_t fy_talk_hear(struct fy_talk *talk, void *buf, size_t len)
{
    ssize_t got = talk->stream->ops->read(talk->stream, buf, len, "waiting for a proxy's answer");
    return got > 0 ? got
                   : fail(talk, got == 0 ? FY_TRUNCATED : (int)-got, "waiting for its answer");
}
