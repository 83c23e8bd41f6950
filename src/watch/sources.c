/*
 * The list, and its sums. What counts upwards never falls, so a transport that goes leaves what it
 * has counted behind.
 */
#include "watch/sources.h"

#include <pthread.h>

#include "base/fork.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
FY_HELD_OVER_FORK(lock)

/* Under lock. */
static struct fy_link sources = {&sources, &sources}; /* in the order of entering */
static uint64_t entered;                              /* how many there ever were */
static ferry_stats gone; /* of those that have left: what only counts upwards */

static void add_times(ferry_histogram *sum, const ferry_histogram *more)
{
    for (int i = 0; i < FERRY_HISTOGRAM_BUCKETS; i++) {
        sum->counts[i] += more->counts[i];
    }
    sum->count += more->count;
    sum->sum_ns += more->sum_ns;
}

static void add_counted(ferry_stats *sum, const ferry_stats *more)
{
    sum->requests += more->requests;
    sum->responses += more->responses;
    sum->errors += more->errors;
    sum->retries += more->retries;
    sum->dials += more->dials;
    sum->dial_failures += more->dial_failures;
    sum->reuses += more->reuses;
    sum->puts += more->puts;
    sum->put_failures += more->put_failures;
    for (int i = 0; i < FERRY_PUT_RESULTS; i++) {
        sum->put_results[i] += more->put_results[i];
    }
    sum->early_closes += more->early_closes;
    sum->drained += more->drained;
    sum->dns_lookups += more->dns_lookups;
    sum->dns_cache_hits += more->dns_cache_hits;
    sum->abandoned += more->abandoned;
    sum->close_waits += more->close_waits;
    add_times(&sum->dns, &more->dns);
    add_times(&sum->connect, &more->connect);
    add_times(&sum->tls, &more->tls);
    add_times(&sum->first_byte, &more->first_byte);
    add_times(&sum->body, &more->body);
}

static void add_present(ferry_stats *sum, const ferry_stats *more)
{
    sum->connections += more->connections;
    sum->idle += more->idle;
    sum->open_responses += more->open_responses;
    sum->waiting += more->waiting;
}

static ferry_stats ask(struct fy_stats_source *source)
{
    ferry_stats stats = FERRY_STATS_INIT;
    source->fill(source, &stats);
    return stats;
}

void fy_stats_source_enter(struct fy_stats_source *source,
                           void (*fill)(struct fy_stats_source *source, ferry_stats *stats))
{
    source->fill = fill;
    pthread_mutex_lock(&lock);
    source->number = ++entered;
    fy_list_push_back(&sources, &source->link);
    pthread_mutex_unlock(&lock);
}

void fy_stats_source_leave(struct fy_stats_source *source)
{
    pthread_mutex_lock(&lock);
    const ferry_stats last = ask(source);
    add_counted(&gone, &last);
    fy_list_remove(&source->link);
    pthread_mutex_unlock(&lock);
}

/* Under lock. */
static void each(void (*visit)(struct fy_stats_source *source, void *arg), void *arg)
{
    FY_LIST_EACH(link, &sources)
    {
        visit(FY_CONTAINER(link, struct fy_stats_source, link), arg);
    }
}

void fy_stats_sources_each(void (*visit)(struct fy_stats_source *source, void *arg), void *arg)
{
    pthread_mutex_lock(&lock);
    each(visit, arg);
    pthread_mutex_unlock(&lock);
}

static void add(struct fy_stats_source *source, void *total)
{
    const ferry_stats stats = ask(source);
    add_counted(total, &stats);
    add_present(total, &stats);
}

void fy_stats_total(ferry_stats *total)
{
    pthread_mutex_lock(&lock);
    *total = gone;
    total->size = sizeof *total;
    each(add, total); /* under the same lock: who leaves is in one of the two */
    pthread_mutex_unlock(&lock);
}
