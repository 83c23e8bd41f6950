/*
 * CONNECT, byte for byte: what is asked, what each answer leads to, and proxies that lie.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net/tunnel.h"
#include "net_test.h"
#include "peer.h"

#define ASK                                \
    "CONNECT example.org:443 HTTP/1.1\r\n" \
    "Host: example.org:443\r\n"            \
    "User-Agent: test\r\n"
#define OK "HTTP/1.1 200 Connection established\r\n\r\n"

static struct fy_proxy *proxy_of(const char *setting, bool digest)
{
    ferry_error err = {0};
    struct fy_proxy *proxy = fy_proxy_new(setting, digest, &err);
    assert_string_equal(err.message, "");
    assert_non_null(proxy);
    return proxy;
}

static const struct fy_tunnel standard = {
    .host = "example.org",
    .port = 443,
    .user_agent = "test",
    .max_header_bytes = 4096,
    .max_header_fields = 20,
    .deadline = FY_NEVER,
};

/* One talk with a peer that follows the script. */
static enum fy_tunnel_result talk(struct fy_tunnel tunnel, struct fy_proxy *proxy,
                                  const struct peer_step *steps, ferry_error *err)
{
    struct peer peer;
    struct fy_stream *stream = peer_start(&peer, steps, PEER_CLOSES);
    tunnel.proxy = proxy;
    *err = (ferry_error){0};
    enum fy_tunnel_result result = fy_tunnel_connect(stream, &tunnel, err);
    if (result == FY_TUNNEL_OPEN) {
        char byte;
        assert_string_equal(err->message, "");
        assert_int_equal(stream->ops->read(stream, &byte, 1, "test"), 0);
    }
    stream->ops->free(stream);
    peer_end(&peer);
    return result;
}

/* The tunnel's answer leads to a message, or to none: it is open. */
static void answered(const char *setting, const char *extra, const char *answer,
                     const char *message)
{
    char request[1024];
    ferry_error err;
    struct fy_proxy *proxy = proxy_of(setting, false);
    strcpy(request, ASK);
    strcat(request, extra);
    strcat(request, "\r\n");
    const struct peer_step steps[] = {{request, strlen(request), answer, strlen(answer)}, {0}};
    enum fy_tunnel_result result = talk(standard, proxy, steps, &err);
    assert_string_equal(err.message, message != NULL ? message : "");
    assert_int_equal(result, message != NULL ? FY_TUNNEL_FAILED : FY_TUNNEL_OPEN);
    assert_int_equal(err.code, message != NULL ? FERRY_EPROXY : 0);
    fy_proxy_release(proxy);
}

/* ------------------------------------------------------------------------------- what is asked */

static void asks(struct fy_tunnel tunnel, const char *request)
{
    ferry_error err;
    struct fy_proxy *proxy = proxy_of("u:p@proxy", false);
    const struct peer_step steps[] = {{request, strlen(request), BYTES(OK)}, {0}};
    assert_int_equal(talk(tunnel, proxy, steps, &err), FY_TUNNEL_OPEN);
    fy_proxy_release(proxy);
}

static void requests(void **state)
{
    (void)state;
    struct fy_tunnel tunnel = standard;
    asks(tunnel, ASK "Proxy-Authorization: Basic dTpw\r\n\r\n");
    tunnel.user_agent = NULL;
    tunnel.host = "fe80::1%lo";
    tunnel.port = 80;
    asks(tunnel, "CONNECT [fe80::1]:80 HTTP/1.1\r\nHost: [fe80::1]:80\r\n"
                 "Proxy-Authorization: Basic dTpw\r\n\r\n");
}

static void fields_of_the_callers(void **state)
{
    (void)state;
    struct fy_tunnel tunnel = standard;
    struct fy_field list[] = {{"X-Trace", "1", 7, 1},
                              {"User-Agent", "other", 10, 5},
                              {"Proxy-Authorization", "Bearer t", 19, 8}};
    struct fy_header fields = {.fields = list, .count = 3, .capacity = 3};
    tunnel.fields = &fields;
    asks(tunnel, "CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\nX-Trace: 1\r\n"
                 "User-Agent: other\r\nProxy-Authorization: Bearer t\r\n\r\n");
}

/* --------------------------------------------------------------------------------- the answers */

static void answers_that_open(void **state)
{
    (void)state;
    static const char *const answers[] = {
        OK,
        "HTTP/1.0 200 OK\r\n\r\n",
        "HTTP/1.1 204 \r\n\r\n",
        "HTTP/1.1 200\r\n\r\n",
        /* RFC 9110 section 9.3.6: these two mean nothing here */
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" OK),
    };
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        answered("http://proxy", "", answers[i], NULL);
    }
}

static void refusals_TR_111(void **state)
{
    (void)state;
    answered("http://proxy", "", "HTTP/1.1 403 Filtered\r\nContent-Length: 3\r\n\r\nno!",
             "CONNECT example.org:443 was refused with status 403 Filtered");
    answered("http://proxy", "", "HTTP/1.1 400\r\n\r\n",
             "CONNECT example.org:443 was refused with status 400, and no reason");
    answered("http://proxy", "", "HTTP/1.1 400 \r\n\r\n",
             "CONNECT example.org:443 was refused with status 400, and no reason");
    answered("http://proxy", "", "HTTP/1.1 302 Found\r\nLocation: http://login/\r\n\r\n",
             "CONNECT example.org:443 was refused with status 302 Found");
    answered("http://proxy", "", "HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic realm=x\r\n\r\n",
             "it wants credentials (407): put user:password@ into the proxy's URL");
    answered("http://u:p@proxy", "Proxy-Authorization: Basic dTpw\r\n",
             "HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic realm=x\r\n\r\n",
             "it refused the name and password (407): correct them in the proxy's URL");
    answered("http://u:p@proxy", "Proxy-Authorization: Basic dTpw\r\n",
             "HTTP/1.1 407 Who\r\nProxy-Authenticate: digest realm=\"x\", nonce=\"y\"\r\n\r\n",
             "it wants Digest credentials (407): set proxy_digest");
    answered("http://u:p@proxy", "Proxy-Authorization: Basic dTpw\r\n",
             "HTTP/1.1 407 Who\r\nProxy-Authenticate: Digest realm=\"x\", nonce=\"y\", basic "
             "realm=\"x\"\r\n\r\n",
             "it refused the name and password (407): correct them in the proxy's URL");
    answered("http://u:p@proxy", "Proxy-Authorization: Basic dTpw\r\n",
             "HTTP/1.1 407 Who\r\nProxy-Authenticate: Negotiate\r\nProxy-Authenticate: "
             "Digest realm=\"x\", nonce=\"y\"\r\n\r\n",
             "it wants Digest credentials (407): set proxy_digest");
    answered(
        "http://u:p@proxy", "Proxy-Authorization: Basic dTpw\r\n",
        "HTTP/1.1 407 Who\r\nProxy-Authenticate: Negotiate\r\nProxy-Authenticate: "
        "NTLM,Basics\r\n\r\n",
        "it wants credentials of a kind that is not known here (407): neither Basic nor Digest "
        "ones");
    answered("http://u:p@proxy", "Proxy-Authorization: Basic dTpw\r\n", "HTTP/1.1 407 Who\r\n\r\n",
             "it refused the name and password (407): correct them in the proxy's URL");
}

static void proxies_that_lie(void **state)
{
    (void)state;
    static const char beyond[] =
        "it sent bytes behind its answer, before anything was asked of the target";
    answered("http://proxy", "", OK "H", beyond);
    answered("http://proxy", "", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", beyond);
    answered("http://proxy", "", "\5\0", "it answered with no HTTP/1 status line");
    answered("http://proxy", "", "HTTP/2 200\r\n\r\n", "it answered with no HTTP/1 status line");
    answered("http://proxy", "", "HTTP/1.1 2000 OK\r\n\r\n",
             "it answered with a status line without a status of three digits");
    answered("http://proxy", "", "HTTP/1.1 200 OK\nA: b\n\n", "it answered with a LF without CR");
    answered("http://proxy", "", "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
             "it answered with white space in or after a field name");
    answered("http://proxy", "", "HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n",
             "it answered with 101 to a CONNECT");
    answered("http://proxy", "", "", "it closed the connection instead of answering");
    answered("http://proxy", "", "HTTP/1.1 200 OK\r\n",
             "it closed the connection instead of answering");
}

static void heads_without_end(void **state)
{
    (void)state;
    char long_head[8192];
    char many[2048] = "HTTP/1.1 200 OK\r\n";
    char interim[8192] = "";
    memset(long_head, 'a', sizeof long_head);
    memcpy(long_head, "HTTP/1.1 200 ", 13);
    long_head[sizeof long_head - 1] = '\0';
    answered("http://proxy", "", long_head, "it answered with a head that is too long");
    for (int i = 0; i < 21; i++) {
        strcat(many, "A: b\r\n");
    }
    answered("http://proxy", "", many, "it answered with a head of too many fields");
    for (int i = 0; i < 200; i++) {
        strcat(interim, "HTTP/1.1 100 Continue\r\n\r\n");
    }
    answered("http://proxy", "", interim, "it answered with a head that is too long");
}

/* A byte at a time is as good. */
static void answer_in_pieces(void **state)
{
    (void)state;
    static const char answer[] =
        "HTTP/1.1 103 Early\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\nVia: c\r\n\r\n";
    struct peer_step steps[sizeof answer] = {{BYTES(ASK "\r\n"), answer, 1}};
    ferry_error err;
    struct fy_proxy *proxy = proxy_of("proxy", false);
    for (size_t i = 1; i < sizeof answer - 1; i++) {
        steps[i] = (struct peer_step){"", 0, answer + i, 1};
    }
    assert_int_equal(talk(standard, proxy, steps, &err), FY_TUNNEL_OPEN);
    fy_proxy_release(proxy);
}

/* --------------------------------------------------------------------------------------- Digest */

#define CHALLENGE                               \
    "HTTP/1.1 407 Who\r\n"                      \
    "Proxy-Authenticate: Basic realm=\"x\"\r\n" \
    "Proxy-Authenticate: Digest realm=\"x\", nonce=\"n\", algorithm=MD5\r\n\r\n"

/* Without qop the answer has nothing random in it:
 * md5(md5(u:x:p):n:md5(CONNECT:example.org:443)). */
#define ANSWER                                                               \
    "Proxy-Authorization: Digest username=\"u\", realm=\"x\", nonce=\"n\", " \
    "uri=\"example.org:443\", response=\"" RESPONSE "\", algorithm=MD5\r\n"
#define RESPONSE "118596aef42adc74088fce9ce28f1378"

static void digest(void **state)
{
    (void)state;
    ferry_error err;
    struct fy_proxy *proxy = proxy_of("u:p@proxy", true);
    const struct peer_step asked[] = {PEER(ASK "\r\n", CHALLENGE), {0}};
    const struct peer_step right[] = {PEER(ASK ANSWER "\r\n", OK), {0}};
    const struct peer_step wrong[] = {PEER(ASK ANSWER "\r\n", CHALLENGE), {0}};
    const struct peer_step other[] = {
        PEER(ASK ANSWER "\r\n", "HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic realm=x\r\n\r\n"),
        {0}};
    const struct peer_step too_much[] = {
        PEER(ASK ANSWER "\r\n", "HTTP/1.1 407 Who\r\nProxy-Authenticate: Digest realm=x, nonce=y, "
                                "qop=\"auth-int\"\r\n\r\n"),
        {0}};
    assert_int_equal(talk(standard, proxy, asked, &err), FY_TUNNEL_CHALLENGED);
    assert_int_equal(talk(standard, proxy, right, &err), FY_TUNNEL_OPEN);
    assert_int_equal(talk(standard, proxy, wrong, &err), FY_TUNNEL_CHALLENGED);
    assert_string_equal(err.message,
                        "it refused the name and password (407): correct them in the proxy's URL");
    assert_int_equal(talk(standard, proxy, other, &err), FY_TUNNEL_FAILED);
    assert_string_equal(err.message,
                        "it wants other credentials than Digest ones (407): leave proxy_digest "
                        "out");
    assert_int_equal(talk(standard, proxy, too_much, &err), FY_TUNNEL_FAILED);
    assert_int_equal(err.code, FERRY_EUNSUPPORTED);
    fy_proxy_release(proxy);
}

/* ------------------------------------------------------------------------------- never answered */

static void silent(int64_t deadline, struct fy_chan *canceled, const char *message, int code)
{
    struct peer peer;
    ferry_error err = {0};
    const struct peer_step steps[] = {PEER(ASK "\r\n", "HTTP/1.1 200 OK\r\n"), {0}};
    struct fy_proxy *proxy = proxy_of("proxy", false);
    struct fy_stream *stream = peer_start(&peer, steps, PEER_WAITS);
    struct fy_tunnel tunnel = standard;
    tunnel.proxy = proxy;
    tunnel.deadline = deadline;
    tunnel.canceled = canceled;
    assert_int_equal(fy_tunnel_connect(stream, &tunnel, &err), FY_TUNNEL_FAILED);
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
    silent(fy_after_ms(50), NULL, "timeout while waiting for its answer", FERRY_ETIMEOUT);
}

static void canceled(void **state)
{
    (void)state;
    struct net_test_canceler canceler;
    net_test_cancel_soon(&canceler);
    silent(FY_NEVER, &canceler.canceled, "canceled", FERRY_ECANCELED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, net_test_enter, net_test_leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(requests),          TEST(fields_of_the_callers),
        TEST(answers_that_open), TEST(refusals_TR_111),
        TEST(proxies_that_lie),  TEST(heads_without_end),
        TEST(answer_in_pieces),  TEST(digest),
        TEST(no_answer_in_time), TEST(canceled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
