/*
 * Request trailers on the wire: announced in the head, sent behind the last chunk, with values that
 * are only known once the body has been read; what is refused; and what becomes of them when the
 * request is sent again or redirected.
 */
#include "wire_test.h"

#include <stdio.h>

#define NO_CONTENT "HTTP/1.1 204 No Content\r\n\r\n"

/* Gives "one", then "two", and knows the trailers when it has done so. */
struct speaker {
    ferry_request *req;
    const char *late; /* a name that it sets besides, at the end; NULL: none */
    const char *late_value;
    int late_result;
    int pieces;
    int rounds; /* how often it began */
};

static ssize_t speak(void *arg, void *buf, size_t len)
{
    static const char *const words[] = {"one", "two"};
    struct speaker *speaker = arg;
    (void)len;
    if (speaker->pieces < 2) {
        memcpy(buf, words[speaker->pieces], 3);
    }
    if (speaker->pieces == 0) {
        speaker->rounds++;
    }
    if (speaker->pieces == 1) {
        char value[32];
        snprintf(value, sizeof value, " round %d\t", speaker->rounds);
        (void)ferry_request_set_trailer(speaker->req, "client-trailer-a", value);
    }
    if (++speaker->pieces < 3) {
        return 3;
    }
    (void)ferry_request_set_trailer(speaker->req, "Client-Trailer-B", "valueb");
    if (speaker->late != NULL) {
        speaker->late_result =
            ferry_request_set_trailer(speaker->req, speaker->late, speaker->late_value);
    }
    return 0;
}

static int speak_again(void *arg)
{
    ((struct speaker *)arg)->pieces = 0;
    return 0;
}

/* A POST of what the speaker says, with both its trailers announced. */
static ferry_request *spoken(struct origin *origin, struct speaker *speaker, int64_t len)
{
    ferry_request *req = wire_request("POST", origin, "/");
    speaker->req = req;
    assert_int_equal(ferry_request_set_body_reader(req, speak, speak_again, speaker, len), 0);
    assert_int_equal(ferry_request_set_trailer(req, "Client-Trailer-A", NULL), 0);
    assert_int_equal(ferry_request_set_trailer(req, "Client-Trailer-B", NULL), 0);
    return req;
}

#define ANNOUNCED \
    "\r\nTransfer-Encoding: chunked\r\nTrailer: Client-Trailer-A, Client-Trailer-B\r\n"

/* The head of the i-th request has these lines, and its body is just this. */
static void expect_sent(struct origin *origin, size_t i, const char *lines, const char *raw_body)
{
    struct origin_request seen = origin_request(origin, i);
    assert_true(seen.complete);
    if (strstr(seen.head, lines) == NULL) {
        fail_msg("no \"%s\" in:\n%s", lines, seen.head);
    }
    assert_null(strstr(seen.head, "Content-Length"));
    assert_string_equal(seen.raw_body, raw_body);
}

static void test_CS_029_values_found_while_the_body_is_read(void **state)
{
    struct origin *origin = serve_reply(state, NO_CONTENT);
    ferry_client *client = wire_client(transport_with(state, NULL));
    struct speaker speaker = {0};
    ferry_request *req = spoken(origin, &speaker, -1);
    assert_null(ferry_request_trailer(req, "Client-Trailer-A"));
    wire_expect(client, req, 204, "");
    expect_sent(origin, 0, ANNOUNCED,
                "3\r\none\r\n3\r\ntwo\r\n0\r\nClient-Trailer-A: round 1\r\n"
                "Client-Trailer-B: valueb\r\n\r\n");
    assert_string_equal(ferry_request_trailer(req, "CLIENT-trailer-a"), "round 1");
    assert_null(ferry_request_trailer(req, "Client-Trailer-C"));
    speaker.pieces = 0; /* and the same once more, on the same connection */
    wire_expect(client, req, 204, "");
    expect_sent(origin, 1, ANNOUNCED,
                "3\r\none\r\n3\r\ntwo\r\n0\r\nClient-Trailer-A: round 2\r\n"
                "Client-Trailer-B: valueb\r\n\r\n");
    assert_int_equal(origin_counts(origin).accepted, 1);
    ferry_request_free(req);
    ferry_client_free(client);
}

/* A reader of known length is not asked for an end: what it has set by its last byte goes out. */
static void test_known_length(void **state)
{
    struct origin *origin = serve_reply(state, NO_CONTENT);
    ferry_client *client = wire_client(transport_with(state, NULL));
    struct speaker speaker = {0};
    ferry_request *req = spoken(origin, &speaker, 6);
    wire_expect(client, req, 204, "");
    expect_sent(origin, 0, ANNOUNCED,
                "3\r\none\r\n3\r\ntwo\r\n0\r\nClient-Trailer-A: round 1\r\n\r\n");
    speaker.pieces = 0;
    assert_int_equal(ferry_request_set_body_reader(req, speak, NULL, &speaker, 10), 0);
    struct wire_answer answer = wire_send(client, req);
    assert_error(&answer.err, FERRY_EBODY, "ended after 6 bytes of the 10 announced");
    assert_false(origin_request(origin, 1).complete);
    ferry_request_free(req);
    ferry_client_free(client);
}

static void set_sum(ferry_request *req, const char *value)
{
    assert_int_equal(ferry_request_set_trailer(req, "X-Sum", value), 0);
}

static void test_bodies_from_memory_and_files(void **state)
{
    static const char lines[] = "\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n";
    struct origin *origin = serve_reply(state, NO_CONTENT);
    ferry_client *client = wire_client(transport_with(state, NULL));
    ferry_request *req = wire_request("PUT", origin, "/");
    FILE *file = tmpfile();
    assert_non_null(file);
    fputs("-a file of 17 bytes-", file);
    fflush(file);
    set_sum(req, "17");
    assert_int_equal(ferry_request_set_body(req, "in memory", 9), 0);
    wire_expect(client, req, 204, "");
    expect_sent(origin, 0, lines, "9\r\nin memory\r\n0\r\nX-Sum: 17\r\n\r\n");
    assert_int_equal(ferry_request_set_body_fd(req, fileno(file), 1, 17), 0);
    wire_expect(client, req, 204, "");
    expect_sent(origin, 1, lines, "11\r\na file of 17 byte\r\n0\r\nX-Sum: 17\r\n\r\n");
    set_sum(req, "0"); /* nothing is a body, too: an upload's file may be empty */
    assert_int_equal(ferry_request_set_body(req, NULL, 0), 0);
    wire_expect(client, req, 204, "");
    expect_sent(origin, 2, lines, "0\r\nX-Sum: 0\r\n\r\n");
    set_sum(req, NULL);
    wire_expect(client, req, 204, "");
    expect_sent(origin, 3, lines, "0\r\n\r\n");
    assert_int_equal(ferry_request_set_body(req, "in memory", 9), 0);
    assert_int_equal(ferry_request_set_trailer(req, NULL, NULL), 0); /* none any more */
    wire_expect(client, req, 204, "");
    assert_string_equal(origin_request(origin, 4).raw_body, "in memory");
    assert_non_null(strstr(origin_request(origin, 4).head, "\r\nContent-Length: 9\r\n"));
    assert_null(strstr(origin_request(origin, 4).head, "Trailer"));
    assert_int_equal(origin_counts(origin).accepted, 1);
    fclose(file);
    ferry_request_free(req);
    ferry_client_free(client);
}

static void serve_continue(struct origin_conn *conn, void *arg)
{
    char head[1024];
    (void)arg;
    if (origin_read_head(conn, head, sizeof head) > 0 &&
        origin_send_text(conn, "HTTP/1.1 100 Continue\r\n\r\n") && origin_read_body(conn) >= 0) {
        (void)origin_send_text(conn, NO_CONTENT);
        (void)origin_wait_eof(conn, -1);
    }
}

static void test_after_100_continue(void **state)
{
    struct origin *origin = serve_with(state, serve_continue, NULL);
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.expect_continue_timeout_ms = 20000));
    ferry_request *req = wire_request("PUT", origin, "/");
    set_sum(req, "2");
    assert_int_equal(ferry_request_set_header(req, "Expect", "100-continue"), 0);
    assert_int_equal(ferry_request_set_body(req, "me", 2), 0);
    assert_got(send_and_read(transport, req), 204, "");
    expect_sent(origin, 0, "\r\nTrailer: X-Sum\r\n", "2\r\nme\r\n0\r\nX-Sum: 2\r\n\r\n");
    ferry_request_free(req);
}

/* ------------------------------------------------------------------------------------- refusals */

static void test_refused(void **state)
{
    static const struct {
        const char *name;
        const char *value;
        const char *sentence;
    } cases[] = {
        {"", "x", "the trailer name \"\" is no token"},
        {"X Y", NULL, "the trailer name \"X Y\" is no token"},
        {"X\r\nY", "x", "is no token"},
        {"X-Y", "a\r\nHost: b", "the value of the trailer X-Y has a control byte in it"},
        {"content-length", "3", "the field content-length has no place behind a body"},
        {"Transfer-Encoding", "chunked", "the field Transfer-Encoding has no place behind a body"},
        {"Trailer", "X", "the field Trailer has no place behind a body"},
        {"host", NULL, "the field host has no place behind a body"},
        {"Authorization", "x", "the field Authorization has no place behind a body"},
        {"Cookie", "a=b", "the field Cookie has no place behind a body"},
        {"Content-Type", "a/b", "the field Content-Type has no place behind a body"},
        {"Content-Encoding", "br", "the field Content-Encoding has no place behind a body"},
        {"If-Match", "x", "the field If-Match has no place behind a body"},
    };
    struct origin *origin = serve_reply(state, NO_CONTENT);
    ferry_client *client = wire_client(transport_with(state, NULL));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ferry_request *req = wire_request("POST", origin, "/");
        assert_int_equal(ferry_request_set_trailer(req, cases[i].name, cases[i].value), -1);
        struct wire_answer answer = wire_send(client, req);
        assert_error(&answer.err, FERRY_EINVAL, cases[i].sentence);
        ferry_request_free(req);
    }
    ferry_request *tunnel = wire_request("CONNECT", origin, "/");
    set_sum(tunnel, "1");
    struct wire_answer answer = wire_send(client, tunnel);
    assert_error(&answer.err, FERRY_EINVAL, "CONNECT has no body for trailers to follow");
    ferry_request_free(tunnel);
    ferry_client_free(client);
    assert_int_equal(origin_counts(origin).requests, 0);
    assert_int_equal(ferry_request_set_trailer(NULL, "X-Sum", "1"), -1);
}

/* Whatever a reader sets that cannot be sent fails the send, and the server sees no end. */
static void test_refused_while_the_body_is_read(void **state)
{
    static const struct {
        const char *name;
        const char *value;
        const char *sentence;
    } cases[] = {
        {"Client-Trailer-B", "a\nb",
         "the value of the trailer Client-Trailer-B has a control byte"},
        {"X-Late", "1", "the trailer X-Late was not announced: set it to NULL before the send"},
    };
    struct origin *origin = serve_reply(state, NO_CONTENT);
    ferry_client *client = wire_client(transport_with(state, NULL));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct speaker speaker = {.late = cases[i].name, .late_value = cases[i].value};
        ferry_request *req = spoken(origin, &speaker, -1);
        struct wire_answer answer = wire_send(client, req);
        assert_error(&answer.err, FERRY_EBODY, cases[i].sentence);
        assert_int_equal(speaker.late_result, -1);
        assert_false(origin_request(origin, i).complete);
        ferry_request_free(req);
    }
    ferry_client_free(client);
}

/* --------------------------------------------------------------------------- more than one send */

/* Takes one request on each connection whole; on the first it goes without a word after the
   second. */
static void serve_and_go(struct origin_conn *conn, void *arg)
{
    (void)arg;
    if (origin_read_request(conn) && origin_send_text(conn, NO_CONTENT) &&
        origin_read_request(conn) && origin_conn_serial(conn) > 1) {
        (void)origin_send_text(conn, NO_CONTENT);
    }
}

static void test_values_of_the_last_try(void **state)
{
    struct origin *origin = serve_with(state, serve_and_go, NULL);
    ferry_transport *transport = transport_with(state, NULL);
    struct speaker speaker = {0};
    assert_got(get(transport, origin_url(origin, "/")), 204, "");
    ferry_request *req = spoken(origin, &speaker, -1);
    assert_int_equal(ferry_request_set_header(req, "Idempotency-Key", "1"), 0);
    assert_got(send_and_read(transport, req), 204, "");
    expect_sent(origin, 1, ANNOUNCED,
                "3\r\none\r\n3\r\ntwo\r\n0\r\nClient-Trailer-A: round 1\r\n"
                "Client-Trailer-B: valueb\r\n\r\n");
    expect_sent(origin, 2, ANNOUNCED,
                "3\r\none\r\n3\r\ntwo\r\n0\r\nClient-Trailer-A: round 2\r\n"
                "Client-Trailer-B: valueb\r\n\r\n");
    assert_int_equal(stats_of(transport).retries, 1);
    ferry_request_free(req);
}

static void test_redirected(void **state)
{
    static const struct origin_reply replies[] = {
        {.bytes = "HTTP/1.1 307 X\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n"},
        {.bytes = "HTTP/1.1 303 X\r\nLocation: /c\r\nContent-Length: 0\r\n\r\n"},
        {.bytes = "HTTP/1.1 308 X\r\nLocation: /d\r\nContent-Length: 0\r\n\r\n"},
        {.bytes = NO_CONTENT},
    };
    struct origin *origin = serve_replies(state, replies, 4);
    ferry_client *client = wire_client(transport_with(state, NULL));
    struct speaker speaker = {0};
    ferry_request *req = spoken(origin, &speaker, -1);
    wire_expect(client, req, 204, "");
    expect_sent(origin, 1, ANNOUNCED,
                "3\r\none\r\n3\r\ntwo\r\n0\r\nClient-Trailer-A: round 2\r\n"
                "Client-Trailer-B: valueb\r\n\r\n");
    const char *head = origin_request(origin, 2).head; /* the body stays behind, and they do */
    assert_int_equal(strncmp(head, "GET /c ", 7), 0);
    assert_null(strstr(head, "Trailer"));
    assert_null(strstr(head, "Transfer-Encoding"));
    expect_sent(origin, 3, ANNOUNCED, /* and both are back: CL-009 */
                "3\r\none\r\n3\r\ntwo\r\n0\r\nClient-Trailer-A: round 3\r\n"
                "Client-Trailer-B: valueb\r\n\r\n");
    speaker.pieces = 0;
    wire_expect(client, req, 204, ""); /* it is the caller's again as it was */
    expect_sent(origin, 4, ANNOUNCED,
                "3\r\none\r\n3\r\ntwo\r\n0\r\nClient-Trailer-A: round 4\r\n"
                "Client-Trailer-B: valueb\r\n\r\n");
    ferry_request_free(req);
    ferry_client_free(client);
}

/* What a redirect callback does to the next request's trailers. */
static int change_trailers(void *arg, ferry_request *next, const ferry_response *res, int count,
                           ferry_error *err)
{
    (void)res;
    (void)err;
    (void)count;
    const char *const *change = arg;
    return ferry_request_set_trailer(next, change[0], change[1]) == 0 ? FERRY_REDIRECT_FOLLOW
                                                                      : FERRY_REDIRECT_FAIL;
}

static void test_changed_by_a_redirect_callback(void **state)
{
    static const struct origin_reply replies[] = {
        {.bytes = "HTTP/1.1 307 X\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n"},
        {.bytes = NO_CONTENT},
        {.bytes = "HTTP/1.1 307 X\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n"},
        {.bytes = NO_CONTENT},
    };
    const char *change[2] = {"X-Sum", "2"};
    struct origin *origin = serve_replies(state, replies, 4);
    ferry_client *client = ferry_client_new(
        FERRY_CLIENT_OPTIONS(.transport = transport_with(state, NULL),
                             .on_redirect = change_trailers, .on_redirect_arg = change));
    ferry_request *req = wire_request("PUT", origin, "/");
    assert_int_equal(ferry_request_set_body(req, "me", 2), 0);
    wire_expect(client, req, 204, "");
    assert_string_equal(origin_request(origin, 0).raw_body, "me");
    expect_sent(origin, 1, "\r\nTrailer: X-Sum\r\n", "2\r\nme\r\n0\r\nX-Sum: 2\r\n\r\n");
    change[0] = change[1] = NULL;
    wire_expect(client, req, 204, "");
    expect_sent(origin, 2, "\r\nTrailer: X-Sum\r\n", "2\r\nme\r\n0\r\nX-Sum: 2\r\n\r\n");
    assert_string_equal(origin_request(origin, 3).raw_body, "me");
    ferry_request_free(req);
    ferry_client_free(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRANSPORT_TEST(test_CS_029_values_found_while_the_body_is_read),
        TRANSPORT_TEST(test_known_length),
        TRANSPORT_TEST(test_bodies_from_memory_and_files),
        TRANSPORT_TEST(test_after_100_continue),
        TRANSPORT_TEST(test_refused),
        TRANSPORT_TEST(test_refused_while_the_body_is_read),
        TRANSPORT_TEST(test_values_of_the_last_try),
        TRANSPORT_TEST(test_redirected),
        TRANSPORT_TEST(test_changed_by_a_redirect_callback),
    };
    return cmocka_run_group_tests_name("request: trailers", tests, NULL, NULL);
}
