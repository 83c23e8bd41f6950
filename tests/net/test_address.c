/*
 * Addresses from and to text, and the order of lists of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "net/address.h"

static void expect(const char *host, uint16_t port, const char *text)
{
    struct fy_address address;
    char got[FY_ADDRESS_TEXT];
    assert_true(fy_address_parse(&address, host, port));
    fy_address_text(&address, got);
    assert_string_equal(got, text);
}

static void literals(void **state)
{
    (void)state;
    expect("127.0.0.1", 80, "127.0.0.1:80");
    expect("255.255.255.255", 65535, "255.255.255.255:65535");
    expect("::1", 80, "[::1]:80");
    expect("2001:DB8:0:0::1", 443, "[2001:db8::1]:443");
    expect("::ffff:1.2.3.4", 1, "[::ffff:1.2.3.4]:1");
    expect("fe80::1%lo", 80, "[fe80::1%lo]:80");
    expect("fe80::1%1", 80, "[fe80::1%lo]:80");
}

static void no_literals(void **state)
{
    static const char *const names[] = {
        "",           "localhost", "127.1",       "0177.0.0.1",    "0x7f.0.0.1",
        "2130706433", "1.2.3.4.5", "1.2.3.4 ",    "[::1]",         "::1%nosuchinterface",
        "::1%",       "::1%0",     "::1%1x",      "1.2.3.4%lo",    "::1%99999999999",
        "1.2.3.256",  "1.2.3.",    "example.org", "1:2:3:4:5:6:7",
    };
    struct fy_address address;
    char long_name[300];
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (fy_address_parse(&address, names[i], 80)) {
            fail_msg("\"%s\" is no address", names[i]);
        }
    }
    memset(long_name, '1', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    assert_false(fy_address_parse(&address, long_name, 80));
    long_name[0] = ':';
    long_name[1] = ':';
    long_name[250] = '%';
    assert_false(fy_address_parse(&address, long_name, 80));
}

/* hosts and wanted: addresses with spaces between them. */
static void interleaved(const char *hosts, const char *wanted)
{
    struct fy_addresses addresses = {0};
    char copy[200];
    char got[200] = "";
    strcpy(copy, hosts);
    for (char *host = strtok(copy, " "); host != NULL; host = strtok(NULL, " ")) {
        struct fy_address address;
        assert_true(fy_address_parse(&address, host, 0));
        assert_int_equal(
            fy_addresses_add(&addresses, (const struct sockaddr *)&address.sockaddr, 7), 0);
    }
    fy_addresses_interleave(&addresses);
    for (size_t i = 0; i < addresses.count; i++) {
        char text[FY_ADDRESS_TEXT];
        fy_address_text(&addresses.list[i], text);
        strcat(strcat(got, i > 0 ? " " : ""), text);
    }
    fy_addresses_free(&addresses);
    assert_string_equal(got, wanted);
    assert_int_equal(addresses.count, 0);
}

static void families_in_turn(void **state)
{
    (void)state;
    interleaved("", "");
    interleaved("1.1.1.1", "1.1.1.1:7");
    interleaved("1.1.1.1 2.2.2.2 3.3.3.3", "1.1.1.1:7 2.2.2.2:7 3.3.3.3:7");
    interleaved("::1 ::2 ::3 1.1.1.1 2.2.2.2", "[::1]:7 1.1.1.1:7 [::2]:7 2.2.2.2:7 [::3]:7");
    interleaved("1.1.1.1 2.2.2.2 3.3.3.3 ::1", "1.1.1.1:7 [::1]:7 2.2.2.2:7 3.3.3.3:7");
    interleaved("1.1.1.1 ::1 ::2 ::3 2.2.2.2", "1.1.1.1:7 [::1]:7 2.2.2.2:7 [::2]:7 [::3]:7");
}

static void other_families_are_passed_over(void **state)
{
    struct fy_addresses addresses = {0};
    const struct sockaddr unix_address = {.sa_family = AF_UNIX};
    (void)state;
    assert_int_equal(fy_addresses_add(&addresses, &unix_address, 7), 0);
    assert_int_equal(addresses.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(literals),
        cmocka_unit_test(no_literals),
        cmocka_unit_test(families_in_turn),
        cmocka_unit_test(other_families_are_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
