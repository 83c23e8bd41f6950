/*
 * Memory runs out on the way through a proxy: at each allocation in turn, once only or from then on
 * for good. Each time the outcome is the right response or FERRY_ENOMEM, and nothing is left
 * behind.
 */
#include "oom.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "failing_alloc.h"
#include "origin.h"

#define HELLO "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
#define DIGEST_407                                                                              \
    "HTTP/1.1 407 Who\r\nProxy-Authenticate: Digest realm=\"x\", nonce=\"n\", qop=\"auth\"\r\n" \
    "Content-Length: 0\r\n\r\n"

/* -------------------------------------------------- proxies, which are their targets themselves */

/* In absolute form, and after whatever else: anybody is welcome who brings credentials. */
static void serve_requests(struct origin_conn *conn, void *arg)
{
    (void)arg;
    while (origin_read_request(conn)) {
        bool tunnel = strncmp(origin_conn_request(conn).head, "CONNECT ", 8) == 0;
        bool known = strstr(origin_conn_request(conn).head, "Proxy-Authorization: ") != NULL;
        if (tunnel && known) {
            origin_send_text(conn, "HTTP/1.1 200 OK\r\nVia: 1.1 proxy\r\n\r\n");
            while (origin_read_request(conn)) {
                origin_send_text(conn, HELLO);
            }
        } else {
            origin_send_text(conn, known ? HELLO : DIGEST_407);
        }
    }
}

static void serve_socks(struct origin_conn *conn, void *arg)
{
    char bytes[4 + 11];
    (void)arg;
    if (origin_read_exact(conn, bytes, 4) && origin_send(conn, "\5\2", 2) &&
        origin_read_exact(conn, bytes, 5) && origin_send(conn, "\1\0", 2) &&
        origin_read_exact(conn, bytes, sizeof bytes - 5) &&
        origin_send(conn, "\5\0\0\1\0\0\0\0\0\0", 10)) {
        while (origin_read_request(conn)) {
            origin_send_text(conn, HELLO);
        }
    }
}

/* ------------------------------------------------------------------------------------- the loop */

struct scenario {
    char proxy[64]; /* the scheme, and the origin's host */
    const char *scheme;
    void (*serve)(struct origin_conn *conn, void *arg);
    bool tunnel, digest, by_function;
};

/* Twice, so that what was kept is used as well. */
static ferry_error get_twice(ferry_client *client)
{
    ferry_error err = {0};
    ferry_request *req = ferry_request_new("GET", "http://1.2.3.4/", &err);
    for (int i = 0; req != NULL && i < 2 && err.code == FERRY_OK; i++) {
        size_t len;
        ferry_response *res = ferry_client_do(client, req, &err);
        char *body = res != NULL ? ferry_response_read_all(res, 100, &len, &err) : NULL;
        if (body != NULL && strcmp(body, "hello") != 0) {
            err = (ferry_error){.code = FERRY_EPROTOCOL, .message = "not what was sent"};
        }
        free(body);
        ferry_response_close(res);
    }
    ferry_request_free(req);
    return err;
}

static int choose(void *arg, const char *url, const char **proxy, ferry_error *err)
{
    (void)url;
    (void)err;
    *proxy = arg;
    return 0;
}

static ferry_error run_scenario(const void *arg)
{
    static const ferry_field fields[] = {{"X-Trace", "1"}, {"X-Other", "2"}};
    const struct scenario *scenario = arg;
    ferry_transport *transport = ferry_transport_new(
        FERRY_TRANSPORT_OPTIONS(.proxy = scenario->by_function ? NULL : scenario->proxy,
                                .proxy_fn = scenario->by_function ? choose : NULL,
                                .proxy_arg = (void *)scenario->proxy, .no_proxy = "example.org",
                                .proxy_fields = fields, .proxy_field_count = 2,
                                .proxy_tunnel = scenario->tunnel,
                                .proxy_digest = scenario->digest));
    ferry_client *client =
        transport != NULL ? ferry_client_new(FERRY_CLIENT_OPTIONS(.transport = transport)) : NULL;
    ferry_error outcome = client != NULL ? get_twice(client) : oom_error("client");
    ferry_client_free(client);
    ferry_transport_free(transport);
    return outcome;
}

/* The first time through fills what is kept on purpose; the second must not add a thing to it. */
static void run_out(struct scenario *scenario)
{
    const struct oom_trial trial = {
        .run = run_scenario, .arg = scenario, .hashes = scenario->digest};
    struct held before = held_now();
    long count = 0;
    long living = 0;
    watch_for_hang(scaled(50, 250));
    struct origin *origin = origin_start(&(struct origin_script){.serve = scenario->serve});
    assert_non_null(origin);
    snprintf(scenario->proxy, sizeof scenario->proxy, "%s%s", scenario->scheme,
             origin_host(origin));
    for (int time = 0; time < 2; time++) {
        living = alloc_living();
        count = oom_try_all(&trial, 1, false);
        oom_try_all(&trial, 1, true);
    }
    assert_in_range(count, 20, OOM_MOST);
    assert_int_equal(alloc_living(), living);
    assert_true(origin_await_open(origin, 0, 10000));
    assert_true(origin_stop(origin));
    watch_for_hang(0);
    assert_given_back(before);
}

static void test_absolute_form(void **state)
{
    (void)state;
    run_out(&(struct scenario){.scheme = "u:p@", .serve = serve_requests});
}

static void test_absolute_form_with_digest(void **state)
{
    (void)state;
    run_out(&(struct scenario){
        .scheme = "u:p@", .serve = serve_requests, .digest = true, .by_function = true});
}

static void test_tunnel(void **state)
{
    (void)state;
    run_out(&(struct scenario){.scheme = "http://u:p@", .serve = serve_requests, .tunnel = true});
}

static void test_tunnel_with_digest(void **state)
{
    (void)state;
    run_out(&(struct scenario){
        .scheme = "http://u:p@", .serve = serve_requests, .tunnel = true, .digest = true});
}

static void test_socks(void **state)
{
    (void)state;
    run_out(&(struct scenario){.scheme = "socks5://u:p@", .serve = serve_socks});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_absolute_form), cmocka_unit_test(test_absolute_form_with_digest),
        cmocka_unit_test(test_tunnel),        cmocka_unit_test(test_tunnel_with_digest),
        cmocka_unit_test(test_socks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
