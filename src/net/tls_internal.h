/*
 * What the files of TLS share: the configuration (tls_context.c, tls_credentials.c), the sessions
 * (tls_session.c), the checks (tls_verify.c), the buffers below SSL (tls_pump.c), the handshake
 * (tls_handshake.c) and the stream (tls_stream.c).
 *
 * No call of OpenSSL's ever parks: it reads what is there in the stream below, and writes to a buffer
 * of the stream's what does not go there at once; whoever wants more parks in between. So the task that
 * reads and the one that writes take turns on one SSL object, though each may be parked in the stream
 * below.
 */
#ifndef FY_NET_TLS_INTERNAL_H
#define FY_NET_TLS_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/buffer.h"
#include "base/errno.h"
#include "base/fork.h"
#include "base/list.h"
#include "net/tls.h"

/* ----------------------------------------------------------------------------------- sessions */

/* Sessions that servers have given us, for the next connection. */
struct fy_tls_sessions {
    pthread_mutex_t lock; /* guards both; nothing else is taken under it */
    struct fy_fork_lock held;
    struct fy_link list; /* newest first */
    unsigned count;
};

void fy_tls_sessions_init(struct fy_tls_sessions *sessions);
void fy_tls_sessions_free(struct fy_tls_sessions *sessions);

/* Keeps a copy. Out of memory: it does not. */
void fy_tls_sessions_put(struct fy_tls_sessions *sessions, const char *key,
                         const SSL_SESSION *session);

/* One that the caller frees, or NULL. */
SSL_SESSION *fy_tls_sessions_take(struct fy_tls_sessions *sessions, const char *key);

/* ------------------------------------------------------------------------------ configuration */

#define FY_TLS_PIN_LEN 32 /* SHA-256 */

struct fy_tls_config {
    atomic_int holds;
    SSL_CTX *context;                      /* constant once made */
    bool verify;                           /* constant */
    unsigned char (*pins)[FY_TLS_PIN_LEN]; /* constant; NULL: none */
    size_t pin_count;
    int key_log_fd; /* constant; -1: none. Each line is one write to its end */
    bool resume;    /* constant */
    struct fy_tls_sessions sessions;
};

/* tls_credentials.c: each 0, or -1 with *err. */
int fy_tls_load_trust(SSL_CTX *context, const ferry_tls_options *options, ferry_error *err);
int fy_tls_load_certificate(SSL_CTX *context, const ferry_tls_options *options, ferry_error *err);

/* tls_pins.c: likewise. */
int fy_tls_load_pins(struct fy_tls_config *config, const ferry_tls_options *options,
                     ferry_error *err);

/* tls_status.c: servers have to prove that their certificates are not revoked. */
void fy_tls_require_status(SSL_CTX *context);

/* Before a call of OpenSSL's that may fail; and after it has: whether memory was what it lacked.
 * OpenSSL loses that on its way up now and then, or has no memory to note it in; the allocator's
 * errno stays. Nothing may park in between. */
static inline void fy_tls_begin(void)
{
    if (ERR_peek_error() != 0) { /* which costs a quarter of clearing what is clear */
        ERR_clear_error();
    }
    errno = 0;
}
bool fy_tls_lacked_memory(void);

/* Fails for want of memory, or else with the newest of OpenSSL's own reasons behind the text, and
 * forgets them all. */
int fy_tls_fail_openssl(ferry_error *err, int code, const char *text);

/* -------------------------------------------------------------------------------- the stream */

/* Who may park in the stream below, to read from it (or to write to it): one task at a time. */
struct fy_tls_turn {
    bool taken;
    struct fy_chan over; /* whoever gives it back sends to one who waits, if there is one */
};

/* All under the lock of the scheduler, and all freed with the stream. */
struct fy_tls_stream {
    struct fy_stream stream;
    struct fy_stream *below; /* owned once the handshake is over */
    struct fy_tls_config *config;
    SSL *ssl;
    char *session_key;
    const char *host; /* the caller's; during the handshake only */
    bool dry;         /* SSL has nothing in itself to be read, and there is no news from below */
    bool rests;       /* who has the turn to wait rests, and others may read from below meanwhile */
    bool ended;       /* below has ended, and SSL has all that came */
    int below_failed; /* -errno of a read from below, for good; 0: none */
    unsigned reads_left;      /* of below, in this call of SSL's (fy_tls_begin_reading()) */
    struct fy_buffer out;     /* from SSL, for below */
    struct fy_buffer sending; /* what was in out, while a task is writing it to below */
    struct fy_tls_turn waiting, flushing;
    /* SSL's own (tls_buffers.c). */
    struct {
        struct fy_sched *keeper; /* where it counts as one that keeps them; NULL: it does not */
        int64_t unused_since;    /* fy_now(); while it rests */
        struct fy_timer timer;   /* armed while it keeps them */
    } buffers;
    bool straight;  /* what SSL writes goes to below at once, as far as it goes without parking */
    unsigned reads; /* calls of it; counts up */
    unsigned calls; /* of write; likewise */
    bool closed;
    bool established;    /* the handshake is over */
    bool lacked_memory;  /* in the call of SSL's that has failed */
    bool plain_http;     /* where a record should begin, a response without TLS does */
    int read_failed;     /* -errno of all further reads; 0: none. TLS has failed, not below */
    int write_failed;    /* likewise, of all writes, whichever failed */
    bool cut_off;        /* when it did, a part of what was to go had gone */
    ferry_error failure; /* the sentence for read_failed == -EPROTO, or for the handshake */
};

/* A stream before its handshake, or NULL with *err. */
struct fy_tls_stream *fy_tls_stream_new(struct fy_tls_config *config, struct fy_stream *below,
                                        ferry_error *err);

/* NULL: it is no TLS stream. */
struct fy_tls_stream *fy_tls_stream_from(const struct fy_stream *stream);

/* Frees it without touching below. */
void fy_tls_stream_free(struct fy_tls_stream *self);

/* --------------------------------------------------------------- tls_pump.c, for the two others */

/* What SSL reads from and writes to: below. NULL: out of memory. */
BIO *fy_tls_bio_new(struct fy_tls_stream *self);

/* So often a call of SSL's may read from below, which is enough for a record and tickets before it: so
 * that a peer does not keep it for good who sends what brings nothing to read here, as fast as that is
 * taken. */
#define FY_TLS_READS 2

/* Before a call of SSL's that may read. */
static inline void fy_tls_begin_reading(struct fy_tls_stream *self)
{
    self->reads_left = FY_TLS_READS;
    fy_tls_begin();
}

/* After SSL wanted to read: parks until there may be something, or another task has waited for that. 0
 * or -errno of below; its end is no failure. */
int fy_tls_wait(struct fy_tls_stream *self, int64_t deadline, const char *why);

/* The same between two turns of a loop: -EAGAIN when it rests, and is to be called again. */
int fy_tls_rest(struct fy_tls_stream *self, int64_t deadline, const char *why);

/* Without parking: whether there may be something, as far as the poller has seen. */
void fy_tls_look(struct fy_tls_stream *self);

/* Whether SSL can write no more before a flush. */
bool fy_tls_output_full(const struct fy_tls_stream *self);

/* Until all that SSL has written is with below. 0 or -errno. */
int fy_tls_flush(struct fy_tls_stream *self, const char *why);

/* As much of it as goes without parking. */
void fy_tls_try_flush(struct fy_tls_stream *self);

/* ----------------------------------------------------------- tls_buffers.c, for the two others */

/* For how long a stream that rests keeps SSL's buffers: a second. Only tests, at their beginning, say
 * otherwise. */
extern int64_t fy_tls_buffers_kept;

/* The stream is about to wait for its peer, for who knows how long. */
void fy_tls_buffers_rest(struct fy_tls_stream *self);

/* What came has been read. A response may be held for long before the stream waits, and tickets that came
 * before it have made SSL take its buffers. */
static inline void fy_tls_buffers_unused(struct fy_tls_stream *self)
{
    if (self->buffers.keeper == NULL) {
        (void)SSL_free_buffers(self->ssl);
    }
}

/* It keeps no buffers any more, and leaves the books of its scheduler, whose lock is held. */
void fy_tls_buffers_drop(struct fy_tls_stream *self);

/* ------------------------------------------------------------------ tls_pace.c, for the handshake */

/* A handshake among those of its thread; where its task has its stack. */
struct fy_tls_pace {
    struct fy_sched *sched;
    struct fy_timer timer; /* armed as long as it counts as under way */
};

/* Parks until it is the handshake's turn, or canceled (NULL: never) is closed. How long that took. */
int64_t fy_tls_pace_begin(struct fy_tls_pace *pace, struct fy_chan *canceled);
void fy_tls_pace_end(struct fy_tls_pace *pace);

/* For how long a handshake counts: 15 ms. Only tests say otherwise. */
extern int64_t fy_tls_pace_counted;

/* ------------------------------------------------------------------------------ what went wrong */

/* After a call of SSL's that failed for good: fills self->failure with OpenSSL's reason, unless a
 * check of ours has said more. Returns -errno. */
int fy_tls_failed(struct fy_tls_stream *self);

/* tls_handshake.c: the sentence for what OpenSSL's error queue holds, which it empties: the
 * server's alert, or what we found wrong. */
void fy_tls_reason(ferry_error *err);

/* ---------------------------------------------------------------------------------- the checks */

/* OpenSSL's callback: all that is checked on certificates, with the sentence in the stream's
 * failure. */
int fy_tls_verify(X509_STORE_CTX *store, void *arg);

/* Room for "2026-01-02 03:04:05 UTC". */
#define FY_TLS_TIME_TEXT 32
void fy_tls_time_text(const ASN1_TIME *time, char text[FY_TLS_TIME_TEXT]);

/* The stream of an SSL object. */
static inline struct fy_tls_stream *fy_tls_stream_of(const SSL *ssl)
{
    return SSL_get_app_data(ssl);
}

#endif
