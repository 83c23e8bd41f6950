/*
 * Channels and select: the only way in which the two loops, the round trip and the body talk. The
 * real thing (capacity 0 or n, send, receive, close, select over several with a timer and a
 * default), small because all parties are tasks of one scheduler and run under its lock.
 */
#ifndef FY_TASK_CHAN_H
#define FY_TASK_CHAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "task/clock.h"
#include "task/timer.h"

struct fy_task;

/* Lives inside what it serves, never allocated, and there are a dozen to a request: so it is small. Values
 * are pointers (or small integers in them). */
struct fy_chan {
    void **buffer; /* of capacity places, the owner's; NULL when capacity is 0 */
    uint16_t capacity, count, head;
    bool closed;
    /* Of fy_case: parked, first come first served. All to receive, or all to send, since two that meet
     * here need not wait; or some of each, which are all one select's, that has the channel twice. */
    struct fy_link parked;
};

enum fy_direction { FY_RECEIVE, FY_SEND };

/* What a select waits for. chan NULL: never ready, as a nil channel in Go. */
struct fy_case {
    struct fy_chan *chan;
    void *value; /* to be sent; or received (NULL from a closed channel) */
    enum fy_direction direction;
    bool ok; /* received: true for a sent value, false because the channel is closed */
    /* select's own while it is parked */
    struct fy_task *task;
    struct fy_link link;
};

/* A parked task's select; part of every task, so that it is not on the stack. */
struct fy_select {
    struct fy_case *cases;
    uint16_t count;
    int16_t chosen;
    bool rests; /* a loop's, which has yet to ask what was chosen */
    struct fy_timer timer;
};

#define FY_RECEIVE_FROM(ch)                   \
    {                                         \
        .chan = (ch), .direction = FY_RECEIVE \
    }
#define FY_SEND_TO(ch, v)                                \
    {                                                    \
        .chan = (ch), .direction = FY_SEND, .value = (v) \
    }

/* Instead of a case's index. */
#define FY_SELECT_TIMED_OUT (-1)
#define FY_SELECT_RESTS (-2)

/* As deadlines of a select: take what is ready or come back at once (Go's default). */
#define FY_AT_ONCE INT64_MIN

static inline void fy_chan_init(struct fy_chan *chan, void **buffer, uint16_t capacity)
{
    *chan = (struct fy_chan){.buffer = buffer, .capacity = capacity};
    fy_list_init(&chan->parked);
}

/* Parks until a case can go on, does it, and returns its index; FY_SELECT_TIMED_OUT when the
 * deadline has passed first. When several can, the first in order does: unlike Go's random choice,
 * so that a caller states what matters more. Sending on a closed channel counts as ready and leaves
 * ok false. */
int fy_select(struct fy_case *cases, int count, int64_t deadline, const char *why);

/* A loop's select between two turns (fy_loop_start()). As fy_select() without a deadline, but where
 * that would park it returns FY_SELECT_RESTS: then the turn is to end with FY_TURN_REST, and the next
 * one to begin with the same call, which tells the index. The cases outlast the turn. */
int fy_select_rest(struct fy_case *cases, int count, const char *why);

/* A select of one case without a deadline. send: false if the channel is closed. receive: false
 * when it is closed and empty; value may be NULL. */
bool fy_chan_send(struct fy_chan *chan, void *value, const char *why);
bool fy_chan_receive(struct fy_chan *chan, void **value, const char *why);

/* Without parking: whether it could be done. */
bool fy_chan_try_send(struct fy_chan *chan, void *value);

/* Every receiver, parked or to come, finds it closed; again and again if you like. */
void fy_chan_close(struct fy_chan *chan);

#endif
