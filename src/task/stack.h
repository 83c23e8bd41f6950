/*
 * Stacks for tasks: carved from slabs, guarded, used again. Shared by all threads, with a lock of
 * its own that nothing else is taken under.
 */
#ifndef FY_TASK_STACK_H
#define FY_TASK_STACK_H

#include <stddef.h>

enum fy_stack_kind {
    FY_STACK_SMALL, /* 64 KiB reserved: the library's own loops */
    FY_STACK_LARGE, /* 256 KiB reserved: users' functions, name lookups, handshakes */
    FY_STACK_KINDS
};

struct fy_stack {
    char *low;  /* first usable byte; the guard lies right below */
    char *high; /* one past the last */
    void *slot; /* stack.c's */
};

/* A stack whose pages are reserved, not yet resident. -1 when out of memory. */
int fy_stack_new(struct fy_stack *stack, enum fy_stack_kind kind);

/* Gives it back. Nobody may be running on it. */
void fy_stack_free(struct fy_stack *stack);

/* Gives the pages of free stacks back that are kept for the next ones: nothing has happened for
 * long. */
void fy_stacks_cool(void);

#endif
