/*
 * What ferry is doing, as JSON: a connection in each of its states, held there by a server whose
 * every byte is stated; the totals; how much is written at most.
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

#include <jansson.h>
#include <cmocka.h>

#include <ferry.h>

#include "dead_end.h"
#include "origin.h"
#include "watch_test.h"

#define HELLO "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
#define PART "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n0123456789"

static json_t *parse(char *text)
{
    json_error_t error;
    assert_non_null(text);
    json_t *document = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    if (document == NULL) {
        fail_msg("%s at line %d of\n%s", error.text, error.line, text);
    }
    free(text);
    return document;
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

static json_int_t number_of(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    assert_true(json_is_integer(value));
    return json_integer_value(value);
}

/* ------------------------------------------------------------------------------------ one request */

/* What a task asks for, and how it ends. */
struct asked {
    ferry_client *client;
    const char *method, *url;
    const void *body;
    size_t body_len;
    ferry_context *context;
    ferry_response *res;
    bool over;
};

static void ask(void *arg)
{
    struct asked *asked = arg;
    ferry_error err;
    ferry_request *req = ferry_request_new(asked->method, asked->url, &err);
    ferry_request_set_context(req, asked->context);
    if (asked->body != NULL) {
        ferry_request_set_body(req, asked->body, asked->body_len);
    }
    asked->res = ferry_client_do(asked->client, req, &err);
    ferry_request_free(req);
    asked->over = true;
}

/* The only connection there is, if it is in that state. To be given back by json_decref(). */
static json_t *only_in(const char *state)
{
    json_t *all = parse(ferry_connections_json());
    json_t *one = json_array_size(all) == 1 ? json_incref(json_array_get(all, 0)) : NULL;
    json_decref(all);
    if (one != NULL && strcmp(text_of(one, "state"), state) != 0) {
        json_decref(one);
        one = NULL;
    }
    return one;
}

/* Waits until the only connection is in that state, and says what is known of it then. */
static json_t *await_state(const char *state)
{
    json_t *one;
    AWAIT((one = only_in(state)) != NULL);
    return one;
}

static void waits(const json_t *connection, const char *who, const char *what)
{
    const json_t *parked = json_object_get(connection, who);
    assert_string_equal(text_of(parked, "waits"), what);
    assert_true(number_of(parked, "task") > 0);
    assert_true(number_of(parked, "ms") >= 0);
}

static void begin(struct asked *asked)
{
    if (asked->method == NULL) {
        asked->method = "GET";
    }
    asked->context = ferry_context_new(-1);
    assert_int_equal(ferry_go(ask, asked), 0);
}

static void end(struct asked *asked)
{
    ferry_context_cancel(asked->context);
    AWAIT(asked->over);
    ferry_response_close(asked->res);
    ferry_context_free(asked->context);
}

/* ------------------------------------------------------------------------------------- the states */

static void dialing(void **state)
{
    struct dead_end silent;
    (void)state;
    assert_true(dead_end_silence(&silent));
    struct asked asked = {.url = silent.url};
    begin(&asked);
    json_t *one = await_state("dialing");
    assert_int_equal(number_of(one, "connection"), 0);
    assert_int_equal(number_of(one, "requests"), 0);
    assert_true(strstr(silent.url, text_of(one, "host")) != NULL);
    assert_string_equal(text_of(one, "scheme"), "http");
    assert_true(number_of(json_object_get(one, "dial"), "task") > 0);
    assert_null(json_object_get(one, "read_loop"));
    json_decref(one);
    end(&asked);
    dead_end_close(&silent);
}

/* The client's hello is taken, and not answered. */
static void hold(struct origin_conn *conn, void *arg)
{
    (void)arg;
    origin_wait_eof(conn, -1);
}

static void handshake(void **state)
{
    char url[64];
    (void)state;
    struct origin *origin = origin_start(&(struct origin_script){.serve = hold});
    snprintf(url, sizeof url, "https://127.0.0.1:%d/", origin_port(origin));
    struct asked asked = {.url = url};
    begin(&asked);
    json_t *one = await_state("handshake");
    assert_int_equal(number_of(one, "connection"), 0);
    assert_string_equal(text_of(one, "scheme"), "https");
    json_decref(one);
    end(&asked);
    assert_true(origin_stop(origin));
}

/* The head is read, and nothing of the body, which is more than the kernels take. */
static void read_head_only(struct origin_conn *conn, void *arg)
{
    char head[1024];
    origin_read_head(conn, head, sizeof head);
    origin_wait(conn, arg);
}

static void writing(void **state)
{
    struct gate over = {0};
    const size_t len = (size_t)16 << 20;
    char *body = calloc(1, len);
    (void)state;
    assert_non_null(body);
    struct origin *origin = origin_start(
        &(struct origin_script){.serve = read_head_only, .arg = &over, .receive_buffer = 4096});
    struct asked asked = {
        .method = "POST", .url = origin_url(origin, "/a"), .body = body, .body_len = len};
    begin(&asked);
    json_t *one = await_state("writing");
    assert_string_equal(text_of(one, "url"), asked.url);
    assert_int_equal(number_of(one, "requests"), 1);
    waits(one, "read_loop", "waiting for the response");
    json_decref(one);
    gate_open(&over);
    end(&asked);
    assert_true(origin_stop(origin));
    free(body);
}

static void say_nothing(struct origin_conn *conn, void *arg)
{
    if (origin_read_request(conn)) {
        origin_wait(conn, arg);
    }
}

static void awaiting(void **state)
{
    struct gate over = {0};
    (void)state;
    struct origin *origin =
        origin_start(&(struct origin_script){.serve = say_nothing, .arg = &over});
    struct asked asked = {.url = origin_url(origin, "/slow")};
    begin(&asked);
    json_t *one = await_state("awaiting");
    assert_string_equal(text_of(one, "url"), asked.url);
    assert_string_equal(text_of(one, "host"), origin_host(origin));
    assert_true(json_is_false(json_object_get(one, "proxied")));
    waits(one, "write_loop", "waiting for a request to write");
    json_decref(one);
    gate_open(&over);
    end(&asked);
    assert_true(origin_stop(origin));
}

static void unread_and_idle(void **state)
{
    ferry_error err = {0};
    char buf[16];
    (void)state;
    struct origin *origin = origin_start_reply(HELLO);
    ferry_response *res = ferry_get(origin_url(origin, "/a"), &err);
    assert_non_null(res);
    json_t *one = await_state("unread");
    assert_string_equal(text_of(one, "url"), origin_url(origin, "/a"));
    waits(one, "read_loop", "waiting for the body to be read");
    waits(one, "write_loop", "waiting for a request to write");
    json_int_t number = number_of(one, "connection");
    json_decref(one);

    /* The ledger has it by the same number. */
    json_t *ledger = parse(ferry_open_responses_json(NULL));
    assert_int_equal(
        number_of(json_array_get(json_object_get(ledger, "responses"), 0), "connection"), number);
    json_decref(ledger);

    while (ferry_response_read(res, buf, sizeof buf, &err) > 0) {}
    one = only_in("idle"); /* at once: the read that met the end returns after that */
    assert_non_null(one);
    assert_int_equal(number_of(one, "connection"), number);
    assert_true(json_is_null(json_object_get(one, "url")));
    json_decref(one);
    ferry_response_close(res);
    assert_true(origin_stop(origin));
}

static void send_part(struct origin_conn *conn, void *arg)
{
    if (origin_read_request(conn)) {
        origin_send_text(conn, PART);
        origin_wait(conn, arg);
    }
}

static void draining(void **state)
{
    struct gate over = {0};
    ferry_error err = {0};
    (void)state;
    struct origin *origin = origin_start(&(struct origin_script){.serve = send_part, .arg = &over});
    ferry_transport *transport = ferry_transport_new(FERRY_TRANSPORT_OPTIONS(.drain_ms = 60000));
    ferry_client *client = ferry_client_new(FERRY_CLIENT_OPTIONS(.transport = transport));
    ferry_request *req = ferry_request_new("GET", origin_url(origin, "/"), &err);
    ferry_response *res = ferry_client_do(client, req, &err);
    assert_non_null(res);
    ferry_response_close(res);
    json_decref(await_state("draining"));
    gate_open(&over); /* which closes the connection */
    AWAIT(ferry_num_tasks() == 1);
    ferry_request_free(req);
    ferry_client_free(client);
    ferry_transport_free(transport);
    assert_true(origin_stop(origin));
}

/* A connection whose thread is elsewhere when another one closes it. */
struct away {
    ferry_client *client;
    const char *url;
    struct gate left, may_return;
};

static void *leave_one_idle(void *arg)
{
    struct away *away = arg;
    ferry_error err;
    ferry_request *req = ferry_request_new("GET", away->url, &err);
    ferry_response *res = ferry_client_do(away->client, req, &err);
    free(ferry_response_read_all(res, 100, NULL, &err));
    ferry_response_close(res);
    ferry_request_free(req);
    gate_open(&away->left);
    gate_wait(&away->may_return, -1);
    return NULL;
}

static void closing(void **state)
{
    pthread_t thread;
    (void)state;
    struct origin *origin = origin_start_reply(HELLO);
    ferry_transport *transport = ferry_transport_new(FERRY_TRANSPORT_OPTIONS(.disable_monitor = 1));
    struct away away = {.client = ferry_client_new(FERRY_CLIENT_OPTIONS(.transport = transport)),
                        .url = origin_url(origin, "/")};
    assert_int_equal(pthread_create(&thread, NULL, leave_one_idle, &away), 0);
    assert_true(gate_wait(&away.left, 10000));
    json_t *one = await_state("idle");
    json_int_t owner = number_of(one, "thread");
    json_decref(one);
    ferry_transport_close_idle(transport);
    one = only_in("closing");
    assert_non_null(one);
    assert_int_equal(number_of(one, "thread"), owner);
    assert_string_equal(text_of(one, "host"), "");
    json_decref(one);
    gate_open(&away.may_return);
    pthread_join(thread, NULL);
    ferry_client_free(away.client);
    ferry_transport_free(transport);
    assert_true(origin_stop(origin));
}

/* ----------------------------------------------------------------------------------- all together */

static void tasks(void **state)
{
    ferry_error err = {0};
    (void)state;
    struct origin *origin = origin_start_reply(HELLO);
    ferry_response *res = ferry_get(origin_url(origin, "/"), &err);
    assert_non_null(res);
    json_t *all = parse(ferry_tasks_json());
    assert_int_equal(json_array_size(all), ferry_num_tasks());
    const json_t *self = json_array_get(all, 0);
    assert_string_equal(text_of(self, "name"), "thread");
    assert_int_equal(number_of(self, "connection"), 0);
    assert_true(json_is_null(json_object_get(self, "waits")));
    for (size_t i = 1; i < 3; i++) {
        const json_t *loop = json_array_get(all, i);
        assert_int_equal(number_of(loop, "thread"), number_of(self, "task"));
        assert_true(number_of(loop, "connection") > 0);
        assert_true(json_is_string(json_object_get(loop, "waits")));
        assert_true(json_is_false(json_object_get(loop, "running")));
    }
    json_decref(all);
    ferry_response_close(res);
    assert_true(origin_stop(origin));
}

static json_int_t total_of(const char *what)
{
    json_t *all = parse(ferry_snapshot_json(0));
    json_int_t value = number_of(json_object_get(all, "total"), what);
    json_decref(all);
    return value;
}

/* What a transport has counted is not lost with it. */
static void totals_never_fall(void **state)
{
    ferry_error err = {0};
    (void)state;
    json_int_t requests = total_of("requests"), dials = total_of("dials");
    struct origin *origin = origin_start_reply(HELLO);
    ferry_transport *transport = ferry_transport_new(NULL);
    ferry_client *client = ferry_client_new(FERRY_CLIENT_OPTIONS(.transport = transport));
    ferry_request *req = ferry_request_new("GET", origin_url(origin, "/"), &err);
    for (int i = 0; i < 3; i++) {
        ferry_response *res = ferry_client_do(client, req, &err);
        free(ferry_response_read_all(res, 100, NULL, &err));
        ferry_response_close(res);
    }
    ferry_request_free(req);
    assert_int_equal(total_of("requests"), requests + 3);
    assert_int_equal(total_of("connections"), 1);
    assert_int_equal(total_of("idle"), 1);
    ferry_client_free(client);
    ferry_transport_free(transport);
    assert_int_equal(total_of("requests"), requests + 3);
    assert_int_equal(total_of("dials"), dials + 1);
    assert_int_equal(total_of("connections"), 0);
    assert_int_equal(total_of("idle"), 0);

    json_t *all = parse(ferry_snapshot_json(0));
    const json_t *times = json_object_get(json_object_get(all, "total"), "first_byte");
    assert_true(number_of(times, "count") >= 3);
    assert_true(number_of(times, "median_us") > 0);
    assert_true(number_of(times, "p99_us") >= number_of(times, "median_us"));
    json_decref(all);
    assert_true(origin_stop(origin));
}

#define MANY 12

static void at_most_so_many_of_each(void **state)
{
    ferry_error err = {0};
    ferry_response *open[MANY];
    (void)state;
    struct origin *origin = origin_start_reply(HELLO);
    for (int i = 0; i < MANY; i++) {
        open[i] = ferry_get(origin_url(origin, "/"), &err);
        assert_non_null(open[i]);
    }
    json_t *all = parse(ferry_snapshot_json(5));
    const json_t *ledger = json_object_get(all, "ledger");
    assert_int_equal(number_of(all, "task_count"), 2 * MANY + 1);
    assert_int_equal(json_array_size(json_object_get(all, "tasks")), 5);
    assert_int_equal(number_of(all, "connection_count"), MANY);
    assert_int_equal(json_array_size(json_object_get(all, "connections")), 5);
    assert_int_equal(number_of(ledger, "open"), MANY);
    assert_int_equal(json_array_size(json_object_get(ledger, "responses")), 5);
    const json_t *site = json_array_get(json_object_get(ledger, "call_sites"), 0);
    assert_int_equal(number_of(site, "open"), MANY);
    json_decref(all);
    for (int i = 0; i < MANY; i++) {
        ferry_response_close(open[i]);
    }
    assert_true(origin_stop(origin));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(dialing, nothing_is_left),
        cmocka_unit_test_teardown(handshake, nothing_is_left),
        cmocka_unit_test_teardown(writing, nothing_is_left),
        cmocka_unit_test_teardown(awaiting, nothing_is_left),
        cmocka_unit_test_teardown(unread_and_idle, nothing_is_left),
        cmocka_unit_test_teardown(draining, nothing_is_left),
        cmocka_unit_test_teardown(closing, nothing_is_left),
        cmocka_unit_test_teardown(tasks, nothing_is_left),
        cmocka_unit_test_teardown(totals_never_fall, nothing_is_left),
        cmocka_unit_test_teardown(at_most_so_many_of_each, nothing_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
