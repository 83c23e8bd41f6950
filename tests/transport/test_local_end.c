/*
 * Where connections come from and where they go to instead: a transport's local_address, interface,
 * local_port, ip_version, fallback_delay_ms, connect_to and send_proxy_protocol, as the server sees
 * them.
 */
#include "proxy_test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Answers with the client's address and port. */
static void serve_peers(struct origin_conn *conn, void *arg)
{
    (void)arg;
    while (origin_read_request(conn)) {
        struct sockaddr_in peer = {0};
        socklen_t len = sizeof peer;
        char host[INET_ADDRSTRLEN] = "";
        char body[64];
        (void)getpeername(origin_conn_fd(conn), (struct sockaddr *)&peer, &len);
        (void)inet_ntop(AF_INET, &peer.sin_addr, host, sizeof host);
        snprintf(body, sizeof body, "%s %d", host, ntohs(peer.sin_port));
        (void)origin_sendf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(body),
                           body);
    }
}

/* -------------------------------------------------------------------------------- the near end */

static void test_local_address(void **state)
{
    struct origin *origin = serve_with(state, serve_peers, NULL);
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.local_address = "127.0.0.3"));
    struct outcome outcome = get(transport, origin_url(origin, "/"));
    assert_int_equal(outcome.status, 200);
    assert_memory_equal(outcome.body, "127.0.0.3 ", 10);
}

/* What no interface of this machine has; and an address of the other kind, which is not dialed. */
static void test_local_address_that_will_not_do(void **state)
{
    struct origin *origin = serve_with(state, serve_peers, NULL);
    ferry_transport *foreign =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.local_address = "192.0.2.1"));
    struct outcome outcome = get(foreign, origin_url(origin, "/"));
    assert_failed(outcome, FERRY_ECONNECT, " from 192.0.2.1: ");
    assert_int_equal(outcome.err.os_errno, EADDRNOTAVAIL);
    ferry_transport *loopback =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.local_address = "127.0.0.3"));
    outcome = get(loopback, "http://192.0.2.1/");
    if (outcome.err.os_errno == EINVAL) { /* there may be no way to 192.0.2.1 at all */
        assert_failed(outcome, FERRY_ECONNECT,
                      "dial tcp 192.0.2.1:80 from 127.0.0.3: invalid argument");
    }
    ferry_transport *six = transport_with(state, FERRY_TRANSPORT_OPTIONS(.local_address = "::1"));
    assert_failed(get(six, origin_url(origin, "/")), FERRY_ERESOLVE,
                  "lookup 127.0.0.1: it has no address of IPv6");
    assert_int_equal(origin_counts(origin).accepted, 0);
}

/* Two ports beside each other that nobody has just now. */
static int two_free_ports(void)
{
    for (int base = 21000; base < 60000; base += 97) {
        int bound = 0;
        int fds[2];
        for (int i = 0; i < 2; i++) {
            struct sockaddr_in address = {.sin_family = AF_INET,
                                          .sin_port = htons((uint16_t)(base + i))};
            fds[i] = socket(AF_INET, SOCK_STREAM, 0);
            bound += bind(fds[i], (struct sockaddr *)&address, sizeof address) == 0;
        }
        close(fds[0]);
        close(fds[1]);
        if (bound == 2) {
            return base;
        }
    }
    return 0;
}

static int port_of(ferry_response *res)
{
    char buf[64] = "";
    int port = 0;
    ferry_error err = {0};
    assert_true(ferry_response_read(res, buf, sizeof buf - 1, &err) > 0);
    assert_int_equal(sscanf(buf, "127.0.0.1 %d", &port), 1);
    return port;
}

/* Answers what cannot be read to its end, so that the connection stays in use. */
static void serve_peers_and_hold(struct origin_conn *conn, void *arg)
{
    (void)arg;
    while (origin_read_request(conn)) {
        (void)origin_sendf(conn, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n127.0.0.1 %d\n",
                           origin_conn_peer_port(conn));
    }
}

/* A third connection finds no port in a range of two. */
static void test_local_ports(void **state)
{
    struct origin *origin = serve_with(state, serve_peers_and_hold, NULL);
    int first = two_free_ports();
    char text[64];
    ferry_transport *transport = transport_with(
        state, FERRY_TRANSPORT_OPTIONS(.local_port = first, .last_local_port = first + 1));
    ferry_response *one = open_get(transport, origin_url(origin, "/"));
    ferry_response *two = open_get(transport, origin_url(origin, "/"));
    assert_int_equal(port_of(one), first);
    assert_int_equal(port_of(two), first + 1);
    struct outcome third = get(transport, origin_url(origin, "/"));
    snprintf(text, sizeof text, " from port %d to %d: ", first, first + 1);
    assert_failed(third, FERRY_ECONNECT, text);
    assert_int_equal(third.err.os_errno, EADDRINUSE);
    ferry_response_close(one);
    ferry_response_close(two);
}

static void test_interface(void **state)
{
    struct origin *origin = serve_with(state, serve_peers, NULL);
    ferry_transport *loopback = transport_with(state, FERRY_TRANSPORT_OPTIONS(.interface = "lo"));
    struct outcome outcome = get(loopback, origin_url(origin, "/"));
    if (outcome.status == 0 && outcome.err.os_errno == EPERM) {
        skip(); /* Linux before 5.7 wants a privilege for it */
    }
    assert_int_equal(outcome.status, 200);
    ferry_transport *none = transport_with(state, FERRY_TRANSPORT_OPTIONS(.interface = "nosuch0"));
    assert_failed(get(none, origin_url(origin, "/")), FERRY_ECONNECT, " from nosuch0: ");
}

static void test_ip_version(void **state)
{
    struct origin *origin = serve_with(state, serve_peers, NULL);
    char url[64];
    snprintf(url, sizeof url, "http://localhost:%d/", origin_port(origin));
    ferry_transport *four = transport_with(state, FERRY_TRANSPORT_OPTIONS(.ip_version = 4));
    assert_int_equal(get(four, url).status, 200);
    ferry_transport *six = transport_with(
        state, FERRY_TRANSPORT_OPTIONS(.ip_version = 6, .resolve = (const char *const[]){
                                                            "only4.example:80:127.0.0.1", NULL}));
    assert_failed(get(six, "http://only4.example/"), FERRY_ERESOLVE,
                  "lookup only4.example: it has no address of IPv6");
    assert_int_equal(origin_counts(origin).accepted, 1);
}

/* A listener at 127.0.0.2 whose queue is full: connecting to it neither succeeds nor fails. */
struct silent {
    int listener, filler;
};

static struct silent silent_at(int port)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)port),
        .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK + 1)},
    };
    struct silent silent = {.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
                            .filler = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    assert_int_equal(bind(silent.listener, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(silent.listener, 0), 0);
    assert_int_equal(connect(silent.filler, (const struct sockaddr *)&address, sizeof address), 0);
    return silent;
}

#define SILENT_ONES 60

/* At the usual pace it would take longer than the dial may to get past those that do not answer. */
static void test_fallback_delay(void **state)
{
    struct origin *origin = serve_with(state, serve_identity, NULL);
    int port = origin_port(origin);
    struct silent silent = silent_at(port);
    char entry[64 + SILENT_ONES * sizeof "127.0.0.2,"];
    char url[64];
    int len = snprintf(entry, sizeof entry, "h.example:%d:", port);
    for (int i = 0; i < SILENT_ONES; i++) {
        len += snprintf(entry + len, sizeof entry - (size_t)len, "127.0.0.2,");
    }
    snprintf(entry + len, sizeof entry - (size_t)len, "127.0.0.1");
    snprintf(url, sizeof url, "http://h.example:%d/", port);
    ferry_transport *transport = transport_with(
        state, FERRY_TRANSPORT_OPTIONS(.resolve = (const char *const[]){entry, NULL},
                                       .fallback_delay_ms = 1, .dial_timeout_ms = 10000));

    assert_got(get(transport, url), 200, "1");
    assert_int_equal(origin_counts(origin).accepted, 1);
    close(silent.filler);
    close(silent.listener);
}

/* Then an address waits until the one before has failed: by refusing, and not by its silence. */
static void test_no_fallback_beside(void **state)
{
    struct origin *origin = serve_with(state, serve_identity, NULL);
    int port = origin_port(origin);
    struct silent silent = silent_at(port);
    char entry[100];
    char other_entry[100];
    char url[64];
    char message[100];
    snprintf(entry, sizeof entry, "silent.example:%d:127.0.0.2,127.0.0.1", port);
    snprintf(other_entry, sizeof other_entry, "refusing.example:%d:127.0.0.3,127.0.0.1", port);
    ferry_transport *transport = transport_with(
        state, FERRY_TRANSPORT_OPTIONS(.resolve = (const char *const[]){entry, other_entry, NULL},
                                       .fallback_delay_ms = -1, .dial_timeout_ms = 400));

    snprintf(url, sizeof url, "http://silent.example:%d/", port);
    snprintf(message, sizeof message, "dial tcp 127.0.0.2:%d: i/o timeout", port);
    assert_failed(get(transport, url), FERRY_ETIMEOUT, message);
    assert_int_equal(origin_counts(origin).accepted, 0);
    snprintf(url, sizeof url, "http://refusing.example:%d/", port);
    assert_got(get(transport, url), 200, "1");
    close(silent.filler);
    close(silent.listener);
}

/* The address of this end is one of IPv4, and says nothing of what a SOCKS proxy connects to; but
 * ip_version says which of a name's addresses it is told. */
static void test_what_a_socks_proxy_is_told(void **state)
{
    struct origin *proxy = serve_with(state, serve_socks, NULL);
    const char *const entries[] = {"six.example:80:[::1]", NULL};
    static const char six[] = "05010004"
                              "00000000000000000000000000000001";
    char url[64];
    snprintf(url, sizeof url, "http://[::1]:%d/", origin_port(proxy)); /* does not listen there */
    const struct {
        const char *scheme, *url;
        int ip_version;
        bool is_told;
    } cases[] = {
        {"socks5h://", url, 0, true},
        {"socks5h://", url, 4, true},
        {"socks5://", "http://six.example/", 0, true},
        {"socks5://", "http://six.example/", 4, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *setting = proxy_at(cases[i].scheme, origin_port(proxy));
        ferry_transport *transport = transport_with(
            state, FERRY_TRANSPORT_OPTIONS(.proxy = setting, .local_address = "127.0.0.3",
                                           .ip_version = cases[i].ip_version, .resolve = entries));
        socks_forget();
        assert_failed(get(transport, cases[i].url),
                      cases[i].is_told ? FERRY_ECONNECT : FERRY_ERESOLVE,
                      cases[i].is_told ? "socks5: " : "it has no address of IPv4");
        assert_int_equal(strstr(socks_asked(), six) != NULL, cases[i].is_told);
    }
}

static void test_options_that_cannot_be_used(void **state)
{
    const struct {
        ferry_transport_options options;
        const char *message;
    } cases[] = {
        {{.local_address = "localhost"}, "local_address \"localhost\" is no address"},
        {{.local_address = "::1", .ip_version = 4}, "is none of its ip_version"},
        {{.ip_version = 5}, "neither 4 nor 6"},
        {{.local_port = 70000}, "no range of ports"},
        {{.local_port = 7, .last_local_port = 6}, "no range of ports"},
        {{.last_local_port = 6}, "no range of ports"},
        {{.interface = "a-name-that-is-too-long"}, "no interface's name"},
        {{.connect_to = (const char *const[]){"a:1:b", NULL}}, "connect_to entry \"a:1:b\""},
        {{.connect_to = (const char *const[]){"a:x:b:1", NULL}}, "connect_to entry"},
        {{.connect_to = (const char *const[]){"a:0:b:1", NULL}}, "connect_to entry"},
        {{.connect_to = (const char *const[]){"a:1:b:65536", NULL}}, "connect_to entry"},
        {{.connect_to = (const char *const[]){"[::1:1:b:1", NULL}}, "connect_to entry"},
        {{.connect_to = (const char *const[]){"a:1:b:1x", NULL}}, "connect_to entry"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ferry_transport_options options = cases[i].options;
        options.size = sizeof options;
        ferry_transport *transport = transport_with(state, &options);
        assert_failed(get(transport, "http://127.0.0.1:1/"), FERRY_EINVAL, cases[i].message);
    }
}

/* --------------------------------------------------------------------------------- the far end */

/* Which entry's: of a URL's host and port at the origin, "" where it would be dialed itself. */
static void goes(void **state, struct origin *origin, const char *entry_format, const char *url)
{
    char entry[128];
    char host[512];
    unsigned before = origin_counts(origin).requests;
    snprintf(entry, sizeof entry, entry_format, origin_port(origin));
    const char *const entries[] = {"other.example:80:192.0.2.1:1", entry, "::192.0.2.1:1", NULL};
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.connect_to = entries));
    assert_int_equal(get(transport, url).status, 200);
    snprintf(host, sizeof host, "\r\nHost: %.*s\r\n", (int)strcspn(url + 7, "/"), url + 7);
    assert_non_null(strstr(origin_request(origin, before).head, host));
}

/* A name may have up to 253 bytes (RFC 1035 section 2.3.4): more than a dial has room for beside itself. */
#define LABEL_OF_60 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz01234567"

static void test_connect_to(void **state)
{
    struct origin *origin = serve_with(state, serve_peers, NULL);
    goes(state, origin, "a.example:80:127.0.0.1:%d", "http://a.example/");
    goes(state, origin, "A.example.:80:127.0.0.1:%d", "http://a.example/");
    goes(state, origin, "a.example::127.0.0.1:%d", "http://a.example:81/");
    goes(state, origin, ":82:127.0.0.1:%d", "http://b.example:82/");
    goes(state, origin, ":82:127.0.0.1:%d",
         "http://" LABEL_OF_60 "." LABEL_OF_60 "." LABEL_OF_60 "." LABEL_OF_60 ":82/");
    goes(state, origin, "::127.0.0.1:%d", "http://c.example:83/");
    goes(state, origin, "[::1]:84:localhost:%d", "http://[::1]:84/");
    goes(state, origin, "127.0.0.1:85::%d", "http://127.0.0.1:85/");
}

/* TLS is agreed on with whom the URL names. */
static void test_connect_to_keeps_the_name(void **state)
{
    struct tls_server *target = serve_tls_target();
    char entry[64];
    snprintf(entry, sizeof entry, "localhost:1:127.0.0.1:%d", tls_server_port(target));
    ferry_transport *transport = transport_with(
        state,
        FERRY_TRANSPORT_OPTIONS(.connect_to = (const char *const[]){entry, "::localhost:", NULL},
                                .tls = FERRY_TLS_OPTIONS(.ca_file = proxy_ca_file)));
    assert_got(get(transport, "https://localhost:1/"), 200, "ok");
    assert_non_null(strstr(tls_target_asked(), "Host: localhost:1\r\n"));
    ferry_transport_close_idle(transport); /* the target serves one at a time */
    char url[64];
    snprintf(url, sizeof url, "https://wrong.example:%d/", tls_server_port(target));
    assert_failed(get(transport, url), FERRY_ECERTIFICATE, "wrong.example");
    transport_done(state, transport);
    tls_server_stop(target);
}

/* A proxy is not asked for the URL then, but for a tunnel to the other host. */
static void test_connect_to_through_proxies(void **state)
{
    struct origin *origin = serve_with(state, serve_peers, NULL);
    struct origin *proxy = serve_with(state, serve_tunnels, NULL);
    struct origin *socks = serve_with(state, serve_socks, NULL);
    char entry[64];
    char asked[128];
    snprintf(entry, sizeof entry, "a.example:80:b.example:%d", origin_port(origin));
    const char *const entries[] = {entry, NULL};
    ferry_transport *transport = transport_with(
        state, FERRY_TRANSPORT_OPTIONS(.proxy = proxy_at("http://", origin_port(proxy)),
                                       .connect_to = entries));
    assert_int_equal(get(transport, "http://a.example/").status, 200);
    snprintf(asked, sizeof asked, "CONNECT b.example:%d HTTP/1.1\r\n", origin_port(origin));
    assert_memory_equal(origin_request(proxy, 0).head, asked, strlen(asked));
    assert_non_null(strstr(origin_request(origin, 0).head, "Host: a.example\r\n"));

    socks_forget();
    transport = transport_with(
        state, FERRY_TRANSPORT_OPTIONS(.proxy = proxy_at("socks5h://", origin_port(socks)),
                                       .connect_to = entries));
    assert_int_equal(get(transport, "http://a.example/").status, 200);
    assert_non_null(strstr(socks_asked(), "622e6578616d706c65")); /* "b.example" */
}

/* ------------------------------------------------------------------------------- PROXY protocol */

static void serve_introduced(struct origin_conn *conn, void *arg)
{
    char line[128] = "";
    (void)arg;
    for (size_t i = 0; i < sizeof line - 1 && strchr(line, '\n') == NULL; i++) {
        if (!origin_read_exact(conn, line + i, 1)) {
            return;
        }
    }
    while (origin_read_request(conn)) {
        (void)origin_sendf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(line),
                           line);
    }
}

static void test_send_proxy_protocol(void **state)
{
    struct origin *origin = serve_with(state, serve_introduced, NULL);
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.send_proxy_protocol = 1));
    char wanted[128];
    char first[128];
    int port;
    struct outcome outcome = get(transport, origin_url(origin, "/"));
    assert_int_equal(outcome.status, 200);
    assert_int_equal(sscanf(outcome.body, "PROXY TCP4 127.0.0.1 127.0.0.1 %d", &port), 1);
    snprintf(wanted, sizeof wanted, "PROXY TCP4 127.0.0.1 127.0.0.1 %d %d\r\n", port,
             origin_port(origin));
    assert_string_equal(outcome.body, wanted);
    snprintf(first, sizeof first, "%.127s", outcome.body);
    assert_got(get(transport, origin_url(origin, "/")), 200, first); /* once a connection */
    assert_int_equal(origin_counts(origin).accepted, 1);
}

static void test_send_proxy_protocol_without_addresses(void **state)
{
    struct origin *origin = serve_script(
        state, &(struct origin_script){.serve = serve_introduced, .family = ORIGIN_UNIX});
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.send_proxy_protocol = 1,
                                                      .unix_socket = origin_socket_path(origin)));
    assert_got(get(transport, "http://localhost/"), 200, "PROXY UNKNOWN\r\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRANSPORT_TEST(test_local_address),
        TRANSPORT_TEST(test_local_address_that_will_not_do),
        TRANSPORT_TEST(test_local_ports),
        TRANSPORT_TEST(test_interface),
        TRANSPORT_TEST(test_ip_version),
        TRANSPORT_TEST(test_fallback_delay),
        TRANSPORT_TEST(test_no_fallback_beside),
        TRANSPORT_TEST(test_what_a_socks_proxy_is_told),
        TRANSPORT_TEST(test_options_that_cannot_be_used),
        TRANSPORT_TEST(test_connect_to),
        TRANSPORT_TEST(test_connect_to_keeps_the_name),
        TRANSPORT_TEST(test_connect_to_through_proxies),
        TRANSPORT_TEST(test_send_proxy_protocol),
        TRANSPORT_TEST(test_send_proxy_protocol_without_addresses),
    };
    return cmocka_run_group_tests_name("the near end", tests, proxy_test_make, proxy_test_free);
}
