/*
 * How long SSL keeps its two record buffers (33 KB) while nothing is in them. To make them anew for each
 * record costs a tenth of what OpenSSL takes for it; ten thousand idle connections cannot keep them. So
 * a few streams of each scheduler keep theirs, and give them back when they have rested for a while.
 *
 * OpenSSL 3.2 and later keep the one for reading only: their half for writing has the mode that the
 * stream was in when its keys were made, for good.
 */
#include "net/tls_internal.h"

#include "task/sched.h"

#define MOST_STREAMS 64

/* A stream that has been written to so often serves more than one request, and is worth it. */
#define WRITES_WORTH_IT 2

int64_t fy_tls_buffers_kept = 1000 * FY_MILLISECOND;

void fy_tls_buffers_drop(struct fy_tls_stream *self)
{
    struct fy_sched *keeper = self->buffers.keeper;
    if (keeper == NULL) {
        return;
    }
    self->buffers.keeper = NULL;
    keeper->tls_buffers--;
    fy_timer_disarm(&keeper->timers, &self->buffers.timer);
    SSL_set_mode(self->ssl, SSL_MODE_RELEASE_BUFFERS);
    (void)SSL_free_buffers(self->ssl); /* not those that have something in them */
}

/* The timer is left alone while the stream rests and works; when it fires it looks since when it
 * rests. */
static void look(struct fy_timer *timer)
{
    struct fy_tls_stream *self = FY_CONTAINER(timer, struct fy_tls_stream, buffers.timer);
    int64_t now = fy_now();
    int64_t since = self->rests ? self->buffers.unused_since : now;
    if (now - since >= fy_tls_buffers_kept) {
        fy_tls_buffers_drop(self);
    } else {
        fy_timer_arm(&self->buffers.keeper->timers, timer, since + fy_tls_buffers_kept, look);
    }
}

void fy_tls_buffers_rest(struct fy_tls_stream *self)
{
    struct fy_sched *sched = fy_sched_running();
    self->buffers.unused_since = sched->now;
    if (self->buffers.keeper != NULL) {
        return;
    }
    if (self->calls < WRITES_WORTH_IT || sched->tls_buffers >= MOST_STREAMS) {
        (void)SSL_free_buffers(self->ssl);
        return;
    }
    self->buffers.keeper = sched;
    sched->tls_buffers++;
    SSL_clear_mode(self->ssl, SSL_MODE_RELEASE_BUFFERS);
    SSL_set_mode(self->ssl, 0); /* since OpenSSL 3.2 it is this that tells the half for reading */
    fy_timer_arm(&sched->timers, &self->buffers.timer, sched->now + fy_tls_buffers_kept, look);
}
