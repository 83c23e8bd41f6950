/*
 * "host:port:address[,address]", read and found.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "net/host_entries.h"

/* What the texts say of a host and port: the addresses, with spaces between them; "": nothing. */
static void expect(const char *const *texts, const char *host, uint16_t port, const char *expected)
{
    char found[400] = "";
    struct fy_host_entries entries = {0};
    assert_int_equal(fy_host_entries_read(&entries, texts), 0);
    assert_string_equal(entries.refused.message, "");
    const struct fy_addresses *addresses = fy_host_entries_find(&entries, host, port);
    for (size_t i = 0; addresses != NULL && i < addresses->count; i++) {
        char text[FY_ADDRESS_TEXT];
        fy_address_text(&addresses->list[i], text);
        strcat(strcat(found, i > 0 ? " " : ""), text);
    }
    assert_string_equal(found, expected);
    fy_host_entries_free(&entries);
}

#define TEXTS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void none(void **state)
{
    (void)state;
    expect(NULL, "example.org", 80, "");
    expect((const char *const[]){NULL}, "example.org", 80, "");
}

static void one(void **state)
{
    const char *const *texts = TEXTS("example.org:80:127.0.0.1");
    (void)state;
    expect(texts, "example.org", 80, "127.0.0.1:80");
    expect(texts, "EXAMPLE.org", 80, "127.0.0.1:80");
    expect(texts, "example.org.", 80, "127.0.0.1:80");
    expect(texts, "example.org", 81, "");
    expect(texts, "www.example.org", 80, "");
    expect(texts, "example.or", 80, "");
    expect(TEXTS("example.org.:80:127.0.0.1"), "example.org", 80, "127.0.0.1:80");
    expect(TEXTS("example.org:65535:127.0.0.1"), "example.org", 65535, "127.0.0.1:65535");
}

static void several_addresses(void **state)
{
    (void)state;
    expect(TEXTS("h:443:127.0.0.2,[::1],127.0.0.1"), "h", 443,
           "127.0.0.2:443 [::1]:443 127.0.0.1:443");
    expect(TEXTS("h:443:::1,127.0.0.1"), "h", 443, "[::1]:443 127.0.0.1:443");
    expect(TEXTS("h:443:[127.0.0.1]"), "h", 443, "127.0.0.1:443");
}

static void hosts_that_are_addresses(void **state)
{
    (void)state;
    expect(TEXTS("192.0.2.1:80:127.0.0.1"), "192.0.2.1", 80, "127.0.0.1:80");
    expect(TEXTS("[2001:db8::1]:80:127.0.0.1"), "2001:db8::1", 80, "127.0.0.1:80");
}

static void which_of_several(void **state)
{
    const char *const *texts =
        TEXTS("a:80:127.0.0.1", "a:81:127.0.0.2", "a:80:127.0.0.3", "*:80:127.0.0.4");
    (void)state;
    expect(texts, "a", 80, "127.0.0.3:80");
    expect(texts, "a", 81, "127.0.0.2:81");
    expect(texts, "b", 80, "127.0.0.4:80");
    expect(texts, "b", 81, "");
    expect(TEXTS("*:80:127.0.0.1", "*:80:127.0.0.2"), "a", 80, "127.0.0.2:80");
    expect(TEXTS("*:80:127.0.0.1", "a:80:127.0.0.2"), "a", 80, "127.0.0.2:80");
}

static void refused(void **state)
{
    static const struct {
        const char *text, *lacking;
    } cases[] = {
        {"", "host"},
        {":80:127.0.0.1", "host"},
        {"example.org", "port from 1 to 65535"},
        {"example.org:", "port from 1 to 65535"},
        {"[::1:80:127.0.0.1", "host"},
        {"[::1]80:127.0.0.1", "host"},
        {"example.org:80", "address where one should be"},
        {"example.org::127.0.0.1", "port from 1 to 65535"},
        {"example.org:0:127.0.0.1", "port from 1 to 65535"},
        {"example.org:65536:127.0.0.1", "port from 1 to 65535"},
        {"example.org:100080:127.0.0.1", "port from 1 to 65535"},
        {"example.org:http:127.0.0.1", "port from 1 to 65535"},
        {"::1:80:127.0.0.1", "host"},
        {"example.org:80:", "address where one should be"},
        {"example.org:80:,127.0.0.1", "address where one should be"},
        {"example.org:80:127.0.0.1,", "address where one should be"},
        {"example.org:80:127.0.0.1;127.0.0.2", "address where one should be"},
        {"example.org:80:127.1", "address where one should be"},
        {"example.org:80:[::1", "address where one should be"},
        {"example.org:80:example.com", "address where one should be"},
        {"example.org:80:11111111111111111111111111111111111111111111111111111111111111111111111111"
         "111111",
         "address where one should be"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fy_host_entries entries = {0};
        assert_int_equal(
            fy_host_entries_read(&entries, TEXTS("a:80:127.0.0.1", cases[i].text, "b:x:127.0.0.1")),
            0);
        assert_int_equal(entries.refused.code, FERRY_EINVAL);
        if (strstr(entries.refused.message, cases[i].lacking) == NULL ||
            strstr(entries.refused.message, cases[i].text) == NULL) {
            fail_msg("%s: %s", cases[i].text, entries.refused.message);
        }
        assert_int_equal(entries.count, 1);
        fy_host_entries_free(&entries);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(none),
        cmocka_unit_test(one),
        cmocka_unit_test(several_addresses),
        cmocka_unit_test(hosts_that_are_addresses),
        cmocka_unit_test(which_of_several),
        cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
