/*
 * What redirects ask for and may take along: the pure decisions. (CL-…, RS-…: entries of the list of
 * behaviours.)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <ferry.h>

#include "client/redirect.h"

static struct fy_url parse(const char *text)
{
    struct fy_url url;
    ferry_error err = {0};
    if (fy_url_parse(&url, text, &err) != 0) {
        fail_msg("%s", err.message);
    }
    return url;
}

static void test_cl_048_methods(void **state)
{
    static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "COPY"};
    static const int statuses[] = {301, 302, 303, 307, 308};
    (void)state;
    for (int m = 0; m < 6; m++) {
        for (int s = 0; s < 5; s++) {
            struct fy_redirect next = fy_redirect_decide(statuses[s], methods[m], true);
            const char *wanted = s >= 3 ? methods[m] : m == 1 ? "HEAD" : "GET";
            assert_true(next.follow);
            assert_string_equal(next.method, wanted);
            assert_int_equal(next.with_body, s >= 3);
        }
    }
    assert_false(fy_redirect_decide(308, "POST", false).follow);
    assert_true(fy_redirect_decide(303, "POST", false).follow);
    static const int none[] = {200, 300, 304, 305, 306, 309, 404};
    for (int i = 0; i < 7; i++) {
        assert_false(fy_redirect_decide(none[i], "GET", true).follow);
    }
}

static void test_cl_047_what_is_carried_over(void **state)
{
    static const struct {
        const char *from, *to;
        bool same;
    } cases[] = {
        {"http://foo.com/", "http://bar.com/", false},
        {"http://foo.com/", "https://foo.com/", false},
        {"http://foo.com:1234/", "http://foo.com:4321/", false},
        {"http://foo.com:1234/", "http://foo.com/", false},
        {"http://foo.com/", "http://notfoo.com/", false},
        {"http://foo.com/", "http://foo.com.evil.com/", false},
        {"http://sub.foo.com/", "http://foo.com/", false},
        {"http://foo.com/", "http://[::1%25.foo.com]/", false},
        {"http://foo.com/", "http://foo.com/", true},
        {"http://foo.com/", "http://sub.foo.com/", true},
        {"http://foo.com:80/", "http://foo.com/", true},
        {"http://foo.com:443/", "https://foo.com/", true},
        {"http://foo.com:443/", "https://sub.foo.com/", true},
        {"https://foo.com/", "http://foo.com:443/", false}, /* a downgrade, port or no port */
        {"https://foo.com/", "http://foo.com/", false},
        {"http://FOO.com/", "http://foo.com/x", true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fy_url from = parse(cases[i].from);
        struct fy_url to = parse(cases[i].to);
        if (fy_redirect_same_site(&from, &to) != cases[i].same) {
            fail_msg("%s to %s", cases[i].from, cases[i].to);
        }
        fy_url_free(&from);
        fy_url_free(&to);
    }
    static const char *const sensitive[] = {"cookie", "COOKIE2", "Authorization",
                                            "www-authenticate", "Proxy-Authorization"};
    for (int i = 0; i < 5; i++) {
        assert_true(fy_redirect_is_sensitive(sensitive[i]));
    }
    assert_false(fy_redirect_is_sensitive("Accept"));
    assert_false(fy_redirect_is_sensitive("X-Cookie"));
}

static void test_referer(void **state)
{
    static const struct {
        const char *last, *next, *own, *referer;
    } cases[] = {
        {"http://bob:pw@a.com/x", "http://b.com/", NULL, "http://a.com/x"},
        {"https://a.com/x", "https://b.com/", NULL, "https://a.com/x"},
        {"https://a.com/x", "http://a.com/", NULL, NULL},
        {"http://a.com/x", "https://b.com/", NULL, "http://a.com/x"},
        {"http://a.com/x", "http://b.com/", "http://own/", "http://own/"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fy_url last = parse(cases[i].last);
        struct fy_url next = parse(cases[i].next);
        const char *referer = fy_redirect_referer(&last, &next, cases[i].own);
        assert_true((referer == NULL) == (cases[i].referer == NULL));
        if (referer != NULL) {
            assert_string_equal(referer, cases[i].referer);
        }
        fy_url_free(&last);
        fy_url_free(&next);
    }
}

/* RS-004: Locations against the URL of their request. */
static void test_rs_004_locations(void **state)
{
    static const struct {
        const char *location, *url;
    } cases[] = {
        {"/foo", "http://bar.com/foo"},          {"foo", "http://bar.com/a/foo"},
        {"../x?y", "http://bar.com/x?y"},        {"?q", "http://bar.com/a/b?q"},
        {"#frag", "http://bar.com/a/b?old"},     {"//other.com/z", "http://other.com/z"},
        {"HTTPS://Foo.COM", "https://foo.com/"}, {"  /sp ace", "http://bar.com/sp%20ace"},
        {"/\xc3\xa9", "http://bar.com/%C3%A9"},
    };
    (void)state;
    struct fy_url base = parse("http://bar.com/a/b?old");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fy_url url;
        ferry_error err = {0};
        if (fy_url_resolve(&url, &base, cases[i].location, &err) != 0) {
            fail_msg("%s: %s", cases[i].location, err.message);
        }
        assert_string_equal(url.text, cases[i].url);
        fy_url_free(&url);
    }
    fy_url_free(&base);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cl_048_methods),
        cmocka_unit_test(test_cl_047_what_is_carried_over),
        cmocka_unit_test(test_referer),
        cmocka_unit_test(test_rs_004_locations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
