/*
 * What redirects ask for and may take along: the pure decisions.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
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

static void test_CL_048_methods(void **state)
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

/* Redirects once, and notes what the next request has. */
struct crossing {
    const char *to;
    int calls;
    int secrets, others;
};

static ferry_response *cross(void *self, ferry_request *req, ferry_error *err)
{
    static const char *const secret[] = {"Cookie", "Cookie2", "Authorization", "WWW-Authenticate"};
    struct crossing *crossing = self;
    ferry_response *res = ferry_response_new(crossing->calls == 0 ? 302 : 200, NULL, 0);
    (void)err;
    crossing->secrets = crossing->others = 0;
    for (int i = 0; i < 4; i++) {
        crossing->secrets += ferry_request_header(req, secret[i]) != NULL;
    }
    crossing->others += ferry_request_header(req, "User-Agent") != NULL;
    crossing->others += ferry_request_header(req, "X-Plain") != NULL;
    if (res != NULL && crossing->calls++ == 0) {
        ferry_response_add_header(res, "Location", crossing->to);
    }
    return res;
}

/* The same as a server sees it: all four, or none. */
static void expect_crossing(const char *from, const char *to, bool same)
{
    struct crossing crossing = {.to = to};
    const ferry_round_tripper tripper = {cross, &crossing};
    ferry_client *client = ferry_client_new(FERRY_CLIENT_OPTIONS(.round_tripper = &tripper));
    ferry_request *req = ferry_request_new("GET", from, NULL);
    ferry_request_set_header(req, "Cookie", "a=b");
    ferry_request_set_header(req, "cookie2", "c");
    ferry_request_set_header(req, "authorization", "Basic x");
    ferry_request_set_header(req, "WWW-Authenticate", "d");
    ferry_request_set_header(req, "User-Agent", "e");
    ferry_request_set_header(req, "X-Plain", "f");
    ferry_response *res = ferry_client_do(client, req, NULL);
    assert_non_null(res);
    assert_int_equal(crossing.calls, 2);
    if (crossing.secrets != (same ? 4 : 0)) {
        fail_msg("%s to %s: %d of 4", from, to, crossing.secrets);
    }
    assert_int_equal(crossing.others, 2);
    ferry_response_close(res);
    ferry_request_free(req);
    ferry_client_free(client);
}

static void test_CL_047_what_is_carried_over(void **state)
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
        expect_crossing(cases[i].from, cases[i].to, cases[i].same);
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

/* Locations against the URL of their request. */
static void test_RS_004_locations(void **state)
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

/* A response with that Location, by way of a client (url not NULL) or made by hand. */
static ferry_response *answer_location(void *self, ferry_request *req, ferry_error *err)
{
    const char *location = self;
    ferry_response *res = ferry_response_new(201, NULL, 0);
    (void)req;
    (void)err;
    if (res != NULL && location != NULL) {
        ferry_response_add_header(res, "Location", location);
    }
    return res;
}

static void test_RS_004_asking_the_response(void **state)
{
    static const struct {
        const char *url, *location, *wanted; /* wanted NULL: refused with code */
        int code;
    } cases[] = {
        {"http://bar.com/baz/x", "/foo", "http://bar.com/foo", 0},
        {"http://bar.com/baz/x", "y?z#f", "http://bar.com/baz/y?z", 0},
        {"http://bob:pw@bar.com/", "/foo", "http://bar.com/foo", 0},
        {"http://bar.com/baz", "http://foo.com/", "http://foo.com/", 0},
        {"http://bar.com/baz", "", NULL, FERRY_EUNSUPPORTED},
        {"http://bar.com/baz", NULL, NULL, FERRY_EUNSUPPORTED},
        {"http://bar.com/baz", "http://", NULL, FERRY_EURL},
        {NULL, "/bar", "/bar", 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const ferry_round_tripper tripper = {answer_location, (void *)cases[i].location};
        ferry_client *client = ferry_client_new(FERRY_CLIENT_OPTIONS(.round_tripper = &tripper));
        ferry_error err = {0};
        ferry_request *req = ferry_request_new("POST", cases[i].url, NULL);
        ferry_response *res = cases[i].url != NULL
                                  ? ferry_client_do(client, req, &err)
                                  : answer_location((void *)cases[i].location, NULL, &err);
        assert_non_null(res);
        char *location = ferry_response_location(res, &err);
        if (cases[i].wanted != NULL) {
            assert_string_equal(location, cases[i].wanted);
        } else {
            assert_null(location);
        }
        assert_int_equal(err.code, cases[i].code);
        assert_null(cases[i].wanted == NULL ? ferry_response_location(res, NULL) : NULL);
        free(location);
        ferry_response_close(res);
        ferry_request_free(req);
        ferry_client_free(client);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_CL_048_methods),
        cmocka_unit_test(test_CL_047_what_is_carried_over),
        cmocka_unit_test(test_referer),
        cmocka_unit_test(test_RS_004_locations),
        cmocka_unit_test(test_RS_004_asking_the_response),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
