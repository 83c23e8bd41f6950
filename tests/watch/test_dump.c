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

/* Whether the dump has a task of that name (with ", connection N" behind it or not) that waits for
 * that. */
static bool has_task(const char *dump, const char *name, const char *why)
{
    for (const char *at = dump; (at = strstr(at, "task ")) != NULL; at++) {
        const char *named = strstr(at, ": ");
        const char *reason = strstr(at, "\n    ");
        if (named == NULL || reason == NULL) {
            return false;
        }
        named += 2;
        reason += 5;
        bool name_is = strncmp(named, name, strlen(name)) == 0 &&
                       (named[strlen(name)] == '\n' ||
                        strncmp(named + strlen(name), ", connection ", 13) == 0);
        if (name_is && strncmp(reason, why, strlen(why)) == 0 &&
            (reason[strlen(why)] == '\n' || strncmp(reason + strlen(why), ", for ", 6) == 0)) {
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
    assert_true(await_in_dump("read loop, connection "));
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
