/*
 * Waits between sends, on the sending task.
 */
#include "client/wait.h"

#include "base/error.h"
#include "task/context.h"
#include "task/sched.h"

int fy_wait(const struct fy_bounds *bounds, int64_t ms, const char *why, ferry_error *err)
{
    if (fy_enter() == NULL) {
        return fy_fail_memory(err);
    }
    struct fy_cancel cancel;
    fy_cancel_begin(&cancel, bounds->context, bounds->deadline, bounds->deadline_of);
    struct fy_case cases[] = {FY_RECEIVE_FROM(&cancel.done)};
    bool ended = fy_select(cases, 1, fy_after_ms(ms), why) == 0;
    if (ended) {
        fy_cancel_error(&cancel, err);
    }
    fy_cancel_end(&cancel);
    fy_leave();
    return ended ? -1 : 0;
}

bool fy_wait_is_vain(const struct fy_bounds *bounds, int64_t ms)
{
    int64_t until = fy_after_ms(ms);
    return ferry_context_error(bounds->context) != 0 || until >= bounds->deadline ||
           until >= fy_context_deadline(bounds->context);
}
