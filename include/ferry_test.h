/*
 * ferry_test.h: for the tests of programs that use ferry. At the end of a test
 *
 *     FERRY_ASSERT_NOTHING_OPEN();
 *
 * fails it if a response is open that nobody has closed, and the message is the ledger: where each was
 * opened, its URL, and what it holds.
 *
 * It fails as the test framework wants it, if that one's header is included before this one: cmocka
 * (fail_msg) and Criterion (cr_assert_fail) are known. Otherwise as assert() does, but whether or not
 * NDEBUG is defined: the message goes to standard error, and abort() is called. Another framework is
 * one line away, before this header is included; message is a string:
 *
 *     #define FERRY_TEST_FAIL(message) my_framework_fails(message)
 *
 * With cmocka, ferry_test_teardown() does it after every test:
 *
 *     cmocka_unit_test_teardown(my_test, ferry_test_teardown)
 */
#ifndef FERRY_TEST_H
#define FERRY_TEST_H

#include <stdio.h>
#include <stdlib.h>

#include <ferry.h>

#ifdef __cplusplus
#define FERRY_TEST_NULL nullptr
#else
#define FERRY_TEST_NULL NULL
#endif

/* The ledger with a line above it, cut short where it would not fit; NULL if nothing is open. It lies in
 * memory of this file's own, since a framework that fails a test does not come back to free it. Used by
 * one thread at a time. */
static inline const char *ferry_test_open(void)
{
    static char message[8192];
    size_t count = 0;
    char *ledger = ferry_open_responses_text(&count);
    if (count > 0) {
        snprintf(message, sizeof message, "%zu response%s never closed:\n%s", count,
                 count == 1 ? " was" : "s were", ledger ? ledger : "(out of memory)\n");
    }
    free(ledger);
    return count > 0 ? message : FERRY_TEST_NULL;
}

#ifndef FERRY_TEST_FAIL
#if defined(fail_msg)
#define FERRY_TEST_FAIL(message) fail_msg("%s", message)
#elif defined(cr_assert_fail)
#define FERRY_TEST_FAIL(message) cr_assert_fail("%s", message)
#else
#define FERRY_TEST_FAIL(message) \
    (fprintf(stderr, "%s:%d: %s", __FILE__, __LINE__, message), fflush(stderr), abort())
#endif
#endif

#define FERRY_ASSERT_NOTHING_OPEN()                          \
    do {                                                     \
        const char *ferry_test_message_ = ferry_test_open(); \
        if (ferry_test_message_) {                           \
            FERRY_TEST_FAIL(ferry_test_message_);            \
        }                                                    \
    } while (0)

#if defined(fail_msg)
/* For cmocka_unit_test_teardown() and its kin: a teardown fails by what it returns. */
static inline int ferry_test_teardown(void **state)
{
    const char *message = ferry_test_open();
    (void)state;
    if (message) {
        print_error("%s", message);
    }
    return message ? -1 : 0;
}
#endif

#endif
