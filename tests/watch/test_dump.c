/*
 * ferry_dump_tasks: a paragraph for every task, with the reason why it is parked. One case for each
 * place where a task of the library or of its user waits for long.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <ferry.h>

#include "dead_end.h"
#include "gate.h"
#include "origin.h"
#include "watch_test.h"

#define HELLO "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

/* Whether the dump has a task of that name (with " of connection N" and more behind
 * it or not) that waits for that, or is "running". */
static bool has_task(const char *dump, const char *name, const char *why)
{
    for (const char *at = dump; (at = strstr(at, "task ")) != NULL; at++) {
        const char *state = strstr(at, " [");
        const char *named = strstr(at, "]:\n    ");
        if (state == NULL || named == NULL) {
            return false;
        }
        state += 2;
        named += 7;
        const char *reason = strchr(named, '\n') + 5;
        bool name_is =
            strncmp(named, name, strlen(name)) == 0 && strchr("\n ,", named[strlen(name)]) != NULL;
        bool runs = strncmp(state, why, strlen(why)) == 0 && state[strlen(why)] == ']';
        bool waits = strncmp(reason, why, strlen(why)) == 0 && reason[strlen(why)] == '\n';
        if (name_is && (runs || waits)) {
            return true;
        }
    }
    return false;
}

static void dump_has(const char *name, const char *why)
{
    char *dump = dump_text();
    if (!has_task(dump, name, why)) {
        fail_msg("no %s that is %s:\n%s", name, why, dump);
    }
    free(dump);
}

static int paragraphs(const char *dump)
{
    int count = 0;
    for (const char *at = dump; (at = strstr(at, "\n\n")) != NULL; at += 2) {
        count++;
    }
    return count;
}

/* ----------------------------------------------------------------------------------- the library's */

static void an_idle_connection(void **state)
{
    struct origin *origin = origin_start_reply(HELLO);
    ferry_response *res = ferry_get(origin_url(origin, "/"), NULL);
    char *body = ferry_response_read_all(res, 100, NULL, NULL);

    (void)state;
    assert_non_null(body);
    free(body);
    ferry_response_close(res);
    dump_has("thread", "running");
    dump_has("read loop", "idle: waiting for a request, or for the server to close");
    dump_has("write loop", "waiting for a request to write");
    char *dump = dump_text();
    assert_int_equal(paragraphs(dump), 3);
    assert_int_equal(paragraphs(dump), ferry_num_tasks());
    free(dump);
    assert_true(origin_stop(origin));
}

static void a_body_that_nobody_reads(void **state)
{
    struct origin *origin = origin_start_reply(HELLO);
    ferry_response *res = ferry_get(origin_url(origin, "/"), NULL);

    (void)state;
    assert_non_null(res);
    dump_has("read loop", "waiting for the body to be read");
    dump_has("write loop", "waiting for a request to write");
    ferry_response_close(res);
    assert_true(origin_stop(origin));
}

/* A request in a task of its own, with a context to end it by. */
struct get {
    const char *url;
    ferry_client *client;
    ferry_context *context;
    const char *expect;
    const void *body;
    size_t body_len;
    bool reads;
    bool over;
};

static void get_in_a_task(void *arg)
{
    struct get *get = arg;
    ferry_request *req = ferry_request_new(get->body != NULL ? "POST" : "GET", get->url, NULL);
    ferry_request_set_context(req, get->context);
    if (get->body != NULL) {
        ferry_request_set_body(req, get->body, get->body_len);
    }
    if (get->expect != NULL) {
        ferry_request_set_header(req, "Expect", get->expect);
    }
    ferry_response *res = ferry_client_do(get->client, req, NULL);
    if (res != NULL && get->reads) {
        free(ferry_response_read_all(res, 1 << 20, NULL, NULL));
    }
    ferry_response_close(res);
    ferry_request_free(req);
    get->over = true;
}

static void begin(struct get *get)
{
    get->context = ferry_context_new(-1);
    assert_non_null(get->context);
    assert_int_equal(ferry_go(get_in_a_task, get), 0);
}

static void cancel_and_end(struct get *get)
{
    ferry_context_cancel(get->context);
    AWAIT(get->over);
    ferry_context_free(get->context);
}

static void answer_nothing(struct origin_conn *conn, void *arg)
{
    (void)arg;
    (void)origin_read_head(conn, (char[4096]){0}, 4096);
    (void)origin_wait_eof(conn, -1);
}

static void a_request_without_its_answer(void **state)
{
    struct origin *origin = origin_start(&(struct origin_script){.serve = answer_nothing});
    struct get get = {.url = origin_url(origin, "/")};

    (void)state;
    begin(&get);
    assert_true(await_in_dump("read loop of connection "));
    assert_true(await_in_dump("waiting for the response"));
    dump_has("task", "waiting for the response");
    dump_has("read loop", "waiting for the response");
    cancel_and_end(&get);
    assert_true(origin_stop(origin));
}

static void half_a_body(struct origin_conn *conn, void *arg)
{
    (void)arg;
    if (origin_read_request(conn)) {
        origin_send(conn, BYTES("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"));
    }
    (void)origin_wait_eof(conn, -1);
}

static void a_body_that_does_not_come(void **state)
{
    struct origin *origin = origin_start(&(struct origin_script){.serve = half_a_body});
    struct get get = {.url = origin_url(origin, "/"), .reads = true};

    (void)state;
    begin(&get);
    assert_true(await_in_dump("reading a response's body"));
    dump_has("task", "reading a response's body");
    dump_has("read loop", "waiting for the body to be read");
    cancel_and_end(&get);
    assert_true(origin_stop(origin));
}

static void read_no_body(struct origin_conn *conn, void *arg)
{
    (void)origin_read_head(conn, (char[4096]){0}, 4096);
    (void)origin_wait(conn, arg);
}

static void a_body_that_the_server_does_not_take(void **state)
{
    struct gate end = {0};
    struct origin *origin = origin_start(
        &(struct origin_script){.serve = read_no_body, .arg = &end, .receive_buffer = 4096});
    size_t len = (size_t)64 << 20;
    struct get get = {.url = origin_url(origin, "/"), .body = calloc(1, len), .body_len = len};

    (void)state;
    assert_non_null(get.body);
    begin(&get);
    assert_true(await_in_dump("writing the request"));
    dump_has("write loop", "writing the request");
    cancel_and_end(&get);
    gate_open(&end);
    free((void *)get.body);
    assert_true(origin_stop(origin));
}

static void the_servers_word_on_a_body(void **state)
{
    struct origin *origin = origin_start(&(struct origin_script){.serve = answer_nothing});
    ferry_transport *transport =
        ferry_transport_new(FERRY_TRANSPORT_OPTIONS(.expect_continue_timeout_ms = 3600000));
    ferry_client *client = ferry_client_new(FERRY_CLIENT_OPTIONS(.transport = transport));
    struct get get = {.url = origin_url(origin, "/"),
                      .client = client,
                      .expect = "100-continue",
                      .body = "x",
                      .body_len = 1};

    (void)state;
    begin(&get);
    assert_true(await_in_dump("waiting for 100 Continue"));
    dump_has("write loop", "waiting for 100 Continue");
    cancel_and_end(&get);
    ferry_client_free(client);
    ferry_transport_free(transport);
    assert_true(origin_stop(origin));
}

static void a_dial(void **state)
{
    struct dead_end silent;
    struct get get = {0};

    (void)state;
    assert_true(dead_end_silence(&silent));
    get.url = silent.url;
    begin(&get);
    assert_true(await_in_dump("connecting"));
    dump_has("dial", "connecting");
    dump_has("task", "waiting for a connection");
    cancel_and_end(&get);
    AWAIT(ferry_num_tasks() == 1);
    dead_end_close(&silent);
}

static void a_place_at_a_host(void **state)
{
    struct origin *origin = origin_start_reply(HELLO);
    ferry_transport *transport = ferry_transport_new(FERRY_TRANSPORT_OPTIONS(.max_per_host = 1));
    ferry_client *client = ferry_client_new(FERRY_CLIENT_OPTIONS(.transport = transport));
    ferry_request *req = ferry_request_new("GET", origin_url(origin, "/"), NULL);
    ferry_response *res = ferry_client_do(client, req, NULL);
    struct get get = {.url = origin_url(origin, "/"), .client = client};

    (void)state;
    assert_non_null(res);
    begin(&get);
    assert_true(await_in_dump("waiting for a connection's place at its host"));
    dump_has("task", "waiting for a connection's place at its host");
    ferry_response_close(res);
    cancel_and_end(&get);
    ferry_request_free(req);
    ferry_client_free(client);
    ferry_transport_free(transport);
    assert_true(origin_stop(origin));
}

/* ------------------------------------------------------------------------------------- the user's */

static bool may_end;

static void sleep_long(void *arg)
{
    (void)arg;
    while (!may_end) {
        ferry_sleep(20);
    }
}

static void a_task_that_sleeps(void **state)
{
    (void)state;
    may_end = false;
    assert_int_equal(ferry_go(sleep_long, NULL), 0);
    dump_has("task", "ready to begin");
    ferry_yield();
    dump_has("task", "sleeping");
    may_end = true;
    AWAIT(ferry_num_tasks() == 1);
}

static char *seen_from_a_task;

static void look_around(void *arg)
{
    (void)arg;
    seen_from_a_task = dump_text();
}

static void a_thread_that_waits_for_a_group(void **state)
{
    ferry_group *group = ferry_group_new();

    (void)state;
    assert_int_equal(ferry_group_go(group, look_around, NULL), 0);
    ferry_group_wait(group);
    ferry_group_free(group);
    assert_true(has_task(seen_from_a_task, "thread", "waiting for a group's tasks to end"));
    assert_true(has_task(seen_from_a_task, "task", "running"));
    assert_int_equal(paragraphs(seen_from_a_task), 2);
    free(seen_from_a_task);
}

struct other_thread {
    struct gate *ready;
    ferry_context *context;
};

static void say_ready(void *arg)
{
    gate_open(arg);
}

/* Sleeps in ferry, as a thread, until its context has ended. */
static void *sleep_in_ferry(void *arg)
{
    struct other_thread *self = arg;
    (void)ferry_go(say_ready, self->ready);
    while (ferry_context_error(self->context) == 0) {
        ferry_sleep(20);
    }
    return NULL;
}

static void another_threads_tasks(void **state)
{
    struct gate ready = {0};
    struct other_thread other = {.ready = &ready, .context = ferry_context_new(-1)};
    pthread_t id;

    (void)state;
    assert_int_equal(pthread_create(&id, NULL, sleep_in_ferry, &other), 0);
    assert_true(gate_wait(&ready, 10000));
    assert_true(await_in_dump("sleeping"));
    dump_has("thread", "sleeping");
    dump_has("thread", "running"); /* this one */
    ferry_context_cancel(other.context);
    pthread_join(id, NULL);
    ferry_context_free(other.context);
}

/* Numbers never come again, and each paragraph has one. */
static void each_task_has_a_number_of_its_own(void **state)
{
    struct origin *origin = origin_start_reply(HELLO);
    unsigned long long numbers[3];
    int count = 0;

    (void)state;
    ferry_response *res = ferry_get(origin_url(origin, "/"), NULL);
    assert_non_null(res);
    char *dump = dump_text();
    for (char *at = dump; (at = strstr(at, "task ")) != NULL; at += 5) {
        if (at == dump || at[-1] == '\n') {
            assert_true(count < 3);
            numbers[count++] = strtoull(at + 5, NULL, 10);
        }
    }
    assert_int_equal(count, 3);
    assert_true(numbers[0] < numbers[1] && numbers[1] < numbers[2]);
    free(dump);
    ferry_response_close(res);
    assert_true(origin_stop(origin));
}

/* ------------------------------------------------------------------------------------ the reading */

/* The dump with each number that is another in every run as a hash mark, from the first paragraph
 * whose second line begins with name. */
static char *paragraph(const char *name)
{
    char *dump = dump_text();
    char *out = calloc(1, strlen(dump) + 1);
    char *at = dump;
    assert_non_null(out);
    while (*at != '\0' && strncmp(strchr(at, '\n') + 5, name, strlen(name)) != 0) {
        at = strstr(at, "\n\n") + 2;
    }
    char *end = *at != '\0' ? strstr(at, "\n\n") + 1 : at;
    for (char *to = out; at < end;) {
        bool number = *at >= '0' && *at <= '9';
        at += number ? strspn(at, "0123456789.") : 1;
        *to++ = number ? '#' : at[-1];
    }
    free(dump);
    return out;
}

static void paragraph_is(const char *name, const char *expected)
{
    char *found = paragraph(name);
    assert_string_equal(found, expected);
    free(found);
}

/* Line 1 of park.c started it. */
#define PARK_AT_LINE_1(fn, arg) ferry_go_at("park.c", 1, fn, arg)

static void a_paragraph_to_the_letter(void **state)
{
    struct origin *origin = origin_start_reply(HELLO);
    ferry_request *req = ferry_request_new("GET", origin_url(origin, "/a"), NULL);
    ferry_response *res = ferry_client_do_at(NULL, req, NULL, "main.c", 1);
    char expected[400];
    char *host;

    (void)state;
    assert_non_null(res);
    may_end = false;
    assert_int_equal(PARK_AT_LINE_1(sleep_long, NULL), 0);
    ferry_yield();
    paragraph_is("thread", "task # [running]:\n    thread #\n");
    paragraph_is("read loop", "task # [select, # ms]:\n"
                              "    read loop of connection # to #:#\n"
                              "    waiting for the body to be read\n"
                              "    serves http://#:#/a, opened at main.c:#\n"
                              "    created by task #\n");
    paragraph_is("write loop", "task # [select, # ms]:\n"
                               "    write loop of connection # to #:#\n"
                               "    waiting for a request to write\n"
                               "    serves http://#:#/a, opened at main.c:#\n"
                               "    created by task #\n");
    char *task = paragraph("task");
    assert_int_equal(strncmp(task, "task # [sleep, # ms]:\n    task, runs ", 37), 0);
    assert_non_null(strstr(task, "watch_dump+#x")); /* its function */
    assert_non_null(strstr(task, "\n    sleeping\n    created by task # at park.c:#\n"));
    free(task);

    /* Numbers, where they matter. */
    host = dump_text();
    snprintf(expected, sizeof expected, " to %s\n", origin_host(origin));
    assert_non_null(strstr(host, expected));
    snprintf(expected, sizeof expected, "serves %s, opened at main.c:1\n",
             origin_url(origin, "/a"));
    assert_non_null(strstr(host, expected));
    assert_non_null(strstr(host, " at park.c:1\n"));
    free(host);
    ferry_response_close(res);
    ferry_request_free(req);
    may_end = true;
    AWAIT(ferry_num_tasks() == 3); /* an idle connection's loops */
    assert_true(origin_stop(origin));
}

/* The macros leave this file's name and the line; a compound literal may stand in them. */
static void who_started_it_and_where(void **state)
{
    ferry_group *group = ferry_group_new();
    char expected[100];

    (void)state;
    may_end = false;
    int line = __LINE__ + 1;
    assert_int_equal(ferry_go(sleep_long, &(int[]){1, 2}), 0);
    assert_int_equal(ferry_group_go(group, sleep_long, &(int[]){1, 2}), 0);
    assert_int_equal((ferry_go)(sleep_long, NULL), 0);
    char *dump = dump_text();
    snprintf(expected, sizeof expected, " at %s:%d\n\n", __FILE__, line);
    assert_non_null(strstr(dump, expected));
    snprintf(expected, sizeof expected, " at %s:%d\n\n", __FILE__, line + 1);
    assert_non_null(strstr(dump, expected));
    assert_non_null(strstr(dump, "[runnable, "));
    assert_int_equal(paragraphs(dump), 4);
    free(dump);
    may_end = true;
    ferry_group_wait(group);
    AWAIT(ferry_num_tasks() == 1);
    ferry_group_free(group);
}

/* It has never called ferry, and does not become one of its threads by looking. */
static void *look_from_outside(void *arg)
{
    *(char **)arg = dump_text();
    return NULL;
}

static void from_a_thread_that_is_none_of_ferrys(void **state)
{
    pthread_t id;
    char *seen = NULL;

    (void)state;
    assert_int_equal(ferry_num_tasks(), 1);
    assert_int_equal(pthread_create(&id, NULL, look_from_outside, &seen), 0);
    pthread_join(id, NULL);
    assert_int_equal(paragraphs(seen), 1);
    assert_int_equal(ferry_num_tasks(), 1);
    free(seen);
}

static void many_begin_with_an_overview(void **state)
{
    (void)state;
    may_end = false;
    for (int i = 0; i < 20; i++) {
        assert_int_equal(ferry_go(sleep_long, NULL), 0);
    }
    ferry_yield();
    char *dump = dump_text();
    const char *overview = "21 tasks on 1 thread:\n"
                           "      20 task [sleep]: sleeping\n"
                           "       1 thread [running]\n\n";
    assert_int_equal(strncmp(dump, overview, strlen(overview)), 0);
    assert_int_equal(paragraphs(dump), 1 + 21);
    free(dump);
    may_end = true;
    AWAIT(ferry_num_tasks() == 1);
}

#define DUMP_TEST(name) cmocka_unit_test_teardown(name, nothing_is_left)

int main(void)
{
    const struct CMUnitTest tests[] = {
        DUMP_TEST(an_idle_connection),
        DUMP_TEST(a_body_that_nobody_reads),
        DUMP_TEST(a_request_without_its_answer),
        DUMP_TEST(a_body_that_does_not_come),
        DUMP_TEST(a_body_that_the_server_does_not_take),
        DUMP_TEST(the_servers_word_on_a_body),
        DUMP_TEST(a_dial),
        DUMP_TEST(a_place_at_a_host),
        DUMP_TEST(a_task_that_sleeps),
        DUMP_TEST(a_thread_that_waits_for_a_group),
        DUMP_TEST(another_threads_tasks),
        DUMP_TEST(each_task_has_a_number_of_its_own),
        DUMP_TEST(a_paragraph_to_the_letter),
        DUMP_TEST(who_started_it_and_where),
        DUMP_TEST(from_a_thread_that_is_none_of_ferrys),
        DUMP_TEST(many_begin_with_an_overview),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
