/*
 * Header fields: order and spelling, lookups without case, comma-separated values.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "http/header.h"

static void add(struct fy_header *header, struct fy_arena *arena, const char *name,
                const char *value)
{
    assert_int_equal(fy_header_add(header, arena, name, strlen(name), value, strlen(value)), 0);
}

static void test_order_and_spelling_stay(void **state)
{
    (void)state;
    struct fy_arena arena = {0};
    struct fy_header header = {0};
    char name[24];
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof(name), "x-Field-%d", i);
        add(&header, &arena, name, i % 2 == 0 ? "even" : "odd");
    }
    assert_int_equal(header.count, 100);
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof(name), "x-Field-%d", i);
        assert_string_equal(header.fields[i].name, name);
        assert_int_equal(header.fields[i].name_len, strlen(name));
        assert_string_equal(header.fields[i].value, i % 2 == 0 ? "even" : "odd");
        assert_int_equal(header.fields[i].value_len, i % 2 == 0 ? 4 : 3);
    }
    fy_arena_free(&arena);
}

static void test_lookups(void **state)
{
    (void)state;
    struct fy_arena arena = {0};
    struct fy_header header = {0};
    assert_null(fy_header_get(&header, "A"));
    add(&header, &arena, "Set-Cookie", "a=1");
    add(&header, &arena, "Server", "");
    add(&header, &arena, "SET-COOKIE", "b=2");
    assert_string_equal(fy_header_get(&header, "set-cookie"), "a=1");
    assert_string_equal(fy_header_get(&header, "SERVER"), "");
    assert_null(fy_header_get(&header, "Serve"));
    assert_null(fy_header_get(&header, "Servers"));
    assert_null(fy_header_get(&header, ""));
    assert_null(fy_header_get(&header, "Set\rCookie")); /* only letters have a case */

    const struct fy_field *first = fy_header_find(&header, "Set-Cookie", NULL);
    const struct fy_field *second = fy_header_find(&header, "Set-Cookie", first);
    assert_string_equal(first->value, "a=1");
    assert_string_equal(second->value, "b=2");
    assert_null(fy_header_find(&header, "Set-Cookie", second));

    assert_int_equal(fy_header_remove(&header, "set-COOKIE"), 2);
    assert_int_equal(fy_header_remove(&header, "set-COOKIE"), 0);
    assert_int_equal(header.count, 1);
    assert_string_equal(header.fields[0].name, "Server");
    fy_arena_free(&arena);
}

static void test_HD_003_lists_a_token(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        const char *token;
        bool lists;
    } cases[] = {
        {"", "", false},
        {"", "foo", false},
        {"foo", "foo", true},
        {"foo ", "foo", true},
        {" foo", "foo", true},
        {" foo ", "foo", true},
        {"foo,bar", "foo", true},
        {"bar,foo", "foo", true},
        {"bar, foo", "foo", true},
        {"bar,foo, baz", "foo", true},
        {"bar, FoO ,baz", "foo", true},
        {"FOO", "foo", true},
        {",, ,foo", "foo", true},
        {"\tfoo\t,bar", "foo", true},
        {"foo", "", false},
        {"foobar ", "foo", false},
        {"barfoo", "foo", false},
        {"bar foo", "foo", false},
        {"fo", "foo", false},
        {",", "", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fy_arena arena = {0};
        struct fy_header header = {0};
        add(&header, &arena, "Connection", cases[i].value);
        if (fy_header_lists(&header, "connection", cases[i].token) != cases[i].lists) {
            fail_msg("\"%s\" in \"%s\"", cases[i].token, cases[i].value);
        }
        fy_arena_free(&arena);
    }
}

static void test_every_field_of_a_name_counts_for_lists(void **state)
{
    (void)state;
    struct fy_arena arena = {0};
    struct fy_header header = {0};
    add(&header, &arena, "Connection", "upgrade");
    add(&header, &arena, "X-Other", "close");
    add(&header, &arena, "connection", "keep-alive, Close");
    assert_true(fy_header_lists(&header, "Connection", "close"));
    assert_true(fy_header_lists(&header, "Connection", "upgrade"));
    assert_false(fy_header_lists(&header, "Connection", "te"));
    assert_false(fy_header_lists(&header, "Expect", "close"));
    fy_arena_free(&arena);
}

static void test_HT_001_elements_of_a_list(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        const char *elements; /* each in brackets */
    } cases[] = {
        {"Foo", "[Foo]"},
        {" Foo", "[Foo]"},
        {"Foo ", "[Foo]"},
        {" Foo ", "[Foo]"},
        {"foo", "[foo]"},
        {"anY CaSe", "[anY CaSe]"},
        {"foo,bar, Baz", "[foo][bar][Baz]"},
        {" foo,bar, Baz ", "[foo][bar][Baz]"},
        {",Foo,bar,, Baz,", "[Foo][bar][Baz]"},
        {" , \t,", ""},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char out[128] = "";
        const char *rest = cases[i].value;
        const char *element;
        size_t len;
        while (fy_next_element(&rest, &element, &len)) {
            sprintf(out + strlen(out), "[%.*s]", (int)len, element);
        }
        assert_string_equal(out, cases[i].elements);
    }
}

static void test_tokens_and_values(void **state)
{
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        char c = (char)byte;
        bool token =
            byte > 0 && byte < 0x80 &&
            strchr("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
                   byte) != NULL;
        bool value = byte == '\t' || (byte >= 0x20 && byte != 0x7f);
        assert_int_equal(fy_is_token(&c, 1), token);
        assert_int_equal(fy_is_field_value(&c, 1), value);
    }
    assert_false(fy_is_token("", 0));
    assert_true(fy_is_field_value("", 0));
    assert_false(fy_is_token("a b", 3));
    assert_false(fy_is_field_value("a long value, with a line break\r\nX: in it", 41));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_and_spelling_stay),
        cmocka_unit_test(test_lookups),
        cmocka_unit_test(test_HD_003_lists_a_token),
        cmocka_unit_test(test_every_field_of_a_name_counts_for_lists),
        cmocka_unit_test(test_HT_001_elements_of_a_list),
        cmocka_unit_test(test_tokens_and_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
