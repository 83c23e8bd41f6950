/*
 * Contexts can be cancelled from anywhere, a signal handler included, where no lock may be taken:
 * so cancelling is a store and a poke of the schedulers, and each scheduler then looks through the
 * requests it has. That is a walk over all of them for a cancel; a list kept by each context would
 * spare the walk and cost a lock on every request, and cancels are rare.
 */
#include "task/context.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/error.h"
#include "task/clock.h"
#include "task/sched.h"

struct ferry_context {
    atomic_int holds;
    atomic_int code;  /* 0, or FERRY_ECANCELED */
    int64_t deadline; /* fy_now() time, FY_NEVER: none */
};

FERRY_API ferry_context *ferry_context_new(int64_t timeout_ms)
{
    ferry_context *context = malloc(sizeof *context);
    if (context == NULL) {
        return NULL;
    }
    atomic_init(&context->holds, 1);
    atomic_init(&context->code, 0);
    context->deadline = fy_after_ms(timeout_ms);
    return context;
}

static void release(ferry_context *context)
{
    if (context != NULL && atomic_fetch_sub(&context->holds, 1) == 1) {
        free(context);
    }
}

ferry_context *fy_context_hold(ferry_context *context)
{
    if (context != NULL) {
        atomic_fetch_add(&context->holds, 1);
    }
    return context;
}

int64_t fy_context_deadline(const ferry_context *context)
{
    return context != NULL ? context->deadline : FY_NEVER;
}

FERRY_API void ferry_context_free(ferry_context *context)
{
    release(context);
}

FERRY_API void ferry_context_cancel(ferry_context *context)
{
    if (context != NULL && atomic_exchange(&context->code, FERRY_ECANCELED) == 0) {
        fy_sched_contexts_changed();
    }
}

FERRY_API int ferry_context_error(const ferry_context *context)
{
    if (context == NULL) {
        return 0;
    }
    int code = atomic_load(&context->code);
    if (code == 0 && context->deadline != FY_NEVER && fy_now() >= context->deadline) {
        code = FERRY_ETIMEOUT;
    }
    return code;
}

/* ---------------------------------------------------------------------------- one request's */

void fy_cancel_now(struct fy_cancel *cancel, int code)
{
    if (cancel->code == 0) {
        cancel->code = code;
        fy_timer_disarm(&cancel->sched->timers, &cancel->timer);
        fy_chan_close(&cancel->done);
    }
}

static void deadline_passed(struct fy_timer *timer)
{
    fy_cancel_now(FY_CONTAINER(timer, struct fy_cancel, timer), FERRY_ETIMEOUT);
}

void fy_cancel_begin(struct fy_cancel *cancel, ferry_context *context, int64_t deadline,
                     const char *deadline_of)
{
    *cancel = (struct fy_cancel){
        .sched = fy_sched_running(), .deadline = deadline, .deadline_of = deadline_of};
    fy_list_init(&cancel->link);
    fy_chan_init(&cancel->done, NULL, 0);
    if (context != NULL) {
        cancel->context = fy_context_hold(context);
        fy_list_push_back(&cancel->sched->cancels, &cancel->link);
        if (context->deadline < deadline) {
            deadline = context->deadline;
            cancel->deadline = deadline;
            cancel->deadline_of = "context deadline";
        }
        int code = ferry_context_error(context);
        if (code != 0) {
            fy_cancel_now(cancel, code);
            return;
        }
    }
    if (deadline != FY_NEVER) {
        fy_timer_arm(&cancel->sched->timers, &cancel->timer, deadline, deadline_passed);
    }
}

void fy_cancel_end(struct fy_cancel *cancel)
{
    fy_list_remove(&cancel->link);
    fy_timer_disarm(&cancel->sched->timers, &cancel->timer);
    release(cancel->context);
    cancel->context = NULL;
}

bool fy_cancel_ended(struct fy_cancel *cancel)
{
    int code = cancel->context != NULL ? atomic_load(&cancel->context->code) : 0;
    if (code != 0) {
        fy_cancel_now(cancel, code);
    }
    return cancel->code != 0;
}

void fy_cancel_error(const struct fy_cancel *cancel, ferry_error *err)
{
    if (cancel->code == FERRY_ETIMEOUT) {
        fy_fail(err, FERRY_ETIMEOUT, 0, "%s exceeded", cancel->deadline_of);
    } else {
        fy_fail(err, cancel->code, 0, "request canceled");
    }
}

void fy_cancels_check(struct fy_sched *sched)
{
    FY_LIST_EACH(link, &sched->cancels)
    {
        struct fy_cancel *cancel = FY_CONTAINER(link, struct fy_cancel, link);
        int code = atomic_load(&cancel->context->code);
        if (code != 0) {
            fy_cancel_now(cancel, code);
        }
    }
}

void fy_cancels_forget(struct fy_sched *sched)
{
    FY_LIST_EACH_SAFE(link, &sched->cancels)
    {
        fy_cancel_end(FY_CONTAINER(link, struct fy_cancel, link));
    }
}
