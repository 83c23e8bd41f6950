/*
 * Proxies below a client: the whole sentence of an error, and what a redirect takes along, and
 * leaves behind.
 */
#include "client_test.h"

#include <stdio.h>

#define OK_REPLY "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

static const char *proxy_url(const struct origin *origin)
{
    static char url[128];
    snprintf(url, sizeof url, "http://bob:secret@%s", origin_host(origin));
    return url;
}

static struct outcome do_and_free(ferry_client *client, ferry_request *req)
{
    struct outcome outcome = do_request(client, req);
    ferry_request_free(req);
    return outcome;
}

static int fail_to_choose(void *arg, const char *url, const char **proxy, ferry_error *err)
{
    (void)arg;
    (void)url;
    (void)proxy;
    err->code = FERRY_EINVAL;
    strcpy(err->message, "the list of proxies cannot be read");
    return -1;
}

static void test_TR_069_whole_sentences(void **state)
{
    static const struct {
        const char *proxy, *url, *message;
        int code;
    } cases[] = {
        {NULL, "http://example.org/",
         "Get \"http://example.org/\": choosing a proxy: the list of proxies cannot be read",
         FERRY_EINVAL},
        {"ftp://proxy", "http://example.org/",
         "Get \"http://example.org/\": the proxy's setting: a proxy cannot have the scheme \"ftp\"",
         FERRY_EUNSUPPORTED},
        {"bob:secret@127.0.0.1:1", "https://example.com/",
         "Get \"https://example.com/\": proxy 127.0.0.1:1: dial tcp 127.0.0.1:1: connection "
         "refused",
         FERRY_ECONNECT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ferry_transport *transport = transport_with(
            state,
            FERRY_TRANSPORT_OPTIONS(.proxy = cases[i].proxy,
                                    .proxy_fn = cases[i].proxy == NULL ? fail_to_choose : NULL));
        ferry_client *client = client_with(transport, (ferry_client_options){0});
        ferry_request *req = request("GET", cases[i].url);
        struct outcome outcome = do_and_free(client, req);
        assert_failed(outcome, cases[i].code, NULL);
        assert_string_equal(outcome.err.message, cases[i].message);
        ferry_client_free(client);
        transport_done(state, transport);
    }
}

static void test_a_tunnel_that_is_refused(void **state)
{
    struct origin *proxy = serve_reply(state, "HTTP/1.1 403 Filtered\r\n\r\n");
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.proxy = proxy_url(proxy)));
    ferry_client *client = client_with(transport, (ferry_client_options){0});
    char message[200];
    struct outcome outcome = do_and_free(client, request("GET", "https://example.com/a"));
    assert_failed(outcome, FERRY_EPROXY, NULL);
    snprintf(message, sizeof message,
             "Get \"https://example.com/a\": proxy %s: CONNECT example.com:443 was refused with "
             "status 403 Filtered",
             origin_host(proxy));
    assert_string_equal(outcome.err.message, message);
    ferry_client_free(client);
}

/* From a host behind the proxy to one that is reached directly: nothing that is the proxy's goes
 * there, and neither does what was the first host's. */
static void test_a_redirect_out_of_the_proxy(void **state)
{
    struct origin *origin = serve_reply(state, OK_REPLY);
    char reply[200];
    snprintf(reply, sizeof reply, "HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n",
             origin_url(origin, "/next"));
    struct origin *proxy = serve_reply(state, reply);
    const ferry_field fields[] = {{"X-Proxy-Only", "1"}};
    ferry_transport *transport = transport_with(
        state, FERRY_TRANSPORT_OPTIONS(.proxy = proxy_url(proxy), .no_proxy = "127.0.0.1",
                                       .proxy_fields = fields, .proxy_field_count = 1));
    ferry_client *client = client_with(transport, (ferry_client_options){0});
    ferry_request *req = request("GET", "http://user:own@example.org/");
    assert_int_equal(ferry_request_set_header(req, "Proxy-Authorization", "Bearer mine"), 0);
    assert_got(do_and_free(client, req), 200, "ok");
    assert_true(has_field(proxy, 0, "Proxy-Authorization: Bearer mine\r\n"));
    assert_true(has_field(proxy, 0, "X-Proxy-Only: 1\r\n"));
    assert_true(has_field(proxy, 0, "Authorization: Basic dXNlcjpvd24=\r\n"));
    assert_false(has_field(origin, 0, "Authorization"));
    assert_false(has_field(origin, 0, "Proxy"));
    ferry_client_free(client);
}

/* From one host behind the proxy to another: the proxy stays the proxy. */
static void test_a_redirect_behind_the_proxy(void **state)
{
    static const struct origin_reply replies[] = {
        {.bytes = "HTTP/1.1 302 Found\r\nLocation: http://other.example/\r\nContent-Length: 0\r\n"
                  "\r\n"},
        {.bytes = OK_REPLY},
    };
    struct origin *proxy = serve_replies(state, replies, 2);
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.proxy = proxy_url(proxy)));
    ferry_client *client = client_with(transport, (ferry_client_options){0});
    assert_got(do_and_free(client, request("GET", "http://user:own@example.org/")), 200, "ok");
    assert_int_equal(strncmp(origin_request(proxy, 1).head, "GET http://other.example/ ", 26), 0);
    assert_true(has_field(proxy, 1, "Proxy-Authorization: Basic Ym9iOnNlY3JldA==\r\n"));
    assert_false(has_field(proxy, 1, "\r\nAuthorization"));
    assert_int_equal(origin_counts(proxy).accepted, 1);
    ferry_client_free(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRANSPORT_TEST(test_TR_069_whole_sentences),
        TRANSPORT_TEST(test_a_tunnel_that_is_refused),
        TRANSPORT_TEST(test_a_redirect_out_of_the_proxy),
        TRANSPORT_TEST(test_a_redirect_behind_the_proxy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
