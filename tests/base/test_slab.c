/*
 * Slabs: pieces do not overlap, are used again, and leave nothing mapped that is not in use.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/slab.h"

#define PIECES 5000

static struct fy_slab slab = FY_SLAB(232, FY_SLAB_CHUNK);
static struct fy_slab large = FY_SLAB(16 * 1024, 256 * 1024);

static void fill(struct fy_slab *from, unsigned char *pieces[PIECES], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        pieces[i] = fy_slab_take(from);
        assert_non_null(pieces[i]);
        assert_int_equal((uintptr_t)pieces[i] % _Alignof(max_align_t), 0);
        memset(pieces[i], (int)(i % 251), from->bytes);
    }
}

static void check(const struct fy_slab *from, unsigned char *pieces[PIECES], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(pieces[i][0], i % 251);
        assert_int_equal(pieces[i][from->bytes - 1], i % 251);
    }
}

static void test_pieces_are_apart(void **state)
{
    static unsigned char *pieces[PIECES];
    (void)state;
    fill(&slab, pieces, PIECES);
    check(&slab, pieces, PIECES);
    for (size_t i = 0; i < PIECES; i += 3) { /* these go, and come again */
        fy_slab_give(&slab, pieces[i]);
    }
    for (size_t i = 0; i < PIECES; i += 3) {
        pieces[i] = fy_slab_take(&slab);
        memset(pieces[i], (int)(i % 251), slab.bytes);
    }
    check(&slab, pieces, PIECES);
    for (size_t i = 0; i < PIECES; i++) {
        fy_slab_give(&slab, pieces[i * 7 % PIECES]);
    }
    assert_in_range(slab.empty, 0, 1); /* one chunk at most is kept */
    fy_slab_give(&slab, NULL);
}

static void test_large_pieces(void **state)
{
    static unsigned char *pieces[PIECES];
    (void)state;
    fill(&large, pieces, 100);
    check(&large, pieces, 100);
    for (size_t i = 0; i < 100; i++) {
        fy_slab_give(&large, pieces[i]);
    }
    assert_in_range(large.empty, 0, 1);
}

static void *take_and_give(void *arg)
{
    unsigned char *pieces[50];
    for (int round = 0; round < 200; round++) {
        for (int i = 0; i < 50; i++) {
            pieces[i] = fy_slab_take(&slab);
            memset(pieces[i], round, slab.bytes);
        }
        for (int i = 0; i < 50; i++) {
            if (pieces[i][0] != (unsigned char)round || pieces[i][231] != (unsigned char)round) {
                *(int *)arg += 1;
            }
            fy_slab_give(&slab, pieces[i]);
        }
    }
    return NULL;
}

static void test_several_threads(void **state)
{
    pthread_t threads[4];
    int wrong[4] = {0};
    (void)state;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, take_and_give, &wrong[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(wrong[i], 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces_are_apart),
        cmocka_unit_test(test_large_pieces),
        cmocka_unit_test(test_several_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
