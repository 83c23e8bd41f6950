/*
 * What the C++ runtime keeps of a thread's exceptions and what has to be a task's: those that are caught
 * and not done with, a stack of them, and how many are on their way. A handler that waits in ferry would
 * else end another task's exception instead of its own, and free it. Called by the scheduler on either
 * side of a switch, where the runtime is there: a program without C++ has none.
 */
#ifndef FY_TASK_EXCEPTIONS_H
#define FY_TASK_EXCEPTIONS_H

#include <stddef.h>

/* As the Itanium C++ ABI has it (Exception Handling, section 2.2.2), which is that of every Linux. */
struct fy_exceptions {
    void *caught;
    unsigned int uncaught;
#ifdef __ARM_EABI_UNWINDER__
    void *propagating;
#endif
};

/* The thread's own. Weak: NULL where nobody brings it. */
struct fy_exceptions *fy_exceptions_of_thread(void) __asm__("__cxa_get_globals")
    __attribute__((weak));

/* Before a stack is left: what is its task's. Who comes next finds none. */
static inline struct fy_exceptions fy_exceptions_take(void)
{
    struct fy_exceptions taken = {0};
    struct fy_exceptions *here = fy_exceptions_of_thread();
    if (here->caught != NULL || here->uncaught != 0) {
        taken = *here;
        *here = (struct fy_exceptions){0};
    }
    return taken;
}

/* Back on the stack, perhaps on another thread. */
static inline void fy_exceptions_put_back(const struct fy_exceptions *taken)
{
    if (taken->caught != NULL || taken->uncaught != 0) {
        *fy_exceptions_of_thread() = *taken;
    }
}

#endif
