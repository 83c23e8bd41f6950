/*
 * Allocations of one thread that fail when they are told to, and a count of those that live. In an
 * ordinary build this program's malloc and its kin stand before the C library's, for the libraries that
 * ferry uses as well. Under a sanitizer, which has its own there, only ferry's calls come this way.
 */
#ifndef TESTS_SCALE_FAILING_ALLOC_H
#define TESTS_SCALE_FAILING_ALLOC_H

#include <stdbool.h>

/* From now on this thread's allocations are counted, and the number-th of them fails (1 is the next one;
 * 0: none does); with all_after so do those that follow it. */
void alloc_fail_at(long number, bool all_after);

/* From now on none fails; they are still counted as living. Returns how many have failed. */
long alloc_fail_none(void);

/* Allocations of threads that have called alloc_fail_at, made since then, that are not freed. */
long alloc_living(void);

#endif
