/*
 * Time as everything here measures it: nanoseconds of the monotonic clock, in an int64_t.
 */
#ifndef FY_TASK_CLOCK_H
#define FY_TASK_CLOCK_H

#include <stdint.h>
#include <time.h>

#define FY_NEVER INT64_MAX
#define FY_MILLISECOND INT64_C(1000000)

static inline int64_t fy_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* The time ms from now; FY_NEVER for a negative ms and for one beyond all time. */
static inline int64_t fy_after_ms(int64_t ms)
{
    if (ms < 0 || ms > INT64_MAX / FY_MILLISECOND / 2) {
        return FY_NEVER;
    }
    return fy_now() + ms * FY_MILLISECOND;
}

#endif
