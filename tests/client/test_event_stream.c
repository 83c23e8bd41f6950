/*
 * Server-Sent Events: what the parser makes of bytes, and how a stream goes on over connections.
 */
#include "transport_test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "bytes.h"
#include "client/event_parser.h"

/* ---- The parser: each event as "id|type|data;" ---- */

static void parse(const char *bytes, size_t len, size_t step, char *out, int64_t *retry_ms)
{
    struct fy_event_parser parser = {.retry_ms = -1, .max = FY_EVENT_MAX};
    ferry_error err;
    *out = '\0';
    for (size_t at = 0; at < len;) {
        size_t taken;
        ferry_event event;
        size_t piece = len - at < step ? len - at : step;
        int result = fy_event_parser_feed(&parser, bytes + at, piece, &taken, &event, &err);
        assert_true(result >= 0);
        at += taken;
        if (result == 1) {
            out += sprintf(out, "%s|%s|%s;", event.id, event.type, event.data);
        }
    }
    *retry_ms = parser.retry_ms;
    fy_event_parser_free(&parser);
}

static void test_parser(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
        const char *events;
        int64_t retry_ms;
    } cases[] = {
        {BYTES("data: one\n\n"), "|message|one;", -1},
        {BYTES("data:one\ndata: two\ndata\n\n"), "|message|one\ntwo\n;", -1},
        {BYTES("data:  one\n\n"), "|message| one;", -1},
        {BYTES("data: a\r\n\r\ndata: b\r\rdata: c\n\n"), "|message|a;|message|b;|message|c;", -1},
        {BYTES("data: a\r\ndata: b\r\n\r\n"), "|message|a\nb;", -1},
        {BYTES("\xef\xbb\xbf"
               "data: a\n\n"),
         "|message|a;", -1},
        {BYTES("\n\xef\xbb\xbf"
               "data: a\n\n"),
         "", -1},
        {BYTES("event: add\ndata: 1\n\ndata: 2\n\n"), "|add|1;|message|2;", -1},
        {BYTES("event: add\n\ndata: 2\n\n"), "|message|2;", -1},
        {BYTES("id: 7\ndata: a\n\ndata: b\n\nid\ndata: c\n\n"),
         "7|message|a;7|message|b;|message|c;", -1},
        {BYTES("id: 7\n\ndata: b\n\n"), "7|message|b;", -1},
        {BYTES("id: 1\ndata: a\n\nid: a\0b\ndata: b\n\n"), "1|message|a;1|message|b;", -1},
        {BYTES("retry: 150\n\n"), "", 150},
        {BYTES("retry: 150\nretry: 1s\nretry:\n\n"), "", 150},
        {BYTES("retry: 99999999999999999999\n\n"), "", INT64_C(31536000000)},
        {BYTES(": comment\n\n:\ndata: a\n\n"), "|message|a;", -1},
        {BYTES("Data: a\nnonsense\ndatax: a\n\n"), "", -1},
        {BYTES("data\n\n"), "|message|;", -1},
        {BYTES("data: whole\n\ndata: cut off\n"), "|message|whole;", -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        static const size_t steps[] = {1000, 1, 3};
        for (size_t j = 0; j < 3; j++) {
            char events[500];
            int64_t retry_ms;
            parse(cases[i].bytes, cases[i].len, steps[j], events, &retry_ms);
            assert_string_equal(events, cases[i].events);
            assert_int_equal(retry_ms, cases[i].retry_ms);
        }
    }
}

static void test_endless_event(void **state)
{
    (void)state;
    struct fy_event_parser parser = {.retry_ms = -1, .max = FY_EVENT_MAX};
    ferry_error err = {0};
    ferry_event event;
    size_t taken;
    char line[1000] = "data:";
    memset(line + 5, 'x', sizeof line - 6);
    line[sizeof line - 1] = '\n';
    int result = 0;
    size_t fed = 0;
    while (result == 0 && fed <= 2 * FY_EVENT_MAX) {
        result = fy_event_parser_feed(&parser, line, sizeof line, &taken, &event, &err);
        fed += sizeof line;
    }
    assert_int_equal(result, -1);
    assert_error(&err, FERRY_ETOOBIG, "an event is longer than");
    fy_event_parser_free(&parser);
}

/* ---- Streams ---- */

#define HEAD "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"

static void test_over_a_response(void **state)
{
    struct origin *origin =
        serve_reply(state, HEAD "Content-Length: 40\r\n\r\nid: 1\ndata: one\n\nevent: x\ndata: "
                                "two\n\ndata: ");
    ferry_transport *transport = transport_with(state, NULL);
    ferry_error err;
    ferry_event event;
    ferry_event_stream *stream =
        ferry_event_stream_new(open_get(transport, origin_url(origin, "/")), &err);
    assert_non_null(stream);
    assert_int_equal(ferry_event_stream_next(stream, &event, &err), 1);
    assert_string_equal(event.data, "one");
    assert_int_equal(event.data_len, 3);
    assert_string_equal(event.id, "1");
    assert_int_equal(ferry_event_stream_next(stream, &event, &err), 1);
    assert_string_equal(event.type, "x");
    assert_string_equal(event.data, "two");
    assert_int_equal(ferry_event_stream_next(stream, &event, &err), 0);
    assert_int_equal(ferry_event_stream_next(stream, &event, &err), 0);
    assert_string_equal(ferry_event_stream_last_id(stream), "1");
    ferry_event_stream_free(stream);
    ferry_event_stream_free(NULL);
}

/* The connection ends, once cleanly and once in the middle of an event: the stream goes on with the
 * last event's id, until the server says that there is no more. */
static void test_goes_on_with_the_last_id(void **state)
{
    static const struct origin_reply replies[] = {
        {.bytes = HEAD "\r\nretry: 1\nid: a\ndata: 1\n\n", .then = ORIGIN_THEN_CLOSE},
        {.bytes = HEAD "Content-Length: 99\r\n\r\nid: b\ndata: 2\n\nid: c\ndata: lost",
         .then = ORIGIN_THEN_CLOSE},
        {.bytes = HEAD "Content-Length: 9\r\n\r\ndata: 3\n\n"},
        {.bytes = "HTTP/1.1 204 No Content\r\n\r\n"},
    };
    static const char *const data[] = {"1", "2", "3"};
    static const char *const ids[] = {"a", "b", "b"};
    struct origin *origin = serve_replies(state, replies, 4);
    ferry_transport *transport = transport_with(state, NULL);
    ferry_client *client = ferry_client_new(FERRY_CLIENT_OPTIONS(.transport = transport));
    ferry_request *req = request("GET", origin_url(origin, "/"));
    ferry_error err = {0};
    ferry_event event;
    ferry_event_stream *stream = ferry_event_stream_open(client, req, 1, &err);
    assert_non_null(stream);
    for (int i = 0; i < 3; i++) {
        if (ferry_event_stream_next(stream, &event, &err) != 1) {
            fail_msg("event %d: %s", i, err.message);
        }
        assert_string_equal(event.data, data[i]);
        assert_string_equal(event.id, ids[i]);
    }
    assert_int_equal(ferry_event_stream_next(stream, &event, &err), 0);
    assert_int_equal(ferry_event_stream_next(stream, &event, &err), 0);
    assert_non_null(strstr(origin_request(origin, 0).head, "\r\nAccept: text/event-stream\r\n"));
    assert_null(strstr(origin_request(origin, 0).head, "Last-Event-ID"));
    assert_non_null(strstr(origin_request(origin, 1).head, "\r\nLast-Event-ID: a\r\n"));
    assert_non_null(strstr(origin_request(origin, 2).head, "\r\nLast-Event-ID: b\r\n"));
    assert_non_null(strstr(origin_request(origin, 3).head, "\r\nLast-Event-ID: b\r\n"));
    ferry_event_stream_free(stream);
    ferry_request_free(req);
    ferry_client_free(client);
}

/* Servers that are being started anew, behind TLS. */
struct restarting {
    int calls;
    int os_errno; /* of the second call's error */
};

static ferry_response *restart(void *self, ferry_request *req, ferry_error *err)
{
    struct restarting *restarting = self;
    (void)req;
    if (++restarting->calls == 2) {
        err->code = FERRY_ETLS;
        err->os_errno = restarting->os_errno;
        return NULL;
    }
    static const char events[] = "retry: 1\ndata: here\n\n";
    ferry_response *res = ferry_response_new(200, events, strlen(events));
    assert_int_equal(ferry_response_add_header(res, "Content-Type", "text/event-stream"), 0);
    return res;
}

/* A handshake that breaks off is a connection that ended; one that is refused will be again. */
static void test_broken_handshakes(void **state)
{
    (void)state;
    for (int refused = 0; refused < 2; refused++) {
        struct restarting restarting = {.os_errno = refused ? 0 : ECONNRESET};
        const ferry_round_tripper tripper = {restart, &restarting};
        ferry_client *client = ferry_client_new(FERRY_CLIENT_OPTIONS(.round_tripper = &tripper));
        ferry_request *req = request("GET", "https://a.example/");
        ferry_error err = {0};
        ferry_event event;
        ferry_event_stream *stream = ferry_event_stream_open(client, req, -1, &err);
        assert_int_equal(ferry_event_stream_next(stream, &event, &err), 1);
        assert_int_equal(ferry_event_stream_next(stream, &event, &err), refused ? -1 : 1);
        assert_int_equal(restarting.calls, refused ? 2 : 3);
        ferry_event_stream_free(stream);
        ferry_request_free(req);
        ferry_client_free(client);
    }
}

static void test_what_is_no_event_stream(void **state)
{
    static const struct origin_reply replies[] = {
        {.bytes = "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nContent-Length: "
                  "0\r\n\r\n"},
        {.bytes = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 0\r\n\r\n"},
    };
    struct origin *origin = serve_replies(state, replies, 2);
    ferry_transport *transport = transport_with(state, NULL);
    ferry_client *client = ferry_client_new(FERRY_CLIENT_OPTIONS(.transport = transport));
    for (int i = 0; i < 2; i++) {
        ferry_request *req = request("GET", origin_url(origin, "/"));
        ferry_error err = {0};
        ferry_event event;
        ferry_event_stream *stream = ferry_event_stream_open(client, req, -1, &err);
        assert_non_null(stream);
        assert_int_equal(ferry_event_stream_next(stream, &event, &err), -1);
        assert_error(&err, FERRY_EUNSUPPORTED, i == 0 ? "status 404" : "\"text/html\"");
        ferry_event_stream_free(stream);
        ferry_request_free(req);
    }
    ferry_client_free(client);
}

/* A wait for the next try ends with the context. */
static void cancel_soon(void *context)
{
    ferry_yield();
    ferry_sleep(5);
    ferry_context_cancel(context);
}

static void test_cancelled_while_waiting(void **state)
{
    struct origin *origin =
        serve_reply(state, HEAD "Content-Length: 26\r\n\r\nretry: 600000\ndata: one\n\n\n");
    ferry_transport *transport = transport_with(state, NULL);
    ferry_client *client = ferry_client_new(FERRY_CLIENT_OPTIONS(.transport = transport));
    ferry_context *context = ferry_context_new(-1);
    ferry_request *req = request("GET", origin_url(origin, "/"));
    ferry_request_set_context(req, context);
    ferry_error err = {0};
    ferry_event event;
    ferry_event_stream *stream = ferry_event_stream_open(client, req, -1, &err);
    assert_int_equal(ferry_event_stream_next(stream, &event, &err), 1);
    assert_int_equal(event.retry_ms, 600000);
    assert_int_equal(ferry_go(cancel_soon, context), 0);
    assert_int_equal(ferry_event_stream_next(stream, &event, &err), -1);
    assert_error(&err, FERRY_ECANCELED, NULL);
    ferry_event_stream_free(stream);
    ferry_request_free(req);
    ferry_context_free(context);
    ferry_client_free(client);
}

/* ---- What a server may say instead ---- */

/* A refusal is the response itself: its status, its fields, and the body that says why. */
static void test_refusal_can_be_read(void **state)
{
    struct origin *origin =
        serve_reply(state, "HTTP/1.1 401 Unauthorized\r\nX-Id: 7\r\nContent-Type: "
                           "application/json\r\nContent-Length: 16\r\n\r\n"
                           "{\"error\": \"key\"}");
    ferry_transport *transport = transport_with(state, NULL);
    ferry_client *client = ferry_client_new(FERRY_CLIENT_OPTIONS(.transport = transport));
    ferry_request *req = request("POST", origin_url(origin, "/"));
    ferry_error err = {0};
    ferry_event event;
    ferry_event_stream *stream = ferry_event_stream_open(client, req, -1, &err);
    assert_null(ferry_event_stream_response(stream));
    assert_int_equal(ferry_event_stream_next(stream, &event, &err), -1);
    assert_error(&err, FERRY_EUNSUPPORTED, "status 401");
    ferry_response *res = ferry_event_stream_response(stream);
    assert_non_null(res);
    assert_int_equal(ferry_response_status(res), 401);
    assert_string_equal(ferry_response_header(res, "X-Id"), "7");
    char *body = ferry_response_read_all(res, 1000, NULL, &err);
    assert_string_equal(body, "{\"error\": \"key\"}");
    free(body);
    assert_int_equal(ferry_event_stream_next(stream, &event, &err), 0);
    ferry_event_stream_free(stream);
    ferry_request_free(req);
    ferry_client_free(client);
}

/* A server that is busy is asked again, when it wants that, as often as is allowed. */
static void test_busy_servers(void **state)
{
    static const struct origin_reply replies[] = {
        {.bytes = "HTTP/1.1 503 Busy\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n"},
        {.bytes = "HTTP/1.1 429 Too Many\r\nRetry-After: 0\r\nContent-Length: 4\r\n\r\nwait"},
        {.bytes = HEAD "Content-Length: 20\r\n\r\nretry: 1\ndata: one\n\n"},
        {.bytes = "HTTP/1.1 502 Bad\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n"},
        {.bytes = "HTTP/1.1 504 Late\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n"},
        {.bytes = "HTTP/1.1 500 Wrong\r\nContent-Length: 0\r\n\r\n"},
    };
    struct origin *origin = serve_replies(state, replies, 6);
    ferry_transport *transport = transport_with(state, NULL);
    ferry_client *client = ferry_client_new(FERRY_CLIENT_OPTIONS(.transport = transport));
    ferry_request *req = request("GET", origin_url(origin, "/"));
    ferry_error err = {0};
    ferry_event event;
    ferry_event_stream *stream = ferry_event_stream_open(client, req, 0, &err);
    assert_int_equal(ferry_event_stream_next(stream, &event, &err), -1);
    assert_error(&err, FERRY_EUNSUPPORTED, "status 503");
    assert_int_equal(ferry_response_status(ferry_event_stream_response(stream)), 503);
    ferry_event_stream_free(stream);

    stream = ferry_event_stream_open(client, req, 3, &err);
    err = (ferry_error){0};
    assert_int_equal(ferry_event_stream_next(stream, &event, &err), 1);
    assert_string_equal(event.data, "one");
    assert_int_equal(err.code, 0); /* what went well has no error */
    assert_int_equal(ferry_event_stream_next(stream, &event, &err), -1);
    assert_error(&err, FERRY_EUNSUPPORTED, "status 500");
    assert_int_equal(origin_counts(origin).requests, 6);
    ferry_event_stream_free(stream);
    ferry_request_free(req);
    ferry_client_free(client);
}

/* An id from another day is gone on from, one that is taken back is not sent any more, and
 * redirects take it along. */
static void test_ids_of_every_kind(void **state)
{
    static const struct origin_reply replies[] = {
        {.bytes = "HTTP/1.1 307 There\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n"},
        {.bytes = HEAD "Content-Length: 20\r\n\r\nretry: 1\ndata: one\n\n"},
        {.bytes = HEAD "Content-Length: 18\r\n\r\nid: \xc3\xa4\ndata: two\n\n"},
        {.bytes = HEAD "Content-Length: 16\r\n\r\nid\ndata: three\n\n"},
        {.bytes = HEAD "Content-Length: 18\r\n\r\nid: \x01\ndata: four\n\n"},
        {.bytes = "HTTP/1.1 204 No Content\r\n\r\n"},
    };
    static const char *const data[] = {"one", "two", "three", "four"};
    static const char *const ids[] = {"saved", "\xc3\xa4", "", "\x01"};
    static const char *const sent[] = {"saved", "saved", "saved", "\xc3\xa4", NULL, NULL};
    struct origin *origin = serve_replies(state, replies, 6);
    ferry_transport *transport = transport_with(state, NULL);
    ferry_client *client = ferry_client_new(FERRY_CLIENT_OPTIONS(.transport = transport));
    ferry_request *req = request("GET", origin_url(origin, "/"));
    ferry_error err = {0};
    ferry_event event;
    ferry_request_set_header(req, "Last-Event-ID", "saved");
    ferry_request_set_header(req, "Accept", "text/event-stream, */*");
    ferry_event_stream *stream = ferry_event_stream_open(client, req, 1, &err);
    assert_string_equal(ferry_event_stream_last_id(stream), "saved");
    for (int i = 0; i < 4; i++) {
        assert_int_equal(ferry_event_stream_next(stream, &event, &err), 1);
        assert_string_equal(event.data, data[i]);
        assert_string_equal(event.id, ids[i]);
        assert_string_equal(ferry_event_stream_last_id(stream), ids[i]);
    }
    assert_int_equal(ferry_event_stream_next(stream, &event, &err), 0);
    assert_null(ferry_event_stream_response(stream));
    for (size_t i = 0; i < 6; i++) {
        char line[60];
        const char *head = origin_request(origin, i).head;
        snprintf(line, sizeof line, "\r\nLast-Event-ID: %s\r\n", sent[i] != NULL ? sent[i] : "");
        assert_true(sent[i] != NULL ? strstr(head, line) != NULL
                                    : strstr(head, "Last-Event-ID") == NULL);
        assert_non_null(strstr(head, "\r\nAccept: text/event-stream, */*\r\n"));
        assert_non_null(strstr(head, "\r\nCache-Control: no-cache\r\n"));
    }
    ferry_event_stream_free(stream);
    ferry_request_free(req);
    ferry_client_free(client);
}

/* ---- Limits ---- */

static void serve_endless_line(struct origin_conn *conn, void *arg)
{
    char line[4096];
    memset(line, 'x', sizeof line);
    if (origin_read_request(conn)) {
        origin_send_text(conn, HEAD "\r\ndata: short enough\n\n");
        origin_send_text(conn, arg);
        while (origin_send(conn, line, sizeof line)) {}
    }
}

/* Data, and what nobody would ever see: a comment. */
static void test_endless_lines_end_the_stream(void **state)
{
    static char data[] = "data:";
    static char comment[] = ":";
    for (int i = 0; i < 2; i++) {
        struct origin *origin = serve_with(state, serve_endless_line, i == 0 ? data : comment);
        ferry_transport *transport = transport_with(state, NULL);
        ferry_error err = {0};
        ferry_event event;
        ferry_event_stream *stream =
            ferry_event_stream_new(open_get(transport, origin_url(origin, "/")), &err);
        ferry_event_stream_set_max_event(stream, 100000);
        assert_int_equal(ferry_event_stream_next(stream, &event, &err), 1);
        assert_int_equal(ferry_event_stream_next(stream, &event, &err), -1);
        assert_error(&err, FERRY_ETOOBIG, "an event is longer than 100000 bytes");
        assert_int_equal(stats_of(transport).connections, 0);
        assert_int_equal(ferry_event_stream_next(stream, &event, &err), 0);
        ferry_event_stream_free(stream);
        transport_done(state, transport);
    }
}

/* Many short lines of one event count together; and the limit starts anew with the next event. */
static void test_limit_of_an_event(void **state)
{
    (void)state;
    struct fy_event_parser parser = {.retry_ms = -1, .max = 30};
    ferry_error err = {0};
    ferry_event event;
    size_t taken;
    static const char good[] = "data: 0123456789\ndata: 01234\n\n";
    static const char bad[] = "data: 0123456789\ndata: 0123456789\ndata: 012\n\n";
    for (int i = 0; i < 10; i++) {
        assert_int_equal(fy_event_parser_feed(&parser, good, sizeof good - 1, &taken, &event, &err),
                         1);
        assert_int_equal(event.data_len, 16);
    }
    assert_int_equal(fy_event_parser_feed(&parser, bad, sizeof bad - 1, &taken, &event, &err), -1);
    assert_error(&err, FERRY_ETOOBIG, "an event is longer than 30 bytes");
    fy_event_parser_free(&parser);
}

/* A server that wants no wait at all, and brings nothing: it is not asked without a pause. */
static void test_failures_in_a_row_wait(void **state)
{
    struct origin *origin = serve_reply(state, HEAD "Content-Length: 10\r\n\r\nretry: 0\n\n");
    ferry_transport *transport = transport_with(state, NULL);
    ferry_client *client = ferry_client_new(FERRY_CLIENT_OPTIONS(.transport = transport));
    ferry_context *context = ferry_context_new(200);
    ferry_request *req = request("GET", origin_url(origin, "/"));
    ferry_error err = {0};
    ferry_event event;
    ferry_request_set_context(req, context);
    ferry_event_stream *stream = ferry_event_stream_open(client, req, -1, &err);
    assert_int_equal(ferry_event_stream_next(stream, &event, &err), -1);
    assert_error(&err, FERRY_ETIMEOUT, NULL);
    assert_true(origin_counts(origin).requests <= 60);
    ferry_event_stream_free(stream);
    ferry_request_free(req);
    ferry_context_free(context);
    ferry_client_free(client);
}

/* ---- Time ---- */

static void serve_slowly(struct origin_conn *conn, void *arg)
{
    (void)arg;
    if (origin_read_request(conn)) {
        origin_send_slowly(conn, BYTES(HEAD "\r\n\xef\xbb\xbf"
                                            "data: one\r\ndata: more\r\n\r\n"
                                            "id: 2\rdata: two\r\rdata: cut off"));
    }
}

/* Every line end, and the byte order mark, cut in two by the wire. */
static void test_byte_by_byte(void **state)
{
    struct origin *origin = serve_with(state, serve_slowly, NULL);
    ferry_transport *transport = transport_with(state, NULL);
    ferry_error err = {0};
    ferry_event event;
    ferry_event_stream *stream =
        ferry_event_stream_new(open_get(transport, origin_url(origin, "/")), &err);
    assert_int_equal(ferry_event_stream_next(stream, &event, &err), 1);
    assert_string_equal(event.data, "one\nmore");
    assert_int_equal(ferry_event_stream_next(stream, &event, &err), 1);
    assert_string_equal(event.data, "two");
    assert_string_equal(event.id, "2");
    assert_int_equal(ferry_event_stream_next(stream, &event, &err), 0);
    ferry_event_stream_free(stream);
}

static void serve_one_event_then_silence(struct origin_conn *conn, void *arg)
{
    if (origin_read_request(conn)) {
        origin_send_text(conn, HEAD "\r\nretry: 1\r\ndata: one\r\n\r\n");
        origin_wait(conn, arg);
    }
}

/* A silence that the request's timeout ends: it is each connection's, so the stream goes on, as far
 * as it may. A stream over a response ends. */
static void test_silence(void **state)
{
    struct gate *end = KEPT(state, struct gate, 0);
    struct origin *origin = serve_with(state, serve_one_event_then_silence, end);
    ferry_transport *transport = transport_with(state, NULL);
    ferry_client *client = ferry_client_new(FERRY_CLIENT_OPTIONS(.transport = transport));
    for (int opened = 0; opened < 2; opened++) {
        ferry_request *req = request("GET", origin_url(origin, "/"));
        ferry_error err = {0};
        ferry_event event;
        ferry_request_set_timeout(req, 700);
        unsigned before = origin_counts(origin).accepted;
        ferry_event_stream *stream =
            opened ? ferry_event_stream_open(client, req, 1, &err)
                   : ferry_event_stream_new(ferry_client_do(client, req, &err), &err);
        int events = 0;
        int result;
        while (events < (opened ? 2 : 1) &&
               (result = ferry_event_stream_next(stream, &event, &err)) == 1) {
            assert_string_equal(event.data, "one");
            events++;
        }
        assert_int_equal(events, opened ? 2 : 1);
        assert_int_equal(origin_counts(origin).accepted - before, opened ? 2 : 1);
        if (!opened) {
            assert_int_equal(ferry_event_stream_next(stream, &event, &err), -1);
            assert_error(&err, FERRY_ETIMEOUT, NULL);
        }
        ferry_event_stream_free(stream);
        ferry_request_free(req);
    }
    gate_open(end);
    ferry_client_free(client);
}

static void test_over_nothing(void **state)
{
    (void)state;
    ferry_error err = {0};
    assert_null(ferry_event_stream_new(NULL, &err));
    assert_error(&err, FERRY_EINVAL, "over no response");
    assert_null(ferry_event_stream_open(NULL, NULL, 0, &err));
    assert_error(&err, FERRY_EINVAL, "there is no request to send");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parser),
        cmocka_unit_test(test_endless_event),
        TRANSPORT_TEST(test_over_a_response),
        TRANSPORT_TEST(test_goes_on_with_the_last_id),
        TRANSPORT_TEST(test_broken_handshakes),
        TRANSPORT_TEST(test_what_is_no_event_stream),
        TRANSPORT_TEST(test_cancelled_while_waiting),
        TRANSPORT_TEST(test_refusal_can_be_read),
        TRANSPORT_TEST(test_busy_servers),
        TRANSPORT_TEST(test_ids_of_every_kind),
        TRANSPORT_TEST(test_endless_lines_end_the_stream),
        cmocka_unit_test(test_limit_of_an_event),
        TRANSPORT_TEST(test_failures_in_a_row_wait),
        TRANSPORT_TEST(test_byte_by_byte),
        TRANSPORT_TEST(test_silence),
        cmocka_unit_test(test_over_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
