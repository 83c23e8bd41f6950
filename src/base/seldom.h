/*
 * What a request that goes its usual way never comes to. The compiler puts such a function, and
 * whatever leads to it, behind all that requests do come to, which so has room in the processor's
 * cache: between two system calls of a small request there is little else to wait for. Nor does what it
 * has on its stack, an error for the most part, make that of the tasks deeper that never call it.
 */
#ifndef FY_BASE_SELDOM_H
#define FY_BASE_SELDOM_H

#define FY_SELDOM __attribute__((cold, noinline))

/* A condition that hardly ever holds. */
#define FY_IS_SELDOM(condition) __builtin_expect((condition), 0)

#endif
