/*
 * The flags' table, and what reads it: values, words of the command line, lines of a config file.
 * Nothing is run; what the flags come to is looked at.
 */
#include "flags/config_file.h"
#include "flags/flag.h"
#include "flags/parse.h"
#include "flags/values.h"
#include "flags/words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* The flags of a command line; freed by done(). */
static struct run_config *parsed(const char *const *words)
{
    static struct run_config run;
    int count = 0;

    run = (struct run_config){.first = config_new()};
    assert_non_null(run.first);
    run.last = run.first;
    while (words[count])
        count++;
    assert_true(flags_parse(&run, count, (char **)words));
    return &run;
}

static void done(struct run_config *run)
{
    config_free_all(run->first);
    words_forget();
}

#define PARSED(...) parsed((const char *const[]){"ferry", __VA_ARGS__, NULL})

static void letters_may_be_joined(void **state)
{
    struct run_config *run = PARSED("-sSLofile", "-XPUT", "http://a/", "-d", "x", "http://b/");
    struct config *config = run->first;

    (void)state;
    assert_true(run->silent && run->show_error && config->location);
    assert_string_equal(config->outputs[0].file, "file");
    assert_string_equal(config->method, "PUT");
    assert_int_equal(config->urls.count, 2);
    assert_string_equal(config->urls.items[1], "http://b/");
    assert_string_equal(config->data[0].text, "x");
    done(run);
}

static void long_flags_in_all_their_forms(void **state)
{
    struct run_config *run =
        PARSED("--max-time=2.5", "--output", "a", "--output=-", "--compressed", "--no-compressed",
               "--no-keepalive", "--inse", "http://a/", "--", "--silent");
    struct config *config = run->first;

    (void)state;
    assert_int_equal(config->max_time_ms, 2500);
    assert_int_equal(config->outputs[0].kind, OUTPUT_FILE);
    assert_int_equal(config->outputs[1].kind, OUTPUT_STDOUT);
    assert_false(config->compressed);
    assert_true(config->no_keep_alive);
    assert_true(config->tls.insecure);
    assert_false(run->silent);
    assert_string_equal(config->urls.items[1], "--silent");
    done(run);
    run = PARSED("--no-keepalive", "--keepalive", "http://a/");
    assert_false(run->first->no_keep_alive);
    done(run);
}

static void next_begins_with_the_defaults(void **state)
{
    struct run_config *run = PARSED("-v", "-I", "http://a/", "--next", "-d", "x", "http://b/");

    (void)state;
    assert_true(run->verbose && run->first->head);
    assert_non_null(run->first->next);
    assert_false(run->first->next->head);
    assert_int_equal(run->first->next->data_count, 1);
    assert_int_equal(run->first->next->max_redirects, 50);
    done(run);
}

static void values_are_what_they_say(void **state)
{
    int64_t value;

    (void)state;
    assert_true(value_seconds("0.0004", &value) && value == 1);
    assert_true(value_seconds("0", &value) && value == 0);
    assert_false(value_seconds("-1", &value) || value_seconds("1s", &value) ||
                 value_seconds("", &value) || value_seconds("inf", &value) ||
                 value_seconds("0x10", &value) || value_seconds("1..2", &value));
    assert_true(value_bytes("500", &value) && value == 500);
    assert_true(value_bytes("1.5k", &value) && value == 1536);
    assert_true(value_bytes("2M", &value) && value == 2 * 1024 * 1024);
    assert_false(value_bytes("2Mb", &value) || value_bytes("k", &value) ||
                 value_bytes("99999999P", &value));
    assert_true(value_number("18", &value) && value == 18);
    assert_false(value_number("18a", &value) || value_number("", &value) ||
                 value_number("99999999999999999999", &value));
    assert_true(value_rate("2/s", &value) && value == 500);
    assert_true(value_rate("60", &value) && value == 60000);
    assert_false(value_rate("0/s", &value) || value_rate("2/y", &value) ||
                 value_rate("2/", &value));
}

/* A line of a config file, and what it says; NULL: nothing. */
static void lines_of_a_config_file(void **state)
{
    static const struct {
        const char *line, *name, *value;
        bool letters;
    } cases[] = {
        {"", NULL, NULL, false},
        {"  # a comment", NULL, NULL, false},
        {"silent", "silent", NULL, false},
        {"--silent\r\n", "silent", NULL, false},
        {"-o file\n", "o", "file", true},
        {"-sSo file\n", "sSo", "file", true},
        {"-ofile\n", "ofile", NULL, true},
        {"output = file", "output", "file", false},
        {"output=file", "output", "file", false},
        {"output: file # why", "output", "file", false},
        {"header \"X: a \\\"b\\\"\\t\\\\\"", "header", "X: a \"b\"\t\\", false},
        {"user-agent = \"\"", "user-agent", "", false},
        {"--data a=b", "data", "a=b", false},
        {"data \"unended", "data", "unended", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char line[80];
        struct config_line found;
        snprintf(line, sizeof line, "%s", cases[i].line);
        config_line_parse(line, &found);
        if (!cases[i].name) {
            assert_null(found.name);
            continue;
        }
        assert_string_equal(found.name, cases[i].name);
        if (cases[i].value)
            assert_string_equal(found.value, cases[i].value);
        else
            assert_null(found.value);
        assert_false(found.bare);
        assert_int_equal(found.letters, cases[i].letters);
    }
}

static bool look_at(void *arg, const struct flag *flag)
{
    const struct flag **before = arg;

    if (*before)
        assert_true(strcmp((*before)->name, flag->name) < 0);
    *before = flag;
    assert_non_null(flag->help);
    assert_true(flag->in != 0);
    assert_int_not_equal(flag->help[strlen(flag->help) - 1], '.');
    assert_int_equal(flag_takes_argument(flag), flag->argument != NULL);
    assert_int_equal(flag->kind == FLAG_TAKES || flag->kind == FLAG_DOES, flag->take != NULL);
    if (flag->kind == FLAG_OFF)
        assert_int_equal(strncmp(flag->name, "no-", 3), 0);
    assert_null(flag_left_out_by_name(flag->name));
    if (flag->letter) {
        assert_ptr_equal(flag_by_letter(flag->letter), flag);
        assert_null(flag_left_out_by_letter(flag->letter));
    }
    return true;
}

static void every_row_is_whole(void **state)
{
    const struct flag *last = NULL;

    (void)state;
    flags_each(look_at, &last);
    assert_string_equal(last->name, "xattr");
}

static void a_word_like_a_flag_is_found(void **state)
{
    (void)state;
    assert_string_equal(flag_like("slient"), "silent");
    assert_string_equal(flag_like("max-tme"), "max-time");
    assert_null(flag_like("frobnicate"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(letters_may_be_joined),
        cmocka_unit_test(long_flags_in_all_their_forms),
        cmocka_unit_test(next_begins_with_the_defaults),
        cmocka_unit_test(values_are_what_they_say),
        cmocka_unit_test(lines_of_a_config_file),
        cmocka_unit_test(every_row_is_whole),
        cmocka_unit_test(a_word_like_a_flag_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
