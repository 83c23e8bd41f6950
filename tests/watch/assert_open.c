/*
 * A program that test_test_header.c runs: a test of somebody's, which forgets to close a response if it
 * is told to ("leak"), written with plain C, cmocka or Criterion: -DWITH_CMOCKA, -DWITH_CRITERION. The
 * response is a made one, so that it needs no server.
 */
#if defined(WITH_CMOCKA)
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#elif defined(WITH_CRITERION)
#include <criterion/criterion.h>
#endif
#include <stdlib.h>
#include <string.h>

#include <ferry_test.h>

static void open_one(void)
{
    FERRY_AUTO ferry_response *res = ferry_response_new(200, "x", 1);
    if (getenv("LEAK") != NULL) {
        res = NULL; /* given away: to nobody */
    }
}

#if defined(WITH_CMOCKA)
static void test(void **state)
{
    (void)state;
    open_one();
    if (getenv("TEARDOWN") == NULL) {
        FERRY_ASSERT_NOTHING_OPEN();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_teardown(test, ferry_test_teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#elif defined(WITH_CRITERION)
Test(program, opens_one)
{
    open_one();
    FERRY_ASSERT_NOTHING_OPEN();
}
#else
int main(void)
{
    open_one();
    FERRY_ASSERT_NOTHING_OPEN();
    return 0;
}
#endif
