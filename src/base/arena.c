/*
 * The arena: chunks of growing size, each filled from its beginning. Used by responses and requests
 * for header fields; one user at a time. Under AddressSanitizer what was not handed out is
 * poisoned, with a gap after every allocation, so that the arena hides no overrun.
 */
#include "base/arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#endif

#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#define GAP _Alignof(max_align_t)
#else
#define ASAN_POISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#define GAP 0
#endif

/* The first chunk is of a size that malloc() keeps ready for the thread which freed one (in the GNU C
 * library up to 1,032 bytes); later ones double. */
#define FIRST_CHUNK ((size_t)1024 - sizeof(struct fy_arena_chunk))
#define LARGEST_CHUNK ((size_t)64 * 1024)

struct fy_arena_chunk {
    struct fy_arena_chunk *next; /* older */
    size_t size;                 /* of bytes */
    size_t used;                 /* of bytes; a multiple of the strictest alignment */
    bool lent;                   /* it is not malloc()'s */
    _Alignas(max_align_t) char bytes[];
};

static void begin(struct fy_arena_chunk *chunk, size_t size, bool lent)
{
    chunk->next = NULL;
    chunk->size = size;
    chunk->used = 0;
    chunk->lent = lent;
    ASAN_POISON_MEMORY_REGION(chunk->bytes, size);
}

void fy_arena_lend(struct fy_arena *arena, void *memory, size_t size)
{
    arena->chunks = memory;
    begin(arena->chunks, size - sizeof *arena->chunks, true);
}

static struct fy_arena_chunk *new_chunk(size_t size)
{
    struct fy_arena_chunk *chunk = malloc(sizeof(*chunk) + size);
    if (chunk != NULL) {
        begin(chunk, size, false);
    }
    return chunk;
}

/* Room for size bytes: a chunk that becomes the newest, or, for something large, one of
 * its own behind the newest, whose remaining room is not given up for it. */
static __attribute__((noinline)) struct fy_arena_chunk *grow(struct fy_arena *arena, size_t size)
{
    struct fy_arena_chunk *newest = arena->chunks;
    size_t next_size = newest == NULL ? FIRST_CHUNK : newest->size * 2;
    if (next_size > LARGEST_CHUNK) {
        next_size = LARGEST_CHUNK;
    }
    bool large = size > next_size / 2;
    struct fy_arena_chunk *chunk = new_chunk(large ? size : next_size);
    if (chunk == NULL) {
        return NULL;
    }
    if (large && newest != NULL) {
        chunk->next = newest->next;
        newest->next = chunk;
    } else {
        chunk->next = newest;
        arena->chunks = chunk;
    }
    return chunk;
}

void *fy_arena_alloc(struct fy_arena *arena, size_t size)
{
    const size_t mask = _Alignof(max_align_t) - 1;
    if (size > SIZE_MAX / 2) {
        return NULL;
    }
    size_t taken = (size + GAP + mask) & ~mask;
    struct fy_arena_chunk *chunk = arena->chunks;
    if (chunk == NULL || chunk->size - chunk->used < taken) {
        chunk = grow(arena, taken);
        if (chunk == NULL) {
            return NULL;
        }
    }
    void *bytes = chunk->bytes + chunk->used;
    chunk->used += taken;
    ASAN_UNPOISON_MEMORY_REGION(bytes, size);
    return bytes;
}

char *fy_arena_copy(struct fy_arena *arena, const char *bytes, size_t len)
{
    if (len == SIZE_MAX) {
        return NULL;
    }
    char *copy = fy_arena_alloc(arena, len + 1);
    if (copy != NULL) {
        if (len > 0) {
            memcpy(copy, bytes, len);
        }
        copy[len] = '\0';
    }
    return copy;
}

void fy_arena_free(struct fy_arena *arena)
{
    struct fy_arena_chunk *chunk = arena->chunks;
    arena->chunks = NULL;
    while (chunk != NULL) {
        struct fy_arena_chunk *next = chunk->next;
        ASAN_UNPOISON_MEMORY_REGION(chunk->bytes, chunk->size);
        if (!chunk->lent) {
            free(chunk);
        }
        chunk = next;
    }
}

size_t fy_arena_bytes(const struct fy_arena *arena)
{
    size_t bytes = 0;
    for (const struct fy_arena_chunk *chunk = arena->chunks; chunk != NULL; chunk = chunk->next) {
        bytes += sizeof *chunk + chunk->size;
    }
    return bytes;
}
