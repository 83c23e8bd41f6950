/*
 * What a task keeps while others run: registers, floating-point modes, errno, its stack. The tasks
 * here disturb each other on purpose between switches.
 */
#include "checked.h"

#include <errno.h>
#include <fenv.h>
#include <stdio.h>
#include <string.h>

#include "task/stack.h"
#include "task/switch.h"

#define ROUNDS 200

/* ---------------------------------------------------------------------------------- registers */

#if defined(__x86_64__) || defined(__aarch64__)

uint64_t keep_registers(void (*call)(void *arg), void *arg, uint64_t seed);

/* fy_switch alone, to and fro between two stacks: nothing lies between it and the registers that
 * could keep them in its stead, as the functions of a scheduler do for their own sake. */
static fy_stopped here, there;
static struct fy_sanitizer_stack here_known, there_known;

static void go_there(void *arg)
{
    (void)arg;
    fy_sanitizer_leave(&here_known, &there_known);
    fy_switch(&here, there);
    fy_sanitizer_arrive(&here_known, &there_known);
}

static void come_back(void *arg)
{
    (void)arg;
    fy_sanitizer_leave(&there_known, &here_known);
    fy_switch(&there, here);
    fy_sanitizer_arrive(&there_known, &here_known);
}

static void other_side(void *arg)
{
    fy_sanitizer_arrive(&there_known, &here_known);
    CHECK(arg == &there);
    for (uint64_t i = 1;; i++) {
        CHECK_INT(keep_registers(come_back, NULL, i << 32), 0);
    }
}

static void a_switch_keeps_callee_saved_registers(void)
{
    struct fy_stack *stack = fy_stack_new(FY_STACK_LARGE);
    CHECK(stack != NULL);
    CHECK_INT(fy_switch_adopt(&here), 0);
    fy_sanitizer_adopt(&here_known);
    fy_sanitizer_stack_use(stack->low, (size_t)(stack->high - stack->low));
    fy_sanitizer_begin(&there_known, stack->low, (size_t)(stack->high - stack->low));
    there = fy_switch_prepare(stack->low, stack->high, other_side, &there);
    for (uint64_t i = 1; i <= ROUNDS; i++) {
        CHECK_INT(keep_registers(go_there, NULL, i), 0);
    }
    fy_switch_forget(&here);
    fy_sanitizer_end(&there_known);
    fy_stack_free(stack);
}

static void yield(void *arg)
{
    (void)arg;
    ferry_yield();
}

static void disturb_registers(void *arg)
{
    uint64_t seed = (uint64_t)(uintptr_t)arg << 40;
    for (uint64_t i = 0; i < ROUNDS; i++) {
        CHECK_INT(keep_registers(yield, NULL, seed + (i << 20)), 0);
    }
}

static void a_yield_keeps_callee_saved_registers(void)
{
    ferry_group *group = ferry_group_new();
    for (uintptr_t i = 1; i <= 3; i++) {
        CHECK_INT(ferry_group_go(group, disturb_registers, (void *)i), 0);
    }
    disturb_registers((void *)4); /* the thread's own stack is switched as any other */
    ferry_group_wait(group);
    ferry_group_free(group);
}

#endif

/* ------------------------------------------------------------------------------ floating point */

/* The division is made here and now: the compiler, which believes in one rounding mode only, can
 * neither know its operands nor move it. */
static double divide(double dividend, double divisor)
{
    __asm__ volatile("" : "+m"(dividend), "+m"(divisor)::"memory");
    double quotient = dividend / divisor;
    __asm__ volatile("" : "+m"(quotient)::"memory");
    return quotient;
}

/* Valgrind keeps the mode, and divides as if there were no such thing. */
static bool rounds_at_all(void)
{
#if defined(RUNNING_ON_VALGRIND)
    return !RUNNING_ON_VALGRIND;
#else
    return true;
#endif
}

static void keep_rounding_mode(void *arg)
{
    int mode = (int)(intptr_t)arg;
    fesetround(mode);
    double third = divide(1, 3);
    for (int i = 0; i < ROUNDS; i++) {
        ferry_yield();
        CHECK_INT(fegetround(), mode);
        CHECK(divide(1, 3) == third);
    }
    double nearest = 0.33333333333333331;
    CHECK(mode == FE_UPWARD && rounds_at_all() ? third > nearest : third <= nearest);
}

static void rounding_mode_is_a_tasks_own(void)
{
    ferry_group *group = ferry_group_new();
    CHECK_INT(ferry_group_go(group, keep_rounding_mode, (void *)(intptr_t)FE_UPWARD), 0);
    CHECK_INT(ferry_group_go(group, keep_rounding_mode, (void *)(intptr_t)FE_DOWNWARD), 0);
    CHECK_INT(ferry_group_go(group, keep_rounding_mode, (void *)(intptr_t)FE_TOWARDZERO), 0);
    ferry_group_wait(group);
    ferry_group_free(group);
    CHECK_INT(fegetround(), FE_TONEAREST);
}

static void see_rounding_mode(void *arg)
{
    *(int *)arg = fegetround();
}

static void rounding_mode_is_inherited(void)
{
    int seen = -1;
    ferry_group *group = ferry_group_new();
    fesetround(FE_UPWARD);
    CHECK_INT(ferry_group_go(group, see_rounding_mode, &seen), 0);
    fesetround(FE_TONEAREST);
    ferry_group_wait(group);
    ferry_group_free(group);
    CHECK_INT(seen, FE_UPWARD);
    CHECK_INT(fegetround(), FE_TONEAREST);
}

#if defined(__x86_64__)

/* The rounding fields of both units: two bits each, up is 2 and down is 1. */
static void set_control_words(unsigned sse, unsigned x87)
{
    uint32_t mxcsr;
    uint16_t control;
    __asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
    __asm__ volatile("fnstcw %0" : "=m"(control));
    mxcsr = (mxcsr & ~(3u << 13)) | sse << 13;
    control = (uint16_t)((control & ~(3u << 10)) | x87 << 10);
    __asm__ volatile("ldmxcsr %0" ::"m"(mxcsr));
    __asm__ volatile("fldcw %0" ::"m"(control));
}

static bool control_words_are(unsigned sse, unsigned x87)
{
    uint32_t mxcsr;
    uint16_t control;
    __asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
    __asm__ volatile("fnstcw %0" : "=m"(control));
    return (mxcsr >> 13 & 3) == sse && (control >> 10 & 3u) == x87;
}

static void keep_control_words(void *arg)
{
    unsigned sse = (uintptr_t)arg & 3;
    unsigned x87 = (uintptr_t)arg >> 2;
    set_control_words(sse, x87);
    for (int i = 0; i < ROUNDS; i++) {
        ferry_yield();
        CHECK(control_words_are(sse, x87));
    }
}

static void both_control_words_are_kept(void)
{
    ferry_group *group = ferry_group_new();
    for (uintptr_t words = 0; words < 16; words++) {
        CHECK_INT(ferry_group_go(group, keep_control_words, (void *)words), 0);
    }
    ferry_group_wait(group);
    ferry_group_free(group);
    CHECK(control_words_are(0, 0));
}

#endif

/* --------------------------------------------------------------------------------------- errno */

static void keep_errno(void *arg)
{
    errno = (int)(intptr_t)arg;
    for (int i = 0; i < ROUNDS; i++) {
        ferry_yield();
        CHECK_INT(errno, (intptr_t)arg);
        if (i % 50 == 0) {
            ferry_sleep(1);
            CHECK_INT(errno, (intptr_t)arg);
        }
    }
}

static void errno_is_a_tasks_own(void)
{
    ferry_group *group = ferry_group_new();
    for (intptr_t i = 1; i <= 5; i++) {
        CHECK_INT(ferry_group_go(group, keep_errno, (void *)i), 0);
    }
    errno = 77;
    ferry_group_wait(group);
    CHECK_INT(errno, 77);
    ferry_group_free(group);
}

/* ----------------------------------------------------------------------------------- the stack */

static __attribute__((noinline)) unsigned recurse(unsigned depth, unsigned seed)
{
    volatile unsigned char frame[1024];
    memset((void *)(uintptr_t)frame, (int)(depth + seed), sizeof frame);
    if (depth % 16 == 0) {
        ferry_yield();
    }
    unsigned below = depth > 0 ? recurse(depth - 1, seed) : 0;
    for (size_t i = 0; i < sizeof frame; i += 64) {
        if (frame[i] != (unsigned char)(depth + seed)) {
            return below + 1;
        }
    }
    return below;
}

static void recurse_deeply(void *arg)
{
    /* Some 170 KiB of the 256 that a user's task has. */
    CHECK_INT(recurse(150, (unsigned)(uintptr_t)arg), 0);
}

static void deep_recursion_is_kept(void)
{
    ferry_group *group = ferry_group_new();
    for (uintptr_t i = 0; i < 5; i++) {
        CHECK_INT(ferry_group_go(group, recurse_deeply, (void *)(i * 37)), 0);
    }
    ferry_group_wait(group);
    ferry_group_free(group);
}

/* Opaque, so that the compiler cannot conclude from the type what the address is. */
static __attribute__((noinline)) uintptr_t misplaced_by(volatile void *place, uintptr_t alignment)
{
    __asm__ volatile("" : "+r"(place));
    return (uintptr_t)place % alignment;
}

static void look_at_alignment(void *arg)
{
    /* Aligned by the compiler only as far as it may rely on the stack at a function's entry. */
    volatile __attribute__((aligned(16))) char vector[16] = {0};
    char text[64];
    CHECK_INT(misplaced_by(vector, 16), 0);
#if defined(__x86_64__)
    /* Faults on an address that is not a multiple of 16. */
    __asm__ volatile("movaps %%xmm0, %0" : "=m"(*(volatile char(*)[16])vector));
#endif
    /* The varargs of the C library are the usual victims of a stack that is 8 bytes off. */
    snprintf(text, sizeof text, "%.3f %.1Lf %d", 1.125, 2.5L, 7);
    CHECK(strcmp(text, "1.125 2.5 7") == 0);
    ++*(int *)arg;
}

static void stack_is_aligned_at_entry(void)
{
    int seen = 0;
    ferry_group *group = ferry_group_new();
    CHECK_INT(ferry_group_go(group, look_at_alignment, &seen), 0);
    ferry_group_wait(group);
    ferry_group_free(group);
    CHECK_INT(seen, 1);

    check_enter();
    check_spawn(look_at_alignment, &seen);
    check_settle();
    fy_leave();
    CHECK_INT(seen, 2);
}

static void use_and_leave(void *arg)
{
    volatile char stack[8000];
    memset((void *)(uintptr_t)stack, (int)(uintptr_t)arg, sizeof stack);
    ferry_yield();
    for (size_t i = 0; i < sizeof stack; i++) {
        if (stack[i] != (char)(uintptr_t)arg) {
            CHECK(stack[i] == (char)(uintptr_t)arg);
            break;
        }
    }
}

/* A stack is left by a task that ends in the middle of things and begun anew by the next. */
static void stacks_are_used_again(void)
{
    ferry_group *group = ferry_group_new();
    for (uintptr_t i = 0; i < 300; i++) {
        CHECK_INT(ferry_group_go(group, use_and_leave, (void *)i), 0);
        if (i % 7 == 0) {
            ferry_group_wait(group);
        }
    }
    ferry_group_wait(group);
    ferry_group_free(group);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#if defined(__x86_64__) || defined(__aarch64__)
        TEST(a_switch_keeps_callee_saved_registers),
        TEST(a_yield_keeps_callee_saved_registers),
#endif
#if defined(__x86_64__)
        TEST(both_control_words_are_kept),
#endif
        TEST(rounding_mode_is_a_tasks_own),
        TEST(rounding_mode_is_inherited),
        TEST(errno_is_a_tasks_own),
        TEST(deep_recursion_is_kept),
        TEST(stack_is_aligned_at_entry),
        TEST(stacks_are_used_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
