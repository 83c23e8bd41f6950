/*
 * The arena: alignment, large and small allocations side by side, nothing lost at the end (the
 * sanitizers and Valgrind count).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <string.h>
#include <cmocka.h>

#include "base/arena.h"

static void test_allocations_are_aligned_and_apart(void **state)
{
    (void)state;
    struct fy_arena arena = {0};
    enum { COUNT = 3000 };
    static unsigned char *blocks[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        size_t size = i % 97 + 1;
        blocks[i] = fy_arena_alloc(&arena, size);
        assert_non_null(blocks[i]);
        assert_int_equal((uintptr_t)blocks[i] % _Alignof(max_align_t), 0);
        memset(blocks[i], (int)(i & 0xff), size);
    }
    for (size_t i = 0; i < COUNT; i++) {
        for (size_t at = 0; at < i % 97 + 1; at++) {
            assert_int_equal(blocks[i][at], i & 0xff);
        }
    }
    fy_arena_free(&arena);
    assert_null(arena.chunks);
}

static void test_something_large_leaves_the_newest_chunk_in_use(void **state)
{
    (void)state;
    struct fy_arena arena = {0};
    char *small = fy_arena_alloc(&arena, 16);
    void *newest = arena.chunks;
    char *large = fy_arena_alloc(&arena, 1024 * 1024);
    assert_non_null(large);
    memset(large, 1, 1024 * 1024);
    assert_ptr_equal(arena.chunks, newest);
    char *next = fy_arena_alloc(&arena, 16);
    assert_true(next > small && next - small < 64);
    fy_arena_free(&arena);
}

static void test_a_first_allocation_may_be_large(void **state)
{
    (void)state;
    struct fy_arena arena = {0};
    char *large = fy_arena_alloc(&arena, 300000);
    assert_non_null(large);
    memset(large, 1, 300000);
    assert_non_null(fy_arena_alloc(&arena, 8));
    fy_arena_free(&arena);
}

static void test_absurd_sizes_are_out_of_memory(void **state)
{
    (void)state;
    struct fy_arena arena = {0};
    assert_null(fy_arena_alloc(&arena, SIZE_MAX));
    assert_null(fy_arena_alloc(&arena, SIZE_MAX - 8));
    assert_null(fy_arena_copy(&arena, "x", SIZE_MAX));
    assert_non_null(fy_arena_alloc(&arena, 0));
    fy_arena_free(&arena);
}

static void test_copies_end_in_nul(void **state)
{
    (void)state;
    struct fy_arena arena = {0};
    assert_string_equal(fy_arena_copy(&arena, "chunked, gzip", 7), "chunked");
    assert_string_equal(fy_arena_copy(&arena, NULL, 0), "");
    fy_arena_free(&arena);
    fy_arena_free(&arena);
    assert_string_equal(fy_arena_copy(&arena, "again", 5), "again");
    fy_arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_allocations_are_aligned_and_apart),
        cmocka_unit_test(test_something_large_leaves_the_newest_chunk_in_use),
        cmocka_unit_test(test_a_first_allocation_may_be_large),
        cmocka_unit_test(test_absurd_sizes_are_out_of_memory),
        cmocka_unit_test(test_copies_end_in_nul),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
