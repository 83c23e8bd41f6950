/*
 * Stacks for tasks: carved from slabs, guarded, used again. Shared by all threads, with a lock of
 * its own that nothing else is taken under.
 *
 * A stack is promised before it is taken. A promise is address space, without a page: as long as it
 * stands there is a place to be had, so that taking it cannot fail. That is what a task rests on
 * which gives its stack up while it waits, and is given one where nobody could be told of a failure.
 */
#ifndef FY_TASK_STACK_H
#define FY_TASK_STACK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/list.h"
#include "task/sanitizer.h"
#include "task/switch.h"

enum fy_stack_kind {
    FY_STACK_SMALL, /* 64 KiB reserved: the library's own loops */
    FY_STACK_LARGE, /* 256 KiB reserved: users' functions, name lookups, handshakes */
    FY_STACK_KINDS
};

/* Lives in its slab's own array, below the stacks and not in them, so that keeping lists of them
 * touches no stack page. A thread's own has neither bounds nor a slab. */
struct fy_stack {
    struct fy_link link; /* stack.c's while free; a scheduler's while it is in its stock */
    char *low;           /* first usable byte; the guard lies right below */
    char *high;          /* one past the last */
    fy_stopped stopped;  /* the scheduler's: where it goes on when no task has it */
    struct fy_sanitizer_stack sanitizer; /* likewise */
    struct fy_stack_slab *slab;          /* stack.c's */
    unsigned valgrind;                   /* likewise */
    bool warm;                           /* likewise: free with its pages still resident */
};

/* Promises so many more stacks; -1 when out of memory. And takes that back. */
int fy_stacks_promise(enum fy_stack_kind kind, size_t count);
void fy_stacks_unpromise(enum fy_stack_kind kind, size_t count);

/* A promised stack, whose pages are not yet resident; and gives it back, while the promise stands.
 * Nobody may be running on it. */
struct fy_stack *fy_stack_take(enum fy_stack_kind kind);
void fy_stack_give(struct fy_stack *stack);

/* Before a stack is first switched to: entry(arg) begins there, and never returns. */
void fy_stack_prepare(struct fy_stack *stack, void (*entry)(void *arg), void *arg);

/* Promised and taken; NULL when out of memory. And both undone. */
struct fy_stack *fy_stack_new(enum fy_stack_kind kind);
void fy_stack_free(struct fy_stack *stack);

/* Gives the pages of free stacks back that are kept for the next ones: nothing has happened for
 * long. */
void fy_stacks_cool(void);

#endif
