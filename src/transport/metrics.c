/*
 * The process's numbers as Prometheus text (text format 0.0.4): each metric once, with all of its
 * series. They are gathered under the list's lock, which is taken last but for pools', and written
 * under none.
 */
#include <ferry.h>

#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/errno.h"
#include "task/sched.h"
#include "transport/transport.h"

/* ------------------------------------------------------------------------------------ gathering */

/* One series' numbers: a transport's, or a host's of it. */
struct row {
    char transport[24]; /* the label */
    bool is_host;
    union {
        ferry_stats all;
        ferry_host_stats host; /* its strings are copies */
    } as;
};

struct rows {
    struct row *row;
    size_t count, capacity;
    bool failed; /* out of memory: no use going on */
    const ferry_transport *standard;
    const char *transport; /* the label of the rows that are being added */
};

static struct row *row_new(struct rows *rows)
{
    if (rows->count == rows->capacity && !rows->failed) {
        size_t capacity = rows->capacity == 0 ? 8 : rows->capacity * 2;
        struct row *more = realloc(rows->row, capacity * sizeof *more);
        rows->failed = more == NULL;
        if (more != NULL) {
            rows->row = more;
            rows->capacity = capacity;
        }
    }
    if (rows->failed) {
        return NULL;
    }
    struct row *row = &rows->row[rows->count++];
    memset(row, 0, sizeof *row);
    strncpy(row->transport, rows->transport, sizeof row->transport - 1);
    return row;
}

static void add_host(void *arg, const ferry_host_stats *stats)
{
    struct rows *rows = arg;
    struct row *row = row_new(rows);
    if (row == NULL) {
        return;
    }
    row->is_host = true;
    row->as.host = *stats;
    row->as.host.scheme = strdup(stats->scheme);
    row->as.host.host = strdup(stats->host);
    row->as.host.proxy = strdup(stats->proxy);
    rows->failed =
        row->as.host.scheme == NULL || row->as.host.host == NULL || row->as.host.proxy == NULL;
}

static void add_transport(struct fy_stats_source *source, void *arg)
{
    struct rows *rows = arg;
    const ferry_transport *transport = FY_CONTAINER(source, struct ferry_transport, source);
    char number[24];
    snprintf(number, sizeof number, "%" PRIu64, source->number);
    rows->transport = transport == rows->standard ? "default" : number;
    struct row *row = row_new(rows);
    if (row != NULL) {
        row->as.all.size = sizeof row->as.all;
        ferry_transport_stats(transport, &row->as.all);
        (void)ferry_transport_each_host(transport, add_host, rows);
    }
}

static void rows_free(struct rows *rows)
{
    for (size_t i = 0; i < rows->count; i++) {
        if (rows->row[i].is_host) {
            free((char *)rows->row[i].as.host.scheme);
            free((char *)rows->row[i].as.host.host);
            free((char *)rows->row[i].as.host.proxy);
        }
    }
    free(rows->row);
}

/* -------------------------------------------------------------------------------------- writing */

/* A field of ferry_stats or ferry_host_stats and what it is called. */
struct metric {
    const char *name, *type, *help;
    size_t field;
};

#define OF_ALL(field) offsetof(ferry_stats, field)
#define OF_HOST(field) offsetof(ferry_host_stats, field)

static const struct metric of_transports[] = {
    {"ferry_requests_total", "counter", "Round trips begun.", OF_ALL(requests)},
    {"ferry_responses_total", "counter", "Round trips that brought a response.", OF_ALL(responses)},
    {"ferry_errors_total", "counter", "Round trips that failed.", OF_ALL(errors)},
    {"ferry_retries_total", "counter", "Requests sent again on another connection.",
     OF_ALL(retries)},
    {"ferry_early_closes_total", "counter", "Response bodies closed before their end.",
     OF_ALL(early_closes)},
    {"ferry_drained_total", "counter",
     "Bodies closed before their end whose end was reached by reading on.", OF_ALL(drained)},
    {"ferry_dns_lookups_total", "counter", "Names looked up.", OF_ALL(dns_lookups)},
    {"ferry_dns_cache_hits_total", "counter", "Dials that needed no lookup.",
     OF_ALL(dns_cache_hits)},
    {"ferry_waiting_requests", "gauge", "Requests that wait for a connection.", OF_ALL(waiting)},
};

static const struct metric of_hosts[] = {
    {"ferry_host_requests_total", "counter", "Requests put on a connection to the host.",
     OF_HOST(requests)},
    {"ferry_dials_total", "counter", "Connections begun.", OF_HOST(dials)},
    {"ferry_dial_failures_total", "counter", "Connections begun that came to nothing.",
     OF_HOST(dial_failures)},
    {"ferry_reuses_total", "counter", "Requests served by a connection that had served before.",
     OF_HOST(reuses)},
    {"ferry_close_waits_total", "counter",
     "Idle connections found closed by the server (CLOSE_WAIT).", OF_HOST(close_waits)},
    {"ferry_connections", "gauge", "Open connections.", OF_HOST(connections)},
    {"ferry_idle_connections", "gauge", "Open connections that are idle in the pool.",
     OF_HOST(idle)},
    {"ferry_open_responses", "gauge", "Responses from a connection that are not closed.",
     OF_HOST(open_responses)},
};

static const struct metric timed[] = {
    {"ferry_dns_seconds", "histogram", "Looking up a name.", OF_HOST(dns)},
    {"ferry_connect_seconds", "histogram", "Making a TCP connection.", OF_HOST(connect)},
    {"ferry_tls_handshake_seconds", "histogram", "TLS handshakes.", OF_HOST(tls)},
    {"ferry_first_byte_seconds", "histogram",
     "From handing a request to its connection to the first byte of the answer.",
     OF_HOST(first_byte)},
    {"ferry_body_seconds", "histogram",
     "From the first byte of an answer to the end of its body, if it was read to that.",
     OF_HOST(body)},
};

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

static void head(struct fy_buffer *text, const struct metric *metric)
{
    fy_buffer_printf(text, "# HELP %s %s\n# TYPE %s %s\n", metric->name, metric->help, metric->name,
                     metric->type);
}

/* A label's value: backslash, quote and line feed are escaped. */
static void label(struct fy_buffer *text, const char *name, const char *value)
{
    fy_buffer_printf(text, "%s=\"", name);
    for (; *value != '\0'; value++) {
        switch (*value) {
        case '\\': fy_buffer_append_text(text, "\\\\"); break;
        case '"': fy_buffer_append_text(text, "\\\""); break;
        case '\n': fy_buffer_append_text(text, "\\n"); break;
        default: fy_buffer_append_byte(text, *value);
        }
    }
    fy_buffer_append_byte(text, '"');
}

/* The name and labels of a row's series, all but the closing brace. */
static void series(struct fy_buffer *text, const char *name, const char *suffix,
                   const struct row *row)
{
    fy_buffer_printf(text, "%s%s{", name, suffix);
    label(text, "transport", row->transport);
    if (row->is_host) {
        fy_buffer_append_byte(text, ',');
        label(text, "scheme", row->as.host.scheme);
        fy_buffer_append_byte(text, ',');
        label(text, "host", row->as.host.host);
        fy_buffer_append_byte(text, ',');
        label(text, "proxy", row->as.host.proxy);
    }
}

static const void *field(const struct row *row, const struct metric *metric)
{
    return (const char *)&row->as + metric->field;
}

static void write_numbers(struct fy_buffer *text, const struct rows *rows, bool hosts,
                          const struct metric *metric)
{
    head(text, metric);
    for (size_t i = 0; i < rows->count; i++) {
        if (rows->row[i].is_host == hosts) {
            series(text, metric->name, "", &rows->row[i]);
            fy_buffer_printf(text, "} %" PRIu64 "\n",
                             *(const uint64_t *)field(&rows->row[i], metric));
        }
    }
}

static void write_histogram(struct fy_buffer *text, const struct row *row,
                            const struct metric *metric)
{
    const ferry_histogram *histogram = field(row, metric);
    uint64_t below = 0;
    for (int i = 0; i < FERRY_HISTOGRAM_BUCKETS; i++) {
        below += histogram->counts[i];
        series(text, metric->name, "_bucket", row);
        if (i < FERRY_HISTOGRAM_BUCKETS - 1) {
            int64_t us = ferry_histogram_bound(i) / 1000; /* no %f: a locale may have its comma */
            fy_buffer_printf(text, ",le=\"%" PRId64 ".%06" PRId64 "\"} %" PRIu64 "\n", us / 1000000,
                             us % 1000000, below);
        } else {
            fy_buffer_printf(text, ",le=\"+Inf\"} %" PRIu64 "\n", below);
        }
    }
    series(text, metric->name, "_sum", row);
    fy_buffer_printf(text, "} %" PRIu64 ".%09" PRIu64 "\n", histogram->sum_ns / 1000000000,
                     histogram->sum_ns % 1000000000);
    series(text, metric->name, "_count", row);
    fy_buffer_printf(text, "} %" PRIu64 "\n", below);
}

/* Short names for enum ferry_put_result, as a label has them. */
static const char *const put_names[FERRY_PUT_RESULTS] = {
    [FERRY_PUT_OK] = "ok",
    [FERRY_PUT_KEEP_ALIVES_DISABLED] = "keep_alives_disabled",
    [FERRY_PUT_CONNECTION_BROKEN] = "connection_broken",
    [FERRY_PUT_CLOSE_IDLE] = "close_idle",
    [FERRY_PUT_TOO_MANY_IDLE] = "too_many_idle",
    [FERRY_PUT_TOO_MANY_IDLE_HOST] = "too_many_idle_host",
    [FERRY_PUT_CLOSED_EARLY] = "closed_early",
    [FERRY_PUT_BODY_ERROR] = "body_error",
    [FERRY_PUT_CLOSE_ASKED] = "close_asked",
    [FERRY_PUT_REQUEST_NOT_WRITTEN] = "request_not_written",
    [FERRY_PUT_CANCELED] = "canceled",
    [FERRY_PUT_TRANSPORT_FREED] = "transport_freed",
    [FERRY_PUT_PLACE_WANTED] = "place_wanted",
};

static void write_puts(struct fy_buffer *text, const struct rows *rows)
{
    static const struct metric puts = {
        "ferry_puts_total", "counter",
        "Connections whose response had ended, by what became of them: ok is back to the pool.", 0};
    head(text, &puts);
    for (size_t i = 0; i < rows->count; i++) {
        for (int result = 0; rows->row[i].is_host && result < FERRY_PUT_RESULTS; result++) {
            series(text, puts.name, "", &rows->row[i]);
            fy_buffer_append_byte(text, ',');
            label(text, "result", put_names[result] != NULL ? put_names[result] : "other");
            fy_buffer_printf(text, "} %" PRIu64 "\n", rows->row[i].as.host.put_results[result]);
        }
    }
}

static void write_process(struct fy_buffer *text)
{
    static const struct metric tasks = {"ferry_tasks", "gauge",
                                        "Threads in ferry's care, tasks, and loops.", 0};
    static const struct metric ledger = {
        "ferry_ledger_responses", "gauge",
        "Responses that are not closed, those without a connection included.", 0};
    head(text, &tasks);
    fy_buffer_printf(text, "ferry_tasks %d\n", fy_count_tasks());
    head(text, &ledger);
    fy_buffer_printf(text, "ferry_ledger_responses %zu\n", ferry_open_responses(NULL));
}

static void write_all(struct fy_buffer *text, const struct rows *rows)
{
    write_process(text);
    for (size_t i = 0; i < COUNT_OF(of_transports); i++) {
        write_numbers(text, rows, false, &of_transports[i]);
    }
    for (size_t i = 0; i < COUNT_OF(of_hosts); i++) {
        write_numbers(text, rows, true, &of_hosts[i]);
    }
    write_puts(text, rows);
    for (size_t i = 0; i < COUNT_OF(timed); i++) {
        head(text, &timed[i]);
        for (size_t j = 0; j < rows->count; j++) {
            if (rows->row[j].is_host) {
                write_histogram(text, &rows->row[j], &timed[i]);
            }
        }
    }
}

FERRY_API int ferry_metrics(FILE *out)
{
    if (out == NULL) {
        errno = EINVAL;
        return -1;
    }
    struct rows rows = {.standard = ferry_default_transport()};
    struct fy_buffer text = {0};
    int result = -1;
    fy_stats_sources_each(add_transport, &rows);
    if (!rows.failed) {
        write_all(&text, &rows);
    }
    if (rows.failed || text.failed) {
        errno = ENOMEM;
    } else if (fwrite(text.bytes, 1, text.len, out) == text.len) {
        result = 0;
    }
    fy_buffer_free(&text);
    rows_free(&rows);
    return result;
}
