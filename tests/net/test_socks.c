/*
 * SOCKS5, byte for byte: what is asked, what each answer leads to, and proxies that lie.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net/socks.h"
#include "net_test.h"
#include "socks_test.h"

#define HELLO "\5\1\0"
#define NO_LOGIN "\5\0"
#define ASK_NAME "\5\1\0\3\13example.org\0\120" /* port 80 */
#define CONNECTED "\5\0\0\1\177\0\0\1\22\64"

static struct fy_proxy *proxy_of(const char *setting)
{
    ferry_error err = {0};
    struct fy_proxy *proxy = fy_proxy_new(setting, false, &err);
    assert_string_equal(err.message, "");
    assert_non_null(proxy);
    return proxy;
}

static void talk(const char *setting, struct fy_socks socks, const struct peer_step *steps,
                 const char *message, int code)
{
    socks_talk(fy_socks_connect, setting, socks, steps, message, code);
}

static struct fy_address address(const char *host, uint16_t port)
{
    struct fy_address parsed;
    assert_true(fy_address_parse(&parsed, host, port));
    return parsed;
}

/* ------------------------------------------------------------------------------- what is asked */

static void by_name_and_by_address(void **state)
{
    (void)state;
    struct fy_address four = address("192.0.2.1", 8080);
    struct fy_address six = address("2001:db8::1", 443);
    const struct peer_step name[] = {PEER(HELLO, NO_LOGIN), PEER(ASK_NAME, CONNECTED), {0}};
    const struct peer_step ipv4[] = {
        PEER(HELLO, NO_LOGIN), PEER("\5\1\0\1\300\0\2\1\37\220", CONNECTED), {0}};
    const struct peer_step ipv6[] = {
        PEER(HELLO, NO_LOGIN),
        PEER("\5\1\0\4\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1\1\273", CONNECTED),
        {0}};
    talk("socks5h://p", socks_by_name, name, NULL, 0);
    talk("socks5://p", (struct fy_socks){.address = &four}, ipv4, NULL, 0);
    talk("socks5://p", (struct fy_socks){.address = &six}, ipv6, NULL, 0);
}

static void credentials(void **state)
{
    (void)state;
    const struct peer_step login[] = {
        PEER("\5\2\0\2", "\5\2"), PEER("\1\3bob\6s:cret", "\1\0"), PEER(ASK_NAME, CONNECTED), {0}};
    const struct peer_step no_password[] = {
        PEER("\5\2\0\2", "\5\2"), PEER("\1\3bob\0", "\1\0"), PEER(ASK_NAME, CONNECTED), {0}};
    const struct peer_step not_wanted[] = {
        PEER("\5\2\0\2", "\5\0"), PEER(ASK_NAME, CONNECTED), {0}};
    const struct peer_step refused[] = {PEER("\5\2\0\2", "\5\2"), PEER("\1\3bob\1x", "\1\1"), {0}};
    talk("socks5h://bob:s%3acret@p", socks_by_name, login, NULL, 0);
    talk("socks5h://bob@p", socks_by_name, no_password, NULL, 0);
    talk("socks5h://bob:x@p", socks_by_name, not_wanted, NULL, 0);
    talk("socks5h://bob:x@p", socks_by_name, refused,
         "socks5: it refused the name and password: correct them in the proxy's URL", FERRY_EPROXY);
}

/* A byte at a time is as good. */
static void answers_in_pieces(void **state)
{
    (void)state;
    const struct peer_step steps[] = {PEER(HELLO, "\5"),
                                      PEER("", "\0"),
                                      PEER(ASK_NAME, "\5\0\0"),
                                      PEER("", "\3"),
                                      PEER("", "\4name\x1"),
                                      PEER("", "\x2"),
                                      {0}};
    talk("socks5h://p", socks_by_name, steps, NULL, 0);
}

static void longest_names(void **state)
{
    (void)state;
    char host[257];
    memset(host, 'a', 256);
    host[256] = '\0';
    const struct peer_step greet_only[] = {PEER(HELLO, NO_LOGIN), {0}};
    talk("socks5h://p", (struct fy_socks){.host = host, .port = 1}, greet_only,
         "socks5: the host's name is longer than 255 bytes, for which SOCKS5 has no room",
         FERRY_EPROXY);
    host[255] = '\0';
    char ask[5 + 255 + 2];
    memcpy(ask, "\5\1\0\3\377", 5);
    memset(ask + 5, 'a', 255);
    memcpy(ask + 5 + 255, "\0\1", 2);
    const struct peer_step longest[] = {
        PEER(HELLO, NO_LOGIN), {ask, sizeof ask, BYTES(CONNECTED)}, {0}};
    talk("socks5h://p", (struct fy_socks){.host = host, .port = 1}, longest, NULL, 0);
}

/* --------------------------------------------------------------------------------- refusals */

static void every_reply_code(void **state)
{
    (void)state;
    static const struct {
        const char *message;
        int code;
    } replies[] = {
        [1] = {"socks5: general failure", FERRY_EPROXY},
        [2] = {"socks5: its rules do not allow this connection", FERRY_EPROXY},
        [3] = {"socks5: network unreachable", FERRY_ECONNECT},
        [4] = {"socks5: host unreachable", FERRY_ECONNECT},
        [5] = {"socks5: connection refused", FERRY_ECONNECT},
        [6] = {"socks5: time to live expired on the way", FERRY_ECONNECT},
        [7] = {"socks5: it does not know how to connect", FERRY_EPROXY},
        [8] = {"socks5: it does not know this kind of address", FERRY_ECONNECT},
        [9] = {"socks5: it refused, for a reason (9) that SOCKS5 does not have", FERRY_EPROXY},
    };
    for (char code = 1; code <= 9; code++) {
        const char whole[] = {5, code, 0, 1, 0, 0, 0, 0, 0, 0};
        const struct peer_step steps[] = {
            PEER(HELLO, NO_LOGIN), {BYTES(ASK_NAME), whole, sizeof whole}, {0}};
        const struct peer_step cut[] = {PEER(HELLO, NO_LOGIN), {BYTES(ASK_NAME), whole, 2}, {0}};
        talk("socks5h://p", socks_by_name, steps, replies[(int)code].message,
             replies[(int)code].code);
        talk("socks5h://p", socks_by_name, cut, replies[(int)code].message,
             replies[(int)code].code);
    }
}

static void wants_credentials(void **state)
{
    (void)state;
    const struct peer_step steps[] = {PEER(HELLO, "\5\377"), {0}};
    const struct peer_step known[] = {PEER("\5\2\0\2", "\5\377"), {0}};
    talk("socks5h://p", socks_by_name, steps,
         "socks5: it wants credentials: put user:password@ into the proxy's URL", FERRY_EPROXY);
    talk("socks5h://u:p@p", socks_by_name, known,
         "socks5: it takes neither a name and password nor nobody", FERRY_EPROXY);
}

static void proxies_that_lie(void **state)
{
    (void)state;
    static const struct {
        struct peer_step steps[3];
        const char *message;
    } lies[] = {
        {{PEER(HELLO, "\4\0")}, "socks5: it answered with SOCKS4"},
        {{PEER(HELLO, "HTTP/1.1 400 Bad Request\r\n\r\n")},
         "socks5: it answered with what is not SOCKS5: it may be an HTTP proxy"},
        {{PEER(HELLO, "\0\0")}, "socks5: it answered with what is not SOCKS5"},
        {{PEER(HELLO, "\5\1")}, "socks5: it chose a method (1) that was not offered"},
        {{PEER(HELLO, "\5\2")}, "socks5: it chose a method (2) that was not offered"},
        {{PEER(HELLO, "\5\0\5")},
         "socks5: it sent bytes behind its answer, before anything was asked of the target"},
        {{PEER(HELLO, NO_LOGIN), PEER(ASK_NAME, "\4\132\0\0\0\0\0\0")},
         "socks5: it answered with SOCKS4"},
        {{PEER(HELLO, NO_LOGIN), PEER(ASK_NAME, "\5\0\0\2\0\0\0\0\0\0")},
         "socks5: it answered with an address of a kind that SOCKS5 does not have"},
        {{PEER(HELLO, NO_LOGIN), PEER(ASK_NAME, "\5\0\0\2")},
         "socks5: it answered with an address of a kind that SOCKS5 does not have"},
        {{PEER(HELLO, NO_LOGIN), PEER(ASK_NAME, CONNECTED "H")},
         "socks5: it sent bytes behind its answer, before anything was asked of the target"},
        {{PEER(HELLO, NO_LOGIN),
          PEER(ASK_NAME, "\5\0\0\3\0\0\0HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfake")},
         "socks5: it sent bytes behind its answer, before anything was asked of the target"},
        {{PEER(HELLO, "")}, "socks5: it closed the connection instead of answering"},
        {{PEER(HELLO, "\5")}, "socks5: it closed the connection instead of answering"},
        {{PEER(HELLO, NO_LOGIN), PEER(ASK_NAME, "\5\0\0\1\177")},
         "socks5: it closed the connection instead of answering"},
    };
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        talk("socks5h://p", socks_by_name, lies[i].steps, lies[i].message, FERRY_EPROXY);
    }
    const struct peer_step login[] = {PEER("\5\2\0\2", "\5\2"), PEER("\1\1u\1p", "\5\0"), {0}};
    talk("socks5h://u:p@p", socks_by_name, login,
         "socks5: it answered with an answer to the credentials that has the wrong version",
         FERRY_EPROXY);
}

/* ------------------------------------------------------------------------------- never answered */

static void silent(int64_t deadline, struct fy_chan *canceled, const char *message, int code)
{
    struct peer peer;
    ferry_error err = {0};
    const struct peer_step steps[] = {PEER(HELLO, NO_LOGIN), PEER(ASK_NAME, ""), {0}};
    struct fy_proxy *proxy = proxy_of("socks5h://p");
    struct fy_stream *stream = peer_start(&peer, steps, PEER_WAITS);
    struct fy_socks socks = socks_by_name;
    socks.proxy = proxy;
    socks.deadline = deadline;
    socks.canceled = canceled;
    assert_int_equal(fy_socks_connect(stream, &socks, &err), -1);
    assert_string_equal(err.message, message);
    assert_int_equal(err.code, code);
    stream->ops->free(stream);
    peer_end(&peer);
    assert_true(peer.saw_end);
    fy_proxy_release(proxy);
}

static void no_answer_in_time(void **state)
{
    (void)state;
    silent(fy_after_ms(50), NULL, "socks5: timeout while waiting for its answer", FERRY_ETIMEOUT);
}

static void canceled(void **state)
{
    (void)state;
    struct net_test_canceler canceler;
    net_test_cancel_soon(&canceler);
    silent(FY_NEVER, &canceler.canceled, "socks5: canceled", FERRY_ECANCELED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, net_test_enter, net_test_leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(by_name_and_by_address), TEST(credentials),       TEST(answers_in_pieces),
        TEST(longest_names),          TEST(every_reply_code),  TEST(wants_credentials),
        TEST(proxies_that_lie),       TEST(no_answer_in_time), TEST(canceled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
