/*
 * The processor's cache. Of hundreds of connections, what one needs has left it by the time that it is at
 * work again, and comes back line by line, each when the one before has told where it is. Who knows what
 * will be needed has it fetched while something else is done: a system call, or the reading of a head. That
 * changes nothing but the time, and no address is wrong.
 */
#ifndef FY_BASE_CACHE_LINE_H
#define FY_BASE_CACHE_LINE_H

#include <stddef.h>
#include <stdint.h>

#define FY_CACHE_LINE 64

static inline void fy_fetch_ahead(const void *at, size_t bytes)
{
    /* An effect, without which GCC drops the calls of functions that do nothing besides. */
    __asm__ volatile("" : : "r"(at));
    for (size_t done = 0; done < bytes; done += FY_CACHE_LINE) {
        __builtin_prefetch((const void *)((uintptr_t)at + done), 1);
    }
}

#endif
