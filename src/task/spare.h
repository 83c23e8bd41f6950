/*
 * Buffers of one size that come and go with every request: a scheduler keeps a few of them, so that
 * they cost no call to malloc() and their pages stay mapped. Under that scheduler's lock.
 */
#ifndef FY_TASK_SPARE_H
#define FY_TASK_SPARE_H

#include <stddef.h>

#define FY_SPARE_BYTES ((size_t)16 * 1024)

/* How many a scheduler keeps. */
#define FY_SPARES 16

struct fy_spares {
    void *buffers[FY_SPARES];
    unsigned count;
};

/* A buffer of FY_SPARE_BYTES, from malloc() if there is no spare one; NULL when out of memory. It
 * may also be given to realloc() and free(). */
void *fy_spare_take(struct fy_spares *spares);

/* Gives back a buffer of that size; NULL is fine. */
void fy_spare_give(struct fy_spares *spares, void *buffer);

/* Frees what is kept. */
void fy_spares_free(struct fy_spares *spares);

#endif
