/*
 * The ledger's books, and the ledger as text: at any time, and at the program's end.
 */
#include "watch/ledger.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ferry.h>

#include "base/buffer.h"
#include "base/debug.h"
#include "task/sched.h"
#include "watch/ledger_read.h"

void fy_ledger_open(struct fy_sched *sched, struct fy_ledger_entry *entry)
{
    entry->opened = sched->now;
    fy_list_push_back(&sched->open_responses, &entry->link);
}

void fy_ledger_close(struct fy_ledger_entry *entry)
{
    fy_list_remove(&entry->link);
}

/* In the child of a fork: the scheduler's open responses are the parent's. */
static void inherited(struct fy_sched *sched)
{
    struct fy_link *link;
    while ((link = fy_list_pop_front(&sched->open_responses)) != NULL) {
        struct fy_ledger_entry *entry = FY_CONTAINER(link, struct fy_ledger_entry, link);
        entry->inherited = true;
        if (entry->on_inherited != NULL) {
            entry->on_inherited(entry);
        }
    }
}

static __attribute__((constructor)) void watch_forks(void)
{
    static struct fy_fork_listener listener = {.inherited = inherited};
    fy_fork_listen(&listener);
}

/* ----------------------------------------------------------------------------------------- text */

static double seconds(int64_t ns)
{
    return (double)ns / 1e9;
}

static void write_place(struct fy_buffer *text, const struct fy_open_response *one)
{
    if (one->file != NULL) {
        fy_buffer_printf(text, "%s:%d: ", one->file, one->line);
    } else {
        fy_buffer_append_text(text, "(unknown place): ");
    }
}

static void write_memory(struct fy_buffer *text, size_t bytes)
{
    fy_buffer_printf(text, "%zu KiB", (bytes + 1023) / 1024);
}

/* main.c:42: http://127.0.0.1:8080/a: open for 1.2 s, 10 of 1000 bytes read, the last 0.8 s ago, holds
 * connection 4 and its 2 tasks (14 KiB) */
static void write_one(struct fy_buffer *text, const struct fy_open_response *one)
{
    write_place(text, one);
    fy_buffer_printf(text, "%s: open for %.1f s, %" PRId64, one->url, seconds(one->age),
                     one->bytes_read);
    if (one->length >= 0) {
        fy_buffer_printf(text, " of %" PRId64 " bytes read", one->length);
    } else {
        fy_buffer_append_text(text, " bytes read of an unknown length");
    }
    if (one->unread_for >= 0) {
        fy_buffer_printf(text, ", the last %.1f s ago", seconds(one->unread_for));
    }
    if (one->holds_connection) {
        fy_buffer_printf(text, ", holds connection %" PRIu64 " and its 2 tasks (", one->connection);
    } else {
        fy_buffer_append_text(text, one->abandoned ? ", abandoned: ferry took its connection away ("
                                                   : ", holds memory only (");
    }
    write_memory(text, one->memory);
    fy_buffer_append_text(text, ")\n");
}

/* main.c:42: 130 responses open, 128 of them hold a connection and its 2 tasks (1794 KiB in all); the oldest:
 *     main.c:42: ... */
static void write_site(struct fy_buffer *text, const struct fy_call_site *site)
{
    write_place(text, site->oldest);
    fy_buffer_printf(text, "%zu response%s open, %zu of them hold%s a connection and its 2 tasks (",
                     site->open, site->open == 1 ? "" : "s", site->connections,
                     site->connections == 1 ? "s" : "");
    write_memory(text, site->memory);
    fy_buffer_append_text(text, " in all); the oldest:\n    ");
    write_one(text, site->oldest);
}

static void write_text(struct fy_buffer *text, const struct fy_open_responses *all)
{
    size_t site_count = 0;
    struct fy_call_site *sites =
        all->count > FY_LEDGER_GROUPED ? fy_call_sites(all, &site_count) : NULL;
    for (size_t i = 0; i < site_count; i++) {
        write_site(text, &sites[i]);
    }
    for (size_t i = 0; sites == NULL && i < all->count; i++) {
        write_one(text, &all->list[i]);
    }
    if (text->failed || all->count < all->open) {
        /* What there was room for is told; this is why it is not everything. */
        text->failed = true;
    }
    free(sites);
}

static size_t put_out(struct fy_buffer *text, const struct fy_open_responses *all, FILE *out)
{
    if (text->len > 0) {
        fwrite(text->bytes, 1, text->len, out);
    }
    if (text->failed) {
        fputs("(out of memory: the list is not complete)\n", out);
    }
    return all->open;
}

static void count_in(struct fy_sched *sched, void *arg)
{
    FY_LIST_EACH(link, &sched->open_responses)
    {
        ++*(size_t *)arg;
    }
}

FERRY_API size_t ferry_open_responses(FILE *out)
{
    size_t open = 0;
    struct fy_open_responses all;
    struct fy_buffer text = {0};
    if (out == NULL) {
        fy_sched_each(count_in, &open);
        return open;
    }
    fy_open_responses_read(&all);
    write_text(&text, &all);
    open = put_out(&text, &all, out);
    fy_buffer_free(&text);
    fy_open_responses_free(&all);
    return open;
}

FERRY_API char *ferry_open_responses_text(size_t *count)
{
    struct fy_open_responses all;
    struct fy_buffer text = {0};
    fy_open_responses_read(&all);
    write_text(&text, &all);
    fy_buffer_append_byte(&text, '\0');
    if (count != NULL) {
        *count = all.open;
    }
    fy_open_responses_free(&all);
    if (text.failed) {
        fy_buffer_free(&text);
        return NULL;
    }
    return text.bytes;
}

/* FERRY_LEAKS: after the program's own atexit functions, which may still close what they hold. */
static __attribute__((destructor)) void report_at_exit(void)
{
    const char *wanted = getenv("FERRY_LEAKS");
    if (wanted == NULL || *wanted == '\0' || strcmp(wanted, "0") == 0) {
        return;
    }
    size_t count = ferry_open_responses(NULL);
    if (count == 0) {
        return;
    }
    fprintf(stderr, "ferry: %zu response%s never closed:\n", count, count == 1 ? " was" : "s were");
    ferry_open_responses(stderr);
    if (strcmp(wanted, "fatal") == 0) {
        fflush(NULL);
        _exit(23);
    }
}

/* For a debugger. */
extern FERRY_API const struct fy_debug_entry ferry_debug_ledger[];
const struct fy_debug_entry ferry_debug_ledger[] = {
    FY_DEBUG_FIELD(fy_ledger_entry, link),
    FY_DEBUG_FIELD(fy_ledger_entry, file),
    FY_DEBUG_FIELD(fy_ledger_entry, line),
    FY_DEBUG_FIELD(fy_ledger_entry, url),
    FY_DEBUG_FIELD(fy_ledger_entry, opened),
    FY_DEBUG_FIELD(fy_ledger_entry, last_read),
    FY_DEBUG_FIELD(fy_ledger_entry, bytes_read),
    FY_DEBUG_FIELD(fy_ledger_entry, length),
    FY_DEBUG_FIELD(fy_ledger_entry, connection),
    FY_DEBUG_FIELD(fy_ledger_entry, holds_connection),
    FY_DEBUG_END,
};
