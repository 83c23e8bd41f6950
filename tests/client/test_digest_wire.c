/*
 * Digest credentials on the wire: the answer to a 401, the counting of requests, stale nonces, and
 * the servers that get none.
 */
#include <stdio.h>
#include <stdlib.h>

#include "client_test.h"

#define CHALLENGE(more)                                                                      \
    "HTTP/1.1 401 X\r\nWWW-Authenticate: Basic realm=\"b\"\r\nWWW-Authenticate: Digest "     \
    "realm=\"r\", nonce=\"n1\", qop=\"auth\", algorithm=SHA-256" more "\r\nContent-Length: " \
    "4\r\n\r\nwho?"
#define OK "HTTP/1.1 200 X\r\nContent-Length: 2\r\n\r\nok"

static ferry_client *digest_client(void **state)
{
    return client_with(transport_with(state, NULL),
                       (ferry_client_options){.digest_user = "bob", .digest_password = "secret"});
}

static void test_answers_once_and_counts(void **state)
{
    static const struct origin_reply replies[] = {
        {.bytes = CHALLENGE("")}, {.bytes = OK}, {.bytes = OK}};
    struct origin *origin = serve_replies(state, replies, 3);
    ferry_client *client = digest_client(state);
    char value[512];
    char first[512];
    ferry_request *req = request("POST", origin_url(origin, "/x?y"));
    assert_int_equal(ferry_request_set_body(req, "body", 4), 0);
    assert_got(do_request(client, req), 200, "ok");
    assert_string_equal(field_of(origin, 0, "Authorization", value), "");
    field_of(origin, 1, "Authorization", first);
    assert_non_null(strstr(first, "Digest username=\"bob\", realm=\"r\", nonce=\"n1\", "
                                  "uri=\"/x?y\""));
    assert_non_null(strstr(first, "nc=00000001"));
    assert_string_equal(origin_request(origin, 1).body, "body");
    assert_null(ferry_request_header(req, "Authorization"));
    assert_got(do_request(client, req), 200, "ok"); /* without being asked again */
    field_of(origin, 2, "Authorization", value);
    assert_non_null(strstr(value, "nc=00000002"));
    assert_int_equal(origin_counts(origin).requests, 3);
    assert_int_equal(origin_counts(origin).accepted, 1);
    ferry_request_free(req);
    ferry_client_free(client);
}

static void test_wrong_password(void **state)
{
    struct origin *origin = serve_reply(state, CHALLENGE(""));
    ferry_client *client = digest_client(state);
    assert_got(client_get(client, origin_url(origin, "/")), 401, "who?");
    assert_int_equal(origin_counts(origin).requests, 2);
    ferry_client_free(client);
}

static void test_stale(void **state)
{
    static const struct origin_reply replies[] = {
        {.bytes = CHALLENGE("")},
        {.bytes = OK},
        {.bytes = "HTTP/1.1 401 X\r\nWWW-Authenticate: Digest realm=\"r\", nonce=\"n2\", "
                  "stale=TRUE, qop=\"auth\"\r\nContent-Length: 0\r\n\r\n"},
        {.bytes = OK}};
    struct origin *origin = serve_replies(state, replies, 4);
    ferry_client *client = digest_client(state);
    char value[512];
    assert_got(client_get(client, origin_url(origin, "/")), 200, "ok");
    assert_got(client_get(client, origin_url(origin, "/")), 200, "ok");
    field_of(origin, 3, "Authorization", value);
    assert_non_null(strstr(value, "nonce=\"n2\""));
    assert_non_null(strstr(value, "nc=00000001"));
    ferry_client_free(client);
}

static void test_what_cannot_be_answered(void **state)
{
    struct origin *origin = serve_reply(state, CHALLENGE(""));
    struct origin *basic = serve_reply(state, "HTTP/1.1 401 X\r\nWWW-Authenticate: Basic "
                                              "realm=\"b\"\r\nContent-Length: 0\r\n\r\n");
    struct origin *integrity =
        serve_reply(state, "HTTP/1.1 401 X\r\nWWW-Authenticate: Digest realm=\"r\", nonce=\"n\", "
                           "qop=\"auth-int\"\r\nContent-Length: 0\r\n\r\n");
    ferry_client *client = digest_client(state);
    struct xs xs = {.left = 3};
    ferry_request *req = request("POST", origin_url(origin, "/"));
    assert_int_equal(ferry_request_set_body_reader(req, read_xs, NULL, &xs, 3), 0);
    assert_got(do_request(client, req), 401, "who?"); /* its body is gone */
    ferry_request_free(req);
    assert_got(client_get(client, origin_url(basic, "/")), 401, "");
    assert_int_equal(origin_counts(basic).requests, 1);
    req = request("GET", origin_url(integrity, "/"));
    fails(client, req, FERRY_EUNSUPPORTED, "auth-int");
    ferry_request_free(req);
    req = request("GET", origin_url(origin, "/")); /* has credentials of its own */
    assert_int_equal(ferry_request_set_basic_auth(req, "own", "pw"), 0);
    assert_got(do_request(client, req), 401, "who?");
    ferry_request_free(req);
    assert_int_equal(origin_counts(origin).requests, 2);
    ferry_client_free(client);
}

/* A body that is gone cannot be sent again; but then the server has said what it wants to see. */
static void test_challenge_of_a_body_that_is_gone(void **state)
{
    static const struct origin_reply replies[] = {{.bytes = CHALLENGE("")}, {.bytes = OK}};
    struct origin *origin = serve_replies(state, replies, 2);
    ferry_client *client = digest_client(state);
    char value[512];
    for (int i = 0; i < 2; i++) {
        struct xs xs = {.left = 3};
        ferry_request *req = request("POST", origin_url(origin, "/"));
        assert_int_equal(ferry_request_set_body_reader(req, read_xs, NULL, &xs, 3), 0);
        assert_got(do_request(client, req), i == 0 ? 401 : 200, i == 0 ? "who?" : "ok");
        ferry_request_free(req);
    }
    field_of(origin, 1, "Authorization", value);
    assert_non_null(strstr(value, "nonce=\"n1\""));
    assert_non_null(strstr(value, "nc=00000001"));
    assert_string_equal(origin_request(origin, 1).body, "xxx");
    assert_int_equal(origin_counts(origin).requests, 2);
    ferry_client_free(client);
}

/* A redirect leads to a server that asks for credentials: they are not for it. */
static void test_not_for_another_host(void **state)
{
    struct origin *evil = serve_reply(state, CHALLENGE(""));
    char reply[256];
    snprintf(reply, sizeof reply, "HTTP/1.1 302 X\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n",
             origin_url(evil, "/"));
    struct origin *origin = serve_reply(state, reply);
    ferry_client *client = digest_client(state);
    assert_got(client_get(client, origin_url(origin, "/")), 401, "who?");
    assert_int_equal(origin_counts(evil).requests, 1);
    assert_false(has_field(evil, 0, "Authorization"));
    ferry_client_free(client);
}

static void test_basic_and_bearer(void **state)
{
    ferry_request *req = request("GET", "http://u:p@host.test/");
    (void)state;
    assert_int_equal(ferry_request_set_basic_auth(req, "Aladdin", "open sesame"), 0);
    assert_string_equal(ferry_request_header(req, "Authorization"),
                        "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    assert_int_equal(ferry_request_set_bearer(req, "abc.def"), 0);
    assert_string_equal(ferry_request_header(req, "Authorization"), "Bearer abc.def");
    assert_int_equal(ferry_request_set_bearer(req, NULL), 0);
    assert_null(ferry_request_header(req, "Authorization"));
    assert_int_equal(ferry_request_set_basic_auth(req, "a:b", "c"), -1);
    assert_int_equal(ferry_request_set_basic_auth(req, "a\r\nX: y", "c"), -1);
    assert_int_equal(ferry_request_set_bearer(req, "a\r\nX: y"), -1);
    assert_int_equal(ferry_request_set_bearer(req, ""), -1);
    assert_null(ferry_request_header(req, "Authorization"));
    ferry_request_free(req);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TRANSPORT_TEST(test_answers_once_and_counts),
        TRANSPORT_TEST(test_wrong_password),
        TRANSPORT_TEST(test_stale),
        TRANSPORT_TEST(test_what_cannot_be_answered),
        TRANSPORT_TEST(test_challenge_of_a_body_that_is_gone),
        TRANSPORT_TEST(test_not_for_another_host),
        TRANSPORT_TEST(test_basic_and_bearer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
