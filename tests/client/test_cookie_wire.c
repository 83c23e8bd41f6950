/*
 * Cookies on the wire: the jar between responses and requests, along redirects, and against servers
 * that try to set what is not theirs.
 */
#include <stdio.h>
#include <stdlib.h>

#include "client_test.h"

static ferry_cookie_jar *new_jar(void)
{
    ferry_cookie_jar *jar = ferry_cookie_jar_new();
    assert_non_null(jar);
    return jar;
}

/* What a recording round tripper has seen. */
struct recorder {
    char cookie[128];
    int calls;
};

static ferry_response *record(void *self, ferry_request *req, ferry_error *err)
{
    struct recorder *recorder = self;
    const char *cookie = ferry_request_header(req, "Cookie");
    (void)err;
    snprintf(recorder->cookie, sizeof recorder->cookie, "%s", cookie != NULL ? cookie : "");
    recorder->calls++;
    return ferry_response_new(200, "ok", 2);
}

static void test_CL_014_every_request_carries_them(void **state)
{
    static const char *const methods[] = {"GET", "HEAD", "POST", "PUT"};
    struct recorder recorder = {.calls = 0};
    ferry_round_tripper tripper = {record, &recorder};
    ferry_cookie_jar *jar = new_jar();
    static const char *const cookies[] = {"first=1", "second=2", "third=3"};
    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(ferry_cookie_jar_set(jar, "http://host.fake/", cookies[i], NULL), 0);
    }
    ferry_client *client =
        ferry_client_new(FERRY_CLIENT_OPTIONS(.round_tripper = &tripper, .cookie_jar = jar));
    assert_non_null(client);
    for (int i = 0; i < 4; i++) {
        ferry_request *req = request(methods[i], "http://host.fake/x");
        assert_int_equal(do_request(client, req).status, 200);
        assert_string_equal(recorder.cookie, "first=1; second=2; third=3");
        assert_null(ferry_request_header(req, "Cookie")); /* the request itself has none */
        ferry_request_free(req);
    }
    ferry_request *form = request("POST", "http://host.fake/x");
    assert_int_equal(ferry_request_set_urlencoded(form, &(ferry_field){"a", "b"}, 1), 0);
    assert_int_equal(do_request(client, form).status, 200);
    assert_string_equal(recorder.cookie, "first=1; second=2; third=3");
    ferry_request_free(form);
    assert_int_equal(client_get(client, "http://other.fake/").status, 200);
    assert_string_equal(recorder.cookie, "");
    ferry_client_free(client);
    ferry_cookie_jar_free(jar);
}

/* Sends each cookie that it got back as Set-Cookie, and one more on each path. */
static void serve_mirror(struct origin_conn *conn, void *arg)
{
    (void)arg;
    while (origin_read_request(conn)) {
        const char *head = origin_conn_request(conn).head;
        bool first = strncmp(head, "GET / ", 6) == 0;
        const char *at = strstr(head, "\r\nCookie: ");
        origin_sendf(conn, "HTTP/1.1 %s X\r\n%s", first ? "301" : "200",
                     first ? "Location: /second\r\n" : "");
        for (at = at != NULL ? at + 10 : "\r"; *at != '\r';) {
            int len = (int)strcspn(at, ";\r");
            origin_sendf(conn, "Set-Cookie: %.*s; path=/\r\n", len, at);
            at += len + (int)strspn(at + len, "; ");
        }
        origin_sendf(conn, "Set-Cookie: %s; path=/\r\nContent-Length: 0\r\n\r\n",
                     first ? "second=b" : "third=c");
    }
}

static void test_CL_015_redirects_and_the_jar(void **state)
{
    struct origin *origin = serve_with(state, serve_mirror, NULL);
    ferry_cookie_jar *jar = new_jar();
    char value[512];
    assert_int_equal(ferry_cookie_jar_set(jar, origin_url(origin, "/"), "first=a", NULL), 0);
    ferry_client *client =
        client_with(transport_with(state, NULL), (ferry_client_options){.cookie_jar = jar});
    ferry_request *req = request("GET", origin_url(origin, "/"));
    ferry_response *res = ferry_client_do(client, req, NULL);
    assert_int_equal(ferry_response_status(res), 200);
    assert_string_equal(ferry_response_url(res), origin_url(origin, "/second"));
    static const char *const back[] = {"first=a; path=/", "second=b; path=/", "third=c; path=/"};
    for (size_t i = 0; i < 3; i++) { /* all of the final response's */
        const char *name;
        const char *set;
        ferry_response_header_at(res, i, &name, &set);
        assert_string_equal(name, "Set-Cookie");
        assert_string_equal(set, back[i]);
    }
    ferry_response_close(res);
    ferry_request_free(req);
    assert_string_equal(field_of(origin, 0, "Cookie", value), "first=a");
    assert_string_equal(field_of(origin, 1, "Cookie", value), "first=a; second=b");
    char *now = ferry_cookie_jar_get(jar, origin_url(origin, "/"), NULL);
    assert_string_equal(now, "first=a; second=b; third=c");
    free(now);
    ferry_client_free(client);
    ferry_cookie_jar_free(jar);
}

/* Four hops: deletes a cookie set by header, replaces another, replaces one of the jar's, adds one. */
static void test_CL_046_altered_on_the_way(void **state)
{
#define HOP(set) "HTTP/1.1 302 X\r\nLocation: /next\r\n" set "Content-Length: 0\r\n\r\n"
    static const struct origin_reply replies[] = {
        {.bytes = HOP("Set-Cookie: Cycle=1\r\nSet-Cookie: Cookie1=Never; path=/; max-age=-1\r\n")},
        {.bytes = HOP("Set-Cookie: Cookie3=NewValue3; path=/\r\n")},
        {.bytes = HOP("Set-Cookie: Cookie4=NewValue4; path=/\r\n"
                      "Set-Cookie: Cookie6=Value6; path=/\r\n")},
        {.bytes = "HTTP/1.1 200 X\r\nContent-Length: 0\r\n\r\n"},
    };
    struct origin *origin = serve_replies(state, replies, 4);
    ferry_cookie_jar *jar = new_jar();
    char value[512];
    assert_int_equal(ferry_cookie_jar_set(jar, origin_url(origin, "/"), "Cookie4=Old4", NULL), 0);
    assert_int_equal(ferry_cookie_jar_set(jar, origin_url(origin, "/"), "Cookie5=5", NULL), 0);
    ferry_client *client =
        client_with(transport_with(state, NULL), (ferry_client_options){.cookie_jar = jar});
    ferry_request *req = request("GET", origin_url(origin, "/"));
    static const char *const own[][2] = {{"Cookie1", "Old1a"},
                                         {"Cookie1", "Old1b"},
                                         {"Cookie2", "Old2a"},
                                         {"Cookie2", "Old2b"},
                                         {"Cookie3", "Old3"}};
    for (int i = 0; i < 5; i++) {
        assert_int_equal(ferry_request_add_cookie(req, own[i][0], own[i][1]), 0);
    }
    assert_int_equal(do_request(client, req).status, 200);
    assert_string_equal(field_of(origin, 0, "Cookie", value),
                        "Cookie1=Old1a; Cookie1=Old1b; Cookie2=Old2a; Cookie2=Old2b; Cookie3=Old3; "
                        "Cookie4=Old4; Cookie5=5");
    assert_string_equal(field_of(origin, 1, "Cookie", value),
                        "Cookie2=Old2a; Cookie2=Old2b; Cookie3=Old3; Cookie4=Old4; Cookie5=5; "
                        "Cycle=1");
    assert_string_equal(field_of(origin, 2, "Cookie", value),
                        "Cookie2=Old2a; Cookie2=Old2b; Cookie4=Old4; Cookie5=5; Cycle=1; "
                        "Cookie3=NewValue3");
    assert_string_equal(field_of(origin, 3, "Cookie", value),
                        "Cookie2=Old2a; Cookie2=Old2b; Cookie4=NewValue4; Cookie5=5; Cycle=1; "
                        "Cookie3=NewValue3; Cookie6=Value6");
    ferry_request_free(req);
    ferry_client_free(client);
    ferry_cookie_jar_free(jar);
}

/* A Cookie field that the caller has written himself, with no blank behind its semicolons: what is
 * left of it goes along as it was. Of 512 bytes, none of which may be written behind. */
static void test_own_cookies_without_blanks(void **state)
{
    static const struct origin_reply replies[] = {
        {.bytes = HOP("Set-Cookie: a=new; path=/\r\nSet-Cookie: none=1; max-age=0\r\n")},
        {.bytes = HOP("Set-Cookie: c=new; path=/\r\n")},
        {.bytes = "HTTP/1.1 200 X\r\nContent-Length: 0\r\n\r\n"},
    };
    struct origin *origin = serve_replies(state, replies, 3);
    ferry_cookie_jar *jar = new_jar();
    char value[512];
    char many[513] = "x=12";
    ferry_client *client =
        client_with(transport_with(state, NULL), (ferry_client_options){.cookie_jar = jar});
    ferry_request *req = request("GET", origin_url(origin, "/"));
    assert_int_equal(ferry_request_set_header(req, "Cookie", "a=1;b=2;;\tc=3 ;d=4 ; e=5;"), 0);
    assert_int_equal(do_request(client, req).status, 200);
    assert_string_equal(field_of(origin, 0, "Cookie", value), "a=1;b=2;;\tc=3 ;d=4 ; e=5;");
    assert_string_equal(field_of(origin, 1, "Cookie", value), "b=2;;\tc=3 ;d=4 ; e=5; a=new");
    assert_string_equal(field_of(origin, 2, "Cookie", value), "b=2;;d=4 ; e=5; a=new; c=new");
    for (size_t len = strlen(many); len < 512; len += 4) {
        memcpy(many + len, ";y=2", 5);
    }
    assert_int_equal(ferry_request_set_header(req, "Cookie", many), 0);
    assert_int_equal(do_request(client, req).status, 200);
    ferry_request_free(req);
    ferry_client_free(client);
    ferry_cookie_jar_free(jar);
}

/* A server sets cookies for hosts that are not its own: none of them reaches their hosts, nor goes
 * back to it. "localhost" and "127.0.0.1" are one machine and two hosts. */
static void test_injection_across_hosts(void **state)
{
    struct origin *evil = serve_reply(state, "HTTP/1.1 200 X\r\n"
                                             "Set-Cookie: a=1; domain=localhost\r\n"
                                             "Set-Cookie: b=1; domain=.0.0.1\r\n"
                                             "Set-Cookie: c=1; domain=1\r\n"
                                             "Set-Cookie: d=1; domain=bank.test\r\n"
                                             "Set-Cookie: e=1; domain=com\r\n"
                                             "Set-Cookie: __Host-f=1; path=/\r\n"
                                             "Set-Cookie: g=1; secure\r\n"
                                             "Set-Cookie: =__Secure-h=1\r\n"
                                             "Set-Cookie: mine=1\r\n"
                                             "Content-Length: 0\r\n\r\n");
    struct origin *good = serve_reply(state, "HTTP/1.1 200 X\r\nContent-Length: 0\r\n\r\n");
    ferry_cookie_jar *jar = new_jar();
    char url[64];
    char value[512];
    ferry_client *client =
        client_with(transport_with(state, NULL), (ferry_client_options){.cookie_jar = jar});
    assert_int_equal(client_get(client, origin_url(evil, "/")).status, 200);
    assert_int_equal(ferry_cookie_jar_count(jar), 1);
    snprintf(url, sizeof url, "http://localhost:%d/", origin_port(good));
    assert_int_equal(client_get(client, url).status, 200);
    assert_string_equal(field_of(good, 0, "Cookie", value), "");
    assert_int_equal(client_get(client, origin_url(evil, "/")).status, 200);
    assert_string_equal(field_of(evil, 1, "Cookie", value), "mine=1");
    ferry_client_free(client);
    ferry_cookie_jar_free(jar);
}

/* A redirect to another host: each hop gets its own host's cookies. */
static void test_each_hop_its_own(void **state)
{
    struct origin *target = serve_reply(state, "HTTP/1.1 200 X\r\nContent-Length: 0\r\n\r\n");
    char reply[256];
    char url[64];
    char value[512];
    snprintf(url, sizeof url, "http://localhost:%d/", origin_port(target));
    snprintf(reply, sizeof reply,
             "HTTP/1.1 302 X\r\nLocation: %s\r\nSet-Cookie: first=1\r\nContent-Length: 0\r\n\r\n",
             url);
    struct origin *origin = serve_reply(state, reply);
    ferry_cookie_jar *jar = new_jar();
    assert_int_equal(ferry_cookie_jar_set(jar, url, "target=2", NULL), 0);
    ferry_client *client =
        client_with(transport_with(state, NULL), (ferry_client_options){.cookie_jar = jar});
    assert_int_equal(client_get(client, origin_url(origin, "/")).status, 200);
    assert_string_equal(field_of(origin, 0, "Cookie", value), "");
    assert_string_equal(field_of(target, 0, "Cookie", value), "target=2");
    ferry_client_free(client);
    ferry_cookie_jar_free(jar);
}

/* Without a jar cookies are neither kept nor changed. */
static void test_no_jar(void **state)
{
    struct origin *origin =
        serve_reply(state, "HTTP/1.1 200 X\r\nSet-Cookie: a=1\r\nContent-Length: 0\r\n\r\n");
    ferry_client *client = client_with(transport_with(state, NULL), (ferry_client_options){0});
    assert_int_equal(client_get(client, origin_url(origin, "/")).status, 200);
    assert_int_equal(client_get(client, origin_url(origin, "/")).status, 200);
    assert_false(has_field(origin, 1, "Cookie"));
    ferry_client_free(client);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TRANSPORT_TEST(test_CL_014_every_request_carries_them),
        TRANSPORT_TEST(test_CL_015_redirects_and_the_jar),
        TRANSPORT_TEST(test_CL_046_altered_on_the_way),
        TRANSPORT_TEST(test_own_cookies_without_blanks),
        TRANSPORT_TEST(test_injection_across_hosts),
        TRANSPORT_TEST(test_each_hop_its_own),
        TRANSPORT_TEST(test_no_jar),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
