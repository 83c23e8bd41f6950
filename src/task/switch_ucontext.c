/*
 * Switching stacks with ucontext, for machines without assembly of ours (and for a build that asks
 * for it). It costs two system calls a switch, since swapcontext keeps the signal mask; nothing
 * else differs.
 */
#include "task/switch.h"

#include <stdint.h>
#include <stdlib.h>
#include <ucontext.h>

/* makecontext passes ints: a pointer goes in two halves. */
static void begin(unsigned entry_high, unsigned entry_low, unsigned arg_high, unsigned arg_low)
{
    void (*entry)(void *) =
        (void (*)(void *))(uintptr_t)(((uint64_t)entry_high << 32) | (uint64_t)entry_low);
    entry((void *)(uintptr_t)(((uint64_t)arg_high << 32) | (uint64_t)arg_low));
}

/* Apart, because to the compiler getcontext may return twice, with its caller's variables lost. */
static __attribute__((noinline)) int capture(ucontext_t *context)
{
    return getcontext(context);
}

/* The context lies at the high end, where the stack's pages are touched anyway. */
fy_stopped fy_switch_prepare(void *low, void *high, void (*entry)(void *arg), void *arg)
{
    uintptr_t place = ((uintptr_t)high - sizeof(ucontext_t)) & ~(uintptr_t)63;
    ucontext_t *context = (ucontext_t *)place;
    if (capture(context) != 0) {
        return NULL;
    }
    context->uc_stack.ss_sp = low;
    context->uc_stack.ss_size = place - (uintptr_t)low;
    context->uc_link = NULL;
    uint64_t function = (uintptr_t)entry;
    uint64_t argument = (uintptr_t)arg;
    makecontext(context, (void (*)(void))begin, 4, (unsigned)(function >> 32), (unsigned)function,
                (unsigned)(argument >> 32), (unsigned)argument);
    return context;
}

int fy_switch_adopt(fy_stopped *self)
{
    *self = malloc(sizeof(ucontext_t));
    return *self != NULL ? 0 : -1;
}

void fy_switch_forget(fy_stopped *self)
{
    free(*self);
    *self = NULL;
}

void fy_switch(fy_stopped *from, fy_stopped to)
{
    swapcontext(*from, to);
}
