/*
 * What the sanitizers and Valgrind must be told about stacks of our own. Each call is nothing in an
 * ordinary build (Valgrind's cost a few instructions when a stack is made, none at a switch).
 */
#ifndef FY_TASK_SANITIZER_H
#define FY_TASK_SANITIZER_H

#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__)
#define FY_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FY_ASAN 1
#endif
#endif

#if defined(__SANITIZE_THREAD__)
#define FY_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define FY_TSAN 1
#endif
#endif

#ifdef FY_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef FY_TSAN
#include <sanitizer/tsan_interface.h>
#endif
#if defined(__has_include)
#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#endif
#endif

/* A stack as the sanitizers know it. */
struct fy_sanitizer_stack {
#ifdef FY_ASAN
    const void *low; /* of a thread's own stack it is learnt at the first switch away */
    size_t size;
    void *fake; /* kept while nobody runs on it */
#endif
#ifdef FY_TSAN
    void *fiber;
#endif
};

/* For a thread's own stack: before its first switch. */
static inline void fy_sanitizer_adopt(struct fy_sanitizer_stack *stack)
{
    (void)stack;
#ifdef FY_TSAN
    stack->fiber = __tsan_get_current_fiber();
#endif
}

/* Before anything is written to a stack of ours, which may have been another task's: where that
 * one's frames were left means nothing any more. */
static inline void fy_sanitizer_stack_use(const void *low, size_t size)
{
    (void)low;
    (void)size;
#ifdef FY_ASAN
    __asan_unpoison_memory_region(low, size);
#endif
#ifdef VALGRIND_MAKE_MEM_UNDEFINED
    (void)VALGRIND_MAKE_MEM_UNDEFINED(low, size);
#endif
}

/* For a stack of ours: before it is first switched to. */
static inline void fy_sanitizer_begin(struct fy_sanitizer_stack *stack, const void *low,
                                      size_t size)
{
    (void)stack;
    (void)low;
    (void)size;
#ifdef FY_ASAN
    stack->low = low;
    stack->size = size;
    stack->fake = NULL;
#endif
#ifdef FY_TSAN
    stack->fiber = __tsan_create_fiber(0);
#endif
}

/* For one that was left for good, when another one is in use. */
static inline void fy_sanitizer_end(struct fy_sanitizer_stack *stack)
{
    (void)stack;
#ifdef FY_TSAN
    __tsan_destroy_fiber(stack->fiber);
#endif
}

/* Right before the switch. from NULL: what is left is left for good. */
static inline void fy_sanitizer_leave(struct fy_sanitizer_stack *from,
                                      struct fy_sanitizer_stack *to)
{
    (void)from;
    (void)to;
#ifdef FY_ASAN
    __sanitizer_start_switch_fiber(from != NULL ? &from->fake : NULL, to->low, to->size);
#endif
#ifdef FY_TSAN
    __tsan_switch_to_fiber(to->fiber, 0);
#endif
}

/* Right after the switch, on the new stack; from is the one that was left. */
static inline void fy_sanitizer_arrive(struct fy_sanitizer_stack *self,
                                       struct fy_sanitizer_stack *from)
{
    (void)self;
    (void)from;
#ifdef FY_ASAN
    __sanitizer_finish_switch_fiber(self->fake, &from->low, &from->size);
#endif
}

/* A stack is made, or given back to the system. The number is Valgrind's. */
static inline unsigned fy_sanitizer_stack_new(const void *low, const void *high)
{
    (void)low;
    (void)high;
#ifdef VALGRIND_STACK_REGISTER
    return VALGRIND_STACK_REGISTER(low, high);
#else
    return 0;
#endif
}

static inline void fy_sanitizer_stack_free(unsigned number)
{
    (void)number;
#ifdef VALGRIND_STACK_DEREGISTER
    VALGRIND_STACK_DEREGISTER(number);
#endif
}

#endif
