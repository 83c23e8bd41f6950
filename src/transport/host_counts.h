/*
 * What a transport counts host by host: dials, reuses, puts, and how long things took. An entry lives
 * as long as its transport, so that a connection, an exchange or a dial may point to one without a
 * hold, and a reader walks the list of them without a lock. Written with relaxed atomics by whoever
 * does what is counted; the sums over all hosts are the transport's own numbers.
 */
#ifndef FY_TRANSPORT_HOST_COUNTS_H
#define FY_TRANSPORT_HOST_COUNTS_H

#include <stdatomic.h>
#include <stdint.h>

#include <ferry.h>

struct fy_dial_times;
struct fy_exchange;
struct fy_host;

/* What is timed; each has a histogram. */
enum fy_timed {
    FY_TIMED_DNS,
    FY_TIMED_CONNECT,
    FY_TIMED_TLS,
    FY_TIMED_FIRST_BYTE,
    FY_TIMED_BODY,
    FY_TIMED_COUNT
};

struct fy_histogram {
    atomic_uint_least64_t counts[FERRY_HISTOGRAM_BUCKETS];
    atomic_uint_least64_t sum_ns;
};

/* Which bucket a time belongs to. */
int fy_histogram_bucket(int64_t ns);

struct fy_host_counts {
    _Atomic(struct fy_host_counts *) next; /* set once, when the next one is made */
    char *scheme, *host, *proxy;           /* never change; proxy: without credentials */
    atomic_uint_least64_t requests, dials, dial_failures, reuses, close_waits;
    atomic_uint_least64_t put_results[FERRY_PUT_RESULTS];
    atomic_int_least64_t connections, open_responses;
    atomic_int_least64_t idle; /* written under pool.lock */
    struct fy_histogram times[FY_TIMED_COUNT];
};

/* In a transport. */
struct fy_hosts_counted {
    struct fy_host_counts others;          /* the first of the list: hosts beyond the limit */
    _Atomic(struct fy_host_counts *) last; /* written under pool.lock */
    void *tree;                            /* tsearch tree of all but others; under pool.lock */
    int count;                             /* likewise */
};

#define FY_HOST_COUNT(counts, counter) \
    atomic_fetch_add_explicit(&(counts)->counter, 1, memory_order_relaxed)
#define FY_HOST_COUNT_DOWN(counts, counter) \
    atomic_fetch_sub_explicit(&(counts)->counter, 1, memory_order_relaxed)

void fy_hosts_counted_init(struct fy_hosts_counted *hosts);
void fy_hosts_counted_free(struct fy_hosts_counted *hosts);

/* Sets host->counts, once: the entry of its key, or, when there are too many hosts or no memory for
 * another, the one for all others. Under pool.lock. */
void fy_host_counts_find(ferry_transport *transport, struct fy_host *host);

/* A connection has become idle (1), or stopped being it (-1). Under pool.lock. */
void fy_host_counts_idle(struct fy_host_counts *counts, int by);

/* In the child of a fork: the responses that are open are the parent's. */
void fy_host_counts_inherited(struct fy_hosts_counted *hosts);

/* Each notes how long something took. */
void fy_timed(struct fy_host_counts *counts, enum fy_timed what, int64_t ns);
void fy_timed_dial(struct fy_host_counts *counts, const struct fy_dial_times *times);
void fy_timed_first_byte(struct fy_exchange *exchange);
void fy_timed_body(struct fy_exchange *exchange);

/* Adds the numbers of all hosts to the transport's. */
void fy_hosts_counted_sum(const struct fy_hosts_counted *hosts, ferry_stats *stats);

#endif
