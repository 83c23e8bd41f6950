/*
 * Waits between one send and the next, which end with what the sends are bound by: a context, a
 * deadline.
 */
#ifndef FY_CLIENT_WAIT_H
#define FY_CLIENT_WAIT_H

#include <stdbool.h>
#include <stdint.h>

#include <ferry.h>

/* What bounds a wait. */
struct fy_bounds {
    ferry_context *context;  /* borrowed; NULL: none */
    int64_t deadline;        /* fy_now() time, FY_NEVER: none */
    const char *deadline_of; /* whose it is, for messages */
};

/* Sleeps for ms milliseconds. 0, or -1 and *err when one of the bounds has ended by then. why: for
 * the dump. */
int fy_wait(const struct fy_bounds *bounds, int64_t ms, const char *why, ferry_error *err);

/* Whether one of the bounds has ended, or will have after that many milliseconds. */
bool fy_wait_is_vain(const struct fy_bounds *bounds, int64_t ms);

#endif
