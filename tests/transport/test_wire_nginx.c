/*
 * Against a real server: nginx over TCP and over its Unix socket.
 */
#include "wire_test.h"

#include <stdio.h>
#include <stdlib.h>

#include "nginx.h"

#define MIB ((uint64_t)1 << 20)

static struct nginx *start(const struct nginx_options *options)
{
    char why[NGINX_WHY_SIZE];
    struct nginx *nginx = nginx_start(options, why);
    if (nginx == NULL) {
        fail_msg("%s", why);
    }
    return nginx;
}

/* Reads a body to its end; how many bytes of the pattern there were. */
static uint64_t read_pattern(ferry_response *res, uint64_t from)
{
    char buf[20000];
    uint64_t total = 0;
    ssize_t got;
    ferry_error err = {0};
    while ((got = ferry_response_read(res, buf, sizeof buf, &err)) > 0) {
        assert_int_equal(pattern_match(buf, (size_t)got, from + total), got);
        total += (uint64_t)got;
    }
    assert_string_equal(err.message, "");
    return total;
}

static ferry_response *send_to(ferry_transport *transport, ferry_request *req)
{
    ferry_error err = {0};
    ferry_response *res = ferry_transport_round_trip(transport, req, &err);
    if (res == NULL) {
        fail_msg("%s", err.message);
    }
    return res;
}

static void test_files_whole_and_in_part(void **state)
{
    struct nginx *nginx = start(NULL);
    ferry_transport *transport = transport_with(state, NULL);
    assert_true(nginx_write_file(nginx, "small.txt", BYTES("small\n")));
    assert_true(nginx_write_file(nginx, "empty", BYTES("")));
    assert_true(nginx_write_pattern(nginx, "big", 10 * MIB));
    assert_got(get(transport, nginx_url(nginx, "/small.txt")), 200, "small\n");
    assert_got(get(transport, nginx_url(nginx, "/empty")), 200, "");
    ferry_response *res = open_get(transport, nginx_url(nginx, "/big"));
    assert_int_equal(ferry_response_length(res), 10 * MIB);
    assert_int_equal(read_pattern(res, 0), 10 * MIB);
    ferry_response_close(res);

    ferry_request *req = request("HEAD", nginx_url(nginx, "/big"));
    res = send_to(transport, req);
    assert_int_equal(ferry_response_length(res), 10 * MIB);
    assert_int_equal(read_pattern(res, 0), 0);
    ferry_response_close(res);
    ferry_request_free(req);

    req = request("GET", nginx_url(nginx, "/big"));
    assert_int_equal(ferry_request_set_header(req, "Range", "bytes=1000-3999"), 0);
    res = send_to(transport, req);
    assert_int_equal(ferry_response_status(res), 206);
    assert_string_equal(ferry_response_header(res, "Content-Range"), "bytes 1000-3999/10485760");
    assert_int_equal(ferry_response_length(res), 3000);
    assert_int_equal(read_pattern(res, 1000), 3000);
    char *etag = strdup(ferry_response_header(res, "ETag"));
    ferry_response_close(res);
    ferry_request_free(req);

    req = request("GET", nginx_url(nginx, "/big"));
    assert_int_equal(ferry_request_set_header(req, "If-None-Match", etag), 0);
    assert_got(send_and_read(transport, req), 304, "");
    ferry_request_free(req);
    free(etag);
    assert_int_equal(get(transport, nginx_url(nginx, "/missing")).status, 404);

    assert_int_equal(stats_of(transport).dials, 1); /* all of it on one connection */
    assert_true(nginx_await_requests(nginx, 7, SOON_MS));
    assert_int_equal(nginx_counts(nginx).connections, 1);
    nginx_stop(nginx);
}

/* What passes a filter has no length known beforehand. */
static void test_chunked_download(void **state)
{
    struct nginx *nginx = start(&(struct nginx_options){
        .server = "location / { add_after_body /tail; }\nlocation = /tail { return 200 ''; }"});
    ferry_transport *transport = transport_with(state, NULL);
    assert_true(nginx_write_pattern(nginx, "big.html", 10 * MIB));
    ferry_response *res = open_get(transport, nginx_url(nginx, "/big.html"));
    assert_int_equal(ferry_response_length(res), -1);
    assert_string_equal(ferry_response_header(res, "Transfer-Encoding"), "chunked");
    assert_int_equal(read_pattern(res, 0), 10 * MIB);
    ferry_response_close(res);
    assert_int_equal(stats_of(transport).idle, 1);
    nginx_stop(nginx);
}

#define DAV                                                             \
    "location /dav/ { dav_methods PUT DELETE; create_full_put_path on;" \
    " client_max_body_size 4m; }\nlocation /small/ { client_max_body_size 1k; }"

static void test_put_and_delete(void **state)
{
    char why[NGINX_WHY_SIZE];
    struct nginx *nginx = nginx_start(&(struct nginx_options){.server = DAV}, why);
    if (nginx == NULL) {
        skip(); /* an nginx without the dav module */
    }
    ferry_transport *transport = transport_with(state, NULL);
    char *bytes = malloc(3 * MIB);
    assert_non_null(bytes);
    pattern_fill(bytes, 3 * MIB, 0);
    ferry_request *req = request("PUT", nginx_url(nginx, "/dav/file"));
    assert_int_equal(ferry_request_set_body(req, bytes, 3 * MIB), 0);
    assert_int_equal(send_and_read(transport, req).status, 201);
    ferry_response *res = open_get(transport, nginx_url(nginx, "/dav/file"));
    assert_int_equal(read_pattern(res, 0), 3 * MIB);
    ferry_response_close(res);
    assert_int_equal(ferry_request_set_header(req, "Expect", "100-continue"), 0);
    assert_int_equal(send_and_read(transport, req).status, 204); /* it asks for the body */
    ferry_request_free(req);
    req = request("DELETE", nginx_url(nginx, "/dav/file"));
    assert_int_equal(send_and_read(transport, req).status, 204);
    ferry_request_free(req);
    assert_int_equal(get(transport, nginx_url(nginx, "/dav/file")).status, 404);
    assert_int_equal(stats_of(transport).dials, 1);
    free(bytes);
    nginx_stop(nginx);
}

static void test_body_too_large(void **state)
{
    struct nginx *nginx =
        start(&(struct nginx_options){.server = "location / { client_max_body_size 1k; }"});
    ferry_transport *transport = transport_with(state, NULL);
    char *bytes = calloc(1, 2 * MIB);
    ferry_request *req = request("POST", nginx_url(nginx, "/"));
    assert_int_equal(ferry_request_set_body(req, bytes, 2 * MIB), 0);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(send_and_read(transport, req).status, 413);
    }
    assert_int_equal(ferry_request_set_header(req, "Expect", "100-continue"), 0);
    assert_int_equal(send_and_read(transport, req).status, 413);
    ferry_request_free(req);
    free(bytes);
    nginx_stop(nginx);
}

static void test_server_closes_idle_connections(void **state)
{
    struct nginx *nginx = start(&(struct nginx_options){.keepalive_timeout = "100ms"});
    ferry_transport *transport = transport_with(state, NULL);
    assert_true(nginx_write_file(nginx, "a", BYTES("a")));
    assert_got(get(transport, nginx_url(nginx, "/a")), 200, "a");
    assert_int_equal(stats_of(transport).idle, 1);
    assert_eventually(stats_of(transport).connections == 0); /* noticed, though nobody asked */
    assert_eventually(ferry_num_tasks() == 1);
    assert_got(get(transport, nginx_url(nginx, "/a")), 200, "a");
    assert_int_equal(stats_of(transport).retries, 0);
    nginx_stop(nginx);
}

static void test_unix_socket(void **state)
{
    struct nginx *nginx = start(NULL);
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.unix_socket = nginx_socket_path(nginx)));
    assert_true(nginx_write_pattern(nginx, "big", MIB));
    for (int i = 0; i < 3; i++) {
        ferry_response *res = open_get(transport, "http://localhost/big");
        assert_int_equal(read_pattern(res, 0), MIB);
        ferry_response_close(res);
    }
    assert_int_equal(stats_of(transport).dials, 1);
    nginx_stop(nginx);
}

/* ------------------------------------------------------------------------------- many at once */

enum { TASKS = 500, REQUESTS = 20, MOST_CONNECTIONS = 50 };

struct crowd {
    ferry_transport *transport;
    const char *url;
    int answered;
    struct wire_findings findings;
};

static void ask_often(void *arg)
{
    struct crowd *crowd = arg;
    for (int i = 0; i < REQUESTS; i++) {
        struct outcome outcome = get(crowd->transport, crowd->url);
        if (outcome.status != 200 || strcmp(outcome.body, "hello") != 0) {
            wire_find(&crowd->findings, "status %d: %s", outcome.status, outcome.err.message);
        }
        crowd->answered++;
    }
}

static void test_many_tasks(void **state)
{
    struct nginx *nginx = start(NULL);
    struct crowd crowd = {
        .transport =
            transport_with(state, FERRY_TRANSPORT_OPTIONS(.max_per_host = MOST_CONNECTIONS)),
        .url = nginx_url(nginx, "/hello"),
    };
    assert_true(nginx_write_file(nginx, "hello", BYTES("hello")));
    ferry_group *group = ferry_group_new();
    for (int i = 0; i < TASKS; i++) {
        assert_int_equal(ferry_group_go(group, ask_often, &crowd), 0);
    }
    ferry_group_wait(group);
    ferry_group_free(group);
    wire_assert_none(&crowd.findings);
    assert_int_equal(crowd.answered, TASKS * REQUESTS);
    assert_in_range(stats_of(crowd.transport).dials, 1, MOST_CONNECTIONS);
    assert_int_equal(stats_of(crowd.transport).errors, 0);
    assert_true(nginx_await_requests(nginx, TASKS * REQUESTS, SOON_MS));
    assert_in_range(nginx_counts(nginx).connections, 1, MOST_CONNECTIONS);
    nginx_stop(nginx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRANSPORT_TEST(test_files_whole_and_in_part),
        TRANSPORT_TEST(test_chunked_download),
        TRANSPORT_TEST(test_put_and_delete),
        TRANSPORT_TEST(test_body_too_large),
        TRANSPORT_TEST(test_server_closes_idle_connections),
        TRANSPORT_TEST(test_unix_socket),
        TRANSPORT_TEST(test_many_tasks),
    };
    return cmocka_run_group_tests_name("wire: nginx", tests, NULL, NULL);
}
