/*
 * Decoding while the body is still coming: what has arrived is given out, the end on the wire is
 * met whoever gets to it, and nobody's going leaves a decoder behind.
 */
#include "transport_test.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bytes.h"
#include "encode.h"
#include "temp_dir.h"

#define TEXT ENCODE_TEXT

/* A chunked body in pieces: before each but the first a gate is waited at; last, the end. */
#define PIECES 3
struct pieces {
    const char *label;
    unsigned char piece[PIECES][200]; /* in here: a test may be over before its origin is */
    size_t len[PIECES];               /* 0: none */
    struct gate go_on[PIECES];
    bool holds_end; /* the end waits as well, at the last gate */
};

static void serve_pieces(struct origin_conn *conn, void *arg)
{
    struct pieces *pieces = arg;
    while (origin_read_request(conn)) {
        origin_sendf(
            conn,
            "HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nContent-Type: text/event-stream\r\n"
            "Transfer-Encoding: chunked\r\n\r\n",
            pieces->label);
        for (int i = 0; i < PIECES && pieces->len[i] > 0; i++) {
            if (i > 0) {
                origin_wait(conn, &pieces->go_on[i]);
            }
            origin_sendf(conn, "%zx\r\n", pieces->len[i]);
            origin_send(conn, pieces->piece[i], pieces->len[i]);
            origin_send(conn, "\r\n", 2);
        }
        if (pieces->holds_end) {
            origin_wait(conn, &pieces->go_on[PIECES - 1]);
        }
        origin_send(conn, "0\r\n\r\n", 5);
    }
}

static void put_piece(struct pieces *pieces, int i, const char *bytes, size_t len)
{
    assert_in_range(len, 1, sizeof pieces->piece[i]);
    memcpy(pieces->piece[i], bytes, len);
    pieces->len[i] = len;
}

/* Frees the bytes. */
static void put_all(struct pieces *pieces, int i, struct bytes bytes)
{
    put_piece(pieces, i, bytes.data, bytes.len);
    bytes_free(&bytes);
}

static void open_gates(struct pieces *pieces)
{
    for (int i = 0; i < PIECES; i++) {
        gate_open(&pieces->go_on[i]);
    }
}

/* An event that has been sent is an event that can be read, in every coding. Were it not given out
 * before the next one came, this would wait for ever: the server does. */
static void test_events_flow(void **state)
{
    static const char *const labels[] = {"gzip", "deflate", "br", "zstd"};
    for (int i = 0; i < 4; i++) {
        size_t first;
        struct bytes events = encode_events(labels[i], &first);
        struct pieces *pieces = KEPT(state, struct pieces, .label = labels[i], .holds_end = true);
        put_piece(pieces, 0, events.data, first);
        put_piece(pieces, 1, events.data + first, events.len - first);
        bytes_free(&events);
        struct origin *origin = serve_with(state, serve_pieces, pieces);
        ferry_transport *transport = transport_with(state, NULL);
        ferry_error err = {0};
        ferry_event event;
        ferry_response *res = open_get(transport, origin_url(origin, "/"));
        assert_true(ferry_response_decoded(res));
        ferry_event_stream *stream = ferry_event_stream_new(res, &err);
        assert_int_equal(ferry_event_stream_next(stream, &event, &err), 1);
        assert_string_equal(event.data, "one");
        gate_open(&pieces->go_on[1]);
        assert_int_equal(ferry_event_stream_next(stream, &event, &err), 1);
        assert_string_equal(event.data, "two");
        assert_string_equal(event.id, "1");
        gate_open(&pieces->go_on[2]); /* ... and the coding never ended */
        assert_int_equal(ferry_event_stream_next(stream, &event, &err), -1);
        assert_error(&err, FERRY_ETRUNCATED, "unexpected end of the ");
        ferry_event_stream_free(stream);
        transport_done(state, transport);
        open_gates(pieces);
    }
}

/* A member, or a frame, for each message: each is given out although it could be the last, so that
 * the end of the body is what should follow. */
static void test_a_member_for_each_message(void **state)
{
    static const char *const labels[] = {"gzip", "zstd"};
    for (int i = 0; i < 2; i++) {
        struct pieces *pieces = KEPT(state, struct pieces, .label = labels[i], .holds_end = true);
        put_all(pieces, 0, encode(labels[i], "one", 3));
        put_all(pieces, 1, encode(labels[i], "two", 3));
        struct origin *origin = serve_with(state, serve_pieces, pieces);
        ferry_transport *transport = transport_with(state, NULL);
        ferry_response *res = open_get(transport, origin_url(origin, "/"));
        char buf[10];
        ferry_error err;
        assert_int_equal(ferry_response_read(res, buf, sizeof buf, &err), 3);
        assert_memory_equal(buf, "one", 3);
        gate_open(&pieces->go_on[1]);
        assert_int_equal(ferry_response_read(res, buf, sizeof buf, &err), 3);
        assert_memory_equal(buf, "two", 3);
        assert_int_equal(idle_of(transport, origin), 0);
        gate_open(&pieces->go_on[2]);
        assert_int_equal(ferry_response_read(res, buf, sizeof buf, &err), 0);
        assert_int_equal(idle_of(transport, origin), 1);
        ferry_response_close(res);
        transport_done(state, transport);
        open_gates(pieces);
    }
}

/* TR-091: the last chunk comes later than anyone waits with bytes in hand. Whoever then reads the
 * end, or closes, still meets it, and the connection is kept. */
static void test_TR_091_late_end_on_the_wire(void **state)
{
    for (int closes = 0; closes < 2; closes++) {
        struct pieces *pieces = KEPT(state, struct pieces, .label = "gzip", .holds_end = true);
        put_all(pieces, 0, encode_text("gzip"));
        struct origin *origin = serve_with(state, serve_pieces, pieces);
        ferry_transport *transport =
            transport_with(state, FERRY_TRANSPORT_OPTIONS(.drain_ms = SOON_MS));
        ferry_response *res = open_get(transport, origin_url(origin, "/"));
        char buf[sizeof TEXT];
        ferry_error err;
        read_exactly(res, buf, strlen(TEXT));
        assert_int_equal(idle_of(transport, origin), 0);
        gate_open(&pieces->go_on[PIECES - 1]);
        if (closes == 0) {
            assert_int_equal(ferry_response_read(res, buf, sizeof buf, &err), 0);
            assert_int_equal(idle_of(transport, origin), 1);
        }
        ferry_response_close(res);
        assert_eventually(idle_of(transport, origin) == 1);
        assert_int_equal(stats_of(transport).connections, 1);
        transport_done(state, transport);
        open_gates(pieces);
    }
}

/* The server stalls: in the midst of the coding, with an event to read, and behind the coding's end,
 * where the end on the wire is still to come. What has come is read, and then the limit counts. */
static void test_body_read_timeout(void **state)
{
    static const char *const labels[] = {"gzip", "deflate", "br", "zstd"};
    for (int i = 0; i < 8; i++) {
        size_t first;
        bool is_whole = i % 2 != 0;
        const char *label = labels[i / 2];
        struct bytes bytes = is_whole ? encode_text(label) : encode_events(label, &first);
        const char *text = is_whole ? TEXT : ENCODE_EVENT_1;
        struct pieces *pieces = KEPT(state, struct pieces, .label = label, .holds_end = true);
        put_piece(pieces, 0, bytes.data, is_whole ? bytes.len : first);
        bytes_free(&bytes);
        struct origin *origin = serve_with(state, serve_pieces, pieces);
        ferry_transport *transport =
            transport_with(state, FERRY_TRANSPORT_OPTIONS(.body_read_timeout_ms = 60));
        ferry_response *res = open_get(transport, origin_url(origin, "/"));
        char buf[sizeof TEXT];
        ferry_error err;
        assert_true(ferry_response_decoded(res));
        read_exactly(res, buf, strlen(text));
        assert_memory_equal(buf, text, strlen(text));
        for (int again = 0; again < 2; again++) {
            assert_int_equal(ferry_response_read(res, buf, sizeof buf, &err), -1);
            assert_error(&err, FERRY_ETIMEOUT,
                         "timeout of 60 ms exceeded while waiting for more of it");
        }
        assert_int_equal(stats_of(transport).connections, 0);
        ferry_response_close(res);
        transport_done(state, transport);
        open_gates(pieces);
    }
}

/* The late end is none, but more of what is no coding: after bytes that were good. */
static void test_late_garbage(void **state)
{
    struct pieces *pieces = KEPT(state, struct pieces, .label = "deflate");
    put_all(pieces, 0, encode_text("deflate"));
    put_piece(pieces, 1, "garbage", 7);
    struct origin *origin = serve_with(state, serve_pieces, pieces);
    ferry_response *res = open_get(transport_with(state, NULL), origin_url(origin, "/"));
    char buf[100];
    ferry_error err;
    assert_int_equal(ferry_response_read(res, buf, sizeof buf, &err), strlen(TEXT));
    gate_open(&pieces->go_on[1]);
    assert_int_equal(ferry_response_read(res, buf, sizeof buf, &err), -1);
    assert_error(&err, FERRY_EPROTOCOL, "malformed deflate data: there are bytes behind its end");
    ferry_response_close(res);
    open_gates(pieces);
}

/* The connection ends in the middle of the body, and in the middle of the coding: that it ended too
 * soon is told once, as the connection's doing. */
static void test_cut_off_on_the_wire(void **state)
{
    static const struct origin_reply reply = {
        .bytes = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 9\r\n\r\n\x1f\x8b",
        .then = ORIGIN_THEN_CLOSE};
    struct origin *origin = serve_replies(state, &reply, 1);
    struct outcome outcome = get(transport_with(state, NULL), origin_url(origin, "/"));
    assert_failed(outcome, FERRY_ETRUNCATED, "the connection ended before the response's body did");
}

/* Buffers of one byte, read_all and save bring the same. */
static void test_every_way_of_reading(void **state)
{
    static const char *const labels[] = {"gzip", "deflate", "br", "zstd"};
    char dir[TEMP_DIR_SIZE];
    char path[TEMP_DIR_SIZE + 16];
    assert_true(temp_dir_make(dir));
    snprintf(path, sizeof path, "%s/saved", dir);
    for (int i = 0; i < 4; i++) {
        struct pieces *pieces = KEPT(state, struct pieces, .label = labels[i]);
        put_all(pieces, 0, encode_text(labels[i]));
        struct origin *origin = serve_with(state, serve_pieces, pieces);
        ferry_transport *transport = transport_with(state, NULL);
        ferry_error err = {0};
        char buf[100];
        size_t len = 0;
        ferry_response *res = open_get(transport, origin_url(origin, "/"));
        while (ferry_response_read(res, buf + len, 1, &err) > 0) {
            len++;
        }
        assert_int_equal(err.code, 0);
        assert_int_equal(len, strlen(TEXT));
        assert_memory_equal(buf, TEXT, len);
        ferry_response_close(res);
        res = open_get(transport, origin_url(origin, "/"));
        assert_null(ferry_response_read_all(res, strlen(TEXT) - 1, &len, &err));
        assert_error(&err, FERRY_ETOOBIG, "is longer than 49 bytes");
        ferry_response_close(res);
        res = open_get(transport, origin_url(origin, "/"));
        char *all = ferry_response_read_all(res, strlen(TEXT), &len, &err);
        assert_string_equal(all, TEXT);
        free(all);
        ferry_response_close(res);
        res = open_get(transport, origin_url(origin, "/"));
        FILE *file = fopen(path, "w+");
        assert_int_equal(ferry_response_save(res, fileno(file), &err), strlen(TEXT));
        rewind(file);
        assert_int_equal(fread(buf, 1, sizeof buf, file), strlen(TEXT));
        assert_memory_equal(buf, TEXT, strlen(TEXT));
        fclose(file);
        ferry_response_close(res);
        assert_int_equal(stats_of(transport).dials, 1);
        transport_done(state, transport);
        open_gates(pieces);
    }
    temp_dir_remove(dir);
}

/* A label on what has no body: it stays, and nothing is waited for. */
static void test_labels_without_a_body(void **state)
{
    static const struct origin_reply replies[] = {
        {.bytes =
             "HTTP/1.1 304 Not Modified\r\nContent-Encoding: gzip\r\nContent-Length: 40\r\n\r\n"},
        {.bytes = "HTTP/1.1 204 No Content\r\nContent-Encoding: br\r\n\r\n"},
    };
    struct origin *origin = serve_replies(state, replies, 2);
    ferry_transport *transport = transport_with(state, NULL);
    for (int i = 0; i < 2; i++) {
        ferry_response *res = open_get(transport, origin_url(origin, "/"));
        char byte;
        ferry_error err;
        assert_string_equal(ferry_response_header(res, "Content-Encoding"), i == 0 ? "gzip" : "br");
        assert_false(ferry_response_decoded(res));
        assert_int_equal(ferry_response_read(res, &byte, 1, &err), 0);
        ferry_response_close(res);
    }
    assert_int_equal(stats_of(transport).dials, 1);
}

/* ---- Other threads ---- */

struct opened {
    ferry_transport *transport;
    const char *url;
    ferry_response *res;
    bool reads; /* a task is left reading when the thread ends */
};

static void read_on(void *arg)
{
    struct opened *opened = arg;
    char buf[1000];
    while (ferry_response_read(opened->res, buf, sizeof buf, NULL) > 0) {}
}

static void open_and_leave(void *arg)
{
    struct opened *opened = arg;
    char byte;
    ferry_request *req = ferry_request_new("GET", opened->url, NULL);
    opened->res = ferry_transport_round_trip(opened->transport, req, NULL);
    ferry_request_free(req);
    if (opened->res == NULL || ferry_response_read(opened->res, &byte, 1, NULL) != 1) {
        return;
    }
    if (opened->reads && ferry_go(read_on, opened) == 0) {
        ferry_sleep(1);
    }
}

/* The thread that opened it ends, in one case in the middle of a read; another one closes what it
 * left. That the decoder goes too is what the leak checkers see. */
static void test_closed_after_its_thread(void **state)
{
    for (int reads = 0; reads < 2; reads++) {
        struct pieces *pieces = KEPT(state, struct pieces, .label = "zstd", .holds_end = true);
        size_t first;
        put_all(pieces, 0, encode_events("zstd", &first));
        struct origin *origin = serve_with(state, serve_pieces, pieces);
        ferry_transport *transport = transport_with(state, NULL);
        struct opened opened = {
            .transport = transport, .url = origin_url(origin, "/"), .reads = reads == 1};
        struct side side = {0};
        start_side(&side, open_and_leave, &opened);
        end_side(&side);
        assert_non_null(opened.res);
        ferry_response_close(opened.res);
        assert_eventually(stats_of(transport).connections == 0);
        transport_done(state, transport);
        open_gates(pieces);
    }
}

static void close_it(void *arg)
{
    ferry_response_close(arg);
}

/* Closed by another thread in the middle, its own thread in ferry and not. */
static void test_closed_by_another_thread(void **state)
{
    struct pieces *pieces = KEPT(state, struct pieces, .label = "br", .holds_end = true);
    size_t first;
    put_all(pieces, 0, encode_events("br", &first));
    struct origin *origin = serve_with(state, serve_pieces, pieces);
    ferry_transport *transport = transport_with(state, NULL);
    ferry_response *res = open_get(transport, origin_url(origin, "/"));
    char buf[4];
    read_exactly(res, buf, sizeof buf);
    struct side side = {0};
    start_side(&side, close_it, res);
    end_side(&side);
    gate_open(&pieces->go_on[2]);
    assert_eventually(stats_of(transport).open_responses == 0);
    open_gates(pieces);
}

/* A zstd frame of 1024 blocks, each of them one byte 128 KiB over: 4 KiB on the wire. What follows it
 * does not come. */
#define LARGE ((size_t)128 << 20)

static void serve_large(struct origin_conn *conn, void *arg)
{
    (void)arg;
    unsigned char frame[6 + 4 * 1024] = {0x28, 0xb5, 0x2f, 0xfd, 0, 0x58};
    for (size_t i = 6; i < sizeof frame; i += 4) {
        memcpy(frame + i, "\x02\x00\x10x", 4);
    }
    if (origin_read_request(conn)) {
        origin_send_text(conn, "HTTP/1.1 200 OK\r\nContent-Encoding: zstd\r\n"
                               "Content-Length: 100000\r\n\r\n");
        origin_send(conn, frame, sizeof frame);
        (void)origin_wait_eof(conn, -1);
    }
}

/* A task beside the reader's. */
struct beside {
    ferry_context *context; /* that it cancels in its third turn, its last then; NULL: none */
    int turns;
    bool ends;
};

static void take_turns(void *arg)
{
    struct beside *beside = arg;
    while (!beside->ends) {
        if (++beside->turns == 3 && beside->context != NULL) {
            ferry_context_cancel(beside->context);
            return;
        }
        ferry_yield();
    }
}

/* Reads what decodes without anything more from the wire. */
static size_t read_large(ferry_response *res, size_t most, ferry_error *err)
{
    size_t step = (size_t)4 << 20;
    char *buffer = malloc(step);
    size_t all = 0;
    ssize_t got;
    while (all < most && (got = ferry_response_read(res, buffer, step, err)) > 0) {
        all += (size_t)got;
    }
    free(buffer);
    return all;
}

/* Reading a few bytes that become many never waits: others have their turns all the same. */
static void test_others_have_turns_while_much_decodes(void **state)
{
    struct origin *origin = serve_with(state, serve_large, NULL);
    ferry_response *res = open_get(transport_with(state, NULL), origin_url(origin, "/"));
    struct beside beside = {0};
    ferry_error err = {0};
    assert_int_equal(ferry_go(take_turns, &beside), 0);
    size_t got = read_large(res, LARGE, &err);
    int turns = beside.turns;
    beside.ends = true;
    ferry_yield();
    ferry_response_close(res);
    assert_int_equal(got, LARGE);
    assert_in_range(turns, 100, INT_MAX);
}

/* ... and a request that is cancelled meanwhile, or whose time is over, has not all of it decoded. */
static void test_cancelled_while_much_decodes(void **state)
{
    struct origin *origin = serve_with(state, serve_large, NULL);
    ferry_transport *transport = transport_with(state, NULL);
    ferry_request *req = request("GET", origin_url(origin, "/"));
    struct beside beside = {.context = ferry_context_new(-1)};
    ferry_error err = {0};
    ferry_request_set_context(req, beside.context);
    ferry_client *client = ferry_client_new(FERRY_CLIENT_OPTIONS(.transport = transport));
    ferry_response *res = ferry_client_do(client, req, &err);
    char first;
    assert_non_null(res);
    read_exactly(res, &first, 1);
    assert_int_equal(ferry_go(take_turns, &beside), 0);
    size_t got = read_large(res, LARGE, &err);
    beside.ends = true;
    ferry_yield();
    ferry_response_close(res);
    ferry_client_free(client);
    ferry_request_free(req);
    ferry_context_free(beside.context);
    assert_in_range(got, 1, LARGE / 4);
    assert_error(&err, FERRY_ECANCELED, "while reading the body");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRANSPORT_TEST(test_events_flow),
        TRANSPORT_TEST(test_a_member_for_each_message),
        TRANSPORT_TEST(test_TR_091_late_end_on_the_wire),
        TRANSPORT_TEST(test_body_read_timeout),
        TRANSPORT_TEST(test_late_garbage),
        TRANSPORT_TEST(test_cut_off_on_the_wire),
        TRANSPORT_TEST(test_every_way_of_reading),
        TRANSPORT_TEST(test_labels_without_a_body),
        TRANSPORT_TEST(test_closed_after_its_thread),
        TRANSPORT_TEST(test_closed_by_another_thread),
        TRANSPORT_TEST(test_others_have_turns_while_much_decodes),
        TRANSPORT_TEST(test_cancelled_while_much_decodes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
