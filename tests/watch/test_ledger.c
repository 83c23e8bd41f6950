/*
 * The ledger: which responses it has, where each was opened, and what each still holds.
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

#include "gate.h"
#include "origin.h"
#include "watch_test.h"

#define HELLO "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
#define CHUNKED \
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n5\r\nworld\r\n0\r\n\r\n"
#define EMPTY "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
#define HOLDS_MEMORY ", holds memory only ("
#define HOLDS_CONNECTION ", holds connection "

/* The one entry of the ledger is "PLACE: URL: open for N.N s, READ, HOLDS", in full. */
static void the_entry_is(const char *place, const char *url, const char *read, const char *holds)
{
    size_t count;
    char *text = ledger_text(&count);
    char begins[300];
    char middle[200];

    snprintf(begins, sizeof begins, "%s: %s: open for ", place, url);
    snprintf(middle, sizeof middle, " s, %s", read);
    bool as_wanted = count == 1 && strncmp(text, begins, strlen(begins)) == 0;
    const char *rest = as_wanted ? text + strlen(begins) : "";
    rest += strspn(rest, "0123456789.");
    as_wanted = as_wanted && strncmp(rest, middle, strlen(middle)) == 0;
    rest += as_wanted ? strlen(middle) : 0;
    if (as_wanted && strncmp(rest, ", the last ", 11) == 0) {
        rest += 11 + strspn(rest + 11, "0123456789.");
        as_wanted = strncmp(rest, " s ago", 6) == 0;
        rest += 6;
    }
    as_wanted = as_wanted && strncmp(rest, holds, strlen(holds)) == 0;
    rest += as_wanted ? strlen(holds) : 0;
    if (as_wanted && strcmp(holds, HOLDS_CONNECTION) == 0) {
        size_t digits = strspn(rest, "0123456789");
        as_wanted = digits > 0 && strncmp(rest + digits, " and its 2 tasks (", 18) == 0;
        rest += digits + 18;
    }
    if (as_wanted) {
        size_t digits = strspn(rest, "0123456789");
        as_wanted = digits > 0 && strcmp(rest + digits, " KiB)\n") == 0;
    }
    if (!as_wanted) {
        fail_msg("%zu entries, wanted \"%sN.N%s...\":\n%s", count, begins, middle, text);
    }
    free(text);
}

/* As __FILE__ and a line make it. */
static const char *place_of(int line)
{
    static char place[200];
    snprintf(place, sizeof place, "%s:%d", __FILE__, line);
    return place;
}

static void read_some(ferry_response *res, size_t len)
{
    char buffer[64];
    ferry_error err = {0};
    while (len > 0) {
        ssize_t got = ferry_response_read(res, buffer, len, &err);
        if (got <= 0) {
            fail_msg("%s", err.message);
        }
        len -= (size_t)got;
    }
}

static void read_all(ferry_response *res)
{
    ferry_error err = {0};
    char *body = ferry_response_read_all(res, 100, NULL, &err);
    if (body == NULL) {
        fail_msg("%s", err.message);
    }
    free(body);
}

/* ------------------------------------------------------------------------------------ the place */

static void macros_name_the_line_that_calls(void **state)
{
    struct origin *origin = origin_start_reply(HELLO);
    const char *url = origin_url(origin, "/a");
    int line;

    (void)state;
    line = __LINE__ + 1;
    ferry_response *res = ferry_get(url, NULL);
    the_entry_is(place_of(line), url, "0 of 5 bytes read", HOLDS_CONNECTION);
    ferry_response_close(res);

    line = __LINE__ + 1;
    res = ferry_post(url, "text/plain", "x", 1, NULL);
    the_entry_is(place_of(line), url, "0 of 5 bytes read", HOLDS_CONNECTION);
    ferry_response_close(res);

    ferry_request *req = ferry_request_new("GET", url, NULL);
    line = __LINE__ + 1;
    res = ferry_client_do(NULL, req, NULL);
    the_entry_is(place_of(line), url, "0 of 5 bytes read", HOLDS_CONNECTION);
    ferry_response_close(res);

    line = __LINE__ + 1;
    res = ferry_transport_round_trip(NULL, req, NULL);
    the_entry_is(place_of(line), url, "0 of 5 bytes read", HOLDS_CONNECTION);
    ferry_response_close(res);
    ferry_request_free(req);
    assert_true(origin_stop(origin));
}

static void plain_functions_know_no_place(void **state)
{
    struct origin *origin = origin_start_reply(HELLO);
    const char *url = origin_url(origin, "/a");
    ferry_request *req = ferry_request_new("GET", url, NULL);
    ferry_response *opened[] = {
        (ferry_get)(url, NULL),
        (ferry_post)(url, NULL, NULL, 0, NULL),
        (ferry_client_do)(NULL, req, NULL),
        (ferry_transport_round_trip)(NULL, req, NULL),
    };
    size_t count;
    char *text = ledger_text(&count);

    (void)state;
    assert_int_equal(count, 4);
    const char *line = text;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(strncmp(line, "(unknown place): ", 17), 0);
        line = strchr(line, '\n') + 1;
        ferry_response_close(opened[i]);
    }
    free(text);
    ferry_request_free(req);
    assert_true(origin_stop(origin));
}

static void a_binding_names_its_own_place(void **state)
{
    struct origin *origin = origin_start_reply(HELLO);
    const char *url = origin_url(origin, "/a");
    ferry_response *res = ferry_get_at(url, NULL, "script.lua", 7);

    (void)state;
    assert_non_null(res);
    read_all(res);
    the_entry_is("script.lua:7", url, "5 of 5 bytes read", HOLDS_MEMORY);
    ferry_response_close(res);
    assert_true(origin_stop(origin));
}

/* --------------------------------------------------------------------------------- what it holds */

static void an_unread_body_holds_a_connection_until_its_end(void **state)
{
    struct origin *origin = origin_start_reply(HELLO);
    const char *url = origin_url(origin, "/a");
    ferry_response *res = ferry_get_at(url, NULL, "x.c", 1);

    (void)state;
    assert_non_null(res);
    the_entry_is("x.c:1", url, "0 of 5 bytes read", HOLDS_CONNECTION);
    assert_int_equal(ferry_num_tasks(), 3);
    read_some(res, 2);
    the_entry_is("x.c:1", url, "2 of 5 bytes read", HOLDS_CONNECTION);
    read_some(res, 3); /* the last byte is the end */
    the_entry_is("x.c:1", url, "5 of 5 bytes read", HOLDS_MEMORY);
    ferry_response_close(res);
    assert_true(origin_stop(origin));
}

static void a_chunked_body_is_of_unknown_length(void **state)
{
    struct origin *origin = origin_start_reply(CHUNKED);
    const char *url = origin_url(origin, "/a");
    ferry_response *res = ferry_get_at(url, NULL, "x.c", 1);

    (void)state;
    assert_non_null(res);
    read_some(res, 3);
    the_entry_is("x.c:1", url, "3 bytes read of an unknown length", HOLDS_CONNECTION);
    read_all(res);
    the_entry_is("x.c:1", url, "10 bytes read of an unknown length", HOLDS_MEMORY);
    ferry_response_close(res);
    assert_true(origin_stop(origin));
}

static void a_response_without_a_body_holds_memory_only(void **state)
{
    struct origin *origin = origin_start_reply(EMPTY);
    const char *url = origin_url(origin, "/a");
    ferry_response *res = ferry_get_at(url, NULL, "x.c", 1);

    (void)state;
    assert_non_null(res);
    the_entry_is("x.c:1", url, "0 of 0 bytes read", HOLDS_MEMORY);
    ferry_response_close(res);
    res = ferry_head_at(url, NULL, "x.c", 2);
    assert_non_null(res);
    the_entry_is("x.c:2", url, "0 of 0 bytes read", HOLDS_MEMORY);
    ferry_response_close(res);
    assert_true(origin_stop(origin));
}

/* The connection is closed with the context, and its tasks are gone: what is left is memory. */
static void a_cancelled_response_holds_memory_only(void **state)
{
    struct origin *origin = origin_start_reply(HELLO);
    const char *url = origin_url(origin, "/a");
    ferry_context *context = ferry_context_new(-1);
    ferry_request *req = ferry_request_new("GET", url, NULL);

    (void)state;
    ferry_request_set_context(req, context);
    ferry_response *res = ferry_client_do_at(NULL, req, NULL, "x.c", 1);
    assert_non_null(res);
    the_entry_is("x.c:1", url, "0 of 5 bytes read", HOLDS_CONNECTION);
    ferry_context_cancel(context);
    AWAIT(ferry_num_tasks() == 1);
    the_entry_is("x.c:1", url, "0 of 5 bytes read", HOLDS_MEMORY);
    ferry_response_close(res);
    ferry_request_free(req);
    ferry_context_free(context);
    assert_true(origin_stop(origin));
}

static ferry_response *answer(void *self, ferry_request *req, ferry_error *err)
{
    (void)self;
    (void)req;
    (void)err;
    return ferry_response_new(200, "mocked", 6);
}

static void a_made_response_is_in_the_ledger_too(void **state)
{
    const ferry_round_tripper tripper = {.round_trip = answer};
    ferry_client *client = ferry_client_new(FERRY_CLIENT_OPTIONS(.round_tripper = &tripper));
    ferry_request *req = ferry_request_new("GET", "http://any.example/x", NULL);
    ferry_response *res = ferry_client_do_at(client, req, NULL, "x.c", 3);

    (void)state;
    assert_non_null(res);
    the_entry_is("x.c:3", "http://any.example/x", "0 of 6 bytes read", HOLDS_MEMORY);
    read_some(res, 4);
    the_entry_is("x.c:3", "http://any.example/x", "4 of 6 bytes read", HOLDS_MEMORY);
    ferry_response_close(res);
    ferry_request_free(req);
    ferry_client_free(client);
}

/* ------------------------------------------------------------------------------ counting, closing */

static void closing_removes_and_only_that(void **state)
{
    struct origin *origin = origin_start_reply(HELLO);
    const char *url = origin_url(origin, "/a");
    ferry_response *opened[3];
    size_t count;

    (void)state;
    for (int i = 0; i < 3; i++) {
        opened[i] = ferry_get(url, NULL);
        assert_non_null(opened[i]);
        assert_int_equal(ferry_open_responses(NULL), i + 1);
    }
    read_all(opened[1]);
    assert_int_equal(ferry_open_responses(NULL), 3);
    ferry_response_close(opened[1]);
    assert_int_equal(ferry_open_responses(NULL), 2);
    ferry_response_close(opened[0]);
    ferry_response_close(opened[2]);
    char *text = ledger_text(&count);
    assert_int_equal(count, 0);
    assert_string_equal(text, "");
    free(text);
    assert_true(origin_stop(origin));
}

static void a_password_is_not_told(void **state)
{
    struct origin *origin = origin_start_reply(HELLO);
    char url[100];
    size_t count;

    (void)state;
    snprintf(url, sizeof url, "http://me:secret@%s/a", origin_host(origin));
    ferry_response *res = ferry_get(url, NULL);
    assert_non_null(res);
    char *text = ledger_text(&count);
    assert_int_equal(count, 1);
    assert_null(strstr(text, "secret"));
    free(text);
    ferry_response_close(res);
    assert_true(origin_stop(origin));
}

/* ---------------------------------------------------------------------------------- other threads */

struct other_thread {
    const char *url;
    struct gate opened, go_on;
    ferry_response *res[2];
    bool closes;
};

static void *open_two(void *arg)
{
    struct other_thread *self = arg;
    for (int i = 0; i < 2; i++) {
        self->res[i] = ferry_get_at(self->url, NULL, "thread.c", 10 + i);
    }
    gate_open(&self->opened);
    gate_wait(&self->go_on, -1);
    for (int i = 0; self->closes && i < 2; i++) {
        ferry_response_close(self->res[i]);
    }
    return NULL;
}

static void all_threads_responses_are_told(void **state)
{
    struct origin *origin = origin_start_reply(HELLO);
    struct other_thread threads[3] = {0};
    pthread_t ids[3];
    size_t count;

    (void)state;
    for (int i = 0; i < 3; i++) {
        threads[i].url = origin_url(origin, "/a");
        threads[i].closes = true;
        assert_int_equal(pthread_create(&ids[i], NULL, open_two, &threads[i]), 0);
    }
    for (int i = 0; i < 3; i++) {
        assert_true(gate_wait(&threads[i].opened, 10000));
    }
    char *text = ledger_text(&count);
    assert_int_equal(count, 6);
    int seen = 0;
    for (const char *at = text; (at = strstr(at, "thread.c:11: ")) != NULL; at++) {
        seen++;
    }
    assert_int_equal(seen, 3);
    free(text);
    for (int i = 0; i < 3; i++) {
        gate_open(&threads[i].go_on);
        pthread_join(ids[i], NULL);
    }
    assert_int_equal(ferry_open_responses(NULL), 0);
    assert_true(origin_stop(origin));
}

static void another_thread_can_close(void **state)
{
    struct origin *origin = origin_start_reply(HELLO);
    struct other_thread thread = {.url = origin_url(origin, "/a")};
    pthread_t id;

    (void)state;
    assert_int_equal(pthread_create(&id, NULL, open_two, &thread), 0);
    assert_true(gate_wait(&thread.opened, 10000));
    assert_int_equal(ferry_open_responses(NULL), 2);
    ferry_response_close(thread.res[0]);
    assert_int_equal(ferry_open_responses(NULL), 1);
    ferry_response_close(thread.res[1]);
    assert_int_equal(ferry_open_responses(NULL), 0);
    gate_open(&thread.go_on);
    pthread_join(id, NULL);
    assert_true(origin_stop(origin));
}

/* A thread takes its connections along when it ends; the responses are still somebody's to close. */
static void a_response_outlives_its_thread(void **state)
{
    struct origin *origin = origin_start_reply(HELLO);
    struct other_thread thread = {.url = origin_url(origin, "/a")};
    pthread_t id;
    size_t count;

    (void)state;
    assert_int_equal(pthread_create(&id, NULL, open_two, &thread), 0);
    gate_open(&thread.go_on);
    pthread_join(id, NULL);
    assert_int_equal(ferry_num_tasks(), 1);
    char *text = ledger_text(&count);
    assert_int_equal(count, 2);
    assert_true(
        has_line(text, "thread.c:10: ", " s, 0 of 5 bytes read, holds memory only (2 KiB)"));
    assert_true(
        has_line(text, "thread.c:11: ", " s, 0 of 5 bytes read, holds memory only (2 KiB)"));
    free(text);
    ferry_response_close(thread.res[0]);
    ferry_response_close(thread.res[1]);
    assert_int_equal(ferry_open_responses(NULL), 0);
    assert_true(origin_stop(origin));
}

#define LEDGER_TEST(name) cmocka_unit_test_teardown(name, nothing_is_left)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEDGER_TEST(macros_name_the_line_that_calls),
        LEDGER_TEST(plain_functions_know_no_place),
        LEDGER_TEST(a_binding_names_its_own_place),
        LEDGER_TEST(an_unread_body_holds_a_connection_until_its_end),
        LEDGER_TEST(a_chunked_body_is_of_unknown_length),
        LEDGER_TEST(a_response_without_a_body_holds_memory_only),
        LEDGER_TEST(a_cancelled_response_holds_memory_only),
        LEDGER_TEST(a_made_response_is_in_the_ledger_too),
        LEDGER_TEST(closing_removes_and_only_that),
        LEDGER_TEST(a_password_is_not_told),
        LEDGER_TEST(all_threads_responses_are_told),
        LEDGER_TEST(another_thread_can_close),
        LEDGER_TEST(a_response_outlives_its_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
