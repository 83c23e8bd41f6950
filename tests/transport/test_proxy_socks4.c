/*
 * SOCKS4 proxies by a transport's option: who looks names up, and what is not asked of them.
 */
#include "transport_test.h"

#include <stdio.h>

/* Notes the question, up to its last NUL, as the body of the answer: the proxy is the target. */
static void serve_socks4(struct origin_conn *conn, void *arg)
{
    unsigned char bytes[300];
    char text[700] = "";
    size_t len = 8;
    (void)arg;
    if (!origin_read_exact(conn, bytes, 8)) {
        return;
    }
    bool named = bytes[4] == 0 && bytes[5] == 0 && bytes[6] == 0;
    for (int nuls = 0; nuls < 1 + named; nuls += bytes[len++] == 0) {
        if (!origin_read_exact(conn, bytes + len, 1)) {
            return;
        }
    }
    for (size_t i = 0; i < len; i++) {
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    }
    if (origin_send(conn, "\0\132\0\0\0\0\0\0", 8) && origin_read_request(conn)) {
        (void)origin_sendf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(text),
                           text);
    }
}

static void asks(void **state, struct origin *proxy, const char *before, const char *url,
                 const char *question)
{
    char setting[64];
    snprintf(setting, sizeof setting, "%s%s", before, origin_host(proxy));
    ferry_transport *transport = transport_with(
        state,
        FERRY_TRANSPORT_OPTIONS(.proxy = setting, .resolve = (const char *const[]){
                                                      "six.example:80:::1",
                                                      "both.example:80:[::1],192.0.2.7", NULL}));
    assert_got(get(transport, url), 200, question);
}

static void test_socks4_is_told_addresses(void **state)
{
    struct origin *proxy = serve_with(state, serve_socks4, NULL);
    asks(state, proxy, "socks4://", "http://192.0.2.1:81/", "04010051c000020100");
    asks(state, proxy, "socks4://me@", "http://both.example/", "04010050c00002076d6500");
}

static void test_socks4a_is_told_names(void **state)
{
    struct origin *proxy = serve_with(state, serve_socks4, NULL);
    asks(state, proxy, "socks4a://", "http://a.example/", "040100500000000100612e6578616d706c6500");
    asks(state, proxy, "socks4a://", "http://192.0.2.1:81/", "04010051c000020100");
}

static void test_socks4_has_no_ipv6(void **state)
{
    struct origin *proxy = serve_with(state, serve_socks4, NULL);
    char setting[64];
    snprintf(setting, sizeof setting, "socks4://%s", origin_host(proxy));
    ferry_transport *transport = transport_with(state, FERRY_TRANSPORT_OPTIONS(.proxy = setting));
    assert_failed(get(transport, "http://[::1]/"), FERRY_ECONNECT, "use SOCKS5");
}

/* Of a name with addresses of both kinds those of IPv6 are no reason, nor worth a connection. */
static void serve_refusal(struct origin_conn *conn, void *arg)
{
    unsigned char bytes[9];
    (void)arg;
    if (origin_read_exact(conn, bytes, sizeof bytes)) {
        (void)origin_send(conn, "\0\133\0\0\0\0\0\0", 8);
    }
}

static void test_socks4_passes_ipv6_over(void **state)
{
    struct origin *proxy = serve_with(state, serve_refusal, NULL);
    char setting[64];
    snprintf(setting, sizeof setting, "socks4://%s", origin_host(proxy));
    ferry_transport *transport = transport_with(
        state, FERRY_TRANSPORT_OPTIONS(.proxy = setting,
                                       .resolve = (const char *const[]){
                                           "both.example:80:[::1],192.0.2.7,[::2]", NULL}));
    assert_failed(get(transport, "http://both.example/"), FERRY_ECONNECT,
                  "socks4: it refused, or could not connect");
    assert_int_equal(origin_counts(proxy).accepted, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRANSPORT_TEST(test_socks4_is_told_addresses),
        TRANSPORT_TEST(test_socks4a_is_told_names),
        TRANSPORT_TEST(test_socks4_has_no_ipv6),
        TRANSPORT_TEST(test_socks4_passes_ipv6_over),
    };
    return cmocka_run_group_tests_name("SOCKS4 proxies", tests, NULL, NULL);
}
