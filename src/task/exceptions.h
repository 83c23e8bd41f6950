/*
 * What the C++ runtime keeps of a thread's exceptions and what has to be a task's: those that are caught
 * and not done with, a stack of them, and how many are on their way. A handler that waits in ferry would
 * else end another task's exception instead of its own, and free it. Called by the scheduler on either
 * side of a switch, where the runtime is there: a program without C++ has none. It may come later.
 */
#ifndef FY_TASK_EXCEPTIONS_H
#define FY_TASK_EXCEPTIONS_H

#include <stdatomic.h>
#include <stddef.h>

/* As the Itanium C++ ABI has it (Exception Handling, section 2.2.2), which is that of every Linux. */
struct fy_exceptions {
    void *caught;
    unsigned int uncaught;
#ifdef __ARM_EABI_UNWINDER__
    void *propagating;
#endif
};

/* Tells the thread's own; NULL: there is no runtime yet. Once set it stays. */
typedef struct fy_exceptions *(*fy_exceptions_fn)(void);
extern _Atomic(fy_exceptions_fn) fy_exceptions_of_thread;

/* Looks whether a runtime has come. Before tasks of the user's run that may throw; outside ferry, since it
 * may wait for the dynamic linker, and that for a constructor which waits for this thread's scheduler. */
void fy_exceptions_look(void);

static inline fy_exceptions_fn fy_exceptions_known(void)
{
    return atomic_load_explicit(&fy_exceptions_of_thread, memory_order_relaxed);
}

/* Before a stack is left: what is its task's. Who comes next finds none. */
static inline struct fy_exceptions fy_exceptions_take(void)
{
    struct fy_exceptions taken = {0};
    struct fy_exceptions *here = fy_exceptions_known()();
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
        *fy_exceptions_known()() = *taken;
    }
}

#endif
