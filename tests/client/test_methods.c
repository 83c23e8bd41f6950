/*
 * Any method, with and without a body: the request line has the very token, and the framing follows
 * from the body (RFC 9110 section 8.6, RFC 9112 section 6).
 */
#include "client_test.h"

#include <stdio.h>

#include "bytes.h"

static ssize_t read_once(void *arg, void *buf, size_t len)
{
    const char **rest = arg;
    size_t n = strlen(*rest);
    n = n < len ? n : len;
    memcpy(buf, *rest, n);
    *rest += n;
    return (ssize_t)n;
}

static void test_every_method_with_every_body(void **state)
{
    static const struct {
        const char *method;
        const char *without; /* framing of a request without a body; NULL: none */
    } cases[] = {
        {"GET", NULL},
        {"POST", "Content-Length: 0"},
        {"PUT", "Content-Length: 0"},
        {"PATCH", "Content-Length: 0"},
        {"DELETE", NULL},
        {"OPTIONS", NULL},
        {"PROPFIND", NULL},
        {"patch", NULL}, /* case matters: this is another one */
        {"M-SEARCH", NULL},
        {"!#$%&'*+-.^_`|~09", NULL},
    };
    struct origin *origin = serve_reply(state, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    ferry_client *client = client_with(transport_with(state, NULL), (ferry_client_options){0});
    size_t seen = 0;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (int body = 0; body < 4; body++) {
            static const char *const framing[] = {NULL, "Content-Length: 4", "Content-Length: 4",
                                                  "Transfer-Encoding: chunked"};
            const char *rest = "body";
            char line[64];
            ferry_request *req = request(cases[i].method, origin_url(origin, "/"));
            if (body == 1) {
                ferry_request_set_body(req, rest, 4);
            } else if (body > 1) {
                ferry_request_set_body_reader(req, read_once, NULL, &rest, body == 2 ? 4 : -1);
            }
            assert_got(do_request(client, req), 200, "ok");
            ferry_request_free(req);
            struct origin_request got = origin_request(origin, seen++);
            snprintf(line, sizeof line, "%s / HTTP/1.1\r\n", cases[i].method);
            assert_memory_equal(got.head, line, strlen(line));
            const char *wanted = body == 0 ? cases[i].without : framing[body];
            if (wanted != NULL) {
                snprintf(line, sizeof line, "\r\n%s\r\n", wanted);
                assert_non_null(strstr(got.head, line));
            } else {
                assert_null(strstr(got.head, "Content-Length"));
                assert_null(strstr(got.head, "Transfer-Encoding"));
            }
            assert_int_equal(got.body_len, body == 0 ? 0 : 4);
            assert_memory_equal(body == 0 ? "" : got.body, "body", body == 0 ? 0 : 4);
        }
    }
    assert_int_equal(origin_counts(origin).accepted, 1);
    ferry_client_free(client);
}

static void test_options_of_the_whole_server(void **state)
{
    struct origin *origin =
        serve_reply(state, "HTTP/1.1 204 No Content\r\nAllow: GET, OPTIONS\r\n\r\n");
    ferry_client *client = client_with(transport_with(state, NULL), (ferry_client_options){0});
    ferry_request *req = request("OPTIONS", origin_url(origin, "/not/this"));
    assert_int_equal(ferry_request_set_target(req, "*"), 0);
    assert_got(do_request(client, req), 204, "");
    assert_int_equal(strncmp(origin_request(origin, 0).head, "OPTIONS * HTTP/1.1\r\n", 20), 0);
    ferry_request_free(req);
    ferry_client_free(client);
}

static void test_no_tokens(void **state)
{
    static const char *const methods[] = {"GE T", "GET\r\nX: y", "G\xc3\x84T", "GET/", "(GET)"};
    (void)state;
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        ferry_error err = {0};
        assert_null(ferry_request_new(methods[i], "http://127.0.0.1/", &err));
        assert_error(&err, FERRY_EINVAL, NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRANSPORT_TEST(test_every_method_with_every_body),
        TRANSPORT_TEST(test_options_of_the_whole_server),
        cmocka_unit_test(test_no_tokens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
