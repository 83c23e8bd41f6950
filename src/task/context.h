/*
 * Contexts, and what a request makes of its context and its deadlines: one fy_cancel, whose channel
 * closes when either ends.
 */
#ifndef FY_TASK_CONTEXT_H
#define FY_TASK_CONTEXT_H

#include <ferry.h>

#include "base/list.h"
#include "task/chan.h"
#include "task/timer.h"

struct fy_sched;

/* A hold of one's own on a context; NULL is fine. */
ferry_context *fy_context_hold(ferry_context *context);

/* When it ends by itself, in fy_now() time; FY_NEVER: not, or there is none. */
int64_t fy_context_deadline(const ferry_context *context);

/* One request's cancellation, on one scheduler, from the send to the end of its body. */
struct fy_cancel {
    struct fy_link link;     /* in sched->cancels while it watches a context */
    struct fy_sched *sched;  /* where it was begun */
    ferry_context *context;  /* a hold of its own; NULL: none */
    struct fy_timer timer;   /* armed while there is a deadline to come */
    struct fy_chan done;     /* closed when it has ended; nothing is ever sent */
    int code;                /* 0 while alive, then FERRY_ECANCELED or FERRY_ETIMEOUT */
    int64_t deadline;        /* fy_now() time; FY_NEVER: none */
    const char *deadline_of; /* whose deadline it is, for messages: "client timeout" */
};

/* Watches the context (NULL: none) and the deadline (fy_now() time, FY_NEVER: none), which is
 * deadline_of's. Cannot fail; may have ended at once. */
void fy_cancel_begin(struct fy_cancel *cancel, ferry_context *context, int64_t deadline,
                     const char *deadline_of);

/* Stops watching. Nobody may be parked on done. */
void fy_cancel_end(struct fy_cancel *cancel);

/* Ends it now, as if its context had been cancelled. */
void fy_cancel_now(struct fy_cancel *cancel, int code);

/* Whether it has ended: asks the context, for whose cancel the scheduler may not have looked yet. */
bool fy_cancel_ended(struct fy_cancel *cancel);

/* Its done, for a select: NULL, which is never ready, where there is nothing that could end it. */
static inline struct fy_chan *fy_cancel_done(struct fy_cancel *cancel)
{
    return cancel->context != NULL || cancel->deadline != FY_NEVER ? &cancel->done : NULL;
}

/* Fills *err with the reason why it ended. */
void fy_cancel_error(const struct fy_cancel *cancel, ferry_error *err);

#endif
