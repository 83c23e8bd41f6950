/*
 * Putting stacks away. A timer of the scheduler's looks for tasks that may be, as long as there are any
 * that are still in place.
 */
#include "task/shelf.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "task/clock.h"

/* How long a task has been parked before its stack is put away. */
#define SHELVE_AFTER (1000 * FY_MILLISECOND)

/* How often that is looked at: the first, as long as there is something to be put away; then, with
 * thousands of connections all at work, ever more seldom, since a look walks over all tasks. */
#define LOOK_EVERY (500 * FY_MILLISECOND)
#define LOOK_AT_LEAST_EVERY (2000 * FY_MILLISECOND)

/* The sanitizers and Valgrind know stacks by their addresses, and what was said about the bytes
 * there; and where ucontext switches, only it knows how far down a stack is live. */
static bool can_shelve(void)
{
#if defined(FY_ASAN) || defined(FY_TSAN) || defined(FERRY_SWITCH_UCONTEXT)
    return false;
#elif defined(RUNNING_ON_VALGRIND)
    return !RUNNING_ON_VALGRIND;
#else
    return true;
#endif
}

static void put_away(struct fy_task *task)
{
    char *live = task->stopped;
    size_t len = (size_t)(task->top - live);
    void *shelf = malloc(len);
    if (shelf != NULL) {
        memcpy(shelf, live, len);
        task->shelf = shelf;
        (void)madvise(task->stack.low, (size_t)(task->stack.high - task->stack.low), MADV_DONTNEED);
    }
}

void fy_shelf_put_back(struct fy_task *task)
{
    char *live = task->stopped;
    memcpy(live, task->shelf, (size_t)(task->top - live));
    free(task->shelf);
    task->shelf = NULL;
}

/* A task that polls on its way to park is still on its stack: it is the current one. */
static bool is_at_rest(const struct fy_sched *sched, const struct fy_task *task)
{
    return task->shelvable && task->shelf == NULL && task->why != NULL && !task->woken &&
           task != sched->current;
}

static void look(struct fy_timer *timer)
{
    struct fy_sched *sched = FY_CONTAINER(timer, struct fy_sched, shelving);
    bool more = false;
    bool found = false;
    FY_LIST_EACH(link, &sched->tasks)
    {
        struct fy_task *task = FY_CONTAINER(link, struct fy_task, all);
        if (is_at_rest(sched, task) && sched->now - task->since >= SHELVE_AFTER) {
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
    }
}

void fy_shelf_allow(struct fy_task *self)
{
    struct fy_sched *sched = self->sched;
    self->shelvable = can_shelve();
    if (self->shelvable && !sched->shelving.armed) {
        sched->look_every = LOOK_EVERY;
        fy_timer_arm(&sched->timers, &sched->shelving, sched->now + SHELVE_AFTER, look);
    }
}
