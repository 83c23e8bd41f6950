/*
 * The ledger as JSON, as another program's parser understands it; and the ledger when it is long.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <cmocka.h>

#include <ferry.h>

#include "base/json.h"
#include "origin.h"
#include "watch_test.h"

#define HELLO "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
#define CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"

static json_t *ledger(size_t open)
{
    size_t count;
    json_error_t error;
    char *text = ferry_open_responses_json(&count);
    assert_non_null(text);
    assert_int_equal(count, open);
    json_t *document = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    if (document == NULL) {
        fail_msg("%s at line %d of\n%s", error.text, error.line, text);
    }
    free(text);
    assert_int_equal(json_integer_value(json_object_get(document, "open")), open);
    return document;
}

static json_int_t number(json_t *object, const char *name)
{
    json_t *value = json_object_get(object, name);
    assert_true(json_is_integer(value));
    return json_integer_value(value);
}

static void is_null(json_t *object, const char *name)
{
    assert_true(json_is_null(json_object_get(object, name)));
}

static void nothing_is_open(void **state)
{
    json_t *document = ledger(0);

    (void)state;
    assert_int_equal(json_array_size(json_object_get(document, "responses")), 0);
    assert_int_equal(json_array_size(json_object_get(document, "call_sites")), 0);
    json_decref(document);
    char *text = ferry_open_responses_text(NULL);
    assert_string_equal(text, "");
    free(text);
}

/* The puzzle's two: one unread, one read to its end and not closed. */
static void each_response_has_its_cost(void **state)
{
    struct origin *origin = origin_start_reply(HELLO);
    const char *url = origin_url(origin, "/a?b=%22");
    ferry_response *unread = ferry_get_at(url, NULL, "a \"quoted\" \\ file\n.c", 1);
    ferry_response *read = ferry_get_at(url, NULL, "b.c", 2);

    (void)state;
    free(ferry_response_read_all(read, 100, NULL, NULL));
    json_t *document = ledger(2);
    json_t *first = json_array_get(json_object_get(document, "responses"), 0);
    json_t *second = json_array_get(json_object_get(document, "responses"), 1);
    assert_string_equal(json_string_value(json_object_get(first, "file")),
                        "a \"quoted\" \\ file\n.c");
    assert_string_equal(json_string_value(json_object_get(first, "url")), url);
    assert_int_equal(number(first, "line"), 1);
    assert_int_equal(number(first, "bytes_read"), 0);
    assert_int_equal(number(first, "length"), 5);
    assert_int_equal(number(first, "sockets"), 1);
    assert_int_equal(number(first, "tasks"), 2);
    assert_true(number(first, "connection") > 0);
    is_null(first, "unread_ms");
    assert_int_equal(number(second, "bytes_read"), 5);
    assert_int_equal(number(second, "sockets"), 0);
    assert_int_equal(number(second, "tasks"), 0);
    assert_true(number(second, "unread_ms") >= 0);
    is_null(second, "connection");
    /* A stack is two pages at least, and the one that holds memory only holds its head. */
    assert_true(number(second, "memory") >= 1024);
    assert_true(number(first, "memory") >= number(second, "memory") + 2 * 4096);
    json_decref(document);
    ferry_response_close(unread);
    ferry_response_close(read);
    assert_true(origin_stop(origin));
}

static void what_is_not_known_is_null(void **state)
{
    struct origin *origin = origin_start_reply(CHUNKED);
    ferry_response *res = ferry_get_at(origin_url(origin, "/"), NULL, NULL, 0);

    (void)state;
    json_t *document = ledger(1);
    json_t *first = json_array_get(json_object_get(document, "responses"), 0);
    is_null(first, "file");
    is_null(first, "line");
    is_null(first, "length");
    json_decref(document);
    ferry_response_close(res);
    assert_true(origin_stop(origin));
}

static void bytes_that_are_no_utf8_are_replaced(void **state)
{
    struct fy_buffer json = {0};

    (void)state;
    fy_json_string(&json, "\xc3\xa4|\xff|\xc0\x80|\xed\xa0\x80|\xf0\x9f\x9a\xa2|\xe2\x82|\x7f\t");
    fy_buffer_append_byte(&json, '\0');
    assert_string_equal(json.bytes, "\"\xc3\xa4|\xef\xbf\xbd|\xef\xbf\xbd\xef\xbf\xbd|"
                                    "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd|\xf0\x9f\x9a\xa2|"
                                    "\xef\xbf\xbd\xef\xbf\xbd|\\u007f\\u0009\"");
    fy_buffer_free(&json);
}

#define MANY 21

static void many_are_grouped_by_call_site(void **state)
{
    struct origin *origin = origin_start_reply(HELLO);
    ferry_response *opened[MANY];

    (void)state;
    for (int i = 0; i < MANY; i++) {
        opened[i] = ferry_get_at(origin_url(origin, "/"), NULL, i % 3 == 0 ? "few.c" : "many.c", 7);
        assert_non_null(opened[i]);
        if (i == MANY - 2) {
            char *text = ferry_open_responses_text(NULL); /* 20: a line for each */
            assert_null(strstr(text, " responses open, "));
            free(text);
        }
    }
    free(ferry_response_read_all(opened[0], 100, NULL, NULL));
    size_t count;
    char *text = ferry_open_responses_text(&count);
    assert_int_equal(count, MANY);
    assert_int_equal(
        strncmp(text, "many.c:7: 14 responses open, 14 of them hold a connection and ", 62), 0);
    assert_non_null(strstr(text, "\nfew.c:7: 7 responses open, 6 of them hold a connection and "));
    assert_non_null(strstr(text, " in all); the oldest:\n    few.c:7: http://"));
    free(text);
    json_t *document = ledger(MANY);
    json_t *sites = json_object_get(document, "call_sites");
    assert_int_equal(json_array_size(sites), 2);
    assert_int_equal(number(json_array_get(sites, 0), "open"), 14);
    assert_int_equal(number(json_array_get(sites, 0), "tasks"), 28);
    assert_int_equal(number(json_array_get(sites, 1), "sockets"), 6);
    assert_int_equal(json_array_size(json_object_get(document, "responses")), MANY);
    json_decref(document);
    for (int i = 0; i < MANY; i++) {
        ferry_response_close(opened[i]);
    }
    ferry_transport_close_idle(NULL); /* before the server does, so that they are gone at once */
    assert_true(origin_stop(origin));
}

#define LEDGER_TEST(name) cmocka_unit_test_teardown(name, nothing_is_left)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEDGER_TEST(nothing_is_open),
        LEDGER_TEST(each_response_has_its_cost),
        LEDGER_TEST(what_is_not_known_is_null),
        LEDGER_TEST(bytes_that_are_no_utf8_are_replaced),
        LEDGER_TEST(many_are_grouped_by_call_site),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
