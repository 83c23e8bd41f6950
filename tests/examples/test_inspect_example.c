/*
 * examples/inspect.c, watched while it runs: it serves its page, and what it forgets to close is
 * shown there with its own name and line.
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
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <ferry.h>

#include "child.h"
#include "events.h"
#include "origin.h"

#define TOKEN "only-for-this-test"

/* The example, its input, and what it prints. */
struct program {
    pid_t pid;
    int input;
    FILE *output;
};

static void begin(struct program *program, const char *url)
{
    int in[2], out[2];
    assert_int_equal(pipe(in), 0);
    assert_int_equal(pipe(out), 0);
    program->pid = child_start(&(struct child_options){
        .argv = (const char *const[]){EXAMPLES "/inspect", url, TOKEN, NULL},
        .env = (const char *const[]){"FERRY_LEAKS", NULL},
        .standard = {in[0], out[1], STDERR_FILENO},
    });
    close(in[0]);
    close(out[1]);
    program->input = in[1];
    program->output = fdopen(out[0], "r");
    assert_true(program->pid > 0);
}

/* Its input's end is its own. */
static void end(struct program *program)
{
    int status;
    close(program->input);
    fclose(program->output);
    if (!child_wait(program->pid, 20000, &status)) {
        child_stop(program->pid, SIGKILL, 0);
        fail_msg("it did not end");
    }
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static char *get(const char *base, const char *path, const char *token, int *status)
{
    char url[256];
    ferry_error err = {0};
    snprintf(url, sizeof url, "%.*s%s?token=%s", (int)strcspn(base, "?") - 1, base, path, token);
    ferry_response *res = ferry_get(url, &err);
    if (res == NULL) {
        fail_msg("%s", err.message);
    }
    *status = ferry_response_status(res);
    char *body = ferry_response_read_all(res, 1 << 20, NULL, &err);
    ferry_response_close(res);
    assert_non_null(body);
    return body;
}

/* What the page shows of it, once the first request has come back. */
static char *await_leak(const char *base)
{
    int status;
    char *body = NULL;
    for (int64_t until = events_deadline(20000); events_now() < until; ferry_sleep(10)) {
        body = get(base, "/responses", TOKEN, &status);
        assert_int_equal(status, 200);
        if (strstr(body, "\"open\": 0") == NULL) {
            return body;
        }
        free(body);
    }
    fail_msg("it never forgot a response");
    return NULL;
}

static void inspect(void **state)
{
    struct program program;
    char base[256];
    int status;
    (void)state;
    struct origin *origin = origin_start_reply("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    assert_non_null(origin);
    begin(&program, origin_url(origin, "/"));
    assert_non_null(fgets(base, sizeof base, program.output));
    base[strcspn(base, "\n")] = '\0';

    char *ledger = await_leak(base);
    assert_non_null(strstr(ledger, "inspect.c\", \"line\": "));
    assert_non_null(strstr(ledger, "\"sockets\": 1, \"tasks\": 2"));
    free(ledger);
    char *page = get(base, "/", TOKEN, &status);
    assert_int_equal(status, 200);
    assert_non_null(strstr(page, "<title>ferry inspect</title>"));
    free(page);
    free(get(base, "/", "some-other-token", &status));
    assert_int_equal(status, 401);

    end(&program);
    ferry_transport_close_idle(NULL);
    assert_true(origin_stop(origin));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(inspect)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
