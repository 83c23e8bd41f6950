/*
 * The sums of all transports' statistics. What counts upwards never falls, so a transport that goes
 * leaves what it has counted behind.
 */
#include <pthread.h>

#include "base/fork.h"
#include "watch/snapshot.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
FY_HELD_OVER_FORK(lock)

/* Under lock. */
static struct fy_link sources = {&sources, &sources};
static ferry_stats gone; /* of those that were removed: what only counts upwards */

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

void fy_stats_source_add(struct fy_stats_source *source)
{
    pthread_mutex_lock(&lock);
    fy_list_push_back(&sources, &source->link);
    pthread_mutex_unlock(&lock);
}

void fy_stats_source_remove(struct fy_stats_source *source)
{
    pthread_mutex_lock(&lock);
    const ferry_stats last = ask(source);
    add_counted(&gone, &last);
    fy_list_remove(&source->link);
    pthread_mutex_unlock(&lock);
}

void fy_stats_total(ferry_stats *total)
{
    pthread_mutex_lock(&lock);
    *total = gone;
    total->size = sizeof *total;
    FY_LIST_EACH(link, &sources)
    {
        const ferry_stats stats = ask(FY_CONTAINER(link, struct fy_stats_source, link));
        add_counted(total, &stats);
        add_present(total, &stats);
    }
    pthread_mutex_unlock(&lock);
}
