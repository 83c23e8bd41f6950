/*
 * Memory runs out while somebody looks at what there is: the ledger as text and as JSON, the task dump,
 * the metrics. Each says so, whichever allocation it was, keeps nothing, and has it right the next time.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "failing_alloc.h"
#include "oom.h"

/* More than 20, so that they are grouped by place; at each of two hosts. */
#define OPEN 26

#define MOST_ALLOCATIONS 4000

static char written[1 << 18];

/* What is looked at: true if it was had whole; false if it was told that memory had run out. Anything else
 * fails the test, once memory is there again. */
typedef bool (*look)(FILE *out, const char **wrong);

/* Grouped; or, where there was no memory for that, one by one. */
static bool has_all(const char *ledger)
{
    int lines = 0;
    for (const char *at = ledger; (at = strstr(at, ": open for ")) != NULL; at++) {
        lines++;
    }
    return lines == OPEN || strstr(ledger, "26 responses open, 26 of them") != NULL;
}

static bool text(FILE *out, const char **wrong)
{
    size_t count = 0;
    char *ledger = ferry_open_responses_text(&count);
    (void)out;
    if (ledger != NULL && (count != OPEN || !has_all(ledger))) {
        *wrong = "the text is not whole";
    }
    bool whole = ledger != NULL;
    free(ledger);
    return whole;
}

static bool json(FILE *out, const char **wrong)
{
    size_t count = 0;
    char *ledger = ferry_open_responses_json(&count);
    (void)out;
    if (ledger != NULL) {
        int urls = 0;
        for (const char *at = ledger; (at = strstr(at, "\"url\"")) != NULL; at++) {
            urls++;
        }
        if (count != OPEN || urls != OPEN || strstr(ledger, "{\"open\": 26,") != ledger ||
            strstr(ledger, "\"open\": 26, \"oldest_ms\"") == NULL) {
            *wrong = "the JSON is not whole";
        }
    }
    bool whole = ledger != NULL;
    free(ledger);
    return whole;
}

/* Says in the file that it is not everything, and still how many there are. */
static bool file(FILE *out, const char **wrong)
{
    if (ferry_open_responses(out) != OPEN) {
        *wrong = "not the number of responses";
    }
    fflush(out);
    bool whole = strstr(written, "(out of memory: ") == NULL;
    if (whole && !has_all(written)) {
        *wrong = "the list is not whole, and does not say so";
    }
    return whole;
}

static bool dump(FILE *out, const char **wrong)
{
    int paragraphs = 0;
    ferry_dump_tasks(out);
    fflush(out);
    for (const char *at = written; (at = strstr(at, "]:\n    ")) != NULL; at++) {
        paragraphs++;
    }
    bool whole = strstr(written, "(out of memory: ") == NULL;
    if (whole && paragraphs != 1 + 2 * OPEN) {
        *wrong = "the dump is not whole, and does not say so";
    }
    return whole;
}

static bool metrics(FILE *out, const char **wrong)
{
    errno = 0;
    int result = ferry_metrics(out);
    int os_errno = errno;
    fflush(out);
    if (result == 0 && strstr(written, "\nferry_ledger_responses 26\n") == NULL) {
        *wrong = "the metrics are not whole";
    }
    if (result != 0 && (os_errno != ENOMEM || written[0] != '\0')) {
        *wrong = "something is written, or errno is not ENOMEM";
    }
    return result == 0;
}

/* One look while an allocation fails. Returns how many have failed. */
static long look_once(look look_at, long number, bool all_after, bool *whole, const char **wrong)
{
    static char buffer[BUFSIZ]; /* or stdio would want one */
    memset(written, 0, sizeof written);
    FILE *out = fmemopen(written, sizeof written, "w");
    assert_non_null(out);
    setvbuf(out, buffer, _IOFBF, sizeof buffer);
    alloc_fail_at(number, all_after);
    *whole = look_at(out, wrong);
    long failed = alloc_fail_none();
    fclose(out);
    return failed;
}

static void sweep(look look_at, bool all_after)
{
    for (long number = 1; number < MOST_ALLOCATIONS; number++) {
        const char *wrong = NULL;
        bool whole = false;
        long living = alloc_living();
        long failed = look_once(look_at, number, all_after, &whole, &wrong);
        if (wrong != NULL || (!whole && failed == 0)) {
            fail_msg("allocation %ld fails%s: %s", number, all_after ? ", and all after it" : "",
                     wrong != NULL ? wrong : "it says so, and that is not so");
        }
#ifndef ALLOC_WRAPPED
        assert_int_equal(alloc_living(), living);
#else
        (void)living; /* the sanitizer sees what is left */
#endif
        if (failed == 0) {
            assert_true(number > 2); /* some could fail */
            return;
        }
    }
    fail_msg("there is no end to the allocations");
}

static void serve(struct origin_conn *conn, void *arg)
{
    (void)arg;
    while (origin_read_request(conn)) {
        origin_send(conn, BYTES("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"));
    }
}

static void looks_at_all_there_is(void **state)
{
    static const look looks[] = {text, json, file, dump, metrics};
    struct origin *origins[2];
    ferry_response *open[OPEN];

    (void)state;
    alloc_fail_at(0, false); /* counted from now on */
    for (int i = 0; i < 2; i++) {
        origins[i] = origin_start(&(struct origin_script){.serve = serve});
        assert_non_null(origins[i]);
    }
    for (int i = 0; i < OPEN; i++) {
        open[i] = ferry_get(origin_url(origins[i % 2], "/"), NULL);
        assert_non_null(open[i]);
    }
    for (size_t i = 0; i < sizeof looks / sizeof looks[0]; i++) {
        sweep(looks[i], false);
        sweep(looks[i], true);
    }
    for (int i = 0; i < OPEN; i++) {
        ferry_response_close(open[i]);
    }
    while (ferry_num_tasks() > 1) {
        ferry_sleep(1); /* what was closed early is read on for a while */
    }
    assert_true(origin_stop(origins[0]));
    assert_true(origin_stop(origins[1]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(looks_at_all_there_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
