/*
 * The ledger: every response that is open, with the place in the program that opened it. Each
 * scheduler keeps the list of its own, under its own lock, so that opening and closing one costs
 * two links.
 */
#ifndef FY_WATCH_LEDGER_H
#define FY_WATCH_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"

struct fy_sched;

/* Embedded in a response. All under the lock of the response's scheduler. */
struct fy_ledger_entry {
    struct fy_link link; /* in sched->open_responses while open */
    const char *file;    /* of the call that opened it; NULL: unknown. Static */
    int line;
    const char *url;   /* the response's */
    int64_t opened;    /* fy_now() */
    int64_t last_read; /* fy_now() of the last read; 0: none yet */
    int64_t bytes_read;
    int64_t length;        /* announced, -1: unknown */
    uint64_t connection;   /* the connection that serves it; 0: none */
    bool inherited;        /* its process was forked, and this is the child: it is on no list */
    bool abandoned;        /* nobody has read from it for abandoned_ms: it has been taken away */
    bool holds_connection; /* its body has not ended: it holds that connection and two tasks */
    /* Told by those who know, in bytes: what the response takes, and, asked only while it holds one,
     * what its connection does; holder is whoever has that. NULL: nothing is known. */
    size_t (*memory)(const struct fy_ledger_entry *entry);
    size_t (*held_memory)(const struct fy_ledger_entry *entry);
    void *holder;
    /* Told when it becomes inherited. NULL: nobody. */
    void (*on_inherited)(const struct fy_ledger_entry *entry);
};

void fy_ledger_open(struct fy_sched *sched, struct fy_ledger_entry *entry);
void fy_ledger_close(struct fy_ledger_entry *entry);

#endif
