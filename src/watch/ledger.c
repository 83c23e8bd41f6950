/*
 * The ledger's books and its printing. A reader goes from scheduler to scheduler, holds each one's
 * lock while it copies lines into memory, and writes them when it holds none.
 */
#include "watch/ledger.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ferry.h>

#include "base/buffer.h"
#include "task/clock.h"
#include "task/sched.h"

void fy_ledger_open(struct fy_sched *sched, struct fy_ledger_entry *entry)
{
    entry->opened = sched->now;
    fy_list_push_back(&sched->open_responses, &entry->link);
}

void fy_ledger_close(struct fy_ledger_entry *entry)
{
    fy_list_remove(&entry->link);
}

struct report {
    struct fy_buffer text;
    size_t count;
    bool want_text;
};

static void write_bytes_read(struct fy_buffer *text, const struct fy_ledger_entry *entry)
{
    fy_buffer_printf(text, "%" PRId64, entry->bytes_read);
    if (entry->length >= 0) {
        fy_buffer_printf(text, " of %" PRId64 " bytes read", entry->length);
    } else {
        fy_buffer_append_text(text, " bytes read of an unknown length");
    }
}

/* main.c:42: http://127.0.0.1:8080/a: open for 1.2 s, 10 of 1000 bytes read, holds connection 4 and
 * its 2 tasks */
static void write_entry(struct fy_buffer *text, const struct fy_ledger_entry *entry)
{
    if (entry->file != NULL) {
        fy_buffer_printf(text, "%s:%d: ", entry->file, entry->line);
    } else {
        fy_buffer_append_text(text, "(unknown place): ");
    }
    fy_buffer_printf(text, "%s: open for %.1f s, ", entry->url,
                     (double)(fy_now() - entry->opened) / 1e9);
    write_bytes_read(text, entry);
    if (entry->holds_connection) {
        fy_buffer_printf(text, ", holds connection %" PRIu64 " and its 2 tasks\n",
                         entry->connection);
    } else {
        fy_buffer_append_text(text, entry->abandoned
                                        ? ", abandoned: ferry took its connection away\n"
                                        : ", holds memory only\n");
    }
}

static void visit(struct fy_sched *sched, void *arg)
{
    struct report *report = arg;
    FY_LIST_EACH(link, &sched->open_responses)
    {
        report->count++;
        if (report->want_text) {
            write_entry(&report->text, FY_CONTAINER(link, struct fy_ledger_entry, link));
        }
    }
}

FERRY_API size_t ferry_open_responses(FILE *out)
{
    struct report report = {.want_text = out != NULL};
    fy_sched_each(visit, &report);
    if (out != NULL && report.text.len > 0) {
        fwrite(report.text.bytes, 1, report.text.len, out);
        if (report.text.failed) {
            fputs("(out of memory: the list is not complete)\n", out);
        }
    }
    fy_buffer_free(&report.text);
    return report.count;
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
