/*
 * What libferry-inspect serves, and to whom: asked over HTTP, by ferry itself in the same process.
 */
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ferry_inspect.h>
#include <jansson.h>
#include <cmocka.h>

#include "events.h"
#include "origin.h"
#include "process.h"
#include "temp_dir.h"

#define TOKEN "a-token_of.20~letters"

/* One answer. */
struct answer {
    int status;
    char *body;
    ferry_response *res; /* its header fields; closed by drop() */
};

static void start(const char *address, const char *token)
{
    ferry_error err = {0};
    if (ferry_inspect_start(
            address, FERRY_INSPECT_OPTIONS(.token = token, .interval_ms = 20, .suspicious_ms = 1),
            &err) != 0)
        fail_msg("%s", err.message);
    assert_non_null(ferry_inspect_url());
}

/* Everything that a test opened is closed again; the thread's task is left. */
static int stop(void **state)
{
    (void)state;
    ferry_inspect_stop();
    ferry_transport_close_idle(NULL);
    assert_int_equal(ferry_open_responses(stderr), 0);
    for (int64_t until = events_deadline(10000); ferry_num_tasks() > 1 && events_now() < until;)
        ferry_sleep(1); /* streams that were closed early are read on for a moment */
    assert_int_equal(ferry_num_tasks(), 1);
    return 0;
}

static struct answer ask(const char *method, const char *url, const char *name, const char *value)
{
    ferry_error err = {0};
    struct answer answer = {0};
    ferry_request *req = ferry_request_new(method, url, &err);
    assert_non_null(req);
    if (name != NULL)
        assert_int_equal(ferry_request_set_header(req, name, value), 0);
    answer.res = ferry_client_do(NULL, req, &err);
    ferry_request_free(req);
    if (answer.res == NULL)
        fail_msg("%s", err.message);
    answer.status = ferry_response_status(answer.res);
    answer.body = ferry_response_read_all(answer.res, 1 << 24, NULL, &err);
    assert_non_null(answer.body);
    return answer;
}

static void drop(struct answer *answer)
{
    free(answer->body);
    ferry_response_close(answer->res);
}

/* The server's address with a path in place of its query. */
static const char *at(const char *path)
{
    static char url[256];
    const char *base = ferry_inspect_url();
    snprintf(url, sizeof url, "%.*s%s", (int)strcspn(base + 7, "/") + 7, base, path);
    return url;
}

static void expect(const char *method, const char *path, const char *name, const char *value,
                   int status)
{
    struct answer answer = ask(method, at(path), name, value);
    if (answer.status != status)
        fail_msg("%s %s: %d, not %d: %s", method, path, answer.status, status, answer.body);
    drop(&answer);
}

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
    start("127.0.0.1:0", NULL);
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
    start("127.0.0.1:0", NULL);
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
    start("127.0.0.1:0", NULL);
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

/* ---- Who is let in ---- */

static void nothing_can_be_changed(void **state)
{
    static const char *const methods[] = {"POST", "PUT", "DELETE", "OPTIONS", "PATCH"};
    (void)state;
    start("127.0.0.1:0", NULL);
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        struct answer answer = ask(methods[i], at("/tasks"), NULL, NULL);
        assert_int_equal(answer.status, 405);
        assert_string_equal(ferry_response_header(answer.res, "Allow"), "GET, HEAD");
        drop(&answer);
    }
    expect("HEAD", "/tasks", NULL, NULL, 200);
    expect("GET", "/nothing", NULL, NULL, 404);
    expect("GET", "/../etc/passwd", NULL, NULL, 404);
}

static void other_names_are_refused(void **state)
{
    char host[64];
    (void)state;
    start("127.0.0.1:0", NULL);
    const char *port = strrchr(ferry_inspect_url(), ':') + 1;
    expect("GET", "/", "Host", "evil.example", 403);
    expect("GET", "/tasks", "Host", "127.0.0.1", 403);
    snprintf(host, sizeof host, "evil.example:%.*s", (int)strcspn(port, "/"), port);
    expect("GET", "/tasks", "Host", host, 403);
    snprintf(host, sizeof host, "LocalHost:%.*s", (int)strcspn(port, "/"), port);
    expect("GET", "/tasks", "Host", host, 200);
}

/* The address as it stands in brackets, and the same port by name. */
static void names_of_an_ipv6_address(void **state)
{
    char host[64];
    (void)state;
    start("[::1]:0", NULL);
    int port = atoi(strstr(ferry_inspect_url(), "]:") + 2);
    snprintf(host, sizeof host, "[::1]:%d", port);
    expect("GET", "/tasks", "Host", host, 200);
    snprintf(host, sizeof host, "localhost:%d", port);
    expect("GET", "/tasks", "Host", host, 200);
    snprintf(host, sizeof host, "127.0.0.1:%d", port);
    expect("GET", "/tasks", "Host", host, 403);
    expect("GET", "/tasks", "Host", "localhost", 403);
}

/* A browser's own word on whose behalf it asks. */
static void other_sites_are_refused(void **state)
{
    (void)state;
    start("127.0.0.1:0", NULL);
    expect("GET", "/events", "Sec-Fetch-Site", "cross-site", 403);
    expect("GET", "/page.js", "Sec-Fetch-Site", "same-site", 403);
    expect("GET", "/tasks", "Sec-Fetch-Site", "same-origin", 200);
    expect("GET", "/tasks", "Sec-Fetch-Site", "none", 200);
}

static void a_token_is_asked_for(void **state)
{
    (void)state;
    start("127.0.0.1:0", TOKEN);
    expect("GET", "/", NULL, NULL, 401);
    expect("GET", "/page.css", NULL, NULL, 401);
    expect("GET", "/events", NULL, NULL, 401);
    expect("GET", "/tasks?token=" TOKEN "x", NULL, NULL, 401);
    expect("GET", "/tasks?token=", NULL, NULL, 401);
    expect("GET", "/tasks", "Authorization", "Bearer a-token_of.20~letterz", 401);
    expect("GET", "/tasks", "Authorization", "Bearer " TOKEN, 200);
    expect("GET", "/tasks?token=" TOKEN, NULL, NULL, 200);
    struct answer page = ask("GET", ferry_inspect_url(), NULL, NULL);
    assert_int_equal(page.status, 200);
    assert_non_null(strstr(page.body, "src=\"page.js?token=" TOKEN "\""));
    drop(&page);
}

/* Where others can reach it, it has any name, and nobody comes in without the token. */
static void with_a_token_at_any_address(void **state)
{
    char url[256];
    (void)state;
    start("0.0.0.0:0", TOKEN);
    int port = atoi(strrchr(ferry_inspect_url(), ':') + 1);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/tasks", port);
    struct answer answer = ask("GET", url, "Host", "desk.example");
    assert_int_equal(answer.status, 401);
    drop(&answer);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/tasks?token=" TOKEN, port);
    answer = ask("GET", url, "Host", "desk.example");
    assert_int_equal(answer.status, 200);
    drop(&answer);
}

static void refuses(const char *address, const char *token, const char *part)
{
    ferry_error err = {0};
    assert_int_equal(ferry_inspect_start(address, FERRY_INSPECT_OPTIONS(.token = token), &err), -1);
    assert_int_not_equal(err.code, 0);
    if (strstr(err.message, part) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", err.message, part);
    assert_null(ferry_inspect_url());
}

static void addresses_that_will_not_do(void **state)
{
    ferry_error err = {0};
    (void)state;
    refuses("0.0.0.0:0", NULL, "only with a token");
    refuses("[::]:0", NULL, "only with a token");
    refuses("[::ffff:127.0.0.1]:0", NULL, "only with a token");
    refuses("128.0.0.1:0", NULL, "only with a token");
    refuses("example.org:80", NULL, "no address");
    refuses("127.0.0.1.example.org:80", NULL, "no address");
    refuses("localhost.example.org:80", NULL, "no address");
    refuses("127.1:80", NULL, "no address");
    refuses("[::1:80", NULL, "no address");
    refuses("[]:80", NULL, "no address");
    refuses(":80", NULL, "no address");
    refuses("127.0.0.1:-1", NULL, "no address");
    refuses("127.0.0.1: 80", NULL, "no address");
    refuses("127.0.0.1:80/", NULL, "no address");
    refuses("127.0.0.1", NULL, "no address");
    refuses("127.0.0.1:65536", NULL, "no address");
    refuses("127.0.0.1:0", "short", "a token has");
    refuses("127.0.0.1:0", "\"><script>alert(1)", "a token has");
    refuses("unix:", NULL, "1 to");
    refuses("unix:/nowhere/at/all", NULL, "No such file");
    start("127.0.0.1:0", NULL);
    assert_int_equal(ferry_inspect_start("127.0.0.1:0", NULL, &err), -1);
    assert_non_null(strstr(err.message, "serves already"));
}

/* ---- The socket ---- */

static void on_a_unix_socket(void **state)
{
    char folder[TEMP_DIR_SIZE], path[TEMP_DIR_SIZE + 8], address[TEMP_DIR_SIZE + 16];
    struct stat status;
    ferry_error err = {0};
    (void)state;
    assert_true(temp_dir_make(folder));
    snprintf(path, sizeof path, "%s/s", folder);
    snprintf(address, sizeof address, "unix:%s", path);
    start(address, NULL);
    assert_string_equal(ferry_inspect_url(), address);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);

    ferry_transport *transport = ferry_transport_new(FERRY_TRANSPORT_OPTIONS(.unix_socket = path));
    ferry_client *client = ferry_client_new(FERRY_CLIENT_OPTIONS(.transport = transport));
    ferry_request *req = ferry_request_new("GET", "http://localhost/tasks", &err);
    ferry_response *res = ferry_client_do(client, req, &err);
    if (res == NULL)
        fail_msg("%s", err.message);
    assert_int_equal(ferry_response_status(res), 200);
    ferry_response_close(res);
    ferry_request_free(req);
    ferry_client_free(client);
    ferry_transport_free(transport);

    ferry_inspect_stop();
    assert_int_equal(stat(path, &status), -1);
    assert_true(temp_file_write(path, "not a socket", 12));
    refuses(address, NULL, "in use");
    temp_dir_remove(folder);
}

/* What a program that was killed has left is replaced; what another one has put there meanwhile is
 * not removed. */
static void a_dead_socket_is_replaced(void **state)
{
    char folder[TEMP_DIR_SIZE], address[TEMP_DIR_SIZE + 16];
    struct sockaddr_un place = {.sun_family = AF_UNIX};
    struct stat status;
    (void)state;
    assert_true(temp_dir_make(folder));
    snprintf(place.sun_path, sizeof place.sun_path, "%s/s", folder);
    snprintf(address, sizeof address, "unix:%s", place.sun_path);
    int dead = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(dead, (struct sockaddr *)&place, sizeof place), 0);
    close(dead);
    start(address, NULL);

    assert_int_equal(unlink(place.sun_path), 0);
    int other = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(other, (struct sockaddr *)&place, sizeof place), 0);
    assert_int_equal(listen(other, 1), 0);
    ferry_inspect_stop();
    assert_int_equal(stat(place.sun_path, &status), 0);
    refuses(address, NULL, "in use"); /* it is alive */
    close(other);
    temp_dir_remove(folder);
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
    start("127.0.0.1:0", NULL);
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
    start("127.0.0.1:0", NULL);
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
    start("127.0.0.1:0", NULL);
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

/* TSan does not let a child of several threads have threads of its own. */
#if defined(__SANITIZE_THREAD__)
#define CHILD_HAS_THREADS 0
#elif defined(__has_feature)
#define CHILD_HAS_THREADS !__has_feature(thread_sanitizer)
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
    start("127.0.0.1:0", NULL);
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
    start("127.0.0.1:0", NULL);
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
        start(i % 2 == 0 ? "127.0.0.1:0" : "[::1]:0", NULL);
        expect("GET", "/responses", NULL, NULL, 200);
        ferry_inspect_stop();
        ferry_inspect_stop();
        assert_null(ferry_inspect_url());
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_leak_is_shown, stop),
        cmocka_unit_test_teardown(metrics_are_prometheus_text, stop),
        cmocka_unit_test_teardown(the_page_loads_nothing_from_elsewhere, stop),
        cmocka_unit_test_teardown(nothing_can_be_changed, stop),
        cmocka_unit_test_teardown(other_names_are_refused, stop),
        cmocka_unit_test_teardown(names_of_an_ipv6_address, stop),
        cmocka_unit_test_teardown(other_sites_are_refused, stop),
        cmocka_unit_test_teardown(a_token_is_asked_for, stop),
        cmocka_unit_test_teardown(with_a_token_at_any_address, stop),
        cmocka_unit_test_teardown(addresses_that_will_not_do, stop),
        cmocka_unit_test_teardown(on_a_unix_socket, stop),
        cmocka_unit_test_teardown(a_dead_socket_is_replaced, stop),
        cmocka_unit_test_teardown(events_come_until_the_end, stop),
        cmocka_unit_test_teardown(watchers_are_limited, stop),
        cmocka_unit_test_teardown(a_slow_watcher_holds_up_nobody, stop),
        cmocka_unit_test_teardown(a_child_starts_clean, stop),
        cmocka_unit_test_teardown(threads_may_be_looked_at, stop),
        cmocka_unit_test_teardown(again_and_again, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
