/*
 * Histograms as programs see them: where the buckets end, and what can be told from them.
 */
#include "transport/host_counts.h"

/* 1, 2, 5 and again ten times as much: even steps on a logarithmic scale that people can read. */
static const int64_t bounds_us[FERRY_HISTOGRAM_BUCKETS - 1] = {
    50,     100,    200,    500,     1000,    2000,    5000,     10000,    20000,    50000,
    100000, 200000, 500000, 1000000, 2000000, 5000000, 10000000, 20000000, 50000000,
};

FERRY_API int64_t ferry_histogram_bound(int bucket)
{
    return bucket >= 0 && bucket < FERRY_HISTOGRAM_BUCKETS - 1 ? bounds_us[bucket] * 1000
                                                               : INT64_MAX;
}

int fy_histogram_bucket(int64_t ns)
{
    int bucket = 0;
    while (bucket < FERRY_HISTOGRAM_BUCKETS - 1 && ns > bounds_us[bucket] * 1000) {
        bucket++;
    }
    return bucket;
}

FERRY_API int64_t ferry_histogram_quantile(const ferry_histogram *histogram, double q)
{
    if (histogram == NULL) {
        return -1;
    }
    q = q < 0 ? 0 : q > 1 ? 1 : q;
    double rank = q * (double)histogram->count;
    uint64_t below = 0;
    for (int i = 0; i < FERRY_HISTOGRAM_BUCKETS && histogram->count > 0; i++) {
        uint64_t here = histogram->counts[i];
        if (here > 0 && (double)(below + here) >= rank) {
            double low = i > 0 ? (double)ferry_histogram_bound(i - 1) : 0;
            if (i == FERRY_HISTOGRAM_BUCKETS - 1) {
                return (int64_t)low; /* all that is known of it: it was longer */
            }
            double high = (double)ferry_histogram_bound(i);
            return (int64_t)(low + (high - low) * (rank - (double)below) / (double)here);
        }
        below += here;
    }
    return -1;
}
