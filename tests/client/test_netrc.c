/*
 * .netrc files: as text, and as a client that was asked to uses them.
 */
#include <stdio.h>
#include <stdlib.h>

#include "client/netrc.h"
#include "client_test.h"
#include "temp_dir.h"

static void test_entries(void **state)
{
    static const char text[] = "# login nobody\n"
                               "machine a.test login alice password \"se cret\\\"\" account x\n"
                               "machine b.test\n\tpassword onlypw\n"
                               "macdef init\nmachine c.test login macro password macro\n\n"
                               "machine A.test login second password second\n"
                               "machine d.test login\n";
    static const struct {
        const char *host, *login, *password;
        int found;
    } cases[] = {{"a.test", "alice", "se cret\"", 1},
                 {"A.TEST", "alice", "se cret\"", 1},
                 {"b.test", NULL, "onlypw", 1},
                 {"c.test", NULL, NULL, 0},
                 {"x.a.test", NULL, NULL, 0},
                 {"d.test", NULL, NULL, 1},
                 {"login", NULL, NULL, 0}};
    struct fy_netrc_entry entry;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(fy_netrc_find(text, cases[i].host, &entry), cases[i].found);
        assert_true((entry.login == NULL) == (cases[i].login == NULL));
        assert_true((entry.password == NULL) == (cases[i].password == NULL));
        if (entry.login != NULL) {
            assert_string_equal(entry.login, cases[i].login);
        }
        if (entry.password != NULL) {
            assert_string_equal(entry.password, cases[i].password);
        }
        fy_netrc_free(&entry);
    }
    assert_int_equal(fy_netrc_find("default login anon password me", "any.test", &entry), 1);
    assert_true(entry.is_default);
    assert_string_equal(entry.login, "anon");
    fy_netrc_free(&entry);
    assert_int_equal(fy_netrc_find("", "any.test", &entry), 0);
}

static void test_on_the_wire(void **state)
{
    char dir[TEMP_DIR_SIZE];
    char path[TEMP_DIR_SIZE + 8];
    char reply[256];
    char value[512];
    static const char text[] = "machine 127.0.0.1 login bob password pw\n"
                               "default login anyone password leaked\n";
    assert_true(temp_dir_make(dir));
    snprintf(path, sizeof path, "%s/netrc", dir);
    assert_true(temp_file_write(path, text, sizeof text - 1));
    struct origin *other = serve_reply(state, "HTTP/1.1 200 X\r\nContent-Length: 0\r\n\r\n");
    snprintf(reply, sizeof reply,
             "HTTP/1.1 302 X\r\nLocation: http://localhost:%d/\r\nContent-Length: 0\r\n\r\n",
             origin_port(other));
    struct origin *origin = serve_reply(state, reply);
    ferry_transport *transport = transport_with(state, NULL);

    ferry_client *client = client_with(transport, (ferry_client_options){.netrc = path});
    assert_int_equal(client_get(client, origin_url(origin, "/")).status, 200);
    assert_string_equal(field_of(origin, 0, "Authorization", value), "Basic Ym9iOnB3");
    /* "default" is not for hosts that a redirect leads to. */
    assert_string_equal(field_of(other, 0, "Authorization", value), "");
    ferry_request *req = request("GET", origin_url(origin, "/"));
    assert_int_equal(ferry_request_set_bearer(req, "own"), 0);
    assert_int_equal(do_request(client, req).status, 200);
    assert_string_equal(field_of(origin, 1, "Authorization", value), "Bearer own");
    ferry_client_free(client);

    client = client_with(transport, (ferry_client_options){0}); /* not asked: not read */
    ferry_request_set_header(req, "Authorization", NULL);
    assert_int_equal(do_request(client, req).status, 200);
    assert_string_equal(field_of(origin, 2, "Authorization", value), "");
    ferry_client_free(client);

    temp_dir_remove(dir);
    client = client_with(transport, (ferry_client_options){.netrc = path});
    ferry_request_free(req);
    req = request("GET", origin_url(origin, "/"));
    fails(client, req, FERRY_EREAD, "no such file");
    ferry_request_free(req);
    ferry_client_free(client);
}

/* Read when it is first needed, and once: what it says then counts as long as the client lives. A
 * failure is not kept. */
static void test_read_once(void **state)
{
    static const char text[] = "machine 127.0.0.1 login bob password pw\n";
    static const char later[] = "machine 127.0.0.1 login eve password pw\n";
    char dir[TEMP_DIR_SIZE];
    char path[TEMP_DIR_SIZE + 8];
    char value[512];
    struct origin *origin = serve_reply(state, "HTTP/1.1 200 X\r\nContent-Length: 0\r\n\r\n");
    ferry_transport *transport = transport_with(state, NULL);
    assert_true(temp_dir_make(dir));
    snprintf(path, sizeof path, "%s/netrc", dir);
    setenv("NETRC", path, 1);
    ferry_client *client = client_with(transport, (ferry_client_options){.netrc = ""});
    ferry_request *req = request("GET", origin_url(origin, "/"));
    fails(client, req, FERRY_EREAD, "no such file");
    assert_true(temp_file_write(path, text, sizeof text - 1));
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(do_request(client, req).status, 200);
        assert_string_equal(field_of(origin, i, "Authorization", value), "Basic Ym9iOnB3");
        assert_true(temp_file_write(path, later, sizeof later - 1));
    }
    assert_null(ferry_request_header(req, "Authorization")); /* the client's, not the request's */
    ferry_client_free(client);
    client = client_with(transport, (ferry_client_options){.netrc = ""});
    assert_int_equal(do_request(client, req).status, 200);
    assert_string_equal(field_of(origin, 3, "Authorization", value), "Basic ZXZlOnB3");
    ferry_client_free(client);

    /* What no Basic credentials can be made of is told, without the password in it. */
    static const char bad[] = "machine 127.0.0.1 login a:b password hush\n";
    assert_true(temp_file_write(path, bad, sizeof bad - 1));
    client = client_with(transport, (ferry_client_options){.netrc = path});
    struct outcome outcome = do_request(client, req);
    assert_failed(outcome, FERRY_EINVAL, "the .netrc has Basic credentials with a colon");
    assert_null(strstr(outcome.err.message, "hush"));
    assert_int_equal(origin_counts(origin).requests, 4);
    ferry_client_free(client);
    unsetenv("NETRC");
    ferry_request_free(req);
    temp_dir_remove(dir);
}

/* Notes the credentials of the last request, and sends all but those to "/end" to another place. */
struct recorder {
    const char *location;
    char authorization[64];
};

static ferry_response *record(void *self, ferry_request *req, ferry_error *err)
{
    struct recorder *recorder = self;
    const char *authorization = ferry_request_header(req, "Authorization");
    (void)err;
    snprintf(recorder->authorization, sizeof recorder->authorization, "%s",
             authorization != NULL ? authorization : "");
    bool end = strstr(ferry_request_url(req), "/end") != NULL;
    ferry_response *res = ferry_response_new(end ? 200 : 302, "", 0);
    assert_non_null(res);
    if (!end) {
        assert_int_equal(ferry_response_add_header(res, "Location", recorder->location), 0);
    }
    return res;
}

/* Takes the credentials away from the next hop, or gives it some. */
static int change_next(void *arg, ferry_request *next, const ferry_response *res, int count,
                       ferry_error *err)
{
    (void)res;
    (void)count;
    (void)err;
    assert_int_equal(ferry_request_set_header(next, "Authorization", arg), 0);
    return FERRY_REDIRECT_FOLLOW;
}

static void test_redirects(void **state)
{
    static const char text[] = "machine sub.named.test login bob password pw\n"
                               "default login anyone password leaked\n";
    static const char theirs[] = "Basic YW55b25lOmxlYWtlZA==";
    static const struct {
        const char *from, *location, *expected;
    } cases[] = {
        {"http://a.test/", "/end", theirs},
        {"http://a.test/", "http://A.test/end", theirs},
        {"http://a.test/", "http://sub.a.test/end", ""}, /* another host, if a friendly one */
        {"http://a.test/", "http://a.test:81/end", ""},
        {"http://named.test/", "http://sub.named.test/end", "Basic Ym9iOnB3"},
        {"https://named.test/", "http://sub.named.test/end", ""},
    };
    struct recorder recorder;
    ferry_round_tripper tripper = {record, &recorder};
    char dir[TEMP_DIR_SIZE];
    char path[TEMP_DIR_SIZE + 8];
    (void)state;
    assert_true(temp_dir_make(dir));
    snprintf(path, sizeof path, "%s/netrc", dir);
    assert_true(temp_file_write(path, text, sizeof text - 1));
    ferry_client *client =
        ferry_client_new(FERRY_CLIENT_OPTIONS(.round_tripper = &tripper, .netrc = path));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        recorder.location = cases[i].location;
        assert_int_equal(client_get(client, cases[i].from).status, 200);
        assert_string_equal(recorder.authorization, cases[i].expected);
    }
    ferry_client_free(client);

    /* What the redirect function says about a hop's credentials counts for that hop. */
    static const char *const words[] = {NULL, "Bearer mine"};
    recorder.location = "/end";
    for (size_t i = 0; i < 2; i++) {
        client = ferry_client_new(FERRY_CLIENT_OPTIONS(.round_tripper = &tripper, .netrc = path,
                                                       .on_redirect = change_next,
                                                       .on_redirect_arg = (void *)words[i]));
        assert_int_equal(client_get(client, "http://a.test/").status, 200);
        assert_string_equal(recorder.authorization, words[i] != NULL ? words[i] : "");
        ferry_client_free(client);
    }
    temp_dir_remove(dir);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TRANSPORT_TEST(test_entries),
        TRANSPORT_TEST(test_on_the_wire),
        TRANSPORT_TEST(test_read_once),
        TRANSPORT_TEST(test_redirects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
