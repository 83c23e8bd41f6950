/*
 * References, as servers send them, beside what they resolve to.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/url.h"

static void parse_base(struct fy_url *base, const char *text)
{
    ferry_error err = {0};
    assert_int_equal(fy_url_parse(base, text, &err), 0);
}

static void resolves(const char *base_text, const char *reference, const char *text)
{
    struct fy_url base;
    struct fy_url url;
    ferry_error err = {0};
    parse_base(&base, base_text);
    if (fy_url_resolve(&url, &base, reference, &err) != 0) {
        fail_msg("%s: %s", reference, err.message);
    }
    assert_string_equal(url.text, text);
    fy_url_free(&url);
    fy_url_free(&base);
}

/* The examples of RFC 3986 section 5.4, with http for its schemes and without fragments. */
static void test_resolved(void **state)
{
    (void)state;
    static const char base[] = "http://a/b/c/d;p?q";
    static const struct {
        const char *reference;
        const char *text;
    } cases[] = {
        {"http://g", "http://g/"},
        {"g", "http://a/b/c/g"},
        {"./g", "http://a/b/c/g"},
        {"g/", "http://a/b/c/g/"},
        {"/g", "http://a/g"},
        {"//g", "http://g/"},
        {"?y", "http://a/b/c/d;p?y"},
        {"g?y", "http://a/b/c/g?y"},
        {"#s", "http://a/b/c/d;p?q"},
        {"g#s", "http://a/b/c/g"},
        {";x", "http://a/b/c/;x"},
        {"g;x?y#s", "http://a/b/c/g;x?y"},
        {"", "http://a/b/c/d;p?q"},
        {".", "http://a/b/c/"},
        {"./", "http://a/b/c/"},
        {"..", "http://a/b/"},
        {"../g", "http://a/b/g"},
        {"../..", "http://a/"},
        {"../../g", "http://a/g"},
        {"../../../g", "http://a/g"},
        {"../../../../g", "http://a/g"},
        {"/./g", "http://a/g"},
        {"/../g", "http://a/g"},
        {"g.", "http://a/b/c/g."},
        {".g", "http://a/b/c/.g"},
        {"..g", "http://a/b/c/..g"},
        {"./../g", "http://a/b/g"},
        {"./g/.", "http://a/b/c/g/"},
        {"g/./h", "http://a/b/c/g/h"},
        {"g/../h", "http://a/b/c/h"},
        {"g;x=1/./y", "http://a/b/c/g;x=1/y"},
        {"g;x=1/../y", "http://a/b/c/y"},
        {"g?y/./x", "http://a/b/c/g?y/./x"},
        {"g?y/../x", "http://a/b/c/g?y/../x"},
        /* and what servers send */
        {" /g ", "http://a/g"},
        {"/caf\xc3\xa9 1", "http://a/caf%C3%A9%201"},
        {"1:2", "http://a/b/c/1:2"},
        {"../../..//g", "http://a//g"},
        {"HTTPS://G:443/x/../y", "https://g/y"},
        {"//g:81/..//z", "http://g:81//z"},
        {"/\\evil.example", "http://a/%5Cevil.example"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        resolves(base, cases[i].reference, cases[i].text);
    }
    resolves("http://a", "g", "http://a/g");
    resolves("http://a//b//c", "../d", "http://a//b/d");
    resolves("http://[fe80::1%25eth0]:81/x", "y", "http://[fe80::1%25eth0]:81/y");
    resolves("https://h:444/x", "//g/y", "https://g/y");
}

static void test_those_that_are_refused(void **state)
{
    (void)state;
    struct fy_url base;
    struct fy_url url;
    ferry_error err = {0};
    parse_base(&base, "http://a/");
    static const char *const references[] = {"http:",   "http:g", "mailto:joe@example.org",
                                             "//",      "///x",   "http://[::g]/",
                                             "/a\r\nb", "//h:x/"};
    for (size_t i = 0; i < sizeof(references) / sizeof(references[0]); i++) {
        err = (ferry_error){0};
        assert_int_equal(fy_url_resolve(&url, &base, references[i], &err), -1);
        assert_int_equal(err.code, FERRY_EURL);
        assert_null(url.text);
    }
    fy_url_free(&base);
}

/* User info goes along to the same host, and to no other. */
static void test_user_info(void **state)
{
    (void)state;
    struct fy_url base;
    struct fy_url url;
    ferry_error err = {0};
    parse_base(&base, "http://u:p@a/x");
    assert_int_equal(fy_url_resolve(&url, &base, "y", &err), 0);
    assert_string_equal(url.user, "u");
    assert_string_equal(url.password, "p");
    assert_string_equal(url.shown, "http://u:xxxxx@a/y");
    fy_url_free(&url);
    assert_int_equal(fy_url_resolve(&url, &base, "//a/y", &err), 0);
    assert_null(url.user);
    fy_url_free(&url);
    assert_int_equal(fy_url_resolve(&url, &base, "http://b:c@d/", &err), 0);
    assert_string_equal(url.user, "b");
    fy_url_free(&url);
    fy_url_free(&base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resolved),
        cmocka_unit_test(test_those_that_are_refused),
        cmocka_unit_test(test_user_info),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
