/*
 * The ledger finds every leak that was planted in planted.c, at its line and no other, and none in the
 * clean twin. The lines are read from that file's comments, so that they cannot go stale.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "origin.h"
#include "run.h"
#include "temp_dir.h"

#define MAX_LINES 1000

/* How often each line opened something that leaks: as planted, and as the ledger has it. */
struct leaks {
    int at[MAX_LINES];
    int all;
};

static struct origin *origin;

static void serve(struct origin_conn *conn, void *arg)
{
    (void)arg;
    while (origin_read_request(conn)) {
        const char *head = origin_conn_request(conn).head;
        const char *path = strchr(head, ' ') + 1;
        if (strncmp(path, "/silent ", 8) == 0) {
            return;
        }
        if (strncmp(path, "/moved ", 7) == 0) {
            origin_send(conn,
                        BYTES("HTTP/1.1 302 Found\r\nLocation: /a\r\nContent-Length: 0\r\n\r\n"));
        } else if (strncmp(path, "/missing ", 9) == 0) {
            origin_send(conn, BYTES("HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone"));
        } else if (strncmp(head, "HEAD ", 5) == 0) {
            origin_send(conn, BYTES("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"));
        } else {
            origin_send(conn, BYTES("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                    "5\r\nhello\r\n0\r\n\r\n"));
        }
    }
}

static int start(void **state)
{
    (void)state;
    origin = origin_start(&(struct origin_script){.serve = serve});
    return origin != NULL ? 0 : -1;
}

static int stop(void **state)
{
    (void)state;
    return origin_stop(origin) ? 0 : -1;
}

static struct leaks planted(void)
{
    struct leaks leaks = {0};
    char *source = temp_file_read(PLANTED_SOURCE, NULL);
    int line = 1;
    assert_non_null(source);
    for (const char *at = source; *at != '\0'; at++) {
        const char *mark = "/* planted: ";
        if (strncmp(at, mark, strlen(mark)) == 0) {
            leaks.at[line] = atoi(at + strlen(mark));
            leaks.all += leaks.at[line];
        }
        line += *at == '\n';
    }
    assert_in_range(line, 2, MAX_LINES - 1);
    free(source);
    return leaks;
}

/* From the ledger's lines: path/planted.c:42: http://... */
static struct leaks found_by(const char *ledger)
{
    struct leaks leaks = {0};
    for (const char *at = ledger; *at != '\0'; at = strchr(at, '\n') + 1) {
        const char *name = strstr(at, "planted.c:");
        if (name == NULL || name > strchr(at, '\n')) {
            fail_msg("a line without its place: %s", at);
        }
        int line = atoi(name + strlen("planted.c:"));
        assert_in_range(line, 1, MAX_LINES - 1);
        leaks.at[line]++;
        leaks.all++;
    }
    return leaks;
}

static void run_planted(const char *program, struct run_result *result)
{
    struct run_options options = {
        .argv = (const char *const[]){program, origin_url(origin, ""), NULL},
        .env = (const char *const[]){"FERRY_LEAKS", "ASAN_OPTIONS=detect_leaks=0",
                                     "TSAN_OPTIONS=halt_on_error=1:atexit_sleep_ms=0", NULL},
    };
    if (!run(&options, result) || result->status != 0) {
        fail_msg("%s: status %d: %s", program, result->status, result->err);
    }
    assert_string_equal(result->err, "");
}

static void finds_each_and_no_other(void **state)
{
    struct run_result result;
    struct leaks expected = planted();
    run_planted(*state, &result);
    struct leaks found = found_by(result.out);
    for (int line = 1; line < MAX_LINES; line++) {
        if (found.at[line] != expected.at[line]) {
            fail_msg("line %d leaks %d, and not %d:\n%s", line, found.at[line], expected.at[line],
                     result.out);
        }
    }
    assert_int_equal(found.all, expected.all);
    assert_true(expected.all >= 15); /* the marks have been read at all */
    run_free(&result);
}

static void finds_none_in_the_clean_twin(void **state)
{
    struct run_result result;
    run_planted(*state, &result);
    assert_string_equal(result.out, "");
    run_free(&result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(finds_each_and_no_other, (char *)PLANTED_LEAKING_C),
        cmocka_unit_test_prestate(finds_none_in_the_clean_twin, (char *)PLANTED_CLEAN_C),
#ifdef PLANTED_LEAKING_CC
        cmocka_unit_test_prestate(finds_each_and_no_other, (char *)PLANTED_LEAKING_CC),
        cmocka_unit_test_prestate(finds_none_in_the_clean_twin, (char *)PLANTED_CLEAN_CC),
#endif
    };
    return cmocka_run_group_tests(tests, start, stop);
}
