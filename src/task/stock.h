/*
 * A scheduler's stock of stacks: those on which loops had their turns a moment ago, for the next
 * turns. Last in, first out, so that the next turn finds its stack in the processor's cache, and
 * under no lock but the scheduler's. A thread that has taken one runs the function that takes turns
 * (sched.c), which stops in its own loop whenever the stack comes here.
 */
#ifndef FY_TASK_STOCK_H
#define FY_TASK_STOCK_H

#include <stdbool.h>

#include "base/list.h"
#include "task/stack.h"

struct fy_stock {
    struct fy_link stacks; /* of fy_stack, the last used first */
    unsigned count;
    bool open; /* stacks are promised for its places */
};

void fy_stock_init(struct fy_stock *stock);

/* The last used, or a new one, on which take_turns(stack) begins. For a loop, to which it is
 * promised: so there is one. */
struct fy_stack *fy_stock_take(struct fy_stock *stock, void (*take_turns)(void *stack));

/* False: there is no room for it. */
bool fy_stock_put(struct fy_stock *stock, struct fy_stack *stack);

/* Gives all of them back. */
void fy_stock_free(struct fy_stock *stock);

#endif
