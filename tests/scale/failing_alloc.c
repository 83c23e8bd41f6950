/*
 * The allocator's doors. alloc_real_… is what lies behind each: the linker's --wrap gives it where these
 * are called __wrap_…, the C library has it under a name of its own where these are malloc itself.
 */
#include "failing_alloc.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#ifdef ALLOC_WRAPPED
#define DOOR(name) __wrap_##name
#define REAL(name) __real_##name
#else
#define DOOR(name) name
#define REAL(name) __libc_##name
#endif

void *REAL(malloc)(size_t size);
void *REAL(calloc)(size_t count, size_t size);
void *REAL(realloc)(void *old, size_t size);
void REAL(free)(void *memory);
void *__real_mmap(void *place, size_t len, int access, int flags, int fd, off_t offset);

void *DOOR(malloc)(size_t size);
void *DOOR(calloc)(size_t count, size_t size);
void *DOOR(realloc)(void *old, size_t size);
void DOOR(free)(void *memory);
void *__wrap_mmap(void *place, size_t len, int access, int flags, int fd, off_t offset);

static _Thread_local struct {
    bool counted;
    bool all_after;
    long until; /* the next ones that succeed, plus one; 0: none fails */
    long failed;
} mine;

static atomic_long living;

void alloc_fail_at(long number, bool all_after)
{
    mine.counted = true;
    mine.all_after = all_after;
    mine.until = number;
    mine.failed = 0;
}

long alloc_fail_none(void)
{
    mine.until = 0;
    return mine.failed;
}

long alloc_living(void)
{
    return atomic_load(&living);
}

static bool fails(void)
{
    if (mine.until == 0 || --mine.until > 0) {
        return false;
    }
    mine.until = mine.all_after ? 1 : 0;
    mine.failed++;
    errno = ENOMEM;
    return true;
}

static void *counted(void *memory, long by)
{
    if (mine.counted && memory != NULL) {
        atomic_fetch_add(&living, by);
    }
    return memory;
}

void *DOOR(malloc)(size_t size)
{
    return fails() ? NULL : counted(REAL(malloc)(size), 1);
}

void *DOOR(calloc)(size_t count, size_t size)
{
    return fails() ? NULL : counted(REAL(calloc)(count, size), 1);
}

void *DOOR(realloc)(void *old, size_t size)
{
    if (fails()) {
        return NULL;
    }
    void *memory = REAL(realloc)(old, size);
    return old == NULL ? counted(memory, 1) : memory;
}

void DOOR(free)(void *memory)
{
    counted(memory, -1);
    REAL(free)(memory);
}

/* Stacks. What is unmapped is not counted. */
void *__wrap_mmap(void *place, size_t len, int access, int flags, int fd, off_t offset)
{
    return fails() ? MAP_FAILED : __real_mmap(place, len, access, flags, fd, offset);
}

#ifdef ALLOC_WRAPPED
/* Where malloc itself is not ours, what the C library allocates for its caller is not either. */
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t most);

char *__wrap_strndup(const char *text, size_t most)
{
    size_t len = strnlen(text, most);
    char *copy = DOOR(malloc)(len + 1);
    if (copy != NULL) {
        memcpy(copy, text, len);
        copy[len] = '\0';
    }
    return copy;
}

char *__wrap_strdup(const char *text)
{
    return __wrap_strndup(text, SIZE_MAX);
}
#endif
