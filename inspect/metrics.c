/*
 * The same numbers for Prometheus, in its text format 0.0.4. Summed over all transports of the
 * process.
 */
#include <inttypes.h>

#include "server.h"

static void head(FILE *out, const char *name, const char *type, const char *help)
{
    fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void counter(FILE *out, const char *name, const char *help, uint64_t value)
{
    head(out, name, "counter", help);
    fprintf(out, "%s %" PRIu64 "\n", name, value);
}

static void gauge(FILE *out, const char *name, const char *help, uint64_t value)
{
    head(out, name, "gauge", help);
    fprintf(out, "%s %" PRIu64 "\n", name, value);
}

/* The reasons are sentences of ferry's own: no character in them needs to be escaped. */
static void puts_by_result(FILE *out, const ferry_stats *stats)
{
    head(out, "ferry_puts_total", "counter",
         "Connections given back to the pool after a response, by what became of that.");
    for (int i = 0; i < FERRY_PUT_RESULTS; i++) {
        fprintf(out, "ferry_puts_total{result=\"%s\"} %" PRIu64 "\n", ferry_put_result_string(i),
                stats->put_results[i]);
    }
}

void metrics(FILE *out, const ferry_snapshot *snapshot)
{
    const ferry_stats *stats = &snapshot->total;
    counter(out, "ferry_requests_total", "Round trips begun.", stats->requests);
    counter(out, "ferry_responses_total", "Round trips that brought a response.", stats->responses);
    counter(out, "ferry_errors_total", "Round trips that failed.", stats->errors);
    counter(out, "ferry_retries_total", "Requests sent again on another connection.",
            stats->retries);
    counter(out, "ferry_dials_total", "Connections begun.", stats->dials);
    counter(out, "ferry_dial_failures_total", "Connections begun that came to nothing.",
            stats->dial_failures);
    counter(out, "ferry_reuses_total", "Requests on a connection that had served before.",
            stats->reuses);
    puts_by_result(out, stats);
    counter(out, "ferry_early_closes_total", "Bodies closed before their end.",
            stats->early_closes);
    counter(out, "ferry_drained_total", "Bodies closed early whose end was reached by reading on.",
            stats->drained);
    counter(out, "ferry_dns_lookups_total", "Names looked up.", stats->dns_lookups);
    counter(out, "ferry_dns_cache_hits_total", "Dials that needed no lookup.",
            stats->dns_cache_hits);
    gauge(out, "ferry_connections", "Connections open now.", stats->connections);
    gauge(out, "ferry_idle_connections", "Connections idle in a pool now.", stats->idle);
    gauge(out, "ferry_open_responses", "Responses not closed now.", snapshot->response_count);
    gauge(out, "ferry_waiting_requests", "Requests waiting for a connection now.", stats->waiting);
    gauge(out, "ferry_tasks", "Tasks now: threads in ferry's care, loops, and the program's own.",
          snapshot->task_count);
}
