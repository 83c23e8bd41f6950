/*
 * Memory of one size that comes and goes with every request: a scheduler keeps a few pieces, so that
 * they cost no lock and their pages stay mapped. Under that scheduler's lock.
 */
#ifndef FY_TASK_SPARE_H
#define FY_TASK_SPARE_H

#include <stddef.h>

#include "base/slab.h"

#define FY_SPARE_BYTES ((size_t)16 * 1024)

/* Pieces of one size; those that are free are linked by their first word. */
struct fy_spares {
    void *first;          /* the one that was given back last; NULL: none */
    unsigned count, most; /* how many there are; how many are kept */
    struct fy_slab *slab; /* where all others are; constant, as most is */
};

/* A piece of the slab's size; NULL when out of memory. */
void *fy_spare_take(struct fy_spares *spares);

/* Gives it back; NULL is fine. */
void fy_spare_give(struct fy_spares *spares, void *buffer);

/* Frees what is kept. */
void fy_spares_free(struct fy_spares *spares);

#endif
