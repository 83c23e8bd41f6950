/*
 * A server closes an idle connection of a program that is busy with something else: its socket does not
 * stay in CLOSE_WAIT. The program is computing.c, and who says what becomes of the socket is ss.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "child.h"
#include "events.h"
#include "gate.h"
#include "origin.h"
#include "run.h"

static void serve_once(struct origin_conn *conn, void *arg)
{
    if (origin_read_request(conn)) {
        origin_send(conn, BYTES("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"));
        (void)origin_wait(conn, arg);
    }
}

struct busy {
    struct gate close;
    struct origin *origin;
    int port;
    pid_t pid;
};

/* What ss says of the sockets that are connected to the port, a line each; to be freed. */
static char *sockets_to(int port)
{
    char filter[40];
    struct run_result result;
    snprintf(filter, sizeof filter, "dport = :%d", port);
    if (!run(&(struct run_options){.argv = (const char *const[]){"ss", "-Htnap", filter, NULL}},
             &result) ||
        result.status != 0) {
        fail_msg("ss: status %d: %s", result.status, result.err);
    }
    char *lines = strdup(result.out);
    run_free(&result);
    assert_non_null(lines);
    return lines;
}

/* Of the program's, which has one or, state being NULL, none. The port may have been another server's just
 * before: then somebody else's sockets stand there as well, in TIME-WAIT. */
static bool all_sockets_are(const struct busy *busy, const char *state)
{
    char *lines = sockets_to(busy->port);
    char owner[32];
    int count = 0;
    bool are = true;
    snprintf(owner, sizeof owner, "pid=%d,", (int)busy->pid);
    for (char *line = strtok(lines, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        if (strstr(line, owner) != NULL) {
            count++;
            are = are && state != NULL && strncmp(line, state, strlen(state)) == 0;
        }
    }
    free(lines);
    return are && count == (state != NULL);
}

static void await_sockets(const struct busy *busy, const char *state)
{
    int64_t deadline = events_deadline(20000);
    while (!all_sockets_are(busy, state)) {
        if (events_now() >= deadline) {
            fail_msg("never %s: %s", state != NULL ? state : "gone", sockets_to(busy->port));
        }
        usleep(50000);
    }
}

static bool have_ss(void)
{
    struct run_result result;
    bool have =
        run(&(struct run_options){.argv = (const char *const[]){"ss", "-V", NULL}}, &result);
    run_free(&result);
    return have;
}

/* Starts the program and returns when it computes, its connection idle. */
static void begin(struct busy *busy, const char *how)
{
    int out[2];
    char said[20] = "";
    *busy = (struct busy){0};
    busy->origin = origin_start(&(struct origin_script){.serve = serve_once, .arg = &busy->close});
    assert_non_null(busy->origin);
    busy->port = origin_port(busy->origin);
    assert_int_equal(pipe(out), 0);
    busy->pid = child_start(&(struct child_options){
        .argv = (const char *const[]){COMPUTING, origin_url(busy->origin, "/"), how, NULL},
        .standard = {-1, out[1], 2},
    });
    assert_true(busy->pid > 0);
    close(out[1]);
    assert_int_equal(read(out[0], said, sizeof said - 1), 10);
    assert_string_equal(said, "computing\n");
    close(out[0]);
    assert_true(all_sockets_are(busy, "ESTAB"));
}

static void end(struct busy *busy)
{
    child_stop(busy->pid, SIGKILL, 0);
    assert_true(origin_stop(busy->origin));
}

static void no_socket_waits_to_be_closed(void **state)
{
    struct busy busy;
    (void)state;
    if (!have_ss()) {
        skip();
    }
    begin(&busy, NULL);
    gate_open(&busy.close);
    await_sockets(&busy, NULL);
    end(&busy);
}

/* That ss would have seen it: without the monitor it does. */
static void without_the_monitor_one_does(void **state)
{
    struct busy busy;
    (void)state;
    if (!have_ss()) {
        skip();
    }
    begin(&busy, "unwatched");
    gate_open(&busy.close);
    await_sockets(&busy, "CLOSE-WAIT");
    sleep(1); /* the time in which the monitor would have come by */
    assert_true(all_sockets_are(&busy, "CLOSE-WAIT"));
    end(&busy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_socket_waits_to_be_closed),
        cmocka_unit_test(without_the_monitor_one_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
