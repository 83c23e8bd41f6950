/*
 * Tunnels: CONNECT through HTTP and HTTPS proxies, and SOCKS5, with and without TLS inside; what is
 * left of them when they come to nothing; what the target never sees.
 */
#include "proxy_test.h"

#include <stdio.h>
#include <stdlib.h>

#define TRUSTING .tls = FERRY_TLS_OPTIONS(.ca_file = proxy_ca_file)

static void set(ferry_request *req, const char *name, const char *value)
{
    assert_int_equal(ferry_request_set_header(req, name, value), 0);
}

/* A HEAD without a word too many. */
static struct outcome head(ferry_transport *transport, const char *url)
{
    ferry_request *req = request("HEAD", url);
    set(req, "User-Agent", NULL);
    struct outcome outcome = send_and_read(transport, req);
    ferry_request_free(req);
    return outcome;
}

/* ------------------------------------------------------------------------------- the four ways */

static void test_TR_021_http_proxy_http_target(void **state)
{
    struct origin *proxy = serve_reply(state, OK_REPLY);
    ferry_transport *transport = transport_with(
        state, FERRY_TRANSPORT_OPTIONS(.proxy = proxy_at("http://", origin_port(proxy))));
    assert_got(head(transport, "http://localhost:8080/"), 200, "");
    assert_string_equal(origin_request(proxy, 0).head,
                        "HEAD http://localhost:8080/ HTTP/1.1\r\nHost: localhost:8080\r\n\r\n");
}

static void test_TR_021_http_proxy_https_target(void **state)
{
    struct tls_server *target = serve_tls_target();
    struct origin *proxy = serve_with(state, serve_tunnels, NULL);
    ferry_transport *transport = transport_with(
        state, FERRY_TRANSPORT_OPTIONS(.proxy = proxy_at("http://", origin_port(proxy)), TRUSTING));
    char text[256];
    assert_got(head(transport, tls_url(target, "/")), 200, "");
    assert_got(head(transport, tls_url(target, "/again")), 200, "");
    snprintf(text, sizeof text, "CONNECT localhost:%d HTTP/1.1\r\nHost: localhost:%d\r\n\r\n",
             tls_server_port(target), tls_server_port(target));
    assert_string_equal(origin_request(proxy, 0).head, text);
    snprintf(text, sizeof text,
             "HEAD / HTTP/1.1\r\nHost: localhost:%d\r\n\r\n"
             "HEAD /again HTTP/1.1\r\nHost: localhost:%d\r\n\r\n",
             tls_server_port(target), tls_server_port(target));
    assert_string_equal(tls_target_asked(), text);
    assert_int_equal(stats_of(transport).dials, 1);
    transport_done(state, transport);
    tls_server_stop(target);
}

static void test_TR_021_https_proxy_http_target(void **state)
{
    struct tls_server *proxy = serve_tls_proxy();
    ferry_transport *transport = transport_with(
        state, FERRY_TRANSPORT_OPTIONS(.proxy = proxy_at("https://u:p@", tls_server_port(proxy)),
                                       TRUSTING));
    assert_got(head(transport, "http://localhost:8080/"), 200, "");
    assert_string_equal(tls_proxy_asked(),
                        "HEAD http://localhost:8080/ HTTP/1.1\r\nHost: localhost:8080\r\n"
                        "Proxy-Authorization: Basic dTpw\r\n\r\n");
    transport_done(state, transport);
    tls_server_stop(proxy);
}

static void test_TR_021_https_proxy_https_target(void **state)
{
    struct tls_server *target = serve_tls_target();
    struct tls_server *proxy = serve_tls_proxy();
    ferry_transport *transport = transport_with(
        state, FERRY_TRANSPORT_OPTIONS(.proxy = proxy_at("https://u:p@", tls_server_port(proxy)),
                                       TRUSTING));
    char text[256];
    for (int i = 0; i < 3; i++) {
        assert_got(head(transport, tls_url(target, "/")), 200, "");
    }
    snprintf(text, sizeof text,
             "CONNECT localhost:%d HTTP/1.1\r\nHost: localhost:%d\r\n"
             "Proxy-Authorization: Basic dTpw\r\n\r\n",
             tls_server_port(target), tls_server_port(target));
    assert_string_equal(tls_proxy_asked(), text);
    assert_null(strstr(tls_target_asked(), "Proxy"));
    assert_int_equal(stats_of(transport).dials, 1);
    transport_done(state, transport);
    tls_server_stop(proxy);
    tls_server_stop(target);
}

/* Large in both directions, TLS inside TLS. */
static void serve_large(SSL *ssl, int fd, void *arg)
{
    char buf[16384];
    size_t got = 0;
    int more;
    (void)fd;
    (void)arg;
    while (got < 300000 && (more = SSL_read(ssl, buf, sizeof buf)) > 0) {
        got += (size_t)more;
    }
    const char *reply = "HTTP/1.1 200 OK\r\nContent-Length: 1048576\r\n\r\n";
    SSL_write(ssl, reply, (int)strlen(reply));
    for (uint64_t sent = 0; sent < 1048576; sent += sizeof buf) {
        pattern_fill(buf, sizeof buf, sent);
        SSL_write(ssl, buf, sizeof buf);
    }
    SSL_shutdown(ssl);
}

static void test_bulk_through_tls_in_tls(void **state)
{
    struct tls_server *target =
        tls_server_start(&(struct tls_server_options){.cert = proxy_cert, .serve = serve_large});
    struct tls_server *proxy = serve_tls_proxy();
    assert_non_null(target);
    ferry_transport *transport = transport_with(
        state,
        FERRY_TRANSPORT_OPTIONS(.proxy = proxy_at("https://", tls_server_port(proxy)), TRUSTING));
    ferry_request *req = request("POST", tls_url(target, "/"));
    ferry_error err = {0};
    size_t len = 0;
    char *body = calloc(1, 300000);
    assert_int_equal(ferry_request_set_body(req, body, 300000), 0);
    ferry_response *res = ferry_transport_round_trip(transport, req, &err);
    assert_string_equal(err.message, "");
    char *bytes = ferry_response_read_all(res, 2000000, &len, &err);
    assert_int_equal(len, 1048576);
    assert_int_equal(pattern_match(bytes, len, 0), len);
    free(bytes);
    free(body);
    ferry_response_close(res);
    ferry_request_free(req);
    transport_done(state, transport);
    tls_server_stop(proxy);
    tls_server_stop(target);
}

/* ------------------------------------------------------------------------------------ settings */

static void test_tunnels_for_http_urls_too(void **state)
{
    struct origin *target = serve_with(state, serve_identity, NULL);
    struct origin *proxy = serve_with(state, serve_tunnels, NULL);
    const ferry_field fields[] = {{"X-Trace", "7"}};
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.proxy = proxy_at("u:p@", origin_port(proxy)),
                                                      .proxy_tunnel = 1, .proxy_fields = fields,
                                                      .proxy_field_count = 1));
    ferry_request *req = request("GET", origin_url(target, "/"));
    set(req, "User-Agent", "mine");
    set(req, "Proxy-Authorization", "Bearer not the target's");
    assert_got(send_and_read(transport, req), 200, "1");
    ferry_request_free(req);
    char text[256];
    snprintf(text, sizeof text,
             "CONNECT %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: mine\r\n"
             "Proxy-Authorization: Basic dTpw\r\nX-Trace: 7\r\n\r\n",
             origin_host(target), origin_host(target));
    assert_string_equal(origin_request(proxy, 0).head, text);
    assert_null(strstr(origin_request(target, 0).head, "Proxy-"));
    assert_null(strstr(origin_request(target, 0).head, "X-Trace"));
    assert_non_null(strstr(origin_request(target, 0).head, "GET / HTTP/1.1\r\n"));
}

static void test_tunnels_are_pooled_by_host(void **state)
{
    struct origin *one = serve_with(state, serve_identity, NULL);
    struct origin *two = serve_with(state, serve_identity, NULL);
    struct origin *proxy = serve_with(state, serve_tunnels, NULL);
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.proxy = proxy_at("", origin_port(proxy)),
                                                      .proxy_tunnel = 1));
    assert_got(get(transport, origin_url(one, "/")), 200, "1");
    assert_got(get(transport, origin_url(two, "/")), 200, "1");
    assert_got(get(transport, origin_url(one, "/")), 200, "1");
    assert_int_equal(stats_of(transport).dials, 2);
    assert_int_equal(origin_counts(proxy).requests, 2);
    assert_int_equal(stats_of(transport).idle, 2);
}

static void test_proxy_tls_is_the_proxys_own(void **state)
{
    struct tls_server *target = serve_tls_target();
    struct tls_server *proxy = serve_tls_proxy();
    char text[128];
    /* The target is trusted, and the proxy is not. */
    ferry_transport *transport = transport_with(
        state,
        FERRY_TRANSPORT_OPTIONS(.proxy = proxy_at("https://", tls_server_port(proxy)), TRUSTING,
                                .proxy_tls = FERRY_TLS_OPTIONS(
                                        .ca_file = proxy_ca_file,
                                        .pinned_public_keys =
                                            "sha256//"
                                            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")));
    struct outcome outcome = head(transport, tls_url(target, "/"));
    assert_failed(outcome, FERRY_ECERTIFICATE, NULL);
    snprintf(text, sizeof text, "proxy 127.0.0.1:%d: tls 127.0.0.1:%d: ", tls_server_port(proxy),
             tls_server_port(proxy));
    assert_int_equal(strncmp(outcome.err.message, text, strlen(text)), 0);
    transport_done(state, transport);
    /* The other way round: whose fault it is, is told. */
    transport = transport_with(
        state, FERRY_TRANSPORT_OPTIONS(.proxy = proxy_at("https://", tls_server_port(proxy)),
                                       .proxy_tls = FERRY_TLS_OPTIONS(.ca_file = proxy_ca_file),
                                       .tls = FERRY_TLS_OPTIONS(.ca_file = "/dev/null")));
    outcome = head(transport, tls_url(target, "/"));
    assert_int_equal(outcome.status, 0);
    assert_null(strstr(outcome.err.message, "proxy"));
    transport_done(state, transport);
    tls_server_stop(proxy);
    tls_server_stop(target);
}

/* --------------------------------------------------------------------------------------- SOCKS5 */

static void socks_asks(void **state, struct origin *target, const char *scheme, const char *host,
                       const char *asked)
{
    struct origin *proxy = serve_with(state, serve_socks, NULL);
    char url[128];
    char text[256];
    snprintf(url, sizeof url, "http://%s:%d/", host, origin_port(target));
    ferry_transport *transport = transport_with(
        state, FERRY_TRANSPORT_OPTIONS(.proxy = proxy_at(scheme, origin_port(proxy))));
    socks_forget();
    assert_got(get(transport, url), 200, "ok");
    assert_got(get(transport, url), 200, "ok");
    snprintf(text, sizeof text, "%s%04x\n", asked, (unsigned)origin_port(target));
    assert_string_equal(socks_asked(), text);
    assert_int_equal(stats_of(transport).dials, 1);
    transport_done(state, transport);
}

static void test_TR_020_socks5_names_an_address(void **state)
{
    struct origin *target = serve_reply(state, OK_REPLY);
    socks_asks(state, target, "socks5://", "127.0.0.1", "050100\n050100017f000001");
    /* The name is looked up here. (Its IPv6 address, if it has one, is tried first.) */
    struct origin *proxy = serve_with(state, serve_socks, NULL);
    ferry_transport *transport = transport_with(
        state, FERRY_TRANSPORT_OPTIONS(.proxy = proxy_at("socks5://", origin_port(proxy))));
    char url[128];
    snprintf(url, sizeof url, "http://localhost:%d/", origin_port(target));
    socks_forget();
    assert_got(get(transport, url), 200, "ok");
    assert_non_null(strstr(socks_asked(), "050100017f000001"));
    assert_null(strstr(socks_asked(), "05010003"));
    assert_non_null(strstr(origin_request(target, 0).head, "GET / HTTP/1.1\r\n"));
}

static void test_TR_020_socks5_to_https(void **state)
{
    static const struct {
        const char *scheme, *host, *asked;
    } cases[] = {
        {"socks5://", "127.0.0.1", "050100\n050100017f000001"},
        {"socks5h://", "localhost", "050100\n05010003096c6f63616c686f7374"},
    };
    struct tls_server *target = serve_tls_target();
    struct origin *proxy = serve_with(state, serve_socks, NULL);
    for (size_t i = 0; i < 2; i++) {
        ferry_transport *transport = transport_with(
            state, FERRY_TRANSPORT_OPTIONS(.proxy = proxy_at(cases[i].scheme, origin_port(proxy)),
                                           TRUSTING));
        char url[64];
        char text[128];
        snprintf(url, sizeof url, "https://%s:%d/", cases[i].host, tls_server_port(target));
        socks_forget();
        assert_got(head(transport, url), 200, "");
        snprintf(text, sizeof text, "%s%04x\n", cases[i].asked, tls_server_port(target));
        assert_string_equal(socks_asked(), text);
        transport_done(state, transport);
    }
    tls_server_stop(target);
}

static void test_socks5h_names_a_name(void **state)
{
    struct origin *target = serve_reply(state, OK_REPLY);
    socks_asks(state, target, "socks5h://", "a.example", "050100\n0501000309612e6578616d706c65");
    socks_asks(state, target, "socks5h://", "127.0.0.1", "050100\n050100017f000001");
    socks_asks(state, target, "socks5h://bob:pw@", "a.example",
               "05020002\n0103626f62027077\n0501000309612e6578616d706c65");
}

static void test_socks_errors(void **state)
{
    struct origin *proxy = serve_with(state, serve_socks, NULL);
    char text[200];
    ferry_transport *transport = transport_with(
        state, FERRY_TRANSPORT_OPTIONS(.proxy = proxy_at("socks5h://", origin_port(proxy))));
    struct outcome outcome = get(transport, "http://a.example:1/");
    assert_failed(outcome, FERRY_ECONNECT, NULL);
    snprintf(text, sizeof text, "proxy %s: socks5: connection refused", origin_host(proxy));
    assert_string_equal(outcome.err.message, text);
    /* Only what the proxy cannot reach is tried again, by its next address. */
    assert_failed(get(transport, "http://[::1]:80/"), FERRY_ECONNECT, "network unreachable");
    transport_done(state, transport);
    transport = transport_with(
        state,
        FERRY_TRANSPORT_OPTIONS(.proxy = proxy_at("socks5://nobody:x@", origin_port(proxy))));
    assert_failed(get(transport, "http://127.0.0.1/"), FERRY_EPROXY,
                  "socks5: it refused the name and password");
    assert_int_equal(stats_of(transport).connections, 0);
}

/* ----------------------------------------------------------------------------- when it fails */

struct silent {
    struct gate asked, ended;
};

/* Reads what comes, and never answers. */
static void serve_silence(struct origin_conn *conn, void *arg)
{
    struct silent *silent = arg;
    char head[1024];
    origin_read_head(conn, head, sizeof head);
    gate_open(&silent->asked);
    if (origin_wait_eof(conn, -1) == ORIGIN_EOF) {
        gate_open(&silent->ended);
    }
}

static void test_TR_022_a_canceled_connect_leaves_nothing(void **state)
{
    struct silent *silent = KEPT(state, struct silent);
    struct origin *proxy = serve_with(state, serve_silence, silent);
    ferry_context *context = ferry_context_new(-1);
    ferry_transport *transport = transport_with(
        state, FERRY_TRANSPORT_OPTIONS(.proxy = proxy_at("", origin_port(proxy)), TRUSTING));
    int before = ferry_num_tasks();
    struct call call = {
        .transport = transport, .url = "https://golang.fake.example/", .context = context};
    start_call(&call);
    bool asked = eventually(gate_is_open(&silent->asked));
    ferry_context_cancel(context);
    assert_eventually(atomic_load(&call.done));
    ferry_context_free(context);
    assert_true(asked);
    assert_failed(call.outcome, FERRY_ECANCELED, NULL);
    assert_eventually(gate_is_open(&silent->ended));
    assert_eventually(ferry_num_tasks() == before);
    assert_int_equal(stats_of(transport).connections, 0);
    assert_string_equal(origin_request(proxy, 0).head,
                        "CONNECT golang.fake.example:443 HTTP/1.1\r\n"
                        "Host: golang.fake.example:443\r\n"
                        "User-Agent: ferry/" FERRY_VERSION "\r\n\r\n");
}

struct leaver {
    struct side side;
    struct call call;
    struct silent *silent;
};

/* Begins a request in a task, and leaves both behind. */
static void leave(void *arg)
{
    struct leaver *leaver = arg;
    start_call(&leaver->call);
    while (!gate_is_open(&leaver->silent->asked)) {
        ferry_sleep(1);
    }
}

static void test_a_thread_that_ends_meanwhile(void **state)
{
    static const char *const schemes[] = {"http://u:p@", "socks5://"};
    for (size_t i = 0; i < 2; i++) {
        struct silent *silent = KEPT(state, struct silent);
        struct leaver *leaver = KEPT(state, struct leaver, .silent = silent);
        struct origin *proxy = serve_with(state, serve_silence, silent);
        leaver->call.transport = transport_with(
            state, FERRY_TRANSPORT_OPTIONS(.proxy = proxy_at(schemes[i], origin_port(proxy)),
                                           .proxy_tunnel = 1));
        leaver->call.req = request("GET", "http://127.0.0.1:1/");
        if (i == 1) {
            gate_open(&silent->asked); /* a greeting is not a head: this proxy would wait on */
        }
        start_side(&leaver->side, leave, leaver);
        end_side(&leaver->side);
        assert_false(atomic_load(&leaver->call.done));
        assert_eventually(origin_counts(proxy).open == 0);
        assert_int_equal(stats_of(leaver->call.transport).connections, 0);
        transport_done(state, leaver->call.transport);
        ferry_request_free(leaver->call.req);
    }
}

static void never_answered(void **state, const char *scheme, const char *url)
{
    struct silent *silent = KEPT(state, struct silent);
    struct origin *proxy = serve_with(state, serve_silence, silent);
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.proxy = proxy_at(scheme, origin_port(proxy)),
                                                      TRUSTING, .dial_timeout_ms = 100));
    struct outcome outcome = get(transport, url);
    assert_failed(outcome, FERRY_ETIMEOUT, "timeout while waiting for its answer");
    assert_int_equal(strncmp(outcome.err.message, "proxy 127.0.0.1:", 16), 0);
    /* The greeting of SOCKS has no empty line, for which this proxy waits: it sees the end
     * there. */
    assert_eventually(origin_counts(proxy).open == 0);
    transport_done(state, transport);
}

static void test_never_answered(void **state)
{
    never_answered(state, "http://", "https://example.org/");
    never_answered(state, "socks5h://", "http://example.org/");
}

static void test_TR_111_a_refusal_without_reason(void **state)
{
    static const char *const answers[][2] = {
        {"HTTP/1.1 400\r\n\r\n", "refused with status 400, and no reason"},
        {"HTTP/1.1 403 Filtered\r\n\r\n", "refused with status 403 Filtered"},
        {"HTTP/1.1 407 Who\r\n\r\n", "put user:password@ into the proxy's URL"},
    };
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        struct origin *proxy = serve_reply(state, answers[i][0]);
        ferry_transport *transport = transport_with(
            state, FERRY_TRANSPORT_OPTIONS(.proxy = proxy_at("", origin_port(proxy)), TRUSTING));
        assert_failed(get(transport, "https://example.org/"), FERRY_EPROXY, answers[i][1]);
        assert_int_equal(stats_of(transport).connections, 0);
        transport_done(state, transport);
    }
}

static void test_TR_056_https_proxy_of_the_environment(void **state)
{
    struct origin *proxy = serve_reply(state, "HTTP/1.1 403 Filtered\r\n\r\n");
    struct tls_server *target = serve_tls_target();
    setenv("https_proxy", proxy_at("http://", origin_port(proxy)), 1);
    setenv("http_proxy", "http://not.asked.example", 1);
    ferry_transport *transport = transport_with(state, FERRY_TRANSPORT_OPTIONS(TRUSTING));
    unsetenv("https_proxy");
    unsetenv("http_proxy");
    assert_failed(get(transport, "https://example.org/"), FERRY_EPROXY, "403 Filtered");
    assert_got(get(transport, tls_url(target, "/")), 200, "ok"); /* directly: it is localhost */
    assert_int_equal(origin_counts(proxy).requests, 1);
    transport_done(state, transport);
    tls_server_stop(target);
}

/* An answer in the target's name, before it was asked anything. */
static void test_a_proxy_that_lies(void **state)
{
    struct origin *proxy = serve_reply(
        state, "HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfake");
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.proxy = proxy_at("", origin_port(proxy)),
                                                      .proxy_tunnel = 1, TRUSTING));
    assert_failed(get(transport, "http://example.org/"), FERRY_EPROXY,
                  "it sent bytes behind its answer");
    assert_failed(get(transport, "https://example.org/"), FERRY_EPROXY,
                  "it sent bytes behind its answer");
}

/* It answers itself, in TLS that only it can have. */
static void test_a_proxy_in_the_middle(void **state)
{
    struct tls_server *target = serve_tls_target();
    struct origin *proxy = serve_with(state, serve_tunnels, NULL);
    ferry_transport *transport = transport_with(
        state, FERRY_TRANSPORT_OPTIONS(.proxy = proxy_at("", origin_port(proxy)), TRUSTING));
    char url[64];
    snprintf(url, sizeof url, "https://bank.example:%d/", tls_server_port(target));
    struct outcome outcome = get(transport, url);
    assert_failed(outcome, FERRY_ECERTIFICATE, "bank.example");
    assert_null(strstr(outcome.err.message, "proxy"));
    assert_string_equal(tls_target_asked(), "");
    transport_done(state, transport);
    tls_server_stop(target);
}

/* --------------------------------------------------------------------------------------- Digest */

#define DIGEST_407                                                                              \
    "HTTP/1.1 407 Who\r\nConnection: close\r\nContent-Length: 3\r\n"                            \
    "Proxy-Authenticate: Digest realm=\"x\", nonce=\"n1\", algorithm=SHA-256, qop=\"auth\"\r\n" \
    "\r\nwho"

/* Wants Digest credentials, and looks no closer at them. */
static void serve_to_known(struct origin_conn *conn, void *arg)
{
    (void)arg;
    char head[4096];
    if (origin_read_head(conn, head, sizeof head) <= 0) {
        return;
    }
    if (strstr(head, "Proxy-Authorization: Digest username=\"bob\"") == NULL) {
        origin_send_text(conn, DIGEST_407);
    } else {
        origin_send_text(conn, "HTTP/1.1 200 OK\r\n\r\n");
        while (origin_read_request(conn)) {
            origin_send_text(conn, OK_REPLY);
        }
    }
}

static void test_digest_for_a_tunnel(void **state)
{
    struct origin *proxy = serve_with(state, serve_to_known, NULL);
    ferry_transport *transport = transport_with(
        state, FERRY_TRANSPORT_OPTIONS(.proxy = proxy_at("bob:secret@", origin_port(proxy)),
                                       .proxy_tunnel = 1, .proxy_digest = 1));
    assert_got(get(transport, "http://one.example/"), 200, "ok");
    assert_got(get(transport, "http://two.example/"), 200, "ok");
    assert_int_equal(origin_counts(proxy).accepted, 3); /* the second was not asked again */
    assert_null(strstr(origin_request(proxy, 0).head, "Proxy-Authorization"));
    assert_non_null(strstr(origin_request(proxy, 1).head, "uri=\"one.example:80\""));
    assert_null(strstr(origin_request(proxy, 2).head, "Proxy-Authorization")); /* the target's */
    assert_non_null(strstr(origin_request(proxy, 3).head, "uri=\"two.example:80\""));
    assert_non_null(strstr(origin_request(proxy, 3).head, "nc=00000002"));
}

static void test_digest_that_is_wrong(void **state)
{
    struct origin *proxy = serve_with(state, serve_to_known, NULL);
    ferry_transport *transport = transport_with(
        state, FERRY_TRANSPORT_OPTIONS(.proxy = proxy_at("eve:secret@", origin_port(proxy)),
                                       .proxy_tunnel = 1, .proxy_digest = 1));
    assert_failed(get(transport, "http://one.example/"), FERRY_EPROXY,
                  "it refused the name and password (407)");
    assert_int_equal(origin_counts(proxy).accepted, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRANSPORT_TEST(test_TR_021_http_proxy_http_target),
        TRANSPORT_TEST(test_TR_021_http_proxy_https_target),
        TRANSPORT_TEST(test_TR_021_https_proxy_http_target),
        TRANSPORT_TEST(test_TR_021_https_proxy_https_target),
        TRANSPORT_TEST(test_bulk_through_tls_in_tls),
        TRANSPORT_TEST(test_tunnels_for_http_urls_too),
        TRANSPORT_TEST(test_tunnels_are_pooled_by_host),
        TRANSPORT_TEST(test_proxy_tls_is_the_proxys_own),
        TRANSPORT_TEST(test_TR_020_socks5_names_an_address),
        TRANSPORT_TEST(test_TR_020_socks5_to_https),
        TRANSPORT_TEST(test_socks5h_names_a_name),
        TRANSPORT_TEST(test_socks_errors),
        TRANSPORT_TEST(test_TR_022_a_canceled_connect_leaves_nothing),
        TRANSPORT_TEST(test_a_thread_that_ends_meanwhile),
        TRANSPORT_TEST(test_never_answered),
        TRANSPORT_TEST(test_TR_111_a_refusal_without_reason),
        TRANSPORT_TEST(test_TR_056_https_proxy_of_the_environment),
        TRANSPORT_TEST(test_a_proxy_that_lies),
        TRANSPORT_TEST(test_a_proxy_in_the_middle),
        TRANSPORT_TEST(test_digest_for_a_tunnel),
        TRANSPORT_TEST(test_digest_that_is_wrong),
    };
    return cmocka_run_group_tests(tests, proxy_test_make, proxy_test_free);
}
