/*
 * A slab's chunks are mappings aligned to their size, so that a piece's address leads to its chunk:
 *
 *     | struct fy_slab_chunk | piece | piece | ... | never used so far ... |
 *
 * Under AddressSanitizer and Valgrind pieces are malloc()'s, whose mistakes these find.
 */
#include "base/slab.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/cache_line.h"

#if defined(__has_include)
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif
#endif

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SLAB_ASAN 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define SLAB_ASAN 1
#endif

struct fy_slab_chunk {
    struct fy_slab_chunk *next, *prev; /* in slab->open, while it has a free piece */
    void *free;                        /* given back, linked by their first words */
    size_t used;                       /* pieces in use */
    size_t begun;                      /* pieces that were ever used: those behind are untouched */
    _Alignas(FY_CACHE_LINE) char pieces[];
};

static bool is_checked(void)
{
#if defined(SLAB_ASAN)
    return true;
#elif defined(RUNNING_ON_VALGRIND)
    return RUNNING_ON_VALGRIND != 0;
#else
    return false;
#endif
}

/* Pieces begin where a line of the cache does: one of 128 bytes would lie in three else. */
static size_t piece_bytes(const struct fy_slab *slab)
{
    return (slab->bytes + FY_CACHE_LINE - 1) / FY_CACHE_LINE * FY_CACHE_LINE;
}

static size_t pieces_in(const struct fy_slab *slab)
{
    return (slab->chunk_bytes - offsetof(struct fy_slab_chunk, pieces)) / piece_bytes(slab);
}

static struct fy_slab_chunk *chunk_of(const struct fy_slab *slab, void *piece)
{
    char *bytes = piece;
    return (struct fy_slab_chunk *)(bytes - ((uintptr_t)bytes & (slab->chunk_bytes - 1)));
}

static void enlist(struct fy_slab *slab, struct fy_slab_chunk *chunk)
{
    chunk->prev = NULL;
    chunk->next = slab->open;
    if (chunk->next != NULL) {
        chunk->next->prev = chunk;
    }
    slab->open = chunk;
}

static void delist(struct fy_slab *slab, struct fy_slab_chunk *chunk)
{
    if (chunk->next != NULL) {
        chunk->next->prev = chunk->prev;
    }
    if (chunk->prev != NULL) {
        chunk->prev->next = chunk->next;
    } else {
        slab->open = chunk->next;
    }
}

/* Twice the size has an aligned half in it; what lies around that goes back. */
static struct fy_slab_chunk *chunk_map(size_t bytes)
{
    char *mapping = mmap(NULL, 2 * bytes, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapping == MAP_FAILED) {
        return NULL;
    }
    size_t before = (bytes - ((uintptr_t)mapping & (bytes - 1))) & (bytes - 1);
    if (before > 0) {
        munmap(mapping, before);
    }
    munmap(mapping + before + bytes, bytes - before);
    return (struct fy_slab_chunk *)(mapping + before); /* all zero */
}

static void *take_from(struct fy_slab *slab, struct fy_slab_chunk *chunk)
{
    void *piece = chunk->free;
    if (piece != NULL) {
        chunk->free = *(void **)piece;
    } else {
        piece = chunk->pieces + chunk->begun++ * piece_bytes(slab);
    }
    if (chunk->used++ == 0) {
        slab->empty--;
    }
    if (chunk->used == pieces_in(slab)) {
        delist(slab, chunk);
    }
    return piece;
}

void *fy_slab_take(struct fy_slab *slab)
{
    if (is_checked()) {
        return malloc(slab->bytes);
    }
    pthread_mutex_lock(&slab->lock);
    if (slab->open == NULL) {
        struct fy_slab_chunk *chunk = chunk_map(slab->chunk_bytes);
        if (chunk != NULL) {
            enlist(slab, chunk);
            slab->empty++;
        }
    }
    void *piece = slab->open != NULL ? take_from(slab, slab->open) : NULL;
    pthread_mutex_unlock(&slab->lock);
    return piece;
}

void fy_slab_give(struct fy_slab *slab, void *piece)
{
    if (piece == NULL || is_checked()) {
        free(piece);
        return;
    }
    struct fy_slab_chunk *chunk = chunk_of(slab, piece);
    pthread_mutex_lock(&slab->lock);
    *(void **)piece = chunk->free;
    chunk->free = piece;
    if (chunk->used == pieces_in(slab)) {
        enlist(slab, chunk);
    }
    if (--chunk->used == 0 && slab->empty++ > 0) {
        slab->empty--;
        delist(slab, chunk);
        munmap(chunk, slab->chunk_bytes);
    }
    pthread_mutex_unlock(&slab->lock);
}
