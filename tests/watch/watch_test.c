/*
 * What the tests of the watch floor share.
 */
#include "watch_test.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ferry.h>
#include <cmocka.h>

#include "events.h"

char *ledger_text(size_t *count)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    *count = ferry_open_responses(out);
    fclose(out);
    return text;
}

char *dump_text(void)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    ferry_dump_tasks(out);
    fclose(out);
    return text;
}

bool await_in_dump(const char *text)
{
    int64_t deadline = events_deadline(10000);
    bool found = false;
    while (!found && events_now() < deadline) {
        char *dump = dump_text();
        found = strstr(dump, text) != NULL;
        free(dump);
        ferry_sleep(found ? 0 : 1);
    }
    return found;
}

static bool line_is(const char *line, size_t len, const char *begins, const char *ends)
{
    size_t begins_len = strlen(begins);
    size_t ends_len = strlen(ends);
    return len >= begins_len + ends_len && memcmp(line, begins, begins_len) == 0 &&
           memcmp(line + len - ends_len, ends, ends_len) == 0;
}

bool has_line(const char *text, const char *begins, const char *ends)
{
    while (*text != '\0') {
        size_t len = strcspn(text, "\n");
        if (line_is(text, len, begins, ends)) {
            return true;
        }
        text += len + (text[len] == '\n');
    }
    return false;
}

int nothing_is_left(void **state)
{
    (void)state;
    ferry_transport_close_idle(NULL);
    for (int64_t until = events_deadline(10000); ferry_num_tasks() > 1 && events_now() < until;) {
        ferry_sleep(1); /* a loop that the monitor began to end has this thread finish it */
    }
    size_t open = 0;
    char *ledger = ledger_text(&open);
    char *dump = dump_text();
    bool clean = open == 0 && ferry_num_tasks() == 1;
    if (!clean) {
        fprintf(stderr, "left behind:\n%s%s", ledger, dump);
    }
    free(ledger);
    free(dump);
    return clean ? 0 : -1;
}

ferry_response *get_unread(ferry_transport *transport, const char *url)
{
    ferry_request *req = ferry_request_new("GET", url, NULL);
    ferry_response *res = ferry_transport_round_trip(transport, req, NULL);
    ferry_request_free(req);
    return res;
}

void get_whole(ferry_transport *transport, const char *url)
{
    ferry_response *res = get_unread(transport, url);
    char *body = ferry_response_read_all(res, 1000, NULL, NULL);
    assert_non_null(body);
    free(body);
    ferry_response_close(res);
}

ferry_stats stats_of(const ferry_transport *transport)
{
    ferry_stats stats = FERRY_STATS_INIT;
    ferry_transport_stats(transport, &stats);
    return stats;
}
