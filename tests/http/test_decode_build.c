/*
 * Which codings this build can take off, and what it says of one that it cannot.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <string.h>

#include <cmocka.h>

#include "http/decode.h"

#ifdef FERRY_WITH_ZLIB
#define HAVE_ZLIB true
#else
#define HAVE_ZLIB false
#endif
#ifdef FERRY_WITH_BROTLI
#define HAVE_BROTLI true
#else
#define HAVE_BROTLI false
#endif
#ifdef FERRY_WITH_ZSTD
#define HAVE_ZSTD true
#else
#define HAVE_ZSTD false
#endif

static const struct {
    enum fy_coding coding;
    const char *name;
    bool built;
    const char *missing;
} cases[] = {
    {FY_CODING_GZIP, "gzip", HAVE_ZLIB,
     "the body is encoded with gzip, which this build of ferry cannot decode (it was made without "
     "FERRY_WITH_ZLIB)"},
    {FY_CODING_DEFLATE, "deflate", HAVE_ZLIB,
     "the body is encoded with deflate, which this build of ferry cannot decode (it was made "
     "without FERRY_WITH_ZLIB)"},
    {FY_CODING_BR, "br", HAVE_BROTLI,
     "the body is encoded with br, which this build of ferry cannot decode (it was made without "
     "FERRY_WITH_BROTLI)"},
    {FY_CODING_ZSTD, "zstd", HAVE_ZSTD,
     "the body is encoded with zstd, which this build of ferry cannot decode (it was made without "
     "FERRY_WITH_ZSTD)"},
};

static void test_what_is_built_and_what_is_missing(void **state)
{
    (void)state;
    char names[64] = "";
    for (size_t i = 0; i < 4; i++) {
        struct fy_codings codings = {.list = {cases[i].coding}, .count = 1};
        ferry_error err = {0};
        struct fy_decoder *decoder = fy_decoder_new(&codings, -1, &err);
        if (cases[i].built) {
            assert_non_null(decoder);
            strcat(names, names[0] != '\0' ? ", " : "");
            strcat(names, cases[i].name);
        } else {
            assert_null(decoder);
            assert_int_equal(err.code, FERRY_EUNSUPPORTED);
            assert_string_equal(err.message, cases[i].missing);
        }
        fy_decoder_free(decoder);
    }
    assert_string_equal(fy_coding_names() != NULL ? fy_coding_names() : "", names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_built_and_what_is_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
