/*
 * The ledger as a reader has it: copies of all entries, made under one scheduler's lock after the
 * other and free of them all since.
 */
#ifndef FY_WATCH_LEDGER_READ_H
#define FY_WATCH_LEDGER_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fy_buffer;
struct fy_sched;

/* An entry's copy. Times are ages, in nanoseconds. */
struct fy_open_response {
    const char *file; /* NULL: unknown */
    int line;
    char *url;
    int64_t age, unread_for; /* unread_for: since the last read; -1: none yet */
    int64_t bytes_read, length;
    uint64_t connection;
    bool holds_connection, abandoned;
    size_t memory;
};

struct fy_open_responses {
    struct fy_open_response *list; /* oldest first */
    size_t count;                  /* of the list */
    size_t open;                   /* all there are: more than count when memory was short */
    size_t capacity;
};

/* A run of entries from one place in the program: list[first] and more, when sorted by place. */
struct fy_call_site {
    const struct fy_open_response *oldest;
    size_t open, connections, memory;
    int64_t longest_unread;
};

void fy_open_responses_read(struct fy_open_responses *all);

/* The same in parts: all starts zero-filled, each scheduler's are added under its lock, and then
 * they are put in order. */
void fy_open_responses_add(struct fy_open_responses *all, struct fy_sched *sched);
void fy_open_responses_sort(struct fy_open_responses *all);

void fy_open_responses_free(struct fy_open_responses *all);

/* How many entries make the text be grouped by call site. */
#define FY_LEDGER_GROUPED 20

/* The call sites, those with the most open responses first. From malloc(); NULL: out of memory, or
 * there are none. */
struct fy_call_site *fy_call_sites(const struct fy_open_responses *all, size_t *count);

/* ledger_json.c: the document of ferry_open_responses_json(), with at most so many of its responses
 * and call sites. */
void fy_open_responses_write_json(struct fy_buffer *json, const struct fy_open_responses *all,
                                  size_t most);

#endif
