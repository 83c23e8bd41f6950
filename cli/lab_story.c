/*
 * lab_story.c: why the count of the page's experiment is what it is, in words. It is told from the
 * figures that were counted, for the choices that were made; `ferry lab --serve` shows it beside
 * them.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lab.h"

struct story {
    char *text;
    size_t size, len;
};

static void __attribute__((format(printf, 2, 3))) tell(struct story *story, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(story->text + story->len, story->size - story->len, format, args);
    va_end(args);
    if (n > 0)
        story->len += (size_t)n;
    if (story->len >= story->size)
        story->len = story->size - 1;
}

static const char *plural(uint64_t n)
{
    return n == 1 ? "" : "s";
}

static void tell_sum(struct story *story, const struct lab_result *result)
{
    if (result->tasks == 1)
        tell(story, "1: main alone. ");
    else if ((uint64_t)result->tasks == 1 + 2 * result->connections)
        tell(story, "%d = main + 2 loops for each of %" PRIu64 " connection%s. ", result->tasks,
             result->connections, plural(result->connections));
    else
        tell(story, "%d tasks. ", result->tasks);
}

static void tell_leak(struct story *story, const struct lab_row *row)
{
    if (row->num == 1)
        tell(story, "The response was neither read to its end nor closed, so it holds on to its "
                    "connection. Its read loop waits for the body to be read, its write loop for "
                    "the next request; neither will come.");
    else
        tell(story,
             "No response was read to its end, and none was closed. So each of the %d holds on to "
             "its connection, the next request found none idle and had to dial. Each read loop "
             "waits for a body to be read, each write loop for a request that will not come: this "
             "is the leak.",
             row->num);
}

static void tell_pool(struct story *story, const struct lab_row *row, enum lab_drain drain,
                      const struct lab_result *result)
{
    if (row->body == LAB_EMPTY)
        tell(story, "There was no body to wait for: the connection was back in the pool before the "
                    "program had the response. ");
    else if (row->read >= LAB_READ_EXACT)
        tell(story, "Reading to the end gave the connection back to the pool each time, at once. ");
    else if (drain == LAB_DRAIN)
        tell(story, "Each body was closed early, and ferry read the rest of it, which was short: "
                    "so the connection could be kept. ");
    if (result->reuses > 0)
        tell(story, "The next request found it there: %" PRIu64 " dial%s, %" PRIu64 " reuse%s. ",
             result->dials, plural(result->dials), result->reuses, plural(result->reuses));
    if (row->hosts > 1)
        tell(story, "A connection serves one host only, so there is one for each. ");
    if (!row->closed && row->body != LAB_EMPTY)
        tell(story, "Nobody has closed a response, and here it costs memory only: that is how "
                    "sloppy code looks fine.");
}

static void tell_end(struct story *story, const struct lab_row *row, enum lab_drain drain)
{
    if (row->body == LAB_CONN_CLOSE)
        tell(story, "The server closes after each response. With the end of the body, or with its "
                    "close, the connection was done for, and both of its loops ended.");
    else if (drain == LAB_DRAIN)
        tell(story,
             "Each body was closed long before its end, and what was left is more than ferry "
             "reads on (256 KiB): it closed the connection, and every request dialed.");
    else
        tell(story, "Closing a body before its end closes the connection, for the rest of the body "
                    "is still on its way. Nothing leaks, but every request had to dial.");
}

void lab_explain(const struct lab_row *row, enum lab_drain drain, const struct lab_result *result,
                 char *text, size_t size)
{
    struct story story = {.text = text, .size = size};
    *text = '\0';
    tell_sum(&story, result);
    switch (lab_outcome(row, result)) {
    case LAB_LEAKED: tell_leak(&story, row); break;
    case LAB_POOLED: tell_pool(&story, row, drain, result); break;
    case LAB_GONE: tell_end(&story, row, drain); break;
    default:
        tell(&story, "%" PRIu64 " of the connections are idle, %" PRIu64 " responses are open.",
             result->idle, result->open_responses);
    }
}
