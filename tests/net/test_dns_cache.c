/*
 * The cache of names' addresses by itself, at times of the test's choosing.
 */
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "net/dns_cache.h"

#define SECOND INT64_C(1000000000)

static const int64_t begin = 5 * SECOND; /* any time */

static struct fy_dns_cache *cache;

static int set_up(void **state)
{
    (void)state;
    cache = fy_dns_cache_new(60000);
    return cache != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    fy_dns_cache_free(cache);
    return 0;
}

/* 10.0.0.1 and on. */
static struct fy_addresses row(int count)
{
    struct fy_addresses addresses = {0};
    for (int i = 1; i <= count; i++) {
        struct sockaddr_in ipv4 = {.sin_family = AF_INET,
                                   .sin_addr = {.s_addr = htonl(0x0a000000 + (unsigned)i)}};
        assert_int_equal(fy_addresses_add(&addresses, (struct sockaddr *)&ipv4, 9), 0);
    }
    return addresses;
}

static void keep(const char *name, int64_t now, int count, int64_t ttl)
{
    struct fy_addresses addresses = row(count);
    fy_dns_cache_keep(cache, name, now, &addresses, ttl, fy_dns_cache_flushes(cache));
    fy_addresses_free(&addresses);
}

/* How many addresses are kept; 0: none. They must be those of row(). */
static int kept(const char *name, int64_t now)
{
    char text[FY_ADDRESS_TEXT];
    char expected[FY_ADDRESS_TEXT];
    struct fy_addresses addresses = {0};
    int found = fy_dns_cache_find(cache, name, now, &addresses, 80);
    int count = (int)addresses.count;
    assert_int_equal(found, count > 0);
    for (int i = 0; i < count; i++) {
        fy_address_text(&addresses.list[i], text);
        snprintf(expected, sizeof expected, "10.0.0.%d:80", i + 1);
        assert_string_equal(text, expected);
    }
    fy_addresses_free(&addresses);
    return count;
}

static void for_its_time(void **state)
{
    (void)state;
    assert_int_equal(kept("a.test", begin), 0);
    keep("a.test", begin, 2, 30);
    assert_int_equal(kept("a.test", begin), 2);
    assert_int_equal(kept("a.test", begin + 30 * SECOND - 1), 2);
    assert_int_equal(kept("b.test", begin), 0);
    assert_int_equal(kept("a.test", begin + 30 * SECOND), 0);
    assert_int_equal(kept("a.test", begin), 0); /* what was found expired is gone */
}

static void never_longer_than_wanted(void **state)
{
    (void)state;
    keep("a.test", begin, 1, 3600);
    assert_int_equal(kept("a.test", begin + 60 * SECOND - 1), 1);
    assert_int_equal(kept("a.test", begin + 60 * SECOND), 0);
    fy_dns_cache_free(cache);
    cache = fy_dns_cache_new(INT64_MAX);
    keep("a.test", begin, 1, INT32_MAX);
    assert_int_equal(kept("a.test", begin + INT32_MAX * SECOND - 1), 1);
    assert_int_equal(kept("a.test", begin + INT32_MAX * SECOND), 0);
}

static void not_at_all(void **state)
{
    (void)state;
    keep("a.test", begin, 1, 0);
    assert_int_equal(kept("a.test", begin), 0);
    keep("a.test", begin, 1, -5);
    assert_int_equal(kept("a.test", begin - 10 * SECOND), 0);
    keep("a.test", begin, 64, 60);
    assert_int_equal(kept("a.test", begin), 64);
    keep("a.test", begin, 65, 60); /* the older answer is not true any more, either */
    assert_int_equal(kept("a.test", begin), 0);
}

static void case_makes_no_difference(void **state)
{
    (void)state;
    keep("A.test", begin, 1, 60);
    assert_int_equal(kept("a.TEST", begin), 1);
    assert_int_equal(kept("a.test.", begin), 0); /* without the search list: another name */
}

static void a_later_answer_replaces(void **state)
{
    (void)state;
    keep("a.test", begin, 1, 10);
    keep("a.test", begin + 5 * SECOND, 3, 20);
    assert_int_equal(kept("a.test", begin + 24 * SECOND), 3);
    keep("a.test", begin + 24 * SECOND, 2, 0);
    assert_int_equal(kept("a.test", begin + 24 * SECOND), 0);
}

static void forgotten(void **state)
{
    struct fy_addresses addresses = row(1);
    (void)state;
    keep("a.test", begin, 1, 60);
    keep("b.test", begin, 2, 60);
    fy_dns_cache_drop(cache, "A.TEST");
    fy_dns_cache_drop(cache, "c.test");
    assert_int_equal(kept("a.test", begin), 0);
    assert_int_equal(kept("b.test", begin), 2);

    uint64_t flushes = fy_dns_cache_flushes(cache);
    fy_dns_cache_flush(cache);
    assert_int_equal(kept("b.test", begin), 0);
    /* An answer to a question from before the flush. */
    fy_dns_cache_keep(cache, "a.test", begin, &addresses, 60, flushes);
    assert_int_equal(kept("a.test", begin), 0);
    keep("a.test", begin, 1, 60);
    assert_int_equal(kept("a.test", begin), 1);
    fy_addresses_free(&addresses);
}

static void bounded(void **state)
{
    char name[32];
    (void)state;
    for (int i = 0; i < FY_DNS_CACHE_NAMES; i++) {
        snprintf(name, sizeof name, "%d.test", i);
        keep(name, begin, 1, 60);
    }
    assert_int_equal(kept("0.test", begin), 1); /* used: now 1.test is the oldest */
    keep("more.test", begin, 1, 60);
    assert_int_equal(kept("1.test", begin), 0);
    assert_int_equal(kept("0.test", begin), 1);
    assert_int_equal(kept("2.test", begin), 1);
    assert_int_equal(kept("more.test", begin), 1);
    keep("more.test", begin, 1, 60); /* no new name */
    assert_int_equal(kept("3.test", begin), 1);
}

static void *use(void *arg)
{
    unsigned random = (unsigned)(uintptr_t)arg;
    char name[32];
    for (int i = 0; i < 3000; i++) {
        struct fy_addresses addresses = {0};
        random = random * 1103515245 + 12345;
        snprintf(name, sizeof name, "%u.test", random >> 16 & 15);
        switch (random >> 20 & 7) {
        case 0: fy_dns_cache_drop(cache, name); break;
        case 1:
            addresses = row(2);
            fy_dns_cache_keep(cache, name, begin, &addresses, 60, fy_dns_cache_flushes(cache));
            break;
        case 2:
            if (i % 50 == 0) {
                fy_dns_cache_flush(cache);
            }
            break;
        default: (void)fy_dns_cache_find(cache, name, begin, &addresses, 80); break;
        }
        fy_addresses_free(&addresses);
    }
    return NULL;
}

static void many_threads(void **state)
{
    pthread_t threads[4];
    (void)state;
    for (uintptr_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, use, (void *)(i + 1)), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    keep("a.test", begin, 1, 60);
    assert_int_equal(kept("a.test", begin), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(for_its_time),
        TEST(never_longer_than_wanted),
        TEST(not_at_all),
        TEST(case_makes_no_difference),
        TEST(a_later_answer_replaces),
        TEST(forgotten),
        TEST(bounded),
        TEST(many_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
