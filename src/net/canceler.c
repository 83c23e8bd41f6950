/*
 * Cancelling by a task of its own.
 */
#include "net/canceler.h"

#include "task/sched.h"

static void wait_for_cancel(void *arg)
{
    struct fy_canceler *canceler = arg;
    struct fy_case cases[] = {FY_RECEIVE_FROM(&canceler->done),
                              FY_RECEIVE_FROM(canceler->canceled)};
    if (fy_select(cases, 2, FY_NEVER, "waiting for a handshake, or its cancellation") == 1) {
        canceler->fired = true;
        canceler->stream->ops->close(canceler->stream);
    }
    fy_chan_close(&canceler->gone);
}

int fy_canceler_begin(struct fy_canceler *canceler, struct fy_chan *canceled,
                      struct fy_stream *stream)
{
    *canceler = (struct fy_canceler){.canceled = canceled, .stream = stream};
    fy_chan_init(&canceler->done, NULL, 0);
    fy_chan_init(&canceler->gone, NULL, 0);
    if (canceled == NULL) {
        return 0;
    }
    return fy_task_start(FY_TASK_LIBRARY, FY_STACK_SMALL, "handshake canceler", wait_for_cancel,
                         canceler) != NULL
               ? 0
               : -1;
}

void fy_canceler_end(struct fy_canceler *canceler)
{
    if (canceler->canceled != NULL) {
        fy_chan_close(&canceler->done);
        fy_chan_receive(&canceler->gone, NULL, "ending a handshake");
    }
}
