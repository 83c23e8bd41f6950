/*
 * The JSON that is served. Times are in milliseconds. Numbers of tasks and connections are those of
 * ferry_dump_tasks() and the ledger.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server.h"

/* The most of a kind in one event: a page of thousands of lanes is of no use to anybody. The counts
 * beside them are of all. */
#define MAX_SHOWN 200

#define MS(ns) ((ns) / 1000000)

static const char *const states[] = {
    [FERRY_SNAPSHOT_DIALING] = "dialing", [FERRY_SNAPSHOT_HANDSHAKE] = "handshake",
    [FERRY_SNAPSHOT_WRITING] = "writing", [FERRY_SNAPSHOT_AWAITING] = "awaiting",
    [FERRY_SNAPSHOT_UNREAD] = "unread",   [FERRY_SNAPSHOT_DRAINING] = "draining",
    [FERRY_SNAPSHOT_IDLE] = "idle",       [FERRY_SNAPSHOT_CLOSING] = "closing",
};

/* RFC 8259 section 7. */
void fy_inspect_write_text(FILE *out, const char *text)
{
    if (text == NULL) {
        fputs("null", out);
        return;
    }
    putc('"', out);
    for (const unsigned char *byte = (const unsigned char *)text; *byte != '\0'; byte++) {
        if (*byte == '"' || *byte == '\\') {
            putc('\\', out);
            putc(*byte, out);
        } else if (*byte < 0x20 || *byte == 0x7f) {
            fprintf(out, "\\u%04x", *byte);
        } else {
            putc(*byte, out);
        }
    }
    putc('"', out);
}

static void member(FILE *out, const char *name, const char *text)
{
    fprintf(out, "\"%s\":", name);
    fy_inspect_write_text(out, text);
    putc(',', out);
}

static const char *yes_no(bool yes)
{
    return yes ? "true" : "false";
}

static void write_parked(FILE *out, const struct ferry_snapshot_parked *parked)
{
    if (parked->task == 0) {
        fputs("null", out);
        return;
    }
    fprintf(out, "{\"task\":%" PRIu64 ",", parked->task);
    member(out, "waits", parked->why);
    fprintf(out, "\"ms\":%" PRId64 "}", MS(parked->ns));
}

/* ---- One of each ---- */

static void write_task(FILE *out, const struct ferry_snapshot_task *task)
{
    fprintf(out, "{\"task\":%" PRIu64 ",\"thread\":%" PRIu64 ",", task->number, task->thread);
    member(out, "name", task->name);
    fprintf(out, "\"connection\":%" PRIu64 ",\"running\":%s,", task->connection,
            yes_no(task->running));
    member(out, "waits", task->parked.why);
    fprintf(out, "\"ms\":%" PRId64 "}", MS(task->parked.ns));
}

static void write_connection(FILE *out, const struct ferry_snapshot_connection *connection)
{
    bool dials = connection->number == 0;
    fprintf(out, "{\"connection\":%" PRIu64 ",\"thread\":%" PRIu64 ",", connection->number,
            connection->thread);
    member(out, "scheme", connection->secure ? "https" : "http");
    member(out, "host", connection->host);
    fprintf(out, "\"proxied\":%s,", yes_no(connection->proxied));
    member(out, "state", states[connection->state]);
    fprintf(out, "\"ms\":%" PRId64 ",\"requests\":%" PRIu64 ",", MS(connection->state_ns),
            connection->requests);
    member(out, "url", connection->url);
    fputs(dials ? "\"dial\":" : "\"read_loop\":", out);
    write_parked(out, &connection->read_loop);
    if (!dials) {
        fputs(",\"write_loop\":", out);
        write_parked(out, &connection->write_loop);
    }
    putc('}', out);
}

static void write_response(FILE *out, const struct server *server,
                           const struct ferry_snapshot_response *response)
{
    bool suspicious =
        response->holds_connection && MS(response->unread_ns) >= server->suspicious_ms;
    putc('{', out);
    member(out, "file", response->file);
    fprintf(out, "\"line\":%d,", response->line);
    member(out, "url", response->url);
    fprintf(out, "\"age_ms\":%" PRId64 ",\"unread_ms\":%" PRId64 ",\"bytes_read\":%" PRId64 ",",
            MS(response->age_ns), MS(response->unread_ns), response->bytes_read);
    if (response->length >= 0) {
        fprintf(out, "\"length\":%" PRId64 ",", response->length);
    } else {
        fputs("\"length\":null,", out);
    }
    fprintf(out, "\"connection\":%" PRIu64 ",\"holds_connection\":%s,\"suspicious\":%s}",
            response->connection, yes_no(response->holds_connection), yes_no(suspicious));
}

/* ---- All of each, or as many as may be shown ---- */

static void tasks(FILE *out, const ferry_snapshot *snapshot, size_t most)
{
    putc('[', out);
    for (size_t i = 0; i < snapshot->task_count && i < most; i++) {
        fputs(i > 0 ? ",\n" : "", out);
        write_task(out, &snapshot->tasks[i]);
    }
    putc(']', out);
}

static void connections(FILE *out, const ferry_snapshot *snapshot, size_t most)
{
    putc('[', out);
    for (size_t i = 0; i < snapshot->connection_count && i < most; i++) {
        fputs(i > 0 ? ",\n" : "", out);
        write_connection(out, &snapshot->connections[i]);
    }
    putc(']', out);
}

static int older_first(const void *left, const void *right)
{
    int64_t left_age = ((const struct ferry_snapshot_response *)left)->age_ns;
    int64_t right_age = ((const struct ferry_snapshot_response *)right)->age_ns;
    return (left_age < right_age) - (left_age > right_age);
}

static void responses(FILE *out, const struct server *server, const ferry_snapshot *snapshot,
                      size_t most)
{
    if (snapshot->response_count > 0) {
        qsort(snapshot->responses, snapshot->response_count, sizeof *snapshot->responses,
              older_first);
    }
    putc('[', out);
    for (size_t i = 0; i < snapshot->response_count && i < most; i++) {
        fputs(i > 0 ? ",\n" : "", out);
        write_response(out, server, &snapshot->responses[i]);
    }
    putc(']', out);
}

void json_tasks(FILE *out, const ferry_snapshot *snapshot)
{
    tasks(out, snapshot, SIZE_MAX);
    putc('\n', out);
}

void json_connections(FILE *out, const ferry_snapshot *snapshot)
{
    connections(out, snapshot, SIZE_MAX);
    putc('\n', out);
}

void json_responses(FILE *out, const struct server *server, const ferry_snapshot *snapshot)
{
    responses(out, server, snapshot, SIZE_MAX);
    putc('\n', out);
}

static void total(FILE *out, const ferry_stats *stats)
{
    fprintf(out,
            "{\"requests\":%" PRIu64 ",\"responses\":%" PRIu64 ",\"errors\":%" PRIu64
            ",\"dials\":%" PRIu64 ",\"reuses\":%" PRIu64 ",\"puts\":%" PRIu64
            ",\"put_failures\":%" PRIu64 ",\"connections\":%" PRIu64 ",\"idle\":%" PRIu64
            ",\"open_responses\":%" PRIu64 ",\"waiting\":%" PRIu64 "}",
            stats->requests, stats->responses, stats->errors, stats->dials, stats->reuses,
            stats->puts, stats->put_failures, stats->connections, stats->idle,
            stats->open_responses, stats->waiting);
}

/* One line: a newline would end the event's data. */
static void one_line(char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\n') {
            text[i] = ' ';
        }
    }
}

static void write_event(FILE *out, const struct server *server, const ferry_snapshot *snapshot)
{
    putc('{', out);
    member(out, "program", program_invocation_short_name);
    fprintf(out,
            "\"pid\":%ld,\"at_ms\":%" PRId64 ",\"task_count\":%zu,\"connection_count\":%zu,"
            "\"response_count\":%zu,\"total\":",
            (long)getpid(), MS(snapshot->taken), snapshot->task_count, snapshot->connection_count,
            snapshot->response_count);
    total(out, &snapshot->total);
    fputs(",\"tasks\":", out);
    tasks(out, snapshot, MAX_SHOWN);
    fputs(",\"connections\":", out);
    connections(out, snapshot, MAX_SHOWN);
    fputs(",\"responses\":", out);
    responses(out, server, snapshot, MAX_SHOWN);
    if (server->extra.write_member != NULL) {
        putc(',', out);
        server->extra.write_member(server->extra.arg, out);
    }
    putc('}', out);
}

void json_event(FILE *out, const struct server *server, const ferry_snapshot *snapshot)
{
    char *text = NULL;
    size_t len = 0;
    FILE *memory = open_memstream(&text, &len);
    if (memory == NULL) {
        return;
    }
    write_event(memory, server, snapshot);
    if (fclose(memory) == 0) {
        one_line(text, len);
        fwrite(text, 1, len, out);
    }
    free(text);
}
