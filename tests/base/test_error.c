/*
 * Errors as values: what is written, how it is prefixed and cut, and the names of codes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/error.h"

static void test_codes_have_names(void **state)
{
    (void)state;
    assert_string_equal(ferry_strerror(FERRY_OK), "FERRY_OK");
    assert_string_equal(ferry_strerror(FERRY_ETIMEOUT), "FERRY_ETIMEOUT");
    assert_string_equal(ferry_strerror(-1), "FERRY_E?");
    assert_string_equal(ferry_strerror(10000), "FERRY_E?");
    /* No two the same, none forgotten. */
    for (int code = FERRY_OK; code <= FERRY_EPROXY; code++) {
        assert_string_not_equal(ferry_strerror(code), "FERRY_E?");
        for (int other = FERRY_OK; other < code; other++) {
            assert_string_not_equal(ferry_strerror(code), ferry_strerror(other));
        }
    }
}

static void test_version_is_the_header_s(void **state)
{
    (void)state;
    char text[32];
    snprintf(text, sizeof(text), "%d.%d.%d", FERRY_VERSION_MAJOR, FERRY_VERSION_MINOR,
             FERRY_VERSION_PATCH);
    assert_string_equal(ferry_version(), text);
    assert_string_equal(ferry_version(), FERRY_VERSION);
}

static void test_fail_fills_and_returns_minus_one(void **state)
{
    (void)state;
    ferry_error err = {0};
    assert_int_equal(fy_fail(&err, FERRY_ECONNECT, ECONNREFUSED, "dial tcp %s: %s", "127.0.0.1:1",
                             fy_errno_text(ECONNREFUSED)),
                     -1);
    assert_int_equal(err.code, FERRY_ECONNECT);
    assert_int_equal(err.os_errno, ECONNREFUSED);
    assert_string_equal(err.message, "dial tcp 127.0.0.1:1: connection refused");
    fy_error_prefix(&err, "Get \"%s\"", "http://127.0.0.1:1/");
    assert_string_equal(err.message,
                        "Get \"http://127.0.0.1:1/\": dial tcp 127.0.0.1:1: connection refused");
    assert_int_equal(err.code, FERRY_ECONNECT);
    assert_int_equal(err.os_errno, ECONNREFUSED);
}

static void test_a_message_may_quote_the_one_it_replaces(void **state)
{
    (void)state;
    ferry_error err = {0};
    fy_fail(&err, FERRY_EREAD, 0, "first");
    fy_fail(&err, FERRY_EREAD, 0, "second after %s", err.message);
    assert_string_equal(err.message, "second after first");
}

static void test_long_messages_end_in_dots_and_whole_characters(void **state)
{
    (void)state;
    char text[400];
    for (size_t shift = 0; shift < 4; shift++) {
        memset(text, 'x', shift);
        for (size_t at = shift; at + 3 < sizeof(text); at += 3) {
            memcpy(text + at, "\xe2\x82\xac", 4); /* € */
        }
        ferry_error err = {0};
        fy_fail(&err, FERRY_EURL, 0, "%s", text);
        size_t len = strlen(err.message);
        assert_true(len < sizeof(err.message) && len >= sizeof(err.message) - 4);
        assert_string_equal(err.message + len - 3, "...");
        assert_int_equal((len - 3 - shift) % 3, 0);

        fy_fail(&err, FERRY_EURL, 0, "short");
        fy_error_prefix(&err, "%s", text);
        len = strlen(err.message);
        assert_string_equal(err.message + len - 3, "...");
        assert_int_equal((len - 3 - shift) % 3, 0);
    }
    ferry_error err = {0};
    memset(text, 'a', 239);
    text[239] = '\0';
    fy_fail(&err, FERRY_EURL, 0, "%s", text);
    assert_string_equal(err.message, text); /* just fits */
}

static void test_memory_errors_say_what_ran_out(void **state)
{
    (void)state;
    ferry_error err = {0};
    errno = ENOMEM;
    assert_int_equal(fy_fail_memory(&err), -1);
    assert_int_equal(err.code, FERRY_ENOMEM);
    assert_string_equal(err.message, "out of memory");
    errno = EMFILE;
    fy_fail_memory(&err);
    assert_int_equal(err.code, FERRY_ENOMEM);
    assert_int_equal(err.os_errno, EMFILE);
    assert_string_equal(err.message, "too many open files");
}

static void test_every_errno_has_words(void **state)
{
    (void)state;
    for (int number = -1; number < 200; number++) {
        assert_true(strlen(fy_errno_text(number)) > 0);
    }
    assert_string_equal(fy_errno_text(ECONNRESET), "connection reset by peer");
    assert_string_equal(fy_errno_text(123456), "unknown system error");
}

static void test_null_errors_have_a_place(void **state)
{
    (void)state;
    ferry_error *err = NULL;
    assert_int_equal(fy_fail(FY_ERROR(err), FERRY_EINVAL, 0, "nobody reads this"), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_codes_have_names),
        cmocka_unit_test(test_version_is_the_header_s),
        cmocka_unit_test(test_fail_fills_and_returns_minus_one),
        cmocka_unit_test(test_a_message_may_quote_the_one_it_replaces),
        cmocka_unit_test(test_long_messages_end_in_dots_and_whole_characters),
        cmocka_unit_test(test_memory_errors_say_what_ran_out),
        cmocka_unit_test(test_every_errno_has_words),
        cmocka_unit_test(test_null_errors_have_a_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
