/*
 * Requests in absolute form, to a proxy whose every byte the test states: what it is told and what
 * it is not, what its connections are shared for, and who chooses it.
 */
#include "transport_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define OK_REPLY "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

/* "http://u:p@127.0.0.1:port", in one of eight places. */
static const char *proxy_url(const struct origin *origin, const char *before)
{
    static char urls[8][128];
    static unsigned next;
    char *url = urls[next++ % 8];
    snprintf(url, sizeof urls[0], "%s%s", before, origin_host(origin));
    return url;
}

static ferry_transport *through(void **state, const struct origin *proxy)
{
    return transport_with(state, FERRY_TRANSPORT_OPTIONS(.proxy = proxy_url(proxy, "http://")));
}

static void set(ferry_request *req, const char *name, const char *value)
{
    assert_int_equal(ferry_request_set_header(req, name, value), 0);
}

static struct outcome send_once(ferry_transport *transport, ferry_request *req)
{
    struct outcome outcome = send_and_read(transport, req);
    ferry_request_free(req);
    return outcome;
}

static void assert_head(const struct origin *origin, size_t i, const char *head)
{
    assert_string_equal(origin_request(origin, i).head, head);
}

/* ----------------------------------------------------------------------- what the proxy is told */

static void test_RW_001_absolute_form_on_the_wire(void **state)
{
    struct origin *proxy = serve_reply(state, OK_REPLY);
    ferry_transport *transport = through(state, proxy);
    ferry_request *req = request("GET", "http://example.org:8080/a?b#c");
    set(req, "Accept-Encoding", "identity");
    assert_got(send_once(transport, req), 200, "ok");
    assert_head(proxy, 0,
                "GET http://example.org:8080/a?b HTTP/1.1\r\n"
                "Host: example.org:8080\r\n"
                "User-Agent: ferry/" FERRY_VERSION "\r\n"
                "Accept-Encoding: identity\r\n\r\n");
    req = request("HEAD", "http://example.org/");
    set(req, "User-Agent", NULL);
    assert_got(send_once(transport, req), 200, "");
    assert_head(proxy, 1, "HEAD http://example.org/ HTTP/1.1\r\nHost: example.org\r\n\r\n");
}

static void test_credentials_go_to_the_proxy(void **state)
{
    struct origin *proxy = serve_reply(state, OK_REPLY);
    const ferry_field fields[] = {{"X-Trace", "7"}, {"Accept", "*/*"}};
    ferry_transport *transport = transport_with(
        state, FERRY_TRANSPORT_OPTIONS(.proxy = proxy_url(proxy, "bob:s%3acret@"),
                                       .proxy_fields = fields, .proxy_field_count = 2));
    ferry_request *req = request("HEAD", "http://u:p@example.org/");
    set(req, "User-Agent", NULL);
    set(req, "Accept", "text/html");
    assert_got(send_once(transport, req), 200, "");
    assert_head(proxy, 0,
                "HEAD http://example.org/ HTTP/1.1\r\n"
                "Host: example.org\r\n"
                "Authorization: Basic dTpw\r\n"
                "Accept: text/html\r\n"
                "Proxy-Authorization: Basic Ym9iOnM6Y3JldA==\r\n"
                "X-Trace: 7\r\n\r\n");
    req = request("HEAD", "http://example.org/");
    set(req, "User-Agent", NULL);
    set(req, "Proxy-Authorization", "Bearer mine");
    assert_got(send_once(transport, req), 200, "");
    assert_head(proxy, 1,
                "HEAD http://example.org/ HTTP/1.1\r\n"
                "Host: example.org\r\n"
                "Proxy-Authorization: Bearer mine\r\n"
                "X-Trace: 7\r\n"
                "Accept: */*\r\n\r\n");
}

static void test_a_token_for_the_proxy(void **state)
{
    struct origin *proxy = serve_reply(state, OK_REPLY);
    const ferry_field fields[] = {{"Proxy-Authorization", "Bearer token"}};
    ferry_transport *transport = transport_with(
        state, FERRY_TRANSPORT_OPTIONS(.proxy = proxy_url(proxy, "u:p@"), .proxy_fields = fields,
                                       .proxy_field_count = 1));
    assert_got(get(transport, "http://example.org/"), 200, "ok");
    const char *head = origin_request(proxy, 0).head;
    assert_non_null(strstr(head, "\r\nProxy-Authorization: Bearer token\r\n"));
    assert_null(strstr(head, "Basic"));
}

static void test_nothing_of_it_goes_to_an_origin(void **state)
{
    struct origin *origin = serve_reply(state, OK_REPLY);
    struct origin *proxy = serve_reply(state, OK_REPLY);
    const ferry_field fields[] = {{"X-Trace", "7"}};
    ferry_transport *transport = transport_with(
        state, FERRY_TRANSPORT_OPTIONS(.proxy = proxy_url(proxy, "u:p@"), .proxy_fields = fields,
                                       .proxy_field_count = 1, .no_proxy = "127.0.0.1"));
    ferry_request *req = request("HEAD", origin_url(origin, "/"));
    set(req, "User-Agent", NULL);
    set(req, "Proxy-Authorization", "Bearer mine");
    assert_got(send_once(transport, req), 200, "");
    char head[128];
    snprintf(head, sizeof head, "HEAD / HTTP/1.1\r\nHost: %s\r\n\r\n", origin_host(origin));
    assert_head(origin, 0, head);
    assert_int_equal(origin_counts(proxy).accepted, 0);
}

static void test_fields_that_cannot_be_sent(void **state)
{
    static const ferry_field fields[] = {
        {"X-A", "b\r\nEvil: 1"},
        {"X\r\nEvil", "b"},
        {"X A", "b"},
        {"", "b"},
        {"Host", "evil"},
        {"Connection", "x"},
        {"transfer-encoding", "chunked"},
        {"Content-Length", "3"},
        {NULL, "b"},
    };
    struct origin *proxy = serve_reply(state, OK_REPLY);
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        ferry_transport *transport = ferry_transport_new(
            FERRY_TRANSPORT_OPTIONS(.proxy = proxy_url(proxy, ""), .proxy_fields = fields + i,
                                    .proxy_field_count = 1));
        assert_non_null(transport);
        assert_failed(get(transport, "http://example.org/"), FERRY_EINVAL,
                      "proxy_fields: field 0 cannot be sent");
        ferry_transport_free(transport);
    }
    assert_int_equal(origin_counts(proxy).accepted, 0);
}

/* --------------------------------------------------------------------- what is shared with whom */

static void test_hosts_share_a_proxys_connections(void **state)
{
    struct origin *proxy = serve_with(state, serve_identity, NULL);
    ferry_transport *transport = through(state, proxy);
    assert_got(get(transport, "http://one.example/"), 200, "1");
    assert_got(get(transport, "http://two.example:81/"), 200, "1");
    assert_got(get(transport, origin_url(proxy, "/")), 200, "1"); /* loopback, too */
    assert_int_equal(stats_of(transport).dials, 1);
    assert_int_equal(idle_at(transport, "one.example:80"), 0);
    assert_int_equal(stats_of(transport).idle, 1);
}

struct by_turns {
    const char *const *proxies; /* NULL at the end: from there on the first again */
    int asked;
};

static int take_turns(void *arg, const char *url, const char **proxy, ferry_error *err)
{
    struct by_turns *turns = arg;
    (void)url;
    (void)err;
    *proxy = turns->proxies[turns->asked++];
    return 0;
}

static void test_pooled_by_proxy_and_credentials(void **state)
{
    struct origin *proxy = serve_with(state, serve_identity, NULL);
    const char *const proxies[] = {
        proxy_url(proxy, "http://"),       proxy_url(proxy, "http://bob:a@"),
        proxy_url(proxy, "http://bob:b@"), proxy_url(proxy, "http://bob:a@"),
        proxy_url(proxy, "http://"),       NULL,
    };
    struct by_turns turns = {.proxies = proxies};
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.proxy_fn = take_turns, .proxy_arg = &turns));
    assert_got(get(transport, "http://example.org/"), 200, "1");
    assert_got(get(transport, "http://example.org/"), 200, "2");
    assert_got(get(transport, "http://example.org/"), 200, "3");
    assert_got(get(transport, "http://other.org/"), 200, "2");
    assert_got(get(transport, "http://other.org/"), 200, "1");
    assert_got(get(transport, origin_url(proxy, "/")), 200, "4"); /* directly */
    assert_int_equal(turns.asked, 6);
    assert_int_equal(stats_of(transport).dials, 4);
}

/* The first request waits. */
struct doors {
    struct gate arrived, go_on;
};

static void serve_at_the_door(struct origin_conn *conn, void *arg)
{
    struct doors *doors = arg;
    while (origin_read_request(conn)) {
        gate_open(&doors->arrived);
        origin_wait(conn, &doors->go_on);
        origin_send_text(conn, OK_REPLY);
    }
}

static void test_max_per_host_counts_the_proxys(void **state)
{
    struct doors *doors = KEPT(state, struct doors);
    struct origin *proxy = serve_with(state, serve_at_the_door, doors);
    ferry_transport *transport = transport_with(
        state, FERRY_TRANSPORT_OPTIONS(.proxy = proxy_url(proxy, ""), .max_per_host = 1));
    struct call calls[2] = {{.transport = transport, .url = "http://one.example/"},
                            {.transport = transport, .url = "http://two.example/"}};
    start_call(&calls[0]);
    start_call(&calls[1]);
    bool waits = eventually(gate_is_open(&doors->arrived) && stats_of(transport).waiting == 1);
    gate_open(&doors->go_on);
    assert_eventually(atomic_load(&calls[0].done) && atomic_load(&calls[1].done));
    assert_true(waits);
    assert_int_equal(calls[1].outcome.status, 200);
    assert_int_equal(origin_counts(proxy).accepted, 1);
}

/* ------------------------------------------------------------------------------- who chooses it */

static int refuse(void *arg, const char *url, const char **proxy, ferry_error *err)
{
    const char *how = arg;
    assert_string_equal(url, "http://example.org/");
    if (strcmp(how, "sentence") == 0) {
        err->code = FERRY_EINVAL;
        snprintf(err->message, sizeof err->message, "no proxy for such as you");
    }
    *proxy = "http://never.example/";
    return -1;
}

static void test_TR_069_a_proxy_function_that_fails(void **state)
{
    ferry_transport *transport = transport_with(
        state, FERRY_TRANSPORT_OPTIONS(.proxy_fn = refuse, .proxy_arg = (void *)"sentence"));
    assert_failed(get(transport, "http://u:secret@example.org/"), FERRY_EINVAL,
                  "choosing a proxy: no proxy for such as you");
    assert_int_equal(stats_of(transport).dials, 0);
    transport_done(state, transport);
    transport = transport_with(
        state, FERRY_TRANSPORT_OPTIONS(.proxy_fn = refuse, .proxy_arg = (void *)"silence"));
    assert_failed(get(transport, "http://example.org/"), FERRY_EPROXY,
                  "choosing a proxy: the proxy function failed");
    assert_int_equal(stats_of(transport).dials, 0);
}

/* Answers from memory that is gone when it returns to ferry's caller. */
static int from_a_buffer(void *arg, const char *url, const char **proxy, ferry_error *err)
{
    static char buffer[128];
    (void)url;
    (void)err;
    snprintf(buffer, sizeof buffer, "%s", (const char *)arg);
    *proxy = buffer;
    return 0;
}

static void test_a_proxy_function(void **state)
{
    struct origin *proxy = serve_reply(state, OK_REPLY);
    struct origin *origin =
        serve_reply(state, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\ndirect");
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.proxy_fn = from_a_buffer,
                                                      .proxy_arg = (void *)proxy_url(proxy, ""),
                                                      .proxy = "http://not.asked.example",
                                                      .no_proxy = origin_host(origin)));
    assert_got(get(transport, "http://example.org/"), 200, "ok");
    assert_got(get(transport, origin_url(origin, "/")), 200, "direct");
    transport_done(state, transport);
    transport = transport_with(
        state, FERRY_TRANSPORT_OPTIONS(.proxy_fn = from_a_buffer, .proxy_arg = (void *)""));
    assert_got(get(transport, origin_url(origin, "/")), 200, "direct");
}

/* More than are kept: each is still its own. */
static void test_many_proxies(void **state)
{
    struct origin *proxy = serve_reply(state, OK_REPLY);
    char urls[40][64];
    const char *proxies[41] = {NULL};
    for (int i = 0; i < 40; i++) {
        snprintf(urls[i], sizeof urls[i], "http://u%d:p@%s", i % 20, origin_host(proxy));
        proxies[i] = urls[i];
    }
    struct by_turns turns = {.proxies = proxies};
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.proxy_fn = take_turns, .proxy_arg = &turns));
    for (int i = 0; i < 40; i++) {
        assert_got(get(transport, "http://example.org/"), 200, "ok");
    }
    assert_int_equal(stats_of(transport).dials, 20);
    assert_non_null(strstr(origin_request(proxy, 39).head, "Basic dTE5OnA="));
}

static void test_settings_that_are_none(void **state)
{
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.proxy = "ftp://u:secret@proxy"));
    assert_failed(get(transport, "http://example.org/"), FERRY_EUNSUPPORTED,
                  "the proxy's setting: a proxy cannot have the scheme \"ftp\"");
    transport_done(state, transport);
    transport = transport_with(state, FERRY_TRANSPORT_OPTIONS(.proxy = "u:secret@:80"));
    struct outcome outcome = get(transport, "http://example.org/");
    assert_failed(outcome, FERRY_EURL,
                  "the proxy's setting: parse \"http://u:xxxxx@:80\": no host");
}

/* ------------------------------------------------------------------------------ the environment */

static void clear_environment(void)
{
    static const char *const names[] = {"http_proxy",  "HTTP_PROXY", "https_proxy",
                                        "HTTPS_PROXY", "all_proxy",  "ALL_PROXY",
                                        "no_proxy",    "NO_PROXY",   "REQUEST_METHOD"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        unsetenv(names[i]);
    }
}

static ferry_transport *in_environment(void **state, const char *name, const char *value,
                                       const char *other_name, const char *other_value,
                                       const ferry_transport_options *options)
{
    clear_environment();
    setenv(name, value, 1);
    if (other_name != NULL) {
        setenv(other_name, other_value, 1);
    }
    ferry_transport *transport = transport_with(state, options);
    clear_environment(); /* it has been read */
    return transport;
}

static void test_TR_056_TR_057_from_the_environment(void **state)
{
    struct origin *proxy = serve_reply(state, OK_REPLY);
    struct origin *origin =
        serve_reply(state, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\ndirect");
    static const char *const names[] = {"http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        ferry_transport *transport =
            in_environment(state, names[i], origin_host(proxy), NULL, NULL, NULL);
        assert_got(get(transport, "http://example.org/"), 200, "ok");
        assert_got(get(transport, origin_url(origin, "/")), 200, "direct");
        transport_done(state, transport);
    }
    struct outcome outcome;
    ferry_transport *transport =
        in_environment(state, "http_proxy", origin_host(proxy), "no_proxy", "192.0.2.0/24", NULL);
    assert_got(get(transport, "http://example.org/"), 200, "ok");
    transport_done(state, transport);

    /* A client of a CGI program has sent "Proxy:". */
    transport =
        in_environment(state, "HTTP_PROXY", origin_host(proxy), "REQUEST_METHOD", "GET", NULL);
    outcome = get(transport, "http://example.org/");
    assert_failed(outcome, FERRY_EINVAL, "refusing to use HTTP_PROXY in a CGI program");
    assert_got(get(transport, origin_url(origin, "/")), 200, "direct");
}

static void test_options_go_before_the_environment(void **state)
{
    struct origin *proxy = serve_reply(state, OK_REPLY);
    struct dial_hook hook = {.port = origin_port(proxy)};
    /* "": none, whatever the environment says */
    ferry_transport *transport =
        in_environment(state, "http_proxy", "http://proxy.example", NULL, NULL,
                       FERRY_TRANSPORT_OPTIONS(.proxy = "", .dial = dial_hook, .dial_arg = &hook));
    assert_got(get(transport, "http://example.org/"), 200, "ok");
    assert_non_null(strstr(origin_request(proxy, 0).head, "GET / HTTP/1.1"));
    transport_done(state, transport);
    /* the environment's no_proxy is its own proxies' */
    transport = in_environment(state, "no_proxy", "*", NULL, NULL,
                               FERRY_TRANSPORT_OPTIONS(.proxy = origin_host(proxy)));
    assert_got(get(transport, "http://example.org/"), 200, "ok");
    assert_non_null(strstr(origin_request(proxy, 1).head, "GET http://example.org/ HTTP/1.1"));
    transport_done(state, transport);
    /* an option's no_proxy goes before it */
    transport = in_environment(
        state, "http_proxy", "http://proxy.example", "no_proxy", "other.example",
        FERRY_TRANSPORT_OPTIONS(.no_proxy = "example.org", .dial = dial_hook, .dial_arg = &hook));
    assert_got(get(transport, "http://example.org/"), 200, "ok");
    assert_non_null(strstr(origin_request(proxy, 2).head, "GET / HTTP/1.1"));
}

/* ------------------------------------------------------------------ beside dial and unix_socket */

struct asked_for {
    struct dial_hook hook;
    char address[64], host[64];
    int port;
};

static int dial_and_note(void *arg, const ferry_dial_target *target, ferry_error *err)
{
    struct asked_for *asked = arg;
    snprintf(asked->address, sizeof asked->address, "%s", target->address);
    snprintf(asked->host, sizeof asked->host, "%s", target->host);
    asked->port = target->port;
    return dial_hook(&asked->hook, target, err);
}

static void test_a_dial_function_is_asked_for_the_proxy(void **state)
{
    struct origin *proxy = serve_reply(state, OK_REPLY);
    struct asked_for asked = {.hook = {.port = origin_port(proxy)}};
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.proxy = "proxy.example:3128",
                                                      .dial = dial_and_note, .dial_arg = &asked));
    assert_got(get(transport, "http://example.org/"), 200, "ok");
    assert_string_equal(asked.address, "proxy.example:3128");
    assert_string_equal(asked.host, "proxy.example");
    assert_int_equal(asked.port, 3128);
}

static void test_a_unix_socket_has_no_proxy(void **state)
{
    struct origin *origin = serve_script(
        state, &(struct origin_script){.serve = serve_identity, .family = ORIGIN_UNIX});
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.unix_socket = origin_socket_path(origin),
                                                      .proxy = "proxy.example"));
    assert_got(get(transport, "http://example.org/"), 200, "1");
    assert_non_null(strstr(origin_request(origin, 0).head, "GET / HTTP/1.1"));
}

/* -------------------------------------------------------------------------------- when it fails */

static void test_errors_name_the_proxy(void **state)
{
    static const struct origin_reply close[] = {{.bytes = "HTTP/1.1 ", .then = ORIGIN_THEN_CLOSE}};
    struct origin *proxy = serve_replies(state, close, 1);
    ferry_transport *transport = through(state, proxy);
    char text[160];
    snprintf(text, sizeof text,
             "proxy %s: the connection ended in the middle of the response's head",
             origin_host(proxy));
    struct outcome outcome = get(transport, "http://example.org/");
    assert_failed(outcome, FERRY_ETRUNCATED, NULL);
    assert_string_equal(outcome.err.message, text);
    transport_done(state, transport);
    transport = transport_with(state, FERRY_TRANSPORT_OPTIONS(.proxy = "u:secret@127.0.0.1:1"));
    outcome = get(transport, "http://example.org/");
    assert_failed(outcome, FERRY_ECONNECT, NULL);
    assert_string_equal(outcome.err.message,
                        "proxy 127.0.0.1:1: dial tcp 127.0.0.1:1: connection refused");
}

static void test_a_closed_idle_connection_is_tried_again(void **state)
{
    static const struct origin_reply replies[] = {{.bytes = OK_REPLY, .then = ORIGIN_THEN_CLOSE},
                                                  {.bytes = OK_REPLY}};
    struct origin *proxy = serve_replies(state, replies, 2);
    ferry_transport *transport = through(state, proxy);
    assert_got(get(transport, "http://one.example/"), 200, "ok");
    assert_got(get(transport, "http://two.example/"), 200, "ok");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRANSPORT_TEST(test_RW_001_absolute_form_on_the_wire),
        TRANSPORT_TEST(test_credentials_go_to_the_proxy),
        TRANSPORT_TEST(test_a_token_for_the_proxy),
        TRANSPORT_TEST(test_nothing_of_it_goes_to_an_origin),
        TRANSPORT_TEST(test_fields_that_cannot_be_sent),
        TRANSPORT_TEST(test_hosts_share_a_proxys_connections),
        TRANSPORT_TEST(test_pooled_by_proxy_and_credentials),
        TRANSPORT_TEST(test_max_per_host_counts_the_proxys),
        TRANSPORT_TEST(test_TR_069_a_proxy_function_that_fails),
        TRANSPORT_TEST(test_a_proxy_function),
        TRANSPORT_TEST(test_many_proxies),
        TRANSPORT_TEST(test_settings_that_are_none),
        TRANSPORT_TEST(test_TR_056_TR_057_from_the_environment),
        TRANSPORT_TEST(test_options_go_before_the_environment),
        TRANSPORT_TEST(test_a_dial_function_is_asked_for_the_proxy),
        TRANSPORT_TEST(test_a_unix_socket_has_no_proxy),
        TRANSPORT_TEST(test_errors_name_the_proxy),
        TRANSPORT_TEST(test_a_closed_idle_connection_is_tried_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
