/*
 * Reading a response's body: what each read returns and when it has to wait, where the end is
 * noticed, and that a body which is cut short never looks like one that is over.
 */
#include "wire_test.h"

#include <stdio.h>
#include <stdlib.h>

#define OK "HTTP/1.1 200 OK\r\n"
#define CHUNKED OK "Transfer-Encoding: chunked\r\n\r\n"

/* One read, whose result and bytes are asserted. */
static void expect_read(ferry_response *res, size_t size, const char *bytes)
{
    char buf[256];
    ferry_error err = {0};
    ssize_t got = ferry_response_read(res, buf, size, &err);
    assert_string_equal(err.message, "");
    assert_int_equal(got, strlen(bytes));
    assert_memory_equal(buf, bytes, strlen(bytes));
}

static void expect_end(ferry_response *res)
{
    expect_read(res, 64, "");
}

static void expect_failure(ferry_response *res, int code, const char *cause)
{
    char buf[64];
    ferry_error err = {0};
    assert_int_equal(ferry_response_read(res, buf, sizeof buf, &err), -1);
    assert_error(&err, code, cause);
    assert_true(wire_is_sentence(err.message));
}

/* -------------------------------------------------------------------------- pieces and their end */

static void test_CL_001_pieces_and_then_the_end_again_and_again(void **state)
{
    static const struct origin_reply replies[] = {
        {.bytes = OK "X-Extra: one\r\nContent-Length: 170\r\n\r\n"
                     "0123456789012345678901234567890123456789012345678901234567890123"
                     "0123456789012345678901234567890123456789012345678901234567890123"
                     "012345678901234567890123456789012345678901"},
        {.bytes =
             CHUNKED "40\r\n0123456789012345678901234567890123456789012345678901234567890123\r\n"
                     "6a\r\n0123456789012345678901234567890123456789012345678901234567890123"
                     "012345678901234567890123456789012345678901\r\n0\r\n\r\n"},
        {.bytes = OK "\r\n"
                     "0123456789012345678901234567890123456789012345678901234567890123"
                     "0123456789012345678901234567890123456789012345678901234567890123"
                     "012345678901234567890123456789012345678901",
         .then = ORIGIN_THEN_CLOSE},
    };
    ferry_transport *transport = transport_with(state, NULL);
    struct origin *origin = serve_replies(state, replies, 3);
    for (int i = 0; i < 3; i++) {
        char buf[64];
        size_t total = 0;
        ssize_t got;
        ferry_error err = {0};
        ferry_response *res = open_get(transport, origin_url(origin, "/"));
        while ((got = ferry_response_read(res, buf, sizeof buf, &err)) > 0) {
            assert_true(got <= (ssize_t)sizeof buf);
            for (ssize_t k = 0; k < got; k++) {
                assert_int_equal(buf[k], '0' + (total + (size_t)k) % 64 % 10);
            }
            total += (size_t)got;
        }
        assert_int_equal(got, 0);
        assert_int_equal(total, 170);
        expect_end(res);
        expect_end(res);
        assert_int_equal(ferry_response_read(res, buf, 0, &err), 0);
        ferry_response_close(res);
    }
}

struct words {
    struct gate next[4]; /* opened for each word that may be sent */
    bool chunked;
};

static void serve_words(struct origin_conn *conn, void *arg)
{
    static const char *const words[] = {"I", "am", "not", "done"};
    struct words *w = arg;
    if (!origin_read_request(conn)) {
        return;
    }
    (void)origin_send_text(conn, w->chunked ? CHUNKED : OK "Content-Length: 10\r\n\r\n");
    for (int i = 0; i < 4 && origin_wait(conn, &w->next[i]); i++) {
        if (w->chunked) {
            (void)origin_sendf(conn, "%zx\r\n%s\r\n", strlen(words[i]), words[i]);
        } else {
            (void)origin_send_text(conn, words[i]);
        }
    }
    if (w->chunked) {
        (void)origin_send_text(conn, "0\r\n\r\n");
    }
    (void)origin_wait_eof(conn, -1);
}

static void read_words(void **state, bool chunked)
{
    static struct words both[2]; /* they outlive the test: the origin may be behind */
    struct words *words = &both[chunked];
    words->chunked = chunked;
    struct origin *origin = serve_with(state, serve_words, words);
    ferry_response *res = open_get(transport_with(state, NULL), origin_url(origin, "/"));
    static const char *const expected[] = {"I", "am", "not", "done"};
    for (int i = 0; i < 4; i++) {
        gate_open(&words->next[i]);
        expect_read(res, 256, expected[i]); /* with room for more than there will be */
    }
    expect_end(res);
    ferry_response_close(res);
}

static void test_CL_017_each_word_as_it_comes(void **state)
{
    read_words(state, true);
    read_words(state, false);
}

/* ---------------------------------------------------------------------------- joining of chunks */

/* Everything in one piece, hence buffered with the head. */
static ferry_response *open_reply(void **state, ferry_transport **transport, const char *bytes)
{
    *transport = transport_with(state, FERRY_TRANSPORT_OPTIONS(.drain_bytes = -1));
    return open_get(*transport, origin_url(serve_reply(state, bytes), "/"));
}

static void test_TF_002_last_chunk_is_noticed_with_the_data(void **state)
{
    ferry_transport *transport;
    ferry_response *res =
        open_reply(state, &transport, CHUNKED "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n");
    expect_read(res, 11, "hello world");
    assert_int_equal(stats_of(transport).idle, 1); /* before any read has said that it is over */
    expect_end(res);
    ferry_response_close(res);
    assert_int_equal(stats_of(transport).early_closes, 0);
}

static void test_CH_002_buffered_chunks_are_joined(void **state)
{
    ferry_transport *transport;
    ferry_response *res = open_reply(
        state, &transport, CHUNKED "3\r\nabc\r\n1\r\nd\r\n9\r\nefghijklm\r\n2\r\nno\r\n0\r\n\r\n");
    expect_read(res, 64, "abcdefghijklmno");
    assert_int_equal(stats_of(transport).idle, 1);
    expect_end(res);
    ferry_response_close(res);
}

/* A response in two parts, each sent when its gate is open. */
struct steps {
    const char *bytes[2];
    struct gate gate[2];
};

/* They outlive their test: the origin may be behind. */
static struct steps *new_steps(const char *first, const char *second)
{
    static struct steps all[16];
    static size_t used;
    assert_true(used < sizeof all / sizeof all[0]);
    all[used] = (struct steps){.bytes = {first, second}};
    return &all[used++];
}

static void serve_steps(struct origin_conn *conn, void *arg)
{
    struct steps *steps = arg;
    if (!origin_read_request(conn)) {
        return;
    }
    for (int i = 0; i < 2; i++) {
        if (!origin_wait(conn, &steps->gate[i]) || !origin_send_text(conn, steps->bytes[i])) {
            return;
        }
    }
    (void)origin_wait_eof(conn, -1);
}

static ferry_response *open_steps(void **state, ferry_transport *transport, struct steps *steps)
{
    gate_open(&steps->gate[0]);
    return open_get(transport, origin_url(serve_with(state, serve_steps, steps), "/"));
}

static void test_CH_002_does_not_wait_for_the_next_chunk(void **state)
{
    struct steps *steps = new_steps(CHUNKED "3\r\nabc\r\n3\r\ndef\r\n4", "\r\nghij\r\n0\r\n\r\n");
    ferry_transport *transport = transport_with(state, NULL);
    ferry_response *res = open_steps(state, transport, steps);
    expect_read(res, 64, "abcdef");
    assert_int_equal(stats_of(transport).idle, 0);
    gate_open(&steps->gate[1]);
    expect_read(res, 4, "ghij");
    expect_end(res);
    ferry_response_close(res);
}

static void test_CH_006_data_without_its_line_end(void **state)
{
    struct steps *steps = new_steps(CHUNKED "5\r\nhello", "XX");
    ferry_response *res = open_steps(state, transport_with(state, NULL), steps);
    expect_read(res, 5, "hello");
    gate_open(&steps->gate[1]);
    expect_failure(res, FERRY_EPROTOCOL, "malformed chunked body: a chunk that is longer");
    expect_failure(res, FERRY_EPROTOCOL, "malformed chunked body: a chunk that is longer");
    ferry_response_close(res);
}

/* An error behind good bytes waits for the next read. */
static void test_error_behind_good_chunks(void **state)
{
    ferry_transport *transport;
    ferry_response *res = open_reply(state, &transport, CHUNKED "3\r\nabc\r\n3\r\ndef\r\nx\r\n");
    expect_read(res, 64, "abcdef");
    expect_failure(res, FERRY_EPROTOCOL, "malformed chunked body: a chunk without a size");
    ferry_response_close(res);
}

/* So does that of lines which outweigh the data. */
static void test_excess_behind_good_chunks(void **state)
{
    struct bytes reply = {0};
    bytes_append(&reply, BYTES(CHUNKED));
    for (int i = 0; i < 200; i++) { /* 200 times 98 - 18 */
        bytes_append(&reply, BYTES("1;"));
        for (int k = 0; k < 94; k++) {
            bytes_append(&reply, BYTES("x"));
        }
        bytes_append(&reply, BYTES("\r\ny\r\n"));
    }
    bytes_append(&reply, BYTES("0;"));
    for (int k = 0; k < 1000; k++) {
        bytes_append(&reply, BYTES("x"));
    }
    bytes_append(&reply, BYTES("\r\n\r\n"));
    ferry_transport *transport;
    ferry_response *res = open_reply(state, &transport, reply.data);
    bytes_free(&reply);
    char all[256];
    read_exactly(res, all, 200);
    expect_failure(res, FERRY_ETOOBIG, "more chunk lines than data: over 16384 bytes");
    ferry_response_close(res);
    assert_int_equal(stats_of(transport).connections, 0);
}

/* The head, and once that has been taken, a value and the last chunk in one write. */
static void serve_json(struct origin_conn *conn, void *arg)
{
    struct gate *gates = arg;
    for (int i = 0; origin_read_request(conn) && origin_send_text(conn, CHUNKED) && i < 2 &&
                    origin_wait(conn, &gates[i]);
         i++) {
        (void)origin_send_text(conn, "1a\r\n{\"addr\": \"127.0.0.1:4711\"}\r\n0\r\n\r\n");
    }
}

static void test_SV_024_end_with_the_data_is_no_early_close(void **state)
{
    static const char json[] = "{\"addr\": \"127.0.0.1:4711\"}";
    struct gate *gates = keep_copy(state, (struct gate[2]){{0}}, 2 * sizeof(struct gate));
    struct origin *origin = serve_with(state, serve_json, gates);
    ferry_transport *transport = transport_with(state, FERRY_TRANSPORT_OPTIONS(.drain_bytes = -1));
    for (int i = 0; i < 2; i++) {
        ferry_response *res = open_get(transport, origin_url(origin, "/"));
        gate_open(&gates[i]);
        expect_read(res, sizeof json - 1, json); /* and no further */
        ferry_response_close(res);
        assert_int_equal(stats_of(transport).early_closes, 0);
        assert_int_equal(stats_of(transport).puts, (uint64_t)i + 1);
    }
    assert_int_equal(origin_counts(origin).accepted, 1);
    assert_int_equal(stats_of(transport).reuses, 1);
}

/* ------------------------------------------------------------------------------------ cut short */

static void test_CS_054_aborted_chunks(void **state)
{
    static const struct origin_reply replies[] = {
        {.bytes = CHUNKED "5\r\nhello\r\n", .then = ORIGIN_THEN_CLOSE},
        {.bytes = CHUNKED "5\r\nhello\r\n", .then = ORIGIN_THEN_RESET},
    };
    struct origin *origin = serve_replies(state, replies, 2);
    ferry_transport *transport = transport_with(state, NULL);
    ferry_response *res = open_get(transport, origin_url(origin, "/"));
    expect_read(res, 64, "hello");
    expect_failure(res, FERRY_ETRUNCATED, "the connection ended before the response's body did");
    expect_failure(res, FERRY_ETRUNCATED, "the connection ended before the response's body did");
    ferry_response_close(res);
    res = open_get(transport, origin_url(origin, "/"));
    expect_read(res, 64, "hello");
    expect_failure(res, FERRY_EREAD, "read: connection reset by peer");
    ferry_response_close(res);
}

static void test_RS_006_short_body(void **state)
{
    static const struct origin_reply reply = {
        .bytes = OK "Content-Length: 123\r\n\r\nabcdefghijklmnopqrstuvwxyz",
        .then = ORIGIN_THEN_CLOSE};
    struct origin *origin = serve_replies(state, &reply, 1);
    ferry_response *res = open_get(transport_with(state, NULL), origin_url(origin, "/"));
    assert_int_equal(ferry_response_length(res), 123);
    expect_read(res, 256, "abcdefghijklmnopqrstuvwxyz");
    expect_failure(res, FERRY_ETRUNCATED, "the connection ended before the response's body did");
    ferry_response_close(res);
}

static void test_CH_007_every_cut_of_two_chunks(void **state)
{
    static const char body[] = "4\r\nabcd\r\n5\r\n\r\n0\r\n\r\n0\r\n\r\n"; /* data like an end */
    enum { LEN = sizeof body - 1 };
    static struct origin_reply replies[LEN + 1]; /* the origin's until it is stopped */
    static char bytes[LEN + 1][sizeof CHUNKED + LEN];
    for (size_t i = 0; i <= LEN; i++) {
        int len = snprintf(bytes[i], sizeof bytes[i], CHUNKED "%.*s", (int)i, body);
        replies[i] = (struct origin_reply){bytes[i], (size_t)len, ORIGIN_THEN_CLOSE};
    }
    struct origin *origin = serve_replies(state, replies, LEN + 1);
    ferry_client *client = wire_client(transport_with(state, NULL));
    for (size_t i = 0; i <= LEN; i++) {
        struct wire_answer answer = wire_get(client, origin_url(origin, "/"));
        assert_int_equal(answer.status, 200);
        assert_string_equal(ferry_strerror(answer.err.code),
                            i < LEN ? "FERRY_ETRUNCATED" : "FERRY_OK");
        assert_memory_equal(answer.body, "abcd\r\n0\r\n", answer.body_len);
        assert_true(answer.body_len == 9 || i < LEN);
        wire_answer_free(&answer);
    }
    ferry_client_free(client);
}

/* ------------------------------------------------------------------------------ the end of reading */

/* A reader that waits while another task closes is told so, and never that the body is over. */
struct blocked_read {
    ferry_response *res;
    ssize_t got;
    ferry_error err;
    bool done;
};

static void read_blocked(void *arg)
{
    struct blocked_read *blocked = arg;
    char buf[64];
    blocked->got = ferry_response_read(blocked->res, buf, sizeof buf, &blocked->err);
    blocked->done = true;
}

static void test_CS_035_closed_while_being_read(void **state)
{
    struct steps *steps = new_steps(OK "Content-Length: 5\r\n\r\n", "hello");
    struct blocked_read blocked = {.res = open_steps(state, transport_with(state, NULL), steps)};
    assert_int_equal(ferry_go(read_blocked, &blocked), 0);
    ferry_sleep(1); /* it runs, as far as it can */
    assert_false(blocked.done);
    ferry_response_close(blocked.res);
    assert_eventually(blocked.done);
    assert_int_equal(blocked.got, -1);
    assert_error(&blocked.err, FERRY_ECLOSED, "was closed");
}

static void serve_for_ever(struct origin_conn *conn, void *arg)
{
    if (origin_read_request(conn)) {
        bool sent = origin_send_text(conn, OK "\r\n");
        while (sent) {
            sent = origin_send_text(conn, "A reply that has no end, word by word. ");
        }
        gate_open(arg);
    }
}

static void close_it(void *arg)
{
    ferry_response_close(arg);
}

static void test_TR_047_close_of_an_endless_body(void **state)
{
    struct gate failed = {0};
    struct origin *origin = serve_with(state, serve_for_ever, &failed);
    ferry_transport *transport = transport_with(state, NULL);
    ferry_response *res = open_get(transport, origin_url(origin, "/"));
    char buf[4096];
    for (int i = 0; i < 3; i++) {
        read_exactly(res, buf, sizeof buf);
    }
    ferry_group *group = ferry_group_new();
    assert_non_null(group);
    assert_int_equal(ferry_group_go(group, close_it, res), 0);
    ferry_group_wait(group);
    ferry_group_free(group);
    assert_int_equal(stats_of(transport).connections, 0);
    assert_int_equal(stats_of(transport).drained, 0);
    assert_eventually(gate_is_open(&failed)); /* the server's writes fail */
}

static void test_SV_059_unread_empty_bodies(void **state)
{
    struct origin *origin = serve_reply(state, OK "Content-Length: 0\r\n\r\n");
    ferry_transport *transport = transport_with(state, NULL);
    ferry_request *req = wire_request("POST", origin, "/");
    ferry_response *res[5];
    assert_int_equal(ferry_request_set_body(req, "", 0), 0);
    for (int i = 0; i < 5; i++) {
        res[i] = ferry_transport_round_trip(transport, req, NULL);
        assert_non_null(res[i]);
    }
    assert_int_equal(origin_counts(origin).accepted, 1);
    for (int i = 0; i < 5; i++) {
        expect_end(res[i]);
        expect_end(res[i]);
        ferry_response_close(res[i]);
        assert_int_equal(origin_request(origin, (size_t)i).body_len, 0);
    }
    ferry_request_free(req);
}

static void test_TR_001_request_is_as_good_as_new(void **state)
{
    struct origin *origin = serve_reply(state, OK "Content-Length: 2\r\n\r\nok");
    ferry_transport *transport = transport_with(state, NULL);
    ferry_request *req = wire_request("GET", origin, "/");
    for (int i = 0; i < 2; i++) {
        ferry_error err = {0};
        ferry_response *res = ferry_transport_round_trip(transport, req, &err);
        assert_string_equal(err.message, "");
        ferry_response_close(res);
    }
    assert_int_equal(origin_counts(origin).requests, 2);
    ferry_request_free(req);
}

/* With ASan: freed memory that the connection still looked at would show. */
static void test_CS_048_nothing_of_the_request_is_kept(void **state)
{
    struct origin *origin = serve_reply(state, OK "Content-Length: 5\r\n\r\nhello");
    ferry_transport *transport = transport_with(state, NULL);
    for (int i = 0; i < 3; i++) {
        char *body = strdup("a body of the caller's own");
        char *url = strdup(origin_url(origin, "/"));
        assert_true(body != NULL && url != NULL);
        ferry_request *req = request("POST", url);
        assert_int_equal(ferry_request_set_body(req, body, strlen(body)), 0);
        ferry_response *res = ferry_transport_round_trip(transport, req, NULL);
        assert_non_null(res);
        ferry_request_free(req);
        free(body);
        free(url);
        expect_read(res, 64, "hello");
        expect_end(res);
        assert_string_equal(ferry_response_url(res), origin_url(origin, "/"));
        ferry_response_close(res);
    }
    assert_int_equal(origin_counts(origin).accepted, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRANSPORT_TEST(test_CL_001_pieces_and_then_the_end_again_and_again),
        TRANSPORT_TEST(test_CL_017_each_word_as_it_comes),
        TRANSPORT_TEST(test_TF_002_last_chunk_is_noticed_with_the_data),
        TRANSPORT_TEST(test_CH_002_buffered_chunks_are_joined),
        TRANSPORT_TEST(test_CH_002_does_not_wait_for_the_next_chunk),
        TRANSPORT_TEST(test_CH_006_data_without_its_line_end),
        TRANSPORT_TEST(test_error_behind_good_chunks),
        TRANSPORT_TEST(test_excess_behind_good_chunks),
        TRANSPORT_TEST(test_SV_024_end_with_the_data_is_no_early_close),
        TRANSPORT_TEST(test_CS_054_aborted_chunks),
        TRANSPORT_TEST(test_RS_006_short_body),
        TRANSPORT_TEST(test_CH_007_every_cut_of_two_chunks),
        TRANSPORT_TEST(test_CS_035_closed_while_being_read),
        TRANSPORT_TEST(test_TR_047_close_of_an_endless_body),
        TRANSPORT_TEST(test_SV_059_unread_empty_bodies),
        TRANSPORT_TEST(test_TR_001_request_is_as_good_as_new),
        TRANSPORT_TEST(test_CS_048_nothing_of_the_request_is_kept),
    };
    return cmocka_run_group_tests_name("body: reading", tests, NULL, NULL);
}
