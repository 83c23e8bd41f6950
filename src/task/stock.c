/*
 * The stock. What is in it is in use, as far as stack.c is concerned: so a stack is promised for each
 * of its places, or another thread's loop might find none when it is woken.
 */
#include "task/stock.h"

/* So many loops may be in the midst of something, each with a stack of its own, and find one at hand
 * the next time as well. */
#define STOCK 8

void fy_stock_init(struct fy_stock *stock)
{
    fy_list_init(&stock->stacks);
    stock->count = 0;
    stock->open = false;
}

struct fy_stack *fy_stock_take(struct fy_stock *stock, void (*take_turns)(void *stack))
{
    struct fy_link *last = fy_list_pop_front(&stock->stacks);
    if (last != NULL) {
        stock->count--;
        return FY_CONTAINER(last, struct fy_stack, link);
    }
    struct fy_stack *stack = fy_stack_take(FY_STACK_SMALL);
    fy_stack_prepare(stack, take_turns, stack);
    return stack;
}

bool fy_stock_put(struct fy_stock *stock, struct fy_stack *stack)
{
    if (!stock->open) {
        stock->open = fy_stacks_promise(FY_STACK_SMALL, STOCK) == 0;
    }
    if (!stock->open || stock->count == STOCK) {
        return false;
    }
    fy_list_push_front(&stock->stacks, &stack->link);
    stock->count++;
    return true;
}

void fy_stock_free(struct fy_stock *stock)
{
    struct fy_link *link;
    while ((link = fy_list_pop_front(&stock->stacks)) != NULL) {
        struct fy_stack *stack = FY_CONTAINER(link, struct fy_stack, link);
        fy_sanitizer_end(&stack->sanitizer);
        fy_stack_give(stack);
    }
    stock->count = 0;
    if (stock->open) {
        stock->open = false;
        fy_stacks_unpromise(FY_STACK_SMALL, STOCK);
    }
}
