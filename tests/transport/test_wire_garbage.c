/*
 * What is not HTTP, at every stage of a response: each is refused with a code and one sentence,
 * while the server's side is still open, so without waiting for more than it takes; whole or byte
 * by byte makes no difference; and the next request, on a fresh connection, works.
 */
#include "wire_test.h"

#include <stdio.h>
#include <stdlib.h>

#define OK "HTTP/1.1 200 OK\r\n"
#define CHUNKED OK "Transfer-Encoding: chunked\r\n\r\n"
#define NO_STATUS_LINE "malformed response: no HTTP/1 status line"
#define NO_STATUS "malformed response: a status line without a status of three digits"

/* sentence: what follows 'Get "URL": ', or, with a status, 'reading the body of URL: '. */
struct garbage {
    const char *bytes;
    size_t len;
    int status; /* 0: the head is refused */
    int code;
    const char *sentence;
};

#define HEAD(literal, sentence)                                    \
    {                                                              \
        literal, sizeof(literal) - 1, 0, FERRY_EPROTOCOL, sentence \
    }
#define BODY(literal, sentence)                                                      \
    {                                                                                \
        CHUNKED literal, sizeof(CHUNKED literal) - 1, 200, FERRY_EPROTOCOL, sentence \
    }

static const struct garbage table[] = {
    /* The status line. */
    HEAD("\r\nHTTP/1.1 200 OK\r\n\r\n", NO_STATUS_LINE " (byte 0 of the head)"),
    HEAD("\nHTTP/1.1 200 OK\r\n\r\n", NO_STATUS_LINE " (byte 0 of the head)"),
    HEAD(" HTTP/1.1 200 OK\r\n\r\n", NO_STATUS_LINE " (byte 0 of the head)"),
    HEAD("HTTP/2.0 200 OK\r\n\r\n", NO_STATUS_LINE " (byte 5 of the head)"),
    HEAD("HTTP/0.9 200 OK\r\n\r\n", NO_STATUS_LINE " (byte 5 of the head)"),
    HEAD("HTTP/1 200 OK\r\n\r\n", NO_STATUS_LINE " (byte 6 of the head)"),
    HEAD("HTTP/11.1 200 OK\r\n\r\n", NO_STATUS_LINE " (byte 6 of the head)"),
    HEAD("http/1.1 200 OK\r\n\r\n", NO_STATUS_LINE " (byte 0 of the head)"),
    HEAD("HTTPS/1.1 200 OK\r\n\r\n", NO_STATUS_LINE " (byte 4 of the head)"),
    HEAD("ICY 200 OK\r\n\r\n", NO_STATUS_LINE " (byte 0 of the head)"),
    HEAD("<html>hello</html>", NO_STATUS_LINE " (byte 0 of the head)"),
    HEAD("SSH-2.0-OpenSSH_9.2\r\n", NO_STATUS_LINE " (byte 0 of the head)"),
    HEAD("220 mail.example ESMTP\r\n", NO_STATUS_LINE " (byte 0 of the head)"),
    HEAD("\x15\x03\x01\x00\x02\x02\x16", NO_STATUS_LINE " (byte 0 of the head)"),
    HEAD("\x00\x00\x12\x04\x00\x00\x00\x00\x00", NO_STATUS_LINE " (byte 0 of the head)"),
    HEAD("HTTP/1.1\t200 OK\r\n\r\n", NO_STATUS " (byte 8 of the head)"),
    HEAD("HTTP/1.1  200 OK\r\n\r\n", NO_STATUS " (byte 9 of the head)"),
    HEAD("HTTP/1.1 OK\r\n\r\n", NO_STATUS " (byte 9 of the head)"),
    HEAD("HTTP/1.1 20\r\n\r\n", NO_STATUS " (byte 11 of the head)"),
    HEAD("HTTP/1.1 2000 OK\r\n\r\n", NO_STATUS " (byte 12 of the head)"),
    HEAD("HTTP/1.1 099 OK\r\n\r\n", NO_STATUS " (byte 9 of the head)"),
    HEAD("HTTP/1.1 -20 OK\r\n\r\n", NO_STATUS " (byte 9 of the head)"),
    HEAD("HTTP/1.1 200\n\r\n", "malformed response: a LF without CR (byte 12 of the head)"),
    HEAD("HTTP/1.1 200 OK\nServer: x\n\n",
         "malformed response: a LF without CR (byte 15 of the head)"),
    HEAD("HTTP/1.1 200 O\rK\r\n\r\n", "malformed response: a CR without LF (byte 14 of the head)"),
    HEAD("HTTP/1.1 200 O\0K\r\n\r\n", "malformed response: a NUL byte (byte 14 of the head)"),
    HEAD("HTTP/1.1 200 O\x1bK\r\n\r\n", "malformed response: a control byte (byte 14 of the head)"),
    /* The fields. */
    HEAD(OK "A: b\nC: d\r\n\r\n", "malformed response: a LF without CR (byte 21 of the head)"),
    HEAD(OK "A: b\rC: d\r\n\r\n", "malformed response: a CR without LF (byte 21 of the head)"),
    HEAD(OK "A: b\r\r\n\r\n", "malformed response: a CR without LF (byte 21 of the head)"),
    HEAD(OK "A: b\0c\r\n\r\n", "malformed response: a NUL byte (byte 21 of the head)"),
    HEAD(OK "A\0: b\r\n\r\n", "malformed response: a NUL byte (byte 18 of the head)"),
    HEAD(OK "A: \x7f\r\n\r\n", "malformed response: a control byte (byte 20 of the head)"),
    HEAD(OK "A: b\r\n folded\r\n\r\n",
         "malformed response: a folded field line (byte 23 of the head)"),
    HEAD(OK "A: b\r\n\tfolded\r\n\r\n",
         "malformed response: a folded field line (byte 23 of the head)"),
    HEAD(OK " A: b\r\n\r\n", "malformed response: a folded field line (byte 17 of the head)"),
    HEAD(OK "A : b\r\n\r\n",
         "malformed response: white space in or after a field name (byte 18 of the head)"),
    HEAD(OK "A B: c\r\n\r\n",
         "malformed response: white space in or after a field name (byte 18 of the head)"),
    HEAD(OK "A\r\n\r\n", "malformed response: a CR without LF (byte 18 of the head)"),
    HEAD(OK ": b\r\n\r\n", "malformed response: an empty field name (byte 17 of the head)"),
    HEAD(OK "A(b): c\r\n\r\n",
         "malformed response: a field name that is no token (byte 18 of the head)"),
    HEAD(OK "\xc3\xa9: c\r\n\r\n",
         "malformed response: a field name that is no token (byte 17 of the head)"),
    HEAD(OK "\n", "malformed response: a LF without CR (byte 17 of the head)"),
    HEAD(OK "A: b\r\n\rX", "malformed response: a CR without LF (byte 23 of the head)"),
    /* The framing, TR-129 and TF-005 among it. */
    HEAD(OK "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
         "malformed response: both Content-Length and Transfer-Encoding"),
    HEAD(OK "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n",
         "malformed response: both Content-Length and Transfer-Encoding"),
    HEAD(OK "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
         "malformed response: Content-Lengths that differ \"6\""),
    HEAD(OK "Content-Length: 5, 6\r\n\r\nhello",
         "malformed response: Content-Lengths that differ \"5, 6\""),
    HEAD(OK "Content-Length: -1\r\n\r\n", "malformed response: a malformed Content-Length \"-1\""),
    HEAD(OK "Content-Length: +3\r\n\r\nabc",
         "malformed response: a malformed Content-Length \"+3\""),
    HEAD(OK "Content-Length: 0x10\r\n\r\n",
         "malformed response: a malformed Content-Length \"0x10\""),
    HEAD(OK "Content-Length: 1 2\r\n\r\n",
         "malformed response: a malformed Content-Length \"1 2\""),
    HEAD(OK "Content-Length: 5,\r\n\r\nhello",
         "malformed response: a malformed Content-Length \"5,\""),
    HEAD(OK "Content-Length:\r\n\r\n", "malformed response: a malformed Content-Length \"\""),
    HEAD(OK "Content-Length: 5.0\r\n\r\n",
         "malformed response: a malformed Content-Length \"5.0\""),
    HEAD(OK "Content-Length: 9223372036854775808\r\n\r\n",
         "malformed response: a malformed Content-Length \"9223372036854775808\""),
    HEAD(OK "Content-Length: 18446744073709551621\r\n\r\nhello",
         "malformed response: a malformed Content-Length \"18446744073709551621\""),
    HEAD(OK "Transfer-Encoding: gzip, chunked\r\n\r\n",
         "malformed response: an unsupported Transfer-Encoding \"gzip, chunked\""),
    HEAD(OK "Transfer-Encoding: identity\r\n\r\n",
         "malformed response: an unsupported Transfer-Encoding \"identity\""),
    HEAD(OK "Transfer-Encoding: xchunked\r\n\r\n",
         "malformed response: an unsupported Transfer-Encoding \"xchunked\""),
    HEAD(OK "Transfer-Encoding:\r\n\r\n",
         "malformed response: an unsupported Transfer-Encoding \"\""),
    HEAD(OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
         "malformed response: more than one Transfer-Encoding \"chunked\""),
    HEAD("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
         "malformed response: a Transfer-Encoding from an HTTP/1.0 peer \"chunked\""),
    /* Behind an interim response. */
    HEAD("HTTP/1.1 100 Continue\r\n\r\nhello\r\n", NO_STATUS_LINE " (byte 25 of the head)"),
    HEAD("HTTP/1.1 103 Early Hints\r\nA\n\r\n",
         "malformed response: a LF without CR (byte 27 of the head)"),
    /* Chunks. */
    BODY("hello", "malformed chunked body: a chunk without a size"),
    BODY("\r\n", "malformed chunked body: a chunk without a size"),
    BODY(";x\r\n", "malformed chunked body: a chunk without a size"),
    BODY(" 5\r\nhello\r\n", "malformed chunked body: a chunk without a size"),
    BODY("-5\r\nhello\r\n", "malformed chunked body: a chunk without a size"),
    BODY("+5\r\nhello\r\n", "malformed chunked body: a chunk without a size"),
    BODY("0x5\r\nhello\r\n", "malformed chunked body: a malformed chunk size"),
    BODY("5 5\r\nhello\r\n", "malformed chunked body: a malformed chunk size"),
    BODY("5g\r\nhello\r\n", "malformed chunked body: a malformed chunk size"),
    BODY("5\nhello\r\n", "malformed chunked body: a LF without CR"),
    BODY("5\rhello\r\n", "malformed chunked body: a CR without LF"),
    BODY("5;a=\0\r\nhello\r\n", "malformed chunked body: a NUL byte"),
    BODY("5;a\nhello\r\n", "malformed chunked body: a LF without CR"),
    BODY("10000000000000000\r\n", "malformed chunked body: a chunk size that is too large"),
    BODY("ffffffffffffffff\r\n", "malformed chunked body: a chunk size that is too large"),
    BODY("5\r\nhello!\r\n0\r\n\r\n",
         "malformed chunked body: a chunk that is longer than its size"),
    BODY("5\r\nhello\n0\r\n\r\n", "malformed chunked body: a chunk that is longer than its size"),
    BODY("5\r\nhello0\r\n\r\n", "malformed chunked body: a chunk that is longer than its size"),
    BODY("5\r\nhello\rX", "malformed chunked body: a CR without LF"),
    /* Trailers. */
    BODY("0\r\nX-Trailer : a\r\n\r\n",
         "malformed trailer section: white space in or after a field name"),
    BODY("0\r\nX-Trailer: a\n\r\n", "malformed trailer section: a LF without CR"),
    BODY("0\r\nX-Trailer: a\r\n b\r\n\r\n", "malformed trailer section: a folded field line"),
    BODY("0\r\nX\0: a\r\n\r\n", "malformed trailer section: a NUL byte"),
    BODY("0\r\n: a\r\n\r\n", "malformed trailer section: an empty field name"),
    BODY("0\r\nHTTP/1.1 200 OK\r\n\r\n",
         "malformed trailer section: a field name that is no token"),
    BODY("0\r\n\n", "malformed trailer section: a LF without CR"),
};

enum { GARBAGE = sizeof table / sizeof table[0] };

/* "/case/way": garbage, with way 1 byte by byte; "/good": a response. */
static void serve(struct origin_conn *conn, void *arg)
{
    (void)arg;
    unsigned at;
    unsigned slowly;
    while (origin_read_request(conn)) {
        const char *path = strchr(origin_conn_request(conn).head, '/');
        if (sscanf(path, "/%u/%u", &at, &slowly) != 2 || at >= GARBAGE) {
            (void)origin_send_text(conn, OK "Content-Length: 4\r\n\r\ngood");
            continue;
        }
        if (slowly) {
            (void)origin_send_slowly(conn, table[at].bytes, table[at].len);
        } else {
            (void)origin_send(conn, table[at].bytes, table[at].len);
        }
        (void)origin_wait_eof(conn, -1); /* it is the client that ends this */
        return;
    }
}

static void expect_good(ferry_client *client, struct origin *origin)
{
    ferry_request *req = wire_request("GET", origin, "/good");
    wire_expect(client, req, 200, "good");
    ferry_request_free(req);
}

/* Asserts an answer's code and sentence, the latter behind what all begin with. */
static void assert_refused(const struct wire_answer *answer, const char *url, int status, int code,
                           const char *sentence)
{
    char wanted[sizeof answer->err.message];
    snprintf(wanted, sizeof wanted, status == 0 ? "Get \"%s\": %s" : "reading the body of %s: %s",
             url, sentence);
    assert_string_equal(answer->err.message, wanted);
    assert_true(wire_is_sentence(answer->err.message));
    assert_int_equal(answer->err.code, code);
    assert_int_equal(answer->err.os_errno, 0);
    assert_int_equal(answer->status, status);
}

static void refuse_all(void **state, int slowly)
{
    ferry_transport *transport = transport_with(state, NULL);
    ferry_client *client = wire_client(transport);
    struct origin *origin = serve_with(state, serve, NULL);
    for (unsigned i = 0; i < GARBAGE; i++) {
        char path[32];
        snprintf(path, sizeof path, "/%u/%d", i, slowly);
        const char *url = origin_url(origin, path);
        expect_good(client, origin); /* so that every other one comes on a reused connection */
        struct wire_answer answer = wire_get(client, url);
        assert_refused(&answer, url, table[i].status, table[i].code, table[i].sentence);
        wire_answer_free(&answer);
        assert_int_equal(stats_of(transport).connections, 0);
    }
    expect_good(client, origin);
    assert_int_equal(stats_of(transport).retries, 0); /* a peer like that is not asked again */
    ferry_client_free(client);
}

static void test_garbage_at_every_stage(void **state)
{
    refuse_all(state, 0);
}

static void test_garbage_byte_by_byte(void **state)
{
    refuse_all(state, 1);
}

/* A list whose members all agree, and lengths that only look odd, are fine. */
static void test_what_looks_odd_and_is_right(void **state)
{
    static const struct origin_reply replies[] = {
        {.bytes = OK "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello"},
        {.bytes = OK "Content-Length: 5, 5\r\n\r\nhello"},
        {.bytes = OK "Content-Length: 005\r\n\r\nhello"},
        {.bytes = OK "content-LENGTH:5 \t\r\n\r\nhello"},
        {.bytes = "HTTP/1.9 200 OK\r\nContent-Length: 5\r\n\r\nhello"},
        {.bytes = "HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello"},
        {.bytes = "HTTP/1.1 999 \xe4\xf6\xfc\r\nX: \xff\r\nContent-Length: 5\r\n\r\nhello"},
        {.bytes = OK "Transfer-Encoding: CHUNKED\r\n\r\n0005  \r\nhello\r\n000\r\n\r\n"},
        {.bytes = OK "Transfer-Encoding: chunked\r\n\r\n5;a=\"b\";c\r\nhello\r\n0;d\r\n\r\n"},
    };
    enum { CASES = sizeof replies / sizeof replies[0] };
    ferry_client *client = wire_client(transport_with(state, NULL));
    struct origin *origin = serve_replies(state, replies, CASES);
    for (size_t i = 0; i < CASES; i++) {
        struct wire_answer answer = wire_get(client, origin_url(origin, "/"));
        assert_string_equal(answer.err.message, "");
        assert_string_equal(answer.body, "hello");
        wire_answer_free(&answer);
    }
    assert_int_equal(origin_counts(origin).accepted, 1);
    ferry_client_free(client);
}

/* --------------------------------------------------------------------------------- without end */

/* Repeats a piece until the client has gone. */
struct endless {
    const char *first;
    const char *piece;
    int status;
    int code;
    const char *sentence;
};

static const struct endless endless[] = {
    {OK "X: ", "xxxxxxxxxxxxxxxx", 0, FERRY_ETOOBIG, "the response head is longer than 4096 bytes"},
    {OK, "Xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx: 1\r\n", 0, FERRY_ETOOBIG,
     "the response head is longer than 4096 bytes"},
    {OK, "A: 1\r\n", 0, FERRY_ETOOBIG, "the response head has more than 200 fields"},
    {"HTTP/1.1 200 ", "OK", 0, FERRY_ETOOBIG, "the response head is longer than 4096 bytes"},
    {OK, "xxxxxxxxxxxxxxxx", 0, FERRY_ETOOBIG, "the response head is longer than 4096 bytes"},
    {"", "HTTP/1.1 100 Continue\r\n\r\n", 0, FERRY_ETOOBIG,
     "the response head is longer than 4096 bytes"},
    {"", "HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n", 0, FERRY_ETOOBIG,
     "the response head is longer than 4096 bytes"},
    {CHUNKED "5;", "xxxxxxxxxxxxxxxx", 200, FERRY_EPROTOCOL,
     "malformed chunked body: a chunk line that is too long"},
    {CHUNKED, "00000000000000000000000000000000", 200, FERRY_EPROTOCOL,
     "malformed chunked body: a chunk line that is too long"},
    {CHUNKED "5", "                ", 200, FERRY_EPROTOCOL,
     "malformed chunked body: a chunk line that is too long"},
    {CHUNKED "0\r\n", "A: 1\r\n", 200, FERRY_ETOOBIG,
     "the trailer section has more than 200 fields"},
    {CHUNKED "0\r\n", "Xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx: 1\r\n", 200,
     FERRY_ETOOBIG, "the trailer section is longer than 4096 bytes"},
    {CHUNKED "0\r\nX: ", "xxxxxxxxxxxxxxxx", 200, FERRY_ETOOBIG,
     "the trailer section is longer than 4096 bytes"},
    /* One byte of data for every hundred of a line. */
    {CHUNKED,
     "1;xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
     "xxxxxxxxxxxxxxxx\r\nx\r\n",
     200, FERRY_ETOOBIG,
     "the chunked body is more chunk lines than data: over 16384 bytes of them"},
};

enum { ENDLESS = sizeof endless / sizeof endless[0] };

static void serve_endless(struct origin_conn *conn, void *arg)
{
    (void)arg;
    unsigned at;
    while (origin_read_request(conn)) {
        const char *path = strchr(origin_conn_request(conn).head, '/');
        if (sscanf(path, "/%u", &at) != 1 || at >= ENDLESS) {
            (void)origin_send_text(conn, OK "Content-Length: 4\r\n\r\ngood");
            continue;
        }
        bool sent = origin_send_text(conn, endless[at].first);
        while (sent) {
            sent = origin_send_text(conn, endless[at].piece);
        }
        return;
    }
}

static void test_endless_everything(void **state)
{
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.max_header_bytes = 4096));
    ferry_client *client = wire_client(transport);
    struct origin *origin = serve_with(state, serve_endless, NULL);
    for (unsigned i = 0; i < ENDLESS; i++) {
        char path[32];
        snprintf(path, sizeof path, "/%u", i);
        const char *url = origin_url(origin, path);
        struct wire_answer answer = wire_get(client, url);
        assert_refused(&answer, url, endless[i].status, endless[i].code, endless[i].sentence);
        wire_answer_free(&answer);
        expect_good(client, origin);
    }
    ferry_client_free(client);
}

/* Small chunks alone are no offence, however many. */
static void serve_small_chunks(struct origin_conn *conn, void *arg)
{
    int *count = arg;
    while (origin_read_request(conn)) {
        struct bytes body = {0};
        bytes_append(&body, BYTES(CHUNKED));
        for (int i = 0; i < *count; i++) {
            bytes_append(&body, BYTES("1;a=b\r\nx\r\n"));
        }
        bytes_append(&body, BYTES("0\r\n\r\n"));
        (void)origin_send(conn, body.data, body.len);
        bytes_free(&body);
    }
}

static void test_many_small_chunks(void **state)
{
    int count = 100000;
    ferry_client *client = wire_client(transport_with(state, NULL));
    struct origin *origin = serve_with(state, serve_small_chunks, &count);
    struct wire_answer answer = wire_get(client, origin_url(origin, "/"));
    assert_string_equal(answer.err.message, "");
    assert_int_equal(answer.body_len, count);
    wire_answer_free(&answer);
    ferry_client_free(client);
}

/* ---------------------------------------------------------------------- at the limits themselves */

struct sized_head {
    size_t len; /* of the whole head */
    int fields; /* in it */
};

static void serve_sized_head(struct origin_conn *conn, void *arg)
{
    const struct sized_head *wanted = arg;
    while (origin_read_request(conn)) {
        struct bytes head = {0};
        bytes_append(&head, BYTES("HTTP/1.1 204 No Content\r\n"));
        for (int i = 1; i < wanted->fields; i++) {
            bytes_append(&head, BYTES("A: 1\r\n"));
        }
        bytes_append(&head, BYTES("X: "));
        while (head.len + 4 < wanted->len) {
            bytes_append(&head, BYTES("x"));
        }
        bytes_append(&head, BYTES("\r\n\r\n"));
        (void)origin_send(conn, head.data, head.len);
        bytes_free(&head);
    }
}

/* Exactly as much as is allowed, and one more. */
static void test_TR_093_head_limits_are_exact(void **state)
{
    struct sized_head wanted = {.fields = 1};
    ferry_transport *transport = transport_with(
        state, FERRY_TRANSPORT_OPTIONS(.max_header_bytes = 20000, .max_header_fields = 50));
    ferry_client *client = wire_client(transport);
    struct origin *origin = serve_with(state, serve_sized_head, &wanted);
    static const struct {
        struct sized_head head;
        const char *sentence; /* NULL: taken */
    } cases[] = {
        {{20000, 1}, NULL},
        {{20001, 1}, "the response head is longer than 20000 bytes"},
        {{19999, 50}, NULL},
        {{1000, 51}, "the response head has more than 50 fields"},
        {{200000, 1}, "the response head is longer than 20000 bytes"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *url = origin_url(origin, "/");
        wanted = cases[i].head;
        struct wire_answer answer = wire_get(client, url);
        if (cases[i].sentence == NULL) {
            assert_string_equal(answer.err.message, "");
            assert_int_equal(answer.status, 204);
        } else {
            assert_refused(&answer, url, 0, FERRY_ETOOBIG, cases[i].sentence);
        }
        wire_answer_free(&answer);
    }
    ferry_client_free(client);
}

/* However many interim responses there are, they are passed over, until they are more than a head
 * may be long. */
static void serve_interim(struct origin_conn *conn, void *arg)
{
    const int *count = arg;
    while (origin_read_request(conn)) {
        for (int i = 0; i < *count; i++) {
            if (!origin_send_text(conn, "HTTP/1.1 123 Quite so\r\n\r\n")) {
                return;
            }
        }
        (void)origin_send_text(conn, "HTTP/1.1 204 No Content\r\n\r\n");
    }
}

static void test_TR_054_interim_responses_are_bounded_by_their_bytes(void **state)
{
    int *count = KEPT(state, int, 10);
    ferry_client *client =
        wire_client(transport_with(state, FERRY_TRANSPORT_OPTIONS(.max_header_bytes = 2500)));
    struct origin *origin = serve_with(state, serve_interim, count);
    const char *url = origin_url(origin, "/");
    struct wire_answer answer = wire_get(client, url);
    assert_int_equal(answer.status, 204);
    wire_answer_free(&answer);
    *count = 100; /* of 25 bytes: just as many as there may be, and then the answer */
    answer = wire_get(client, url);
    assert_refused(&answer, url, 0, FERRY_ETOOBIG, "the response head is longer than 2500 bytes");
    wire_answer_free(&answer);
    *count = 98;
    answer = wire_get(client, url);
    assert_int_equal(answer.status, 204);
    wire_answer_free(&answer);
    ferry_client_free(client);
}

/* The limits as they are when nobody sets them. */
static void test_standard_head_limits(void **state)
{
    struct sized_head wanted = {262144, 200};
    ferry_client *client = wire_client(transport_with(state, NULL));
    struct origin *origin = serve_with(state, serve_sized_head, &wanted);
    const char *url = origin_url(origin, "/");
    struct wire_answer answer = wire_get(client, url);
    assert_string_equal(answer.err.message, "");
    wire_answer_free(&answer);
    wanted.len++;
    answer = wire_get(client, url);
    assert_refused(&answer, url, 0, FERRY_ETOOBIG, "the response head is longer than 262144 bytes");
    wire_answer_free(&answer);
    wanted = (struct sized_head){10000, 201};
    answer = wire_get(client, url);
    assert_refused(&answer, url, 0, FERRY_ETOOBIG, "the response head has more than 200 fields");
    wire_answer_free(&answer);
    ferry_client_free(client);
}

/* ------------------------------------------------------------------------------- random bytes */

/* Responses with a few bytes changed, and plain noise: whatever comes of one, the next request
 * works. The generator is a test's own, so that a failure can be had again. */
static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static void serve_noise(struct origin_conn *conn, void *arg)
{
    (void)arg;
    static const char sound[] =
        OK "Transfer-Encoding: chunked\r\nA: b\r\n\r\n5;a=b\r\nhello\r\n6\r\n"
           " world\r\n0\r\nX-Trailer: c\r\n\r\n";
    unsigned at;
    while (origin_read_request(conn)) {
        const char *path = strchr(origin_conn_request(conn).head, '/');
        if (sscanf(path, "/%u", &at) != 1) {
            (void)origin_send_text(conn, OK "Content-Length: 4\r\n\r\ngood");
            continue;
        }
        char bytes[sizeof sound - 1];
        uint64_t seed = 0x9e3779b97f4a7c15u * (at + 1);
        memcpy(bytes, sound, sizeof bytes);
        size_t changes = at % 4 == 0 ? sizeof bytes : 1 + at % 3;
        for (size_t i = 0; i < changes; i++) {
            size_t where = changes == sizeof bytes ? i : next_random(&seed) % sizeof bytes;
            bytes[where] = (char)next_random(&seed);
        }
        (void)origin_send(conn, bytes, sizeof bytes);
        return;
    }
}

static void test_noise(void **state)
{
    ferry_transport *transport = transport_with(state, NULL);
    ferry_client *client = wire_client(transport);
    struct origin *origin = serve_with(state, serve_noise, NULL);
    for (unsigned i = 0; i < 300; i++) {
        char path[32];
        snprintf(path, sizeof path, "/%u", i);
        struct wire_answer answer = wire_get(client, origin_url(origin, path));
        if (answer.err.code != 0) {
            assert_true(wire_is_sentence(answer.err.message));
        }
        wire_answer_free(&answer);
        if (i % 10 == 0) {
            expect_good(client, origin);
        }
    }
    expect_good(client, origin);
    ferry_client_free(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRANSPORT_TEST(test_garbage_at_every_stage),
        TRANSPORT_TEST(test_garbage_byte_by_byte),
        TRANSPORT_TEST(test_what_looks_odd_and_is_right),
        TRANSPORT_TEST(test_endless_everything),
        TRANSPORT_TEST(test_many_small_chunks),
        TRANSPORT_TEST(test_TR_093_head_limits_are_exact),
        TRANSPORT_TEST(test_TR_054_interim_responses_are_bounded_by_their_bytes),
        TRANSPORT_TEST(test_standard_head_limits),
        TRANSPORT_TEST(test_noise),
    };
    return cmocka_run_group_tests_name("wire: garbage", tests, NULL, NULL);
}
