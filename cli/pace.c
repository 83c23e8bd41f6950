/*
 * pace.c: bytes a second.
 */
#include "pace.h"

#include <ferry.h>
#include <time.h>

int64_t clock_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

size_t pace_piece(const struct pace *pace, size_t len)
{
    int64_t most = pace->rate / 10 > 0 ? pace->rate / 10 : 1;
    return (int64_t)len < most ? len : (size_t)most;
}

void pace_wait(struct pace *pace, ssize_t n)
{
    int64_t now = clock_us();
    if (pace->started_us == 0)
        pace->started_us = now;
    pace->bytes += n;
    double due_us = (double)pace->bytes * 1e6 / (double)pace->rate;
    double early_us = (double)pace->started_us + due_us - (double)now;
    if (early_us >= 1000)
        ferry_sleep((int64_t)(early_us / 1000));
}
