/*
 * The TLS stream: what the dial's handshake leaves, and transports read and write. Each call asks
 * SSL, waits or flushes (tls_pump.c) where it wants that, and asks again. What must hold: between a
 * call of SSL's and the look at its error queue nothing parks, for the queue is the thread's.
 */
#include "net/tls_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/errno.h"
#include "base/error.h"
#include "task/clock.h"
#include "task/sched.h"

/* As much goes into one record, and as much is encrypted before it is written. */
#define RECORD_SIZE ((size_t)16384)
#define BATCH_SIZE (4 * RECORD_SIZE)

/* A task whose peer never keeps it waiting lets others have a turn after so many calls. */
#define CALLS_PER_YIELD 64

/* Beside -errno, from decrypt(). */
#define NEEDS_INPUT (-EAGAIN)
#define NEEDS_FLUSH (-EINPROGRESS)

static struct fy_tls_stream *of(struct fy_stream *stream)
{
    return FY_CONTAINER(stream, struct fy_tls_stream, stream);
}

/* ------------------------------------------------------------------------------------ reading */

int fy_tls_failed(struct fy_tls_stream *self)
{
    if (self->out.failed || self->lacked_memory) {
        errno = ENOMEM; /* whatever SSL has made of it */
    }
    if (self->failure.code == 0) {
        fy_tls_reason(&self->failure);
    }
    ERR_clear_error();
    return self->failure.code == FERRY_ENOMEM ? -ENOMEM : -EPROTO;
}

/* What is there already: bytes, 0 after close_notify, NEEDS_INPUT, NEEDS_FLUSH, or -errno for
 * good. */
static ssize_t decrypt(struct fy_tls_stream *self, void *buf, size_t len, bool take)
{
    size_t got;
    if (self->closed) {
        return -ECANCELED;
    }
    if (self->read_failed != 0) {
        return self->read_failed;
    }
    if (self->dry) {
        return NEEDS_INPUT; /* what asking SSL would come to, for thousands of instructions */
    }
    fy_tls_begin_reading(self);
    int done =
        take ? SSL_read_ex(self->ssl, buf, len, &got) : SSL_peek_ex(self->ssl, buf, len, &got);
    if (done) {
        self->dry = take && !SSL_has_pending(self->ssl);
        if (self->dry) {
            fy_tls_buffers_unused(self);
        }
        return (ssize_t)got;
    }
    switch (SSL_get_error(self->ssl, 0)) {
    case SSL_ERROR_ZERO_RETURN: return 0;
    case SSL_ERROR_WANT_READ:
        self->dry = self->below_failed == 0;
        return self->dry ? NEEDS_INPUT : self->below_failed;
    case SSL_ERROR_WANT_WRITE: return NEEDS_FLUSH;
    }
    if (self->ended) {
        ERR_clear_error();
        self->read_failed = -FY_TRUNCATED;
    } else {
        self->read_failed = fy_tls_failed(self);
    }
    return self->read_failed;
}

/* The same with what has come since SSL was asked last. */
static ssize_t decrypt_news(struct fy_tls_stream *self, void *buf, size_t len, bool take)
{
    fy_tls_look(self);
    return decrypt(self, buf, len, take);
}

/* Before each try: a deadline counts even if there is something to read. */
static bool too_late(int64_t deadline)
{
    return deadline != FY_NEVER && fy_now() >= deadline;
}

/* Reading makes SSL answer some messages (by an alert that refuses another handshake, for one). The
 * server may be waiting for that, so it goes before more is waited for; but if it does not go at
 * once, it goes before the next write, or when there is too much of it. */
static int send_answers(struct fy_tls_stream *self, const char *why)
{
    if (fy_tls_output_full(self)) {
        return fy_tls_flush(self, why);
    }
    fy_tls_try_flush(self);
    return 0;
}

static int tls_wait_readable(struct fy_stream *stream, const char *why)
{
    struct fy_tls_stream *self = of(stream);
    if (self->closed) {
        return -ECANCELED;
    }
    if (too_late(stream->read_deadline)) {
        return -ETIMEDOUT;
    }
    int failed = send_answers(self, why);
    return failed == 0 && self->dry ? fy_tls_wait(self, stream->read_deadline, why) : failed;
}

static ssize_t tls_read(struct fy_stream *stream, void *buf, size_t len, const char *why)
{
    struct fy_tls_stream *self = of(stream);
    if (++self->reads % CALLS_PER_YIELD == 0) {
        fy_yield();
    }
    if (!self->closed && too_late(stream->read_deadline)) {
        return -ETIMEDOUT;
    }
    for (;;) {
        ssize_t got = decrypt(self, buf, len, true);
        if (got != NEEDS_INPUT && got != NEEDS_FLUSH) {
            return got;
        }
        int failed = tls_wait_readable(stream, why);
        if (failed != 0) {
            return failed;
        }
    }
}

/* Tickets and key updates make below readable, and bring nothing to read here: that is for whoever
 * reads to find out. */
static int tls_rest_readable(struct fy_stream *stream, const char *why)
{
    struct fy_tls_stream *self = of(stream);
    if (!self->rests) {
        if (self->closed) {
            return -ECANCELED;
        }
        if (too_late(stream->read_deadline)) {
            return -ETIMEDOUT;
        }
        if (send_answers(self, why) != 0 || !self->dry) {
            return 0; /* the read will say */
        }
    }
    return fy_tls_rest(self, stream->read_deadline, why);
}

static bool tls_has_input(struct fy_stream *stream)
{
    char byte;
    return decrypt_news(of(stream), &byte, 1, false) != NEEDS_INPUT;
}

static ssize_t tls_try_read(struct fy_stream *stream, void *buf, size_t len)
{
    struct fy_tls_stream *self = of(stream);
    ssize_t got = decrypt_news(self, buf, len, true);
    if (got != NEEDS_FLUSH) {
        return got;
    }
    /* Nothing here is worth a wait for a peer that does not read. */
    fy_tls_try_flush(self);
    return self->write_failed != 0 ? self->write_failed : -EAGAIN;
}

/* ------------------------------------------------------------------------------------ writing */

/* What is being written, a record's worth at a time. */
struct plain {
    const struct iovec *iov;
    int count, index;
    size_t offset;  /* into iov[index] */
    char *gathered; /* a record made of several buffers; allocated when first needed */
};

/* The next record's bytes: straight from a buffer that fills one (or is the last), else gathered,
 * so that a head and its body share a record. len 0: that was all. NULL: out of memory. */
static const char *next_record(struct plain *plain, size_t *len)
{
    *len = 0;
    while (plain->index < plain->count) {
        const struct iovec *iov = &plain->iov[plain->index];
        const char *bytes = (const char *)iov->iov_base + plain->offset;
        size_t left = iov->iov_len - plain->offset;
        size_t room = RECORD_SIZE - *len;
        size_t taken = left < room ? left : room;
        if (left == 0) {
            plain->index++;
            plain->offset = 0;
            continue;
        }
        if (*len == 0 && (left >= RECORD_SIZE || plain->index + 1 == plain->count)) {
            plain->offset += taken;
            *len = taken;
            return bytes;
        }
        if (room == 0) {
            break;
        }
        if (plain->gathered == NULL && (plain->gathered = malloc(RECORD_SIZE)) == NULL) {
            return NULL;
        }
        memcpy(plain->gathered + *len, bytes, taken);
        *len += taken;
        plain->offset += taken;
    }
    return plain->gathered != NULL ? plain->gathered : "";
}

/* One record. A message of the server's handshake kind that is not all there yet (a ticket in two
 * records) makes SSL want input first. 0 or -errno. */
static int encrypt(struct fy_tls_stream *self, const char *bytes, size_t len, const char *why)
{
    for (;;) {
        size_t written;
        int failed;
        if (self->closed) {
            return -ECANCELED;
        }
        fy_tls_begin_reading(self);
        if (SSL_write_ex(self->ssl, bytes, len, &written)) {
            return 0;
        }
        switch (SSL_get_error(self->ssl, 0)) {
        case SSL_ERROR_WANT_READ:
            failed = self->ended ? -EPIPE : fy_tls_wait(self, self->stream.write_deadline, why);
            break;
        case SSL_ERROR_WANT_WRITE: failed = fy_tls_flush(self, why); break;
        default: failed = fy_tls_failed(self);
        }
        if (failed != 0) {
            return failed;
        }
    }
}

/* Encrypts a batch of what is to be written. How many bytes that were, or -errno. */
static ssize_t encrypt_batch(struct fy_tls_stream *self, const struct iovec *iov, int count,
                             const char *why)
{
    struct plain plain = {.iov = iov, .count = count};
    size_t total = 0;
    int failed = 0;
    while (total < BATCH_SIZE && failed == 0) {
        size_t len;
        const char *bytes = next_record(&plain, &len);
        if (bytes == NULL) {
            failed = -ENOMEM;
        } else if (len == 0) {
            break;
        } else if ((failed = encrypt(self, bytes, len, why)) == 0) {
            total += len;
        }
    }
    free(plain.gathered);
    return failed != 0 ? failed : (ssize_t)total;
}

/* Whether it is all in one record, as most requests are: that needs no buffer of ours on its way. */
static bool fits_one_record(const struct iovec *iov, int count)
{
    size_t len = 0;
    for (int i = 0; i < count && len <= RECORD_SIZE; i++) {
        len += iov[i].iov_len;
    }
    return len <= RECORD_SIZE;
}

/* Of so many bytes that could not be written whole: how many may be with the server. The last
 * record is not there to its end. All others may be: to say that nothing was written would let a
 * request be sent twice. */
static ssize_t may_have_gone(const struct fy_tls_stream *self, ssize_t written)
{
    return self->cut_off ? (written - 1) / (ssize_t)RECORD_SIZE * (ssize_t)RECORD_SIZE : 0;
}

/* Whether what below takes without parking is on its way. TLS below keeps what does not go at once
 * for when it is next written to, which may be never. */
static bool takes_at_once(struct fy_stream *below)
{
    return fy_tls_stream_from(below) == NULL;
}

static ssize_t tls_writev(struct fy_stream *stream, const struct iovec *iov, int count,
                          const char *why)
{
    struct fy_tls_stream *self = of(stream);
    if (self->closed) {
        return -ECANCELED;
    }
    if (self->write_failed == 0 && too_late(stream->write_deadline)) {
        return -ETIMEDOUT;
    }
    if (++self->calls % CALLS_PER_YIELD == 0) {
        fy_yield();
    }
    int failed = fy_tls_flush(self, why); /* something of the reader's */
    if (failed != 0) {
        return failed;
    }
    self->straight = takes_at_once(self->below) && fits_one_record(iov, count);
    ssize_t written = encrypt_batch(self, iov, count, why);
    self->straight = false;
    if (written < 0) {
        self->write_failed = (int)written;
        return written;
    }
    failed = fy_tls_flush(self, why);
    if (failed != 0) {
        self->write_failed = failed; /* what is encrypted cannot be taken back */
        ssize_t gone = may_have_gone(self, written);
        return gone > 0 ? gone : failed;
    }
    return written;
}

static ssize_t tls_try_write(struct fy_stream *stream, const void *buf, size_t len)
{
    struct fy_tls_stream *self = of(stream);
    size_t written;
    fy_tls_try_flush(self);
    if (self->closed) {
        return -ECANCELED;
    }
    if (self->write_failed != 0) {
        return self->write_failed;
    }
    if (self->flushing.taken || self->out.len > 0) {
        return -EAGAIN;
    }
    fy_tls_begin_reading(self);
    if (!SSL_write_ex(self->ssl, buf, len < RECORD_SIZE ? len : RECORD_SIZE, &written)) {
        switch (SSL_get_error(self->ssl, 0)) {
        case SSL_ERROR_WANT_READ:
        case SSL_ERROR_WANT_WRITE: return -EAGAIN;
        }
        self->write_failed = fy_tls_failed(self);
        return self->write_failed;
    }
    fy_tls_try_flush(self); /* what does not go now goes before the next */
    return self->write_failed != 0 ? self->write_failed : (ssize_t)written;
}

static void say_close_notify(struct fy_tls_stream *self)
{
    if (self->established && self->read_failed == 0 && self->write_failed == 0) {
        ERR_clear_error();
        (void)SSL_shutdown(self->ssl);
        ERR_clear_error();
    }
}

/* The reader that may be parked waits in the stream below, and holds nothing here. */
static void tls_detach(struct fy_stream *stream)
{
    fy_tls_buffers_drop(of(stream));
    struct fy_stream *below = of(stream)->below;
    below->ops->detach(below);
}

static int tls_attach(struct fy_stream *stream)
{
    struct fy_stream *below = of(stream)->below;
    return below->ops->attach(below);
}

static int tls_shutdown_write(struct fy_stream *stream)
{
    struct fy_tls_stream *self = of(stream);
    if (self->closed) {
        return -ECANCELED;
    }
    say_close_notify(self);
    int failed = fy_tls_flush(self, "saying that nothing more follows");
    return failed != 0 ? failed : self->below->ops->shutdown_write(self->below);
}

/* ---------------------------------------------------------------------------------- its life */

/* A close_notify that does not go at once does not go: nobody waits for it. Nor can it follow half
 * a record. */
static void tls_close(struct fy_stream *stream)
{
    struct fy_tls_stream *self = of(stream);
    if (self->closed) {
        return;
    }
    if (!self->flushing.taken) {
        say_close_notify(self);
        fy_tls_try_flush(self);
    }
    self->closed = true;
    fy_tls_buffers_drop(self);
    self->below->ops->close(self->below);
}

void fy_tls_stream_free(struct fy_tls_stream *self)
{
    if (self->ssl != NULL) {
        /* Else OpenSSL holds against the session that its connection did not end well. */
        SSL_set_shutdown(self->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
        SSL_free(self->ssl);
    }
    fy_buffer_free(&self->out);
    fy_buffer_free(&self->sending);
    free(self->session_key);
    fy_tls_config_release(self->config);
    free(self);
}

static void tls_free(struct fy_stream *stream)
{
    struct fy_tls_stream *self = of(stream);
    tls_close(stream);
    self->below->ops->free(self->below);
    fy_tls_stream_free(self);
}

static const char *tls_failure(const struct fy_stream *stream)
{
    const struct fy_tls_stream *self = FY_CONTAINER(stream, const struct fy_tls_stream, stream);
    return self->failure.code != 0 ? self->failure.message : NULL;
}

static int tls_descriptor(const struct fy_stream *stream)
{
    const struct fy_stream *below = FY_CONTAINER(stream, const struct fy_tls_stream, stream)->below;
    return below->ops->descriptor != NULL ? below->ops->descriptor(below) : -1;
}

static const struct fy_stream_ops tls_ops = {
    .read = tls_read,
    .wait_readable = tls_wait_readable,
    .writev = tls_writev,
    .rest_readable = tls_rest_readable,
    .has_input = tls_has_input,
    .try_read = tls_try_read,
    .try_write = tls_try_write,
    .detach = tls_detach,
    .attach = tls_attach,
    .shutdown_write = tls_shutdown_write,
    .close = tls_close,
    .free = tls_free,
    .failure = tls_failure,
    .descriptor = tls_descriptor,
};

struct fy_tls_stream *fy_tls_stream_from(const struct fy_stream *stream)
{
    return stream->ops == &tls_ops ? FY_CONTAINER(stream, struct fy_tls_stream, stream) : NULL;
}

struct fy_tls_stream *fy_tls_stream_new(struct fy_tls_config *config, struct fy_stream *below,
                                        ferry_error *err)
{
    struct fy_tls_stream *self = calloc(1, sizeof *self);
    if (self == NULL) {
        fy_fail_memory(err);
        return NULL;
    }
    self->stream =
        (struct fy_stream){.ops = &tls_ops, .read_deadline = FY_NEVER, .write_deadline = FY_NEVER};
    self->below = below;
    self->config = fy_tls_config_hold(config);
    fy_chan_init(&self->waiting.over, NULL, 0);
    fy_chan_init(&self->flushing.over, NULL, 0);
    fy_tls_begin();
    self->ssl = SSL_new(config->context);
    BIO *bio = fy_tls_bio_new(self);
    if (self->ssl == NULL || bio == NULL || !SSL_set_app_data(self->ssl, self)) {
        BIO_free(bio);
        fy_tls_fail_openssl(err, FERRY_ENOMEM, "");
        fy_tls_stream_free(self);
        return NULL;
    }
    SSL_set_bio(self->ssl, bio, bio);
    return self;
}
