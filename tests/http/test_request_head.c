/*
 * The request's head, byte for byte (RW-001: the order of fields; the caller's keep theirs).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "http/request.h"

static ferry_request *make(const char *method, const char *url)
{
    ferry_error err = {0};
    ferry_request *req = ferry_request_new(method, url, &err);
    if (req == NULL) {
        fail_msg("%s", err.message);
    }
    return req;
}

static void set(ferry_request *req, const char *name, const char *value)
{
    assert_int_equal(ferry_request_set_header(req, name, value), 0);
}

static void add(ferry_request *req, const char *name, const char *value)
{
    assert_int_equal(ferry_request_add_header(req, name, value), 0);
}

static ssize_t read_nothing(void *arg, void *buf, size_t len)
{
    (void)arg;
    (void)buf;
    (void)len;
    return 0;
}

static void set_reader(ferry_request *req, int64_t len)
{
    assert_int_equal(ferry_request_set_body_reader(req, read_nothing, NULL, NULL, len), 0);
}

/* Writes the head, compares, and frees the request. */
static void writes_with(ferry_request *req, const struct fy_head_options *options, const char *head)
{
    struct fy_buffer out = {0};
    ferry_error err = {0};
    assert_int_equal(fy_request_write_head(req, options, &out, &err), 0);
    fy_buffer_append_byte(&out, '\0');
    assert_string_equal(out.bytes, head);
    fy_buffer_free(&out);
    ferry_request_free(req);
}

static void writes(ferry_request *req, const char *head)
{
    writes_with(req, &(struct fy_head_options){.user_agent = "ferry/0"}, head);
}

static void test_RW_001_a_plain_get(void **state)
{
    (void)state;
    writes(make("GET", "http://example.org/a b?c=d#e"), "GET /a%20b?c=d HTTP/1.1\r\n"
                                                        "Host: example.org\r\n"
                                                        "User-Agent: ferry/0\r\n"
                                                        "\r\n");
}

static void test_RW_001_order_of_fields(void **state)
{
    (void)state;
    ferry_request *req = make("POST", "http://u:p@example.org:8080/x");
    set(req, "X-zebra", "1");
    set(req, "Accept", "*/*");
    add(req, "x-ZEBRA", "2");
    set(req, "Connection", "upgrade");
    set(req, "Upgrade", "echo");
    ferry_request_set_close(req, 1);
    assert_int_equal(ferry_request_set_body(req, "abcdef", 6), 0);
    writes(req, "POST /x HTTP/1.1\r\n"
                "Host: example.org:8080\r\n"
                "User-Agent: ferry/0\r\n"
                "Connection: upgrade, close\r\n"
                "Content-Length: 6\r\n"
                "Authorization: Basic dTpw\r\n"
                "X-zebra: 1\r\n"
                "Accept: */*\r\n"
                "x-ZEBRA: 2\r\n"
                "Upgrade: echo\r\n"
                "\r\n");
}

static void test_user_agents(void **state)
{
    (void)state;
    ferry_request *req = make("GET", "http://h/");
    set(req, "user-agent", "mine");
    writes(req, "GET / HTTP/1.1\r\nHost: h\r\nuser-agent: mine\r\n\r\n");
    req = make("GET", "http://h/");
    set(req, "User-Agent", NULL);
    writes(req, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    req = make("GET", "http://h/");
    set(req, "User-Agent", "");
    writes(req, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    req = make("GET", "http://h/");
    set(req, "User-Agent", NULL);
    set(req, "User-Agent", "back");
    writes(req, "GET / HTTP/1.1\r\nHost: h\r\nUser-Agent: back\r\n\r\n");
    writes_with(make("GET", "http://h/"), &(struct fy_head_options){0},
                "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
}

static void test_one_connection_field_whoever_asks(void **state)
{
    (void)state;
    const struct fy_head_options close = {.close = true};
    writes_with(make("GET", "http://h/"), &close,
                "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    ferry_request *req = make("GET", "http://h/");
    set(req, "Connection", "close");
    ferry_request_set_close(req, 1);
    writes_with(req, &close, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    req = make("GET", "http://h/");
    set(req, "Connection", "keep-alive");
    writes_with(req, &(struct fy_head_options){0}, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    req = make("GET", "http://h/");
    set(req, "Connection", "TE");
    add(req, "Connection", "upgrade, close");
    set(req, "TE", "trailers");
    writes_with(
        req, &close,
        "GET / HTTP/1.1\r\nHost: h\r\nConnection: TE, upgrade, close\r\nTE: trailers\r\n\r\n");
}

static void test_CS_025_known_lengths(void **state)
{
    (void)state;
    static const struct {
        const char *method;
        const char *body;
        const char *framing;
    } cases[] = {
        {"POST", "", "Content-Length: 0\r\n"},
        {"PUT", "", "Content-Length: 0\r\n"},
        {"PATCH", "", "Content-Length: 0\r\n"},
        {"GET", "", ""},
        {"DELETE", "", ""},
        {"post", "", ""},
        {"GET", "xyz", "Content-Length: 3\r\n"},
        {"DELETE", "0123456789", "Content-Length: 10\r\n"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char head[128];
        ferry_request *req = make(cases[i].method, "http://h/");
        assert_int_equal(ferry_request_set_body(req, cases[i].body, strlen(cases[i].body)), 0);
        assert_false(fy_request_chunked(req));
        snprintf(head, sizeof(head), "%s / HTTP/1.1\r\nHost: h\r\nUser-Agent: ferry/0\r\n%s\r\n",
                 cases[i].method, cases[i].framing);
        writes(req, head);
    }
    ferry_request *req = make("POST", "http://h/");
    set_reader(req, 1234567890123456789);
    writes(req, "POST / HTTP/1.1\r\nHost: h\r\nUser-Agent: ferry/0\r\nContent-Length: "
                "1234567890123456789\r\n\r\n");
    req = make("GET", "http://h/");
    set_reader(req, 0);
    writes(req, "GET / HTTP/1.1\r\nHost: h\r\nUser-Agent: ferry/0\r\n\r\n");
}

static void test_CS_026_unknown_lengths(void **state)
{
    (void)state;
    ferry_request *req = make("POST", "http://h/");
    set_reader(req, -1);
    assert_true(fy_request_chunked(req));
    writes(
        req,
        "POST / HTTP/1.1\r\nHost: h\r\nUser-Agent: ferry/0\r\nTransfer-Encoding: chunked\r\n\r\n");
    req = make("GET", "http://h/");
    set_reader(req, -1);
    writes(
        req,
        "GET / HTTP/1.1\r\nHost: h\r\nUser-Agent: ferry/0\r\nTransfer-Encoding: chunked\r\n\r\n");
}

static void test_CS_039_connect(void **state)
{
    (void)state;
    ferry_request *req = make("CONNECT", "http://example.org/ignored");
    writes(
        req,
        "CONNECT example.org:80 HTTP/1.1\r\nHost: example.org:80\r\nUser-Agent: ferry/0\r\n\r\n");
    req = make("CONNECT", "http://example.org:8443/");
    set(req, "Host", "other.example:99");
    writes(req, "CONNECT other.example:99 HTTP/1.1\r\nHost: other.example:99\r\nUser-Agent: "
                "ferry/0\r\n\r\n");
    req = make("CONNECT", "http://[fe80::1%25eth0]/");
    set_reader(req, -1); /* what follows is the tunnel's own */
    assert_false(fy_request_chunked(req));
    writes(req,
           "CONNECT [fe80::1]:80 HTTP/1.1\r\nHost: [fe80::1]:80\r\nUser-Agent: ferry/0\r\n\r\n");
    req = make("CONNECT", "http://proxy.example:3128/");
    assert_int_equal(ferry_request_set_target(req, "example.org:443"), 0);
    set(req, "Host", "example.org:443");
    writes(
        req,
        "CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\nUser-Agent: ferry/0\r\n\r\n");
}

static void test_CS_043_RW_001_verbatim_targets(void **state)
{
    (void)state;
    ferry_request *req = make("FOO", "http://h/x");
    assert_int_equal(ferry_request_set_target(req, "*"), 0);
    writes(req, "FOO * HTTP/1.1\r\nHost: h\r\nUser-Agent: ferry/0\r\n\r\n");
    req = make("GET", "http://h/");
    assert_int_equal(ferry_request_set_target(req, "/%2f/../[x]|?#"), 0);
    writes(req, "GET /%2f/../[x]|?# HTTP/1.1\r\nHost: h\r\nUser-Agent: ferry/0\r\n\r\n");
}

static void test_SV_080_methods_keep_their_case(void **state)
{
    (void)state;
    writes(make("get", "http://h/"), "get / HTTP/1.1\r\nHost: h\r\nUser-Agent: ferry/0\r\n\r\n");
}

static void test_hosts(void **state)
{
    (void)state;
    const struct fy_head_options none = {0};
    ferry_request *req = make("GET", "http://h/");
    set(req, "host", "Virtual.example:80");
    writes_with(req, &none, "GET / HTTP/1.1\r\nHost: virtual.example:80\r\n\r\n");
    writes_with(make("GET", "http://[fe80::1%25en0]:80/"), &none,
                "GET / HTTP/1.1\r\nHost: [fe80::1]\r\n\r\n");
    writes_with(make("GET", "http://[fe80::1%en0]:81/"), &none,
                "GET / HTTP/1.1\r\nHost: [fe80::1]:81\r\n\r\n");
    writes_with(make("GET", "https://H:443/"), &none, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
}

/* CL-030: decoded before they are encoded again; and the lengths that base64 pads in three ways. */
static void test_CL_030_credentials(void **state)
{
    (void)state;
    const struct fy_head_options none = {0};
    static const char *const cases[][2] = {
        {"http://My%20User:My%20Pass@dummy.example/", "TXkgVXNlcjpNeSBQYXNz"},
        {"http://Aladdin:open%20sesame@dummy.example/", "QWxhZGRpbjpvcGVuIHNlc2FtZQ=="},
        {"http://u@dummy.example/", "dTo="},
        {"http://:p@dummy.example/", "OnA="},
        {"http://u:%FF%FE%fd@dummy.example/", "dTr//v0="},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char head[256];
        snprintf(head, sizeof(head),
                 "GET / HTTP/1.1\r\nHost: dummy.example\r\nAuthorization: Basic %s\r\n\r\n",
                 cases[i][1]);
        ferry_request *req = make("GET", cases[i][0]);
        assert_string_equal(ferry_request_url(req), "http://dummy.example/");
        writes_with(req, &none, head);
    }
    ferry_request *req = make("GET", "http://u:p@h/");
    set(req, "authorization", "Bearer x");
    writes_with(req, &none, "GET / HTTP/1.1\r\nHost: h\r\nauthorization: Bearer x\r\n\r\n");
    req = make("GET", "http://u:p@h/");
    set(req, "Authorization", NULL);
    writes_with(req, &none, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
}

static void test_heads_follow_one_another_in_a_buffer(void **state)
{
    (void)state;
    ferry_request *req = make("GET", "http://h/");
    struct fy_buffer out = {0};
    ferry_error err = {0};
    const struct fy_head_options none = {0};
    for (int i = 0; i < 100; i++) {
        assert_int_equal(fy_request_write_head(req, &none, &out, &err), 0);
    }
    static const char head[] = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    assert_int_equal(out.len, 100 * (sizeof(head) - 1));
    assert_memory_equal(out.bytes + out.len - (sizeof(head) - 1), head, sizeof(head) - 1);
    out.failed = true;
    assert_int_equal(fy_request_write_head(req, &none, &out, &err), -1);
    assert_int_equal(err.code, FERRY_ENOMEM);
    fy_buffer_free(&out);
    ferry_request_free(req);
}

/* ---------------------------------------------------------------------------------- to a proxy */

static void test_RW_001_proxy_form(void **state)
{
    (void)state;
    const struct fy_head_options proxy = {.user_agent = "ferry/0", .absolute = true};
    writes_with(make("GET", "http://example.org/a b?c=d#e"), &proxy,
                "GET http://example.org/a%20b?c=d HTTP/1.1\r\n"
                "Host: example.org\r\n"
                "User-Agent: ferry/0\r\n"
                "\r\n");
    /* The URL says where to, whatever Host says; a zone and user info are nobody else's. */
    ferry_request *req = make("GET", "http://u:p@[::1]:8080/");
    set(req, "Host", "other");
    writes_with(req, &proxy,
                "GET http://[::1]:8080/ HTTP/1.1\r\n"
                "Host: other\r\n"
                "User-Agent: ferry/0\r\n"
                "Authorization: Basic dTpw\r\n"
                "\r\n");
}

static void test_RW_001_targets_in_proxy_form(void **state)
{
    (void)state;
    static const struct {
        const char *method, *target, *line;
    } cases[] = {
        {"GET", "/x y", NULL},
        {"GET", "/x?%zz", "GET http://h/x?%zz HTTP/1.1\r\n"},
        {"OPTIONS", "*", "OPTIONS http://h HTTP/1.1\r\n"},
        {"GET", "http://other/y", "GET http://other/y HTTP/1.1\r\n"},
        {"CONNECT", NULL, "CONNECT h:80 HTTP/1.1\r\n"},
    };
    const struct fy_head_options proxy = {.absolute = true};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fy_buffer out = {0};
        ferry_error err = {0};
        ferry_request *req = make(cases[i].method, "http://h/");
        int set = cases[i].target == NULL ? 0 : ferry_request_set_target(req, cases[i].target);
        assert_int_equal(set, cases[i].line != NULL ? 0 : -1);
        if (cases[i].line != NULL) {
            assert_int_equal(fy_request_write_head(req, &proxy, &out, &err), 0);
            assert_int_equal(strncmp(out.bytes, cases[i].line, strlen(cases[i].line)), 0);
        }
        fy_buffer_free(&out);
        ferry_request_free(req);
    }
}

static void test_fields_for_a_proxy(void **state)
{
    (void)state;
    struct fy_field list[] = {
        {"X-Trace", "1", 7, 1}, {"accept", "no", 6, 2}, {"User-Agent", "no", 10, 2}};
    const struct fy_header fields = {.fields = list, .count = 3, .capacity = 3};
    const struct fy_head_options direct = {.proxy_authorization = "Basic dTpw",
                                           .proxy_fields = &fields};
    struct fy_head_options proxy = direct;
    proxy.absolute = true;
    ferry_request *req = make("GET", "http://h/");
    set(req, "Accept", "yes");
    writes_with(req, &proxy,
                "GET http://h/ HTTP/1.1\r\nHost: h\r\nAccept: yes\r\n"
                "Proxy-Authorization: Basic dTpw\r\nX-Trace: 1\r\n\r\n");
    writes_with(make("GET", "http://h/"), &direct, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    /* The caller's own goes before ours, and goes to proxies only. */
    req = make("GET", "http://h/");
    set(req, "Proxy-Authorization", "mine");
    writes_with(req, &(struct fy_head_options){.absolute = true, .proxy_authorization = "no"},
                "GET http://h/ HTTP/1.1\r\nHost: h\r\nProxy-Authorization: mine\r\n\r\n");
    req = make("GET", "http://h/");
    set(req, "proxy-authorization", "mine");
    writes_with(req, &direct, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    req = make("CONNECT", "http://h/");
    set(req, "Proxy-Authorization", "mine");
    writes_with(req, &direct,
                "CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\nProxy-Authorization: mine\r\n\r\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_RW_001_a_plain_get),
        cmocka_unit_test(test_RW_001_order_of_fields),
        cmocka_unit_test(test_RW_001_proxy_form),
        cmocka_unit_test(test_RW_001_targets_in_proxy_form),
        cmocka_unit_test(test_fields_for_a_proxy),
        cmocka_unit_test(test_user_agents),
        cmocka_unit_test(test_one_connection_field_whoever_asks),
        cmocka_unit_test(test_CS_025_known_lengths),
        cmocka_unit_test(test_CS_026_unknown_lengths),
        cmocka_unit_test(test_CS_039_connect),
        cmocka_unit_test(test_CS_043_RW_001_verbatim_targets),
        cmocka_unit_test(test_SV_080_methods_keep_their_case),
        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_CL_030_credentials),
        cmocka_unit_test(test_heads_follow_one_another_in_a_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
