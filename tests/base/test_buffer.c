/*
 * The growing buffer: growth keeps what is there, a failure stays.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <string.h>
#include <cmocka.h>

#include "base/buffer.h"

static void test_growth_keeps_the_bytes(void **state)
{
    (void)state;
    struct fy_buffer buffer = {0};
    for (int i = 0; i < 10000; i++) {
        fy_buffer_append_byte(&buffer, (char)('a' + i % 26));
    }
    assert_false(buffer.failed);
    assert_int_equal(buffer.len, 10000);
    for (int i = 0; i < 10000; i++) {
        assert_int_equal(buffer.bytes[i], 'a' + i % 26);
    }
    fy_buffer_free(&buffer);
    assert_null(buffer.bytes);
    assert_int_equal(buffer.len, 0);
}

static void test_texts_and_formats(void **state)
{
    (void)state;
    struct fy_buffer buffer = {0};
    fy_buffer_append(&buffer, NULL, 0);
    fy_buffer_append_text(&buffer, "");
    fy_buffer_append_text(&buffer, "dial ");
    fy_buffer_printf(&buffer, "%s:%d", "tcp", 80);
    char long_text[1000];
    memset(long_text, 'x', sizeof(long_text) - 1);
    long_text[sizeof(long_text) - 1] = '\0';
    fy_buffer_printf(&buffer, "%s", long_text);
    assert_int_equal(buffer.len, 11 + 999);
    assert_memory_equal(buffer.bytes, "dial tcp:80xxx", 14);
    fy_buffer_free(&buffer);
}

static void test_reserved_room_counts_once_len_is_raised(void **state)
{
    (void)state;
    struct fy_buffer buffer = {0};
    char *room = fy_buffer_reserve(&buffer, 5000);
    assert_non_null(room);
    memset(room, 'r', 5000);
    assert_int_equal(buffer.len, 0);
    buffer.len += 3;
    fy_buffer_append_text(&buffer, "s");
    assert_memory_equal(buffer.bytes, "rrrs", 4);
    assert_int_equal(buffer.len, 4);
    fy_buffer_free(&buffer);
}

static void test_a_failure_stays(void **state)
{
    (void)state;
    struct fy_buffer buffer = {0};
    fy_buffer_append_text(&buffer, "kept");
    assert_null(fy_buffer_reserve(&buffer, SIZE_MAX));
    assert_true(buffer.failed);
    fy_buffer_append_text(&buffer, "lost");
    fy_buffer_printf(&buffer, "%d", 1);
    assert_int_equal(buffer.len, 4);
    fy_buffer_free(&buffer);
    assert_false(buffer.failed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_growth_keeps_the_bytes),
        cmocka_unit_test(test_texts_and_formats),
        cmocka_unit_test(test_reserved_room_counts_once_len_is_raised),
        cmocka_unit_test(test_a_failure_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
