/*
 * Digest credentials: challenges as servers write them, and answers against the examples of
 * RFC 7616 section 3.9.1, RFC 2617 section 3.5 and RFC 2069 (with its erratum).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <ferry.h>

#include "http/digest.h"

#define NONCE_7616 "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
#define CNONCE_7616 "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"

static void answers(const char *value, const struct fy_digest_request *request,
                    const char *const *parts)
{
    struct fy_digest_challenge challenge;
    struct fy_buffer out = {0};
    ferry_error err = {0};
    assert_int_equal(fy_digest_parse(&challenge, value, &err), FY_DIGEST_FOUND);
    assert_int_equal(fy_digest_answer(&challenge, request, &out, &err), 0);
    fy_buffer_append_byte(&out, '\0');
    for (; *parts != NULL; parts++) {
        if (strstr(out.bytes, *parts) == NULL) {
            fail_msg("no %s in %s", *parts, out.bytes);
        }
    }
    fy_buffer_free(&out);
    fy_digest_free(&challenge);
}

static void test_rfc_7616(void **state)
{
    const struct fy_digest_request request = {.method = "GET",
                                              .target = "/dir/index.html",
                                              .user = "Mufasa",
                                              .password = "Circle of Life",
                                              .cnonce = CNONCE_7616,
                                              .count = 1};
    (void)state;
    answers("Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm=MD5, "
            "nonce=\"" NONCE_7616 "\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"",
            &request,
            (const char *const[]){"Digest username=\"Mufasa\"", "uri=\"/dir/index.html\"",
                                  "algorithm=MD5,", "nc=00000001", "qop=auth,",
                                  "opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"",
                                  "response=\"8ca523f5e9506fed4657c9700eebdbec\"", NULL});
    answers("Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm=SHA-256, "
            "nonce=\"" NONCE_7616 "\"",
            &request,
            (const char *const[]){
                "algorithm=SHA-256,",
                "response=\"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1\"",
                NULL});
}

static void test_rfc_2617_and_2069(void **state)
{
    struct fy_digest_request request = {.method = "GET",
                                        .target = "/dir/index.html",
                                        .user = "Mufasa",
                                        .password = "Circle Of Life",
                                        .cnonce = "0a4f113b",
                                        .count = 1};
    (void)state;
    answers("Digest realm=\"testrealm@host.com\",qop=\"auth,auth-int\","
            "nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\"",
            &request, (const char *const[]){"response=\"6629fae49393a05397450978507c4ef1\"", NULL});
    request.password = "CircleOfLife";
    answers("Digest realm=\"testrealm@host.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\"",
            &request, (const char *const[]){"response=\"1949323746fe6a43ef61f9606e7febea\"", NULL});
}

/* The -sess kinds hash once more, with both nonces. Values by the definition, computed elsewhere. */
static void test_session_algorithms(void **state)
{
    const struct fy_digest_request request = {.method = "GET",
                                              .target = "/dir/index.html",
                                              .user = "Mufasa",
                                              .password = "Circle of Life",
                                              .cnonce = CNONCE_7616,
                                              .count = 16};
    (void)state;
    answers("Digest realm=\"r\", qop=auth, algorithm=MD5-sess, nonce=\"n\"", &request,
            (const char *const[]){"algorithm=MD5-sess", "nc=00000010",
                                  "response=\"9ec2eb9c0929ca23a5dff274de921722\"", NULL});
    answers("Digest realm=\"r\", qop=auth, algorithm=SHA-256-sess, nonce=\"n\"", &request,
            (const char *const[]){
                "algorithm=SHA-256-sess",
                "response=\"f4684ea9aa2e23b482cdae7468a14d433868d4a4375284e788bcd3dc5fc20e34\"",
                NULL});
}

static void test_challenges(void **state)
{
    static const struct {
        const char *value;
        int found;
        const char *nonce, *realm;
    } cases[] = {
        {"Basic realm=\"x\"", FY_DIGEST_NONE, NULL, NULL},
        {"", FY_DIGEST_NONE, NULL, NULL},
        {"Digest", FY_DIGEST_NONE, NULL, NULL},
        {"Digest realm=\"r\"", FY_DIGEST_NONE, NULL, NULL},
        {"Digest realm=\"r\", nonce=\"unterminated", FY_DIGEST_NONE, NULL, NULL},
        {"digest REALM=r,NONCE=n", FY_DIGEST_FOUND, "n", "r"},
        {"Digest realm=\"a \\\"b\\\" \\\\c\", nonce = \"n\"", FY_DIGEST_FOUND, "n", "a \"b\" \\c"},
        {"Basic realm=\"x, Digest\", Digest realm=\"r\", nonce=\"n\"", FY_DIGEST_FOUND, "n", "r"},
        {"Negotiate YII/ab+c==, Digest realm=\"r\", nonce=\"n\"", FY_DIGEST_FOUND, "n", "r"},
        {"Negotiate, Digest realm=\"r\", nonce=\"n\", Basic realm=\"y\"", FY_DIGEST_FOUND, "n",
         "r"},
        {"NTLM TlRM=, Digest realm=\"r\", nonce=\"n\"", FY_DIGEST_FOUND, "n", "r"},
        {"Digest realm=\"r\", nonce=\"m\", algorithm=MD5, Digest realm=\"r\", nonce=\"s\", "
         "algorithm=SHA-256",
         FY_DIGEST_FOUND, "s", "r"},
        {"Digest realm=\"r\", nonce=\"s\", algorithm=SHA-256, Digest realm=\"r\", nonce=\"m\"",
         FY_DIGEST_FOUND, "s", "r"},
        {"Digest realm=\"r\", nonce=\"x\", algorithm=SHA-512-256, Digest realm=\"r\", nonce=\"m\"",
         FY_DIGEST_FOUND, "m", "r"},
        {"Digest realm=\"r\", nonce=\"n\", qop=\"auth-int\"", FY_DIGEST_FAILED, NULL, NULL},
        {"Digest realm=\"r\", nonce=\"n\", algorithm=SHA-512-256", FY_DIGEST_FAILED, NULL, NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fy_digest_challenge challenge;
        ferry_error err = {0};
        int found = fy_digest_parse(&challenge, cases[i].value, &err);
        if (found != cases[i].found) {
            fail_msg("%s: %d %s", cases[i].value, found, err.message);
        }
        if (found == FY_DIGEST_FOUND) {
            assert_string_equal(challenge.nonce, cases[i].nonce);
            assert_string_equal(challenge.realm, cases[i].realm);
        } else if (found == FY_DIGEST_FAILED) {
            assert_int_equal(err.code, FERRY_EUNSUPPORTED);
        }
        fy_digest_free(&challenge);
    }
}

static void test_cnonce(void **state)
{
    char a[33];
    char b[33];
    ferry_error err = {0};
    (void)state;
    assert_int_equal(fy_digest_cnonce(a, &err), 0);
    assert_int_equal(fy_digest_cnonce(b, &err), 0);
    assert_int_equal(strlen(a), 32);
    assert_string_not_equal(a, b);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rfc_7616),
        cmocka_unit_test(test_rfc_2617_and_2069),
        cmocka_unit_test(test_session_algorithms),
        cmocka_unit_test(test_challenges),
        cmocka_unit_test(test_cnonce),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
