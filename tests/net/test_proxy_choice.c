/*
 * The choice of a proxy: by variables of both cases, and by what no_proxy names.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net/proxy_choice.h"

/* "NAME=value", up to NULL. */
static const char *const *variables;

static char *get(const char *name)
{
    for (const char *const *at = variables; *at != NULL; at++) {
        size_t len = strlen(name);
        if (strncmp(*at, name, len) == 0 && (*at)[len] == '=') {
            return (char *)*at + len + 1;
        }
    }
    return NULL;
}

struct choice {
    const char *env[5];
    const char *scheme, *host;
    const char *url; /* NULL: direct; "!": an error */
};

static void choose(const struct choice *choice)
{
    struct fy_proxy_settings settings;
    ferry_error err = {0};
    const char *proxy;
    variables = choice->env;
    fy_proxy_from_environment(&settings, get);
    int result = fy_proxy_choose(&settings, choice->scheme, choice->host,
                                 strcmp(choice->scheme, "http") == 0 ? 80 : 443, &proxy, &err);
    if (choice->url != NULL && strcmp(choice->url, "!") == 0) {
        assert_int_equal(result, -1);
        assert_int_equal(err.code, FERRY_EINVAL);
        assert_non_null(strstr(err.message, "refusing to use HTTP_PROXY"));
        return;
    }
    assert_int_equal(result, 0);
    if (choice->url == NULL) {
        assert_null(proxy);
        return;
    }
    assert_non_null(proxy);
    char *url = fy_proxy_url(proxy, &err);
    assert_string_equal(url, choice->url);
    free(url);
}

/* By upper-case names; the choices by lower-case ones are the same, but for the first error: only the
 * upper-case name is one that a client of a CGI program can set ("Proxy: ..."). */
static const struct choice choices[] = {
    {{NULL}, "http", "example.com", NULL},
    {{"HTTP_PROXY="}, "http", "example.com", NULL},
    {{"HTTP_PROXY=127.0.0.1:8080"}, "http", "example.com", "http://127.0.0.1:8080"},
    {{"HTTP_PROXY=cache.corp.example.com"}, "http", "example.com", "http://cache.corp.example.com"},
    {{"HTTP_PROXY=https://cache.corp.example.com"},
     "http",
     "example.com",
     "https://cache.corp.example.com"},
    {{"HTTP_PROXY=socks5://127.0.0.1"}, "http", "example.com", "socks5://127.0.0.1"},
    {{"HTTP_PROXY=http.proxy", "HTTPS_PROXY=secure.proxy"},
     "http",
     "example.com",
     "http://http.proxy"},
    {{"HTTP_PROXY=http.proxy", "HTTPS_PROXY=secure.proxy"},
     "https",
     "example.com",
     "http://secure.proxy"},
    {{"HTTP_PROXY=http://127.0.0.1:8080"}, "http", "example.com", "http://127.0.0.1:8080"},
    {{"HTTP_PROXY=http.proxy", "HTTPS_PROXY=https://secure.proxy"},
     "https",
     "example.com",
     "https://secure.proxy"},
    {{"HTTPS_PROXY=secure.proxy"}, "http", "example.com", NULL},
    {{"HTTP_PROXY=http.proxy"}, "https", "example.com", NULL},
    {{"HTTP_PROXY=proxy", "NO_PROXY=example.com"}, "http", "example.com", NULL},
    {{"HTTP_PROXY=proxy", "NO_PROXY=example.com"}, "http", "foo.example.com", NULL},
    {{"HTTP_PROXY=proxy", "NO_PROXY=.example.com"}, "http", "example.com", "http://proxy"},
    {{"HTTP_PROXY=proxy", "NO_PROXY=.example.com"}, "http", "foo.example.com", NULL},
    {{"HTTP_PROXY=proxy", "NO_PROXY=ample.com"}, "http", "example.com", "http://proxy"},
    {{"HTTP_PROXY=proxy", "REQUEST_METHOD=GET"}, "http", "example.com", "!"},
    {{"HTTP_PROXY=proxy", "REQUEST_METHOD=GET"}, "http", "127.0.0.1", NULL},
    {{"HTTPS_PROXY=proxy", "REQUEST_METHOD=GET"}, "https", "example.com", "http://proxy"},
    {{"HTTP_PROXY=proxy"}, "http", "localhost", NULL},
    {{"HTTP_PROXY=proxy"}, "http", "LOCALHOST.", NULL},
    {{"HTTP_PROXY=proxy"}, "http", "127.9.9.9", NULL},
    {{"HTTP_PROXY=proxy"}, "http", "::1", NULL},
    {{"HTTP_PROXY=proxy"}, "http", "::ffff:127.0.0.1", NULL},
    {{"ALL_PROXY=socks5h://s"}, "https", "example.com", "socks5h://s"},
    {{"ALL_PROXY=all", "HTTP_PROXY=own"}, "http", "example.com", "http://own"},
};

static void test_TR_056_upper_case(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof choices / sizeof choices[0]; i++) {
        choose(&choices[i]);
    }
}

/* The same choice with the variables' names in lower case. */
static void choose_in_lower_case(struct choice choice)
{
    char lower[5][64];
    for (size_t i = 0; i < 5 && choice.env[i] != NULL; i++) {
        snprintf(lower[i], sizeof lower[i], "%s", choice.env[i]);
        bool is_proxys = strncmp(lower[i], "REQUEST_METHOD", 14) != 0;
        for (char *at = lower[i]; is_proxys && *at != '='; at++) {
            *at = (char)tolower((unsigned char)*at);
        }
        choice.env[i] = lower[i];
    }
    if (choice.url != NULL && strcmp(choice.url, "!") == 0) {
        choice.url = "http://proxy";
    }
    choose(&choice);
}

static void test_TR_057_lower_case(void **state)
{
    (void)state;
    static const struct choice both[] = {
        {{"http_proxy=lower", "HTTP_PROXY=upper"}, "http", "example.com", "http://lower"},
        {{"http_proxy=safe", "HTTP_PROXY=forged", "REQUEST_METHOD=GET"},
         "http",
         "example.com",
         "http://safe"},
    };
    for (size_t i = 0; i < sizeof choices / sizeof choices[0]; i++) {
        choose_in_lower_case(choices[i]);
    }
    for (size_t i = 0; i < sizeof both / sizeof both[0]; i++) {
        choose(&both[i]);
    }
}

static void test_no_proxy_entries(void **state)
{
    (void)state;
    static const struct {
        const char *list, *host;
        uint16_t port;
        bool named;
    } cases[] = {
        {"*", "example.com", 80, true},
        {"", "example.com", 80, false},
        {"a.org, example.com b.org", "b.org", 80, true},
        {"Example.COM", "example.com", 80, true},
        {"example.com.", "example.com", 80, true},
        {"example.com", "example.com.", 80, true},
        {"*.example.com", "a.example.com", 80, true},
        {"*.example.com", "example.com", 80, false},
        {"example.com:80", "example.com", 80, true},
        {"example.com:80", "example.com", 81, false},
        {"example.com:x", "example.com", 80, false},
        {".example.com:80", "a.example.com", 80, true},
        {"10.1.2.3", "10.1.2.3", 80, true},
        {"10.1.2.3:81", "10.1.2.3", 80, false},
        {"10.1.2.3", "110.1.2.3", 80, false},
        {"2.3", "10.1.2.3", 80, false},
        {"10.0.0.0/8", "10.255.2.3", 80, true},
        {"10.0.0.0/8", "11.0.0.0", 80, false},
        {"10.128.0.0/9", "10.127.0.0", 80, false},
        {"10.0.0.0/33", "10.0.0.0", 80, false},
        {"0.0.0.0/0", "1.2.3.4", 80, true},
        {"0.0.0.0/0", "::2", 80, false},
        {"10.0.0.0/8", "::ffff:10.1.1.1", 80, true},
        {"2001:db8::/32", "2001:db8:1::1", 80, true},
        {"2001:db8::/32", "2001:db9::", 80, false},
        {"2001:db8::1", "2001:db8:0::1", 80, true},
        {"[2001:db8::1]", "2001:db8::1", 80, true},
        {"[2001:db8::1]:80", "2001:db8::1", 80, true},
        {"[2001:db8::1]:80", "2001:db8::1", 81, false},
        {"fe80::1", "fe80::1%eth0", 80, true},
        {".", "example.com", 80, false},
        {",,, ,", "example.com", 80, false},
#ifdef FERRY_WITH_IDN
        {"b\303\274cher.example", "xn--bcher-kva.example", 80, true},
        {"*.B\303\274cher.example:80", "www.xn--bcher-kva.example", 80, true},
        {".b\303\274cher.example", "xn--bcher-kva.example", 80, false},
#endif
        {"\377.example", "xn--bcher-kva.example", 80, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (fy_no_proxy_names(cases[i].list, cases[i].host, cases[i].port) != cases[i].named) {
            fail_msg("\"%s\" and %s:%d", cases[i].list, cases[i].host, cases[i].port);
        }
    }
}

static void test_proxy_schemes(void **state)
{
    (void)state;
    ferry_error err = {0};
    assert_null(fy_proxy_url("ftp://proxy", &err));
    assert_int_equal(err.code, FERRY_EUNSUPPORTED);
    assert_string_equal(err.message, "a proxy cannot have the scheme \"ftp\"");
    char *url = fy_proxy_url("HTTPS://proxy", &err);
    assert_string_equal(url, "HTTPS://proxy");
    free(url);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_TR_056_upper_case),
        cmocka_unit_test(test_TR_057_lower_case),
        cmocka_unit_test(test_no_proxy_entries),
        cmocka_unit_test(test_proxy_schemes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
