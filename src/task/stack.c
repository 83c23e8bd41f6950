/*
 * Slab stacks. A slab is one mapping of 4 MiB, cut into slots of one size; a slot is a guard and,
 * above it, a stack that grows down towards the guard:
 *
 *     | guard | stack ... <- top || guard | stack ... <- top || ...
 *
 * Free slots are used last in, first out, so that the warm ones come back first. A few of them keep
 * their pages; those beyond have theirs given back to the system. A slab whose slots are all free
 * goes back whole, once what is promised has its places elsewhere, with some to spare.
 */
#include "task/stack.h"

#include <pthread.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fork.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102 /* Linux 6.13; C libraries learn the name later */
#endif

#define SLAB_BYTES ((size_t)4 << 20)

/* How many free stacks of a kind keep their touched pages. */
#define WARM_STACKS 64

#if defined(FY_ASAN) || defined(FY_TSAN)
#define INSTRUMENTED 4 /* instrumented frames are larger */
#else
#define INSTRUMENTED 1
#endif

/* At the beginning of its mapping: from malloc() it would lie, for as long as there are
 * connections, in the midst of what comes and goes with their requests. */
struct fy_stack_slab {
    struct fy_link link; /* in its kind's list of slabs */
    size_t bytes;        /* of the mapping */
    enum fy_stack_kind kind;
    size_t slots, used;
    struct fy_stack slot[];
};

/* All guarded by lock. What always holds: slots >= promised, and no more are in use than are
 * promised. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
FY_HELD_OVER_FORK(lock)
static struct {
    struct fy_link free; /* of slots; warm ones first */
    size_t warm;         /* how many of them keep their pages */
    size_t slots;        /* in all slabs */
    size_t promised;
    unsigned colour; /* counts up: slot_new() */
    /* All of them, those with no slot in use first. (Of one in full use only its stacks know else,
     * which no leak checker looks into.) */
    struct fy_link slabs;
    bool ready;
} kinds[FY_STACK_KINDS];

/* A guard is as wide as code which probes its stack on the way down takes it to be, so that no
 * frame of such code steps over it: a page, on AArch64 64 KiB (what its compilers assume unless
 * told otherwise). */
#if defined(__aarch64__)
#define PROBE_DISTANCE ((size_t)64 << 10)
#else
#define PROBE_DISTANCE ((size_t)4 << 10)
#endif

static size_t guard_bytes(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return page > PROBE_DISTANCE ? page : PROBE_DISTANCE;
}

static size_t slot_bytes(enum fy_stack_kind kind)
{
    /* With pages of 64 KiB (some AArch64 kernels) a small stack still has room above its guard. */
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t bytes = (size_t)(kind == FY_STACK_SMALL ? 64 : 256) * 1024 * INSTRUMENTED;
    return (bytes < 4 * page ? 4 * page : bytes) + guard_bytes() - page;
}

/* Whether the kernel knows guard pages that split no mapping. Who says yes to any advice, as some
 * emulators do, has understood none. */
static bool knows_guards(char *start, size_t bytes)
{
    return madvise(start, bytes, -1) != 0 && madvise(start, bytes, MADV_GUARD_INSTALL) == 0;
}

static void slab_unmap(struct fy_stack_slab *slab)
{
    for (size_t i = 0; i < slab->slots; i++) {
        fy_sanitizer_stack_free(slab->slot[i].valgrind);
    }
#ifdef FY_ASAN
    __asan_unpoison_memory_region(slab, slab->bytes);
#endif
    munmap(slab, slab->bytes);
}

/* Stacks end at multiples of 64 KiB, so that the same frame of every task would fall into the same
 * few sets of the processor's caches: each ends some cache lines lower than the last, within its
 * highest page. */
static void slot_new(struct fy_stack_slab *slab, char *start, size_t guard, size_t bytes)
{
    struct fy_stack *slot = &slab->slot[slab->slots];
    slot->slab = slab;
    slot->low = start + guard;
    slot->high = start + bytes - (size_t)(kinds[slab->kind].colour++ % 32) * 64;
    slot->valgrind = fy_sanitizer_stack_new(slot->low, slot->high);
    fy_list_init(&slot->link);
}

static struct fy_stack_slab *slab_new(enum fy_stack_kind kind)
{
    size_t guard = guard_bytes();
    size_t bytes = slot_bytes(kind);
    size_t slots = SLAB_BYTES / bytes;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t head =
        (sizeof(struct fy_stack_slab) + slots * sizeof(struct fy_stack) + page - 1) & ~(page - 1);
    struct fy_stack_slab *slab =
        mmap(NULL, head + SLAB_BYTES, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (slab == MAP_FAILED) {
        return NULL;
    }
    /* A huge page would make one touched byte of a stack cost 2 MiB. */
    (void)madvise(slab, head + SLAB_BYTES, MADV_NOHUGEPAGE);
    slab->bytes = head + SLAB_BYTES;
    slab->kind = kind;
    char *stacks = (char *)slab + head;
    bool light = knows_guards(stacks, guard);
    for (; slab->slots < slots; slab->slots++) {
        char *start = stacks + slab->slots * bytes;
        if (!(light && madvise(start, guard, MADV_GUARD_INSTALL) == 0) &&
            mprotect(start, guard, PROT_NONE) != 0) {
            slab_unmap(slab);
            return NULL;
        }
        slot_new(slab, start, guard, bytes);
    }
    return slab;
}

/* --------------------------------------------------------------------------------- promises */

/* Under lock: one slab more. */
static int grow(enum fy_stack_kind kind)
{
    struct fy_stack_slab *slab = slab_new(kind);
    if (slab == NULL) {
        return -1;
    }
    for (size_t i = slab->slots; i-- > 0;) {
        fy_list_push_back(&kinds[kind].free, &slab->slot[i].link);
    }
    fy_list_push_front(&kinds[kind].slabs, &slab->link);
    kinds[kind].slots += slab->slots;
    return 0;
}

/* Under lock: the slab, whose slots are all free, goes back to the system. */
static void slab_release(struct fy_stack_slab *slab)
{
    fy_list_remove(&slab->link);
    for (size_t i = 0; i < slab->slots; i++) {
        fy_list_remove(&slab->slot[i].link);
        if (slab->slot[i].warm) {
            kinds[slab->kind].warm--;
        }
    }
    kinds[slab->kind].slots -= slab->slots;
    slab_unmap(slab);
}

/* Under lock: slabs that are not in use, nor needed for what is promised, go back, but for the
 * places of one more. */
static void shrink(enum fy_stack_kind kind)
{
    while (!fy_list_empty(&kinds[kind].slabs)) {
        struct fy_stack_slab *first =
            FY_CONTAINER(kinds[kind].slabs.next, struct fy_stack_slab, link);
        if (first->used > 0 || kinds[kind].slots < kinds[kind].promised + 2 * first->slots) {
            break;
        }
        slab_release(first);
    }
}

int fy_stacks_promise(enum fy_stack_kind kind, size_t count)
{
    int result = 0;
    pthread_mutex_lock(&lock);
    if (!kinds[kind].ready) {
        fy_list_init(&kinds[kind].free);
        fy_list_init(&kinds[kind].slabs);
        kinds[kind].ready = true;
    }
    while (kinds[kind].slots < kinds[kind].promised + count && result == 0) {
        result = grow(kind);
    }
    if (result == 0) {
        kinds[kind].promised += count;
    }
    pthread_mutex_unlock(&lock);
    return result;
}

void fy_stacks_unpromise(enum fy_stack_kind kind, size_t count)
{
    pthread_mutex_lock(&lock);
    kinds[kind].promised -= count;
    shrink(kind);
    pthread_mutex_unlock(&lock);
}

/* ---------------------------------------------------------------------------------- stacks */

struct fy_stack *fy_stack_take(enum fy_stack_kind kind)
{
    pthread_mutex_lock(&lock);
    struct fy_stack *stack =
        FY_CONTAINER(fy_list_pop_front(&kinds[kind].free), struct fy_stack, link);
    struct fy_stack_slab *slab = stack->slab;
    if (stack->warm) {
        stack->warm = false;
        kinds[kind].warm--;
    }
    if (slab->used++ == 0) {
        fy_list_remove(&slab->link);
        fy_list_push_back(&kinds[kind].slabs, &slab->link);
    }
    pthread_mutex_unlock(&lock);
    return stack;
}

void fy_stack_prepare(struct fy_stack *stack, void (*entry)(void *arg), void *arg)
{
    size_t size = (size_t)(stack->high - stack->low);
    fy_sanitizer_stack_use(stack->low, size);
    fy_sanitizer_begin(&stack->sanitizer, stack->low, size);
    stack->stopped = fy_switch_prepare(stack->low, stack->high, entry, arg);
}

static void drop_pages(const struct fy_stack *stack)
{
    (void)madvise(stack->low, (size_t)(stack->high - stack->low), MADV_DONTNEED);
}

/* Under lock. */
static void give(struct fy_stack *stack)
{
    struct fy_stack_slab *slab = stack->slab;
    enum fy_stack_kind kind = slab->kind;
    if (kinds[kind].warm < WARM_STACKS) {
        stack->warm = true;
        kinds[kind].warm++;
        fy_list_push_front(&kinds[kind].free, &stack->link);
    } else {
        drop_pages(stack);
        fy_list_push_back(&kinds[kind].free, &stack->link);
    }
    if (--slab->used == 0) {
        fy_list_remove(&slab->link);
        fy_list_push_front(&kinds[kind].slabs, &slab->link);
    }
}

void fy_stack_give(struct fy_stack *stack)
{
    enum fy_stack_kind kind = stack->slab->kind;
    pthread_mutex_lock(&lock);
    give(stack);
    shrink(kind);
    pthread_mutex_unlock(&lock);
}

struct fy_stack *fy_stack_new(enum fy_stack_kind kind)
{
    return fy_stacks_promise(kind, 1) == 0 ? fy_stack_take(kind) : NULL;
}

void fy_stack_free(struct fy_stack *stack)
{
    enum fy_stack_kind kind = stack->slab->kind;
    pthread_mutex_lock(&lock);
    give(stack);
    kinds[kind].promised--;
    shrink(kind);
    pthread_mutex_unlock(&lock);
}

void fy_stacks_cool(void)
{
    pthread_mutex_lock(&lock);
    for (int kind = 0; kind < FY_STACK_KINDS; kind++) {
        while (kinds[kind].warm > 0) {
            struct fy_stack *stack = FY_CONTAINER(kinds[kind].free.next, struct fy_stack, link);
            stack->warm = false;
            kinds[kind].warm--;
            drop_pages(stack);
            fy_list_remove(&stack->link);
            fy_list_push_back(&kinds[kind].free, &stack->link);
        }
    }
    pthread_mutex_unlock(&lock);
}
