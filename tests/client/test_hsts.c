/*
 * HSTS: the field, the store, its file, and what a client with a store sends where. (RFC 6797; its
 * sections stand beside the cases.)
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "client/hsts.h"
#include "client_test.h"
#include "temp_dir.h"

/* -------------------------------------------------------------------------------------- the field */

static void test_fields(void **state)
{
    static const struct {
        const char *text;
        int64_t max_age; /* -1: refused */
        bool subdomains;
    } cases[] = {
        {"max-age=31536000", 31536000, false},
        {"max-age=15768000 ; includeSubDomains", 15768000, true}, /* 6.2 */
        {"max-age=\"31536000\"", 31536000, false},
        {"max-age=0", 0, false},
        {"max-age=0; includeSubDomains", 0, true},
        {"INCLUDESUBDOMAINS;MAX-AGE=1", 1, true}, /* 6.1: names in any case, any order */
        {";; max-age = 5 ;", 5, false},
        {"\tmax-age=5\t;\tpreload\t", 5, false}, /* what is not known is passed over */
        {"max-age=5; x=y; z=\"a;b\\\"c\"", 5, false},
        {"max-age=99999999999999999999999999", INT64_MAX, false},
        {"max-age=9223372036854775807", INT64_MAX, false},
        {"", -1, false},
        {"includeSubDomains", -1, false},
        {"max-age", -1, false},
        {"max-age=", -1, false},
        {"max-age=\"\"", -1, false},
        {"max-age=-1", -1, false},
        {"max-age=1.5", -1, false},
        {"max-age=5s", -1, false},
        {"max-age=1; max-age=1", -1, false}, /* 6.1: no directive twice */
        {"max-age=1; includeSubDomains; includesubdomains", -1, false},
        {"max-age=1; includeSubDomains=yes", -1, false},
        {"max-age=1, includeSubDomains", -1, false},
        {"max-age=1 includeSubDomains", -1, false},
        {"max-age=\"1", -1, false},
        {"max-age=\"1\\", -1, false},
        {"max-age=1; =x", -1, false},
        {"max-age=1; x=", -1, false},
        {"max age=1", -1, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fy_hsts_field field;
        const char *reason = fy_hsts_parse(&field, cases[i].text, strlen(cases[i].text));
        if ((reason != NULL) != (cases[i].max_age < 0) ||
            (reason == NULL &&
             (field.max_age != cases[i].max_age || field.subdomains != cases[i].subdomains))) {
            fail_msg("%s: %s", cases[i].text, reason != NULL ? reason : "taken");
        }
    }
}

/* -------------------------------------------------------------------------------------- the store */

static ferry_hsts *new_store(void)
{
    ferry_hsts *hsts = ferry_hsts_new();
    assert_non_null(hsts);
    return hsts;
}

static void set(ferry_hsts *hsts, const char *url, const char *field)
{
    ferry_error err = {0};
    if (ferry_hsts_set(hsts, url, field, &err) != 0) {
        fail_msg("%s", err.message);
    }
}

static void refuses(ferry_hsts *hsts, const char *url, const char *field, const char *why)
{
    ferry_error err = {0};
    assert_int_equal(ferry_hsts_set(hsts, url, field, &err), -1);
    assert_error(&err, FERRY_EINVAL, why);
}

static void test_who_is_known(void **state)
{
    ferry_hsts *hsts = new_store();
    (void)state;
    assert_false(ferry_hsts_has(hsts, "example.test"));
    set(hsts, "https://Example.TEST./", "max-age=100");
    set(hsts, "https://sub.other.test:8443/x", "max-age=100; includeSubDomains");
#ifdef FERRY_WITH_IDN
    set(hsts,
        "https://b\xc3\xbc"
        "cher.test/",
        "max-age=100");
#else
    set(hsts, "https://xn--bcher-kva.test/", "max-age=100");
#endif
    static const char *const known[] = {"example.test",       "EXAMPLE.test.",
                                        "sub.other.test",     "a.sub.other.test",
                                        "a.b.sub.other.test", "xn--bcher-kva.test"};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        assert_true(ferry_hsts_has(hsts, known[i]));
    }
    static const char *const unknown[] = {"www.example.test",
                                          "test",
                                          "notexample.test",
                                          "other.test",
                                          "b.other.test",
                                          "xsub.other.test",
                                          "",
                                          ".",
                                          "127.0.0.1"};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        assert_false(ferry_hsts_has(hsts, unknown[i]));
    }
    assert_int_equal(ferry_hsts_count(hsts), 3);
    ferry_hsts_clear(hsts);
    assert_int_equal(ferry_hsts_count(hsts), 0);
    assert_false(ferry_hsts_has(hsts, "example.test"));
    ferry_hsts_free(hsts);
}

static void test_updates_and_removal(void **state)
{
    ferry_hsts *hsts = new_store();
    (void)state;
    set(hsts, "https://a.test/", "max-age=100; includeSubDomains");
    set(hsts, "https://a.test/", "max-age=100"); /* the last word counts */
    assert_false(ferry_hsts_has(hsts, "x.a.test"));
    set(hsts, "https://x.a.test/", "max-age=100");
    set(hsts, "https://a.test/", "max-age=0");
    assert_false(ferry_hsts_has(hsts, "a.test"));
    assert_true(ferry_hsts_has(hsts, "x.a.test"));
    set(hsts, "https://unknown.test/", "max-age=0");
    assert_int_equal(ferry_hsts_count(hsts), 1);
    refuses(hsts, "http://a.test/", "max-age=100", "did not come over https"); /* 8.1 */
    refuses(hsts, "https://127.0.0.1/", "max-age=100", "an address");          /* 8.1.1 */
    refuses(hsts, "https://[::1]/", "max-age=100", "an address");
    refuses(hsts, "https://x.a.test/", "max-age=0; max-age=0", "max-age");
    assert_true(ferry_hsts_has(hsts, "x.a.test")); /* what is ignored does nothing */
    assert_int_equal(ferry_hsts_set(hsts, "nonsense", "max-age=1", NULL), -1);
    ferry_hsts_free(hsts);
}

static void test_expiry_and_limit(void **state)
{
    ferry_hsts *hsts = new_store();
    ferry_error err = {0};
    char text[64];
    struct fy_url url;
    (void)state;
    assert_int_equal(fy_url_parse(&url, "https://a.test/", &err), 0);
    assert_int_equal(fy_hsts_note(hsts, &url, "max-age=10", 10, 1000, &err), 0);
    fy_url_free(&url);
    assert_int_equal(fy_url_parse(&url, "http://a.test/", &err), 0);
    assert_true(fy_hsts_wants_tls(hsts, &url, 1009));
    assert_false(fy_hsts_wants_tls(hsts, &url, 1010));
    assert_false(fy_hsts_wants_tls(NULL, &url, 1009));
    fy_url_free(&url);

    for (int i = 0; i < FY_HSTS_MAX; i++) { /* the expired one makes room */
        snprintf(text, sizeof text, "h%d.test", i);
        assert_int_equal(fy_hsts_put(hsts, text, false, FY_HSTS_FOREVER, 2000), 0);
    }
    assert_int_equal(ferry_hsts_count(hsts), FY_HSTS_MAX);
    set(hsts, "https://h0.test/", "max-age=99"); /* heard of again */
    set(hsts, "https://new.test/", "max-age=99");
    assert_int_equal(ferry_hsts_count(hsts), FY_HSTS_MAX);
    assert_true(ferry_hsts_has(hsts, "h0.test"));
    assert_true(ferry_hsts_has(hsts, "new.test"));
    assert_false(ferry_hsts_has(hsts, "h1.test"));
    assert_true(ferry_hsts_has(hsts, "h2.test"));
    ferry_hsts_free(hsts);
}

/* --------------------------------------------------------------------------------------- the file */

static void test_save_and_load(void **state)
{
    static const char text[] = "# Your HSTS cache. https://curl.se/docs/hsts.html\n"
                               "\n"
                               ".sub.test \"20990102 03:04:05\"\n"
                               "plain.test \"unlimited\"\r\n"
                               "  Blank.TEST.\t \"20990102 03:04:05\"  trailing\n"
                               "past.test \"20200102 03:04:05\"\n"
                               "127.0.0.1 \"unlimited\"\n"
                               "odd.test unlimited\n"
                               "odd.test \"soon\"\n"
                               "odd.test \"20991302 03:04:05\"\n"
                               "odd.test \"20990102 03:04:05 and\"\n"
                               "odd.test x \"unlimited\"\n"
                               "\"unlimited\"\n"
                               "odd.test \"unlim";
    char dir[TEMP_DIR_SIZE];
    char path[TEMP_DIR_SIZE + 8];
    ferry_error err = {0};
    (void)state;
    assert_true(temp_dir_make(dir));
    snprintf(path, sizeof path, "%s/hsts", dir);
    assert_true(temp_file_write(path, text, sizeof text - 1));
    ferry_hsts *hsts = new_store();
    assert_int_equal(ferry_hsts_load(hsts, path, &err), 0);
    assert_int_equal(ferry_hsts_count(hsts), 3);
    assert_true(ferry_hsts_has(hsts, "x.sub.test"));
    assert_true(ferry_hsts_has(hsts, "plain.test"));
    assert_false(ferry_hsts_has(hsts, "x.plain.test"));
    assert_true(ferry_hsts_has(hsts, "blank.test"));

    assert_int_equal(ferry_hsts_save(hsts, path, &err), 0);
    char saved[512] = "";
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_true(fread(saved, 1, sizeof saved - 1, file) > 0);
    fclose(file);
    assert_non_null(strstr(saved, "\n\n.sub.test \"20990102 03:04:05\"\n"
                                  "plain.test \"unlimited\"\n"
                                  "blank.test \"20990102 03:04:05\"\n"));

    set(hsts, "https://sub.test/", "max-age=5"); /* sooner than the file has it */
    assert_int_equal(ferry_hsts_load(hsts, path, &err), 0);
    assert_true(ferry_hsts_has(hsts, "x.sub.test"));
    assert_int_equal(ferry_hsts_count(hsts), 3);
    temp_dir_remove(dir);
    assert_int_equal(ferry_hsts_load(hsts, path, &err), -1);
    assert_error(&err, FERRY_EREAD, "no such file");
    assert_int_equal(ferry_hsts_save(hsts, path, &err), -1);
    assert_error(&err, FERRY_EWRITE, "no such file");
    ferry_hsts_free(hsts);
}

/* ---------------------------------------------------------------------- what a client makes of it */

/* Notes where requests went, and answers with the given fields. */
struct recorder {
    char urls[8][128];
    char authorization[8][64];
    int calls;
    int status;
    const char *fields[3][2];
};

static ferry_response *record(void *self, ferry_request *req, ferry_error *err)
{
    struct recorder *recorder = self;
    const char *authorization = ferry_request_header(req, "Authorization");
    int i = recorder->calls < 8 ? recorder->calls++ : 7;
    (void)err;
    snprintf(recorder->urls[i], sizeof recorder->urls[i], "%s", ferry_request_url(req));
    snprintf(recorder->authorization[i], sizeof recorder->authorization[i], "%s",
             authorization != NULL ? authorization : "");
    bool redirects = i == 0 && recorder->status != 200;
    ferry_response *res = ferry_response_new(redirects ? recorder->status : 200, "ok", 2);
    for (int f = 0; res != NULL && f < 3 && recorder->fields[f][0] != NULL; f++) {
        ferry_response_add_header(res, recorder->fields[f][0], recorder->fields[f][1]);
    }
    return res;
}

static ferry_client *recording(struct recorder *recorder, ferry_hsts *hsts)
{
    const ferry_round_tripper tripper = {record, recorder};
    ferry_client *client =
        ferry_client_new(FERRY_CLIENT_OPTIONS(.round_tripper = &tripper, .hsts = hsts));
    assert_non_null(client);
    return client;
}

static void test_https_from_the_start(void **state)
{
    static const struct {
        const char *url, *sent;
    } cases[] = {
        {"http://known.test/a?b", "https://known.test/a?b"},
        {"http://known.test:80/", "https://known.test/"}, /* 8.3, step 5 */
        {"http://known.test:8080/", "https://known.test:8080/"},
        {"http://known.test:443/", "https://known.test/"},
        {"http://KNOWN.test./", "https://known.test./"},
        {"http://deep.sub.test/", "https://deep.sub.test/"},
        {"https://known.test/", "https://known.test/"},
        {"http://other.test/", "http://other.test/"},
        {"http://127.0.0.1/", "http://127.0.0.1/"},
    };
    struct recorder recorder = {.status = 200};
    ferry_hsts *hsts = new_store();
    ferry_client *client = recording(&recorder, hsts);
    (void)state;
    set(hsts, "https://known.test/", "max-age=100");
    set(hsts, "https://sub.test/", "max-age=100; includeSubDomains");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        recorder.calls = 0;
        ferry_request *req = request("GET", cases[i].url);
        char before[128];
        snprintf(before, sizeof before, "%s", ferry_request_url(req));
        ferry_response *res = ferry_client_do(client, req, NULL);
        assert_non_null(res);
        assert_string_equal(recorder.urls[0], cases[i].sent);
        assert_string_equal(ferry_response_url(res), cases[i].sent);
        assert_string_equal(ferry_request_url(req), before); /* put back */
        ferry_response_close(res);
        ferry_request_free(req);
    }
    ferry_client_free(client);
    ferry_hsts_free(hsts);
}

/* 8.1: the first field only, over https only; the next request goes by it. */
static void test_learning(void **state)
{
    struct recorder recorder = {
        .status = 200,
        .fields = {{"Strict-Transport-Security", "max-age=100"},
                   {"strict-transport-security", "max-age=100; includeSubDomains"}}};
    ferry_hsts *hsts = new_store();
    ferry_client *client = recording(&recorder, hsts);
    (void)state;
    (void)client_get(client, "http://a.test/");
    assert_int_equal(ferry_hsts_count(hsts), 0);
    (void)client_get(client, "https://127.0.0.1/");
    assert_int_equal(ferry_hsts_count(hsts), 0);
    (void)client_get(client, "https://a.test/");
    assert_true(ferry_hsts_has(hsts, "a.test"));
    assert_false(ferry_hsts_has(hsts, "x.a.test"));
    recorder.fields[0][1] = "max-age=0; oops oops";
    (void)client_get(client, "https://a.test/");
    assert_true(ferry_hsts_has(hsts, "a.test"));
    recorder.calls = 0;
    (void)client_get(client, "http://a.test/");
    assert_string_equal(recorder.urls[0], "https://a.test/");
    recorder.fields[0][1] = "max-age=0";
    (void)client_get(client, "http://a.test/"); /* over https, as it is known */
    assert_false(ferry_hsts_has(hsts, "a.test"));
    ferry_client_free(client);

    client = recording(&recorder, NULL); /* a client without a store learns nothing */
    recorder.fields[0][1] = "max-age=100";
    (void)client_get(client, "https://a.test/");
    assert_int_equal(ferry_hsts_count(hsts), 0);
    ferry_client_free(client);
    ferry_hsts_free(hsts);
}

static int see(void *arg, ferry_request *next, const ferry_response *res, int count,
               ferry_error *err)
{
    (void)res;
    (void)count;
    (void)err;
    snprintf(arg, 128, "%s", ferry_request_url(next));
    return FERRY_REDIRECT_FOLLOW;
}

/* Locations of known hosts, too; and credentials go where they were meant to go, by https. */
static void test_redirects(void **state)
{
    static const struct {
        const char *url, *location, *sent;
        bool secret; /* goes along */
    } cases[] = {
        {"http://known.test/", "http://known.test/x", "https://known.test/x", true},
        {"http://known.test/", "https://known.test/x", "https://known.test/x", true},
        {"https://known.test/", "http://known.test/x", "https://known.test/x", true},
        {"http://known.test/", "/x", "https://known.test/x", true},
        {"http://known.test/", "http://known.test:8080/x", "https://known.test:8080/x", false},
        {"http://known.test/", "http://plain.test/x", "http://plain.test/x", false},
        {"http://plain.test/", "http://known.test/x", "https://known.test/x", false},
        {"http://plain.test/", "http://plain.test/x", "http://plain.test/x", true},
    };
    ferry_hsts *hsts = new_store();
    (void)state;
    set(hsts, "https://known.test/", "max-age=100");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct recorder recorder = {.status = 302, .fields = {{"Location", cases[i].location}}};
        const ferry_round_tripper tripper = {record, &recorder};
        char seen[128] = "";
        ferry_client *client =
            ferry_client_new(FERRY_CLIENT_OPTIONS(.round_tripper = &tripper, .hsts = hsts,
                                                  .on_redirect = see, .on_redirect_arg = seen));
        ferry_request *req = request("GET", cases[i].url);
        assert_int_equal(ferry_request_set_bearer(req, "secret"), 0);
        assert_int_equal(do_request(client, req).status, 200);
        assert_string_equal(recorder.urls[1], cases[i].sent);
        assert_string_equal(seen, cases[i].sent);
        assert_string_equal(recorder.authorization[0], "Bearer secret");
        assert_string_equal(recorder.authorization[1], cases[i].secret ? "Bearer secret" : "");
        ferry_request_free(req);
        ferry_client_free(client);
    }
    ferry_hsts_free(hsts);
}

/* User and password of the URL stay with it. */
static void test_url_credentials(void **state)
{
    struct fy_url plain;
    struct fy_url url;
    ferry_error err = {0};
    (void)state;
    assert_int_equal(fy_url_parse(&plain, "http://b%40b:p%3Aw%2F@known.test:81/x", &err), 0);
    assert_int_equal(fy_url_over_tls(&url, &plain, &err), 0);
    assert_string_equal(url.text, "https://known.test:81/x");
    assert_string_equal(url.user, "b@b");
    assert_string_equal(url.password, "p:w/");
    fy_url_free(&plain);
    fy_url_free(&url);
    assert_int_equal(fy_url_parse(&plain, "http://bob@known.test/", &err), 0);
    assert_int_equal(fy_url_over_tls(&url, &plain, &err), 0);
    assert_string_equal(url.user, "bob");
    assert_null(url.password);
    assert_string_equal(url.host_port, "known.test:443");
    fy_url_free(&plain);
    fy_url_free(&url);
}

static void take_a_look(struct origin_conn *conn, void *arg)
{
    char buf[1024];
    (void)arg;
    (void)origin_read_some(conn, buf, sizeof buf);
}

/* Nothing goes out in the clear, even where nothing but that is understood. */
static void test_nothing_in_the_clear(void **state)
{
    struct origin *origin = serve_with(state, take_a_look, NULL);
    ferry_hsts *hsts = new_store();
    char url[64];
    size_t len;
    set(hsts, "https://localhost/", "max-age=100");
    ferry_client *client =
        client_with(transport_with(state, NULL), (ferry_client_options){.hsts = hsts});
    snprintf(url, sizeof url, "http://localhost:%d/secret", origin_port(origin));
    ferry_request *req = request("GET", url);
    ferry_error err = {0};
    assert_null(ferry_client_do(client, req, &err));
    assert_non_null(strstr(err.message, "Get \"https://localhost:"));
    ferry_request_free(req);
    char *received = origin_received(origin, 1, &len);
    assert_non_null(received);
    assert_int_equal(received[0], 22); /* a TLS record of the handshake */
    assert_null(memmem(received, len, "secret", 6));
    free(received);
    ferry_client_free(client);
    ferry_hsts_free(hsts);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_who_is_known),
        cmocka_unit_test(test_updates_and_removal),
        cmocka_unit_test(test_expiry_and_limit),
        cmocka_unit_test(test_save_and_load),
        TRANSPORT_TEST(test_https_from_the_start),
        TRANSPORT_TEST(test_learning),
        TRANSPORT_TEST(test_redirects),
        cmocka_unit_test(test_url_credentials),
        TRANSPORT_TEST(test_nothing_in_the_clear),
    };
    return cmocka_run_group_tests_name("client: HSTS", tests, NULL, NULL);
}
