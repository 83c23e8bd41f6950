/*
 * URLs: what is typed beside what becomes of it, and the sentences for what is no URL.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "http/url.h"

static void parse(struct fy_url *url, const char *text)
{
    ferry_error err = {0};
    if (fy_url_parse(url, text, &err) != 0) {
        fail_msg("%s: %s", text, err.message);
    }
}

/* What a URL becomes as text, and that this text is final. */
static void becomes(const char *typed, const char *text)
{
    struct fy_url url;
    struct fy_url again;
    parse(&url, typed);
    assert_string_equal(url.text, text);
    parse(&again, url.text);
    assert_string_equal(again.text, text);
    assert_string_equal(again.host_port, url.host_port);
    fy_url_free(&again);
    fy_url_free(&url);
}

static void test_the_parts(void **state)
{
    (void)state;
    struct fy_url url;
    parse(&url, "HTTP://Joe:s%20ecret@Example.ORG:8080/A/b?q=1#here");
    assert_string_equal(url.text, "http://example.org:8080/A/b?q=1");
    assert_string_equal(url.shown, "http://Joe:xxxxx@example.org:8080/A/b?q=1");
    assert_string_equal(url.scheme, "http");
    assert_string_equal(url.host, "example.org");
    assert_string_equal(url.authority, "example.org:8080");
    assert_string_equal(url.host_port, "example.org:8080");
    assert_string_equal(url.target, "/A/b?q=1");
    assert_string_equal(url.user, "Joe");
    assert_string_equal(url.password, "s ecret");
    assert_int_equal(url.port, 8080);
    fy_url_free(&url);
    assert_null(url.text);
    fy_url_free(&url);

    parse(&url, "https://example.org");
    assert_string_equal(url.text, "https://example.org/");
    assert_string_equal(url.shown, "https://example.org/");
    assert_string_equal(url.authority, "example.org");
    assert_string_equal(url.host_port, "example.org:443");
    assert_string_equal(url.target, "/");
    assert_null(url.user);
    assert_null(url.password);
    fy_url_free(&url);

    parse(&url, "gopher://h/x"); /* parsed, though nobody here speaks it */
    assert_string_equal(url.scheme, "gopher");
    assert_string_equal(url.text, "gopher://h/x");
    assert_int_equal(url.port, 0);
    fy_url_free(&url);
}

/* Which URLs are taken apart as they stand, and that it makes no difference but for time. */
static void test_the_plain_ones(void **state)
{
    (void)state;
    static const char *const plain[] = {"http://example.org/",
                                        "https://example.org/a/b?c=d&e=/?",
                                        "http://h:8080/x",
                                        "http://h:443/",
                                        "https://h:80/",
                                        "http://127.0.0.1:1/;p",
                                        "https://h_-.~9:65535/@:!$",
                                        "http://a.very.long.name.example/../b"};
    static const char *const other[] = {
        "http://example.org", "http://Example.org/", "HTTP://h/",
        "http://h:80/",       "https://h:443/",      "http://h:08080/",
        "http://h:/",         "http://h:65536/",     "http://h:0/",
        "http://:8080/",      "http://u@h/",         "http://[::1]/",
        "http://h/a b",       "http://h/%41",        "http://h/#x",
        "http://h?a",         "http://h\xc3\xa9/",   "ftp://h/",
        "http:/h/",           "httpx://h/",          "http://h/\xc3\xa9",
        "http://h/\"",        "http://h:8a/",        " http://h/"};
    struct fy_url_plain taken;
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
        struct fy_url url;
        struct fy_url typed;
        char spaced[80] = " "; /* what goes the long way */
        assert_true(fy_url_take_plain(&taken, plain[i]));
        parse(&url, plain[i]);
        parse(&typed, strcat(spaced, plain[i]));
        assert_string_equal(url.text, plain[i]);
        assert_string_equal(typed.text, plain[i]);
        assert_string_equal(url.shown, typed.shown);
        assert_string_equal(url.scheme, typed.scheme);
        assert_string_equal(url.host, typed.host);
        assert_string_equal(url.authority, typed.authority);
        assert_string_equal(url.host_port, typed.host_port);
        assert_string_equal(url.target, typed.target);
        assert_int_equal(url.port, typed.port);
        assert_int_equal(url.authority_len, strlen(url.authority));
        assert_int_equal(url.target_len, strlen(url.target));
        assert_int_equal(typed.authority_len, strlen(typed.authority));
        assert_int_equal(typed.target_len, strlen(typed.target));
        fy_url_free(&typed);
        fy_url_free(&url);
    }
    for (size_t i = 0; i < sizeof other / sizeof other[0]; i++) {
        assert_false(fy_url_take_plain(&taken, other[i]));
    }
    assert_false(fy_url_take_plain(&taken, NULL));
}

static void test_ports(void **state)
{
    (void)state;
    becomes("http://h:80/", "http://h/");
    becomes("http://h:0080/", "http://h/");
    becomes("http://h:/", "http://h/");
    becomes("http://h:443/", "http://h:443/");
    becomes("https://h:443/", "https://h/");
    becomes("https://h:80/", "https://h:80/");
    becomes("http://h:65535/", "http://h:65535/");
    becomes("http://h:1", "http://h:1/");
}

static void test_what_people_type_is_encoded(void **state)
{
    (void)state;
    becomes("http://h/a b", "http://h/a%20b");
    becomes("  http://h/  ", "http://h/");
    becomes("http://h/caf\xc3\xa9?q=\xe2\x82\xac", "http://h/caf%C3%A9?q=%E2%82%AC");
    becomes("http://h/\xff", "http://h/%FF");
    becomes("http://h/a|b\"c<d>e^f`g{h}", "http://h/a%7Cb%22c%3Cd%3Ee%5Ef%60g%7Bh%7D");
    becomes("http://h/x[1]?a[]=b\\", "http://h/x%5B1%5D?a%5B%5D=b%5C");
    becomes("http://h/100%", "http://h/100%25");
    becomes("http://h/100%/%4", "http://h/100%25/%254");
    becomes("http://h/%zz%41%2f", "http://h/%25zz%41%2f"); /* what is encoded stays as it is */
    becomes("http://h?q", "http://h/?q");
    becomes("http://h/?", "http://h/?");
    becomes("http://h?a?b/c", "http://h/?a?b/c");
    becomes("http://h#f", "http://h/");
    becomes("http://h/p#f?q", "http://h/p");
    becomes("http://h/!$&'()*+,;=:@-._~", "http://h/!$&'()*+,;=:@-._~");
}

/* As in Go, the path goes out as typed: a server may want its dots and slashes. */
static void test_paths_stay_as_typed(void **state)
{
    (void)state;
    becomes("http://h/a/../b/./c//d", "http://h/a/../b/./c//d");
    becomes("http://h//x", "http://h//x");
    becomes("http://h/..", "http://h/..");
    becomes("http://h/*", "http://h/*");
}

static void test_user_info(void **state)
{
    (void)state;
    static const struct {
        const char *typed;
        const char *user;
        const char *password;
        const char *shown;
    } cases[] = {
        {"http://u@h/", "u", NULL, "http://u@h/"},
        {"http://u:@h/", "u", "", "http://u:xxxxx@h/"},
        {"http://:p@h/", "", "p", "http://:xxxxx@h/"},
        {"http://@h/", NULL, NULL, "http://h/"},
        {"http://u:p@ss@h/", "u", "p@ss", "http://u:xxxxx@h/"},
        {"http://u:a:b@h/", "u", "a:b", "http://u:xxxxx@h/"},
        {"http://%75%3a%40:%70%25@h/", "u:@", "p%", "http://u%3A%40:xxxxx@h/"},
        {"http://u:100%@h/", "u", "100%", "http://u:xxxxx@h/"},
        {"http://j\xc3\xb6:p p@h/", "j\xc3\xb6", "p p", "http://j%C3%B6:xxxxx@h/"},
        {"http://u:p[1]@h/", "u", "p[1]", "http://u:xxxxx@h/"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fy_url url;
        parse(&url, cases[i].typed);
        if (cases[i].user == NULL) {
            assert_null(url.user);
        } else {
            assert_string_equal(url.user, cases[i].user);
        }
        if (cases[i].password == NULL) {
            assert_null(url.password);
        } else {
            assert_string_equal(url.password, cases[i].password);
        }
        assert_string_equal(url.shown, cases[i].shown);
        assert_string_equal(url.text, "http://h/");
        fy_url_free(&url);
    }
}

/* CL-032: only the password is masked, not equal text elsewhere. */
static void test_CL_032_the_password_is_masked(void **state)
{
    (void)state;
    struct fy_url url;
    ferry_error err = {0};
    parse(&url, "http://user:pass@pass.example/pass?pass=pass");
    assert_string_equal(url.shown, "http://user:xxxxx@pass.example/pass?pass=pass");
    fy_url_free(&url);
    parse(&url, "http://user:p%61ss@h/p%61ss");
    assert_string_equal(url.shown, "http://user:xxxxx@h/p%61ss");
    fy_url_free(&url);

    assert_int_equal(fy_url_parse(&url, "http://user:pass@pass:port/pass", &err), -1);
    assert_string_equal(err.message,
                        "parse \"http://user:xxxxx@pass:port/pass\": the port is not a number");
    /* A password that breaks the URL is one still. */
    assert_int_equal(fy_url_parse(&url, "http://user:pa/ss@h/", &err), -1);
    assert_string_equal(err.message, "parse \"http://user:xxxxx@h/\": the port is not a number");
    assert_int_equal(fy_url_parse(&url, "user:pass@h/", &err), -1);
    assert_string_equal(err.message, "parse \"user:xxxxx@h/\": no host");
    /* So is one where a URL does not quite begin as it should, or another one follows in it. */
    assert_int_equal(fy_url_parse(&url, "user:pass@h/?next=http://x/", &err), -1);
    assert_string_equal(err.message, "parse \"user:xxxxx@h/?next=http://x/\": no host");
    assert_int_equal(fy_url_parse(&url, "http:///user:pass@h/", &err), -1);
    assert_string_equal(err.message, "parse \"http:///user:xxxxx@h/\": no host");
    assert_int_equal(fy_url_parse(&url, "//user:pass@h/", &err), -1);
    assert_string_equal(err.message, "\"//user:xxxxx@h/\" has no scheme: did you mean "
                                     "\"http://user:xxxxx@h/\"?");
}

static void test_ipv6(void **state)
{
    (void)state;
    struct fy_url url;
    parse(&url, "http://[::1]/");
    assert_string_equal(url.host, "::1");
    assert_string_equal(url.authority, "[::1]");
    assert_string_equal(url.host_port, "[::1]:80");
    fy_url_free(&url);

    static const char *const with_zone[] = {"http://[FE80::1%25eth0]:8080/x",
                                            "http://[fe80:0:0::1%eth0]:8080/x",
                                            "http://[fe80::0.0.0.1%25%65th0]:8080/x"};
    for (size_t i = 0; i < sizeof(with_zone) / sizeof(with_zone[0]); i++) {
        parse(&url, with_zone[i]);
        assert_string_equal(url.host, "fe80::1%eth0");
        assert_string_equal(url.authority,
                            "[fe80::1]:8080"); /* a zone is nobody else's business: RFC 6874 */
        assert_string_equal(url.host_port, "[fe80::1%eth0]:8080");
        assert_string_equal(url.text, "http://[fe80::1%25eth0]:8080/x");
        fy_url_free(&url);
    }
    becomes("http://[fe80::1%25]/", "http://[fe80::1%2525]/"); /* the interface with number 25 */
    becomes("http://[::ffff:1.2.3.4]:80", "http://[::ffff:1.2.3.4]/");
}

static void test_names_beyond_ascii(void **state)
{
    (void)state;
#ifdef FERRY_WITH_IDN
    /* HT-002: lower case, composed, punycode, the port kept. */
    becomes("http://G\xc3\xbcnther.example:8080/", "http://xn--gnther-3ya.example:8080/");
    becomes("http://gu\xcc\x88nther.example/", "http://xn--gnther-3ya.example/");
    becomes("http://\xd0\xb3\xd0\xbe\xd1\x84\xd0\xb5\xd1\x80.\xd1\x80\xd1\x84/",
            "http://xn--c1ae0ajs.xn--p1ai/");
    becomes("http://stra\xc3\x9f"
            "e.de/",
            "http://xn--strae-oqa.de/");
    becomes("http://g%C3%BCnther.example/",
            "http://xn--gnther-3ya.example/"); /* RFC 3986 section 3.2.2 */
    becomes("http://\xe4\xbe\x8b\xe3\x80\x82\xe4\xbe\x8b/", "http://xn--fsq.xn--fsq/");
    becomes("http://\xef\xbc\x91.example/", "http://1.example/");
    struct fy_url url;
    ferry_error err = {0};
    /* Letters that IDNA turns into what ends a host. */
    assert_int_equal(fy_url_parse(&url, "http://a\xef\xbc\x8f.example/", &err), -1);
    assert_int_equal(err.code, FERRY_EURL);
    assert_int_equal(fy_url_parse(&url, "http://a\xe2\x84\x80.example/", &err), -1);
    assert_int_equal(fy_url_parse(&url, "http://\xff\xfe/", &err), -1);
    assert_non_null(strstr(err.message, "the host is no internationalized domain name: "));
#else
    struct fy_url url;
    ferry_error err = {0};
    assert_int_equal(fy_url_parse(&url, "http://g\xc3\xbcnther.example/", &err), -1);
    assert_int_equal(err.code, FERRY_EUNSUPPORTED);
    assert_non_null(strstr(err.message, "this build has no IDN"));
#endif
}

static void test_refusals_say_why(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *message;
    } cases[] = {
        {"", "the URL is empty"},
        {"   ", "the URL is empty"},
        {"example.org/x",
         "\"example.org/x\" has no scheme: did you mean \"http://example.org/x\"?"},
        {"//example.org/x",
         "\"//example.org/x\" has no scheme: did you mean \"http://example.org/x\"?"},
        {"localhost:8080/x",
         "\"localhost:8080/x\" has no scheme: did you mean \"http://localhost:8080/x\"?"},
        {"/x", "\"/x\" has no scheme and no host"},
        {"?", "\"?\" has no scheme and no host"},
        {"http:", "parse \"http:\": no host"},
        {"http:/x", "parse \"http:/x\": no host"},
        {"http:x", "parse \"http:x\": no host"},
        {"http://", "parse \"http://\": no host"},
        {"http:///x", "parse \"http:///x\": no host"},
        {"http://:80/", "parse \"http://:80/\": no host"},
        {"http://u@/", "parse \"http://u@/\": no host"},
        {"http://?q", "parse \"http://?q\": no host"},
        {"http://h:0/", "parse \"http://h:0/\": the port is not between 1 and 65535"},
        {"http://h:65536/", "parse \"http://h:65536/\": the port is not between 1 and 65535"},
        {"http://h:4294967376/",
         "parse \"http://h:4294967376/\": the port is not between 1 and 65535"},
        {"http://h:-1/", "parse \"http://h:-1/\": the port is not a number"},
        {"http://h:80x/", "parse \"http://h:80x/\": the port is not a number"},
        {"http://h:80:80/", "parse \"http://h:80:80/\": the port is not a number"},
        {"http://::1/", "parse \"http://::1/\": no host"},
        {"http://a b/", "parse \"http://a b/\": the host has a space in it"},
        {"http://a%20b/", "parse \"http://a%20b/\": the host has a space in it"},
        {"http://a%0d%0ab/", "parse \"http://a%0d%0ab/\": the host has a control byte in it"},
        {"http://a%00b/", "parse \"http://a%00b/\": the host has a NUL byte in it"},
        {"http://a%2fb/",
         "parse \"http://a%2fb/\": the host has a character in it that no host has"},
        {"http://a%/",
         "parse \"http://a%/\": the host has a percent sign without two digits in it"},
        {"http://a%25/", "parse \"http://a%25/\": the host has a percent sign in it"},
        {"http://a|b/", "parse \"http://a|b/\": the host has a character in it that no host has"},
        {"http://a]b/", "parse \"http://a]b/\": the host has a bracket in it"},
        {"http://a\\@b/", "parse \"http://a\\@b/\": a backslash before the path"},
        {"http://[::1/", "parse \"http://[::1/\": the IPv6 address has no closing bracket"},
        {"http://[::1]x/",
         "parse \"http://[::1]x/\": something other than a port follows the IPv6 address"},
        {"http://[::g]/", "parse \"http://[::g]/\": the address in brackets is no IPv6 address"},
        {"http://[1.2.3.4]/",
         "parse \"http://[1.2.3.4]/\": the address in brackets is no IPv6 address"},
        {"http://[v1.x]/", "parse \"http://[v1.x]/\": the address in brackets is no IPv6 address"},
        {"http://[]/", "parse \"http://[]/\": the address in brackets is no IPv6 address"},
        {"http://[::1%]/", "parse \"http://[::1%]/\": the zone of the IPv6 address is empty"},
        {"http://[::1%a b]/",
         "parse \"http://[::1%a b]/\": the zone of the IPv6 address is no interface name"},
        {"http://h/\n", "parse \"http://h/\\x0a\": a control byte in it"},
        {"http://h/a\tb", "parse \"http://h/a\\x09b\": a control byte in it"},
        {"http://h/ HTTP/1.1\r\nX: y",
         "parse \"http://h/ HTTP/1.1\\x0d\\x0aX: y\": a control byte in it"},
        {"http://u%0a@h/", "parse \"http://u%0a@h/\": the user info has a control byte in it"},
        {"http://u:%00@h/", "parse \"http://u:xxxxx@h/\": the user info has a control byte in it"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fy_url url;
        ferry_error err = {0};
        assert_int_equal(fy_url_parse(&url, cases[i].text, &err), -1);
        assert_string_equal(err.message, cases[i].message);
        assert_int_equal(err.code, FERRY_EURL);
        assert_null(url.text);
    }
    struct fy_url url;
    ferry_error err = {0};
    assert_int_equal(fy_url_parse(&url, NULL, &err), -1);
    assert_string_equal(err.message, "no URL");
}

static char *long_text(const char *head, size_t len, const char *tail)
{
    size_t head_len = strlen(head);
    char *text = malloc(head_len + len + strlen(tail) + 1);
    assert_non_null(text);
    memcpy(text, head, head_len);
    memset(text + head_len, 'a', len);
    strcpy(text + head_len + len, tail);
    return text;
}

static void test_absurd_urls_are_shortened(void **state)
{
    (void)state;
    static const struct {
        const char *head;
        size_t len;
        const char *tail;
        const char *end;
    } cases[] = {
        {"http://h/", 64 * 1024, "/the-end", "/the-end\": longer than 64 KiB"},
        {"http://h/", 1000000, "/the-end", ": longer than 64 KiB"},
        {"http://", 1000, ".example/", "aaa.example/\": the host is longer than 255 bytes"},
        {"http://", 2000, ".example/", "aaa.example/\": the host is absurdly long"},
        {"", 2000, ".example/the-end", "a.example/the-end\"?"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fy_url url;
        ferry_error err = {0};
        char *text = long_text(cases[i].head, cases[i].len, cases[i].tail);
        assert_int_equal(fy_url_parse(&url, text, &err), -1);
        size_t len = strlen(err.message);
        assert_true(len < 200);
        assert_non_null(strstr(err.message, "aaa...aaa"));
        assert_string_equal(err.message + len - strlen(cases[i].end), cases[i].end);
        free(text);
    }
}

/* What is accepted is accepted again in the form that it is given back in. */
static void test_the_limit_is_that_of_the_encoded_form(void **state)
{
    (void)state;
    for (size_t len = 64 * 1024 - 40; len < 64 * 1024; len++) {
        struct fy_url url;
        struct fy_url again;
        ferry_error err = {0};
        char *text = long_text("http://h/ ", len - 12, ""); /* one of them takes two bytes more */
        assert_int_equal(fy_url_parse(&url, text, &err), 0);
        assert_int_equal(fy_url_parse(&again, url.text, &err), 0);
        assert_string_equal(again.text, url.text);
        fy_url_free(&again);
        fy_url_free(&url);
        free(text);
    }
    static const char *const typed[] = {"http://h/ ", "http://\xc3\xbc.example/"};
    for (int i = 0; i < 2; i++) {
        struct fy_url url;
        ferry_error err = {0};
        char *text = long_text(typed[i], 64 * 1024 - strlen(typed[i]), "");
        assert_int_equal(fy_url_parse(&url, text, &err), -1);
        assert_int_equal(err.code, FERRY_EURL);
        assert_non_null(strstr(err.message, "\": longer than 64 KiB once it is encoded"));
        free(text);
    }
    /* Nor does a redirect make a longer one. */
    struct fy_url base;
    struct fy_url url;
    ferry_error err = {0};
    char *text = long_text("http://h/", 40000, "/");
    assert_int_equal(fy_url_parse(&base, text, &err), 0);
    assert_int_equal(fy_url_resolve(&url, &base, text + strlen("http://h/"), &err), -1);
    assert_int_equal(err.code, FERRY_EURL);
    assert_non_null(strstr(err.message, "\": longer than 64 KiB once it is encoded"));
    fy_url_free(&base);
    free(text);
}

/* On a stack as small as a task's: no part of this may recurse over the length. */
static void *parse_long(void *arg)
{
    struct fy_url url;
    struct fy_url resolved;
    ferry_error err = {0};
    bool *done = arg;
    char *text = long_text("http://h/", 60000, "?q");
    for (size_t i = 9; i < 60000; i += 2) {
        text[i] = '/';
    }
    bool parsed = fy_url_parse(&url, text, &err) == 0;
    for (size_t i = 0; i + 3 <= 60000; i += 3) {
        memcpy(text + i, "../", 3);
    }
    *done = parsed && fy_url_resolve(&resolved, &url, text, &err) == 0;
    fy_url_free(&resolved);
    fy_url_free(&url);
    free(text);
    return NULL;
}

static void test_long_urls_need_little_stack(void **state)
{
    (void)state;
    pthread_attr_t attributes;
    pthread_t thread;
    bool done = false;
    assert_int_equal(pthread_attr_init(&attributes), 0);
    assert_int_equal(pthread_attr_setstacksize(&attributes, 128 * 1024), 0);
    assert_int_equal(pthread_create(&thread, &attributes, parse_long, &done), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    pthread_attr_destroy(&attributes);
    assert_true(done);
}

static void test_copies_stand_alone(void **state)
{
    (void)state;
    struct fy_url url;
    struct fy_url copy;
    parse(&url, "http://u@h:81/x?y");
    assert_int_equal(fy_url_copy(&copy, &url), 0);
    fy_url_free(&url);
    assert_string_equal(copy.text, "http://h:81/x?y");
    assert_string_equal(copy.shown, "http://u@h:81/x?y");
    assert_string_equal(copy.target, "/x?y");
    assert_string_equal(copy.user, "u");
    assert_null(copy.password);
    assert_int_equal(copy.port, 81);
    fy_url_free(&copy);
    assert_int_equal(fy_url_copy(&copy, &url), 0); /* an empty one */
    assert_null(copy.text);
}

static void test_what_connect_asks_for(void **state)
{
    (void)state;
    static const char *const cases[][2] = {{"http://h/", "h:80"},
                                           {"https://h/", "h:443"},
                                           {"http://h:8080/", "h:8080"},
                                           {"http://[fe80::1%25eth0]/", "[fe80::1]:80"}};
    for (size_t i = 0; i < 4; i++) {
        struct fy_url url;
        struct fy_buffer out = {0};
        parse(&url, cases[i][0]);
        fy_url_connect_target(&url, &out);
        assert_int_equal(out.len, strlen(cases[i][1]));
        assert_memory_equal(out.bytes, cases[i][1], out.len);
        fy_buffer_free(&out);
        fy_url_free(&url);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_parts),
        cmocka_unit_test(test_the_plain_ones),
        cmocka_unit_test(test_ports),
        cmocka_unit_test(test_what_people_type_is_encoded),
        cmocka_unit_test(test_paths_stay_as_typed),
        cmocka_unit_test(test_user_info),
        cmocka_unit_test(test_CL_032_the_password_is_masked),
        cmocka_unit_test(test_ipv6),
        cmocka_unit_test(test_names_beyond_ascii),
        cmocka_unit_test(test_refusals_say_why),
        cmocka_unit_test(test_absurd_urls_are_shortened),
        cmocka_unit_test(test_the_limit_is_that_of_the_encoded_form),
        cmocka_unit_test(test_long_urls_need_little_stack),
        cmocka_unit_test(test_copies_stand_alone),
        cmocka_unit_test(test_what_connect_asks_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
