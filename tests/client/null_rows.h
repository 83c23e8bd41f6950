/*
 * Rows of calls with NULL among their arguments, and what must come of each. Whether all functions
 * and all their pointers have had a row is told by the rows' own text.
 */
#ifndef NULL_ROWS_H
#define NULL_ROWS_H

#include "client_test.h"

/* A row has been gone through: "ferry_response_header", "(res, NULL)". */
void null_row(const char *name, const char *arguments);

/* Fails if ferry.h or ferry_test.h has a function with a pointer that no row has passed NULL for. */
void null_rows_are_complete(void);

/* A function, its arguments, and what must come of it. err is a variable of the row's test. */
#define DOES(function, arguments)        \
    do {                                 \
        null_row(#function, #arguments); \
        (function) arguments;            \
    } while (0)
#define GIVES(expected, function, arguments)               \
    do {                                                   \
        null_row(#function, #arguments);                   \
        assert_int_equal((function)arguments, (expected)); \
    } while (0)
#define SAYS(expected, function, arguments)                   \
    do {                                                      \
        null_row(#function, #arguments);                      \
        assert_string_equal((function)arguments, (expected)); \
    } while (0)
#define NOTHING(function, arguments)      \
    do {                                  \
        null_row(#function, #arguments);  \
        assert_null((function)arguments); \
    } while (0)
#define BRINGS(thing, function, arguments) \
    do {                                   \
        null_row(#function, #arguments);   \
        (thing) = (function)arguments;     \
        assert_non_null(thing);            \
    } while (0)
#define FAILS_WITH(expected, function, arguments)  \
    do {                                           \
        err = (ferry_error){0};                    \
        null_row(#function, #arguments);           \
        assert_int_equal((function)arguments, -1); \
        assert_int_equal(err.code, (expected));    \
        assert_string_not_equal(err.message, "");  \
    } while (0)
#define FAILS(function, arguments) FAILS_WITH(FERRY_EINVAL, function, arguments)
#define BRINGS_NONE_WITH(expected, function, arguments) \
    do {                                                \
        err = (ferry_error){0};                         \
        NOTHING(function, arguments);                   \
        assert_int_equal(err.code, (expected));         \
        assert_string_not_equal(err.message, "");       \
    } while (0)
#define BRINGS_NONE(function, arguments) BRINGS_NONE_WITH(FERRY_EINVAL, function, arguments)

#endif
