/*
 * Slabs: memory in pieces of one size, on pages of its own. For what lives as long as a connection,
 * and for what there is one of for each request under way: were both from malloc(), what stays
 * would lie scattered among what went, and keep its pages resident. Each slab has one kind of piece,
 * so that a page empties when those are gone, and a burst leaves nothing behind. From any thread.
 */
#ifndef FY_BASE_SLAB_H
#define FY_BASE_SLAB_H

#include <pthread.h>
#include <stddef.h>

#include "base/fork.h"

struct fy_slab_chunk;

/* Static, one for each kind of piece. */
struct fy_slab {
    size_t bytes;               /* of a piece; constant */
    size_t chunk_bytes;         /* of a mapping; constant, a power of two */
    pthread_mutex_t lock;       /* guards what follows; nothing is taken under it */
    struct fy_slab_chunk *open; /* chunks with a free piece, in a list */
    size_t empty;               /* how many of them have no piece in use: one is kept */
};

#define FY_SLAB(piece_bytes, bytes_of_chunk)                                                       \
    {                                                                                              \
        .bytes = (piece_bytes), .chunk_bytes = (bytes_of_chunk), .lock = PTHREAD_MUTEX_INITIALIZER \
    }

/* The definition of a static one, whose lock is held over a fork. */
#define FY_SLAB_STATIC(name, piece_bytes, bytes_of_chunk)              \
    static struct fy_slab name = FY_SLAB(piece_bytes, bytes_of_chunk); \
    static __attribute__((constructor)) void name##_is_held(void)      \
    {                                                                  \
        static struct fy_fork_lock known;                              \
        fy_fork_lock_add(&known, &name.lock);                          \
    }

/* What suits pieces of up to 2 KiB. */
#define FY_SLAB_CHUNK ((size_t)64 * 1024)

/* A piece, aligned as malloc()'s at least, with whatever is in it; NULL when out of memory. */
void *fy_slab_take(struct fy_slab *slab);

/* Gives it back; NULL is fine. */
void fy_slab_give(struct fy_slab *slab, void *piece);

#endif
