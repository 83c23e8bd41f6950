/*
 * A proxy that answers a request in absolute form by asking for credentials: 407, which is a
 * response like any other, unless it is Digest's challenge and is to be answered.
 */
#include "transport_test.h"

#include <stdio.h>
#include <stdlib.h>

#define OK_REPLY "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

/* "http://u:p@127.0.0.1:port", in one of eight places. */
static const char *proxy_url(const struct origin *origin, const char *before)
{
    static char urls[8][128];
    static unsigned next;
    char *url = urls[next++ % 8];
    snprintf(url, sizeof urls[0], "%s%s", before, origin_host(origin));
    return url;
}

static void set(ferry_request *req, const char *name, const char *value)
{
    assert_int_equal(ferry_request_set_header(req, name, value), 0);
}

static struct outcome send_once(ferry_transport *transport, ferry_request *req)
{
    struct outcome outcome = send_and_read(transport, req);
    ferry_request_free(req);
    return outcome;
}

#define BASIC_407                                    \
    "HTTP/1.1 407 Proxy Authentication Required\r\n" \
    "Proxy-Authenticate: Basic realm=\"x\"\r\n"      \
    "Content-Length: 3\r\n\r\nwho"
#define DIGEST_407                                                           \
    "HTTP/1.1 407 Proxy Authentication Required\r\n"                         \
    "Proxy-Authenticate: Basic realm=\"x\"\r\n"                              \
    "Proxy-Authenticate: Digest realm=\"x\", nonce=\"n1\", qop=\"auth\"\r\n" \
    "Content-Length: 3\r\n\r\nwho"

static void test_407_is_a_response(void **state)
{
    struct origin *proxy = serve_reply(state, BASIC_407);
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.proxy = proxy_url(proxy, "http://")));
    assert_got(get(transport, "http://example.org/"), 407, "who");
    assert_got(get(transport, "http://example.org/"), 407, "who");
    assert_int_equal(stats_of(transport).dials, 1);
}

static ferry_transport *with_digest(void **state, const struct origin *proxy)
{
    return transport_with(state, FERRY_TRANSPORT_OPTIONS(.proxy = proxy_url(proxy, "bob:secret@"),
                                                         .proxy_digest = 1));
}

static void test_digest_is_answered_once(void **state)
{
    static const struct origin_reply replies[] = {{.bytes = DIGEST_407}, {.bytes = OK_REPLY}};
    struct origin *proxy = serve_replies(state, replies, 2);
    ferry_transport *transport = with_digest(state, proxy);
    ferry_request *req = request("POST", "http://example.org/a");
    assert_int_equal(ferry_request_set_body(req, "body", 4), 0);
    assert_got(send_once(transport, req), 200, "ok");
    assert_null(strstr(origin_request(proxy, 0).head, "Proxy-Authorization"));
    const char *head = origin_request(proxy, 1).head;
    assert_non_null(strstr(head, "POST http://example.org/a HTTP/1.1\r\n"));
    assert_non_null(strstr(head, "\r\nProxy-Authorization: Digest username=\"bob\", realm=\"x\", "
                                 "nonce=\"n1\", uri=\"http://example.org/a\", response=\""));
    assert_non_null(strstr(head, "nc=00000001"));
    assert_string_equal(origin_request(proxy, 1).body, "body");
    /* From then on without being asked, and on one connection. */
    assert_got(get(transport, "http://other.example/"), 200, "ok");
    assert_non_null(strstr(origin_request(proxy, 2).head, "uri=\"http://other.example/\""));
    assert_non_null(strstr(origin_request(proxy, 2).head, "nc=00000002"));
    assert_int_equal(origin_counts(proxy).requests, 3);
    assert_int_equal(stats_of(transport).dials, 1);
    assert_int_equal(stats_of(transport).retries, 0);
}

static void test_digest_that_is_wrong(void **state)
{
    struct origin *proxy = serve_reply(state, DIGEST_407);
    ferry_transport *transport = with_digest(state, proxy);
    assert_got(get(transport, "http://example.org/"), 407, "who");
    assert_int_equal(origin_counts(proxy).requests, 2);
}

static void test_challenges_that_are_not_answered(void **state)
{
    struct origin *basic = serve_reply(state, BASIC_407);
    struct origin *digest = serve_reply(state, DIGEST_407);
    struct origin *hard = serve_reply(state, "HTTP/1.1 407 Who\r\n"
                                             "Proxy-Authenticate: Digest realm=\"x\", nonce=\"n\", "
                                             "qop=\"auth-int\"\r\nContent-Length: 0\r\n\r\n");
    ferry_transport *transport = with_digest(state, basic);
    assert_got(get(transport, "http://example.org/"), 407, "who");
    assert_int_equal(origin_counts(basic).requests, 1);
    transport_done(state, transport);

    transport = with_digest(state, digest);
    ferry_request *req = request("GET", "http://example.org/");
    set(req, "Proxy-Authorization", "mine");
    assert_got(send_once(transport, req), 407, "who");
    assert_int_equal(origin_counts(digest).requests, 1);
    transport_done(state, transport);

    transport = with_digest(state, hard);
    assert_failed(get(transport, "http://example.org/"), FERRY_EUNSUPPORTED, "auth-int");
    transport_done(state, transport);

    /* An origin that plays the proxy gets no answer. */
    transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.proxy = "bob:secret@127.0.0.1:1",
                                                      .proxy_digest = 1, .no_proxy = "127.0.0.1"));
    assert_got(get(transport, origin_url(digest, "/")), 407, "who");
    assert_int_equal(origin_counts(digest).requests, 2);
}

static ssize_t read_once(void *arg, void *buf, size_t len)
{
    int *left = arg;
    (void)len;
    if (*left == 0) {
        return 0;
    }
    --*left;
    memcpy(buf, "x", 1);
    return 1;
}

static void test_a_body_that_cannot_be_sent_again(void **state)
{
    struct origin *proxy = serve_reply(state, DIGEST_407);
    ferry_transport *transport = with_digest(state, proxy);
    ferry_request *req = request("POST", "http://example.org/");
    int left = 3;
    assert_int_equal(ferry_request_set_body_reader(req, read_once, NULL, &left, -1), 0);
    assert_got(send_once(transport, req), 407, "who");
    assert_int_equal(origin_counts(proxy).requests, 1);
}

/* Asks for credentials before it has read the body, which it then has no room for; of who has them
 * it reads all. */
static void serve_early(struct origin_conn *conn, void *arg)
{
    char head[4096];
    (void)arg;
    while (origin_read_head(conn, head, sizeof head) > 0) {
        if (strstr(head, "Proxy-Authorization: Digest") == NULL) {
            origin_send_text(conn, DIGEST_407);
            origin_wait_read(conn, SOON_MS);
            return;
        }
        origin_send_text(conn, origin_read_body(conn) == 8 << 20 ? OK_REPLY : BASIC_407);
    }
}

/* The second send waits for the first one's end. */
static void test_a_challenge_while_the_body_is_sent(void **state)
{
    struct origin *proxy =
        serve_script(state, &(struct origin_script){.serve = serve_early, .receive_buffer = 4096});
    ferry_transport *transport = with_digest(state, proxy);
    char *body = calloc(1, 8 << 20);
    ferry_request *req = request("POST", "http://example.org/");
    assert_int_equal(ferry_request_set_body(req, body, 8 << 20), 0);
    assert_got(send_once(transport, req), 200, "ok");
    free(body);
    assert_int_equal(origin_counts(proxy).accepted, 2);
}

/* Answers who has credentials, and asks everybody else for them. */
static void serve_to_known(struct origin_conn *conn, void *arg)
{
    (void)arg;
    while (origin_read_request(conn)) {
        const char *head = origin_conn_request(conn).head;
        origin_send_text(conn, strstr(head, "Proxy-Authorization: Digest") != NULL ? OK_REPLY
                                                                                   : DIGEST_407);
    }
}

struct sender {
    struct side side;
    ferry_transport *transport;
    int ok;
};

static void send_many(void *arg)
{
    struct sender *sender = arg;
    for (int i = 0; i < 20; i++) {
        struct outcome outcome = get(sender->transport, "http://example.org/");
        sender->ok += outcome.status == 200;
    }
}

/* One proxy, one challenge, one count of answers. */
static void test_threads_share_a_proxy(void **state)
{
    struct origin *proxy = serve_with(state, serve_to_known, NULL);
    ferry_transport *transport = with_digest(state, proxy);
    struct sender senders[4] = {0};
    for (int i = 0; i < 4; i++) {
        senders[i].transport = transport;
        start_side(&senders[i].side, send_many, &senders[i]);
    }
    for (int i = 0; i < 4; i++) {
        end_side(&senders[i].side);
        assert_int_equal(senders[i].ok, 20);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRANSPORT_TEST(test_407_is_a_response),
        TRANSPORT_TEST(test_digest_is_answered_once),
        TRANSPORT_TEST(test_digest_that_is_wrong),
        TRANSPORT_TEST(test_challenges_that_are_not_answered),
        TRANSPORT_TEST(test_a_body_that_cannot_be_sent_again),
        TRANSPORT_TEST(test_a_challenge_while_the_body_is_sent),
        TRANSPORT_TEST(test_threads_share_a_proxy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
