/*
 * Slab stacks. A slab is one mapping of 4 MiB, cut into slots of one size; a slot is a guard and,
 * above it, a stack that grows down towards the guard:
 *
 *     | guard | stack ... <- top || guard | stack ... <- top || ...
 *
 * Free slots are used last in, first out, so that the warm ones come back first. A few of them keep
 * their pages; those beyond have theirs given back to the system, and a slab whose slots are all
 * free goes back whole, but for one spare of each kind.
 */
#include "task/stack.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fork.h"
#include "base/list.h"
#include "task/sanitizer.h"

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

struct slab;

/* Lives in its slab's own array, below the stacks and not in them, so that keeping a free list
 * touches no stack page. */
struct slot {
    struct fy_link link; /* in its kind's free list while free */
    struct slab *slab;
    char *low, *high;
    unsigned valgrind;
    bool warm; /* free with its pages still resident */
};

/* At the beginning of its mapping: from malloc() it would lie, for as long as there are
 * connections, in the midst of what comes and goes with their requests. */
struct slab {
    struct fy_link link; /* in its kind's list of slabs */
    size_t bytes;        /* of the mapping */
    enum fy_stack_kind kind;
    size_t slots, used;
    struct slot slot[];
};

/* All guarded by lock. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
FY_HELD_OVER_FORK(lock)
static struct {
    struct fy_link free; /* of slots; warm ones first */
    size_t warm;         /* how many of them keep their pages */
    size_t empty_slabs;  /* slabs with no slot in use */
    struct fy_link
        slabs; /* all of them: of one in full use only its stacks know else, which no leak
                             checker looks into */
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

static void slab_unmap(struct slab *slab)
{
    for (size_t i = 0; i < slab->slots; i++) {
        fy_sanitizer_stack_free(slab->slot[i].valgrind);
    }
#ifdef FY_ASAN
    __asan_unpoison_memory_region(slab, slab->bytes);
#endif
    munmap(slab, slab->bytes);
}

static struct slab *slab_new(enum fy_stack_kind kind)
{
    size_t guard = guard_bytes();
    size_t bytes = slot_bytes(kind);
    size_t slots = SLAB_BYTES / bytes;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t head = (sizeof(struct slab) + slots * sizeof(struct slot) + page - 1) & ~(page - 1);
    struct slab *slab = mmap(NULL, head + SLAB_BYTES, PROT_READ | PROT_WRITE,
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
        struct slot *slot = &slab->slot[slab->slots];
        char *start = stacks + slab->slots * bytes;
        if (!(light && madvise(start, guard, MADV_GUARD_INSTALL) == 0) &&
            mprotect(start, guard, PROT_NONE) != 0) {
            slab_unmap(slab);
            return NULL;
        }
        slot->slab = slab;
        slot->low = start + guard;
        slot->high = start + bytes;
        slot->valgrind = fy_sanitizer_stack_new(slot->low, slot->high);
        fy_list_init(&slot->link);
    }
    return slab;
}

/* Under lock: makes sure that the free list has a slot. */
static int refill(enum fy_stack_kind kind)
{
    if (!kinds[kind].ready) {
        fy_list_init(&kinds[kind].free);
        fy_list_init(&kinds[kind].slabs);
        kinds[kind].ready = true;
    }
    if (!fy_list_empty(&kinds[kind].free)) {
        return 0;
    }
    struct slab *slab = slab_new(kind);
    if (slab == NULL) {
        return -1;
    }
    for (size_t i = slab->slots; i-- > 0;) {
        fy_list_push_front(&kinds[kind].free, &slab->slot[i].link);
    }
    fy_list_push_back(&kinds[kind].slabs, &slab->link);
    kinds[kind].empty_slabs++;
    return 0;
}

int fy_stack_new(struct fy_stack *stack, enum fy_stack_kind kind)
{
    pthread_mutex_lock(&lock);
    if (refill(kind) != 0) {
        pthread_mutex_unlock(&lock);
        return -1;
    }
    struct slot *slot = FY_CONTAINER(fy_list_pop_front(&kinds[kind].free), struct slot, link);
    if (slot->warm) {
        slot->warm = false;
        kinds[kind].warm--;
    }
    if (slot->slab->used++ == 0) {
        kinds[kind].empty_slabs--;
    }
    pthread_mutex_unlock(&lock);
    *stack = (struct fy_stack){.low = slot->low, .high = slot->high, .slot = slot};
    return 0;
}

/* Under lock: the slab, whose slots are all free, goes back to the system. */
static void slab_release(struct slab *slab)
{
    fy_list_remove(&slab->link);
    for (size_t i = 0; i < slab->slots; i++) {
        fy_list_remove(&slab->slot[i].link);
        if (slab->slot[i].warm) {
            kinds[slab->kind].warm--;
        }
    }
    slab_unmap(slab);
}

void fy_stack_free(struct fy_stack *stack)
{
    struct slot *slot = stack->slot;
    struct slab *slab = slot->slab;
    enum fy_stack_kind kind = slab->kind;
    pthread_mutex_lock(&lock);
    if (kinds[kind].warm < WARM_STACKS) {
        slot->warm = true;
        kinds[kind].warm++;
        fy_list_push_front(&kinds[kind].free, &slot->link);
    } else {
        (void)madvise(slot->low, (size_t)(slot->high - slot->low), MADV_DONTNEED);
        fy_list_push_back(&kinds[kind].free, &slot->link);
    }
    if (--slab->used == 0) {
        if (kinds[kind].empty_slabs >= 1) {
            slab_release(slab);
        } else {
            kinds[kind].empty_slabs++;
        }
    }
    pthread_mutex_unlock(&lock);
    *stack = (struct fy_stack){0};
}

/* The warm ones come first, but for those that have been laid in front of them by a new slab. */
void fy_stacks_cool(void)
{
    pthread_mutex_lock(&lock);
    for (int kind = 0; kind < FY_STACK_KINDS; kind++) {
        if (kinds[kind].warm == 0) {
            continue;
        }
        FY_LIST_EACH(link, &kinds[kind].free)
        {
            struct slot *slot = FY_CONTAINER(link, struct slot, link);
            if (slot->warm) {
                slot->warm = false;
                (void)madvise(slot->low, (size_t)(slot->high - slot->low), MADV_DONTNEED);
                if (--kinds[kind].warm == 0) {
                    break;
                }
            }
        }
    }
    pthread_mutex_unlock(&lock);
}
