/*
 * Expect: 100-continue: the body waits for the server's word, and goes without it after a while;
 * and servers that answer before they have read the body.
 */
#include "wire_test.h"

#include <stdio.h>
#include <stdlib.h>

#define MIB ((size_t)1 << 20)
#define OK "HTTP/1.1 200 OK\r\n"

struct source {
    size_t size;
    size_t at;
    int done;
};

static ssize_t read_source(void *arg, void *buf, size_t len)
{
    struct source *source = arg;
    size_t size = source->size - source->at < len ? source->size - source->at : len;
    memset(buf, 'x', size);
    source->at += size;
    return (ssize_t)size;
}

static void source_done(void *arg)
{
    ((struct source *)arg)->done++;
}

static ferry_request *sourced(const char *method, struct origin *origin, struct source *source,
                              int64_t announced)
{
    ferry_request *req = wire_request(method, origin, "/");
    assert_int_equal(ferry_request_set_body_reader(req, read_source, NULL, source, announced), 0);
    ferry_request_set_body_done(req, source_done, source);
    return req;
}

/* ------------------------------------------------------------------------------- 100 Continue */

struct expectation {
    const char *interim; /* sent when the head is here; NULL: nothing */
    bool reads_body;
    const char *final;
    bool closes;
    /* What must come of it. */
    size_t taken;
    int status;
    enum ferry_put_result put;
};

static void serve_expectation(struct origin_conn *conn, void *arg)
{
    const struct expectation *wanted = arg;
    char head[1024];
    while (origin_read_head(conn, head, sizeof head) > 0) {
        if (wanted->interim != NULL) {
            (void)origin_send_text(conn, wanted->interim);
        }
        if (wanted->reads_body && origin_read_body(conn) < 0) {
            return;
        }
        (void)origin_send_text(conn, wanted->final);
        if (wanted->closes) {
            return;
        }
        if (!wanted->reads_body) {
            (void)origin_wait_eof(conn, -1);
            return;
        }
    }
}

static void expect_outcome(void **state, struct expectation *wanted, int64_t timeout_ms,
                           bool from_memory)
{
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.expect_continue_timeout_ms = timeout_ms));
    struct origin *origin = serve_with(state, serve_expectation, wanted);
    struct source source = {.size = 5};
    ferry_request *req = sourced("PUT", origin, &source, 5);
    if (from_memory) {
        assert_int_equal(ferry_request_set_body(req, "xxxxx", 5), 0);
    }
    assert_int_equal(ferry_request_set_header(req, "Expect", "100-continue"), 0);
    struct outcome outcome = send_and_read(transport, req);
    assert_got(outcome, wanted->status, "");
    assert_int_equal(source.done, 1);
    ferry_request_free(req);
    assert_int_equal(source.at, from_memory ? 0 : wanted->taken);
    assert_int_equal(stats_of(transport).put_results[wanted->put], 1);
    transport_done(state, transport); /* the origin sees everything that will ever come */
    assert_true(origin_await_open(origin, 0, SOON_MS));
    size_t received;
    free(origin_received(origin, 1, &received));
    assert_int_equal(received, origin_request(origin, 0).head_len + wanted->taken);
}

/* The five servers of TR-019. */
static void test_TR_019_server_reads_and_so_asks(void **state)
{
    struct expectation wanted = {"HTTP/1.1 100 Continue\r\n\r\n",
                                 true,
                                 OK "Content-Length: 0\r\n\r\n",
                                 false,
                                 5,
                                 200,
                                 FERRY_PUT_OK};
    expect_outcome(state, &wanted, 20000, false);
    expect_outcome(state, &wanted, 20000, true);
}

static void test_TR_019_final_answer_at_once(void **state)
{
    struct expectation ok = {NULL,
                             false,
                             OK "Content-Length: 0\r\nConnection: close\r\n\r\n",
                             true,
                             0,
                             200,
                             FERRY_PUT_CLOSE_ASKED};
    struct expectation failed = ok;
    expect_outcome(state, &ok, 20000, false);
    failed.final = "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    failed.status = 500;
    expect_outcome(state, &failed, 20000, false);
    expect_outcome(state, &failed, 20000, true);
}

/* Even a server that would go on with the connection does not get the body after its answer. */
static void test_TR_019_final_answer_and_no_close(void **state)
{
    struct expectation wanted = {NULL,
                                 false,
                                 "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n",
                                 false,
                                 0,
                                 500,
                                 FERRY_PUT_REQUEST_NOT_WRITTEN};
    expect_outcome(state, &wanted, 20000, false);
}

static void test_TR_019_silence_until_the_timeout(void **state)
{
    struct expectation wanted = {NULL,
                                 true,
                                 OK "Content-Length: 0\r\nConnection: close\r\n\r\n",
                                 true,
                                 5,
                                 200,
                                 FERRY_PUT_CLOSE_ASKED};
    expect_outcome(state, &wanted, 20, false);
    expect_outcome(state, &wanted, 20, true);
}

/* Whatever other interim responses there are, only 100 asks for the body. */
static void test_other_interim_responses_do_not_ask(void **state)
{
    struct expectation wanted = {"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n",
                                 false,
                                 "HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n",
                                 false,
                                 0,
                                 417,
                                 FERRY_PUT_REQUEST_NOT_WRITTEN};
    expect_outcome(state, &wanted, 20000, false);
}

/* -1: nobody waits, and the body goes with the head. */
static void test_expectation_without_waiting(void **state)
{
    struct expectation wanted = {NULL, true,        OK "Content-Length: 0\r\n\r\n", false, 5,
                                 200,  FERRY_PUT_OK};
    expect_outcome(state, &wanted, -1, false);
    expect_outcome(state, &wanted, -1, true);
}

/* An expectation without a body expects nothing. */
static void test_expectation_without_a_body(void **state)
{
    struct origin *origin = serve_reply(state, "HTTP/1.1 204 No Content\r\n\r\n");
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.expect_continue_timeout_ms = 20000));
    ferry_request *req = wire_request("POST", origin, "/");
    assert_int_equal(ferry_request_set_header(req, "Expect", "100-continue"), 0);
    assert_got(send_and_read(transport, req), 204, "");
    assert_int_equal(stats_of(transport).puts, 1);
    ferry_request_free(req);
}

/* The server goes while the client waits for its word. */
static void serve_head_and_go(struct origin_conn *conn, void *arg)
{
    (void)arg;
    char head[1024];
    (void)origin_read_head(conn, head, sizeof head);
}

static void test_server_goes_instead_of_asking(void **state)
{
    struct origin *origin = serve_with(state, serve_head_and_go, NULL);
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.expect_continue_timeout_ms = 20000));
    struct source source = {.size = 5};
    ferry_request *req = sourced("PUT", origin, &source, 5);
    assert_int_equal(ferry_request_set_header(req, "Expect", "100-continue"), 0);
    struct outcome outcome = send_and_read(transport, req);
    assert_int_equal(outcome.status, 0);
    assert_error(&outcome.err, FERRY_ESERVERCLOSED,
                 "the server closed the connection without answering");
    assert_int_equal(source.at, 0);
    assert_int_equal(source.done, 1);
    ferry_request_free(req);
}

/* ------------------------------------------------------------------ answers before the body is read */

static void serve_refusal(struct origin_conn *conn, void *arg)
{
    char head[1024];
    if (origin_read_head(conn, head, sizeof head) > 0) {
        (void)origin_send_text(conn, arg);
    }
}

/* TR-079: the refusal is what the caller sees, and not the broken pipe that comes with it. (It is one
 * small write, which is on its way before the reset, and Linux keeps what has been received.) */
static void test_TR_079_refused_upload(void **state)
{
    struct origin *origin = serve_with(
        state, serve_refusal,
        (char *)"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 4\r\n\r\nno! ");
    ferry_transport *transport = transport_with(state, NULL);
    char *body = calloc(2, MIB);
    assert_non_null(body);
    for (int i = 0; i < 100; i++) {
        ferry_request *req = wire_request("PUT", origin, "/");
        assert_int_equal(ferry_request_set_body(req, body, 2 * MIB), 0);
        assert_got(send_and_read(transport, req), 400, "no! ");
        ferry_request_free(req);
        assert_int_equal(stats_of(transport).connections, 0);
    }
    free(body);
}

/* The same, with a server that sees to it that its answer gets through (RFC 9112 section 9.6). */
static void serve_polite_refusal(struct origin_conn *conn, void *arg)
{
    char head[1024];
    if (origin_read_head(conn, head, sizeof head) > 0) {
        (void)origin_send_text(conn, arg);
        origin_shutdown_write(conn);
        (void)origin_wait_eof(conn, -1);
    }
}

static void test_TR_079_refused_upload_lingering(void **state)
{
    struct origin *origin = serve_with(
        state, serve_polite_refusal,
        (char *)"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 4\r\n\r\nno! ");
    ferry_transport *transport = transport_with(state, NULL);
    char *body = calloc(2, MIB);
    assert_non_null(body);
    for (int i = 0; i < 100; i++) {
        ferry_request *req = wire_request("PUT", origin, "/");
        assert_int_equal(ferry_request_set_body(req, body, 2 * MIB), 0);
        assert_got(send_and_read(transport, req), 400, "no! ");
        ferry_request_free(req);
        assert_int_equal(stats_of(transport).connections, 0);
    }
    free(body);
}

static void test_CL_055_body_is_done_once(void **state)
{
    struct origin *origin =
        serve_with(state, serve_polite_refusal,
                   (char *)"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
    ferry_transport *transport = transport_with(state, NULL);
    for (int i = 0; i < 50; i++) {
        struct source source = {.size = 300000};
        ferry_request *req = sourced("POST", origin, &source, i % 2 == 0 ? 300000 : -1);
        ferry_error err = {0};
        ferry_response *res = ferry_transport_round_trip(transport, req, &err);
        assert_string_equal(err.message, "");
        assert_int_equal(ferry_response_status(res), 204);
        ferry_response_close(res);
        ferry_request_free(req); /* waits for whoever still reads from the source */
        assert_int_equal(source.done, 1);
    }
}

/* Reads a MiB of many, answers, and goes. */
static void serve_limit(struct origin_conn *conn, void *arg)
{
    (void)arg;
    char head[1024];
    if (origin_read_head(conn, head, sizeof head) > 0 && origin_read_exact(conn, NULL, MIB)) {
        (void)origin_send_text(conn, OK "Connection: close\r\nContent-Length: 0\r\n\r\n");
    }
}

static void test_SV_075_writer_stops_with_the_peer(void **state)
{
    struct origin *origin = serve_with(state, serve_limit, NULL);
    ferry_transport *transport = transport_with(state, NULL);
    struct source source = {.size = 200 * MIB};
    ferry_request *req = sourced("POST", origin, &source, (int64_t)(200 * MIB));
    (void)send_and_read(transport, req); /* an answer or an error: both are right */
    ferry_request_free(req);
    assert_in_range(source.at, MIB, 100 * MIB);
    assert_int_equal(source.done, 1);
}

/* The write meets the reset first; the body that only the close ends is no less cut for it. */
static void serve_cut_answer(struct origin_conn *conn, void *arg)
{
    (void)arg;
    char head[1024];
    if (origin_read_head(conn, head, sizeof head) > 0) {
        (void)origin_send_text(conn, OK "\r\nonly the beginn");
        (void)origin_wait_read(conn, SOON_MS);
        origin_reset(conn);
    }
}

static void test_reset_that_a_write_meets_is_no_end(void **state)
{
    struct origin *origin = serve_script(
        state, &(struct origin_script){.serve = serve_cut_answer, .receive_buffer = 8192});
    ferry_transport *transport = transport_with(state, NULL);
    struct source source = {.size = 64 * MIB};
    char buf[64];
    ferry_error err = {0};
    ferry_request *req = sourced("POST", origin, &source, -1);
    ferry_response *res = ferry_transport_round_trip(transport, req, &err);
    assert_string_equal(err.message, "");
    assert_eventually(source.done == 1); /* the write loop has met it */
    read_exactly(res, buf, 15);
    assert_memory_equal(buf, "only the beginn", 15);
    assert_int_equal(ferry_response_read(res, buf, sizeof buf, &err), -1);
    assert_error(&err, FERRY_EREAD, "read: connection reset by peer");
    ferry_response_close(res);
    ferry_request_free(req);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRANSPORT_TEST(test_TR_019_server_reads_and_so_asks),
        TRANSPORT_TEST(test_TR_019_final_answer_at_once),
        TRANSPORT_TEST(test_TR_019_final_answer_and_no_close),
        TRANSPORT_TEST(test_TR_019_silence_until_the_timeout),
        TRANSPORT_TEST(test_other_interim_responses_do_not_ask),
        TRANSPORT_TEST(test_expectation_without_waiting),
        TRANSPORT_TEST(test_expectation_without_a_body),
        TRANSPORT_TEST(test_server_goes_instead_of_asking),
        TRANSPORT_TEST(test_TR_079_refused_upload),
        TRANSPORT_TEST(test_TR_079_refused_upload_lingering),
        TRANSPORT_TEST(test_CL_055_body_is_done_once),
        TRANSPORT_TEST(test_SV_075_writer_stops_with_the_peer),
        TRANSPORT_TEST(test_reset_that_a_write_meets_is_no_end),
    };
    return cmocka_run_group_tests_name("request: answers before the body", tests, NULL, NULL);
}
