/*
 * Proxies from their settings: what is taken out of them, what is refused, and what nobody gets to
 * see.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net/proxy.h"

static void taken_apart(void **state)
{
    (void)state;
    static const struct {
        const char *setting;
        enum fy_proxy_kind kind;
        const char *host, *host_port, *user, *password;
        uint16_t port;
    } cases[] = {
        {"proxy", FY_PROXY_HTTP, "proxy", "proxy:80", NULL, NULL, 80},
        {"proxy:3128", FY_PROXY_HTTP, "proxy", "proxy:3128", NULL, NULL, 3128},
        {"u:p@proxy:3128/path", FY_PROXY_HTTP, "proxy", "proxy:3128", "u", "p", 3128},
        {"//u:p@proxy:3128", FY_PROXY_HTTP, "proxy", "proxy:3128", "u", "p", 3128},
        {"HTTP://Proxy", FY_PROXY_HTTP, "proxy", "proxy:80", NULL, NULL, 80},
        {"https://proxy", FY_PROXY_HTTPS, "proxy", "proxy:443", NULL, NULL, 443},
        {"https://proxy:80", FY_PROXY_HTTPS, "proxy", "proxy:80", NULL, NULL, 80},
        {"socks4://bob@proxy", FY_PROXY_SOCKS4, "proxy", "proxy:1080", "bob", NULL, 1080},
        {"SOCKS4a://proxy:9", FY_PROXY_SOCKS4A, "proxy", "proxy:9", NULL, NULL, 9},
        {"socks5://[::1]", FY_PROXY_SOCKS5, "::1", "[::1]:1080", NULL, NULL, 1080},
        {"socks5h://a%3a:%40b@127.0.0.1:9", FY_PROXY_SOCKS5H, "127.0.0.1", "127.0.0.1:9",
         "a:", "@b", 9},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ferry_error err = {0};
        struct fy_proxy *proxy = fy_proxy_new(cases[i].setting, false, &err);
        assert_string_equal(err.message, "");
        assert_non_null(proxy);
        assert_int_equal(proxy->kind, cases[i].kind);
        assert_string_equal(proxy->host, cases[i].host);
        assert_string_equal(proxy->host_port, cases[i].host_port);
        assert_int_equal(proxy->port, cases[i].port);
        assert_string_equal(proxy->user != NULL ? proxy->user : "-",
                            cases[i].user != NULL ? cases[i].user : "-");
        assert_string_equal(proxy->password != NULL ? proxy->password : "-",
                            cases[i].password != NULL ? cases[i].password : "-");
        fy_proxy_release(proxy);
    }
}

#define NOT_A_SCHEME                                                                      \
    "the proxy's setting: it has a \"://\" where none can be: percent-encode what is no " \
    "letter or digit in the name and the password"

static void refused(void **state)
{
    (void)state;
    char long_name[300] = "socks5://";
    memset(long_name + 9, 'a', 256);
    strcpy(long_name + 9 + 256, "@h");
    const struct {
        const char *setting, *message;
    } cases[] = {
        {"ftp://proxy", "the proxy's setting: a proxy cannot have the scheme \"ftp\""},
        {"socks6://proxy", "the proxy's setting: a proxy cannot have the scheme \"socks6\""},
        {"u:se://cret@proxy", NOT_A_SCHEME},
        {"u:secret://proxy", NOT_A_SCHEME},
        {"u:secret@proxy:1/?http://", NOT_A_SCHEME},
        {"://u:secret@proxy", NOT_A_SCHEME},
        {"//u:secret@proxy:0",
         "the proxy's setting: parse \"http://u:xxxxx@proxy:0\": the port is not between 1 and "
         "65535"},
        {"http://", "the proxy's setting: parse \"http://\": no host"},
        {"http://u:secret@proxy:0",
         "the proxy's setting: parse \"http://u:xxxxx@proxy:0\": the port is not between 1 and "
         "65535"},
        {"u%0d%0aX:secret@proxy",
         "the proxy's setting: parse \"http://u%0d%0aX:xxxxx@proxy\": the user info has a control "
         "byte in it"},
        {"a%3ab:secret@proxy",
         "the proxy's setting: a name for Basic credentials cannot have a colon in it"},
        {long_name, "the proxy's setting: a name or password for SOCKS cannot be longer than 255 "
                    "bytes"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ferry_error err = {0};
        assert_null(fy_proxy_new(cases[i].setting, false, &err));
        assert_string_equal(err.message, cases[i].message);
    }
}

static void credentials(void **state)
{
    (void)state;
    static const struct {
        const char *setting, *value;
        bool digest;
    } cases[] = {
        {"proxy", "", false},
        {"u:p@proxy", "Basic dTpw", false},
        {"https://u@proxy", "Basic dTo=", false},
        {"http://:p@proxy", "Basic OnA=", false},
        {"u:p@proxy", "", true}, /* until it asks */
        {"socks5://u:p@proxy", "", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ferry_error err = {0};
        struct fy_buffer value = {0};
        struct fy_proxy *proxy = fy_proxy_new(cases[i].setting, cases[i].digest, &err);
        assert_non_null(proxy);
        assert_int_equal(fy_proxy_authorize(proxy, "GET", "http://h/", &value, &err), 0);
        fy_buffer_append_byte(&value, '\0');
        assert_string_equal(value.bytes, cases[i].value);
        fy_buffer_free(&value);
        fy_proxy_release(proxy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(taken_apart),
        cmocka_unit_test(refused),
        cmocka_unit_test(credentials),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
