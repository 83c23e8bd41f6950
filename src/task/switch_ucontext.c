/*
 * Switching stacks with ucontext, for machines without assembly of ours (and for a build that asks
 * for it). It costs two system calls a switch, since swapcontext keeps the signal mask; nothing
 * else differs.
 */
#include "task/switch.h"

#include <ferry.h>

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <ucontext.h>

#include "base/debug.h"

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

/* Where a stopped task's registers are, by a debugger's names, from its fy_stopped up; for machines that
 * are not here it can list tasks, and not walk their stacks. */
extern FERRY_API const struct fy_debug_entry ferry_debug_registers[];

#define SAVED(register, member)                                               \
    {                                                                         \
        .name = (register), .offset = (uint32_t)offsetof(ucontext_t, member), \
        .size = (uint32_t)sizeof(uint64_t)                                    \
    }

const struct fy_debug_entry ferry_debug_registers[] = {
#if defined(__x86_64__) && defined(__linux__)
    SAVED("rip", uc_mcontext.gregs[REG_RIP]),
    SAVED("rsp", uc_mcontext.gregs[REG_RSP]),
    SAVED("rbp", uc_mcontext.gregs[REG_RBP]),
    SAVED("rbx", uc_mcontext.gregs[REG_RBX]),
    SAVED("r12", uc_mcontext.gregs[REG_R12]),
    SAVED("r13", uc_mcontext.gregs[REG_R13]),
    SAVED("r14", uc_mcontext.gregs[REG_R14]),
    SAVED("r15", uc_mcontext.gregs[REG_R15]),
#elif defined(__aarch64__) && defined(__linux__)
    SAVED("pc", uc_mcontext.pc),
    SAVED("sp", uc_mcontext.sp),
    SAVED("x30", uc_mcontext.regs[30]),
    SAVED("x29", uc_mcontext.regs[29]),
    SAVED("x19", uc_mcontext.regs[19]),
    SAVED("x20", uc_mcontext.regs[20]),
    SAVED("x21", uc_mcontext.regs[21]),
    SAVED("x22", uc_mcontext.regs[22]),
    SAVED("x23", uc_mcontext.regs[23]),
    SAVED("x24", uc_mcontext.regs[24]),
    SAVED("x25", uc_mcontext.regs[25]),
    SAVED("x26", uc_mcontext.regs[26]),
    SAVED("x27", uc_mcontext.regs[27]),
    SAVED("x28", uc_mcontext.regs[28]),
#endif
    FY_DEBUG_END,
};
