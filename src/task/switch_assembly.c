/*
 * The first frame of a new task, for the machines whose fy_switch is assembly: laid out just as
 * fy_switch leaves a stopped task, so that switching to it for the first time is a switch like any
 * other.
 */
#include "task/switch.h"

#include <ferry.h>

#include <stdint.h>
#include <string.h>

#include "base/debug.h"

void fy_switch_begin(void);

#if defined(__x86_64__)

/* As switch_x86_64.S draws it, from the stack pointer up. */
struct first_frame {
    uint32_t mxcsr;
    uint16_t x87_control;
    uint16_t pad;
    uint64_t r15, r14, r13, r12, rbx, rbp;
    uint64_t return_address;
};

static void fill_frame(struct first_frame *frame, void (*entry)(void *), void *arg)
{
    /* The making task's rounding modes and masks hold in the new one too. */
    __asm__ volatile("stmxcsr %0" : "=m"(frame->mxcsr));
    __asm__ volatile("fnstcw %0" : "=m"(frame->x87_control));
    frame->r12 = (uintptr_t)entry;
    frame->r13 = (uintptr_t)arg;
    frame->return_address = (uintptr_t)fy_switch_begin;
}

#elif defined(__aarch64__)

/* As switch_aarch64.S draws it, from the stack pointer up. */
struct first_frame {
    uint64_t x19, x20, x21_to_x28[8], x29, x30;
    uint64_t d8_to_d15[8];
    uint64_t fpcr, pad;
};

static void fill_frame(struct first_frame *frame, void (*entry)(void *), void *arg)
{
    __asm__ volatile("mrs %0, fpcr" : "=r"(frame->fpcr));
    frame->x19 = (uintptr_t)entry;
    frame->x20 = (uintptr_t)arg;
    frame->x30 = (uintptr_t)fy_switch_begin;
}

#endif

fy_stopped fy_switch_prepare(void *low, void *high, void (*entry)(void *arg), void *arg)
{
    (void)low;
    /* After the frame is popped the stack pointer must be a multiple of 16 at fy_switch_begin,
     * whose call then pushes what the ABI expects at a function's entry. */
    uintptr_t top = ((uintptr_t)high & ~(uintptr_t)15) - 32;
    struct first_frame *frame = (struct first_frame *)(top - sizeof *frame);
    memset(frame, 0, sizeof *frame);
    fill_frame(frame, entry, arg);
    return frame;
}

int fy_switch_adopt(fy_stopped *self)
{
    *self = NULL;
    return 0;
}

void fy_switch_forget(fy_stopped *self)
{
    *self = NULL;
}

/* Where a stopped task's registers are, by a debugger's names, from its fy_stopped up. "frame": where its
 * stack goes on. */
extern FERRY_API const struct fy_debug_entry ferry_debug_registers[];

#define SAVED(register, member)                                                       \
    {                                                                                 \
        .name = (register), .offset = (uint32_t)offsetof(struct first_frame, member), \
        .size = (uint32_t)sizeof(uint64_t)                                            \
    }

const struct fy_debug_entry ferry_debug_registers[] = {
#if defined(__x86_64__)
    SAVED("rip", return_address),
    SAVED("rbp", rbp),
    SAVED("rbx", rbx),
    SAVED("r12", r12),
    SAVED("r13", r13),
    SAVED("r14", r14),
    SAVED("r15", r15),
    {.name = "frame of rsp", .offset = sizeof(struct first_frame)},
#elif defined(__aarch64__)
    SAVED("pc", x30),
    SAVED("x30", x30),
    SAVED("x29", x29),
    SAVED("x19", x19),
    SAVED("x20", x20),
    SAVED("x21", x21_to_x28[0]),
    SAVED("x22", x21_to_x28[1]),
    SAVED("x23", x21_to_x28[2]),
    SAVED("x24", x21_to_x28[3]),
    SAVED("x25", x21_to_x28[4]),
    SAVED("x26", x21_to_x28[5]),
    SAVED("x27", x21_to_x28[6]),
    SAVED("x28", x21_to_x28[7]),
    {.name = "frame of sp", .offset = sizeof(struct first_frame)},
#endif
    FY_DEBUG_END,
};
