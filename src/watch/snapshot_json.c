/*
 * What ferry is doing, as JSON: for pages (libferry-inspect's is one) and scripts. Times are in
 * milliseconds; the numbers of tasks and connections are those of the dump and the ledger.
 */
#include <ferry.h>

#include <inttypes.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/errno.h"
#include "base/json.h"
#include "watch/snapshot.h"

#define MS(ns) ((ns) / 1000000)

static const char *const states[] = {
    [FY_SNAPSHOT_DIALING] = "dialing", [FY_SNAPSHOT_HANDSHAKE] = "handshake",
    [FY_SNAPSHOT_WRITING] = "writing", [FY_SNAPSHOT_AWAITING] = "awaiting",
    [FY_SNAPSHOT_UNREAD] = "unread",   [FY_SNAPSHOT_DRAINING] = "draining",
    [FY_SNAPSHOT_IDLE] = "idle",       [FY_SNAPSHOT_CLOSING] = "closing",
};

/* ---------------------------------------------------------------------------------- one of each */

static void write_text(struct fy_buffer *json, const char *name, const char *text)
{
    fy_buffer_printf(json, ", \"%s\": ", name);
    fy_json_string(json, text);
}

static void write_parked(struct fy_buffer *json, const char *name,
                         const struct fy_snapshot_parked *parked)
{
    if (parked->task == 0) {
        fy_buffer_printf(json, ", \"%s\": null", name);
        return;
    }
    fy_buffer_printf(json, ", \"%s\": {\"task\": %" PRIu64, name, parked->task);
    write_text(json, "waits", parked->why);
    fy_buffer_printf(json, ", \"ms\": %" PRId64 "}", MS(parked->ns));
}

static void write_task(struct fy_buffer *json, const void *element)
{
    const struct fy_snapshot_task *task = element;
    fy_buffer_printf(json, "{\"task\": %" PRIu64 ", \"thread\": %" PRIu64, task->number,
                     task->thread);
    write_text(json, "name", task->name);
    fy_buffer_printf(json, ", \"connection\": %" PRIu64 ", \"running\": %s", task->connection,
                     fy_json_bool(task->running));
    write_text(json, "waits", task->parked.why);
    fy_buffer_printf(json, ", \"ms\": %" PRId64 ", \"creator\": %" PRIu64, MS(task->parked.ns),
                     task->creator);
    write_text(json, "file", task->file);
    fy_buffer_printf(json, ", \"line\": %d}", task->file != NULL ? task->line : 0);
}

static void write_connection(struct fy_buffer *json, const void *element)
{
    const struct fy_snapshot_connection *connection = element;
    bool is_open = connection->number != 0;
    fy_buffer_printf(json, "{\"connection\": %" PRIu64 ", \"thread\": %" PRIu64, connection->number,
                     connection->thread);
    write_text(json, "scheme", connection->secure ? "https" : "http");
    write_text(json, "host", connection->host);
    fy_buffer_printf(json, ", \"proxied\": %s", fy_json_bool(connection->proxied));
    write_text(json, "state", states[connection->state]);
    fy_buffer_printf(json, ", \"ms\": %" PRId64 ", \"requests\": %" PRIu64,
                     MS(connection->state_ns), connection->requests);
    write_text(json, "url", connection->url);
    write_parked(json, is_open ? "read_loop" : "dial", &connection->read_loop);
    if (is_open) {
        write_parked(json, "write_loop", &connection->write_loop);
    }
    fy_buffer_append_byte(json, '}');
}

/* At most so many elements of an array, each of that size. */
static void write_array(struct fy_buffer *json, const void *array, size_t size, size_t count,
                        size_t most, void (*write)(struct fy_buffer *json, const void *element))
{
    fy_buffer_append_byte(json, '[');
    for (size_t i = 0; i < count && i < most; i++) {
        fy_buffer_append_text(json, i > 0 ? ",\n " : "\n ");
        write(json, (const char *)array + i * size);
    }
    fy_buffer_append_byte(json, ']');
}

static void write_tasks(struct fy_buffer *json, const struct fy_snapshot *snapshot, size_t most)
{
    write_array(json, snapshot->tasks, sizeof *snapshot->tasks, snapshot->task_count, most,
                write_task);
}

static void write_connections(struct fy_buffer *json, const struct fy_snapshot *snapshot,
                              size_t most)
{
    write_array(json, snapshot->connections, sizeof *snapshot->connections,
                snapshot->connection_count, most, write_connection);
}

/* --------------------------------------------------------------------------------------- totals */

static void write_number(struct fy_buffer *json, const char *name, uint64_t number)
{
    fy_buffer_printf(json, ", \"%s\": %" PRIu64, name, number);
}

static void write_times(struct fy_buffer *json, const char *name, const ferry_histogram *times)
{
    fy_buffer_printf(json, ", \"%s\": {\"count\": %" PRIu64, name, times->count);
    if (times->count > 0) {
        fy_buffer_printf(json, ", \"median_us\": %" PRId64 ", \"p99_us\": %" PRId64,
                         ferry_histogram_quantile(times, 0.5) / 1000,
                         ferry_histogram_quantile(times, 0.99) / 1000);
    }
    fy_buffer_append_byte(json, '}');
}

static void write_total(struct fy_buffer *json, const ferry_stats *total)
{
    fy_buffer_printf(json, "{\"requests\": %" PRIu64, total->requests);
    write_number(json, "responses", total->responses);
    write_number(json, "errors", total->errors);
    write_number(json, "retries", total->retries);
    write_number(json, "dials", total->dials);
    write_number(json, "dial_failures", total->dial_failures);
    write_number(json, "reuses", total->reuses);
    write_number(json, "puts", total->puts);
    write_number(json, "put_failures", total->put_failures);
    write_number(json, "close_waits", total->close_waits);
    write_number(json, "connections", total->connections);
    write_number(json, "idle", total->idle);
    write_number(json, "waiting", total->waiting);
    write_times(json, "dns", &total->dns);
    write_times(json, "connect", &total->connect);
    write_times(json, "tls", &total->tls);
    write_times(json, "first_byte", &total->first_byte);
    write_times(json, "body", &total->body);
    fy_buffer_append_byte(json, '}');
}

static void write_all(struct fy_buffer *json, const struct fy_snapshot *snapshot, size_t most)
{
    fy_buffer_append_text(json, "{\"program\": ");
    fy_json_string(json, program_invocation_short_name);
    fy_buffer_printf(json, ", \"pid\": %ld, \"at_ms\": %" PRId64 ",\n\"total\": ", (long)getpid(),
                     MS(snapshot->taken));
    write_total(json, &snapshot->total);
    fy_buffer_printf(json, ",\n\"task_count\": %zu, \"tasks\": ", snapshot->task_count);
    write_tasks(json, snapshot, most);
    fy_buffer_printf(json,
                     ",\n\"connection_count\": %zu, \"connections\": ", snapshot->connection_count);
    write_connections(json, snapshot, most);
    fy_buffer_append_text(json, ",\n\"ledger\": ");
    fy_open_responses_write_json(json, &snapshot->responses, most);
    fy_buffer_append_byte(json, '}');
}

/* ----------------------------------------------------------------------------- what is public */

static char *written(void (*write)(struct fy_buffer *json, const struct fy_snapshot *snapshot,
                                   size_t most),
                     size_t most)
{
    struct fy_buffer json = {0};
    struct fy_snapshot *snapshot = fy_snapshot_take();
    if (snapshot == NULL) {
        return NULL;
    }
    write(&json, snapshot, most);
    fy_snapshot_free(snapshot);
    return fy_json_end(&json);
}

FERRY_API char *ferry_tasks_json(void)
{
    return written(write_tasks, SIZE_MAX);
}

FERRY_API char *ferry_connections_json(void)
{
    return written(write_connections, SIZE_MAX);
}

FERRY_API char *ferry_snapshot_json(size_t most)
{
    return written(write_all, most > 0 ? most : SIZE_MAX);
}
