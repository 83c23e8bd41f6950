/*
 * The command's pure parts that take texts apart: globs, URLs, dates, parts of forms, fields of
 * heads, file names from servers.
 */
#include "output/sink.h"
#include "output/write_out.h"
#include "plan/glob.h"
#include "request/dates.h"
#include "request/fields.h"
#include "request/form.h"
#include "request/url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* All that the pattern stands for, with blanks between. */
static void stands_for(const char *pattern, const char *expected)
{
    struct glob glob;
    char all[512] = "";
    const char *why;
    size_t at;

    assert_int_equal(glob_parse(&glob, pattern, false, &why, &at), 0);
    for (uint64_t i = 0; i < glob.total; i++) {
        char *text = glob_text(&glob, i);
        assert_non_null(text);
        strcat(strcat(all, i > 0 ? " " : ""), text);
        free(text);
    }
    assert_string_equal(all, expected);
    glob_free(&glob);
}

static void globs(void **state)
{
    (void)state;
    stands_for("http://a/", "http://a/");
    stands_for("{a,b}[1-2]", "a1 a2 b1 b2");
    stands_for("[008-11]", "008 009 010 011");
    stands_for("[1-9:4]x", "1x 5x 9x");
    stands_for("[a-g:3]", "a d g");
    stands_for("{,x}y", "y xy");
    stands_for("{a\\,b,c}", "a,b c");
    stands_for("\\[1-2\\]", "[1-2]");
    stands_for("http://[::1]:80/[1-2]", "http://[::1]:80/1 http://[::1]:80/2");
    stands_for("http://[fe80::1%25eth0]/", "http://[fe80::1%25eth0]/");
    stands_for("a{}[]b", "a{}[]b");
}

static void bad_globs_say_where(void **state)
{
    static const struct {
        const char *pattern;
        size_t at;
    } cases[] = {
        {"a[5-1]", 1},
        {"a{b", 3},
        {"ab}", 2},
        {"[1-", 0},
        {"[a-Z]", 0},
        {"{a{b}}", 2},
        {"[1-9:x]", 0},
        {"[1-9:0]", 0},
        {"a]", 1},
        {"[1-99999999999999999999]", 0},
        {"[00000000000000000000000000000000000000000000000001-2]", 0},
        {"[0-9223372036854775807][0-9223372036854775807]", 46},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct glob glob;
        const char *why = NULL;
        size_t at;
        if (glob_parse(&glob, cases[i].pattern, false, &why, &at) == 0)
            fail_msg("%s is taken", cases[i].pattern);
        assert_true(why[0] != '\0');
        if (at != cases[i].at)
            fail_msg("%s: wrong at %zu, not at %zu", cases[i].pattern, at, cases[i].at);
    }
}

static void names_of_globs(void **state)
{
    struct glob glob;
    const char *why;
    size_t at;
    char *name;

    (void)state;
    assert_int_equal(glob_parse(&glob, "http://{a,b}/[01-10]", false, &why, &at), 0);
    assert_int_equal(glob.total, 20);
    name = glob_name(&glob, 19, "#1-#2.#3#x#");
    assert_string_equal(name, "b-10.#3#x#");
    free(name);
    glob_free(&glob);
    assert_int_equal(glob_parse(&glob, "{a,b}", true, &why, &at), 0);
    assert_int_equal(glob.total, 1);
    glob_free(&glob);
}

static void takes(char *text, const char *expected)
{
    assert_non_null(text);
    assert_string_equal(text, expected);
    free(text);
}

static void urls(void **state)
{
    static const struct {
        const char *from, *to;
    } dots[] = {
        {"http://a/b/../c", "http://a/c"},
        {"http://a/b/./c/.", "http://a/b/c/"},
        {"http://a/../../c?/../", "http://a/c?/../"},
        {"http://a/b/..", "http://a/"},
        {"http://a/%2e%2E/c", "http://a/c"},
        {"http://a/.../c", "http://a/.../c"},
        {"http://a", "http://a"},
        {"http://a/b//../c", "http://a/b/c"},
        {"http://a/..b/.c/d..", "http://a/..b/.c/d.."},
    };
    char text[80], *user, *password;

    (void)state;
    for (size_t i = 0; i < sizeof dots / sizeof *dots; i++) {
        snprintf(text, sizeof text, "%s", dots[i].from);
        url_drop_dots(text);
        assert_string_equal(text, dots[i].to);
    }
    takes(url_with_scheme("a/b", NULL), "http://a/b");
    takes(url_with_scheme("a/b", "https"), "https://a/b");
    takes(url_with_query("http://a", "x=1"), "http://a/?x=1");
    takes(url_with_query("http://a/?y#f", "x=1"), "http://a/?y&x=1#f");
    takes(url_with_query("http://a/?", "x=1"), "http://a/?x=1");
    takes(url_with_file("http://a", "/tmp/b c"), "http://a/b%20c");
    takes(url_with_file("http://a/d/", "e"), "http://a/d/e");
    takes(url_with_file("http://a/d", "e"), "http://a/d");
    takes(url_file_name("http://a/b/c.tar?d/e"), "c.tar");
    takes(url_file_name("http://a/"), "");
    takes(url_encode("a b/~", 5), "a%20b%2F~");
    assert_true(url_credentials("http://a%40b:c:d@host/x@y", &user, &password));
    takes(user, "a@b");
    takes(password, "c:d");
    assert_true(url_credentials("http://host/x@y", &user, &password));
    assert_null(user);
    snprintf(text, sizeof text, "http://a:b@host/x@y");
    url_drop_credentials(text);
    assert_string_equal(text, "http://host/x@y");
    assert_true(url_same_origin("http://A/x", "http://a/y"));
    assert_false(url_same_origin("http://a/", "https://a/"));
    assert_false(url_same_origin("http://a/", "http://a:81/"));
    assert_true(url_scheme_allowed(NULL, "http"));
    assert_true(url_scheme_allowed("=https,+http", "http"));
    assert_false(url_scheme_allowed("=https", "http"));
    assert_false(url_scheme_allowed("all,-http", "http"));
}

static void dates(void **state)
{
    static const struct {
        const char *text;
        time_t when;
    } cases[] = {
        {"Sun, 06 Nov 1994 08:49:37 GMT", 784111777},
        {"Sunday, 06-Nov-94 08:49:37 GMT", 784111777},
        {"Sun Nov  6 08:49:37 1994", 784111777},
        {"1994-11-06 08:49:37", 784111777},
        {"1994-11-06T08:49:37Z", 784111777},
        {"6 Nov 1994 09:49:37 +0100", 784111777},
        {"19941106 08:49:37", 784111777},
        {"06 Nov 1994", 784080000},
    };
    static const char *const none[] = {"", "index.html", "Nov 1994", "32 Nov 1994", "soon", "1994"};
    char text[40];
    time_t when;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (!date_parse(cases[i].text, &when) || when != cases[i].when)
            fail_msg("%s is %lld", cases[i].text, (long long)when);
    }
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_false(date_parse(none[i], &when));
    date_format(784111777, text, sizeof text);
    assert_string_equal(text, "Sun, 06 Nov 1994 08:49:37 GMT");
}

static void parts_of_forms(void **state)
{
    struct form_part part;
    char text[120];

    (void)state;
    snprintf(text, sizeof text,
             "@a.txt;type=text/plain; charset=utf-8;filename=\"b;\\\".txt\",c.gif");
    form_part_parse(text, &part);
    assert_int_equal(part.kind, '@');
    assert_string_equal(part.content, "a.txt");
    assert_string_equal(part.type, "text/plain; charset=utf-8");
    assert_string_equal(part.name, "b;\".txt");
    assert_string_equal(part.next, "c.gif");
    snprintf(text, sizeof text, "one; two;type=x/y");
    form_part_parse(text, &part);
    assert_string_equal(part.content, "one; two");
    assert_string_equal(part.type, "x/y");
    snprintf(text, sizeof text, "a,b;headers=\"X: 1\";encoder=base64");
    form_part_parse(text, &part);
    assert_string_equal(part.content, "a,b");
    assert_null(part.next);
    assert_string_equal(part.fields[0], "X: 1");
    assert_string_equal(part.unknown, "encoder=base64");
    assert_string_equal(form_type_of("a.JPG"), "image/jpeg");
    assert_string_equal(form_type_of("a"), "application/octet-stream");
}

static void names_from_servers(void **state)
{
    static const struct {
        const char *field, *name;
    } cases[] = {
        {"attachment; filename=a.txt", "a.txt"},
        {"attachment; filename=\"a b;c.txt\"; x=y", "a b;c.txt"},
        {"attachment; filename=\"a\\\"b\"", "a\"b"},
        {"attachment; filename=../../etc/passwd", "passwd"},
        {"attachment; filename=\"..\\\\..\\\\boot.ini\"", "boot.ini"},
        {"attachment; filename=.bashrc", "_bashrc"},
        {"attachment; x=\"; filename=no\"; filename=yes", "yes"},
        {"attachment; filename=", NULL},
        {"attachment; filename=\"a/\"", NULL},
        {"attachment; filename*=UTF-8''x", NULL},
        {"attachment", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *name = disposition_name(cases[i].field);
        if (cases[i].name && (!name || strcmp(name, cases[i].name) != 0))
            fail_msg("%s: %s", cases[i].field, name ? name : "none");
        if (!cases[i].name)
            assert_null(name);
        free(name);
    }
}

static void fields_of_the_command_line(void **state)
{
    static const struct {
        const char *text, *name, *value;
    } cases[] = {
        {"A: b", "A", "b"}, {"A:b:c", "A", "b:c"}, {"A:", "A", NULL}, {"A: ", "A", NULL},
        {"A;", "A", ""},    {"A; b", NULL, NULL},  {"A", NULL, NULL}, {": b", NULL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[20], *name, *value;
        snprintf(text, sizeof text, "%s", cases[i].text);
        assert_int_equal(field_parse(text, &name, &value), cases[i].name != NULL);
        if (!cases[i].name)
            continue;
        assert_string_equal(name, cases[i].name);
        if (cases[i].value)
            assert_string_equal(value, cases[i].value);
        else
            assert_null(value);
    }
}

static void fields_of_a_head(void **state)
{
    static const char head[] = "HTTP/1.1 200 OK\r\nA: 1\r\nSet-Cookie:  x=y  \r\na: \"2\"\r\n\r\n";
    char *json = NULL;
    size_t len;

    (void)state;
    takes(head_field(head, "set-cookie"), "x=y");
    assert_null(head_field(head, "HTTP/1.1 200 OK"));
    FILE *out = open_memstream(&json, &len);
    assert_non_null(out);
    write_out_header_json(out, head);
    fclose(out);
    takes(json, "{\"a\":[\"1\",\"\\\"2\\\"\"],\n\"set-cookie\":[\"x=y\"]\n}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(globs),
        cmocka_unit_test(bad_globs_say_where),
        cmocka_unit_test(names_of_globs),
        cmocka_unit_test(urls),
        cmocka_unit_test(dates),
        cmocka_unit_test(parts_of_forms),
        cmocka_unit_test(names_from_servers),
        cmocka_unit_test(fields_of_the_command_line),
        cmocka_unit_test(fields_of_a_head),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
