/*
 * pace.h: so many bytes a second and no more (--limit-rate), by sleeping in between. Of one
 * transfer, on its task.
 */
#ifndef CLI_PACE_H
#define CLI_PACE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct pace {
    int64_t rate;       /* bytes a second */
    int64_t started_us; /* 0: not yet */
    int64_t bytes;
};

/* How many bytes to take at a time, len at most: a tenth of a second's worth. */
size_t pace_piece(const struct pace *pace, size_t len);

/* n more bytes have gone; sleeps until they may have. */
void pace_wait(struct pace *pace, ssize_t n);

/* The monotonic clock, in microseconds. */
int64_t clock_us(void);

#endif
