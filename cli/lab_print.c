/*
 * lab_print.c: what came out of the experiment, for people (a page of 100 columns; colour only on
 * a terminal) and for programs (JSON). Every figure printed here was counted in lab_run.c, except
 * what "one would say".
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lab.h"
#include "terminal.h"

#define LEDGER_LINES 8 /* of a long ledger no more than this is shown */

/* What switches colours on; all empty where there are none. */
struct palette {
    const char *bold, *dim, *good, *bad, *off;
};

static struct palette palette_for(FILE *out)
{
    if (cli_may_colour(out))
        return (struct palette){"\033[1m", "\033[2m", "\033[32m", "\033[1;31m", "\033[0m"};
    return (struct palette){"", "", "", "", ""};
}

static const char *colour_of(const struct palette *palette, enum lab_outcome outcome)
{
    if (outcome == LAB_LEAKED)
        return palette->bad;
    return outcome == LAB_POOLED ? palette->good : "";
}

static const char *yes_no(bool yes)
{
    return yes ? "yes" : "no";
}

/* ---- The puzzle, which opens the whole table ---- */

static const struct lab_line *find_line(const struct lab_line *lines, size_t count,
                                        enum lab_read read)
{
    for (size_t i = 0; i < count; i++) {
        const struct lab_row *row = &lines[i].row;
        if (row->body == LAB_SIZED && row->hosts == 1 && row->read == read && !row->closed)
            return &lines[i];
    }
    return NULL;
}

static void print_key_row(const struct palette *palette, const char *label,
                          const struct lab_line *line, enum lab_drain drain, const char *reason,
                          const char *more)
{
    const struct lab_result *result = &line->result[drain];
    printf("  %s%-28s%s%s%5d%s%13" PRIu64 "%7" PRIu64 "%8" PRIu64 "  %s%s%s\n", palette->bold,
           label, palette->off, colour_of(palette, lab_outcome(&line->row, result)), result->tasks,
           palette->off, result->connections, result->dials, result->reuses, palette->dim, reason,
           palette->off);
    printf("  %61s  %s%s%s\n", "", palette->dim, more, palette->off);
}

static void print_puzzle(const struct palette *palette, int num, const struct lab_line *lines,
                         size_t count, enum lab_drain drain)
{
    const struct lab_line *read = find_line(lines, count, LAB_READ_ALL);
    const struct lab_line *unread = find_line(lines, count, LAB_READ_NONE);
    if (!read || !unread || num < 2)
        return;
    printf("%sHow many tasks?%s  A program sends %d requests in a loop, reads each body to its "
           "end, closes no\n"
           "response, and counts its tasks. A connection has two, a read loop and a write loop; "
           "with main that\n"
           "would be %d x 2 + 1 = %d. It is %d: the end of a body gives its connection back for "
           "the next request.\n"
           "Leave the bodies unread, and the same program leaks:\n\n",
           palette->bold, palette->off, num, num, num * 2 + 1, read->result[drain].tasks);
    printf("  %s%-28s%5s%13s%7s%8s%s\n", palette->dim, "1000 bytes each time", "tasks",
           "connections", "dials", "reuses", palette->off);
    print_key_row(palette, "read to the end, not closed", read, drain,
                  "one connection, used again and", "again: its two loops, and main");
    print_key_row(palette, "not read, not closed", unread, drain,
                  "each response holds a connection", "and its two loops, until closed");
    printf("\n");
}

/* ---- The table ---- */

static void print_result(const struct palette *palette, const struct lab_row *row,
                         const struct lab_result *result)
{
    printf("%s%5d%s%12" PRIu64 "%6" PRIu64 "%7" PRIu64,
           colour_of(palette, lab_outcome(row, result)), result->tasks, palette->off,
           result->connections, result->dials, result->reuses);
}

static void print_line(const struct palette *palette, const struct lab_line *line,
                       bool first_of_body)
{
    char buf[48];
    const char *body = first_of_body ? lab_describe_body(&line->row, buf, sizeof buf) : "";
    printf("%s%-20s%s%-6s%-6s", palette->bold, body, palette->off, lab_read_names[line->row.read],
           yes_no(line->row.closed));
    for (int drain = 0; drain < LAB_DRAINS; drain++) {
        if (!line->ran[drain])
            continue;
        fputs("   ", stdout);
        print_result(palette, &line->row, &line->result[drain]);
    }
    putchar('\n');
    const char *reason = lab_reason(line);
    if (reason)
        printf("%20s%s^ %s%s\n", "", palette->dim, reason, palette->off);
}

static bool same_body(const struct lab_line *a, const struct lab_line *b)
{
    return a->row.body == b->row.body && a->row.hosts == b->row.hosts;
}

static void print_heads(const struct palette *palette, const bool ran[LAB_DRAINS])
{
    static const char *const modes[2][LAB_DRAINS] = {
        {"closing early discards", "closing early drains"},
        {"(Go to 1.26; --drain off)", "(Go 1.27; ferry's default)"},
    };
    for (size_t i = 0; i < 2; i++) {
        printf("%s%32s", palette->dim, "");
        for (int drain = 0; drain < LAB_DRAINS; drain++)
            if (ran[drain])
                printf("   %30s", modes[i][drain]);
        printf("%s\n", palette->off);
    }
    printf("%s%-20s%-6s%-6s", palette->dim, "body", "read", "closed");
    for (int drain = 0; drain < LAB_DRAINS; drain++)
        if (ran[drain])
            printf("   %5s%12s%6s%7s", "tasks", "connections", "dials", "reuses");
    printf("%s\n", palette->off);
}

static void print_table(const struct palette *palette, const struct lab_line *lines, size_t count)
{
    print_heads(palette, lines[0].ran);
    for (size_t i = 0; i < count; i++) {
        bool first_of_body = i == 0 || !same_body(&lines[i - 1], &lines[i]);
        if (first_of_body && i > 0)
            putchar('\n');
        print_line(palette, &lines[i], first_of_body);
    }
}

/* ---- The ledger ---- */

/* Prints the first lines of the text; returns how many there are beyond. */
static size_t print_some_lines(const char *text, size_t max)
{
    size_t printed = 0, left = 0;
    while (*text) {
        size_t len = strcspn(text, "\n");
        if (printed < max) {
            printf("  %.*s\n", (int)len, text);
            printed++;
        } else {
            left++;
        }
        text += len + (text[len] == '\n');
    }
    return left;
}

static void print_ledger(const struct palette *palette, const struct lab_ledger *ledger)
{
    char buf[48];
    const struct lab_row *row = &ledger->line->row;
    printf("\n%sWho forgot?%s  After a leaking row (%s, read %s, not closed), "
           "ferry_open_responses(stdout)\n"
           "names the call that opened each response nobody closed: here a line of the lab's own "
           "code.\n\n",
           palette->bold, palette->off, lab_describe_body(row, buf, sizeof buf),
           lab_read_names[row->read]);
    size_t left = print_some_lines(ledger->text, LEDGER_LINES);
    if (left > 0)
        printf("  %s... and %zu more%s\n", palette->dim, left, palette->off);
}

static bool is_whole_table(const struct lab_choices *choices)
{
    return !choices->url && choices->body < 0 && choices->read < 0 && choices->closed < 0 &&
           choices->hosts < 0;
}

void lab_print(const struct lab_choices *choices, const struct lab_line *lines, size_t count,
               const struct lab_ledger *ledger)
{
    struct palette palette = palette_for(stdout);
    if (is_whole_table(choices))
        print_puzzle(&palette, choices->num, lines, count,
                     lines[0].ran[LAB_DISCARD] ? LAB_DISCARD : LAB_DRAIN);
    printf("%s%s%s  %d request%s a row; tasks are counted by ferry_num_tasks() at once after the "
           "loop.\n\n",
           palette.bold, is_whole_table(choices) ? "The whole table." : "The experiment.",
           palette.off, choices->num, choices->num == 1 ? "" : "s");
    print_table(&palette, lines, count);
    if (ledger->text)
        print_ledger(&palette, ledger);
}

/* ---- For programs ---- */

void lab_print_json(const struct lab_line *lines, size_t count)
{
    const char *separator = "";
    printf("[");
    for (size_t i = 0; i < count; i++) {
        const struct lab_row *row = &lines[i].row;
        for (int drain = 0; drain < LAB_DRAINS; drain++) {
            const struct lab_result *result = &lines[i].result[drain];
            if (!lines[i].ran[drain])
                continue;
            printf("%s\n{\"body\":\"%s\",\"read\":\"%s\",\"closed\":%s,\"drain\":%s,\"num\":%d,"
                   "\"hosts\":%d,"
                   "\"tasks\":%d,\"connections\":%" PRIu64 ",\"dials\":%" PRIu64
                   ",\"reuses\":%" PRIu64 ",\"open_responses\":%" PRIu64 "}",
                   separator, row->body == LAB_URL ? "url" : lab_body_names[row->body],
                   lab_read_names[row->read], row->closed ? "true" : "false",
                   drain == LAB_DRAIN ? "true" : "false", row->num, row->hosts, result->tasks,
                   result->connections, result->dials, result->reuses, result->open_responses);
            separator = ",";
        }
    }
    printf("\n]\n");
}
