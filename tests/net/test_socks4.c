/*
 * SOCKS4 and 4A, byte for byte: what is asked, what each answer leads to, and proxies that lie.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net/socks4.h"
#include "net_test.h"
#include "socks_test.h"

#define ASK_NAME "\4\1\0\120\0\0\0\1\0example.org\0" /* port 80 */
#define GRANTED "\0\132\0\0\0\0\0\0"

static void talk(const char *setting, struct fy_socks socks, const struct peer_step *steps,
                 const char *message, int code)
{
    socks_talk(fy_socks4_connect, setting, socks, steps, message, code);
}

static void questions(void **state)
{
    (void)state;
    struct fy_address four;
    assert_true(fy_address_parse(&four, "192.0.2.1", 8080));
    const struct peer_step name[] = {PEER(ASK_NAME, GRANTED), {0}};
    const struct peer_step named[] = {PEER("\4\1\0\120\0\0\0\1bob\0example.org\0", GRANTED), {0}};
    const struct peer_step ipv4[] = {PEER("\4\1\37\220\300\0\2\1\0", GRANTED), {0}};
    const struct peer_step ipv4_named[] = {PEER("\4\1\37\220\300\0\2\1bob\0", GRANTED), {0}};
    talk("socks4a://p", socks_by_name, name, NULL, 0);
    talk("socks4a://bob:secret@p", socks_by_name, named, NULL, 0);
    talk("socks4://p", (struct fy_socks){.address = &four, .host = ""}, ipv4, NULL, 0);
    talk("socks4://bob@p", (struct fy_socks){.address = &four, .host = ""}, ipv4_named, NULL, 0);
}

static void no_room(void **state)
{
    (void)state;
    struct fy_address six;
    char name[300];
    memset(name, 'a', sizeof name);
    name[256] = '\0';
    assert_true(fy_address_parse(&six, "::1", 80));
    const struct peer_step nothing[] = {{0}};
    talk("socks4://p", (struct fy_socks){.address = &six, .host = ""}, nothing,
         "socks4: it has no room for an address of IPv6: use SOCKS5", FERRY_ECONNECT);
    talk("socks4a://p", (struct fy_socks){.host = name, .port = 80}, nothing,
         "socks4: the host's name is longer than 255 bytes, for which there is no room",
         FERRY_EPROXY);
}

static void answers(void **state)
{
    (void)state;
    const struct {
        struct peer_step steps[4];
        const char *message;
        int code;
    } cases[] = {
        {{PEER(ASK_NAME, "\0"), PEER("", "\132\0\0\0"), PEER("", "\0\0\0")}, NULL, 0},
        {{PEER(ASK_NAME, "\0\133\0\0\0\0\0\0")},
         "socks4: it refused, or could not connect",
         FERRY_ECONNECT},
        {{PEER(ASK_NAME, "\0\134\0\0\0\0\0\0")},
         "socks4: it refused, for it wants an identd here",
         FERRY_EPROXY},
        {{PEER(ASK_NAME, "\0\135\0\0\0\0\0\0")},
         "socks4: it refused the user name, which identd here does not confirm",
         FERRY_EPROXY},
        {{PEER(ASK_NAME, "\0\1\0\0\0\0\0\0")},
         "socks4: it refused, for a reason (1) that SOCKS4 does not have",
         FERRY_EPROXY},
        {{PEER(ASK_NAME, "\5\0")}, "socks4: it answered with SOCKS5", FERRY_EPROXY},
        {{PEER(ASK_NAME, "HTTP/1.1 400")},
         "socks4: it answered with what is not SOCKS4: it may be an HTTP proxy",
         FERRY_EPROXY},
        {{PEER(ASK_NAME, "\0\132\0\0\0\0\0\0!")},
         "socks4: it sent bytes behind its answer, before anything was asked of the target",
         FERRY_EPROXY},
        {{PEER(ASK_NAME, "\0\132\0\0")},
         "socks4: it closed the connection instead of answering",
         FERRY_EPROXY},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        talk("socks4a://p", socks_by_name, cases[i].steps, cases[i].message, cases[i].code);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, net_test_enter, net_test_leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(questions),
        TEST(no_room),
        TEST(answers),
    };
    return cmocka_run_group_tests_name("socks4", tests, NULL, NULL);
}
