/*
 * An exchange: one request and its response on one connection. It is what the round trip, the two
 * loops and the body share; each holds it until done with it. All under the connection's
 * scheduler's lock.
 */
#ifndef FY_TRANSPORT_EXCHANGE_H
#define FY_TRANSPORT_EXCHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include <ferry.h>

#include "base/buffer.h"
#include "http/framing.h"
#include "task/chan.h"
#include "task/context.h"
#include "task/sched.h"
#include "task/timer.h"
#include "transport/route.h"

struct fy_persist_conn;

/* How far the write loop came with the request. */
enum fy_write_state {
    FY_WRITE_PENDING,
    FY_WRITE_WHOLE,
    FY_WRITE_PARTIAL, /* the server answered before the body was asked for: it was never sent */
    FY_WRITE_FAILED   /* write_error tells */
};

/* What makes an error one that another connection may cure. */
enum fy_trip_failure {
    FY_TRIP_FAILED,          /* sending again would not help, or not be safe */
    FY_TRIP_NOTHING_WRITTEN, /* no byte of the request left */
    FY_TRIP_SERVER_CLOSED,   /* the server closed an idle connection just when it was taken */
    FY_TRIP_READ_FAILED      /* the connection failed before any byte of the response */
};

/* The body's fate, as the read loop is told it. */
enum fy_body_fate {
    FY_FATE_NONE,   /* not decided */
    FY_FATE_END,    /* read to its end */
    FY_FATE_ERROR,  /* it could not be */
    FY_FATE_CLOSED, /* closed before its end */
    FY_FATE_DRAIN   /* likewise, and the read loop is to read on */
};

/* With many connections it has left the processor's caches whenever it is needed again: so its fields
 * leave no gaps. */
struct fy_exchange {
    int holds;
    unsigned process;       /* fy_fork_count() when it was made: it is counted there */
    struct fy_sched *sched; /* where it was made, and is let go */
    /* In sched->leftovers while a task waits in the round trip; then in sched->farewells, until the
     * request is written. */
    struct fy_exit_hook leftover;
    ferry_request *req; /* the caller's; not touched once 'written' is closed and the trip over */
    struct fy_persist_conn *conn; /* a hold; NULL before there is one, and once it has been kept */
    ferry_transport *transport;
    struct fy_host_counts *counts;   /* the host's, once there is a connection */
    int64_t handed_over, first_byte; /* sched->now when the request was, and when it was there */
    struct fy_route route;           /* chosen before there is a connection */
    void (*put_trace)(void *arg, int put_result); /* the request may be gone by then; NULL: none */
    void *trace_arg;
    bool trip_over;    /* the send has returned, or is about to: it will not be tried again */
    bool body_told;    /* by the write loop, which comes last, that this is done with it */
    bool close_asked;  /* the request goes out with "Connection: close" */
    bool answer_comes; /* a response without a body is about to be delivered, come what may */
    bool decodes;      /* it goes out with ferry's own Accept-Encoding; what comes is decoded */
    bool cancel_begun; /* cancel is valid */

    /* The request's way out. */
    bool nothing_written;
    bool expects_continue; /* Expect: 100-continue; go_on tells */
    char *body_buffer;     /* from malloc(), while the body's reader is asked for it; else NULL */
    enum fy_write_state write_state;

    /* The response's way in. */
    enum fy_trip_failure failure; /* valid with read_error */
    ferry_response *delivered;    /* what is sent there, until the request's task runs and has it */

    /* The body, once the response is delivered. */
    ferry_response *res; /* NULL before and after */
    struct fy_framing framing;
    int64_t left;           /* of a body by length; of the current chunk */
    struct fy_buffer lines; /* of chunks, taken and not yet given to the reader of a raw body */
    size_t lines_given;     /* ... of these */
    int64_t line_excess;    /* bytes of chunk lines beyond what the data they announced excuses */
    int64_t drained;        /* bytes read on after the close */
    size_t trailer_bytes;
    int trailer_fields;
    enum fy_body_fate fate;
    struct fy_timer abandon_timer; /* looks whether anybody still reads it */
    bool abandon_watched;          /* the timer is armed, or has gone off */
    bool abandoned;                /* nobody did */
    bool raw;                      /* its reader is given the chunks' lines, too */
    bool chunk_end_due;            /* a chunk's data is over and its CRLF not yet taken */
    bool last_chunk;               /* the trailer section comes next */
    bool body_over;                /* a chunked body has been taken to its very end */
    bool reading;                  /* a task is in a read of it */
    bool entrusted; /* closed on another thread: the monitor looks, until it is over */
    bool may_end;   /* the monitor looks whether the cancel or the deadline has ended it */

    /* What follows is not zeroed: each channel is made, and all else is valid only as it says. */
    struct fy_chan written;      /* closed when the write loop is done with the request, whatever
                                    came of it */
    struct fy_chan write_failed; /* closed besides when it failed */
    struct fy_chan answer;       /* one value: the response; NULL: read_error and failure tell */
    void *answer_place[1];
    struct fy_chan go_on; /* one value: non-NULL for "send the body", NULL for "do not" */
    void *go_on_place[1];
    struct fy_chan fate_told; /* closed when fate is decided */
    struct fy_case fates[3];  /* what the read loop rests in from the delivery to the fate */
    struct fy_chan settled; /* closed when the connection is back in the pool, and not this one's */
    struct fy_cancel cancel; /* by context and deadline, from the send to the end of the body */
    ferry_error write_error; /* valid once write_failed is closed */
    ferry_error read_error;  /* valid with an answer of NULL; nobody's once there is another */
    ferry_error cause;       /* the round trip's: why this try has failed */
};

/* NULL when out of memory. The one hold is the caller's. */
struct fy_exchange *fy_exchange_new(ferry_transport *transport, ferry_request *req);
void fy_exchange_hold(struct fy_exchange *exchange);
void fy_exchange_release(struct fy_exchange *exchange);

/* Tells the request's body, if it wants to know, that this send is done with it: called by
 * whichever comes last of the send's end and the write loop's. Outside the lock. */
void fy_exchange_body_done(const ferry_request *req);

/* The connection serves others from now on, perhaps on other threads, and is not this exchange's
 * any more: a response that is closed much later does not touch it. By the read loop, which has a
 * hold of its own on the connection. */
void fy_exchange_settled(struct fy_exchange *exchange);

/* Closes a response that has come for a task which gives up, or is no more. */
void fy_exchange_close_delivered(struct fy_exchange *exchange);

/* Stops watching the context and the deadline. */
void fy_exchange_unwatch(struct fy_exchange *exchange);

/* Whether nothing of the user's is called, or waited for, on the way from the body's fate to the pool, or
 * to the close. */
static inline bool fy_exchange_is_quiet(const struct fy_exchange *exchange)
{
    return exchange->put_trace == NULL && exchange->written.closed;
}

/* Decides the body's fate, once. */
void fy_exchange_decide(struct fy_exchange *exchange, enum fy_body_fate fate);

/* The same by the body's reader: the read loop has done what follows from it when this returns. May
 * park. */
void fy_exchange_settle(struct fy_exchange *exchange, enum fy_body_fate fate);

#endif
