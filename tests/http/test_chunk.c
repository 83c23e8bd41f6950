/*
 * Chunk lines, read and written.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "http/chunk.h"

/* What a chunk line is seen as: its size in decimal and how many bytes it took, "MORE", or "BAD
 * reason @offset". */
static void read_line(char out[128], const char *bytes, size_t len)
{
    char *copy = malloc(len == 0 ? 1 : len);
    assert_non_null(copy);
    memcpy(copy, bytes, len);
    struct fy_parse parse = {.bytes = copy, .len = len};
    uint64_t size = 0;
    switch (fy_parse_chunk_line(&parse, &size)) {
    case FY_PARSE_DONE: snprintf(out, 128, "%" PRIu64 " in %zu", size, parse.at); break;
    case FY_PARSE_MORE: strcpy(out, "MORE"); break;
    case FY_PARSE_BAD:
        assert_true(parse.bad_at < len);
        snprintf(out, 128, "BAD %s @%zu", parse.reason, parse.bad_at);
        break;
    case FY_PARSE_END: fail(); break;
    }
    assert_true(out[0] != 'M' || parse.at == 0);
    free(copy);
}

static void sees(const char *bytes, size_t len, const char *expected)
{
    char line[128];
    read_line(line, bytes, len);
    assert_string_equal(line, expected);
}

#define SEES(bytes, expected) sees(bytes, sizeof(bytes) - 1, expected)

static void test_sizes(void **state)
{
    (void)state;
    SEES("0\r\n", "0 in 3");
    SEES("5\r\nhello", "5 in 3");
    SEES("1F4\r\n", "500 in 5");
    SEES("1f4\r\n", "500 in 5");
    SEES("0000000000000000000000000005\r\n", "5 in 30");
    SEES("4000000000000000\r\n", "4611686018427387904 in 18"); /* 2^62 */
    SEES("4000000000000001\r\n", "BAD a chunk size that is too large @15");
    SEES("8000000000000000\r\n", "BAD a chunk size that is too large @15");
    SEES("ffffffffffffffff\r\n", "BAD a chunk size that is too large @15");
    SEES("10000000000000000\r\n", "BAD a chunk size that is too large @16");
    SEES("10000000000000005\r\n",
         "BAD a chunk size that is too large @16"); /* 5, if it overflowed */
}

static void test_malformed_sizes(void **state)
{
    (void)state;
    SEES("\r\n", "BAD a chunk without a size @0");
    SEES(" 5\r\n", "BAD a chunk without a size @0");
    SEES("+5\r\n", "BAD a chunk without a size @0");
    SEES("-5\r\n", "BAD a chunk without a size @0");
    SEES(";a\r\n", "BAD a chunk without a size @0");
    SEES("0x5\r\n", "BAD a malformed chunk size @1");
    SEES("5 5\r\n", "BAD a malformed chunk size @2");
    SEES("5g\r\n", "BAD a malformed chunk size @1");
    SEES("5,\r\n", "BAD a malformed chunk size @1");
    SEES("5\n", "BAD a LF without CR @1");
    SEES("5\rX", "BAD a CR without LF @1");
    SEES("5\0\r\n", "BAD a NUL byte @1");
    SEES("5;a\nb\r\n", "BAD a LF without CR @3");
    SEES("5;a=\"\x01\"\r\n", "BAD a control byte @5");
}

/* Some servers fill the size up with spaces. */
static void test_padding_behind_the_size(void **state)
{
    (void)state;
    SEES("5   \r\n", "5 in 6");
    SEES("5\t;a\r\n", "5 in 6");
}

static void test_CH_005_extensions_are_ignored(void **state)
{
    (void)state;
    SEES("7;ext=\"some quoted string\"\r\n", "7 in 28");
    SEES("17;someext\r\n", "23 in 12");
    SEES("3;someext=sometoken\r\n", "3 in 21");
    SEES("0;ext=\"x\";token=y\r\n", "0 in 19");
    SEES("5 ; a = b\r\n", "5 in 11");
    SEES("5;\xe2\x82\xac\t\r\n", "5 in 8");
}

static void test_the_longest_line(void **state)
{
    (void)state;
    char bytes[FY_CHUNK_LINE_MAX + 8];
    char line[128];
    memset(bytes, 'e', sizeof(bytes));
    memcpy(bytes, "5;", 2);
    memcpy(bytes + FY_CHUNK_LINE_MAX, "\r\n", 2);
    read_line(line, bytes, FY_CHUNK_LINE_MAX);
    assert_string_equal(line, "MORE");
    read_line(line, bytes, FY_CHUNK_LINE_MAX + 1);
    assert_string_equal(line, "MORE");
    read_line(line, bytes, FY_CHUNK_LINE_MAX + 2);
    assert_string_equal(line, "5 in 4098");
    memcpy(bytes + FY_CHUNK_LINE_MAX, "e\r\n", 3);
    read_line(line, bytes, FY_CHUNK_LINE_MAX + 3);
    assert_string_equal(line, "BAD a chunk line that is too long @4096");
    memset(bytes, '0', sizeof(bytes)); /* zeros without end are no better */
    read_line(line, bytes, sizeof(bytes));
    assert_string_equal(line, "BAD a chunk line that is too long @4096");
}

static void test_every_prefix_wants_more(void **state)
{
    (void)state;
    static const char *const lines[] = {"1f4\r\n", "0 ;a=\"b c\";d\r\n", "4000000000000000 \t\r\n"};
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        for (size_t len = 0; len < strlen(lines[i]); len++) {
            sees(lines[i], len, "MORE");
        }
    }
}

static void test_the_end_of_a_chunk(void **state)
{
    (void)state;
    struct fy_parse parse = {.bytes = "\r\n", .len = 0};
    assert_int_equal(fy_parse_chunk_end(&parse), FY_PARSE_MORE);
    parse.len = 1;
    assert_int_equal(fy_parse_chunk_end(&parse), FY_PARSE_MORE);
    assert_int_equal(parse.at, 0);
    parse.len = 2;
    assert_int_equal(fy_parse_chunk_end(&parse), FY_PARSE_DONE);
    assert_int_equal(parse.at, 2);
    static const char *const wrong[] = {"\n", "\rX", "X", "\r\r\n", "0\r\n"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        parse = (struct fy_parse){.bytes = wrong[i], .len = strlen(wrong[i])};
        assert_int_equal(fy_parse_chunk_end(&parse), FY_PARSE_BAD);
        assert_int_equal(parse.bad_at, 0);
    }
}

static void test_heads_to_send(void **state)
{
    (void)state;
    static const struct {
        uint64_t size;
        const char *head;
    } cases[] = {{0, "0\r\n"},
                 {1, "1\r\n"},
                 {15, "f\r\n"},
                 {16, "10\r\n"},
                 {500, "1f4\r\n"},
                 {0x10000, "10000\r\n"},
                 {1u << 31, "80000000\r\n"},
                 {UINT64_MAX, "ffffffffffffffff\r\n"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char out[FY_CHUNK_HEAD_MAX];
        size_t len = fy_chunk_head(out, cases[i].size);
        assert_int_equal(len, strlen(cases[i].head));
        assert_memory_equal(out, cases[i].head, len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_malformed_sizes),
        cmocka_unit_test(test_padding_behind_the_size),
        cmocka_unit_test(test_CH_005_extensions_are_ignored),
        cmocka_unit_test(test_the_longest_line),
        cmocka_unit_test(test_every_prefix_wants_more),
        cmocka_unit_test(test_the_end_of_a_chunk),
        cmocka_unit_test(test_heads_to_send),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
