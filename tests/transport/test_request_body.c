/*
 * Request bodies on the wire: from memory, from files, from readers of known and unknown length;
 * what happens when a source fails or lies; sending the same request again; and that the body's
 * owner is told exactly once when it is over.
 */
#include "wire_test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "temp_dir.h"

#define NO_CONTENT "HTTP/1.1 204 No Content\r\n\r\n"
#define MIB ((size_t)1 << 20)

/* A source of the pattern's bytes, and what was done with it. */
struct source {
    size_t size;
    size_t piece;       /* at most this many at a time; 0: as many as there is room for */
    size_t fails_at;    /* reports an error there; 0: never */
    int cause;          /* with this errno */
    bool overshoots;    /* claims one byte more than there was room for */
    struct gate *first; /* nothing comes before it is open; NULL: at once */
    size_t at;
    int reads;
    int rewinds;
    int rewind_result;
    int done;
};

static ssize_t read_source(void *arg, void *buf, size_t len)
{
    struct source *source = arg;
    source->reads++;
    while (source->first != NULL && !gate_is_open(source->first)) {
        ferry_sleep(1);
    }
    if (source->overshoots) {
        return (ssize_t)len + 1;
    }
    if (source->fails_at > 0 && source->at >= source->fails_at) {
        errno = source->cause;
        return -1;
    }
    size_t size = source->size - source->at;
    size = size < len ? size : len;
    size = source->piece > 0 && size > source->piece ? source->piece : size;
    pattern_fill(buf, size, source->at);
    source->at += size;
    return (ssize_t)size;
}

static int rewind_source(void *arg)
{
    struct source *source = arg;
    source->rewinds++;
    source->at = 0;
    return source->rewind_result;
}

static void source_done(void *arg)
{
    ((struct source *)arg)->done++;
}

/* A request with a source as its body: of announced bytes, or -1. */
static ferry_request *sourced(const char *method, struct origin *origin, struct source *source,
                              bool rewinds, int64_t announced)
{
    ferry_request *req = wire_request(method, origin, "/");
    assert_int_equal(ferry_request_set_body_reader(req, read_source, rewinds ? rewind_source : NULL,
                                                   source, announced),
                     0);
    ferry_request_set_body_done(req, source_done, source);
    return req;
}

/* The origin got the pattern's bytes, that many, and framed as said. */
static void expect_body(struct origin *origin, size_t index, size_t offset, size_t size,
                        const char *framing)
{
    struct origin_request seen = origin_request(origin, index);
    assert_true(seen.complete);
    assert_int_equal(seen.body_len, size);
    if (size > 0) {
        assert_int_equal(pattern_match(seen.body, size, offset), size);
    }
    if (strstr(seen.head, framing) == NULL) {
        fail_msg("no \"%s\" in:\n%s", framing, seen.head);
    }
}

static char *pattern_of(size_t size)
{
    char *bytes = malloc(size);
    assert_non_null(bytes);
    pattern_fill(bytes, size, 0);
    return bytes;
}

/* ------------------------------------------------------------------------------ memory and files */

static void test_memory_of_all_sizes(void **state)
{
    static const size_t sizes[] = {1, 1000, 65535, 65536, 3 * MIB + 1};
    struct origin *origin = serve_reply(state, NO_CONTENT);
    ferry_client *client = wire_client(transport_with(state, NULL));
    char *bytes = pattern_of(3 * MIB + 1);
    ferry_request *req = wire_request("PUT", origin, "/");
    for (size_t i = 0; i < 5; i++) {
        char framing[64];
        snprintf(framing, sizeof framing, "\r\nContent-Length: %zu\r\n", sizes[i]);
        assert_int_equal(ferry_request_set_body(req, bytes, sizes[i]), 0);
        wire_expect(client, req, 204, "");
        expect_body(origin, i, 0, sizes[i], framing);
    }
    ferry_request_free(req);
    free(bytes);
    ferry_client_free(client);
    assert_int_equal(origin_counts(origin).accepted, 1);
}

/* A file of the pattern; its descriptor stands somewhere in its midst. */
static int pattern_file(char dir[TEMP_DIR_SIZE], size_t size)
{
    char path[TEMP_DIR_SIZE + 8];
    assert_true(temp_dir_make(dir));
    snprintf(path, sizeof path, "%s/body", dir);
    char *bytes = pattern_of(size);
    assert_true(temp_file_write(path, bytes, size));
    free(bytes);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(lseek(fd, 7, SEEK_SET), 7);
    return fd;
}

static void test_parts_of_a_file(void **state)
{
    static const struct {
        int64_t offset;
        int64_t len;
        size_t size;
    } parts[] = {
        {0, -1, 2 * MIB + 5}, {0, 2 * MIB + 5, 2 * MIB + 5}, {1, -1, 2 * MIB + 4}, {4097, 10, 10},
        {2 * MIB + 4, 1, 1},  {2 * MIB + 5, -1, 0},          {100, 0, 0},
    };
    char dir[TEMP_DIR_SIZE];
    struct origin *origin = serve_reply(state, NO_CONTENT);
    ferry_client *client = wire_client(transport_with(state, NULL));
    int fd = pattern_file(dir, 2 * MIB + 5);
    ferry_request *req = wire_request("PUT", origin, "/");
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        char framing[64];
        snprintf(framing, sizeof framing, "\r\nContent-Length: %zu\r\n", parts[i].size);
        assert_int_equal(ferry_request_set_body_fd(req, fd, parts[i].offset, parts[i].len), 0);
        wire_expect(client, req, 204, "");
        expect_body(origin, i, (size_t)parts[i].offset, parts[i].size, framing);
    }
    assert_int_equal(lseek(fd, 0, SEEK_CUR), 7); /* the descriptor's position is its owner's */
    ferry_request_free(req);
    close(fd);
    temp_dir_remove(dir);
    ferry_client_free(client);
    assert_int_equal(origin_counts(origin).accepted, 1);
}

static void test_files_that_cannot_be_sent(void **state)
{
    char dir[TEMP_DIR_SIZE];
    int ends[2];
    ferry_error err = {0};
    struct origin *origin = serve_reply(state, NO_CONTENT);
    ferry_client *client = wire_client(transport_with(state, NULL));
    int fd = pattern_file(dir, 100);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    const struct {
        int fd;
        int64_t offset;
        int64_t len;
        const char *sentence;
    } cases[] = {
        {fd, 0, 101, "the body ends behind the end of its file, which has 100 bytes"},
        {fd, 101, -1, "the body ends behind the end of its file, which has 100 bytes"},
        {fd, 50, 51, "the body ends behind the end of its file, which has 100 bytes"},
        {fd, -1, 10, "a body of 10 bytes from offset -1 of a file"},
        {fd, 0, -2, "a body of -2 bytes from offset 0 of a file"},
        {ends[0], 0, -1, "is no file: use a reader"},
        {-1, 0, -1, "the body's descriptor -1: bad file descriptor"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ferry_request *req = wire_request("PUT", origin, "/");
        assert_int_equal(ferry_request_set_body_fd(req, cases[i].fd, cases[i].offset, cases[i].len),
                         -1);
        assert_null(ferry_client_do(client, req, &err));
        assert_error(&err, FERRY_EINVAL, cases[i].sentence);
        ferry_request_free(req);
    }
    assert_int_equal(origin_counts(origin).accepted, 0);
    close(ends[0]);
    close(ends[1]);
    close(fd);
    temp_dir_remove(dir);
    ferry_client_free(client);
}

/* The file shrinks, or its descriptor turns out to be no good, once the request is set up. */
static void test_file_that_fails_while_sent(void **state)
{
    char dir[TEMP_DIR_SIZE];
    char path[TEMP_DIR_SIZE + 8];
    ferry_error err = {0};
    struct origin *origin = serve_reply(state, NO_CONTENT);
    ferry_transport *transport = transport_with(state, NULL);
    ferry_client *client = wire_client(transport);
    int fd = pattern_file(dir, 100);
    ferry_request *req = wire_request("PUT", origin, "/");
    assert_int_equal(ferry_request_set_body_fd(req, fd, 0, 100), 0);
    assert_int_equal(ftruncate(fd, 60), 0);
    assert_null(ferry_client_do(client, req, &err));
    assert_error(&err, FERRY_EBODY, "the request's body: the file ended 40 bytes early");
    assert_true(wire_is_sentence(err.message));
    assert_int_equal(stats_of(transport).connections, 0);

    snprintf(path, sizeof path, "%s/body", dir);
    int unreadable = open(path, O_WRONLY | O_CLOEXEC);
    assert_int_equal(ferry_request_set_body_fd(req, unreadable, 0, 60), 0);
    assert_null(ferry_client_do(client, req, &err));
    assert_error(&err, FERRY_EBODY, "reading the request's body: bad file descriptor");
    assert_int_equal(err.os_errno, EBADF);

    assert_int_equal(ferry_request_set_body_fd(req, fd, 0, 60), 0); /* and the request goes on */
    wire_expect(client, req, 204, "");
    ferry_request_free(req);
    close(unreadable);
    close(fd);
    temp_dir_remove(dir);
    ferry_client_free(client);
}

static void test_TR_119_put_from_file_and_memory(void **state)
{
    char dir[TEMP_DIR_SIZE];
    struct origin *origin = serve_reply(state, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    ferry_client *client = wire_client(transport_with(state, NULL));
    int fd = pattern_file(dir, 1024);
    char *bytes = pattern_of(1024);
    ferry_request *req = wire_request("PUT", origin, "/");
    for (size_t i = 0; i < 5; i++) {
        struct source source = {.size = 1024};
        int set = i == 0   ? ferry_request_set_body(req, bytes, 1024)
                  : i == 1 ? ferry_request_set_body_fd(req, fd, 0, 1024)
                  : i == 2 ? ferry_request_set_body_fd(req, fd, 0, -1)
                           : ferry_request_set_body_reader(req, read_source, NULL, &source,
                                                           i == 3 ? 1024 : -1);
        assert_int_equal(set, 0);
        wire_expect(client, req, 200, "");
        expect_body(origin, i, 0, 1024,
                    i < 4 ? "\r\nContent-Length: 1024\r\n" : "\r\nTransfer-Encoding: chunked\r\n");
    }
    ferry_request_free(req);
    free(bytes);
    close(fd);
    temp_dir_remove(dir);
    ferry_client_free(client);
}

/* -------------------------------------------------------------------------------------- readers */

static void test_readers_of_known_length(void **state)
{
    static const struct {
        size_t size;
        size_t piece;
    } cases[] = {{1, 0}, {1000, 1}, {100000, 0}, {100000, 7777}, {2 * MIB, 0}};
    struct origin *origin = serve_reply(state, NO_CONTENT);
    ferry_client *client = wire_client(transport_with(state, NULL));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct source source = {.size = cases[i].size + 100, .piece = cases[i].piece};
        char framing[64];
        ferry_request *req = sourced("POST", origin, &source, false, (int64_t)cases[i].size);
        wire_expect(client, req, 204, "");
        ferry_request_free(req);
        snprintf(framing, sizeof framing, "\r\nContent-Length: %zu\r\n", cases[i].size);
        expect_body(origin, i, 0, cases[i].size, framing); /* and not one byte more is asked for */
        assert_int_equal(source.at, cases[i].size);
        assert_int_equal(source.done, 1);
    }
    ferry_client_free(client);
}

static void test_CS_026_RW_003_chunks_as_the_reader_gives_them(void **state)
{
    struct origin *origin = serve_reply(state, NO_CONTENT);
    ferry_client *client = wire_client(transport_with(state, NULL));
    struct source source = {.size = 20, .piece = 18};
    ferry_request *req = sourced("POST", origin, &source, false, -1);
    wire_expect(client, req, 204, "");
    ferry_request_free(req);
    expect_body(origin, 0, 0, 20, "\r\nTransfer-Encoding: chunked\r\n");
    assert_null(strstr(origin_request(origin, 0).head, "Content-Length"));
    struct origin_request seen = origin_request(origin, 0);
    char wanted[64] = "12\r\n..................\r\n2\r\n..\r\n0\r\n\r\n";
    pattern_fill(wanted + 4, 18, 0);
    pattern_fill(wanted + 27, 2, 18);
    assert_int_equal(seen.raw_body_len, 36);
    assert_memory_equal(seen.raw_body, wanted, 36);
    assert_int_equal(source.done, 1);

    source = (struct source){.size = 0}; /* none at all is the last chunk only */
    req = sourced("POST", origin, &source, false, -1);
    wire_expect(client, req, 204, "");
    ferry_request_free(req);
    assert_string_equal(origin_request(origin, 1).raw_body, "0\r\n\r\n");

    source = (struct source){.size = 3 * MIB};
    req = sourced("PUT", origin, &source, false, -1);
    wire_expect(client, req, 204, "");
    ferry_request_free(req);
    expect_body(origin, 2, 0, 3 * MIB, "\r\nTransfer-Encoding: chunked\r\n");
    ferry_client_free(client);
    assert_int_equal(origin_counts(origin).accepted, 1);
}

/* Reads the head, lets the test know, then the body. */
static void serve_with_gate(struct origin_conn *conn, void *arg)
{
    char head[1024];
    while (origin_read_head(conn, head, sizeof head) > 0) {
        gate_open(arg);
        if (origin_read_body(conn) < 0 || !origin_send_text(conn, NO_CONTENT)) {
            return;
        }
    }
}

static void test_CL_056_head_does_not_wait_for_the_body(void **state)
{
    static const char *const methods[] = {"GET", "POST"};
    for (size_t i = 0; i < 2; i++) {
        struct gate head_seen = {0};
        struct source source = {.size = 5, .piece = 1, .first = &head_seen};
        struct origin *origin = serve_with(state, serve_with_gate, &head_seen);
        ferry_client *client = wire_client(transport_with(state, NULL));
        ferry_request *req = sourced(methods[i], origin, &source, false, -1);
        wire_expect(client, req, 204,
                    ""); /* the source has nothing until the server has the head */
        ferry_request_free(req);
        expect_body(origin, 0, 0, 5, "\r\nTransfer-Encoding: chunked\r\n");
        ferry_client_free(client);
    }
}

/* ------------------------------------------------------------------------------ readers that fail */

/* Reads what comes of a request and answers only a whole one. */
static void serve_whole(struct origin_conn *conn, void *arg)
{
    (void)arg;
    while (origin_read_request(conn)) {
        (void)origin_send_text(conn, NO_CONTENT);
    }
}

static void test_TR_065_source_error_is_the_calls_error(void **state)
{
    static const struct {
        struct source source;
        int64_t announced;
        int os_errno;
        const char *sentence;
    } cases[] = {
        {{.size = 2 * MIB, .fails_at = MIB, .cause = EIO},
         -1,
         EIO,
         "reading the request's body: input/output error"},
        {{.size = 2 * MIB, .fails_at = MIB, .cause = EIO},
         2 * MIB,
         EIO,
         "reading the request's body: input/output error"},
        {{.size = 10, .piece = 5, .fails_at = 5},
         -1,
         0,
         "reading the request's body: its reader reported an error"},
        {{.size = 10, .piece = 5},
         11,
         0,
         "the request's body ended after 10 bytes of the 11 announced"},
        {{.size = 0}, 1, 0, "the request's body ended after 0 bytes of the 1 announced"},
        {{.overshoots = true},
         -1,
         0,
         "reading the request's body: its reader claims more bytes than there was room for"},
        {{.overshoots = true},
         10,
         0,
         "reading the request's body: its reader claims more bytes than there was room for"},
    };
    struct origin *origin = serve_with(state, serve_whole, NULL);
    ferry_transport *transport = transport_with(state, NULL);
    ferry_client *client = wire_client(transport);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct source source = cases[i].source;
        ferry_error err = {0};
        char wanted[240];
        ferry_request *req = sourced("POST", origin, &source, false, cases[i].announced);
        assert_null(ferry_client_do(client, req, &err));
        assert_int_equal(source.done, 1); /* by now */
        snprintf(wanted, sizeof wanted, "Post \"%s\": %s", origin_url(origin, "/"),
                 cases[i].sentence);
        assert_string_equal(err.message, wanted);
        assert_int_equal(err.code, FERRY_EBODY);
        assert_int_equal(err.os_errno, cases[i].os_errno);
        ferry_request_free(req);
        assert_int_equal(stats_of(transport).connections, 0);
        assert_true(origin_await_open(origin, 0, SOON_MS));
        assert_false(origin_request(origin, i).complete); /* no proper end of it was sent */
    }
    assert_int_equal(stats_of(transport).retries, 0);
    ferry_client_free(client);
}

/* ------------------------------------------------------------------------------- again and again */

static void test_same_request_many_times(void **state)
{
    struct origin *origin = serve_reply(state, NO_CONTENT);
    ferry_client *client = wire_client(transport_with(state, NULL));
    struct source source = {.size = 50000};
    ferry_request *req = sourced("POST", origin, &source, true, -1);
    for (int i = 0; i < 50; i++) {
        wire_expect(client, req, 204, "");
        assert_int_equal(source.done, i + 1);
        assert_int_equal(source.rewinds, i);
        expect_body(origin, (size_t)i, 0, 50000, "chunked");
    }
    ferry_request_free(req);
    ferry_client_free(client);
    assert_int_equal(origin_counts(origin).accepted, 1);
}

/* What is known of the length decides, for GET as for POST, and nothing waits to find out more. */
static void test_RW_002_framing_by_what_is_known(void **state)
{
    static const struct {
        const char *method;
        bool reader;
        size_t size;
        int64_t announced;
        const char *framing; /* "": none */
        const char *raw;     /* of chunks */
    } cases[] = {
        {"GET", false, 0, 0, "", NULL},
        {"GET", true, 0, 0, "", NULL},
        {"GET", true, 4, 4, "Content-Length: 4\r\n", NULL},
        {"GET", true, 0, -1, "Transfer-Encoding: chunked\r\n", "0\r\n\r\n"},
        {"POST", true, 0, -1, "Transfer-Encoding: chunked\r\n", "0\r\n\r\n"},
        {"POST", true, 0, 0, "Content-Length: 0\r\n", NULL},
    };
    struct origin *origin = serve_reply(state, NO_CONTENT);
    ferry_client *client = wire_client(transport_with(state, NULL));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct source source = {.size = cases[i].size};
        ferry_request *req =
            cases[i].reader ? sourced(cases[i].method, origin, &source, false, cases[i].announced)
                            : wire_request(cases[i].method, origin, "/");
        wire_expect(client, req, 204, "");
        struct origin_request seen = origin_request(origin, i);
        if (cases[i].framing[0] == '\0') {
            assert_null(strstr(seen.head, "Content-Length"));
            assert_null(strstr(seen.head, "Transfer-Encoding"));
        } else if (strstr(seen.head, cases[i].framing) == NULL) {
            fail_msg("case %zu: no \"%s\" in:\n%s", i, cases[i].framing, seen.head);
        }
        assert_int_equal(seen.body_len, cases[i].size);
        if (cases[i].announced < 0) {
            assert_string_equal(seen.raw_body, cases[i].raw);
        }
        ferry_request_free(req);
    }
    ferry_client_free(client);
}

static void test_reader_that_cannot_go_back(void **state)
{
    struct origin *origin = serve_reply(state, NO_CONTENT);
    ferry_client *client = wire_client(transport_with(state, NULL));
    ferry_error err = {0};
    struct source source = {.size = 10};
    ferry_request *req = sourced("POST", origin, &source, false, 10);
    wire_expect(client, req, 204, "");
    assert_null(ferry_client_do(client, req, &err));
    assert_error(&err, FERRY_EBODY,
                 "the request's body has been read and cannot be rewound to be sent again");
    assert_int_equal(source.done, 2); /* one for each send */
    source.at = 0;
    assert_int_equal(ferry_request_set_body_reader(req, read_source, NULL, &source, 10), 0);
    wire_expect(client, req, 204, "");
    ferry_request_free(req);

    source = (struct source){.size = 10, .rewind_result = -1};
    req = sourced("POST", origin, &source, true, 10);
    wire_expect(client, req, 204, "");
    assert_null(ferry_client_do(client, req, &err));
    assert_error(&err, FERRY_EBODY, "rewinding the request's body failed");
    ferry_request_free(req);
    ferry_client_free(client);
}

/* The first connection dies of its second request, without an answer. */
static void serve_one_then_die(struct origin_conn *conn, void *arg)
{
    (void)arg;
    while (origin_read_request(conn)) {
        if (origin_conn_serial(conn) == 1 && origin_conn_request(conn).number == 2) {
            return;
        }
        (void)origin_send_text(conn, NO_CONTENT);
    }
}

static void test_body_is_rewound_for_a_retry(void **state)
{
    struct origin *origin = serve_with(state, serve_one_then_die, NULL);
    ferry_transport *transport = transport_with(state, NULL);
    ferry_client *client = wire_client(transport);
    struct source source = {.size = 1000};
    ferry_request *req = sourced("GET", origin, &source, true, 1000);
    wire_expect(client, req, 204, "");
    wire_expect(client, req, 204, "");
    assert_int_equal(source.rewinds, 2);
    assert_int_equal(source.done, 2); /* not once more for the retry */
    assert_int_equal(stats_of(transport).retries, 1);
    for (size_t i = 0; i < 3; i++) {
        expect_body(origin, i, 0, 1000, "\r\nContent-Length: 1000\r\n");
    }
    ferry_request_free(req);
    ferry_client_free(client);
}

/* ----------------------------------------------------------------------------------- body_done */

static void test_done_whatever_comes_of_it(void **state)
{
    struct origin *origin = serve_reply(state, NO_CONTENT);
    struct dial_hook hook = {.port = origin_port(origin), .fail_from = 1};
    ferry_client *client = wire_client(transport_with(state, NULL));
    ferry_client *failing = wire_client(
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.dial = dial_hook, .dial_arg = &hook)));
    struct source source = {0};
    ferry_request *req = wire_request("POST", origin, "/");
    ferry_request_set_body_done(req, source_done, &source);
    assert_int_equal(ferry_request_set_body(req, "hello", 5), 0);
    wire_expect(client, req, 204, "");
    assert_int_equal(source.done, 1);
    atomic_store(&hook.let_go, 1);
    assert_null(ferry_client_do(failing, req, NULL));
    assert_int_equal(source.done, 2);
    ferry_context *context = ferry_context_new(-1);
    ferry_context_cancel(context);
    ferry_request_set_context(req, context);
    assert_null(ferry_client_do(client, req, NULL));
    assert_int_equal(source.done, 3);
    ferry_request_set_context(req, NULL);
    ferry_context_free(context);
    ferry_request_free(req);
    assert_int_equal(source.done, 3);
    ferry_client_free(failing);
    ferry_client_free(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRANSPORT_TEST(test_memory_of_all_sizes),
        TRANSPORT_TEST(test_parts_of_a_file),
        TRANSPORT_TEST(test_files_that_cannot_be_sent),
        TRANSPORT_TEST(test_file_that_fails_while_sent),
        TRANSPORT_TEST(test_TR_119_put_from_file_and_memory),
        TRANSPORT_TEST(test_readers_of_known_length),
        TRANSPORT_TEST(test_CS_026_RW_003_chunks_as_the_reader_gives_them),
        TRANSPORT_TEST(test_CL_056_head_does_not_wait_for_the_body),
        TRANSPORT_TEST(test_TR_065_source_error_is_the_calls_error),
        TRANSPORT_TEST(test_same_request_many_times),
        TRANSPORT_TEST(test_RW_002_framing_by_what_is_known),
        TRANSPORT_TEST(test_reader_that_cannot_go_back),
        TRANSPORT_TEST(test_body_is_rewound_for_a_retry),
        TRANSPORT_TEST(test_done_whatever_comes_of_it),
    };
    return cmocka_run_group_tests_name("request: bodies", tests, NULL, NULL);
}
