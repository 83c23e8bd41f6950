/*
 * An arena: many small allocations, one release. A response keeps its head in one.
 */
#ifndef FY_BASE_ARENA_H
#define FY_BASE_ARENA_H

#include <stddef.h>

struct fy_arena_chunk;

/* Zero-filled is empty and ready. */
struct fy_arena {
    struct fy_arena_chunk *chunks; /* newest first; allocation is from the newest */
};

/* Gives an empty arena memory to begin with, aligned for any type and of room for a few allocations:
 * it stays the caller's, who may have it back once fy_arena_free() has been called. */
void fy_arena_lend(struct fy_arena *arena, void *memory, size_t size);

/* size bytes aligned for any type, or NULL when out of memory. Not zeroed. */
void *fy_arena_alloc(struct fy_arena *arena, size_t size);

/* A NUL-terminated copy of len bytes, or NULL. */
char *fy_arena_copy(struct fy_arena *arena, const char *bytes, size_t len);

/* How many bytes it has, lent ones included. */
size_t fy_arena_bytes(const struct fy_arena *arena);

/* Releases everything; the arena is empty again. */
void fy_arena_free(struct fy_arena *arena);

#endif
