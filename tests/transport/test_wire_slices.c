/*
 * Responses of every framing, whole and in pieces: one byte at a time, in every two-way split, and
 * cut off at every offset, by a close and by a reset. What the pieces are makes no difference to
 * what the caller sees; a cut is an error of one sentence wherever it does not fall on the
 * response's own end.
 */
#include "wire_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a response's end looks like on the wire. */
enum ending {
    FRAMED,     /* its own bytes tell */
    UNTIL_CLOSE /* the connection's end tells: a cut behind the head cannot be told from it */
};

struct sample {
    const char *name;
    const char *method;
    const char *head; /* interim responses included */
    const char *rest; /* everything behind the head */
    enum ending ending;
    int status;
    int64_t length;
    const char *body;
    const char *trailer;
};

static const struct sample samples[] = {
    {"sized", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 11\r\nX-Other: a  b\r\n\r\n",
     "hello world", FRAMED, 200, 11, "hello world", ""},
    {"empty", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "", FRAMED, 200, 0, "", ""},
    {"chunked", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
     "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", FRAMED, 200, -1, "hello world", ""},
    {"chunked, with extensions and trailers", "GET",
     "HTTP/1.1 200 OK\r\nTrailer: X-Trailer\r\ntransfer-encoding: Chunked\r\n\r\n",
     "00A;name=\"quo\\\"ted\";flag\r\n0123456789\r\n1 ;x=y\r\n!\r\n0;last\r\nX-Trailer:  late "
     "\r\nX-More: 1\r\n\r\n",
     FRAMED, 200, -1, "0123456789!", "late"},
    {"chunked and empty", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
     "0\r\n\r\n", FRAMED, 200, -1, "", ""},
    {"until close", "GET", "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n", "hello world",
     UNTIL_CLOSE, 200, -1, "hello world", ""},
    {"HTTP/1.0, sized", "GET", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", "hello", FRAMED, 200,
     5, "hello", ""},
    {"HTTP/1.0, sized and kept alive", "GET",
     "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 5\r\n\r\n", "hello", FRAMED, 200,
     5, "hello", ""},
    {"HTTP/1.0, until close", "GET", "HTTP/1.0 200 OK\r\n\r\n", "hello", UNTIL_CLOSE, 200, -1,
     "hello", ""},
    {"no content", "GET", "HTTP/1.1 204 No Content\r\nX-Other: 1\r\n\r\n", "", FRAMED, 204, 0, "",
     ""},
    {"not modified, with a length", "GET",
     "HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n", "", FRAMED, 304, 99, "", ""},
    {"to HEAD, with a length", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 123\r\n\r\n", "", FRAMED,
     200, 123, "", ""},
    {"to HEAD, chunked", "HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "",
     FRAMED, 200, -1, "", ""},
    {"interim responses first", "GET",
     "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
     "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\n",
     "gone", FRAMED, 404, 4, "gone", ""},
    {"no reason", "GET", "HTTP/1.1 200 \r\nContent-Length: 1\r\n\r\n", "x", FRAMED, 200, 1, "x",
     ""},
    {"close asked for", "GET", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n",
     "ok", FRAMED, 200, 2, "ok", ""},
};

enum { SAMPLES = sizeof samples / sizeof samples[0] };

static size_t size_of(const struct sample *sample)
{
    return strlen(sample->head) + strlen(sample->rest);
}

/* --------------------------------------------------------------------------------- the origin */

enum way { SLOWLY, SPLIT, CUT, RESET, WAYS };

static const char *const way_names[WAYS] = {"slowly", "split", "cut", "reset"};

/* The path says it all: "/sample/way/offset". */
static void serve(struct origin_conn *conn, void *arg)
{
    (void)arg;
    while (origin_read_request(conn)) {
        unsigned at;
        unsigned way;
        size_t offset;
        char bytes[512];
        const char *path = strchr(origin_conn_request(conn).head, '/');
        if (sscanf(path, "/%u/%u/%zu", &at, &way, &offset) != 3 || at >= SAMPLES) {
            return;
        }
        int len = snprintf(bytes, sizeof bytes, "%s%s", samples[at].head, samples[at].rest);
        switch (way) {
        case SLOWLY: (void)origin_send_slowly(conn, bytes, (size_t)len); break;
        case SPLIT: (void)origin_send_slices(conn, bytes, (size_t)len, &offset, 1); break;
        case RESET:
            (void)origin_send(conn, bytes, offset);
            origin_reset(conn);
            return;
        default: (void)origin_send(conn, bytes, offset); return;
        }
        if (samples[at].ending == UNTIL_CLOSE) {
            return;
        }
    }
}

/* ---------------------------------------------------------------------------------- the client */

/* Many at once, so that the wait for one slice is another's time. */
enum { TASKS = 16 };

struct torture {
    ferry_client *client;
    struct origin *origin;
    enum way way;
    bool ends_included; /* offsets 0 and size as well */
    unsigned sample;    /* which is next */
    size_t offset;      /* likewise */
    int served;
    struct wire_findings findings;
};

struct trial {
    const struct sample *sample;
    enum way way;
    size_t offset;
    char url[128];
};

/* Hands out the next trial; false: there are none left. */
static bool next_trial(struct torture *torture, struct trial *trial)
{
    if (torture->sample >= SAMPLES) {
        return false;
    }
    char path[64];
    unsigned at = torture->sample;
    size_t size = size_of(&samples[at]);
    *trial = (struct trial){&samples[at], torture->way, torture->offset, ""};
    snprintf(path, sizeof path, "/%u/%d/%zu", at, torture->way, torture->offset);
    snprintf(trial->url, sizeof trial->url, "%s", origin_url(torture->origin, path));
    if (torture->way == SLOWLY || ++torture->offset >= size + torture->ends_included) {
        torture->sample++;
        torture->offset = !torture->ends_included;
    }
    torture->served++;
    return true;
}

/* The response as it is when nothing is missing, or, for one that the close ends, its first bytes. */
static void check_whole(struct torture *torture, const struct trial *trial,
                        const struct wire_answer *answer, size_t body_len)
{
    const struct sample *sample = trial->sample;
    if (answer->err.code != 0 || answer->status != sample->status ||
        answer->length != sample->length || answer->body_len != body_len ||
        memcmp(answer->body, sample->body, body_len) != 0 ||
        strcmp(answer->trailer, sample->trailer) != 0) {
        wire_find(&torture->findings,
                  "%s, %s at %zu: status %d, length %lld, body \"%s\", "
                  "trailer \"%s\", error \"%s\"",
                  sample->name, way_names[trial->way], trial->offset, answer->status,
                  (long long)answer->length, answer->body != NULL ? answer->body : "",
                  answer->trailer, answer->err.message);
    }
}

static void check_failed(struct torture *torture, const struct trial *trial,
                         const struct wire_answer *answer, int status, int code,
                         const char *sentence)
{
    if (answer->status != status || answer->err.code != code ||
        strcmp(answer->err.message, sentence) != 0) {
        wire_find(&torture->findings, "%s, %s at %zu: status %d, %s \"%s\"; not status %d, \"%s\"",
                  trial->sample->name, way_names[trial->way], trial->offset, answer->status,
                  ferry_strerror(answer->err.code), answer->err.message, status, sentence);
    }
}

/* What a response that was cut off at an offset must come to. */
static void check_cut(struct torture *torture, const struct trial *trial,
                      const struct wire_answer *answer)
{
    const struct sample *sample = trial->sample;
    bool reset = trial->way == RESET;
    size_t head = strlen(sample->head);
    const char *verb = strcmp(sample->method, "HEAD") == 0 ? "Head" : "Get";
    char sentence[sizeof answer->err.message];
    if (trial->offset == size_of(sample) && !(reset && sample->ending == UNTIL_CLOSE)) {
        check_whole(torture, trial, answer, strlen(sample->body));
    } else if (trial->offset < head) {
        snprintf(sentence, sizeof sentence, "%s \"%s\": %s", verb, trial->url,
                 reset ? "read: connection reset by peer"
                 : trial->offset == 0
                     ? "the server closed the connection without answering"
                     : "the connection ended in the middle of the response's head");
        check_failed(torture, trial, answer, 0,
                     reset                ? FERRY_EREAD
                     : trial->offset == 0 ? FERRY_ESERVERCLOSED
                                          : FERRY_ETRUNCATED,
                     sentence);
    } else if (sample->ending == UNTIL_CLOSE && !reset) {
        check_whole(torture, trial, answer, trial->offset - head);
    } else {
        snprintf(sentence, sizeof sentence, "reading the body of %s: %s", trial->url,
                 reset ? "read: connection reset by peer"
                       : "the connection ended before the response's body did");
        check_failed(torture, trial, answer, sample->status, reset ? FERRY_EREAD : FERRY_ETRUNCATED,
                     sentence);
    }
}

static void run_trials(void *arg)
{
    struct torture *torture = arg;
    struct trial trial;
    while (next_trial(torture, &trial)) {
        ferry_error err = {0};
        ferry_request *req = ferry_request_new(trial.sample->method, trial.url, &err);
        struct wire_answer answer = wire_send(torture->client, req);
        if (trial.way == SLOWLY || trial.way == SPLIT) {
            check_whole(torture, &trial, &answer, strlen(trial.sample->body));
        } else {
            check_cut(torture, &trial, &answer);
        }
        wire_answer_free(&answer);
        ferry_request_free(req);
    }
}

static int torture_all(void **state, enum way way, bool ends_included)
{
    ferry_transport *transport = transport_with(state, NULL);
    struct torture torture = {
        .client = wire_client(transport),
        .origin = serve_with(state, serve, NULL),
        .way = way,
        .ends_included = ends_included,
        .offset = !ends_included,
    };
    ferry_group *group = ferry_group_new();
    assert_non_null(group);
    for (int i = 0; i < TASKS; i++) {
        assert_int_equal(ferry_group_go(group, run_trials, &torture), 0);
    }
    ferry_group_wait(group);
    ferry_group_free(group);
    ferry_client_free(torture.client);
    wire_assert_none(&torture.findings);
    return torture.served;
}

static int count_offsets(int more)
{
    int count = 0;
    for (int i = 0; i < SAMPLES; i++) {
        count += (int)size_of(&samples[i]) + more;
    }
    return count;
}

static void test_one_byte_at_a_time(void **state)
{
    assert_int_equal(torture_all(state, SLOWLY, false), SAMPLES);
}

static void test_every_two_way_split(void **state)
{
    assert_int_equal(torture_all(state, SPLIT, false), count_offsets(-1));
}

/* CH-007, CS-054, RS-006 */
static void test_cut_off_at_every_offset(void **state)
{
    assert_int_equal(torture_all(state, CUT, true), count_offsets(1));
}

/* A reset is never an end, not even of what only the close ends. */
static void test_reset_at_every_offset(void **state)
{
    assert_int_equal(torture_all(state, RESET, true), count_offsets(1));
}

enum { LONG_HEAD_FIELDS = 150, LONG_HEAD_VALUE = 300, LONG_HEAD_PIECE = 999 };

/* "N: " and a value of N's own. */
static void long_value(char value[LONG_HEAD_VALUE + 1], int number)
{
    memset(value, 'a' + number % 26, LONG_HEAD_VALUE);
    value[LONG_HEAD_VALUE] = '\0';
    value[number] = '!';
}

static void serve_long_head(struct origin_conn *conn, void *arg)
{
    (void)arg;
    while (origin_read_request(conn)) {
        struct bytes head = {0};
        bytes_append(&head, BYTES("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"));
        bytes_append(&head, BYTES("HTTP/1.1 200 A long one\r\nContent-Length: 2\r\n"));
        for (int i = 0; i < LONG_HEAD_FIELDS; i++) {
            char value[LONG_HEAD_VALUE + 1];
            char line[LONG_HEAD_VALUE + 32];
            long_value(value, i);
            int len = snprintf(line, sizeof line, "X-%d: %s \r\n", i, value);
            bytes_append(&head, line, (size_t)len);
        }
        bytes_append(&head, BYTES("\r\nok"));
        for (size_t at = 0; at < head.len; at += LONG_HEAD_PIECE) {
            size_t left = head.len - at;
            (void)origin_send(conn, head.data + at,
                              left < LONG_HEAD_PIECE ? left : LONG_HEAD_PIECE);
        }
        bytes_free(&head);
    }
}

/* More than the connection's buffer holds at first, behind another head: what has been found of it
 * is right however often it moved meanwhile. */
static void test_a_head_that_outgrows_the_buffer(void **state)
{
    struct origin *origin = serve_with(state, serve_long_head, NULL);
    ferry_client *client = wire_client(transport_with(state, NULL));
    ferry_error err;
    for (int round = 0; round < 2; round++) {
        ferry_request *req = wire_request("GET", origin, "/");
        ferry_response *res = ferry_client_do(client, req, &err);
        assert_non_null(res);
        ferry_request_free(req);
        assert_int_equal(ferry_response_status(res), 200);
        assert_string_equal(ferry_response_reason(res), "A long one");
        assert_int_equal(ferry_response_header_count(res), 1 + LONG_HEAD_FIELDS);
        for (int i = 0; i < LONG_HEAD_FIELDS; i++) {
            char value[LONG_HEAD_VALUE + 1];
            char name[16];
            long_value(value, i);
            snprintf(name, sizeof name, "x-%d", i);
            assert_non_null(ferry_response_header(res, name));
            assert_string_equal(ferry_response_header(res, name), value);
        }
        char *body = ferry_response_read_all(res, 100, NULL, &err);
        assert_non_null(body);
        assert_string_equal(body, "ok");
        free(body);
        ferry_response_close(res);
    }
    ferry_client_free(client);
}

/* Bytes behind the framed end, another response among them, are nobody's: the response is right,
 * and its connection is not used again. */
static void test_connection_is_kept_or_not(void **state)
{
    static const struct origin_reply replies[] = {
        {.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"},
        {.bytes = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"},
        {.bytes = "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok"},
        {.bytes = "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"},
        {.bytes = "HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 2\r\n\r\nok"},
        {.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok, and more"},
        {.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n"
                  "Content-Length: 6\r\n\r\nforged"},
        {.bytes = "HTTP/1.1 204 No Content\r\n\r\nok"},
        {.bytes = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n\r\n"},
    };
    static const enum ferry_put_result results[] = {
        FERRY_PUT_OK,
        FERRY_PUT_OK,
        FERRY_PUT_OK,
        FERRY_PUT_CLOSE_ASKED,
        FERRY_PUT_CLOSE_ASKED,
        FERRY_PUT_CONNECTION_BROKEN,
        FERRY_PUT_CONNECTION_BROKEN,
        FERRY_PUT_CONNECTION_BROKEN,
        FERRY_PUT_CONNECTION_BROKEN,
    };
    enum { CASES = sizeof replies / sizeof replies[0] };
    struct origin *origin = serve_replies(state, replies, CASES);
    ferry_transport *transport = transport_with(state, NULL);
    ferry_client *client = wire_client(transport);
    for (size_t i = 0; i < CASES; i++) {
        uint64_t before = stats_of(transport).put_results[results[i]];
        struct wire_answer answer = wire_get(client, origin_url(origin, "/"));
        assert_string_equal(answer.err.message, "");
        assert_string_equal(answer.body, answer.status == 204 ? "" : "ok");
        wire_answer_free(&answer);
        assert_int_equal(stats_of(transport).put_results[results[i]], before + 1);
    }
    ferry_client_free(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRANSPORT_TEST(test_one_byte_at_a_time),
        TRANSPORT_TEST(test_every_two_way_split),
        TRANSPORT_TEST(test_cut_off_at_every_offset),
        TRANSPORT_TEST(test_reset_at_every_offset),
        TRANSPORT_TEST(test_connection_is_kept_or_not),
        TRANSPORT_TEST(test_a_head_that_outgrows_the_buffer),
    };
    return cmocka_run_group_tests_name("wire: slices and cuts", tests, NULL, NULL);
}
