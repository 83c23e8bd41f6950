/*
 * What stands in a transport's place: mocks without a network, wrappers around a transport; what
 * they are handed, and what the client makes of what they return.
 */
#include "wire_test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "http/request.h"

/* Notes what it was handed and answers without a network. */
struct recorder {
    char method[16];
    char url[256];
    char head[1024]; /* as it would have gone out */
    char authorization[64];
    char agent[64];
    int64_t body_len; /* -2: there is no body */
    int64_t told_len; /* as the header has it */
    bool close;
    int calls;
    int status; /* of the answer; 0: it neither answers nor fails */
};

static ferry_response *record(void *self, ferry_request *req, ferry_error *err)
{
    struct recorder *recorder = self;
    struct fy_buffer head = {0};
    struct fy_head_options options = {.user_agent = req->send.user_agent};
    recorder->calls++;
    snprintf(recorder->method, sizeof recorder->method, "%s", ferry_request_method(req));
    snprintf(recorder->url, sizeof recorder->url, "%s", ferry_request_url(req));
    const char *authorization = ferry_request_header(req, "Authorization");
    snprintf(recorder->authorization, sizeof recorder->authorization, "%s",
             authorization != NULL ? authorization : "none");
    const char *agent = ferry_request_header(req, "user-agent");
    snprintf(recorder->agent, sizeof recorder->agent, "%s", agent != NULL ? agent : "none");
    if (fy_request_write_head(req, &options, &head, err) == 0) {
        snprintf(recorder->head, sizeof recorder->head, "%.*s", (int)head.len, head.bytes);
    }
    fy_buffer_free(&head);
    recorder->body_len = req->body.kind == FY_REQUEST_NO_BODY ? -2 : req->body.len;
    recorder->told_len = ferry_request_body_length(req);
    recorder->close = req->close;
    return recorder->status != 0 ? ferry_response_new(recorder->status, "mocked", 6) : NULL;
}

static ferry_client *recording(struct recorder *recorder)
{
    const ferry_round_tripper tripper = {.round_trip = record, .self = recorder};
    ferry_client *client = ferry_client_new(FERRY_CLIENT_OPTIONS(.round_tripper = &tripper));
    assert_non_null(client);
    return client; /* the struct was copied */
}

static void send_recorded(struct recorder *recorder, ferry_request *req)
{
    ferry_client *client = recording(recorder);
    struct wire_answer answer = wire_send(client, req);
    assert_int_equal(answer.status, recorder->status);
    assert_string_equal(answer.body, "mocked");
    wire_answer_free(&answer);
    ferry_request_free(req);
    ferry_client_free(client);
}

static void test_CL_004_get_as_it_is_handed_on(void **state)
{
    struct recorder recorder = {.status = 200};
    (void)state;
    send_recorded(&recorder, request("GET", "http://dummy.faketld/"));
    assert_string_equal(recorder.method, "GET");
    assert_string_equal(recorder.url, "http://dummy.faketld/");
    assert_string_equal(recorder.head,
                        "GET / HTTP/1.1\r\nHost: dummy.faketld\r\nUser-Agent: ferry/" FERRY_VERSION
                        "\r\n\r\n");
    assert_int_equal(recorder.body_len, -2);
    assert_int_equal(recorder.calls, 1);
}

/* The client's is not the request's, but is shown as what would go out. */
static void test_user_agent_as_it_is_handed_on(void **state)
{
    static const struct {
        const char *client, *own, *shown;
    } cases[] = {
        {NULL, NULL, "ferry/" FERRY_VERSION},
        {"tool/1", NULL, "tool/1"},
        {"tool/1", "mine", "mine"},
        {"tool/1", "", "none"},
        {"", NULL, "none"},
        {"", "mine", "mine"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct recorder recorder = {.status = 200};
        const ferry_round_tripper tripper = {.round_trip = record, .self = &recorder};
        ferry_client *client = ferry_client_new(
            FERRY_CLIENT_OPTIONS(.round_tripper = &tripper, .user_agent = cases[i].client));
        ferry_request *req = request("GET", "http://dummy.faketld/");
        if (cases[i].own != NULL) {
            assert_int_equal(ferry_request_set_header(req, "User-Agent", cases[i].own), 0);
        }
        const char *before = ferry_request_header(req, "User-Agent");
        struct wire_answer answer = wire_send(client, req);
        assert_int_equal(answer.status, 200);
        wire_answer_free(&answer);
        assert_string_equal(recorder.agent, cases[i].shown);
        assert_ptr_equal(ferry_request_header(req, "User-Agent"), before);
        ferry_request_free(req);
        ferry_client_free(client);
    }
}

static ssize_t read_nothing(void *arg, void *buf, size_t len)
{
    (void)arg;
    (void)buf;
    (void)len;
    return 0;
}

static void test_CL_005_RQ_027_post_as_it_is_handed_on(void **state)
{
    static const char json[] = "{\"key\":\"value\"}";
    struct recorder recorder = {.status = 201};
    (void)state;
    ferry_request *req = request("POST", "http://dummy.faketld/");
    assert_int_equal(ferry_request_set_header(req, "Content-Type", "application/json"), 0);
    assert_int_equal(ferry_request_set_body(req, json, sizeof json - 1), 0);
    send_recorded(&recorder, req);
    assert_string_equal(recorder.method, "POST");
    assert_string_equal(recorder.url, "http://dummy.faketld/");
    assert_false(recorder.close);
    assert_int_equal(recorder.body_len, sizeof json - 1);
    assert_int_equal(recorder.told_len, sizeof json - 1);
    assert_non_null(
        strstr(recorder.head, "\r\nContent-Length: 15\r\nContent-Type: application/json"));

    /* An empty body has a length, too; a stream has none. */
    const ferry_field field = {"a", "b c"};
    static const int64_t lengths[] = {0, 0, -1, 5};
    for (int i = 0; i < 4; i++) {
        req = request("POST", "http://dummy.faketld/");
        assert_int_equal(i == 0   ? 0
                         : i == 1 ? ferry_request_set_body(req, "", 0)
                         : i == 2 ? ferry_request_set_body_reader(req, read_nothing, NULL, NULL, -1)
                                  : ferry_request_set_urlencoded(req, &field, 1),
                         0);
        send_recorded(&recorder, req);
        assert_int_equal(recorder.told_len, lengths[i]);
        assert_int_equal(strstr(recorder.head, "\r\nTransfer-Encoding: chunked\r\n") != NULL,
                         lengths[i] < 0);
        assert_int_equal(strstr(recorder.head, "\r\nContent-Length: ") != NULL, lengths[i] >= 0);
    }
}

static void test_CL_030_RQ_039_credentials(void **state)
{
    struct recorder recorder = {.status = 200};
    (void)state;
    send_recorded(&recorder, request("GET", "http://My%20User:My%20Pass@dummy.faketld/"));
    assert_string_equal(recorder.authorization, "Basic TXkgVXNlcjpNeSBQYXNz");
    assert_non_null(strstr(recorder.head, "\r\nAuthorization: Basic TXkgVXNlcjpNeSBQYXNz\r\n"));
    assert_string_equal(recorder.url,
                        "http://dummy.faketld/"); /* the password is not passed about */

    /* The caller's word goes before the URL's. */
    ferry_request *req = request("GET", "http://u:p@dummy.faketld/");
    assert_int_equal(ferry_request_set_bearer(req, "mine"), 0);
    send_recorded(&recorder, req);
    assert_string_equal(recorder.authorization, "Bearer mine");
    req = request("GET", "http://u:p@dummy.faketld/");
    assert_int_equal(ferry_request_set_header(req, "Authorization", NULL), 0);
    send_recorded(&recorder, req);
    assert_string_equal(recorder.authorization, "none");
}

/* Around a transport they go out once, and the caller's request has none of them afterwards. */
static ferry_response *pass_on(void *self, ferry_request *req, ferry_error *err)
{
    return ferry_transport_round_trip(self, req, err);
}

static void test_credentials_through_a_wrapped_transport(void **state)
{
    static const struct origin_reply replies[] = {
        {.bytes = "HTTP/1.1 302 X\r\nLocation: /next\r\nContent-Length: 0\r\n\r\n"},
        {.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"},
    };
    struct origin *origin = serve_replies(state, replies, 2);
    const ferry_round_tripper tripper = {.round_trip = pass_on,
                                         .self = transport_with(state, NULL)};
    ferry_client *client = ferry_client_new(FERRY_CLIENT_OPTIONS(.round_tripper = &tripper));
    char url[64];
    snprintf(url, sizeof url, "http://u:p@%s/", origin_host(origin));
    ferry_request *req = request("GET", url);
    wire_expect(client, req, 200, "ok");
    for (size_t i = 0; i < 2; i++) {
        const char *field = strstr(origin_request(origin, i).head, "Authorization: Basic dTpw\r\n");
        assert_non_null(field);
        assert_null(strstr(field + 1, "Authorization"));
    }
    assert_null(ferry_request_header(req, "Authorization"));
    ferry_request_free(req);
    ferry_client_free(client);
}

/* CL-054: a body is there even where there is none. */
static ferry_response *answer_nothing(void *self, ferry_request *req, ferry_error *err)
{
    (void)self;
    (void)req;
    (void)err;
    return ferry_response_new(200, NULL, 0);
}

static void test_CL_054_no_body_is_an_empty_one(void **state)
{
    const ferry_round_tripper tripper = {.round_trip = answer_nothing};
    (void)state;
    ferry_client *client = ferry_client_new(FERRY_CLIENT_OPTIONS(.round_tripper = &tripper));
    ferry_request *req = request("GET", "http://a.example/x");
    ferry_error err = {0};
    char buf[4];
    ferry_response *res = ferry_client_do(client, req, &err);
    ferry_request_free(req);
    ferry_client_free(client);
    assert_int_equal(ferry_response_read(res, buf, sizeof buf, &err), 0);
    assert_int_equal(ferry_response_length(res), 0);
    assert_string_equal(ferry_response_url(res), "http://a.example/x"); /* the client's doing */
    ferry_response_close(res);
}

static void test_neither_answer_nor_error(void **state)
{
    struct recorder recorder = {.status = 0};
    (void)state;
    ferry_client *client = recording(&recorder);
    struct wire_answer answer = wire_get(client, "http://a.example/");
    assert_string_equal(answer.err.message, "Get \"http://a.example/\": the round tripper brought "
                                            "neither response nor error");
    assert_int_equal(answer.err.code, FERRY_EUNSUPPORTED);
    ferry_client_free(client);
}

/* A cache: it has failed to ask, and answers all the same, with a redirect; then it only says a code,
 * or nothing. */
struct cache {
    int code; /* what it says when it is asked for anything but "/first" */
};

static ferry_response *answer_from_cache(void *self, ferry_request *req, ferry_error *err)
{
    const struct cache *cache = self;
    if (strstr(ferry_request_url(req), "/first") == NULL) {
        if (cache->code != 0) {
            err->code = cache->code;
        }
        return NULL;
    }
    err->code = FERRY_ECONNECT;
    err->os_errno = ECONNREFUSED;
    snprintf(err->message, sizeof err->message, "that was before");
    ferry_response *res = ferry_response_new(302, "", 0);
    assert_non_null(res);
    assert_int_equal(ferry_response_add_header(res, "Location", "/second"), 0);
    return res;
}

static int refuse_without_a_word(void *arg, ferry_request *next, const ferry_response *res,
                                 int count, ferry_error *err)
{
    (void)arg;
    (void)next;
    (void)res;
    (void)count;
    (void)err;
    return FERRY_REDIRECT_FAIL;
}

static void test_what_is_not_said_is_not_made_up(void **state)
{
    struct cache cache = {.code = FERRY_EUNSUPPORTED};
    const ferry_round_tripper tripper = {.round_trip = answer_from_cache, .self = &cache};
    (void)state;
    ferry_client *client = ferry_client_new(FERRY_CLIENT_OPTIONS(.round_tripper = &tripper));
    struct wire_answer answer = wire_get(client, "http://a.example/first");
    assert_int_equal(answer.err.code, FERRY_EUNSUPPORTED);
    assert_int_equal(answer.err.os_errno, 0);
    assert_string_equal(answer.err.message, "Get \"http://a.example/second\": ");
    cache.code = 0;
    answer = wire_get(client, "http://a.example/first");
    assert_string_equal(answer.err.message, "Get \"http://a.example/second\": the round tripper "
                                            "brought neither response nor error");
    ferry_client_free(client);
    client = ferry_client_new(
        FERRY_CLIENT_OPTIONS(.round_tripper = &tripper, .on_redirect = refuse_without_a_word));
    answer = wire_get(client, "http://a.example/first");
    assert_string_equal(answer.err.message,
                        "Get \"http://a.example/second\": the redirect was refused");
    assert_int_equal(answer.err.code, FERRY_EREDIRECT);
    ferry_client_free(client);
}

/* It gives what it is handed a body of its own all the same: the caller's request keeps its. The jar
 * has each hop be a copy. */
static ferry_response *give_bodies(void *self, ferry_request *req, ferry_error *err)
{
    const ferry_field field = {"other", "1"};
    char buf[8] = "";
    assert_int_equal(ferry_request_read_body(req, buf, sizeof buf, err), 3);
    assert_string_equal(buf, self);
    bool end = strstr(ferry_request_url(req), "/end") != NULL;
    ferry_response *res = ferry_response_new(end ? 200 : 307, "", 0);
    assert_int_equal(ferry_request_set_urlencoded(req, &field, 1), 0);
    if (end) {
        assert_int_equal(ferry_request_set_body(req, "mine", 4), 0);
    } else {
        assert_int_equal(ferry_response_add_header(res, "Location", "/end"), 0);
    }
    return res;
}

static void test_bodies_stay_the_callers(void **state)
{
    const ferry_round_tripper tripper = {.round_trip = give_bodies, .self = (void *)"a=b"};
    const ferry_field field = {"a", "b"};
    ferry_error err = {0};
    (void)state;
    ferry_cookie_jar *jar = ferry_cookie_jar_new();
    assert_int_equal(ferry_cookie_jar_set(jar, "http://a.example/", "c=1", &err), 0);
    ferry_client *client =
        ferry_client_new(FERRY_CLIENT_OPTIONS(.round_tripper = &tripper, .cookie_jar = jar));
    ferry_request *req = request("POST", "http://a.example/");
    assert_int_equal(ferry_request_set_urlencoded(req, &field, 1), 0);
    for (int i = 0; i < 2; i++) {
        ferry_response *res = ferry_client_do(client, req, &err);
        assert_non_null(res);
        assert_int_equal(ferry_response_status(res), 200);
        ferry_response_close(res);
    }
    ferry_request_free(req);
    ferry_client_free(client);
    ferry_cookie_jar_free(jar);
}

/* The caller's Host is for the first server; the redirect function's is for the second one's first
 * hop, and does not bring the caller's back with the next. */
static ferry_response *note_hosts(void *self, ferry_request *req, ferry_error *err)
{
    char *hosts = self;
    const char *host = ferry_request_header(req, "Host");
    (void)err;
    strcat(hosts, host != NULL ? host : "-");
    strcat(hosts, " ");
    bool first = strstr(ferry_request_url(req), "a.example") != NULL;
    bool end = strstr(ferry_request_url(req), "/end") != NULL;
    ferry_response *res = ferry_response_new(end ? 200 : 302, "", 0);
    if (!end) {
        assert_int_equal(
            ferry_response_add_header(res, "Location", first ? "http://b.example/" : "/end"), 0);
    }
    return res;
}

static int name_host(void *arg, ferry_request *next, const ferry_response *res, int count,
                     ferry_error *err)
{
    (void)arg;
    (void)res;
    (void)err;
    return count == 1 && ferry_request_set_header(next, "Host", "b2.example") != 0
               ? FERRY_REDIRECT_FAIL
               : FERRY_REDIRECT_FOLLOW;
}

static void test_hosts_of_ones_own(void **state)
{
    char hosts[64] = "";
    const ferry_round_tripper tripper = {.round_trip = note_hosts, .self = hosts};
    (void)state;
    ferry_client *client =
        ferry_client_new(FERRY_CLIENT_OPTIONS(.round_tripper = &tripper, .on_redirect = name_host));
    ferry_request *req = request("GET", "http://a.example/");
    assert_int_equal(ferry_request_set_header(req, "Host", "a2.example"), 0);
    struct wire_answer answer = wire_send(client, req);
    assert_int_equal(answer.status, 200);
    assert_string_equal(hosts, "a2.example b2.example - ");
    wire_answer_free(&answer);
    ferry_request_free(req);
    ferry_client_free(client);
}

/* --------------------------------------------------------------------- around a transport */

/* Counts and names what goes through. */
struct logger {
    ferry_transport *transport;
    int sent;
    int failed;
    char log[512];
};

static ferry_response *log_and_send(void *self, ferry_request *req, ferry_error *err)
{
    struct logger *logger = self;
    size_t len = strlen(logger->log);
    ferry_response *res = ferry_transport_round_trip(logger->transport, req, err);
    *(res != NULL ? &logger->sent : &logger->failed) += 1;
    snprintf(logger->log + len, sizeof logger->log - len, "%s %d;", ferry_request_method(req),
             res != NULL ? ferry_response_status(res) : -err->code);
    return res;
}

static void test_logger_around_a_transport(void **state)
{
    static const struct origin_reply replies[] = {
        {.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"},
        {.bytes = "HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy"},
        {.bytes = "nonsense", .then = ORIGIN_THEN_CLOSE},
    };
    struct origin *origin = serve_replies(state, replies, 3);
    struct logger logger = {.transport = transport_with(state, NULL)};
    const ferry_round_tripper tripper = {.round_trip = log_and_send, .self = &logger};
    ferry_client *client =
        ferry_client_new(FERRY_CLIENT_OPTIONS(.round_tripper = &tripper, .user_agent = "logged/1"));
    ferry_request *req = wire_request("PUT", origin, "/");
    assert_int_equal(ferry_request_set_body(req, "x", 1), 0);
    wire_expect(client, req, 200, "hello");
    wire_expect(client, req, 503, "busy");
    struct wire_answer answer = wire_send(client, req);
    char sentence[256]; /* with the verb and the URL once */
    snprintf(sentence, sizeof sentence,
             "Put \"%s\": malformed response: no HTTP/1 status line (byte 0 of the head)",
             ferry_request_url(req));
    assert_string_equal(answer.err.message, sentence);
    assert_string_equal(logger.log, "PUT 200;PUT 503;PUT -9;");
    assert_int_equal(logger.sent, 2);
    assert_int_equal(logger.failed, 1);
    assert_non_null(strstr(origin_request(origin, 0).head, "\r\nUser-Agent: logged/1\r\n"));
    assert_int_equal(stats_of(logger.transport).dials, 1);
    ferry_request_free(req);
    ferry_client_free(client);
}

/* The client's deadline reaches the transport below. */
static void serve_nothing(struct origin_conn *conn, void *arg)
{
    (void)arg;
    (void)origin_read_request(conn);
    (void)origin_wait_eof(conn, -1);
}

static void test_deadline_reaches_the_transport_below(void **state)
{
    struct origin *origin = serve_with(state, serve_nothing, NULL);
    struct logger logger = {.transport = transport_with(state, NULL)};
    const ferry_round_tripper tripper = {.round_trip = log_and_send, .self = &logger};
    ferry_client *client =
        ferry_client_new(FERRY_CLIENT_OPTIONS(.round_tripper = &tripper, .timeout_ms = 30));
    struct wire_answer answer = wire_get(client, origin_url(origin, "/"));
    assert_error(&answer.err, FERRY_ETIMEOUT, "client timeout exceeded");
    ferry_client_free(client);
}

/* And a client below. */
static ferry_response *send_by_client(void *self, ferry_request *req, ferry_error *err)
{
    return ferry_client_do(self, req, err);
}

static void test_deadline_reaches_a_client_below(void **state)
{
    struct origin *origin = serve_with(state, serve_nothing, NULL);
    ferry_transport *transport = transport_with(state, NULL);
    /* Its own timeout is the later one, and so is the request's. */
    ferry_client *below =
        ferry_client_new(FERRY_CLIENT_OPTIONS(.transport = transport, .timeout_ms = 20000));
    const ferry_round_tripper tripper = {.round_trip = send_by_client, .self = below};
    ferry_client *client =
        ferry_client_new(FERRY_CLIENT_OPTIONS(.round_tripper = &tripper, .timeout_ms = 30));
    ferry_request *req = wire_request("GET", origin, "/");
    ferry_request_set_timeout(req, 10000);
    struct wire_answer answer = wire_send(client, req);
    assert_error(&answer.err, FERRY_ETIMEOUT, "client timeout exceeded");
    ferry_request_free(req);
    ferry_client_free(client);
    ferry_client_free(below);
}

/* ------------------------------------------------------------------------------ one-line calls */

static void test_one_line_calls(void **state)
{
    static const struct origin_reply replies[] = {
        {.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"},
        {.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"},
        {.bytes = "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"},
        {.bytes = "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"},
    };
    struct origin *origin = serve_replies(state, replies, 4);
    ferry_error err = {0};
    const char *url = origin_url(origin, "/");
    ferry_response *res = ferry_get(url, &err);
    char *body = ferry_response_read_all(res, 100, NULL, &err);
    assert_string_equal(body, "hello");
    free(body);
    ferry_response_close(res);
    res = ferry_head(url, &err);
    assert_int_equal(ferry_response_length(res), 5);
    ferry_response_close(res);
    res = ferry_post(url, "text/plain", "data", 4, &err);
    assert_int_equal(ferry_response_status(res), 201);
    ferry_response_close(res);
    res = (ferry_post)(url, NULL, NULL, 0, &err);
    ferry_response_close(res);
    assert_string_equal(err.message, "");
    char head[256];
    snprintf(head, sizeof head,
             "GET / HTTP/1.1\r\nHost: %s\r\nUser-Agent: ferry/" FERRY_VERSION "\r\n",
             origin_host(origin));
    assert_int_equal(strncmp(origin_request(origin, 0).head, head, strlen(head)), 0);
    struct origin_request posted = origin_request(origin, 2);
    for (size_t i = 0; i < 4; i++) {
        assert_null(strstr(origin_request(origin, i).head, "Connection:"));
    }
    assert_non_null(strstr(posted.head, "\r\nContent-Length: 4\r\nContent-Type: text/plain\r\n"));
    assert_string_equal(posted.body, "data");
    assert_non_null(strstr(origin_request(origin, 3).head, "\r\nContent-Length: 0\r\n"));
    assert_int_equal(origin_counts(origin).accepted, 1);
    res = ferry_post(url, "text/\r\nplain", "data", 4, &err); /* a setter's refusal is reported */
    assert_null(res);
    assert_error(&err, FERRY_EINVAL,
                 "the value of the field Content-Type has a control byte in it");
    assert_null(ferry_get("nonsense", &err));
    assert_int_equal(err.code, FERRY_EURL);
    ferry_transport_close_idle(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRANSPORT_TEST(test_CL_004_get_as_it_is_handed_on),
        TRANSPORT_TEST(test_user_agent_as_it_is_handed_on),
        TRANSPORT_TEST(test_CL_005_RQ_027_post_as_it_is_handed_on),
        TRANSPORT_TEST(test_CL_030_RQ_039_credentials),
        TRANSPORT_TEST(test_credentials_through_a_wrapped_transport),
        TRANSPORT_TEST(test_CL_054_no_body_is_an_empty_one),
        TRANSPORT_TEST(test_neither_answer_nor_error),
        TRANSPORT_TEST(test_what_is_not_said_is_not_made_up),
        TRANSPORT_TEST(test_bodies_stay_the_callers),
        TRANSPORT_TEST(test_hosts_of_ones_own),
        TRANSPORT_TEST(test_logger_around_a_transport),
        TRANSPORT_TEST(test_deadline_reaches_the_transport_below),
        TRANSPORT_TEST(test_deadline_reaches_a_client_below),
        TRANSPORT_TEST(test_one_line_calls),
    };
    return cmocka_run_group_tests_name("client: round trippers", tests, NULL, NULL);
}
