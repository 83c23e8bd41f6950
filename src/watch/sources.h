/*
 * The one list of all that counts, the transports, for whoever tells about the whole process: sums
 * for a snapshot, series for Prometheus. A source enters when it is made and leaves before anything
 * of it goes.
 */
#ifndef FY_WATCH_SOURCES_H
#define FY_WATCH_SOURCES_H

#include <stdint.h>

#include <ferry.h>

#include "base/list.h"

/* Embedded in a transport. */
struct fy_stats_source {
    struct fy_link link; /* under the list's lock */
    uint64_t number;     /* 1, 2, 3 ... in the order of entering; constant since */
    void (*fill)(struct fy_stats_source *source, ferry_stats *stats); /* constant */
};

/* The list's lock is taken under any scheduler's, and a pool's under it. */
void fy_stats_source_enter(struct fy_stats_source *source,
                           void (*fill)(struct fy_stats_source *source, ferry_stats *stats));

/* What it has counted is kept in the sums; it is not visited again. */
void fy_stats_source_leave(struct fy_stats_source *source);

/* In the order of entering, under the list's lock. */
void fy_stats_sources_each(void (*visit)(struct fy_stats_source *source, void *arg), void *arg);

/* The sums of all there are, and of what those that have left had counted. */
void fy_stats_total(ferry_stats *total);

#endif
