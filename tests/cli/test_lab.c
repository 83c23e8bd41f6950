/*
 * The founding experiment, every row: what `ferry lab` counts beside what Go's runtime counts. In
 * discard mode the figures are Go's up to 1.26, settled; in drain mode they follow Go 1.27. The
 * command runs once, and each row is a test of its own.
 */
#include "command.h"

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

#define NUM 6

struct figures {
    int tasks;
    int connections;
    int dials;
    int reuses;
};

struct row {
    const char *body;
    int hosts;
    const char *read;
    bool closed;
    struct figures discard;
    struct figures drain;
    bool arrives_later; /* the body can come in a packet after the head's: see drained_in_time() */
};

enum { not_closed = false, closed = true };

/* tasks, connections, dials, reuses */
#define LEAKED      \
    {               \
        13, 6, 6, 0 \
    }
#define POOLED     \
    {              \
        3, 1, 1, 5 \
    }
#define POOLED_2   \
    {              \
        5, 2, 2, 4 \
    }
#define GONE       \
    {              \
        1, 0, 6, 0 \
    }

static const struct row table[] = {
    {"sized", 1, "none", not_closed, LEAKED, LEAKED, false},
    {"sized", 1, "none", closed, GONE, POOLED, false},
    {"sized", 1, "some", not_closed, LEAKED, LEAKED, false},
    {"sized", 1, "some", closed, GONE, POOLED, false},
    {"sized", 1, "exact", not_closed, POOLED, POOLED, false},
    {"sized", 1, "exact", closed, POOLED, POOLED, false},
    {"sized", 1, "all", not_closed, POOLED, POOLED, false},
    {"sized", 1, "all", closed, POOLED, POOLED, false},

    {"chunked", 1, "none", not_closed, LEAKED, LEAKED, false},
    {"chunked", 1, "none", closed, GONE, POOLED, true},
    {"chunked", 1, "some", not_closed, LEAKED, LEAKED, false},
    {"chunked", 1, "some", closed, GONE, POOLED, true},
    {"chunked", 1, "all", not_closed, POOLED, POOLED, false},
    {"chunked", 1, "all", closed, POOLED, POOLED, false},

    {"big", 1, "none", not_closed, LEAKED, LEAKED, false},
    {"big", 1, "none", closed, GONE, GONE, false},
    {"big", 1, "some", not_closed, LEAKED, LEAKED, false},
    {"big", 1, "some", closed, GONE, GONE, false},
    {"big", 1, "all", not_closed, POOLED, POOLED, false},
    {"big", 1, "all", closed, POOLED, POOLED, false},

    {"empty", 1, "none", not_closed, POOLED, POOLED, false},
    {"empty", 1, "none", closed, POOLED, POOLED, false},
    {"empty", 1, "some", not_closed, POOLED, POOLED, false},
    {"empty", 1, "some", closed, POOLED, POOLED, false},
    {"empty", 1, "all", not_closed, POOLED, POOLED, false},
    {"empty", 1, "all", closed, POOLED, POOLED, false},

    {"conn-close", 1, "none", not_closed, LEAKED, LEAKED, false},
    {"conn-close", 1, "none", closed, GONE, GONE, false},
    {"conn-close", 1, "some", not_closed, LEAKED, LEAKED, false},
    {"conn-close", 1, "some", closed, GONE, GONE, false},
    {"conn-close", 1, "exact", not_closed, GONE, GONE, false},
    {"conn-close", 1, "exact", closed, GONE, GONE, false},
    {"conn-close", 1, "all", not_closed, GONE, GONE, false},
    {"conn-close", 1, "all", closed, GONE, GONE, false},

    {"sized", 2, "none", not_closed, LEAKED, LEAKED, false},
    {"sized", 2, "none", closed, GONE, POOLED_2, false},
    {"sized", 2, "some", not_closed, LEAKED, LEAKED, false},
    {"sized", 2, "some", closed, GONE, POOLED_2, false},
    {"sized", 2, "exact", not_closed, POOLED_2, POOLED_2, false},
    {"sized", 2, "exact", closed, POOLED_2, POOLED_2, false},
    {"sized", 2, "all", not_closed, POOLED_2, POOLED_2, false},
    {"sized", 2, "all", closed, POOLED_2, POOLED_2, false},
};
#define ROWS (sizeof table / sizeof *table)

static json_t *lab; /* what `ferry lab --json` printed */

static int number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);

    if (!json_is_integer(value))
        fail_msg("\"%s\" is no integer", key);
    return (int)json_integer_value(value);
}

static bool is_row(const json_t *object, const struct row *row, bool drain)
{
    const char *body = json_string_value(json_object_get(object, "body"));
    const char *read = json_string_value(json_object_get(object, "read"));

    return body && strcmp(body, row->body) == 0 && read && strcmp(read, row->read) == 0 &&
           number(object, "hosts") == row->hosts &&
           json_is_true(json_object_get(object, "closed")) == row->closed &&
           json_is_true(json_object_get(object, "drain")) == drain;
}

static const json_t *find(const struct row *row, bool drain)
{
    const json_t *found = NULL;
    const json_t *object;
    size_t i;

    json_array_foreach(lab, i, object)
    {
        if (is_row(object, row, drain)) {
            assert_null(found);
            found = object;
        }
    }
    assert_non_null(found);
    return found;
}

/* A body closed early is drained by the connection's read loop, never on the caller's time: if
 * the next request is sent while the body's last bytes are still on their way, it dials. (The
 * server writes head and chunks apart; nearly always all are there in time.) What must hold
 * then, too: no connection is given up, and none is forgotten. */
static bool drained_in_time(const struct row *row, bool drain, const json_t *object)
{
    if (!drain || !row->arrives_later || number(object, "dials") == row->drain.dials)
        return true;
    assert_in_range(number(object, "dials"), 2, NUM - 1);
    assert_int_equal(number(object, "connections"), number(object, "dials"));
    assert_int_equal(number(object, "tasks"), 1 + 2 * number(object, "connections"));
    assert_int_equal(number(object, "reuses"), NUM - number(object, "dials"));
    return false;
}

static void hold(const struct row *row, bool drain, const struct figures *expected)
{
    const json_t *object = find(row, drain);

    assert_int_equal(number(object, "num"), NUM);
    assert_int_equal(number(object, "open_responses"), row->closed ? 0 : NUM);
    if (!drained_in_time(row, drain, object))
        return;
    assert_int_equal(number(object, "tasks"), expected->tasks);
    assert_int_equal(number(object, "connections"), expected->connections);
    assert_int_equal(number(object, "dials"), expected->dials);
    assert_int_equal(number(object, "reuses"), expected->reuses);
}

static void discards_as_go_1_26(void **state)
{
    const struct row *row = *state;

    hold(row, false, &row->discard);
}

static void drains_as_go_1_27(void **state)
{
    const struct row *row = *state;

    hold(row, true, &row->drain);
}

static void has_no_other_rows(void **state)
{
    (void)state;
    assert_int_equal(json_array_size(lab), 2 * ROWS);
}

/* Programs may read the lines with less than a parser, so the order counts. */
static void has_the_keys_in_their_order(void **state)
{
    static const char *const keys[] = {"body",  "read",   "closed",        "drain",
                                       "num",   "hosts",  "tasks",         "connections",
                                       "dials", "reuses", "open_responses"};
    json_t *object;
    size_t i;

    (void)state;
    json_array_foreach(lab, i, object)
    {
        size_t k = 0;
        for (void *at = json_object_iter(object); at; at = json_object_iter_next(object, at)) {
            assert_true(k < sizeof keys / sizeof *keys);
            assert_string_equal(json_object_iter_key(at), keys[k++]);
        }
        assert_int_equal(k, sizeof keys / sizeof *keys);
    }
}

static int run_the_lab(void **state)
{
    struct run_result result;
    json_error_t error;

    (void)state;
    command(&result, "lab", "--json");
    if (result.status != 0)
        print_error("ferry lab --json: status %d: %s\n", result.status, result.err);
    lab = json_loadb(result.out, result.out_len, JSON_REJECT_DUPLICATES, &error);
    if (!lab)
        print_error("line %d: %s\n", error.line, error.text);
    int failed = result.status != 0 || result.err_len != 0 || !json_is_array(lab);
    run_free(&result);
    return failed ? -1 : 0;
}

static int forget_the_lab(void **state)
{
    (void)state;
    json_decref(lab);
    return 0;
}

int main(void)
{
    static char names[2 * ROWS][64];
    static struct CMUnitTest tests[2 * ROWS + 2];

    for (size_t i = 0; i < ROWS; i++) {
        const struct row *row = &table[i];
        for (size_t drain = 0; drain < 2; drain++) {
            char *name = names[2 * i + drain];
            snprintf(name, sizeof names[0], "%s, hosts %d, read %s, closed %s: %s", row->body,
                     row->hosts, row->read, row->closed ? "yes" : "no",
                     drain ? "drains as Go 1.27" : "discards as Go 1.26");
            tests[2 * i + drain] = (struct CMUnitTest){
                .name = name,
                .test_func = drain ? drains_as_go_1_27 : discards_as_go_1_26,
                .initial_state = (void *)(uintptr_t)row,
            };
        }
    }
    tests[2 * ROWS] = (struct CMUnitTest)cmocka_unit_test(has_no_other_rows);
    tests[2 * ROWS + 1] = (struct CMUnitTest)cmocka_unit_test(has_the_keys_in_their_order);
    return cmocka_run_group_tests(tests, run_the_lab, forget_the_lab);
}
