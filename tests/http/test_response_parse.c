/*
 * The response head's parser: what is taken, what is refused and where, and that it makes no
 * difference in what pieces the bytes come.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "http/bytes.h"
#include "http/response_parse.h"

/* A head as text: "200 1 OK|Name=value|...|END", or "BAD reason @offset", or "MORE" where it
 * stops. The bytes lie in a block of just their size, so that a sanitizer sees any read past
 * them. */
static char *read_head(const char *bytes, size_t len)
{
    char *copy = malloc(len == 0 ? 1 : len);
    char *out = malloc(4096);
    assert_non_null(copy);
    assert_non_null(out);
    memcpy(copy, bytes, len);
    struct fy_parse parse = {.bytes = copy, .len = len};
    struct fy_status_line line;
    struct fy_field field;
    int at = 0;
    size_t before = parse.at;
    enum fy_parse_result result = fy_parse_status_line(&parse, &line);
    if (result == FY_PARSE_DONE) {
        assert_int_equal(line.major, 1);
        at += sprintf(out + at, "%d %d %.*s|", line.status, line.minor, (int)line.reason.len,
                      line.reason.bytes);
        before = parse.at;
        while ((result = fy_parse_field(&parse, &field)) == FY_PARSE_DONE) {
            at += sprintf(out + at, "%.*s=%.*s|", (int)field.name_len, field.name,
                          (int)field.value_len, field.value);
            assert_true(parse.at > before && parse.at <= len);
            before = parse.at;
        }
    }
    if (result == FY_PARSE_END) {
        assert_int_equal(parse.at, before + 2);
        strcpy(out + at, "END");
    } else {
        assert_int_equal(parse.at, before); /* moves only over whole lines */
        if (result == FY_PARSE_BAD) {
            assert_non_null(parse.reason);
            assert_true(parse.bad_at < len);
            sprintf(out + at, "BAD %s @%zu", parse.reason, parse.bad_at);
        } else {
            strcpy(out + at, "MORE");
        }
    }
    free(copy);
    return out;
}

static void sees(const char *bytes, size_t len, const char *expected)
{
    char *head = read_head(bytes, len);
    assert_string_equal(head, expected);
    free(head);
}

#define SEES(bytes, expected) sees(bytes, sizeof(bytes) - 1, expected)

static void test_a_head(void **state)
{
    (void)state;
    SEES("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Empty:\r\nx-odd~name:\tblanks \t \r\n\r\nhello",
         "200 1 OK|Content-Length=5|X-Empty=|x-odd~name=blanks|END");
    SEES("HTTP/1.0 404 Not Found\r\n\r\n", "404 0 Not Found|END");
    SEES("HTTP/1.1 200 \r\n\r\n", "200 1 |END");
    SEES("HTTP/1.1 200  two  spaces \r\n\r\n", "200 1  two  spaces |END");
    SEES("HTTP/1.1 999 \x80\xff\t!\r\nA: \xc3\xa4\tb\r\n\r\n",
         "999 1 \x80\xff\t!|A=\xc3\xa4\tb|END");
    SEES("HTTP/1.1 200 OK\r\nA: : b:c\r\nA:   \t\r\n\r\n", "200 1 OK|A=: b:c|A=|END");
}

/* RFC 9112 section 4 wants the space; servers leave it out. */
static void test_the_space_before_an_empty_reason_may_be_missing(void **state)
{
    (void)state;
    SEES("HTTP/1.1 204\r\n\r\n", "204 1 |END");
    SEES("HTTP/1.1 204\n\r\n", "BAD a LF without CR @12");
    SEES("HTTP/1.1 204\rX", "BAD a CR without LF @12");
}

static void test_RQ_028_versions(void **state)
{
    (void)state;
    SEES("HTTP/1.0 200 OK\r\n\r\n", "200 0 OK|END");
    SEES("HTTP/1.1 200 OK\r\n\r\n", "200 1 OK|END");
    SEES("HTTP/1.7 200 OK\r\n\r\n",
         "200 1 OK|END"); /* a higher minor version is read as 1.1: RFC 9110 section 2.5 */
    SEES("HTTP/0.9 200 OK\r\n\r\n", "BAD no HTTP/1 status line @5");
    SEES("HTTP/0.0 200 OK\r\n\r\n", "BAD no HTTP/1 status line @5");
    SEES("HTTP/2.0 200 OK\r\n\r\n", "BAD no HTTP/1 status line @5");
    SEES("HTTP/3.14 200 OK\r\n\r\n", "BAD no HTTP/1 status line @5");
    SEES("HTTP/01.1 200 OK\r\n\r\n", "BAD no HTTP/1 status line @5");
    SEES("HTTP/+1.1 200 OK\r\n\r\n", "BAD no HTTP/1 status line @5");
    SEES("HTTP/1 200 OK\r\n\r\n", "BAD no HTTP/1 status line @6");
    SEES("HTTP/1,1 200 OK\r\n\r\n", "BAD no HTTP/1 status line @6");
    SEES("HTTP/1. 200 OK\r\n\r\n", "BAD no HTTP/1 status line @7");
    SEES("HTTP/1.-1 200 OK\r\n\r\n", "BAD no HTTP/1 status line @7");
    SEES("HTTP/1.10 200 OK\r\n\r\n", "BAD a status line without a status of three digits @8");
    SEES("HTTP/1.1/ 200 OK\r\n\r\n", "BAD a status line without a status of three digits @8");
    SEES("http/1.1 200 OK\r\n\r\n", "BAD no HTTP/1 status line @0");
    SEES("HTTP1.1 200 OK\r\n\r\n", "BAD no HTTP/1 status line @4");
    SEES("<html>", "BAD no HTTP/1 status line @0");
    SEES("\r\nHTTP/1.1 200 OK\r\n\r\n", "BAD no HTTP/1 status line @0");
    SEES(" HTTP/1.1 200 OK\r\n\r\n", "BAD no HTTP/1 status line @0");
}

static void test_statuses(void **state)
{
    (void)state;
    SEES("HTTP/1.1 100 \r\n\r\n", "100 1 |END");
    SEES("HTTP/1.1 099 \r\n\r\n", "BAD a status line without a status of three digits @9");
    SEES("HTTP/1.1 000 \r\n\r\n", "BAD a status line without a status of three digits @9");
    SEES("HTTP/1.1 20 OK\r\n\r\n", "BAD a status line without a status of three digits @11");
    SEES("HTTP/1.1 2000 OK\r\n\r\n", "BAD a status line without a status of three digits @12");
    SEES("HTTP/1.1  200 OK\r\n\r\n", "BAD a status line without a status of three digits @9");
    SEES("HTTP/1.1\t200 OK\r\n\r\n", "BAD a status line without a status of three digits @8");
    SEES("HTTP/1.1 200\tOK\r\n\r\n", "BAD a status line without a status of three digits @12");
    SEES("HTTP/1.1 +20 OK\r\n\r\n", "BAD a status line without a status of three digits @9");
    SEES("HTTP/1.1 0x1 OK\r\n\r\n", "BAD a status line without a status of three digits @9");
    SEES("HTTP/1.1 \r\n\r\n", "BAD a status line without a status of three digits @9");
}

/* Each of these has been, somewhere, one message to one reader and two to another. */
static void test_what_smuggling_needs_is_refused(void **state)
{
    (void)state;
    SEES("HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", "200 1 OK|A=b|BAD a folded field line @23");
    SEES("HTTP/1.1 200 OK\r\nA: b\r\n\tc\r\n\r\n", "200 1 OK|A=b|BAD a folded field line @23");
    SEES("HTTP/1.1 200 OK\r\n A: b\r\n\r\n", "200 1 OK|BAD a folded field line @17");
    SEES("HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\n",
         "200 1 OK|BAD white space in or after a field name @31");
    SEES("HTTP/1.1 200 OK\r\nA\t: 5\r\n\r\n",
         "200 1 OK|BAD white space in or after a field name @18");
    SEES("HTTP/1.1 200 OK\r\nA b: 5\r\n\r\n",
         "200 1 OK|BAD white space in or after a field name @18");
    SEES("HTTP/1.1 200 OK\r\nA: b\nB: c\r\n\r\n", "200 1 OK|BAD a LF without CR @21");
    SEES("HTTP/1.1 200 OK\nA: b\r\n\r\n", "BAD a LF without CR @15");
    SEES("HTTP/1.1 200 OK\r\nA: b\rB: c\r\n\r\n", "200 1 OK|BAD a CR without LF @21");
    SEES("HTTP/1.1 200 O\rK\r\n\r\n", "BAD a CR without LF @14");
    SEES("HTTP/1.1 200 OK\r\nA: b\r\r\n\r\n", "200 1 OK|BAD a CR without LF @21");
    SEES("HTTP/1.1 200 OK\r\nA: b\0c\r\n\r\n", "200 1 OK|BAD a NUL byte @21");
    SEES("HTTP/1.1 200 OK\r\nA\0: b\r\n\r\n", "200 1 OK|BAD a NUL byte @18");
    SEES("HTTP/1.1 200 OK\r\nA: b\x7f\r\n\r\n", "200 1 OK|BAD a control byte @21");
    SEES("HTTP/1.1 200 OK\r\nA: \x0b chunked\r\n\r\n", "200 1 OK|BAD a control byte @20");
    SEES("HTTP/1.1 200 OK\r\n: b\r\n\r\n", "200 1 OK|BAD an empty field name @17");
    SEES("HTTP/1.1 200 OK\r\nA\r\n\r\n", "200 1 OK|BAD a CR without LF @18");
    SEES("HTTP/1.1 200 OK\r\n\xc3\xa4: b\r\n\r\n",
         "200 1 OK|BAD a field name that is no token @17");
    SEES("HTTP/1.1 200 OK\r\n(A): b\r\n\r\n", "200 1 OK|BAD a field name that is no token @17");
    SEES("HTTP/1.1 200 OK\r\n\n", "200 1 OK|BAD a LF without CR @17");
    SEES("HTTP/1.1 200 OK\r\n\r\r\n", "200 1 OK|BAD a CR without LF @17");
}

static const char whole[] =
    "HTTP/1.1 206 Partial \xe2\x82\xac Content\r\n"
    "Server: a long value, longer than sixteen bytes, and than thirty-two\r\n"
    "content-length:7\r\n"
    "Empty:  \r\n"
    "X: \t y \r\n"
    "\r\n";

static void test_every_prefix_wants_more(void **state)
{
    (void)state;
    char *all = read_head(whole, sizeof(whole) - 1);
    assert_string_equal(
        all,
        "206 1 Partial \xe2\x82\xac Content|Server=a long value, longer than sixteen bytes, and "
        "than thirty-two|content-length=7|Empty=|X=y|END");
    for (size_t len = 0; len < sizeof(whole) - 1; len++) {
        char *part = read_head(whole, len);
        size_t kept = strlen(part) - strlen("MORE");
        assert_string_equal(part + kept, "MORE");
        assert_memory_equal(part, all, kept); /* what was taken before is what will be taken */
        free(part);
    }
    free(all);
}

/* Split in two at every place: what the first part gave, and a call from the same place once the
 * second is there. */
static void test_every_split_reads_the_same(void **state)
{
    (void)state;
    size_t len = sizeof(whole) - 1;
    for (size_t split = 0; split <= len; split++) {
        struct fy_parse parse = {.bytes = whole, .len = split};
        struct fy_status_line line;
        struct fy_field field;
        int fields = 0;
        bool status = false;
        for (;;) {
            enum fy_parse_result result =
                status ? fy_parse_field(&parse, &field) : fy_parse_status_line(&parse, &line);
            assert_int_not_equal(result, FY_PARSE_BAD);
            if (result == FY_PARSE_END) {
                break;
            }
            if (result == FY_PARSE_MORE) {
                assert_int_equal(parse.len, split); /* once at most */
                parse.len = len;
                continue;
            }
            fields += status;
            status = true;
        }
        assert_int_equal(fields, 4);
        assert_int_equal(line.status, 206);
        assert_int_equal(parse.at, len);
    }
}

static void test_every_control_byte_is_refused_everywhere(void **state)
{
    (void)state;
    size_t len = sizeof(whole) - 1;
    for (size_t at = 0; at < len; at++) {
        for (int byte = 0; byte < 0x80; byte = byte == 0x1f ? 0x7f : byte + 1) {
            char bytes[sizeof(whole)];
            memcpy(bytes, whole, sizeof(whole));
            if (byte == '\t' || bytes[at] == byte) {
                continue;
            }
            bytes[at] = (char)byte;
            char *head = read_head(bytes, len);
            const char *bad = strstr(head, "BAD ");
            assert_non_null(bad);
            free(head);
        }
    }
}

/* The search looks at sixteen bytes at a time: every byte at every place of several blocks. */
static void test_the_search_for_control_bytes_at_every_place(void **state)
{
    (void)state;
    for (size_t len = 0; len <= 70; len++) {
        char *bytes = malloc(len == 0 ? 1 : len);
        assert_non_null(bytes);
        memset(bytes, 'x', len);
        assert_ptr_equal(fy_find_control(bytes, bytes + len), bytes + len);
        for (size_t at = 0; at < len; at++) {
            for (int byte = 0; byte < 256; byte++) {
                bool control = (byte < 0x20 && byte != '\t') || byte == 0x7f;
                bytes[at] = (char)byte;
                const char *end = bytes + (control ? at : len);
                if (fy_find_control(bytes, bytes + len) != end) {
                    fail_msg("byte %d at %zu of %zu", byte, at, len);
                }
            }
            bytes[at] = at % 2 == 0 ? '\t' : '\x80'; /* neighbours that almost count */
        }
        free(bytes);
    }
}

static void test_TR_121_is_408(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        bool is;
    } cases[] = {
        {"HTTP/1.0 408", true},
        {"HTTP/1.1 408", true},
        {"HTTP/1.8 408", true},
        {"HTTP/1.1 408 ", true},
        {"HTTP/1.1 408\r\n", true},
        {"HTTP/1.1 408 Request Timeout\r\n\r\n", true},
        {"HTTP/2.0 408", false},
        {"HTTP/1.1 40", false},
        {"HTTP/1.1 4", false},
        {"HTTP/1.1 200", false},
        {"HTTP/1.1 4080", false},
        {"http/1.0 408", false},
        {"HTTP/1-1 408", false},
        {"HTTP/11 408", false},
        {"", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (fy_is_408(cases[i].bytes, strlen(cases[i].bytes)) != cases[i].is) {
            fail_msg("%s", cases[i].bytes);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_head),
        cmocka_unit_test(test_the_space_before_an_empty_reason_may_be_missing),
        cmocka_unit_test(test_RQ_028_versions),
        cmocka_unit_test(test_statuses),
        cmocka_unit_test(test_what_smuggling_needs_is_refused),
        cmocka_unit_test(test_every_prefix_wants_more),
        cmocka_unit_test(test_every_split_reads_the_same),
        cmocka_unit_test(test_every_control_byte_is_refused_everywhere),
        cmocka_unit_test(test_the_search_for_control_bytes_at_every_place),
        cmocka_unit_test(test_TR_121_is_408),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
