/*
 * Through real proxies: tinyproxy in absolute form and by CONNECT, microsocks by address and by
 * name; credentials right, wrong and missing.
 */
#include "proxy_test.h"

#include <stdio.h>
#include <stdlib.h>

#include "proxies.h"

#define TRUSTING .tls = FERRY_TLS_OPTIONS(.ca_file = proxy_ca_file)

static struct proxy_server *started(struct proxy_server *proxy, const char *why)
{
    if (proxy == NULL) {
        fail_msg("%s", why);
    }
    return proxy;
}

static struct proxy_server *tinyproxy(const char *user)
{
    char why[PROXY_WHY_SIZE];
    return started(tinyproxy_start(user, "secret", why), why);
}

static struct proxy_server *microsocks(const char *user)
{
    char why[PROXY_WHY_SIZE];
    return started(microsocks_start(user, "secret", why), why);
}

static const char *at(const char *before, const struct proxy_server *proxy)
{
    return proxy_at(before, proxy_server_port(proxy));
}

static void assert_logged(const struct proxy_server *proxy, const char *format, ...)
{
    char wanted[256];
    va_list args;
    va_start(args, format);
    vsnprintf(wanted, sizeof wanted, format, args);
    va_end(args);
    char *log = proxy_server_log(proxy);
    assert_non_null(log);
    if (strstr(log, wanted) == NULL) {
        print_error("\"%s\" is not in the log:\n%s", wanted, log);
        free(log);
        fail();
    }
    free(log);
}

/* ------------------------------------------------------------------------------------ tinyproxy */

static void test_tinyproxy_in_absolute_form(void **state)
{
    struct origin *origin = serve_reply(state, OK_REPLY);
    struct proxy_server *proxy = tinyproxy(NULL);
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.proxy = at("http://", proxy)));
    /* First of all: tinyproxy closes after a response without saying so, and a POST that is caught
     * in that is not sent again. */
    ferry_request *req = request("POST", origin_url(origin, "/"));
    assert_int_equal(ferry_request_set_body(req, "a body", 6), 0);
    assert_got(send_and_read(transport, req), 200, "ok");
    assert_string_equal(origin_request(origin, 0).body, "a body");
    ferry_request_free(req);
    for (int i = 0; i < 3; i++) {
        assert_got(get(transport, origin_url(origin, "/a?b")), 200, "ok");
    }
    assert_non_null(strstr(origin_request(origin, 1).head, "GET /a?b HTTP/1.1\r\n"));
    assert_non_null(strstr(origin_request(origin, 1).head, "\r\nVia: "));
    assert_logged(proxy, "GET %s HTTP/1.1", origin_url(origin, "/a?b"));
    transport_done(state, transport);
    proxy_server_stop(proxy);
}

static void test_tinyproxy_by_connect(void **state)
{
    struct tls_server *target = serve_tls_target();
    struct proxy_server *proxy = tinyproxy(NULL);
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.proxy = at("", proxy), TRUSTING));
    for (int i = 0; i < 5; i++) {
        assert_got(get(transport, tls_url(target, "/")), 200, "ok");
    }
    assert_int_equal(stats_of(transport).dials, 1);
    assert_logged(proxy, "CONNECT localhost:%d HTTP/1.1", tls_server_port(target));
    assert_null(strstr(tls_target_asked(), "Via"));
    transport_done(state, transport);
    tls_server_stop(target);
    proxy_server_stop(proxy);
}

static void test_tinyproxy_with_credentials(void **state)
{
    struct origin *origin = serve_reply(state, OK_REPLY);
    struct tls_server *target = serve_tls_target();
    struct proxy_server *proxy = tinyproxy("bob");
    ferry_transport *right =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.proxy = at("bob:secret@", proxy), TRUSTING));
    assert_got(get(right, origin_url(origin, "/")), 200, "ok");
    assert_got(get(right, tls_url(target, "/")), 200, "ok");
    assert_null(strstr(origin_request(origin, 0).head, "Proxy-Authorization"));
    assert_null(strstr(tls_target_asked(), "Proxy-Authorization"));
    transport_done(state, right);

    ferry_transport *none =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.proxy = at("", proxy), TRUSTING));
    assert_int_equal(get(none, origin_url(origin, "/")).status, 407);
    assert_failed(get(none, tls_url(target, "/")), FERRY_EPROXY,
                  "it wants credentials (407): put user:password@ into the proxy's URL");
    transport_done(state, none);

    ferry_transport *wrong =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.proxy = at("bob:guess@", proxy), TRUSTING));
    int status = get(wrong, origin_url(origin, "/")).status;
    assert_true(status == 401 || status == 407); /* 401 is tinyproxy's own idea */
    assert_failed(get(wrong, tls_url(target, "/")), FERRY_EPROXY, "refused");
    transport_done(state, wrong);
    assert_int_equal(origin_counts(origin).requests, 1);
    tls_server_stop(target);
    proxy_server_stop(proxy);
}

static void test_tinyproxy_cannot_reach_it(void **state)
{
    struct proxy_server *proxy = tinyproxy(NULL);
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.proxy = at("", proxy), TRUSTING));
    assert_int_equal(get(transport, "http://127.0.0.1:1/").status, 500);
    assert_failed(get(transport, "https://127.0.0.1:1/"), FERRY_EPROXY,
                  "CONNECT 127.0.0.1:1 was refused with status 500 ");
    transport_done(state, transport);
    proxy_server_stop(proxy);
}

static void test_tinyproxy_and_no_proxy(void **state)
{
    struct origin *origin = serve_reply(state, OK_REPLY);
    struct proxy_server *proxy = tinyproxy(NULL);
    ferry_transport *transport = transport_with(
        state, FERRY_TRANSPORT_OPTIONS(.proxy = at("", proxy), .no_proxy = "127.0.0.0/8"));
    assert_got(get(transport, origin_url(origin, "/")), 200, "ok");
    assert_null(strstr(origin_request(origin, 0).head, "Via"));
    transport_done(state, transport);
    proxy_server_stop(proxy);
}

/* ----------------------------------------------------------------------------------- microsocks */

static void test_microsocks(void **state)
{
    static const char *const schemes[] = {"socks5://", "socks5h://"};
    struct origin *origin = serve_with(state, serve_identity, NULL);
    struct proxy_server *proxy = microsocks(NULL);
    for (size_t i = 0; i < 2; i++) {
        struct tls_server *target = serve_tls_target();
        ferry_transport *transport = transport_with(
            state, FERRY_TRANSPORT_OPTIONS(.proxy = at(schemes[i], proxy), TRUSTING));
        char url[64];
        snprintf(url, sizeof url, "http://localhost:%d/", origin_port(origin));
        for (int j = 0; j < 3; j++) {
            assert_got(get(transport, url), 200, i == 0 ? "1" : "2");
            assert_got(get(transport, tls_url(target, "/")), 200, "ok");
        }
        assert_int_equal(stats_of(transport).dials, 2);
        transport_done(state, transport);
        tls_server_stop(target);
    }
    proxy_server_stop(proxy);
}

static void test_microsocks_with_credentials(void **state)
{
    struct origin *origin = serve_reply(state, OK_REPLY);
    struct proxy_server *proxy = microsocks("bob");
    static const struct {
        const char *before, *message; /* NULL: it works */
    } cases[] = {
        {"socks5://bob:secret@", NULL},
        {"socks5h://bob:secret@", NULL},
        {"socks5://bob:guess@", "socks5: it refused the name and password"},
        {"socks5h://", "socks5: it wants credentials"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ferry_transport *transport =
            transport_with(state, FERRY_TRANSPORT_OPTIONS(.proxy = at(cases[i].before, proxy)));
        struct outcome outcome = get(transport, origin_url(origin, "/"));
        if (cases[i].message == NULL) {
            assert_got(outcome, 200, "ok");
        } else {
            assert_failed(outcome, FERRY_EPROXY, cases[i].message);
        }
        transport_done(state, transport);
    }
    proxy_server_stop(proxy);
}

static void test_microsocks_cannot_reach_it(void **state)
{
    struct proxy_server *proxy = microsocks(NULL);
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.proxy = at("socks5h://", proxy)));
    assert_failed(get(transport, "http://127.0.0.1:1/"), FERRY_ECONNECT,
                  "socks5: connection refused");
    transport_done(state, transport);
    proxy_server_stop(proxy);
}

static void test_many_at_once(void **state)
{
    enum { CALLS = 40 };
    struct origin *origin = serve_reply(state, OK_REPLY);
    struct proxy_server *proxy = microsocks(NULL);
    struct call calls[CALLS];
    ferry_transport *transport = transport_with(
        state, FERRY_TRANSPORT_OPTIONS(.proxy = at("socks5://", proxy), .max_per_host = 8));
    for (int i = 0; i < CALLS; i++) {
        calls[i] = (struct call){.transport = transport, .url = origin_url(origin, "/")};
    }
    run_calls(calls, CALLS);
    for (int i = 0; i < CALLS; i++) {
        assert_got(calls[i].outcome, 200, "ok");
    }
    assert_true(stats_of(transport).dials <= 8);
    transport_done(state, transport);
    proxy_server_stop(proxy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRANSPORT_TEST(test_tinyproxy_in_absolute_form),
        TRANSPORT_TEST(test_tinyproxy_by_connect),
        TRANSPORT_TEST(test_tinyproxy_with_credentials),
        TRANSPORT_TEST(test_tinyproxy_cannot_reach_it),
        TRANSPORT_TEST(test_tinyproxy_and_no_proxy),
        TRANSPORT_TEST(test_microsocks),
        TRANSPORT_TEST(test_microsocks_with_credentials),
        TRANSPORT_TEST(test_microsocks_cannot_reach_it),
        TRANSPORT_TEST(test_many_at_once),
    };
    return cmocka_run_group_tests(tests, proxy_test_make, proxy_test_free);
}
