/*
 * The buffers between SSL and the stream below, and what moves bytes between them: only these
 * functions park. SSL sees the buffers as a BIO that never waits. Called by the handshake and the
 * stream.
 */
#include "base/fork.h"
#include "net/tls_internal.h"

#include <errno.h>
#include <string.h>

#include "base/slab.h"

/* Two records of the greatest length (RFC 8446 section 5.2): the first read of a response often
 * brings tickets, too. */
#define INPUT_SIZE ((size_t)2 * (5 + 16384 + 256))

/* Nothing that TLS makes is larger than a batch and a handshake's flight: a peer that makes SSL
 * answer again and again, and reads none of it, is made to wait. */
#define OUTPUT_LIMIT ((size_t)256 * 1024)

/* ------------------------------------------------------------------------- what SSL sees below */

static int bio_read(BIO *bio, char *buf, size_t len, size_t *got)
{
    struct fy_tls_stream *self = BIO_get_data(bio);
    size_t there = self->in.end - self->in.start;
    BIO_clear_retry_flags(bio);
    *got = len < there ? len : there;
    if (*got == 0) {
        if (!self->ended) {
            BIO_set_retry_read(bio);
        }
        return 0;
    }
    memcpy(buf, self->in.bytes + self->in.start, *got);
    self->in.start += *got;
    return 1;
}

/* What is to go at once and can: how much of it has gone. A failure is told to whoever flushes. */
static size_t write_straight(struct fy_tls_stream *self, const char *bytes, size_t len)
{
    if (!self->straight || self->out.len > 0 || self->flushing.taken || self->write_failed != 0) {
        return 0;
    }
    ssize_t written = self->below->ops->try_write(self->below, bytes, len);
    if (written < 0 && written != -EAGAIN) {
        self->write_failed = (int)written;
        return len;
    }
    return written > 0 ? (size_t)written : 0;
}

static int bio_write(BIO *bio, const char *bytes, size_t len, size_t *written)
{
    struct fy_tls_stream *self = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    *written = 0;
    if (self->out.len >= OUTPUT_LIMIT) {
        BIO_set_retry_write(bio);
        return 0;
    }
    size_t gone = write_straight(self, bytes, len);
    if (gone < len) {
        fy_buffer_append(&self->out, bytes + gone, len - gone);
    }
    *written = self->out.failed ? 0 : len;
    return !self->out.failed;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
    const struct fy_tls_stream *self = BIO_get_data(bio);
    (void)number;
    (void)pointer;
    switch (command) {
    case BIO_CTRL_FLUSH: return 1;
    case BIO_CTRL_EOF: return self->ended && self->in.start == self->in.end;
    default: return 0;
    }
}

static pthread_mutex_t bio_lock = PTHREAD_MUTEX_INITIALIZER;
FY_HELD_OVER_FORK(bio_lock)
static BIO_METHOD *bio_method; /* made once, for good; under the lock */
static int bio_type;           /* likewise; there are few of them in a process */

/* NULL: out of memory, this time. */
static const BIO_METHOD *the_bio_method(void)
{
    pthread_mutex_lock(&bio_lock);
    if (bio_type == 0) {
        bio_type = BIO_get_new_index() | BIO_TYPE_SOURCE_SINK;
    }
    if (bio_method == NULL) {
        bio_method = BIO_meth_new(bio_type, "ferry's buffers");
        if (bio_method != NULL) {
            BIO_meth_set_read_ex(bio_method, bio_read);
            BIO_meth_set_write_ex(bio_method, bio_write);
            BIO_meth_set_ctrl(bio_method, bio_ctrl);
        }
    }
    const BIO_METHOD *method = bio_method;
    pthread_mutex_unlock(&bio_lock);
    return method;
}

BIO *fy_tls_bio_new(struct fy_tls_stream *self)
{
    const BIO_METHOD *method = the_bio_method();
    BIO *bio = method != NULL ? BIO_new(method) : NULL;
    if (bio != NULL) {
        BIO_set_data(bio, self);
        BIO_set_init(bio, 1);
    }
    return bio;
}

/* -------------------------------------------------------------------------------------- turns */

/* Until whoever has the turn gives it back. 0 or -ETIMEDOUT. */
static int turn_wait(struct fy_tls_turn *turn, int64_t deadline, const char *why)
{
    struct fy_case over = FY_RECEIVE_FROM(&turn->over);
    return fy_select(&over, 1, deadline, why) == 0 ? 0 : -ETIMEDOUT;
}

static void turn_give(struct fy_tls_turn *turn)
{
    turn->taken = false;
    (void)fy_chan_try_send(&turn->over, NULL);
}

/* -------------------------------------------------------------------------------------- input */

FY_SLAB_STATIC(inputs, INPUT_SIZE, (size_t)512 * 1024)

void fy_tls_input_free(struct fy_tls_stream *self)
{
    fy_slab_give(&inputs, self->in.bytes);
    self->in.bytes = NULL;
}

static int input_room(struct fy_tls_stream *self)
{
    if (self->in.bytes == NULL) {
        self->in.bytes = fy_slab_take(&inputs);
    }
    return self->in.bytes != NULL ? 0 : -ENOMEM;
}

void fy_tls_input_rest(struct fy_tls_stream *self)
{
    if (self->in.start == self->in.end && (!self->filling.taken || self->rests)) {
        fy_tls_input_free(self);
    }
}

/* Enters what a read of below has returned. */
static int input_came(struct fy_tls_stream *self, ssize_t got)
{
    self->in.start = 0;
    self->in.end = got > 0 ? (size_t)got : 0;
    if (got == 0 || got == -FY_TRUNCATED) {
        self->ended = true; /* whether it was cut off is for our own close_notify to say */
        return 0;
    }
    return got < 0 ? (int)got : 0;
}

int fy_tls_fill(struct fy_tls_stream *self, int64_t deadline, const char *why)
{
    struct fy_stream *below = self->below;
    if (self->filling.taken) {
        return turn_wait(&self->filling, deadline, why);
    }
    self->filling.taken = true;
    below->read_deadline = deadline;
    int failed = input_room(self);
    if (failed == 0) {
        failed = input_came(self, below->ops->read(below, self->in.bytes, INPUT_SIZE, why));
    }
    turn_give(&self->filling);
    return failed;
}

/* After a rest. What made below readable may have been read by a look meanwhile, or be nothing: then
 * there is no news yet, and the caller asks SSL again. */
static int fill_from_rest(struct fy_tls_stream *self, const char *why)
{
    struct fy_stream *below = self->below;
    if (self->in.start != self->in.end || self->ended) {
        return 0;
    }
    int failed = input_room(self);
    if (failed != 0) {
        return failed;
    }
    ssize_t got = below->ops->try_read != NULL
                      ? below->ops->try_read(below, self->in.bytes, INPUT_SIZE)
                      : below->ops->read(below, self->in.bytes, INPUT_SIZE, why);
    return got == -EAGAIN ? 0 : input_came(self, got);
}

int fy_tls_fill_at_rest(struct fy_tls_stream *self, int64_t deadline, const char *why)
{
    struct fy_stream *below = self->below;
    if (!self->rests) {
        if (self->filling.taken) {
            return turn_wait(&self->filling, deadline, why);
        }
        fy_tls_input_rest(self);
        self->filling.taken = true;
        self->rests = true;
        below->read_deadline = deadline;
        fy_tls_buffers_rest(self);
    }
    int failed = below->ops->rest_readable(below, why);
    if (failed == -EAGAIN) {
        return -EAGAIN;
    }
    self->rests = false;
    if (failed == 0) {
        failed = fill_from_rest(self, why);
    }
    turn_give(&self->filling);
    return failed;
}

int fy_tls_try_fill(struct fy_tls_stream *self)
{
    struct fy_stream *below = self->below;
    if ((self->filling.taken && !self->rests) || !below->ops->has_input(below)) {
        return -EAGAIN;
    }
    int failed = input_room(self);
    if (failed != 0) {
        return failed;
    }
    ssize_t got = below->ops->try_read(below, self->in.bytes, INPUT_SIZE);
    return got == -EAGAIN ? -EAGAIN : input_came(self, got);
}

/* ------------------------------------------------------------------------------------- output */

int fy_tls_flush(struct fy_tls_stream *self, const char *why)
{
    struct fy_stream *below = self->below;
    while (self->write_failed == 0 && (self->out.len > 0 || self->flushing.taken)) {
        int64_t deadline = self->stream.write_deadline;
        int failed;
        if (self->flushing.taken) {
            failed = turn_wait(&self->flushing, deadline, why);
            if (failed != 0) {
                return failed;
            }
            continue;
        }
        /* Taken away, because SSL may write more while this parks. */
        self->flushing.taken = true;
        self->sending = self->out;
        self->out = (struct fy_buffer){0};
        struct iovec iov = {.iov_base = self->sending.bytes, .iov_len = self->sending.len};
        below->write_deadline = deadline;
        failed = fy_stream_write_all(below, &iov, 1, why);
        self->cut_off = failed != 0 && iov.iov_len < self->sending.len;
        fy_buffer_free(&self->sending);
        self->write_failed = failed; /* half a record may have gone: nothing can follow it */
        turn_give(&self->flushing);
    }
    return self->write_failed;
}

void fy_tls_try_flush(struct fy_tls_stream *self)
{
    struct fy_stream *below = self->below;
    if (self->flushing.taken || self->write_failed != 0 || self->out.len == 0 ||
        below->ops->try_write == NULL) {
        return;
    }
    ssize_t written = below->ops->try_write(below, self->out.bytes, self->out.len);
    if (written == (ssize_t)self->out.len) {
        fy_buffer_free(&self->out);
    } else if (written > 0) {
        self->out.len -= (size_t)written;
        memmove(self->out.bytes, self->out.bytes + written, self->out.len);
    } else if (written < 0 && written != -EAGAIN) {
        self->write_failed = (int)written;
    }
}
