/*
 * retry.h: whether a failed transfer is tried once more, and when; and the watch on its speed.
 */
#ifndef CLI_TRANSFER_RETRY_H
#define CLI_TRANSFER_RETRY_H

#include "transfer/run.h"

struct retry {
    int64_t left;       /* tries */
    int64_t started_us; /* of the first */
    int64_t wait_ms;    /* the last wait; 0: there was none */
};

/* Whether the flags want another try after what has come of this one. */
bool retry_wanted(struct retry *retry, struct transfer *transfer);

/* Says so, and waits. */
void retry_wait(struct retry *retry, struct transfer *transfer);

struct speed_watch;

/* A task that cancels the try when it has been slower than --speed-limit for --speed-time. NULL
 * when out of memory, which is noted. */
struct speed_watch *speed_watch_begin(struct transfer *transfer);

/* NULL is fine. */
void speed_watch_end(struct speed_watch *watch);

#endif
