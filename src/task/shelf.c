/*
 * Putting stacks away. A timer of the scheduler's looks for tasks that may be, as long as there are any
 * that are still in place.
 */
#include "task/shelf.h"

#include <string.h>
#include <sys/mman.h>

#include "base/slab.h"
#include "task/clock.h"

int64_t fy_shelf_after = 1000 * FY_MILLISECOND;

/* How often that is looked at, in parts of that time: the first, as long as there is something to be
 * put away; then, with thousands of connections all at work, ever more seldom, since a look walks over
 * all tasks. */
#define LOOK_EVERY (fy_shelf_after / 2)
#define LOOK_AT_LEAST_EVERY (fy_shelf_after * 2)

/* Room for the live bytes of a loop's stack, and of one that waits beneath TLS. A stack with more of
 * them stays in place. */
#define SHELF_BYTES 448
#ifdef FY_TSAN
#define DEEP_SHELF_BYTES 2048 /* its frames are larger */
#else
#define DEEP_SHELF_BYTES 1024
#endif

FY_SLAB_STATIC(shelves, SHELF_BYTES, FY_SLAB_CHUNK)
FY_SLAB_STATIC(deep_shelves, DEEP_SHELF_BYTES, FY_SLAB_CHUNK)

/* Under AddressSanitizer and Valgrind a copy of a stack touches what nobody else may; and where
 * ucontext switches, only it knows how far down a stack is live. */
static bool can_shelve(void)
{
#if defined(FY_ASAN) || defined(FERRY_SWITCH_UCONTEXT)
    return false;
#elif defined(RUNNING_ON_VALGRIND)
    return !RUNNING_ON_VALGRIND;
#else
    return true;
#endif
}

/* Constant while it is parked. */
static size_t live_bytes(const struct fy_task *task)
{
    return (size_t)(task->top - (char *)task->stopped);
}

static struct fy_slab *slab_for(size_t len)
{
    return len <= SHELF_BYTES ? &shelves : len <= DEEP_SHELF_BYTES ? &deep_shelves : NULL;
}

static void put_away(struct fy_task *task)
{
    size_t len = live_bytes(task);
    struct fy_slab *slab = slab_for(len);
    void *shelf = slab != NULL ? fy_slab_take(slab) : NULL;
    if (shelf != NULL) {
        memcpy(shelf, task->stopped, len);
        task->shelf = shelf;
        (void)madvise(task->stack.low, (size_t)(task->stack.high - task->stack.low), MADV_DONTNEED);
    }
}

void fy_shelf_put_back(struct fy_task *task)
{
    memcpy(task->stopped, task->shelf, live_bytes(task));
    fy_shelf_drop(task);
}

void fy_shelf_drop(struct fy_task *task)
{
    if (task->shelf == NULL) {
        return;
    }
    fy_slab_give(slab_for(live_bytes(task)), task->shelf);
    task->shelf = NULL;
}

/* Whether the cases of its select are on its own stack, where others would look for them: whoever said
 * that nothing is there may have come to park deeper down, for another reason (two tasks that want to
 * fill one TLS stream's buffer, say). */
static bool selects_on_stack(const struct fy_task *task)
{
    const char *cases = (const char *)task->select.cases;
    return cases >= task->stack.low && cases < task->stack.high;
}

/* A task that polls on its way to park is still on its stack: it is the current one. */
static bool is_at_rest(const struct fy_sched *sched, const struct fy_task *task)
{
    return task->shelvable && task->shelf == NULL && task->why != NULL && !task->woken &&
           task != sched->current && !selects_on_stack(task);
}

/* Every connection has been idle for long: what is kept at hand for the next request is not at hand
 * for much. */
static void give_back_spares(struct fy_sched *sched)
{
    fy_spares_free(&sched->spares);
    fy_spares_free(&sched->exchanges);
    fy_spares_free(&sched->responses);
    fy_stacks_cool();
}

static void look(struct fy_timer *timer)
{
    struct fy_sched *sched = FY_CONTAINER(timer, struct fy_sched, shelving);
    bool more = false;
    bool found = false;
    FY_LIST_EACH(link, &sched->tasks)
    {
        struct fy_task *task = FY_CONTAINER(link, struct fy_task, all);
        if (is_at_rest(sched, task) && sched->now - task->since >= fy_shelf_after) {
            put_away(task);
            found = true;
        }
        more = more || (task->shelvable && task->shelf == NULL);
    }
    sched->look_every = found                                     ? LOOK_EVERY
                        : sched->look_every < LOOK_AT_LEAST_EVERY ? sched->look_every * 2
                                                                  : LOOK_AT_LEAST_EVERY;
    if (more) {
        fy_timer_arm(&sched->timers, timer, sched->now + sched->look_every, look);
    } else {
        give_back_spares(sched);
    }
}

void fy_shelf_allow(struct fy_task *self)
{
    self->shelvable = can_shelve();
    fy_shelf_watch(self);
}

void fy_shelf_watch(const struct fy_task *task)
{
    struct fy_sched *sched = task->sched;
    if (task->shelvable && task->shelf == NULL && !sched->shelving.armed) {
        sched->look_every = LOOK_EVERY;
        fy_timer_arm(&sched->timers, &sched->shelving, sched->now + fy_shelf_after, look);
    }
}
