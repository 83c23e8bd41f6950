/*
 * What a trace is told of connections and of heads as they came: byte for byte, interim ones and a
 * proxy's among them.
 */
#include "wire_test.h"

#include <stdio.h>
#include <stdlib.h>

static void got_head_text(void *arg, const char *head, size_t len)
{
    tell(arg, "got %zu <%.*s>", len, (int)len, head);
}

/* ------------------------------------------------------------------------------ responses' heads */

#define ODD_HEAD \
    "HTTP/1.1 200 \r\nContent-Length:2\r\nx-ODD: \t blanks  \r\nEmpty:\r\nX-odd:again\r\n\r\n"

static void test_heads_as_they_came(void **state)
{
    struct origin *origin = serve_reply(
        state, "HTTP/1.1 103 Early\r\nLink:  </a>\r\n\r\nHTTP/1.1 102\r\n\r\n" ODD_HEAD "ok");
    ferry_transport *transport = transport_with(state, NULL);
    struct trace_text told = {0};
    ferry_request *req = wire_request("GET", origin, "/");
    ferry_request_set_trace(req, FERRY_TRACE(.got_head_text = got_head_text), &told);
    assert_got(send_and_read(transport, req), 200, "ok");
    assert_string_equal(told.text, "got 35 <HTTP/1.1 103 Early\r\nLink:  </a>\r\n\r\n>"
                                   "got 16 <HTTP/1.1 102\r\n\r\n>"
                                   "got 75 <" ODD_HEAD ">");
    ferry_request_free(req);
}

static void send_in_bytes(struct origin_conn *conn, void *arg)
{
    (void)arg;
    if (origin_read_request(conn)) {
        (void)origin_send_slowly(conn, BYTES(ODD_HEAD "ok"));
    }
}

/* Each byte in a read of its own; and a head that is never whole is not told. */
static void test_heads_that_come_in_pieces(void **state)
{
    struct origin *origin = serve_with(state, send_in_bytes, NULL);
    static const struct origin_reply half[] = {
        {.bytes = "HTTP/1.1 200 OK\r\nContent-Le", .then = ORIGIN_THEN_CLOSE}};
    struct origin *cut = serve_replies(state, half, 1);
    ferry_transport *transport = transport_with(state, NULL);
    struct trace_text told = {0};
    ferry_request *req = wire_request("GET", origin, "/");
    ferry_request_set_trace(req, FERRY_TRACE(.got_head_text = got_head_text), &told);
    assert_got(send_and_read(transport, req), 200, "ok");
    assert_string_equal(told.text, "got 75 <" ODD_HEAD ">");
    ferry_request_free(req);

    req = wire_request("GET", cut, "/");
    told.text[0] = '\0';
    ferry_request_set_trace(req, FERRY_TRACE(.got_head_text = got_head_text), &told);
    assert_failed(send_and_read(transport, req), FERRY_ETRUNCATED, NULL);
    assert_string_equal(told.text, "");
    ferry_request_free(req);
}

/* ---------------------------------------------------------------------------------- connections */

struct seen {
    ferry_connection_info info;
    char local[128], remote[128], proxy[128];
    int count;
};

static void got_connection(void *arg, const ferry_connection_info *info)
{
    struct seen *seen = arg;
    seen->info = *info;
    snprintf(seen->local, sizeof seen->local, "%s", info->local);
    snprintf(seen->remote, sizeof seen->remote, "%s", info->remote);
    snprintf(seen->proxy, sizeof seen->proxy, "%s", info->proxy);
    seen->count++;
}

static struct seen seen_of(ferry_transport *transport, const char *url)
{
    struct seen seen = {0};
    ferry_request *req = request("GET", url);
    ferry_request_set_trace(req, FERRY_TRACE(.got_connection = got_connection), &seen);
    assert_int_equal(send_and_read(transport, req).status, 200);
    ferry_request_free(req);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.info.size, sizeof seen.info);
    return seen;
}

/* Answers with the client's port. */
static void serve_ports(struct origin_conn *conn, void *arg)
{
    (void)arg;
    while (origin_read_request(conn)) {
        (void)origin_sendf(conn, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n%05d",
                           origin_conn_peer_port(conn));
    }
}

static void test_connection_of_a_request(void **state)
{
    struct origin *origin = serve_with(state, serve_ports, NULL);
    ferry_transport *transport = transport_with(state, NULL);
    char url[256];
    snprintf(url, sizeof url, "%s", origin_url(origin, "/"));
    struct seen first = seen_of(transport, url);
    struct seen second = seen_of(transport, url);
    struct outcome ports = get(transport, url);
    char local[32];
    snprintf(local, sizeof local, "127.0.0.1:%d", atoi(ports.body));
    assert_string_equal(first.local, local);
    assert_string_equal(first.remote, origin_host(origin));
    assert_string_equal(first.proxy, "");
    assert_null(first.info.tls);
    assert_true(first.info.requests == 0 && second.info.requests == 1);
    assert_true(first.info.number > 0 && first.info.number == second.info.number);
    assert_string_equal(second.local, local);
}

static void test_connection_to_a_unix_socket(void **state)
{
    struct origin *origin = serve_script(
        state, &(struct origin_script){.serve = serve_identity, .family = ORIGIN_UNIX});
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.unix_socket = origin_socket_path(origin)));
    struct seen seen = seen_of(transport, "http://localhost/");
    assert_string_equal(seen.local, "");
    assert_string_equal(seen.remote, origin_socket_path(origin));
}

/* -------------------------------------------------------------------------------------- tunnels */

static void tunnel_wrote(void *arg, const char *head, size_t len)
{
    tell(arg, "asked <%.*s>", (int)len, head);
}

static void tunnel_got(void *arg, int status, const char *head, size_t len)
{
    tell(arg, "answered %d <%.*s>", status, (int)len, head);
}

static const ferry_trace tunnels = {
    .size = sizeof tunnels,
    .got_head_text = got_head_text,
    .got_connection = NULL,
    .tunnel_wrote_head_text = tunnel_wrote,
    .tunnel_got_head_text = tunnel_got,
};

static void serve_tunnel(struct origin_conn *conn, void *arg)
{
    (void)arg;
    if (origin_read_request(conn) &&
        origin_send_text(conn, "HTTP/1.1 100\r\n\r\nHTTP/1.0 200 Opened\r\nVia:x\r\n\r\n") &&
        origin_read_request(conn)) {
        (void)origin_send_text(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    }
}

static void test_a_tunnels_heads(void **state)
{
    struct origin *proxy = serve_with(state, serve_tunnel, NULL);
    struct origin *refuses = serve_reply(state, "HTTP/1.1 403 No\r\nContent-Length: 3\r\n\r\nno!");
    struct trace_text told = {0};
    char name[64];
    snprintf(name, sizeof name, "http://127.0.0.1:%d", origin_port(proxy));
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.proxy = name, .proxy_tunnel = 1));
    ferry_request *req = request("GET", "http://target.example/");
    assert_int_equal(ferry_request_set_header(req, "User-Agent", NULL), 0);
    ferry_request_set_trace(req, &tunnels, &told);
    assert_got(send_and_read(transport, req), 200, "ok");
    assert_string_equal(
        told.text, "asked <CONNECT target.example:80 HTTP/1.1\r\nHost: target.example:80\r\n\r\n>"
                   "answered 200 <HTTP/1.1 100\r\n\r\nHTTP/1.0 200 Opened\r\nVia:x\r\n\r\n>"
                   "got 38 <HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n>");

    snprintf(name, sizeof name, "http://127.0.0.1:%d", origin_port(refuses));
    transport = transport_with(state, FERRY_TRANSPORT_OPTIONS(.proxy = name, .proxy_tunnel = 1));
    told.text[0] = '\0';
    assert_failed(send_and_read(transport, req), FERRY_EPROXY, "403");
    assert_string_equal(
        told.text, "asked <CONNECT target.example:80 HTTP/1.1\r\nHost: target.example:80\r\n\r\n>"
                   "answered 403 <HTTP/1.1 403 No\r\nContent-Length: 3\r\n\r\n>");
    ferry_request_free(req);

    ferry_request *plain = request("GET", "http://target.example/");
    struct seen seen = {0};
    snprintf(name, sizeof name, "http://127.0.0.1:%d", origin_port(proxy));
    transport = transport_with(state, FERRY_TRANSPORT_OPTIONS(.proxy = name, .proxy_tunnel = 1));
    ferry_request_set_trace(plain, FERRY_TRACE(.got_connection = got_connection), &seen);
    assert_got(send_and_read(transport, plain), 200, "ok");
    assert_string_equal(seen.proxy, name + strlen("http://"));
    assert_string_equal(seen.remote, name + strlen("http://"));
    ferry_request_free(plain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRANSPORT_TEST(test_heads_as_they_came),
        TRANSPORT_TEST(test_heads_that_come_in_pieces),
        TRANSPORT_TEST(test_connection_of_a_request),
        TRANSPORT_TEST(test_connection_to_a_unix_socket),
        TRANSPORT_TEST(test_a_tunnels_heads),
    };
    return cmocka_run_group_tests_name("traces of heads", tests, NULL, NULL);
}
