/*
 * What moves bytes between SSL and the stream below. SSL sees that as a BIO that never waits: it reads
 * what has come straight from below into its own buffer, and what it writes that cannot go at once stays
 * in a buffer here. Of all this only waits and flushes park. Called by the handshake and the stream.
 */
#include "base/fork.h"
#include "net/tls_internal.h"

#include <string.h>

#include "base/errno.h"

/* Nothing that TLS makes is larger than a batch and a handshake's flight: a peer that makes SSL
 * answer again and again, and reads none of it, is made to wait. */
#define OUTPUT_LIMIT ((size_t)256 * 1024)

/* ------------------------------------------------------------------------- what SSL sees below */

/* Below is left to whoever is parked in it. But one who rests there finds out by itself that what it
 * was woken for is gone. */
static bool is_free(const struct fy_tls_stream *self)
{
    return !self->waiting.taken || self->rests;
}

static int bio_read(BIO *bio, char *buf, size_t len, size_t *got)
{
    struct fy_tls_stream *self = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    *got = 0;
    if (self->ended) {
        return 0;
    }
    ssize_t came = -EAGAIN;
    if (!self->dry && is_free(self) && self->below_failed == 0 && self->reads_left > 0) {
        self->reads_left--;
        came = self->below->ops->try_read(self->below, buf, len);
    }
    if (came > 0) {
        *got = (size_t)came;
        return 1;
    }
    if (came == 0 || came == -FY_TRUNCATED) {
        self->ended = true; /* whether it was cut off is for our own close_notify to say */
        return 0;
    }
    if (came != -EAGAIN) {
        self->below_failed = (int)came;
    }
    BIO_set_retry_read(bio);
    return 0;
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
    if (fy_tls_output_full(self)) {
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
    case BIO_CTRL_EOF: return self->ended;
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
        bio_method = BIO_meth_new(bio_type, "ferry's streams");
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

int fy_tls_wait(struct fy_tls_stream *self, int64_t deadline, const char *why)
{
    struct fy_stream *below = self->below;
    if (self->below_failed != 0) {
        return self->below_failed;
    }
    if (self->waiting.taken) {
        return turn_wait(&self->waiting, deadline, why);
    }
    self->waiting.taken = true;
    below->read_deadline = deadline;
    int failed = below->ops->wait_readable(below, why);
    if (failed == 0) {
        self->dry = false;
    }
    turn_give(&self->waiting);
    return failed;
}

int fy_tls_rest(struct fy_tls_stream *self, int64_t deadline, const char *why)
{
    struct fy_stream *below = self->below;
    if (!self->rests) {
        if (self->waiting.taken) {
            return turn_wait(&self->waiting, deadline, why);
        }
        self->waiting.taken = true;
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
        self->dry = false;
    }
    turn_give(&self->waiting);
    return failed;
}

void fy_tls_look(struct fy_tls_stream *self)
{
    if (self->dry && is_free(self) && self->below->ops->has_input(self->below)) {
        self->dry = false;
    }
}

/* ------------------------------------------------------------------------------------- output */

bool fy_tls_output_full(const struct fy_tls_stream *self)
{
    return self->out.len >= OUTPUT_LIMIT;
}

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
    if (self->flushing.taken || self->write_failed != 0 || self->out.len == 0) {
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
