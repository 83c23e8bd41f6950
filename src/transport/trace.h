/*
 * Calling a request's trace functions: outside the scheduler's lock, since they are the user's.
 */
#ifndef FY_TRANSPORT_TRACE_H
#define FY_TRANSPORT_TRACE_H

#include <ferry.h>

#include "base/seldom.h"
#include "http/request.h"
#include "task/sched.h"

/* FY_TRACE(req, got_1xx, status): calls it if there is one. Most requests have none at all, which
 * their trace's size tells, so that its other fields need not be looked at. */
#define FY_TRACE(req, event, ...)                                                 \
    do {                                                                          \
        if (FY_IS_SELDOM((req)->trace.size != 0) && (req)->trace.event != NULL) { \
            fy_leave();                                                           \
            (req)->trace.event((req)->trace_arg, __VA_ARGS__);                    \
            (void)fy_enter();                                                     \
        }                                                                         \
    } while (0)

/* The same for an event without arguments of its own. */
#define FY_TRACE_PLAIN(req, event)                                                \
    do {                                                                          \
        if (FY_IS_SELDOM((req)->trace.size != 0) && (req)->trace.event != NULL) { \
            fy_leave();                                                           \
            (req)->trace.event((req)->trace_arg);                                 \
            (void)fy_enter();                                                     \
        }                                                                         \
    } while (0)

#endif
