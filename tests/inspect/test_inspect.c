/*
 * What libferry-inspect serves, over HTTP.
 */
#include "inspect_test.h"

#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>

#include "origin.h"
#include "process.h"

/* ---- What is served ---- */

static json_t *json_at(const char *path)
{
    struct answer answer = ask("GET", at(path), NULL, NULL);
    json_error_t wrong;
    assert_int_equal(answer.status, 200);
    assert_string_equal(ferry_response_header(answer.res, "Content-Type"), "application/json");
    json_t *json = json_loads(answer.body, 0, &wrong);
    if (json == NULL)
        fail_msg("%s: %s: %s", path, wrong.text, answer.body);
    drop(&answer);
    return json;
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

/* The one connection to the origin, whose body nobody reads. */
static const json_t *find_unread(const json_t *connections)
{
    size_t i;
    const json_t *connection;
    json_array_foreach(connections, i, connection)
    {
        if (strcmp(text_of(connection, "state"), "unread") == 0)
            return connection;
    }
    fail_msg("no connection is unread");
    return NULL;
}

/* A response that was not read stands in all three, by the same number. */
static void a_leak_is_shown(void **state)
{
    ferry_error err = {0};
    (void)state;
    char reply[5100];
    int head = snprintf(reply, sizeof reply, "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n");
    memset(reply + head, 'x', 5000);
    reply[head + 5000] = '\0';
    struct origin *origin = origin_start_reply(reply);
    assert_non_null(origin);
    inspect_start("127.0.0.1:0", NULL);
    char url[128];
    snprintf(url, sizeof url, "%s", origin_url(origin, "/a"));
    const int line = __LINE__ + 1;
    ferry_response *forgotten = ferry_get(url, &err);
    if (forgotten == NULL)
        fail_msg("%s", err.message);

    json_t *connections = json_at("/connections");
    const json_t *unread = find_unread(connections);
    assert_string_equal(text_of(unread, "url"), url);
    assert_string_equal(text_of(json_object_get(unread, "read_loop"), "waits"),
                        "waiting for the body to be read");
    assert_string_equal(text_of(json_object_get(unread, "write_loop"), "waits"),
                        "waiting for a request to write");
    json_int_t number = json_integer_value(json_object_get(unread, "connection"));

    json_t *ledger = json_at("/responses");
    const json_t *oldest = json_array_get(json_object_get(ledger, "responses"), 0);
    assert_int_equal(json_integer_value(json_object_get(ledger, "open")), 1);
    assert_int_equal(json_array_size(json_object_get(ledger, "call_sites")), 1);
    assert_non_null(strstr(text_of(oldest, "file"), "test_inspect.c"));
    assert_int_equal(json_integer_value(json_object_get(oldest, "line")), line);
    assert_int_equal(json_integer_value(json_object_get(oldest, "connection")), number);
    assert_int_equal(json_integer_value(json_object_get(oldest, "length")), 5000);
    assert_int_equal(json_integer_value(json_object_get(oldest, "sockets")), 1);

    json_t *tasks = json_at("/tasks");
    size_t i, loops = 0;
    const json_t *task;
    json_array_foreach(tasks, i, task)
    {
        loops += json_integer_value(json_object_get(task, "connection")) == number;
    }
    assert_int_equal(loops, 2);
    assert_string_equal(text_of(json_array_get(tasks, 0), "name"), "thread");
    json_decref(tasks);
    json_decref(ledger);
    json_decref(connections);
    ferry_response_close(forgotten);
    ferry_transport_close_idle(NULL);
    assert_true(origin_stop(origin));
}

static void metrics_are_prometheus_text(void **state)
{
    (void)state;
    inspect_start("127.0.0.1:0", NULL);
    struct answer answer = ask("GET", at("/metrics"), NULL, NULL);
    assert_int_equal(answer.status, 200);
    assert_string_equal(ferry_response_header(answer.res, "Content-Type"),
                        "text/plain; version=0.0.4; charset=utf-8");
    assert_non_null(strstr(answer.body, "# TYPE ferry_requests_total counter\n"));
    assert_non_null(strstr(answer.body, "\nferry_tasks 3\n")); /* this, and its two loops */
    assert_non_null(strstr(answer.body, "\n# TYPE ferry_first_byte_seconds histogram\n"));
    drop(&answer);
}

static void the_page_loads_nothing_from_elsewhere(void **state)
{
    static const char *const files[] = {"/", "/page.css", "/page.js", "/lanes.js"};
    (void)state;
    inspect_start("127.0.0.1:0", NULL);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct answer answer = ask("GET", at(files[i]), NULL, NULL);
        assert_int_equal(answer.status, 200);
        assert_null(strstr(answer.body, "https://"));
        assert_null(strstr(answer.body, "src=\"//"));
        assert_null(strchr(answer.body, '@') && i == 0 ? answer.body : NULL); /* no place is left */
        const char *policy = ferry_response_header(answer.res, "Content-Security-Policy");
        assert_non_null(strstr(policy, "default-src 'none'"));
        assert_non_null(strstr(policy, "frame-ancestors 'none'"));
        assert_null(strstr(policy, "unsafe"));
        assert_string_equal(ferry_response_header(answer.res, "X-Content-Type-Options"), "nosniff");
        assert_string_equal(ferry_response_header(answer.res, "Referrer-Policy"), "no-referrer");
        assert_string_equal(ferry_response_header(answer.res, "Cross-Origin-Resource-Policy"),
                            "same-origin");
        assert_string_equal(ferry_response_header(answer.res, "Cross-Origin-Opener-Policy"),
                            "same-origin");
        assert_string_equal(ferry_response_header(answer.res, "Cache-Control"), "no-store");
        assert_null(ferry_response_header(answer.res, "Access-Control-Allow-Origin"));
        drop(&answer);
    }
}

/* ---- Events ---- */

/* A watcher that is there when the server stops does not keep it, and sees its stream end. */
static void events_come_until_the_end(void **state)
{
    ferry_error err = {0};
    ferry_event event;
    json_error_t wrong;
    (void)state;
    int descriptors = process_descriptors();
    inspect_start("127.0.0.1:0", NULL);
    ferry_response *res = ferry_get(at("/events"), &err);
    if (res == NULL)
        fail_msg("%s", err.message);
    assert_string_equal(ferry_response_header(res, "Content-Type"), "text/event-stream");
    ferry_event_stream *stream = ferry_event_stream_new(res, &err);
    assert_non_null(stream);
    /* The first ones may be from before the stream's own response was there. */
    for (int open = 0, i = 0; open == 0 || i < 3; i++) {
        if (ferry_event_stream_next(stream, &event, &err) != 1)
            fail_msg("%s", err.message);
        json_t *json = json_loads(event.data, 0, &wrong);
        if (json == NULL)
            fail_msg("%s: %s", wrong.text, event.data);
        const json_t *ferry = json_object_get(json, "ferry");
        assert_int_equal(json_integer_value(json_object_get(json, "suspicious_ms")), 1);
        assert_int_equal(json_integer_value(json_object_get(ferry, "connection_count")), 1);
        assert_int_equal(json_array_size(json_object_get(ferry, "connections")), 1);
        open = (int)json_integer_value(json_object_get(json_object_get(ferry, "ledger"), "open"));
        json_decref(json);
    }
    ferry_inspect_stop();
    while (ferry_event_stream_next(stream, &event, &err) == 1) {
        /* what was on its way */
    }
    ferry_event_stream_free(stream);
    ferry_transport_close_idle(NULL);
    assert_in_range(process_descriptors(), 0, descriptors + 2); /* this thread's poller */
}

#define MOST_WATCHERS 32

/* Those who watch leave room for those who ask. */
static void watchers_are_limited(void **state)
{
    ferry_error err = {0};
    ferry_response *watching[MOST_WATCHERS];
    (void)state;
    inspect_start("127.0.0.1:0", NULL);
    for (size_t i = 0; i < MOST_WATCHERS; i++) {
        watching[i] = ferry_get(at("/events"), &err);
        assert_non_null(watching[i]);
        assert_int_equal(ferry_response_status(watching[i]), 200);
    }
    expect("GET", "/events", NULL, NULL, 503);
    expect("GET", "/metrics", NULL, NULL, 200);
    ferry_response_close(watching[0]);
    for (int status = 503; status != 200;) { /* once the server has seen it go */
        ferry_response *res = ferry_get(at("/events"), &err);
        assert_non_null(res);
        status = ferry_response_status(res);
        ferry_response_close(res);
    }
    for (size_t i = 1; i < MOST_WATCHERS; i++)
        ferry_response_close(watching[i]);
}

/* A watcher that reads nothing, over a socket that holds little, is neither waited for by others
 * nor at the end. */
static void a_slow_watcher_holds_up_nobody(void **state)
{
    static const int small = 1024;
    static const char request[] = "GET /events HTTP/1.1\r\nHost: %s\r\n\r\n";
    char text[128];
    ferry_error err = {0};
    ferry_event event;
    (void)state;
    inspect_start("127.0.0.1:0", NULL);
    const char *authority = ferry_inspect_url() + strlen("http://");
    struct sockaddr_in server = {.sin_family = AF_INET,
                                 .sin_addr = {htonl(INADDR_LOOPBACK)},
                                 .sin_port = htons((uint16_t)atoi(strchr(authority, ':') + 1))};
    snprintf(text, sizeof text, "%.*s", (int)strcspn(authority, "/"), authority);
    char head[256];
    snprintf(head, sizeof head, request, text);
    int slow = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(setsockopt(slow, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
    assert_int_equal(connect(slow, (struct sockaddr *)&server, sizeof server), 0);
    assert_int_equal(send(slow, head, strlen(head), MSG_NOSIGNAL), (ssize_t)strlen(head));

    ferry_response *res = ferry_get(at("/events"), &err);
    ferry_event_stream *stream = ferry_event_stream_new(res, &err);
    assert_non_null(stream);
    for (int i = 0; i < 50; i++)
        assert_int_equal(ferry_event_stream_next(stream, &event, &err), 1);
    ferry_event_stream_free(stream);
    ferry_inspect_stop();
    close(slow);
}

/* ---- Forks ---- */

/* TSan does not let a child of several threads have threads of its own. Under ASan these would wait for
 * ever if one of the parent's was in the midst of an allocation when the child was made. */
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define CHILD_HAS_THREADS 0
#elif defined(__has_feature)
#define CHILD_HAS_THREADS (!__has_feature(thread_sanitizer) && !__has_feature(address_sanitizer))
#else
#define CHILD_HAS_THREADS 1
#endif

static bool starts_its_own(void)
{
    bool started = ferry_inspect_start("127.0.0.1:0", NULL, NULL) == 0;
    bool somewhere = ferry_inspect_url() != NULL;
    ferry_inspect_stop();
    return started && somewhere;
}

/* The child has no server, and may have one of its own; its parent's goes on. It ends by a signal:
 * what the parent's threads had in hand looks like a leak in it. */
static void a_child_starts_clean(void **state)
{
    int said[2], status;
    char clean = 0;
    (void)state;
    inspect_start("127.0.0.1:0", NULL);
    expect("GET", "/tasks", NULL, NULL, 200); /* its threads have begun, and allocate nothing now */
    assert_int_equal(pipe(said), 0);
    pid_t child = fork();
    if (child == 0) {
        clean = ferry_inspect_url() == NULL;
        ferry_inspect_stop();
        clean = clean && (!CHILD_HAS_THREADS || starts_its_own());
        (void)!write(said[1], &clean, 1);
        kill(getpid(), SIGKILL);
    }
    assert_true(child > 0);
    close(said[1]);
    expect("GET", "/tasks", NULL, NULL, 200);
    assert_int_equal(read(said[0], &clean, 1), 1);
    close(said[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(clean);
    expect("GET", "/tasks", NULL, NULL, 200);
}

static void no_address(void **state)
{
    ferry_error err = {0};
    (void)state;
    assert_int_equal(ferry_inspect_start(NULL, NULL, NULL), -1);
    assert_int_equal(ferry_inspect_start(NULL, NULL, &err), -1);
    assert_int_equal(err.code, FERRY_EINVAL);
    assert_non_null(strstr(err.message, "NULL was given"));
    assert_null(ferry_inspect_url());
}

/* What several threads do with one transport, whose connections move between them. */
struct crowd {
    ferry_client *client;
    const char *url;
    atomic_bool over;
};

static void *visit_until_over(void *arg)
{
    struct crowd *crowd = arg;
    ferry_error err;
    char buf[64];
    for (int i = 0; !atomic_load(&crowd->over); i++) {
        ferry_request *req = ferry_request_new("GET", crowd->url, &err);
        ferry_response *res = req != NULL ? ferry_client_do(crowd->client, req, &err) : NULL;
        ferry_request_free(req);
        if (res != NULL && i % 3 != 0) {
            while (ferry_response_read(res, buf, sizeof buf, &err) > 0) {}
        }
        ferry_response_close(res); /* every third time unread */
    }
    return NULL;
}

/* Looking does not disturb those who are looked at; under TSan, nor does it race with them. */
static void threads_may_be_looked_at(void **state)
{
    pthread_t threads[4];
    (void)state;
    struct origin *origin = origin_start_reply("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    assert_non_null(origin);
    ferry_transport *transport = ferry_transport_new(NULL);
    struct crowd crowd = {.client = ferry_client_new(FERRY_CLIENT_OPTIONS(.transport = transport)),
                          .url = origin_url(origin, "/")};
    inspect_start("127.0.0.1:0", NULL);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, visit_until_over, &crowd), 0);
    for (int i = 0; i < 60; i++) {
        json_decref(json_at("/connections"));
        json_decref(json_at("/tasks"));
        json_decref(json_at("/responses"));
    }
    atomic_store(&crowd.over, true);
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    ferry_client_free(crowd.client);
    ferry_transport_free(transport);
    assert_true(origin_stop(origin));
}

static void again_and_again(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        inspect_start(i % 2 == 0 ? "127.0.0.1:0" : "[::1]:0", NULL);
        expect("GET", "/responses", NULL, NULL, 200);
        ferry_inspect_stop();
        ferry_inspect_stop();
        assert_null(ferry_inspect_url());
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_leak_is_shown, inspect_stop),
        cmocka_unit_test_teardown(metrics_are_prometheus_text, inspect_stop),
        cmocka_unit_test_teardown(the_page_loads_nothing_from_elsewhere, inspect_stop),
        cmocka_unit_test_teardown(events_come_until_the_end, inspect_stop),
        cmocka_unit_test_teardown(watchers_are_limited, inspect_stop),
        cmocka_unit_test_teardown(a_slow_watcher_holds_up_nobody, inspect_stop),
        cmocka_unit_test_teardown(no_address, inspect_stop),
        cmocka_unit_test_teardown(a_child_starts_clean, inspect_stop),
        cmocka_unit_test_teardown(threads_may_be_looked_at, inspect_stop),
        cmocka_unit_test_teardown(again_and_again, inspect_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
