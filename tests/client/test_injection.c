/*
 * Header injection: whatever a program passes on from somebody else, in whichever setter or option,
 * and whatever a server answers, no line of a request is anybody's but ferry's. What could break
 * one is refused before anything is dialed, or goes out encoded.
 */
#include <stdio.h>
#include <stdlib.h>

#include "client_test.h"
#include "temp_dir.h"

#define NO_CONTENT "HTTP/1.1 204 X\r\n\r\n"
#define FIND_ME "Injected"

/* What must not go into a line, each in the middle of a text; and at its ends, where blanks are
 * taken off. */
static const char *const bad_texts[] = {
    "a\r\n" FIND_ME ": 1",
    "a\n" FIND_ME ": 1",
    "a\r" FIND_ME ": 1",
    "a\x01z",
    "a\x7fz",
    "a\x1bz",
    "\na",
    "a\r\n",
};
#define BAD_TEXTS (sizeof bad_texts / sizeof bad_texts[0])

/* No request that the origin has seen has a line that began in somebody's text. */
static void assert_nothing_injected(struct origin *origin)
{
    unsigned requests = origin_counts(origin).requests;
    for (size_t i = 0; i < requests; i++) {
        assert_null(strstr(origin_request(origin, i).head, "\n" FIND_ME));
        assert_null(strstr(origin_request(origin, i).head, "\r" FIND_ME));
    }
}

/* ------------------------------------------------------------------------- setters of a request */

static int set_header(ferry_request *req, const char *text)
{
    return ferry_request_set_header(req, "X-Field", text);
}

static int set_name(ferry_request *req, const char *text)
{
    return ferry_request_set_header(req, text, "x");
}

static int add_header(ferry_request *req, const char *text)
{
    return ferry_request_add_header(req, "X-Field", text);
}

static int add_name(ferry_request *req, const char *text)
{
    return ferry_request_add_header(req, text, "x");
}

static int set_host(ferry_request *req, const char *text)
{
    return ferry_request_set_header(req, "Host", text);
}

static int set_connection(ferry_request *req, const char *text)
{
    return ferry_request_set_header(req, "Connection", text);
}

static int set_agent(ferry_request *req, const char *text)
{
    return ferry_request_set_header(req, "User-Agent", text);
}

static int set_last_event_id(ferry_request *req, const char *text)
{
    return ferry_request_set_header(req, "Last-Event-ID", text);
}

static int set_basic_user(ferry_request *req, const char *text)
{
    return ferry_request_set_basic_auth(req, text, "pw");
}

static int set_basic_password(ferry_request *req, const char *text)
{
    return ferry_request_set_basic_auth(req, "bob", text);
}

static int add_cookie_name(ferry_request *req, const char *text)
{
    return ferry_request_add_cookie(req, text, "x");
}

static int add_cookie_value(ferry_request *req, const char *text)
{
    return ferry_request_add_cookie(req, "c", text);
}

static int set_trailer(ferry_request *req, const char *text)
{
    return ferry_request_set_trailer(req, "X-Sum", text);
}

static int set_trailer_name(ferry_request *req, const char *text)
{
    return ferry_request_set_trailer(req, text, "x");
}

static void test_setters(void **state)
{
    static int (*const setters[])(ferry_request * req, const char *text) = {
        set_header,
        set_name,
        add_header,
        add_name,
        set_host,
        set_connection,
        set_agent,
        set_last_event_id,
        set_basic_user,
        set_basic_password,
        add_cookie_name,
        add_cookie_value,
        set_trailer,
        set_trailer_name,
        ferry_request_set_bearer,
        ferry_request_set_target,
    };
    struct origin *origin = serve_reply(state, NO_CONTENT);
    ferry_transport *transport = transport_with(state, NULL);
    ferry_client *client = client_with(transport, (ferry_client_options){0});
    for (size_t i = 0; i < sizeof setters / sizeof setters[0]; i++) {
        for (size_t k = 0; k < BAD_TEXTS; k++) {
            ferry_request *req = request("POST", origin_url(origin, "/"));
            if (setters[i](req, bad_texts[k]) != -1) {
                fail_msg("setter %zu took text %zu", i, k);
            }
            fails(client, req, FERRY_EINVAL, NULL); /* remembered */
            ferry_request_free(req);
        }
    }
    ferry_client_free(client);
    assert_int_equal(origin_counts(origin).accepted, 0);
}

/* What a request is made with, and what the one-line calls and the forms take. */
static void test_whole_requests(void **state)
{
    struct origin *origin = serve_reply(state, NO_CONTENT);
    for (size_t i = 0; i < BAD_TEXTS; i++) {
        ferry_error err = {0};
        char url[256];
        assert_null(ferry_request_new(bad_texts[i], origin_url(origin, "/"), &err));
        assert_error(&err, FERRY_EINVAL, "is no token");
        snprintf(url, sizeof url, "%s?%s.", origin_url(origin, "/"), bad_texts[i]);
        assert_null(ferry_get(url, &err));
        assert_error(&err, FERRY_EURL, "a control byte");
        snprintf(url, sizeof url, "http://%s.example/", bad_texts[i]);
        assert_null(ferry_get(url, &err));
        assert_error(&err, FERRY_EURL, NULL);
        assert_null(ferry_post(origin_url(origin, "/"), bad_texts[i], "x", 1, &err));
        assert_error(&err, FERRY_EINVAL, "Content-Type");
        ferry_form *form = ferry_form_new(&err);
        assert_non_null(form);
        assert_int_equal(ferry_form_add_data(form, "n", "x", 1, "f", bad_texts[i], &err), -1);
        assert_error(&err, FERRY_EINVAL, "a control byte");
        ferry_form_free(form);
    }
    /* The same percent-encoded: in a path it stays so, in a host and in credentials it is
     * refused. */
    ferry_error err = {0};
    assert_null(ferry_get("http://a%0d%0a" FIND_ME ".example/", &err));
    assert_error(&err, FERRY_EURL, NULL);
    assert_null(ferry_get("http://u%0d%0a" FIND_ME ":p@a.example/", &err));
    assert_error(&err, FERRY_EURL, "a control byte");
    assert_null(ferry_get("http://u:p%0A@a.example/", &err));
    assert_error(&err, FERRY_EURL, "a control byte");
    ferry_transport *transport = transport_with(state, NULL);
    assert_got(get(transport, origin_url(origin, "/a%0d%0a" FIND_ME ":%201?b%0A")), 204, "");
    assert_int_equal(origin_counts(origin).requests, 1);
    static const char line[] = "GET /a%0d%0a" FIND_ME ":%201?b%0A HTTP/1.1\r\n";
    assert_memory_equal(origin_request(origin, 0).head, line, sizeof line - 1);
}

/* -------------------------------------------------------------------------- options of a client */

/* The client is made; each send tells, and dials nothing. */
static void refuses(ferry_client *client, const char *url, const char *option)
{
    char begin[256];
    ferry_request *req = request("GET", url);
    snprintf(begin, sizeof begin, "Get \"%s\": the client's option %s has a control byte in it",
             url, option);
    for (int i = 0; i < 2; i++) {
        ferry_error err = {0};
        assert_null((ferry_client_do)(client, req, &err));
        assert_int_equal(err.code, FERRY_EINVAL);
        assert_string_equal(err.message, begin);
    }
    ferry_request_free(req);
    ferry_client_free(client);
}

static void test_client_options(void **state)
{
    char value[512];
    struct origin *origin = serve_reply(state, NO_CONTENT);
    ferry_transport *transport = transport_with(state, NULL);
    for (size_t i = 0; i < BAD_TEXTS; i++) {
        refuses(client_with(transport, (ferry_client_options){.user_agent = bad_texts[i]}),
                origin_url(origin, "/"), "user_agent");
        refuses(client_with(transport, (ferry_client_options){.digest_user = bad_texts[i],
                                                              .digest_password = "pw"}),
                origin_url(origin, "/"), "digest_user");
    }
    assert_int_equal(origin_counts(origin).accepted, 0);

    /* Blanks around it are none of it, as of any field's value; with them alone there is none. */
    static const char *const agents[][2] = {{" \ttool/1 (of\tmine) \t", "tool/1 (of\tmine)"},
                                            {"tool/\xc3\xa9", "tool/\xc3\xa9"},
                                            {" \t", ""}};
    for (size_t i = 0; i < 3; i++) {
        ferry_client *client =
            client_with(transport, (ferry_client_options){.user_agent = agents[i][0]});
        ferry_request *req = request("GET", origin_url(origin, "/"));
        assert_int_equal(do_request(client, req).status, 204);
        assert_string_equal(field_of(origin, i, "User-Agent", value), agents[i][1]);
        ferry_request_free(req);
        ferry_client_free(client);
    }
}

/* A body's owner is told that ferry is done with it, although nothing was sent. */
static void count_done(void *arg)
{
    ++*(int *)arg;
}

static void test_a_refused_sends_body(void **state)
{
    int done = 0;
    ferry_transport *transport = transport_with(state, NULL);
    ferry_client *client = client_with(transport, (ferry_client_options){.user_agent = "a\nb"});
    ferry_request *req = request("POST", "http://127.0.0.1:1/");
    assert_int_equal(ferry_request_set_body(req, "x", 1), 0);
    ferry_request_set_body_done(req, count_done, &done);
    fails(client, req, FERRY_EINVAL, "user_agent");
    assert_int_equal(done, 1);
    assert_int_equal(ferry_request_set_header(req, "X-Field", "a\nb"), -1);
    fails(NULL, req, FERRY_EINVAL, "the field X-Field has a control byte");
    assert_int_equal(done, 2);
    assert_failed(send_and_read(transport, req), FERRY_EINVAL, "the field X-Field");
    assert_int_equal(done, 3);
    ferry_request_free(req);
    ferry_client_free(client);
}

static void test_a_netrc(void **state)
{
    char dir[TEMP_DIR_SIZE];
    char path[TEMP_DIR_SIZE + 8];
    struct origin *origin = serve_reply(state, NO_CONTENT);
    ferry_transport *transport = transport_with(state, NULL);
    assert_true(temp_dir_make(dir));
    snprintf(path, sizeof path, "%s/netrc", dir);
    for (size_t i = 0; i < 2 * BAD_TEXTS; i++) {
        char text[256];
        snprintf(text, sizeof text, "machine 127.0.0.1 login \"%s\" password \"%s\"\n",
                 i < BAD_TEXTS ? bad_texts[i] : "bob", i < BAD_TEXTS ? "pw" : bad_texts[i / 2]);
        assert_true(temp_file_write(path, text, strlen(text)));
        ferry_client *client = client_with(transport, (ferry_client_options){.netrc = path});
        ferry_request *req = request("GET", origin_url(origin, "/"));
        fails(client, req, FERRY_EINVAL, "the .netrc has Basic credentials");
        ferry_request_free(req);
        ferry_client_free(client);
    }
    temp_dir_remove(dir);
    assert_int_equal(origin_counts(origin).accepted, 0);
}

/* -------------------------------------------------------------------------- what is for proxies */

static void refuses_proxy(const ferry_transport_options *options, int code)
{
    ferry_transport *transport = ferry_transport_new(options);
    assert_non_null(transport);
    assert_failed(get(transport, "http://origin.example/"), code, NULL);
    assert_failed(get(transport, "https://origin.example/"), code, NULL);
    ferry_transport_free(transport);
}

static void test_proxies(void **state)
{
    struct origin *origin = serve_reply(state, NO_CONTENT);
    char proxy[128];
    snprintf(proxy, sizeof proxy, "http://%s", origin_host(origin));
    for (size_t i = 0; i < BAD_TEXTS; i++) {
        ferry_field fields[] = {{"Good", "1"}, {"X-Field", bad_texts[i]}, {bad_texts[i], "x"}};
        for (size_t k = 0; k < 2; k++) {
            refuses_proxy(FERRY_TRANSPORT_OPTIONS(.proxy = proxy, .proxy_fields = fields + k,
                                                  .proxy_field_count = 2),
                          FERRY_EINVAL);
        }
    }
    /* Credentials of a proxy's URL, which a Digest answer would have in it as they are. */
    static const char *const users[] = {"u%0d%0a" FIND_ME ":p", "u%0A:p", "u:p%0d%0a", "u%7f:p",
                                        "u\r\n" FIND_ME ":p"};
    static const char *const schemes[] = {"http", "https", "socks5", "socks5h"};
    for (size_t i = 0; i < 4 * sizeof users / sizeof users[0]; i++) {
        snprintf(proxy, sizeof proxy, "%s://%s@%s", schemes[i % 4], users[i / 4],
                 origin_host(origin));
        for (int digest = 0; digest < 2; digest++) {
            refuses_proxy(FERRY_TRANSPORT_OPTIONS(.proxy = proxy, .proxy_digest = digest),
                          FERRY_EURL);
        }
    }
    assert_int_equal(origin_counts(origin).accepted, 0);
}

/* The client's agent goes into a CONNECT, too. */
static void test_agent_of_a_tunnel(void **state)
{
    struct origin *proxy = serve_reply(state, "HTTP/1.1 403 X\r\nContent-Length: 0\r\n\r\n");
    char setting[64];
    char value[512];
    snprintf(setting, sizeof setting, "http://%s", origin_host(proxy));
    ferry_transport *transport = transport_with(state, FERRY_TRANSPORT_OPTIONS(.proxy = setting));
    ferry_request *req = request("GET", "https://origin.example/");
    ferry_client *client =
        client_with(transport, (ferry_client_options){.user_agent = "a\r\n" FIND_ME ": 1"});
    fails(client, req, FERRY_EINVAL, "user_agent");
    ferry_client_free(client);
    assert_int_equal(origin_counts(proxy).accepted, 0);
    client = client_with(transport, (ferry_client_options){.user_agent = " tool/1 "});
    fails(client, req, FERRY_EPROXY, "refused with status 403");
    ferry_client_free(client);
    ferry_request_free(req);
    assert_string_equal(field_of(proxy, 0, "User-Agent", value), "tool/1");
}

/* --------------------------------------------------------------------- what servers make us say */

/* A redirect's URL, a cookie, a challenge: all come back in the next request. */
static void test_what_comes_back(void **state)
{
    static const struct origin_reply replies[] = {
        {.bytes = "HTTP/1.1 302 X\r\nContent-Length: 0\r\nSet-Cookie: c=a%0d%0a" FIND_ME ":1\r\n"
                  "Location: /b%0d%0a" FIND_ME ":%201?\xe2\x80\xa8 c\r\n\r\n"},
        {.bytes =
             "HTTP/1.1 401 X\r\nContent-Length: 0\r\n"
             "WWW-Authenticate: Digest realm=\"r\\\"\\\\, " FIND_ME "=\\\"1\", nonce=\"n\\\"\", "
             "opaque=\"\\o\", qop=\"auth\"\r\n\r\n"},
        {.bytes = NO_CONTENT},
    };
    char value[512];
    struct origin *origin = serve_replies(state, replies, 3);
    ferry_transport *transport = transport_with(state, NULL);
    ferry_cookie_jar *jar = ferry_cookie_jar_new();
    ferry_client *client = client_with(transport, (ferry_client_options){.cookie_jar = jar,
                                                                         .digest_user = "a\"b\\",
                                                                         .digest_password = "pw"});
    assert_got(client_get(client, origin_url(origin, "/")), 204, "");
    assert_int_equal(origin_counts(origin).requests, 3);
    assert_nothing_injected(origin);
    for (size_t i = 1; i < 3; i++) {
        const char *head = origin_request(origin, i).head;
        static const char line[] = "GET /b%0d%0a" FIND_ME ":%201?%E2%80%A8%20c HTTP/1.1\r\n";
        assert_memory_equal(head, line, sizeof line - 1);
        assert_string_equal(field_of(origin, i, "Cookie", value), "c=a%0d%0a" FIND_ME ":1");
    }
    /* Quotes end no quoted string before its time (RFC 9110 section 5.6.4). */
    field_of(origin, 2, "Authorization", value);
    assert_non_null(strstr(value, "Digest username=\"a\\\"b\\\\\", realm=\"r\\\"\\\\, " FIND_ME
                                  "=\\\"1\", nonce=\"n\\\"\", "));
    assert_non_null(strstr(value, ", opaque=\"o\""));
    ferry_client_free(client);
    ferry_cookie_jar_free(jar);
}

/* Control bytes and bare line ends in what would come back: the response is refused whole. */
static void test_what_may_not_come_back(void **state)
{
    static const char *const fields[] = {"Location: /a%s", "Set-Cookie: c=%s",
                                         "WWW-Authenticate: Digest realm=\"%s\", nonce=\"n\""};
    static const char *const texts[] = {"a\rb", "a\x01z", "a\x7fz", "a\r" FIND_ME ": 1"};
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        for (size_t k = 0; k < sizeof texts / sizeof texts[0]; k++) {
            char field[128];
            char reply[256];
            snprintf(field, sizeof field, fields[i], texts[k]);
            snprintf(reply, sizeof reply, "HTTP/1.1 %s X\r\nContent-Length: 0\r\n%s\r\n\r\n",
                     i == 0 ? "302" : "401", field);
            struct origin *origin = serve_reply(state, reply);
            ferry_transport *transport = transport_with(state, NULL);
            ferry_cookie_jar *jar = ferry_cookie_jar_new();
            ferry_client *client = client_with(
                transport, (ferry_client_options){
                               .cookie_jar = jar, .digest_user = "bob", .digest_password = "pw"});
            ferry_request *req = request("GET", origin_url(origin, "/"));
            fails(client, req, FERRY_EPROTOCOL, NULL);
            assert_int_equal(origin_counts(origin).requests, 1);
            assert_int_equal(ferry_cookie_jar_count(jar), 0);
            ferry_request_free(req);
            ferry_client_free(client);
            ferry_cookie_jar_free(jar);
        }
    }
}

/* Cookies that a program sets, or loads from a file, are looked at as a server's are. */
static void test_cookies(void **state)
{
    char dir[TEMP_DIR_SIZE];
    char path[TEMP_DIR_SIZE + 8];
    (void)state;
    ferry_cookie_jar *jar = ferry_cookie_jar_new();
    assert_true(temp_dir_make(dir));
    snprintf(path, sizeof path, "%s/jar", dir);
    for (size_t i = 0; i < BAD_TEXTS; i++) {
        ferry_error err = {0};
        char text[256];
        snprintf(text, sizeof text, "c=x%sy", bad_texts[i]);
        assert_int_equal(ferry_cookie_jar_set(jar, "http://a.example/", text, &err), -1);
        assert_error(&err, FERRY_EINVAL, "a control byte");
        snprintf(text, sizeof text, "a.example\tFALSE\t/\tFALSE\t0\tc\tx%sy\n", bad_texts[i]);
        assert_true(temp_file_write(path, text, strlen(text)));
        assert_int_equal(ferry_cookie_jar_load(jar, path, NULL), 0);
        char *sent = ferry_cookie_jar_get(jar, "http://a.example/", NULL);
        assert_non_null(sent);
        for (const char *at = sent; *at != '\0'; at++) {
            assert_true((unsigned char)*at >= ' ' && *at != 0x7f);
        }
        free(sent);
        ferry_cookie_jar_clear(jar);
    }
    temp_dir_remove(dir);
    ferry_cookie_jar_free(jar);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TRANSPORT_TEST(test_setters),
        TRANSPORT_TEST(test_whole_requests),
        TRANSPORT_TEST(test_client_options),
        TRANSPORT_TEST(test_a_refused_sends_body),
        TRANSPORT_TEST(test_a_netrc),
        TRANSPORT_TEST(test_proxies),
        TRANSPORT_TEST(test_agent_of_a_tunnel),
        TRANSPORT_TEST(test_what_comes_back),
        TRANSPORT_TEST(test_what_may_not_come_back),
        TRANSPORT_TEST(test_cookies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
