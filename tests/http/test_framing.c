/*
 * Framing: each case is a request's method, a response's version, status and fields, and what is
 * decided.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "http/framing.h"

/* Decides, and writes down what: "length 5, announced 5, keep", or "REFUSED reason detail".
 * fields: "Name: value\n..." */
static void decide(char out[256], const char *method, int minor, int status, const char *fields)
{
    static const char *const kinds[] = {"none", "length", "chunked", "close", "tunnel"};
    struct fy_arena arena = {0};
    struct fy_header header = {0};
    while (*fields != '\0') {
        const char *colon = strchr(fields, ':');
        const char *end = strchr(fields, '\n');
        assert_int_equal(fy_header_add(&header, &arena, fields, (size_t)(colon - fields), colon + 2,
                                       (size_t)(end - colon - 2)),
                         0);
        fields = end + 1;
    }
    struct fy_framing framing;
    char detail[64];
    memset(detail, 'x', sizeof(detail));
    const char *reason = fy_framing_decide(&framing, method, minor, status, &header, false, detail);
    assert_non_null(memchr(detail, '\0', sizeof(detail)));
    if (reason != NULL) {
        snprintf(out, 256, "REFUSED %s %s", reason, detail);
    } else {
        assert_string_equal(detail, "");
        int at = snprintf(out, 256, "%s", kinds[framing.kind]);
        if (framing.kind == FY_BODY_LENGTH) {
            at += snprintf(out + at, 256 - (size_t)at, " %" PRId64, framing.length);
        }
        snprintf(out + at, 256 - (size_t)at, ", announced %" PRId64 ", %s", framing.announced,
                 framing.keep_alive ? "keep" : "close");
    }
    fy_arena_free(&arena);
}

#define DECIDES(method, minor, status, fields, expected) \
    do {                                                 \
        char decided[256];                               \
        decide(decided, method, minor, status, fields);  \
        assert_string_equal(decided, expected);          \
    } while (0)

static void test_the_four_framings(void **state)
{
    (void)state;
    DECIDES("GET", 1, 200, "Content-Length: 5\n", "length 5, announced 5, keep");
    DECIDES("GET", 1, 200, "Content-Length: 0\n", "none, announced 0, keep");
    DECIDES("GET", 1, 200, "Transfer-Encoding: chunked\n", "chunked, announced -1, keep");
    DECIDES("GET", 1, 200, "Transfer-Encoding: Chunked\n", "chunked, announced -1, keep");
    DECIDES("GET", 1, 200, "", "close, announced -1, close");
    DECIDES("GET", 1, 404, "Content-Length: 9223372036854775807\n",
            "length 9223372036854775807, announced 9223372036854775807, keep");
}

static void test_responses_without_a_body(void **state)
{
    (void)state;
    DECIDES("HEAD", 1, 200, "Content-Length: 5\n", "none, announced 5, keep");
    DECIDES("HEAD", 1, 200, "", "none, announced -1, keep");
    DECIDES("HEAD", 1, 200, "Transfer-Encoding: chunked\n", "none, announced -1, keep");
    DECIDES("GET", 1, 204, "", "none, announced 0, keep");
    DECIDES("GET", 1, 204, "Content-Length: 5\n", "none, announced 0, keep");
    DECIDES("GET", 1, 304, "", "none, announced 0, keep");
    DECIDES("GET", 1, 304, "Content-Length: 5\n", "none, announced 5, keep");
    DECIDES("GET", 1, 304, "Transfer-Encoding: chunked\n", "none, announced 0, keep");
    DECIDES("GET", 1, 100, "", "none, announced 0, keep");
    DECIDES("GET", 1, 103, "Content-Length: 5\n", "none, announced 0, keep");
    DECIDES("GET", 1, 199, "", "none, announced 0, keep");
}

static void test_tunnels(void **state)
{
    (void)state;
    DECIDES("GET", 1, 101, "Upgrade: websocket\nConnection: upgrade\n",
            "tunnel, announced -1, close");
    DECIDES("CONNECT", 1, 200, "Content-Length: 5\n", "tunnel, announced -1, close");
    DECIDES("CONNECT", 1, 299, "Transfer-Encoding: chunked\n", "tunnel, announced -1, close");
    DECIDES("CONNECT", 1, 407, "Content-Length: 5\n", "length 5, announced 5, keep");
    DECIDES("connect", 1, 200, "Content-Length: 5\n",
            "length 5, announced 5, keep"); /* methods have a case */
}

static void test_whether_the_connection_persists(void **state)
{
    (void)state;
    DECIDES("GET", 1, 200, "Content-Length: 0\nConnection: close\n", "none, announced 0, close");
    DECIDES("GET", 1, 200, "Content-Length: 0\nConnection: foo, Close\n",
            "none, announced 0, close");
    DECIDES("GET", 1, 200, "Content-Length: 0\nConnection: closed\n", "none, announced 0, keep");
    DECIDES("GET", 0, 200, "Content-Length: 0\n", "none, announced 0, close");
    DECIDES("GET", 0, 200, "Content-Length: 3\nConnection: Keep-Alive\n",
            "length 3, announced 3, keep");
    DECIDES("GET", 0, 200, "Content-Length: 3\nConnection: keep-alive, close\n",
            "length 3, announced 3, close");
    DECIDES("GET", 0, 200, "Connection: keep-alive\n", "close, announced -1, close");
    DECIDES("GET", 1, 200, "Connection: keep-alive\n", "close, announced -1, close");
}

static void test_TF_005_transfer_encodings(void **state)
{
    (void)state;
    DECIDES("GET", 1, 200, "Transfer-Encoding: fugazi\n",
            "REFUSED an unsupported Transfer-Encoding \"fugazi\"");
    DECIDES("GET", 1, 200, "Transfer-Encoding: chunked\nTransfer-Encoding: chunked\n",
            "REFUSED more than one Transfer-Encoding \"chunked\"");
    DECIDES("GET", 1, 200, "Transfer-Encoding: chunked\nTransfer-Encoding: identity\n",
            "REFUSED more than one Transfer-Encoding \"identity\"");
    DECIDES("GET", 1, 200, "Transfer-Encoding: \n",
            "REFUSED an unsupported Transfer-Encoding \"\"");
    DECIDES("GET", 1, 200, "Transfer-Encoding: chunked, identity\n",
            "REFUSED an unsupported Transfer-Encoding \"chunked, identity\"");
    DECIDES("GET", 1, 200, "Transfer-Encoding: identity\n",
            "REFUSED an unsupported Transfer-Encoding \"identity\"");
    DECIDES("GET", 1, 200, "Transfer-Encoding: gzip, chunked\n",
            "REFUSED an unsupported Transfer-Encoding \"gzip, chunked\"");
    DECIDES("GET", 1, 200, "Transfer-Encoding: chunked,\n",
            "REFUSED an unsupported Transfer-Encoding \"chunked,\"");
    DECIDES("GET", 1, 200,
            "Transfer-Encoding: \x0b"
            "chunked\n",
            "REFUSED an unsupported Transfer-Encoding \"?chunked\"");
    DECIDES("GET", 1, 200, "Transfer-Encoding: xchunked\n",
            "REFUSED an unsupported Transfer-Encoding \"xchunked\"");
    DECIDES("HEAD", 1, 200, "Transfer-Encoding: gzip\n",
            "REFUSED an unsupported Transfer-Encoding \"gzip\"");
    DECIDES("GET", 0, 200, "Transfer-Encoding: chunked\n",
            "REFUSED a Transfer-Encoding from an HTTP/1.0 peer \"chunked\"");
}

static void test_both_length_and_coding_are_refused(void **state)
{
    (void)state;
    DECIDES("GET", 1, 200, "Content-Length: 5\nTransfer-Encoding: chunked\n",
            "REFUSED both Content-Length and Transfer-Encoding ");
    DECIDES("GET", 1, 200, "Transfer-Encoding: chunked\nContent-Length: 0\n",
            "REFUSED both Content-Length and Transfer-Encoding ");
}

static void test_TR_129_signs_and_other_malformed_lengths(void **state)
{
    (void)state;
    DECIDES("GET", 1, 200, "Content-Length: +3\n", "REFUSED a malformed Content-Length \"+3\"");
    DECIDES("GET", 1, 200, "Content-Length: -3\n", "REFUSED a malformed Content-Length \"-3\"");
    DECIDES("GET", 1, 200, "Content-Length: 0x10\n", "REFUSED a malformed Content-Length \"0x10\"");
    DECIDES("GET", 1, 200, "Content-Length: 3 0\n", "REFUSED a malformed Content-Length \"3 0\"");
    DECIDES("GET", 1, 200, "Content-Length: 3.0\n", "REFUSED a malformed Content-Length \"3.0\"");
    DECIDES("GET", 1, 200, "Content-Length: 1e3\n", "REFUSED a malformed Content-Length \"1e3\"");
    DECIDES("GET", 1, 200, "Content-Length: \n", "REFUSED a malformed Content-Length \"\"");
    DECIDES("GET", 1, 200, "Content-Length: ,\n", "REFUSED a malformed Content-Length \",\"");
    DECIDES("GET", 1, 200, "Content-Length: 3,\n", "REFUSED a malformed Content-Length \"3,\"");
    DECIDES("GET", 1, 200, "Content-Length: 3;\n", "REFUSED a malformed Content-Length \"3;\"");
    DECIDES("GET", 1, 200, "Content-Length: 9223372036854775808\n",
            "REFUSED a malformed Content-Length \"9223372036854775808\"");
    DECIDES("GET", 1, 200, "Content-Length: 18446744073709551621\n", /* 5, if it overflowed */
            "REFUSED a malformed Content-Length \"18446744073709551621\"");
    DECIDES("HEAD", 1, 200, "Content-Length: +3\n", "REFUSED a malformed Content-Length \"+3\"");
    DECIDES("GET", 1, 200,
            "Content-Length: "
            "99999999999999999999999999999999999999999999999999999999999999999999999999\n",
            "REFUSED a malformed Content-Length "
            "\"9999999999999999999999999999999999999999999999999999999999...\"");
}

/* RFC 9110 section 8.6: the same length said twice is one, differing ones are an attack or a
 * broken proxy. */
static void test_repeated_lengths(void **state)
{
    (void)state;
    DECIDES("GET", 1, 200, "Content-Length: 3\nContent-Length: 3\n", "length 3, announced 3, keep");
    DECIDES("GET", 1, 200, "Content-Length: 3, 3\n", "length 3, announced 3, keep");
    DECIDES("GET", 1, 200, "Content-Length: 3 ,\t3,3\nContent-Length: 3\n",
            "length 3, announced 3, keep");
    DECIDES("GET", 1, 200, "Content-Length: 3\nContent-Length: 4\n",
            "REFUSED Content-Lengths that differ \"4\"");
    DECIDES("GET", 1, 200, "Content-Length: 3, 4\n",
            "REFUSED Content-Lengths that differ \"3, 4\"");
    DECIDES("GET", 1, 200, "Content-Length: 0\nContent-Length: 4\n",
            "REFUSED Content-Lengths that differ \"4\"");
    DECIDES("GET", 1, 200, "Content-Length: 3\nContent-Length: \n",
            "REFUSED a malformed Content-Length \"\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_four_framings),
        cmocka_unit_test(test_responses_without_a_body),
        cmocka_unit_test(test_tunnels),
        cmocka_unit_test(test_whether_the_connection_persists),
        cmocka_unit_test(test_TF_005_transfer_encodings),
        cmocka_unit_test(test_both_length_and_coding_are_refused),
        cmocka_unit_test(test_TR_129_signs_and_other_malformed_lengths),
        cmocka_unit_test(test_repeated_lengths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
