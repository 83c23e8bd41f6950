/*
 * The entries of the hosts that are counted, how they are found, and how they are read.
 */
#include "transport/host_counts.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "net/dial.h"
#include "task/clock.h"
#include "transport/exchange.h"
#include "transport/persist_conn.h"
#include "transport/transport.h"

/* ------------------------------------------------------------------------------------- entries */

static char nobody[] = "";
static char others[] = "(others)";

void fy_hosts_counted_init(struct fy_hosts_counted *hosts)
{
    hosts->others.scheme = nobody;
    hosts->others.host = others;
    hosts->others.proxy = nobody;
    atomic_init(&hosts->last, &hosts->others);
}

static void free_counts(struct fy_host_counts *counts)
{
    free(counts->scheme);
    free(counts->host);
    free(counts->proxy);
    free(counts);
}

static int compare(const void *a, const void *b)
{
    const struct fy_host_counts *left = a;
    const struct fy_host_counts *right = b;
    int order = strcmp(left->host, right->host);
    order = order != 0 ? order : strcmp(left->scheme, right->scheme);
    return order != 0 ? order : strcmp(left->proxy, right->proxy);
}

void fy_hosts_counted_free(struct fy_hosts_counted *hosts)
{
    struct fy_host_counts *next = atomic_load(&hosts->others.next);
    while (next != NULL) {
        struct fy_host_counts *counts = next;
        next = atomic_load(&counts->next);
        (void)tdelete(counts, &hosts->tree, compare);
        free_counts(counts);
    }
}

/* A proxy's setting without the name and password that may stand in it: "http://me:pw@proxy:3128". */
static char *without_credentials(const char *setting)
{
    const char *after_scheme = strstr(setting, "://");
    const char *rest = after_scheme != NULL ? after_scheme + strlen("://") : setting;
    const char *at = strrchr(rest, '@');
    if (at == NULL) {
        return strdup(setting);
    }
    const char *host = at + 1;
    size_t scheme_len = (size_t)(rest - setting);
    size_t host_size = strlen(host) + 1;
    char *text = malloc(scheme_len + host_size);
    if (text != NULL) {
        memcpy(text, setting, scheme_len);
        memcpy(text + scheme_len, host, host_size);
    }
    return text;
}

/* The entry of a host that has been counted before and has no proxy with credentials, whose entry's
 * name would have to be made first; else NULL. A host comes and goes with its connections. */
static struct fy_host_counts *find(const struct fy_hosts_counted *hosts, const struct fy_host *host)
{
    if (strchr(host->proxy, '@') != NULL) {
        return NULL;
    }
    const struct fy_host_counts wanted = {
        .scheme = host->scheme, .host = host->host_port, .proxy = host->proxy};
    struct fy_host_counts **found = tfind(&wanted, &hosts->tree, compare);
    return found != NULL ? *found : NULL;
}

/* A host's entry, in the tree and at the end of the list; NULL when out of memory. */
static struct fy_host_counts *find_or_make(struct fy_hosts_counted *hosts,
                                           const struct fy_host *host)
{
    struct fy_host_counts *known = find(hosts, host);
    if (known != NULL) {
        return known;
    }
    struct fy_host_counts *counts = calloc(1, sizeof *counts);
    if (counts == NULL) {
        return NULL;
    }
    counts->scheme = strdup(host->scheme);
    counts->host = strdup(host->host_port);
    counts->proxy = without_credentials(host->proxy);
    if (counts->scheme == NULL || counts->host == NULL || counts->proxy == NULL) {
        goto not_needed;
    }
    struct fy_host_counts **found = tfind(counts, &hosts->tree, compare);
    if (found != NULL) {
        free_counts(counts);
        return *found;
    }
    if (hosts->count >= FERRY_HOSTS_COUNTED || tsearch(counts, &hosts->tree, compare) == NULL) {
        goto not_needed;
    }
    hosts->count++;
    struct fy_host_counts *last = atomic_load_explicit(&hosts->last, memory_order_relaxed);
    atomic_store_explicit(&last->next, counts, memory_order_release); /* for readers of the list */
    atomic_store_explicit(&hosts->last, counts, memory_order_relaxed);
    return counts;
not_needed:
    free_counts(counts);
    return NULL;
}

void fy_host_counts_find(ferry_transport *transport, struct fy_host *host)
{
    if (host->counts == NULL) {
        host->counts = find_or_make(&transport->hosts_counted, host);
    }
    if (host->counts == NULL) {
        host->counts = &transport->hosts_counted.others;
    }
}

/* No read-modify-write: pool.lock sees to it that there is one writer. */
void fy_host_counts_idle(struct fy_host_counts *counts, int by)
{
    int64_t idle = atomic_load_explicit(&counts->idle, memory_order_relaxed);
    atomic_store_explicit(&counts->idle, idle + by, memory_order_relaxed);
}

void fy_host_counts_inherited(struct fy_hosts_counted *hosts)
{
    for (struct fy_host_counts *counts = &hosts->others; counts != NULL;
         counts = atomic_load(&counts->next)) {
        atomic_store(&counts->open_responses, 0);
    }
}

/* --------------------------------------------------------------------------------------- times */

void fy_timed(struct fy_host_counts *counts, enum fy_timed what, int64_t ns)
{
    struct fy_histogram *histogram = &counts->times[what];
    ns = ns > 0 ? ns : 0;
    int bucket = fy_histogram_bucket(ns);
    atomic_fetch_add_explicit(&histogram->counts[bucket], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&histogram->sum_ns, (uint64_t)ns, memory_order_relaxed);
}

void fy_timed_dial(struct fy_host_counts *counts, const struct fy_dial_times *times)
{
    if (times->dns > 0) {
        fy_timed(counts, FY_TIMED_DNS, times->dns);
    }
    if (times->connect > 0) {
        fy_timed(counts, FY_TIMED_CONNECT, times->connect);
    }
    if (times->tls > 0) {
        fy_timed(counts, FY_TIMED_TLS, times->tls);
    }
}

/* The scheduler's time is that of the poll which found the answer: no clock is asked. */
void fy_timed_first_byte(struct fy_exchange *exchange)
{
    exchange->first_byte = exchange->conn->sched->now;
    fy_timed(exchange->counts, FY_TIMED_FIRST_BYTE, exchange->first_byte - exchange->handed_over);
}

/* A body may have been read from what had arrived long before, without a poll in between. */
void fy_timed_body(struct fy_exchange *exchange)
{
    fy_timed(exchange->counts, FY_TIMED_BODY, fy_now() - exchange->first_byte);
}

/* ------------------------------------------------------------------------------------- reading */

static uint64_t get(const atomic_uint_least64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static uint64_t get_gauge(const atomic_int_least64_t *gauge)
{
    int64_t value = atomic_load_explicit(gauge, memory_order_relaxed);
    return value > 0 ? (uint64_t)value : 0;
}

static void add_times(const struct fy_histogram *from, ferry_histogram *to)
{
    for (int i = 0; i < FERRY_HISTOGRAM_BUCKETS; i++) {
        uint64_t count = get(&from->counts[i]);
        to->counts[i] += count;
        to->count += count;
    }
    to->sum_ns += get(&from->sum_ns);
}

void fy_hosts_counted_sum(const struct fy_hosts_counted *hosts, ferry_stats *stats)
{
    for (const struct fy_host_counts *counts = &hosts->others; counts != NULL;
         counts = atomic_load_explicit(&counts->next, memory_order_acquire)) {
        stats->dials += get(&counts->dials);
        stats->dial_failures += get(&counts->dial_failures);
        stats->reuses += get(&counts->reuses);
        stats->close_waits += get(&counts->close_waits);
        stats->connections += get_gauge(&counts->connections);
        stats->open_responses += get_gauge(&counts->open_responses);
        for (int i = 0; i < FERRY_PUT_RESULTS; i++) {
            uint64_t puts = get(&counts->put_results[i]);
            stats->put_results[i] += puts;
            *(i == FERRY_PUT_OK ? &stats->puts : &stats->put_failures) += puts;
        }
        add_times(&counts->times[FY_TIMED_DNS], &stats->dns);
        add_times(&counts->times[FY_TIMED_CONNECT], &stats->connect);
        add_times(&counts->times[FY_TIMED_TLS], &stats->tls);
        add_times(&counts->times[FY_TIMED_FIRST_BYTE], &stats->first_byte);
        add_times(&counts->times[FY_TIMED_BODY], &stats->body);
    }
}

static void fill(const struct fy_host_counts *counts, ferry_host_stats *stats)
{
    *stats = (ferry_host_stats){
        .size = sizeof *stats,
        .scheme = counts->scheme,
        .host = counts->host,
        .proxy = counts->proxy,
        .requests = get(&counts->requests),
        .dials = get(&counts->dials),
        .dial_failures = get(&counts->dial_failures),
        .reuses = get(&counts->reuses),
        .close_waits = get(&counts->close_waits),
        .connections = get_gauge(&counts->connections),
        .idle = get_gauge(&counts->idle),
        .open_responses = get_gauge(&counts->open_responses),
    };
    for (int i = 0; i < FERRY_PUT_RESULTS; i++) {
        stats->put_results[i] = get(&counts->put_results[i]);
        *(i == FERRY_PUT_OK ? &stats->puts : &stats->put_failures) += stats->put_results[i];
    }
    add_times(&counts->times[FY_TIMED_DNS], &stats->dns);
    add_times(&counts->times[FY_TIMED_CONNECT], &stats->connect);
    add_times(&counts->times[FY_TIMED_TLS], &stats->tls);
    add_times(&counts->times[FY_TIMED_FIRST_BYTE], &stats->first_byte);
    add_times(&counts->times[FY_TIMED_BODY], &stats->body);
}

/* Whether the entry for the hosts beyond the limit has been needed. */
static bool is_used(const struct fy_host_counts *counts)
{
    return get(&counts->requests) != 0 || get(&counts->dials) != 0;
}

FERRY_API size_t ferry_transport_each_host(const ferry_transport *transport,
                                           void (*visit)(void *arg, const ferry_host_stats *stats),
                                           void *arg)
{
    size_t hosts = 0;
    transport = transport != NULL ? transport : ferry_default_transport();
    if (transport == NULL) {
        return 0;
    }
    const struct fy_host_counts *first = &transport->hosts_counted.others;
    const struct fy_host_counts *counts =
        is_used(first) ? first : atomic_load_explicit(&first->next, memory_order_acquire);
    for (; counts != NULL; counts = atomic_load_explicit(&counts->next, memory_order_acquire)) {
        ferry_host_stats stats;
        fill(counts, &stats);
        hosts++;
        if (visit != NULL) {
            visit(arg, &stats);
        }
    }
    return hosts;
}
