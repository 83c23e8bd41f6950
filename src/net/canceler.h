/*
 * Cancelling what is spoken on a stream before it carries requests: TLS's handshake, the talk with
 * a proxy. Called by those, in the dial's task.
 */
#ifndef FY_NET_CANCELER_H
#define FY_NET_CANCELER_H

#include <stdbool.h>

#include "net/stream.h"
#include "task/chan.h"

/* A task of its own waits for the channel, and closes the stream under whoever is parked in it. On
 * the stack of who begins it, which stays until it has ended it. */
struct fy_canceler {
    struct fy_chan *canceled; /* NULL: never, and there is no task */
    struct fy_stream *stream;
    struct fy_chan done; /* closed when there is nothing to cancel any more */
    struct fy_chan gone; /* closed when the task is over */
    bool fired;          /* what failed has failed for this; stable once ended */
};

/* -1: out of memory, and there is nothing to end. */
int fy_canceler_begin(struct fy_canceler *canceler, struct fy_chan *canceled,
                      struct fy_stream *stream);
void fy_canceler_end(struct fy_canceler *canceler);

#endif
