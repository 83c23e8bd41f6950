/*
 * The cookie jar: what a server may set from where, and what goes with which request. Each case says
 * URL and Set-Cookie beside what comes of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <ferry.h>

#include "client/cookie_jar.h"
#include "client/cookie_scope.h"

/* ------------------------------------------------------------------------------------ in a line */

static ferry_cookie_jar *new_jar(void)
{
    ferry_cookie_jar *jar = ferry_cookie_jar_new();
    assert_non_null(jar);
    return jar;
}

static void set(ferry_cookie_jar *jar, const char *url, const char *cookie)
{
    ferry_error err = {0};
    if (ferry_cookie_jar_set(jar, url, cookie, &err) != 0) {
        fail_msg("%s: %s", cookie, err.message);
    }
}

static void refuses(ferry_cookie_jar *jar, const char *url, const char *cookie, const char *why)
{
    ferry_error err = {0};
    assert_int_equal(ferry_cookie_jar_set(jar, url, cookie, &err), -1);
    if (strstr(err.message, why) == NULL) {
        fail_msg("%s: refused with: %s", cookie, err.message);
    }
}

static void sends_at(ferry_cookie_jar *jar, const char *url, const char *wanted, int line)
{
    ferry_error err = {0};
    char *got = ferry_cookie_jar_get(jar, url, &err);
    if (got == NULL || strcmp(got, wanted) != 0) {
        fail_msg("line %d: %s gets \"%s\", not \"%s\" %s", line, url, got != NULL ? got : "(null)",
                 wanted, err.message);
    }
    free(got);
}
#define sends(jar, url, wanted) sends_at(jar, url, wanted, __LINE__)

/* Where the last of the jar's cookies belongs. */
struct shown {
    char domain[64];
    int host_only;
};

static void show(void *arg, const ferry_cookie *cookie)
{
    struct shown *shown = arg;
    snprintf(shown->domain, sizeof shown->domain, "%s", cookie->domain);
    shown->host_only = cookie->host_only;
}

/* ------------------------------------------------------------------------------------ the scopes */

/* What the URL parser and the jar make of hosts together. */
static void test_CJ_002_canonical_hosts(void **state)
{
    static const struct {
        const char *set, *get;
    } same[] = {
        {"http://www.Example.TEST/", "http://www.example.test/"},
        {"http://www.example.test:8080/", "http://www.example.test/"},
        {"http://www.example.test./", "http://www.example.test/"},
        {"http://[::1]:8080/", "http://[0:0::1]/"},
#ifdef FERRY_WITH_IDN
        {"http://bücher.test/", "http://xn--bcher-kva.test/"},
#endif
    };
    (void)state;
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        ferry_cookie_jar *jar = new_jar();
        set(jar, same[i].set, "a=1");
        sends(jar, same[i].get, "a=1");
        ferry_cookie_jar_free(jar);
    }
    static const char *const odd[][2] = {{"example.TEST.", "example.test"},
                                         {".", ""},
                                         {"..", "."},
                                         {"...", ".."},
                                         {".Net", ".net"},
                                         {".net.", ".net"},
                                         {"b.a..", "b.a."},
                                         {"192.168.0.5:8080", "192.168.0.5"}};
    ferry_cookie_jar *jar = new_jar();
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        char url[64];
        struct shown shown;
        snprintf(url, sizeof url, "http://%s/", odd[i][0]);
        set(jar, url, "a=1");
        assert_int_equal(ferry_cookie_jar_each(jar, show, &shown), 0);
        assert_string_equal(shown.domain, odd[i][1]);
        ferry_cookie_jar_clear(jar);
    }
    assert_int_equal(ferry_cookie_jar_set(jar, "http://[::1/", "a=1", NULL), -1);
    ferry_cookie_jar_free(jar);
}

static void test_CJ_006_is_ip(void **state)
{
    (void)state;
    assert_true(fy_cookie_host_is_ip("127.0.0.1"));
    assert_true(fy_cookie_host_is_ip("::1"));
    assert_true(fy_cookie_host_is_ip("fe80::1%eth0"));
    assert_false(fy_cookie_host_is_ip("1.1.1.300"));
    assert_false(fy_cookie_host_is_ip("123.example.test"));
    assert_false(fy_cookie_host_is_ip("127.0.0.1%eth0"));
    assert_false(fy_cookie_host_is_ip(""));
    assert_false(fy_cookie_host_is_ip("www.example.test"));
}

static void test_CJ_007_default_path(void **state)
{
    static const struct {
        const char *target;
        size_t len;
    } cases[] = {{"/", 0},           {"/abc", 0},   {"/abc/", 4},   {"/abc/xyz", 4},
                 {"/abc/xyz/", 8},   {"/a/b/c", 4}, {"/a/../b", 5}, {"//a//b", 4},
                 {"/abc?x=/y/z", 0}, {"", 0},       {"xy/z", 0}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(fy_cookie_default_path_len(cases[i].target), cases[i].len);
    }
}

/* The same as a user sees it, with a dot in front, too. An empty attribute is none at all. */
static void domain_by_the_jar(const char *host, const char *domain, bool good, bool host_only)
{
    ferry_cookie_jar *jar = new_jar();
    struct shown shown;
    bool ipv6 = strchr(host, ':') != NULL;
    bool none = domain[0] == '\0';
    char url[64];
    char cookie[64];
    snprintf(url, sizeof url, ipv6 ? "http://[%s]/" : "http://%s/", host);
    for (int dotted = 0; dotted < (ipv6 || none ? 1 : 2); dotted++) {
        snprintf(cookie, sizeof cookie, "a=1; domain=%s%s", dotted ? "." : "", domain);
        assert_int_equal(ferry_cookie_jar_set(jar, url, cookie, NULL) == 0, good || none);
        assert_int_equal(ferry_cookie_jar_count(jar), good || none);
        if (good) {
            assert_int_equal(ferry_cookie_jar_each(jar, show, &shown), 0);
            assert_string_equal(shown.domain, domain);
            assert_int_equal(shown.host_only, host_only);
        }
    }
    ferry_cookie_jar_free(jar);
}

static void test_CJ_008_domain_and_type(void **state)
{
    static const struct {
        const char *host, *domain;
        bool good, host_only;
    } cases[] = {
        {"www.example.com", "example.com", true, false},
        {"www.example.com", "www.example.com", true, false},
        {"foo.sso.example.com", "sso.example.com", true, false},
        {"bar.co.uk", "bar.co.uk", true, false},
        {"127.0.0.1", "127.0.0.1", true, true},
        {"::1", "::1", true, true},
        {"com", "com", true, true}, /* a suffix's own */
        {"example.com", "com", false, false},
        {"www.example.com", "example.org", false, false},
        {"www.example.com", "ample.com", false, false},
        {"example.com", "www.example.com", false, false},
        {"www.example.com", ".", false, false},
        {"www.example.com", "", false, false},
        {"www.example.com", "..example.com", false, false},
        {"127.0.0.1", "0.0.1", false, false},
        {"192.168.0.10", "10", false, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bool host_only = false;
        const char *reason = fy_cookie_domain_check(cases[i].host, cases[i].domain, &host_only);
        if ((reason == NULL) != cases[i].good ||
            (reason == NULL && host_only != cases[i].host_only)) {
            fail_msg("%s from %s: %s", cases[i].domain, cases[i].host,
                     reason != NULL ? reason : "taken");
        }
        domain_by_the_jar(cases[i].host, cases[i].domain, cases[i].good, cases[i].host_only);
    }
#ifdef FERRY_WITH_PSL
    bool host_only;
    assert_non_null(fy_cookie_domain_check("www.example.co.uk", "co.uk", &host_only));
    assert_null(fy_cookie_domain_check("co.uk", "co.uk", &host_only));
    assert_true(host_only);
#endif
}

/* ------------------------------------------------------------------------------------- the rules */

static void test_CJ_009_schemes_and_secure(void **state)
{
    ferry_cookie_jar *jar = new_jar();
    (void)state;
    set(jar, "https://www.host.test/", "A=a");
    set(jar, "https://www.host.test/", "B=b; Secure");
    sends(jar, "http://www.host.test", "A=a");
    sends(jar, "https://www.host.test/some/path", "A=a; B=b");
    sends(jar, "http://host.test", "");
    sends(jar, "http://other.test", "");
    sends(jar, "http://sub.www.host.test", "");
    sends(jar, "ftp://www.host.test", "");
    sends(jar, "http://www.host.test:8080", "A=a"); /* ports make no difference */
    ferry_cookie_jar_free(jar);
}

static void test_CJ_009_paths(void **state)
{
    ferry_cookie_jar *jar = new_jar();
    (void)state;
    set(jar, "http://www.host.test/", "A=a; path=/foo/");
    set(jar, "http://www.host.test/", "B=b; path=/foo");
    set(jar, "http://www.host.test/some/implicit/x", "C=c");
    set(jar, "http://www.host.test/", "D=d; path=nonsense");
    sends(jar, "http://www.host.test/foo", "B=b; D=d");
    sends(jar, "http://www.host.test/foo/", "A=a; B=b; D=d");
    sends(jar, "http://www.host.test/foo/bar?q", "A=a; B=b; D=d");
    sends(jar, "http://www.host.test/foobar", "D=d");
    sends(jar, "http://www.host.test/some/implicit", "C=c; D=d");
    sends(jar, "http://www.host.test/some/implicit/deeper", "C=c; D=d");
    sends(jar, "http://www.host.test/some/implicitly", "D=d");
    ferry_cookie_jar_free(jar);
}

static void test_CJ_009_order_and_same_names(void **state)
{
    ferry_cookie_jar *jar = new_jar();
    (void)state;
    set(jar, "http://www.host.test/", "A=1; path=/");
    set(jar, "http://www.host.test/", "A=2; path=/path");
    set(jar, "http://www.host.test/", "A=3; domain=host.test");
    set(jar, "http://www.host.test/", "A=4; path=/path/more");
    set(jar, "http://www.host.test/", "A=5; domain=host.test; path=/path");
    sends(jar, "http://www.host.test/path/more/x", "A=4; A=2; A=5; A=1; A=3");
    sends(jar, "http://host.test/path", "A=5; A=3");
    assert_int_equal(ferry_cookie_jar_count(jar), 5);
    ferry_cookie_jar_free(jar);
}

static void test_CJ_009_suffixes_and_addresses(void **state)
{
    ferry_cookie_jar *jar = new_jar();
    (void)state;
    refuses(jar, "http://www.bbc.com", "a=1; domain=com", "public suffix");
#ifdef FERRY_WITH_PSL
    refuses(jar, "http://www.bbc.co.uk", "a=1; domain=co.uk", "public suffix");
#endif
    set(jar, "http://192.168.0.10", "a=1; domain=192.168.0.10");
    refuses(jar, "http://192.168.0.10", "b=2; domain=168.0.10", "not one of the host's");
    refuses(jar, "http://192.168.0.10", "b=2; domain=192.168.0.11", "not one of the host's");
    sends(jar, "http://192.168.0.10", "a=1");
    sends(jar, "http://192.168.0.11", "");
    ferry_cookie_jar_free(jar);
}

/* But for one thing as Go: RFC 6265bis lets http neither set nor clear Secure cookies. */
static void test_CJ_010_update_and_delete(void **state)
{
    ferry_cookie_jar *jar = new_jar();
    (void)state;
    set(jar, "https://www.host.test/", "a=1");
    set(jar, "https://www.host.test/", "b=2; secure");
    set(jar, "https://www.host.test/", "c=3; httponly");
    sends(jar, "https://www.host.test", "a=1; b=2; c=3");
    set(jar, "http://www.host.test/", "a=w");
    sends(jar, "https://www.host.test", "a=w; b=2; c=3"); /* its age stays */
    set(jar, "https://www.host.test/", "b=x");            /* Secure is gone */
    sends(jar, "http://www.host.test", "a=w; b=x; c=3");
    set(jar, "http://www.host.test/", "a=w; max-age=-1");
    sends(jar, "http://www.host.test", "b=x; c=3");
    set(jar, "http://www.host.test/", "b=x; expires=Thu, 01 Jan 1970 00:00:00 GMT");
    set(jar, "http://www.host.test/", "c=y; max-age=100; expires=Thu, 01 Jan 1970 00:00:00 GMT");
    sends(jar, "http://www.host.test", "c=y");
    set(jar, "http://www.host.test/", "c=z; max-age=0; expires=Thu, 01 Jan 2099 00:00:00 GMT");
    sends(jar, "http://www.host.test", "");
    assert_int_equal(ferry_cookie_jar_count(jar), 0);

    set(jar, "http://www.google.test/", "A=1");
    set(jar, "http://www.google.test/", "A=2; path=/foo");
    set(jar, "http://www.google.test/", "A=3; domain=.google.test");
    set(jar, "http://www.google.test/", "A=4; domain=.google.test; path=/foo");
    set(jar, "http://www.google.test/", "A=; domain=.google.test; path=/foo; max-age=-1");
    set(jar, "http://www.other.test/", "A=; max-age=-1");
    refuses(jar, "http://www.other.test/", "A=; max-age=-1; domain=google.test", "host's");
    sends(jar, "http://www.google.test/foo", "A=2; A=1; A=3");
    ferry_cookie_jar_free(jar);
}

static void test_CJ_013_chromium_domain(void **state)
{
    ferry_cookie_jar *jar = new_jar();
    (void)state;
    set(jar, "http://www.google.com/", "host=1");
    set(jar, "http://www.google.com/", "domain=2; domain=.google.com");
    set(jar, "http://www.google.com/", "own=3; domain=www.google.com");
    refuses(jar, "http://www.google.com/", "child=4; domain=a.www.google.com", "host's");
    sends(jar, "http://www.google.com/", "host=1; domain=2; own=3");
    sends(jar, "http://foo.www.google.com/", "domain=2; own=3");
    sends(jar, "http://google.com/", "domain=2");
    sends(jar, "http://notgoogle.com/", "");
    ferry_cookie_jar_free(jar);
}

static void test_CJ_014_chromium_deletion(void **state)
{
    static const char *const kinds[] = {"a=1", "a=1; expires=Thu, 01 Jan 2099 00:00:00 GMT"};
    static const char *const ends[] = {"a=1; max-age=-1", "a=1; max-age=0",
                                       "a=1; expires=Wed, 17-Apr-2002 22:33:00 GMT"};
    ferry_cookie_jar *jar = new_jar();
    (void)state;
    for (int i = 0; i < 6; i++) {
        set(jar, "http://www.google.com/", kinds[i % 2]);
        sends(jar, "http://www.google.com/", "a=1");
        set(jar, "http://www.google.com/", ends[i / 2]);
        sends(jar, "http://www.google.com/", "");
    }
    ferry_cookie_jar_free(jar);
}

/* Hosts that are nothing but dots find their own; one that is nothing at all is no URL's. */
static void test_CJ_016_dots_for_hosts(void **state)
{
    static const char *const urls[] = {"http://./", "http://../", "http://.../"};
    (void)state;
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        ferry_cookie_jar *jar = new_jar();
        sends(jar, urls[i], "");
        set(jar, urls[i], "a=1");
        sends(jar, urls[i], "a=1");
        assert_int_equal(ferry_cookie_jar_count(jar), 1);
        ferry_cookie_jar_free(jar);
    }
    ferry_cookie_jar *jar = new_jar();
    assert_null(ferry_cookie_jar_get(jar, "http:///", NULL));
    assert_int_equal(ferry_cookie_jar_set(jar, "http:///", "a=1", NULL), -1);
    ferry_cookie_jar_free(jar);
}

static void test_secure_ones_are_left_alone_over_http(void **state)
{
    ferry_cookie_jar *jar = new_jar();
    (void)state;
    refuses(jar, "http://www.host.test/", "a=1; secure", "without TLS");
    set(jar, "https://www.host.test/", "sid=good; secure; domain=host.test");
    refuses(jar, "http://www.host.test/", "sid=evil", "hide a Secure one");
    refuses(jar, "http://www.host.test/", "sid=evil; domain=host.test; path=/deep", "hide");
    refuses(jar, "http://host.test/", "sid=evil; max-age=0; domain=host.test", "hide");
    set(jar, "http://www.host.test/", "other=fine");
    sends(jar, "https://www.host.test/", "sid=good; other=fine");
    ferry_cookie_jar_free(jar);
}

static void test_prefixes(void **state)
{
    ferry_cookie_jar *jar = new_jar();
    (void)state;
    refuses(jar, "https://a.host.test/", "__Secure-a=1", "prefix");
    refuses(jar, "https://a.host.test/", "__secure-a=1", "prefix");
    refuses(jar, "http://a.host.test/", "__Secure-a=1; secure", "TLS");
    refuses(jar, "https://a.host.test/", "__Host-a=1; secure", "prefix");
    refuses(jar, "https://a.host.test/", "__Host-a=1; secure; path=/x", "prefix");
    refuses(jar, "https://a.host.test/", "__Host-a=1; secure; path=/; domain=host.test", "prefix");
    refuses(jar, "https://a.host.test/", "=__Host-a=1; secure; path=/", "prefix");
    refuses(jar, "https://a.host.test/", "__Host-a", "prefix");
    set(jar, "https://a.host.test/", "__Secure-a=1; secure");
    set(jar, "https://a.host.test/", "__Host-a=1; secure; path=/");
    sends(jar, "https://a.host.test/", "__Secure-a=1; __Host-a=1");
    ferry_cookie_jar_free(jar);
}

/* As far as a jar goes: quotes belong to the value on the wire, not to the value; a quoted
 * Max-Age is none. */
static void see(void *arg, const ferry_cookie *cookie)
{
    snprintf(arg, 64, "%s=%s %d %d", cookie->name, cookie->value, cookie->same_site,
             cookie->expires != 0);
}

static void test_CK_006_quotes(void **state)
{
    static const char *const cookies[] = {"q=\"v\"; max-age=\"99\"", "q=v; max-age=\"99\"",
                                          "q=\"v\"; max-age=99", "q=v; max-age=99"};
    ferry_cookie_jar *jar = new_jar();
    char seen[64];
    (void)state;
    for (int i = 0; i < 4; i++) {
        set(jar, "http://host.test/", cookies[i]);
        sends(jar, "http://host.test/", i % 2 == 0 ? "q=\"v\"" : "q=v");
        assert_int_equal(ferry_cookie_jar_each(jar, see, seen), 0);
        assert_string_equal(seen, i < 2 ? "q=v 0 0" : "q=v 0 1");
    }
    set(jar, "http://host.test/", "q=v; SameSite=strict");
    assert_int_equal(ferry_cookie_jar_each(jar, see, seen), 0);
    assert_string_equal(seen, "q=v 3 0");
    ferry_cookie_jar_free(jar);
}

static void test_odd_cookies(void **state)
{
    ferry_cookie_jar *jar = new_jar();
    (void)state;
    refuses(jar, "http://host.test/", "", "empty");
    refuses(jar, "http://host.test/", "=", "empty");
    refuses(jar, "http://host.test/", "; path=/", "empty");
    refuses(jar, "http://host.test/", "a=1\r\nX: y", "control byte");
    refuses(jar, "http://host.test/", "a=1; secure=no", "TLS"); /* Secure, whatever its value */
    set(jar, "http://host.test/", "  alone  ; no=thing");
    sends(jar, "https://host.test/", "alone");
    ferry_cookie_jar_free(jar);
}

static void test_limits(void **state)
{
    ferry_cookie_jar *jar = new_jar();
    char text[FY_COOKIE_MAX + 64];
    (void)state;
    memset(text, 'v', sizeof text);
    memcpy(text, "n=", 2);
    text[FY_COOKIE_MAX + 1] = '\0'; /* the '=' does not count */
    set(jar, "http://host.test/", text);
    text[FY_COOKIE_MAX + 1] = 'v';
    text[FY_COOKIE_MAX + 2] = '\0';
    refuses(jar, "http://host.test/", text, "4096");
    ferry_cookie_jar_clear(jar);
    /* A server that redirects to a long path does not have each of its cookies keep that. */
    char url[FY_COOKIE_MAX + 64] = "http://host.test/";
    size_t site_len = strlen(url) - 1;
    memset(url + site_len + 1, 'p', FY_COOKIE_MAX);
    memcpy(url + site_len + FY_COOKIE_MAX, "/x", 3);
    set(jar, url, "n=1");
    sends(jar, url, "n=1");
    memcpy(url + site_len + FY_COOKIE_MAX, "p/x", 4);
    refuses(jar, url, "n=2", "4096");
    set(jar, url, "n=2; path=/");
    sends(jar, url, "n=2");
    ferry_cookie_jar_clear(jar);
    assert_int_equal(ferry_cookie_jar_count(jar), 0);

    set(jar, "https://host.test/", "secure=1; secure");
    set(jar, "http://host.test/", "oldest=1; path=/never");
    for (int i = 0; i < FY_COOKIES_PER_DOMAIN - 1; i++) {
        snprintf(text, sizeof text, "c%d=1; path=/p", i);
        set(jar, "http://host.test/", text);
    }
    assert_int_equal(ferry_cookie_jar_count(jar), FY_COOKIES_PER_DOMAIN);
    sends(jar, "http://host.test/never", "");
    sends(jar, "https://host.test/x", "secure=1");
    for (int host = 0; host < 40; host++) {
        snprintf(url, sizeof url, "http://h%d.test/", host);
        for (int i = 0; i < 80; i++) {
            snprintf(text, sizeof text, "c%d=1", i);
            set(jar, url, text);
        }
    }
    assert_int_equal(ferry_cookie_jar_count(jar), FY_COOKIES_MAX);
    sends(jar, "http://host.test/p", ""); /* not used for longest */
    ferry_cookie_jar_free(jar);
}

static void test_expiry(void **state)
{
    struct fy_url url;
    ferry_error err = {0};
    ferry_cookie_jar *jar = new_jar();
    struct fy_buffer out = {0};
    (void)state;
    assert_int_equal(fy_url_parse(&url, "http://host.test/", &err), 0);
    assert_int_equal(fy_cookie_jar_set(jar, &url, "a=1; max-age=10", 15, 1000, &err), 0);
    assert_int_equal(
        fy_cookie_jar_set(jar, &url, "b=1; max-age=99999999999999999999", 33, 1000, &err), 0);
    assert_int_equal(fy_cookie_jar_get(jar, &url, 1009, &out), 0);
    assert_int_equal(out.len, strlen("a=1; b=1"));
    out.len = 0;
    assert_int_equal(fy_cookie_jar_get(jar, &url, 1010, &out), 0);
    assert_memory_equal(out.bytes, "b=1", 3);
    out.len = 0;
    assert_int_equal(fy_cookie_jar_get(jar, &url, 1000 + FY_COOKIE_LIFE_MAX, &out), 0);
    assert_int_equal(out.len, 0);
    fy_buffer_free(&out);
    fy_url_free(&url);
    ferry_cookie_jar_free(jar);
}

static void test_dates(void **state)
{
    static const struct {
        const char *text;
        int64_t seconds; /* -1: none */
    } cases[] = {
        {"Thu, 01 Jan 1970 00:00:01 GMT", 1},
        {"Wed, 09 Jun 2021 10:18:14 GMT", 1623233894},
        {"Wednesday, 09-Jun-21 10:18:14 GMT", 1623233894},
        {"Wed Jun  9 10:18:14 2021", 1623233894},
        {"10:18:14 2021 9 june", 1623233894},
        {"9/JUN/2021 10:18:14trailing", 1623233894},
        {"Sat, 29 Feb 2020 00:00:00 GMT", 1582934400},
        {"Sun, 01 Mar 2020 00:00:00 GMT", 1583020800},
        {"Fri, 31 Dec 1999 23:59:59 GMT", 946684799},
        {"Mon, 29 Feb 2021 00:00:00 GMT", -1},
        {"Mon, 01 Jan 2021 24:00:00 GMT", -1},
        {"Mon, 01 Jan 1600 00:00:00 GMT", -1},
        {"Mon, 00 Jan 2021 00:00:00 GMT", -1},
        {"Mon, 01 Jan 2021", -1},
        {"", -1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t seconds = -1;
        bool good = fy_cookie_date(cases[i].text, strlen(cases[i].text), &seconds);
        if (good != (cases[i].seconds >= 0) || (good && seconds != cases[i].seconds)) {
            fail_msg("%s: %lld", cases[i].text, (long long)seconds);
        }
    }
}

/* ------------------------------------------------------------------------------ on requests by hand */

static void test_CK_003_adding_cookies(void **state)
{
    ferry_request *req = ferry_request_new("GET", "http://host.test/", NULL);
    (void)state;
    assert_non_null(req);
    assert_null(ferry_request_header(req, "Cookie"));
    assert_int_equal(ferry_request_add_cookie(req, "a", "1"), 0);
    assert_string_equal(ferry_request_header(req, "Cookie"), "a=1");
    assert_int_equal(ferry_request_add_cookie(req, "b", "2"), 0);
    assert_int_equal(ferry_request_add_cookie(req, "c", ""), 0);
    assert_string_equal(ferry_request_header(req, "Cookie"), "a=1; b=2; c=");
    ferry_request_free(req);
}

/* What Go drops in silence is refused. */
static void test_CK_007_values(void **state)
{
    static const char *const refused[] = {"a;b", "a\\b", "a\"b", "a\x01", "\xc3\xa9", "a\r\nX: y"};
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        ferry_request *req = ferry_request_new("GET", "http://host.test/", NULL);
        assert_non_null(req);
        assert_int_equal(ferry_request_add_cookie(req, "a", refused[i]), -1);
        assert_null(ferry_request_header(req, "Cookie"));
        ferry_request_free(req);
    }
    ferry_request *req = ferry_request_new("GET", "http://host.test/", NULL);
    assert_non_null(req);
    assert_int_equal(ferry_request_add_cookie(req, "a", "with space"), 0);
    assert_int_equal(ferry_request_add_cookie(req, "b", "x,y"), 0);
    assert_string_equal(ferry_request_header(req, "Cookie"), "a=\"with space\"; b=\"x,y\"");
    assert_int_equal(ferry_request_add_cookie(req, "a b", "1"), -1);
    ferry_request_free(req);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_CJ_002_canonical_hosts),
        cmocka_unit_test(test_CJ_006_is_ip),
        cmocka_unit_test(test_CJ_007_default_path),
        cmocka_unit_test(test_CJ_008_domain_and_type),
        cmocka_unit_test(test_CJ_009_schemes_and_secure),
        cmocka_unit_test(test_CJ_009_paths),
        cmocka_unit_test(test_CJ_009_order_and_same_names),
        cmocka_unit_test(test_CJ_009_suffixes_and_addresses),
        cmocka_unit_test(test_CJ_010_update_and_delete),
        cmocka_unit_test(test_CJ_013_chromium_domain),
        cmocka_unit_test(test_CJ_014_chromium_deletion),
        cmocka_unit_test(test_CJ_016_dots_for_hosts),
        cmocka_unit_test(test_secure_ones_are_left_alone_over_http),
        cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_CK_006_quotes),
        cmocka_unit_test(test_odd_cookies),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_expiry),
        cmocka_unit_test(test_dates),
        cmocka_unit_test(test_CK_003_adding_cookies),
        cmocka_unit_test(test_CK_007_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
