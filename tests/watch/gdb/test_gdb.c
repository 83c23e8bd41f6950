/*
 * tools/gdb/ferry-gdb.py under a real GDB: parked.c is run to its breakpoint and looked at; and then its
 * core file is. Each with the static and with the shared library.
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

#include "gate.h"
#include "origin.h"
#include "run.h"
#include "temp_dir.h"

/* ---------------------------------------------------------------------------------- GDB's output */

static char *session; /* of the case that is running */

static void end_session(void)
{
    free(session);
    session = NULL;
}

/* Runs GDB over the script's lines, with words behind its command line. */
static void run_gdb(const char *lines, const char *const *words)
{
    char folder[TEMP_DIR_SIZE];
    char script[TEMP_DIR_SIZE + 16];
    const char *argv[16] = {GDB, "-nx", "-nh", "-batch", "-x", script};
    struct run_result result;
    size_t count = 6;

    assert_true(temp_dir_make(folder));
    snprintf(script, sizeof script, "%s/script", folder);
    assert_true(temp_file_write(script, lines, strlen(lines)));
    while (*words != NULL) {
        argv[count++] = *words++;
    }
    struct run_options options = {
        .argv = argv,
        .env = (const char *const[]){"DEBUGINFOD_URLS", "LC_ALL=C.UTF-8", NULL},
        .timeout_ms = 200000,
    };
    assert_true(run(&options, &result));
    temp_dir_remove(folder);
    end_session();
    session = strdup(result.out);
    assert_non_null(session);
    if (result.timed_out || result.status != 0) {
        fail_msg("GDB ended with status %d:\n%s%s", result.status, result.err, result.out);
    }
    run_free(&result);
}

/* What GDB wrote between "<< name" and ">>", as the scripts below echo them; copied. */
static char *part(const char *name)
{
    char mark[40];
    snprintf(mark, sizeof mark, "<< %s\n", name);
    const char *begin = strstr(session, mark);
    const char *end = begin != NULL ? strstr(begin, ">>\n") : NULL;
    if (end == NULL) {
        fail_msg("no \"%s\" in:\n%s", name, session);
    }
    begin += strlen(mark);
    return strndup(begin, (size_t)(end - begin));
}

#define PART(name, command) "echo << " name "\\n\n" command "\necho >>\\n\n"

/* In that order. */
static void has_in_order(const char *text, const char *const *words)
{
    const char *at = text;
    for (; *words != NULL; words++) {
        const char *found = strstr(at, *words);
        if (found == NULL) {
            fail_msg("no \"%s\" (after what precedes it) in:\n%s", *words, text);
        }
        at = found + strlen(*words);
    }
}

#define HAS(text, ...) has_in_order(text, (const char *const[]){__VA_ARGS__, NULL})

/* The paragraph of "ferry bt all" whose heading has that in it; copied. */
static char *stack_of(const char *stacks, const char *heading)
{
    for (const char *at = stacks; (at = strstr(at, "task ")) != NULL; at++) {
        const char *line_end = strchr(at, '\n');
        const char *found = strstr(at, heading);
        if ((at == stacks || at[-1] == '\n') && found != NULL && found < line_end) {
            const char *end = strstr(at, "\n\n");
            return strndup(at, end != NULL ? (size_t)(end - at) : strlen(at));
        }
    }
    fail_msg("no task with \"%s\" in:\n%s", heading, stacks);
    return NULL;
}

static void stack_has(const char *stacks, const char *heading, const char *const *frames)
{
    char *stack = stack_of(stacks, heading);
    has_in_order(stack, frames);
    if (strstr(stack, "the stack ends here") != NULL) {
        fail_msg("the stack could not be walked to its end:\n%s", stack);
    }
    free(stack);
}

#define STACK_HAS(stacks, heading, ...) \
    stack_has(stacks, heading, (const char *const[]){__VA_ARGS__, NULL})

/* ------------------------------------------------------------------------------------- the cases */

/* The one whose body does not come, the one with half a head, and the one without an answer. */
static void serve(struct origin_conn *conn, void *arg)
{
    char head[4096];
    (void)origin_read_head(conn, head, sizeof head);
    if (strncmp(head, "GET /unread", 11) == 0) {
        origin_send(conn, BYTES("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"));
    } else if (strncmp(head, "GET /half", 9) == 0) {
        origin_send(conn, BYTES("HTTP/1.1 200 OK\r\nServer: ha"));
    }
    (void)origin_wait(conn, arg);
}

static void sees_every_task(void)
{
    char *tasks = part("tasks");
    HAS(tasks, "Task ", "State ", "For ", "What\n");
    HAS(tasks, "\n* ", "running ", " thread "); /* one runs: main, at its breakpoint */
    assert_null(strstr(strstr(tasks, "\n* ") + 1, "\n* "));
    HAS(tasks, "task sleeps: sleeping (started by task ", "parked.c:");
    HAS(tasks, "group wait", "task waits_for_a_group: waiting for a group's tasks to end");
    HAS(tasks, "select", "task gets: waiting for the response");
    HAS(tasks, "read loop, connection 1: waiting for the body to be read");
    HAS(tasks, "IO wait", "read loop, connection 2: waiting for the response");
    free(tasks);

    char *connections = part("connections");
    HAS(connections, "\n1 ", "unread ", " 1 ", "http://127.0.0.1:");
    HAS(connections, "\n2 ", "awaiting ", "http://127.0.0.1:");
    free(connections);

    char *responses = part("responses");
    HAS(responses, "parked.c:", "0 of 5 bytes", "connection 1", "/unread\n");
    free(responses);
}

static void sees_every_stack(void)
{
    char *stacks = part("stacks");
    STACK_HAS(stacks, "task sleeps: sleeping", "fy_park (", "ferry_sleep (", " in innermost (",
              " in sleeps (", "parked.c:", " in begin (");
    STACK_HAS(stacks, "task waits_for_a_group", "ferry_group_wait (", " in waits_for_a_group (",
              "parked.c:", " in begin (");
    STACK_HAS(stacks, "task gets", "ferry_get_at (", " in gets (", "parked.c:", " in begin (");
    STACK_HAS(stacks, ": reading a response's head", "fy_io_wait_readable (", "fy_response_read (",
              "fy_read_loop (", " in take_turns (");
    STACK_HAS(stacks, "read loop, connection 1",
              "(at rest, without a stack: its next turn begins with a call of fy_read_loop)");
    STACK_HAS(stacks, "write loop, connection 2",
              "(at rest, without a stack: its next turn begins with a call of fy_write_loop)");
    STACK_HAS(stacks, "read loop, connection 2",
              "(at rest, without a stack: its next turn begins with a call of fy_read_loop)");
    /* Threads have their own: the one at its breakpoint, and the other, asleep in the poller. */
    STACK_HAS(stacks, "[running]: thread", " in everything_is_parked (", " in main (");
    STACK_HAS(stacks, "[sleep]: thread", "fy_poller_wait (", "ferry_sleep (", " in other_thread (");
    free(stacks);
}

static unsigned long long number_of(const char *heading)
{
    char *stacks = part("stacks");
    char *stack = stack_of(stacks, heading);
    unsigned long long number = strtoull(stack + strlen("task "), NULL, 10);
    free(stack);
    free(stacks);
    return number;
}

#define EVERYTHING                                \
    PART("tasks", "info ferry tasks")             \
    PART("connections", "info ferry connections") \
    PART("responses", "info ferry responses")     \
    PART("stacks", "ferry bt all")                \
    PART("own", "bt")

/* The thread's own stack is what it was. */
static void left_no_trace(void)
{
    char *own = part("own");
    HAS(own, "#0  ", "everything_is_parked (", "#1  ", "main (");
    assert_null(strstr(own, "#2"));
    free(own);
}

/* GDB's gcore walks through all of a sanitizer's shadow memory, for minutes. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define WITH_CORE false
#elif defined(__has_feature)
#define WITH_CORE (!__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer))
#else
#define WITH_CORE true
#endif

static void look_at_process(const char *program, struct origin *origin, const char *core)
{
    char unread[100], silent[100], half[100], lines[2000];

    snprintf(unread, sizeof unread, "%s", origin_url(origin, "/unread"));
    snprintf(silent, sizeof silent, "%s", origin_url(origin, "/silent"));
    snprintf(half, sizeof half, "%s", origin_url(origin, "/half"));
    snprintf(
        lines, sizeof lines,
        "set pagination off\nset confirm off\nset width 0\nsource %s\nset breakpoint pending on\n"
        "break everything_is_parked\nrun\n" EVERYTHING "%s%s\n"
        "continue\n",
        SCRIPT, WITH_CORE ? "ferry gcore " : "", WITH_CORE ? core : "");
    run_gdb(lines, (const char *const[]){"--args", program, unread, silent, half, NULL});
    sees_every_task();
    sees_every_stack();
    left_no_trace();
    HAS(session, "exited normally"); /* it went on as if nobody had looked */
}

static void look_at_core(const char *program, const char *core)
{
    char lines[2000];
    unsigned long long gets = number_of("task gets");
    unsigned long long sleeps = number_of("task sleeps");

    snprintf(lines, sizeof lines,
             "set pagination off\nset width 0\nsource %s\n" EVERYTHING PART("bt", "ferry bt %llu")
                 PART("locals", "ferry task %llu frame function sleeps") PART("after", "bt")
                     PART("none", "python\ntry:\n    gdb.execute('ferry bt 99999')\n"
                                  "except gdb.error as error:\n    print(error)\nend"),
             SCRIPT, gets, sleeps);
    run_gdb(lines, (const char *const[]){program, core, NULL});
    sees_every_task();
    sees_every_stack();
    left_no_trace();
    char *text = part("bt");
    HAS(text, "[select]: task gets", "#0  ", " in gets (");
    assert_null(strstr(text, "sleeps ("));
    free(text);
    text = part("locals");
    HAS(text, " sleeps (", "parked.c:", "innermost(");
    free(text);
    text = part("none");
    assert_string_equal(text, "There is no task 99999: info ferry tasks lists them.\n");
    free(text);
}

static void looks_into(void **state)
{
    const char *program = *state;
    struct gate end = {0};
    char folder[TEMP_DIR_SIZE];
    char core[TEMP_DIR_SIZE + 8];
    struct origin *origin = origin_start(&(struct origin_script){.serve = serve, .arg = &end});

    if (GDB[0] == '\0') {
        skip();
    }
    assert_non_null(origin);
    assert_true(temp_dir_make(folder));
    snprintf(core, sizeof core, "%s/core", folder);
    look_at_process(program, origin, core);
    if (WITH_CORE) {
        look_at_core(program, core);
    }
    gate_open(&end);
    assert_true(origin_stop(origin));
    temp_dir_remove(folder);
    end_session();
}

static void a_program_without_ferry(void **state)
{
    (void)state;
    if (GDB[0] == '\0') {
        skip();
    }
    run_gdb("source " SCRIPT "\nset breakpoint pending on\nbreak write\nrun\n" PART(
                "tasks", "python\ntry:\n    gdb.execute('info ferry tasks')\n"
                         "except gdb.error as error:\n    print(error)\nend") "kill\n",
            (const char *const[]){"--args", "/bin/echo", "hello", NULL});
    char *tasks = part("tasks");
    HAS(tasks, "There is no ferry in this program");
    free(tasks);
    end_session();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(looks_into, (char *)PARKED_STATIC),
        cmocka_unit_test_prestate(looks_into, (char *)PARKED_SHARED),
        cmocka_unit_test(a_program_without_ferry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
