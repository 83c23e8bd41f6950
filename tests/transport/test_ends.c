/*
 * Programs that end with everything open: idle connections, open responses, requests and tasks under way, on
 * several threads. Each ends at once, with its own status, and has nothing to say (a leak checker's word, in
 * a build that has one, included). Each case runs ender.c; the one that closes
 * the library, unloader.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "origin.h"
#include "run.h"
#include "task/sanitizer.h"

static struct origin *origin;

static void serve(struct origin_conn *conn, void *arg)
{
    (void)arg;
    while (origin_read_request(conn)) {
        const char *head = origin_conn_request(conn).head;
        if (strncmp(head, "GET / ", 6) == 0) {
            origin_send_text(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
            continue;
        }
        if (strncmp(head, "GET /half ", 10) == 0) {
            origin_send_text(conn, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
        }
        origin_wait_eof(conn, -1);
        return;
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

static void ends_well(void **state)
{
    char url[64];
    struct run_result result;
    snprintf(url, sizeof url, "http://%s", origin_host(origin));
    bool unloads = strcmp(*state, "dlclose") == 0;
    struct run_options options = {
        .argv = (const char *const[]){unloads ? UNLOADER : ENDER, url, unloads ? LIBRARY : *state,
                                      NULL},
        /* TSan, unless told, lets every process sleep for a second at its end, and warns of children. */
        .env = (const char *const[]){"FERRY_LEAKS",
                                     "TSAN_OPTIONS=halt_on_error=1:atexit_sleep_ms=0", NULL},
        .timeout_ms = 50000,
    };
    bool ran = run(&options, &result);
    /* A leak checker warns of threads that a child does not have; what it found would be in the status. */
    bool silent = result.err_len == 0 || strncmp(*state, "fork", 4) == 0;
    if (!ran || result.status != 7 || !silent) {
        fail_msg("%s: status %d, signal %d%s: %s", (const char *)*state, result.status,
                 result.signal, result.timed_out ? ", too late" : "", result.err);
    }
    run_free(&result);
    assert_true(origin_await_open(origin, 0, 10000));
}

#define ENDS(how)                                            \
    {                                                        \
        "ends_by_" how, ends_well, NULL, NULL, (void *)(how) \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        ENDS("return"),
        ENDS("default"),
        ENDS("exit"),
        ENDS("_exit"),
        ENDS("quick_exit"),
        ENDS("exit-in-a-task"),
        ENDS("exit-in-a-callback"),
        ENDS("exit-on-a-thread"),
        ENDS("use-at-exit"),
        ENDS("free-at-exit"),
        ENDS("threads-end-first"),
        ENDS("threads-pthread-exit"),
        ENDS("dlclose"),
        ENDS("fork"),
#ifndef FY_TSAN /* which does not follow tasks into a child */
        ENDS("fork-and-use"),
#endif
    };
    return cmocka_run_group_tests(tests, start, stop);
}
