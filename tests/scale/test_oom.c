/*
 * Memory runs out: at the first allocation of a program's first request, then at the second, and so on to
 * the last, once only or from then on for good. Each time the outcome is the right response or
 * FERRY_ENOMEM, nothing crashes or hangs, and nothing is left behind.
 */
#include "oom.h"

#include <ares.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "dns_server.h"
#include "failing_alloc.h"
#include "http/decode.h"
#include "net/lookup.h"
#include "origin.h"

static struct origin *origin;

/* "hello", in the coding that the path names. */
static const struct encoded {
    const char *path, *coding, *bytes;
    size_t len;
} encoded[] = {
    {"/gzip", "gzip",
     BYTES(
         "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff\xcb\x48\xcd\xc9\xc9\x07\x00\x86\xa6\x10\x36\x05"
         "\x00\x00\x00")},
    {"/deflate", "deflate", BYTES("\x78\x9c\xcb\x48\xcd\xc9\xc9\x07\x00\x06\x2c\x02\x15")},
    {"/br", "br", BYTES("\x0b\x02\x80hello\x03")},
    {"/zstd", "zstd", BYTES("\x28\xb5\x2f\xfd\x20\x05\x29\x00\x00hello")},
    {"/both", "br, gzip",
     BYTES(
         "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff\xe3\x66\x6a\xc8\x48\xcd\xc9\xc9\x67\x06\x00\xdb"
         "\x4e\x4b\x50\x09\x00\x00\x00")},
};
#define ENCODED (sizeof encoded / sizeof encoded[0])

static bool serve_encoded(struct origin_conn *conn, const char *head)
{
    for (size_t i = 0; i < ENCODED; i++) {
        if (strncmp(head + 4, encoded[i].path, strlen(encoded[i].path)) == 0) {
            origin_sendf(conn,
                         "HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nContent-Length: %zu\r\n\r\n",
                         encoded[i].coding, encoded[i].len);
            return origin_send(conn, encoded[i].bytes, encoded[i].len);
        }
    }
    return false;
}

static void serve(struct origin_conn *conn, void *arg)
{
    (void)arg;
    while (origin_read_request(conn)) {
        const char *head = origin_conn_request(conn).head;
        if (serve_encoded(conn, head)) {
            continue;
        }
        if (strncmp(head, "GET /events ", 12) == 0) {
            if (strstr(head, "Last-Event-ID: 7\r\n") != NULL) {
                origin_send_text(conn, "HTTP/1.1 204 No Content\r\n\r\n");
                continue;
            }
            origin_send_text(conn, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                                   "Content-Length: 28\r\n\r\nretry: 0\nid: 7\ndata: hello\n\n");
            continue;
        }
        if (strncmp(origin_conn_request(conn).head, "POST ", 5) == 0) {
            origin_send_text(conn, "HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n"
                                   "Trailer: Sum, Absent\r\n\r\n"
                                   "5\r\nhello\r\n0\r\nSum: 42\r\nX-Other: value\r\n\r\n");
        } else {
            origin_send_text(conn, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: 1\r\n"
                                   "X-B: 2\r\n\r\nhello");
        }
    }
}

/* ------------------------------------------------------------------------------- what is attempted */

/* The outcome of a scenario: a code, with the sentence. */
typedef ferry_error (*scenario)(ferry_client *client);

/* Sends the request; the response's body must be "hello". */
static ferry_error send_and_read(ferry_client *client, ferry_request *req)
{
    ferry_error err = {0};
    size_t len;
    ferry_response *res = ferry_client_do(client, req, &err);
    if (res == NULL) {
        return err;
    }
    char *body = ferry_response_read_all(res, 1000, &len, &err);
    if (body != NULL && (len != 5 || strcmp(body, "hello") != 0)) {
        err = oom_wrong("the body is not what was sent");
    }
    char more;
    if (body == NULL && ferry_response_read(res, &more, 1, NULL) == 0) {
        err = oom_wrong("a body that could not be read has a clean end");
    }
    free(body);
    ferry_response_close(res);
    return err;
}

/* On the origin. (Its own origin_url allocates, and has no way out when it cannot.) */
static ferry_request *request(const char *method, const char *host, const char *path,
                              ferry_error *err)
{
    char url[64];
    snprintf(url, sizeof url, "http://%s:%d%s", host, origin_port(origin), path);
    return ferry_request_new(method, url, err);
}

static ferry_error get(ferry_client *client)
{
    ferry_error err = {0};
    ferry_request *req = request("GET", "127.0.0.1", "/a b", &err);
    if (req != NULL) {
        ferry_request_set_header(req, "Accept", "text/plain");
        ferry_request_add_header(req, "Accept", "text/html");
        err = send_and_read(client, req);
    }
    ferry_request_free(req);
    return err;
}

/* By a name that has two addresses. */
static ferry_error get_localhost(ferry_client *client)
{
    ferry_error err = {0};
    ferry_request *req = request("GET", "localhost", "/", &err);
    if (req != NULL) {
        err = send_and_read(client, req);
    }
    ferry_request_free(req);
    return err;
}

/* By a name that a name server must be asked for. */
static ferry_error get_by_name(ferry_client *client)
{
    ferry_error err = {0};
    ferry_request *req = request("GET", "four.test", "/", &err);
    if (req != NULL) {
        err = send_and_read(client, req);
    }
    ferry_request_free(req);
    return err;
}

struct pieces {
    ferry_request *req; /* gets a trailer at the end; NULL: does not */
    int left;
};

static ssize_t read_piece(void *arg, void *buf, size_t len)
{
    struct pieces *pieces = arg;
    if (pieces->left == 0 || len < 6) {
        if (pieces->req != NULL) {
            ferry_request_set_trailer(pieces->req, "Sum", "42");
        }
        return 0;
    }
    pieces->left--;
    memcpy(buf, "piece;", 6);
    return 6;
}

/* A body from a function, chunked both ways and with trailers, with a context and a deadline. */
static ferry_error post_from_reader(ferry_client *client)
{
    struct pieces pieces = {.left = 3};
    ferry_error err = {0};
    ferry_context *context = ferry_context_new(60000);
    ferry_request *req = request("POST", "127.0.0.1", "/", &err);
    if (context == NULL) {
        err = oom_error("context");
    } else if (req != NULL) {
        pieces.req = req;
        ferry_request_set_body_reader(req, read_piece, NULL, &pieces, -1);
        ferry_request_set_trailer(req, "Sum", NULL);
        ferry_request_set_trailer(req, "X-Other", "known before");
        ferry_request_set_context(req, context);
        ferry_request_set_timeout(req, 60000);
        err = send_and_read(client, req);
    }
    ferry_request_free(req);
    ferry_context_free(context);
    return err;
}

/* Every coding of this build. */
static ferry_error get_decoded(ferry_client *client)
{
    ferry_error err = {0};
    const char *names = fy_coding_names();
    for (size_t i = 0; i < ENCODED && err.code == 0 && names != NULL; i++) {
        const char *coding = encoded[i].coding;
        if (strstr(names, strchr(coding, ',') != NULL ? "gzip, deflate, br" : coding) == NULL) {
            continue;
        }
        ferry_request *req = request("GET", "127.0.0.1", encoded[i].path, &err);
        if (req != NULL) {
            err = send_and_read(client, req);
        }
        ferry_request_free(req);
    }
    return err;
}

/* Fields, then a form with all kinds of parts but a file. */
static ferry_error post_forms(ferry_client *client)
{
    static const ferry_field fields[] = {{"a", "b c"}, {"d", ""}};
    struct pieces pieces = {.left = 3};
    ferry_error err = {0};
    ferry_form *form = ferry_form_new(&err);
    ferry_request *req = form != NULL ? request("POST", "127.0.0.1", "/", &err) : NULL;
    if (req != NULL) {
        ferry_request_set_urlencoded(req, fields, 2);
        err = send_and_read(client, req);
        if (err.code == 0 && ferry_form_add_text(form, "a", "b", &err) == 0 &&
            ferry_form_add_data(form, "c", "d", 1, "name", "text/plain", &err) == 0 &&
            ferry_form_add_reader(form, "e", read_piece, NULL, &pieces, 18, NULL, NULL, &err) ==
                0) {
            ferry_request_set_form(req, form);
            err = send_and_read(client, req);
        }
    }
    ferry_request_free(req);
    ferry_form_free(form);
    return err;
}

/* One event, and a second connection that says that this was all. */
static ferry_error read_events(ferry_client *client)
{
    ferry_error err = {0};
    ferry_event event;
    ferry_event_stream *stream = NULL;
    ferry_request *req = request("GET", "127.0.0.1", "/events", &err);
    if (req != NULL) {
        ferry_request_set_header(req, "Last-Event-ID", "6");
        stream = ferry_event_stream_open(client, req, 1, &err);
    }
    if (stream != NULL && ferry_event_stream_next(stream, &event, &err) == 1) {
        if (strcmp(event.data, "hello") != 0 || strcmp(event.id, "7") != 0) {
            err = oom_wrong("the event is not what was sent");
        } else if (ferry_event_stream_next(stream, &event, &err) == 1) {
            err = oom_wrong("one event too many");
        }
    }
    ferry_event_stream_free(stream);
    ferry_request_free(req);
    return err;
}

/* An early close, then the connection again. */
static ferry_error close_early_and_again(ferry_client *client)
{
    ferry_error err = {0};
    ferry_request *req = request("GET", "127.0.0.1", "/", &err);
    if (req == NULL) {
        return err;
    }
    ferry_response *res = ferry_client_do(client, req, &err);
    ferry_response_close(res);
    if (res != NULL) {
        err = send_and_read(client, req);
    }
    ferry_request_free(req);
    return err;
}

struct in_task {
    ferry_client *client;
    ferry_error err;
};

static void get_in_task(void *arg)
{
    struct in_task *task = arg;
    task->err = get(task->client);
}

/* Two at once; either may be out of memory while the other is not. */
static ferry_error get_in_tasks(ferry_client *client)
{
    struct in_task tasks[2] = {{.client = client}, {.client = client}};
    ferry_group *group = ferry_group_new();
    if (group == NULL) {
        return oom_error("group");
    }
    for (int i = 0; i < 2; i++) {
        if (ferry_group_go(group, get_in_task, &tasks[i]) != 0) {
            tasks[i].err = errno == ENOMEM ? oom_error("task") : oom_wrong("errno of a task");
        }
    }
    ferry_group_wait(group);
    ferry_group_free(group);
    return tasks[0].err.code != FERRY_OK && tasks[0].err.code != FERRY_ENOMEM ? tasks[0].err
                                                                              : tasks[1].err;
}

/* ------------------------------------------------------------------------------------- the loop */

static scenario attempted;

static ferry_error attempt(ferry_transport *transport)
{
    ferry_client *client = ferry_client_new(FERRY_CLIENT_OPTIONS(.transport = transport));
    ferry_error outcome = client != NULL ? attempted(client) : oom_error("client");
    ferry_client_free(client);
    return outcome;
}

static void run_out(scenario run, bool for_good_too)
{
    attempted = run;
    oom_run(serve, &origin, &(struct oom_sweep){.run = attempt, .for_good_too = for_good_too});
}

/* c-ares with the fix of CVE-2025-62408 (1.34.6; distributions have it in their 1.34.5) forgets an
 * answer that it has read when it cannot put it on the list of what to call back for: at two
 * allocations for each of the two answers, if they do not come together, and each time the pieces
 * that the answer consists of, which are nine at most. */
static long lost_by_c_ares(void)
{
    int version = 0;
    (void)ares_version(&version);
    return version >= 0x012205 ? (long)2 * 2 * 9 : 0;
}

static void test_get(void **state)
{
    (void)state;
    run_out(get, true);
}

static void test_get_localhost(void **state)
{
    (void)state;
    run_out(get_localhost, true);
}

static void test_get_by_name(void **state)
{
    struct dns_server server;
    (void)state;
    dns_server_start(&server);
    /* An answer that c-ares has no memory to read is one that it asks for again, later. */
    fy_lookup_ask(server.address, 50, 4);
    attempted = get_by_name;
    oom_run(serve, &origin, &(struct oom_sweep){.run = attempt, .lost = lost_by_c_ares()});
    assert_true(atomic_load(&server.questions) > 0);
    fy_lookup_ask(NULL, 0, 0);
    dns_server_stop(&server);
}

static void test_post_from_reader(void **state)
{
    (void)state;
    run_out(post_from_reader, true);
}

static void test_get_decoded(void **state)
{
    (void)state;
    run_out(get_decoded, true);
}

static void test_post_forms(void **state)
{
    (void)state;
    run_out(post_forms, true);
}

static void test_read_events(void **state)
{
    (void)state;
    run_out(read_events, true);
}

static void test_close_early_and_again(void **state)
{
    (void)state;
    run_out(close_early_and_again, true);
}

static void test_get_in_tasks(void **state)
{
    (void)state;
    run_out(get_in_tasks, true);
}

/* The first to ask for it, without memory, does not spoil it for the others. */
static void test_default_client(void **state)
{
    (void)state;
    alloc_fail_at(1, true);
    assert_null(ferry_default_client());
    alloc_fail_none();
    assert_non_null(ferry_default_client());
    assert_ptr_equal(ferry_default_transport(), ferry_default_transport());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_default_client),
        cmocka_unit_test(test_get),
        cmocka_unit_test(test_get_localhost),
        cmocka_unit_test(test_get_by_name),
        cmocka_unit_test(test_post_from_reader),
        cmocka_unit_test(test_get_decoded),
        cmocka_unit_test(test_post_forms),
        cmocka_unit_test(test_read_events),
        cmocka_unit_test(test_close_early_and_again),
        cmocka_unit_test(test_get_in_tasks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
