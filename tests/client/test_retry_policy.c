/*
 * The retry decision: what is sent again, and when.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client/retry_policy.h"

static const struct fy_retry_policy policy = {.attempts = 3, .base_ms = 100, .max_ms = 5000};

#define ATTEMPT(...) (&(struct fy_retry_attempt){.number = 1, __VA_ARGS__})
#define SAFE .idempotent = true, .rewindable = true

static void test_what_is_sent_again(void **state)
{
    (void)state;
    static const int statuses[] = {429, 502, 503, 504};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(
            fy_retry_decide(&policy, ATTEMPT(.status = statuses[i], .random = 7, SAFE)), 7);
    }
    static const int never[] = {200, 301, 400, 404, 408, 500, 501, 505};
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(fy_retry_decide(&policy, ATTEMPT(.status = never[i], SAFE)), -1);
    }
    assert_int_equal(fy_retry_decide(&policy, ATTEMPT(.code = FERRY_ECONNECT, SAFE)), 0);
    assert_int_equal(fy_retry_decide(&policy, ATTEMPT(.code = FERRY_ESERVERCLOSED, SAFE)), 0);
    assert_int_equal(fy_retry_decide(&policy, ATTEMPT(.code = FERRY_ETIMEOUT, SAFE)), 0);
    assert_int_equal(
        fy_retry_decide(&policy, ATTEMPT(.code = FERRY_ETLS, .os_errno = ECONNRESET, SAFE)), 0);
    assert_int_equal(fy_retry_decide(&policy, ATTEMPT(.code = FERRY_ETLS, SAFE)), -1);
    static const int final[] = {FERRY_ECANCELED, FERRY_EPROTOCOL, FERRY_ECERTIFICATE, FERRY_EBODY,
                                FERRY_ENOMEM,    FERRY_EURL,      FERRY_EREDIRECT,    FERRY_OK};
    for (size_t i = 0; i < sizeof final / sizeof final[0]; i++) {
        assert_int_equal(fy_retry_decide(&policy, ATTEMPT(.code = final[i], SAFE)), -1);
    }
    const struct fy_retry_policy own = {
        .attempts = 2, .base_ms = 100, .max_ms = 100, .statuses = (const int[]){500, 418, 0}};
    assert_int_equal(fy_retry_decide(&own, ATTEMPT(.status = 500, SAFE)), 0);
    assert_int_equal(fy_retry_decide(&own, ATTEMPT(.status = 418, SAFE)), 0);
    assert_int_equal(fy_retry_decide(&own, ATTEMPT(.status = 503, SAFE)), -1);
    const struct fy_retry_policy none = {.attempts = 0, .base_ms = 100, .max_ms = 100};
    assert_int_equal(fy_retry_decide(&none, ATTEMPT(.status = 503, SAFE)), -1);
}

static void test_attempts_and_safety(void **state)
{
    (void)state;
    const struct fy_retry_attempt second = {.number = 2, .status = 503, SAFE};
    const struct fy_retry_attempt third = {.number = 3, .status = 503, SAFE};
    assert_int_equal(fy_retry_decide(&policy, &second), 0);
    assert_int_equal(fy_retry_decide(&policy, &third), -1);
    assert_int_equal(fy_retry_decide(&policy, ATTEMPT(.status = 503, .idempotent = true)), -1);
    assert_int_equal(fy_retry_decide(&policy, ATTEMPT(.status = 503, .rewindable = true)), -1);
    /* What has not been acted upon may go again whatever its method. */
    assert_int_equal(fy_retry_decide(&policy, ATTEMPT(.status = 429, .rewindable = true)), 0);
    assert_int_equal(fy_retry_decide(&policy, ATTEMPT(.code = FERRY_ECONNECT, .rewindable = true)),
                     0);
    assert_int_equal(fy_retry_decide(&policy, ATTEMPT(.code = FERRY_EREAD, .rewindable = true)),
                     -1);
    const struct fy_retry_policy any = {
        .attempts = 3, .base_ms = 100, .max_ms = 5000, .any_method = true};
    assert_int_equal(fy_retry_decide(&any, ATTEMPT(.code = FERRY_EREAD, .rewindable = true)), 0);
    assert_int_equal(fy_retry_decide(&any, ATTEMPT(.status = 503, .rewindable = true)), 0);
    assert_int_equal(fy_retry_decide(&any, ATTEMPT(.status = 503)), -1);
    static const char *const twice[] = {"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"};
    for (size_t i = 0; i < 6; i++) {
        assert_true(fy_retry_idempotent(twice[i]));
    }
    static const char *const once[] = {"POST", "PATCH", "CONNECT", "get", ""};
    for (size_t i = 0; i < 5; i++) {
        assert_false(fy_retry_idempotent(once[i]));
    }
}

static void test_backoff(void **state)
{
    (void)state;
    assert_int_equal(fy_backoff_ms(100, 5000, 1, 100), 100);
    assert_int_equal(fy_backoff_ms(100, 5000, 1, 101), 0);
    assert_int_equal(fy_backoff_ms(100, 5000, 3, 400), 400);
    assert_int_equal(fy_backoff_ms(100, 5000, 3, 401), 0);
    assert_int_equal(fy_backoff_ms(100, 5000, 1000, 5000), 5000);
    assert_int_equal(fy_backoff_ms(100, 5000, 1000, 5001), 0);
    assert_int_equal(fy_backoff_ms(0, 5000, 5, 77), 0);
    assert_int_equal(fy_backoff_ms(0, INT64_MAX, INT32_MAX, 77), 0);
    assert_in_range(fy_backoff_ms(INT64_MAX / 2, INT64_MAX, 9, UINT64_MAX), 0, INT64_MAX);
}

static void test_retry_after(void **state)
{
    (void)state;
    static const struct {
        const char *field;
        int64_t ms;
    } cases[] = {
        {NULL, -1},
        {"", -1},
        {"0", 0},
        {"120", 120000},
        {"99999999999999999999999", INT64_C(31536000000)},
        {"-1", -1},
        {"1.5", -1},
        {"soon", -1},
        {"Sun, 06 Nov 1994 08:49:37 GMT", 10000}, /* now is ten seconds before that */
        {"Sunday, 06-Nov-94 08:49:37 GMT", 10000},
        {"Sun Nov  6 08:49:37 1994", 10000},
        {"Sun, 06 Nov 1994 08:49:20 GMT", 0},
        {"Sun, 06 Nov 1994 08:49:37 GMT and more", -1},
        {"Sun, 06 Nov 1994 08:49:37", -1},
        {"Sun, 06 Foo 1994 08:49:37 GMT", -1},
        {"Sun, 06 Nov 1994 28:49:37 GMT", -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(fy_retry_after_ms(cases[i].field, 784111777 - 10), cases[i].ms);
    }
    assert_int_equal(fy_retry_decide(&policy, ATTEMPT(.status = 503, .retry_after = "5", SAFE)),
                     5000);
    /* More than it is willing to wait: the response is the caller's to deal with. */
    assert_int_equal(fy_retry_decide(&policy, ATTEMPT(.status = 503, .retry_after = "6", SAFE)),
                     -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_sent_again),
        cmocka_unit_test(test_attempts_and_safety),
        cmocka_unit_test(test_backoff),
        cmocka_unit_test(test_retry_after),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
