/*
 * The body in one call: into memory with a limit, or to a descriptor of whatever kind. And the
 * responses that have no connection behind them.
 */
#include "wire_test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "temp_dir.h"

/* Bodies of the pattern, in every framing: "/LENGTH/KIND". */
enum kind { SIZED, CHUNKS, TO_THE_END, KINDS };

static void send_chunks(struct origin_conn *conn, size_t len)
{
    char piece[5000];
    for (size_t offset = 0; offset < len;) {
        size_t size = len - offset < sizeof piece ? len - offset : sizeof piece;
        pattern_fill(piece, size, offset);
        (void)origin_sendf(conn, "%zx\r\n", size);
        (void)origin_send(conn, piece, size);
        (void)origin_send_text(conn, "\r\n");
        offset += size;
    }
    (void)origin_send_text(conn, "0\r\n\r\n");
}

static void serve_bodies(struct origin_conn *conn, void *arg)
{
    (void)arg;
    while (origin_read_request(conn)) {
        size_t len;
        int kind;
        if (sscanf(strchr(origin_conn_request(conn).head, '/'), "/%zu/%d", &len, &kind) != 2) {
            return;
        }
        (void)origin_send_text(conn, "HTTP/1.1 200 OK\r\n");
        switch (kind) {
        case SIZED:
            (void)origin_sendf(conn, "Content-Length: %zu\r\n\r\n", len);
            (void)origin_send_pattern(conn, len);
            break;
        case CHUNKS:
            (void)origin_send_text(conn, "Transfer-Encoding: chunked\r\n\r\n");
            send_chunks(conn, len);
            break;
        default:
            (void)origin_send_text(conn, "\r\n");
            (void)origin_send_pattern(conn, len);
            return;
        }
    }
}

static ferry_response *open_body(ferry_transport *transport, struct origin *origin, size_t len,
                                 int kind)
{
    char path[64];
    snprintf(path, sizeof path, "/%zu/%d", len, kind);
    return open_get(transport, origin_url(origin, path));
}

/* ----------------------------------------------------------------------------------- into memory */

static void expect_all(ferry_transport *transport, struct origin *origin, size_t len, int kind,
                       size_t max)
{
    size_t got = 12345;
    ferry_error err = {0};
    ferry_response *res = open_body(transport, origin, len, kind);
    char *all = ferry_response_read_all(res, max, &got, &err);
    if (len <= max) {
        assert_string_equal(err.message, "");
        assert_int_equal(got, len);
        assert_int_equal(pattern_match(all, len, 0), len);
        assert_int_equal(all[len], '\0');
    } else {
        char wanted[64];
        snprintf(wanted, sizeof wanted, "is longer than %zu bytes", max);
        assert_null(all);
        assert_error(&err, FERRY_ETOOBIG, wanted);
        assert_true(wire_is_sentence(err.message));
        assert_int_equal(got, 12345); /* filled only on success */
    }
    free(all);
    ferry_response_close(res);
}

static void test_read_all_up_to_its_limit(void **state)
{
    static const struct {
        size_t len;
        size_t max;
    } cases[] = {
        {0, 0},
        {0, 10},
        {1, 0},
        {10, 10},
        {11, 10},
        {4095, 4095},
        {4096, 4095},
        {4096, SIZE_MAX},
        {4097, 4097},
        {8192, 8191},
        {70000, 70000},
        {70001, 70000},
        {70000, SIZE_MAX},
        {70000, SIZE_MAX - 1},
        {300000, 1},
    };
    struct origin *origin = serve_with(state, serve_bodies, NULL);
    ferry_transport *transport = transport_with(state, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (int kind = 0; kind < KINDS; kind++) {
            expect_all(transport, origin, cases[i].len, kind, cases[i].max);
        }
    }
}

/* A length that nobody would believe costs no memory before its bytes come. */
static void test_read_all_of_an_absurd_length(void **state)
{
    static const struct origin_reply reply = {
        .bytes = "HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n\r\nthat is all",
        .then = ORIGIN_THEN_CLOSE};
    struct origin *origin = serve_replies(state, &reply, 1);
    ferry_response *res = open_get(transport_with(state, NULL), origin_url(origin, "/"));
    ferry_error err = {0};
    assert_true(ferry_response_length(res) == INT64_MAX);
    assert_null(ferry_response_read_all(res, SIZE_MAX, NULL, &err));
    assert_error(&err, FERRY_ETRUNCATED, "the connection ended before the response's body did");
    ferry_response_close(res);
}

static void test_read_all_takes_the_rest(void **state)
{
    struct origin *origin = serve_with(state, serve_bodies, NULL);
    ferry_transport *transport = transport_with(state, NULL);
    char first[100];
    size_t len;
    ferry_response *res = open_body(transport, origin, 1000, SIZED);
    read_exactly(res, first, sizeof first);
    char *rest = ferry_response_read_all(res, 900, &len, NULL);
    assert_non_null(rest);
    assert_int_equal(len, 900);
    assert_int_equal(pattern_match(rest, 900, 100), 900);
    free(rest);
    rest = ferry_response_read_all(res, 0, NULL, NULL); /* and then the end */
    assert_string_equal(rest, "");
    free(rest);
    ferry_response_close(res);
}

/* ------------------------------------------------------------------------------- to a descriptor */

static void test_save_to_a_file(void **state)
{
    char dir[TEMP_DIR_SIZE];
    char path[TEMP_DIR_SIZE + 8];
    struct origin *origin = serve_with(state, serve_bodies, NULL);
    ferry_transport *transport = transport_with(state, NULL);
    assert_true(temp_dir_make(dir));
    snprintf(path, sizeof path, "%s/body", dir);
    for (int kind = 0; kind < KINDS; kind++) {
        size_t len;
        ferry_error err = {0};
        ferry_response *res = open_body(transport, origin, 300000, kind);
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        assert_int_equal(ferry_response_save(res, fd, &err), 300000);
        assert_string_equal(err.message, "");
        assert_int_equal(ferry_response_save(res, fd, &err), 0); /* nothing more to come */
        ferry_response_close(res);
        close(fd);
        char *saved = temp_file_read(path, &len);
        assert_int_equal(len, 300000);
        assert_int_equal(pattern_match(saved, len, 0), len);
        free(saved);
    }
    temp_dir_remove(dir);
}

/* Behind what is there: once by appending, once from the descriptor's own place. */
static void test_save_behind_what_is_there(void **state)
{
    char dir[TEMP_DIR_SIZE];
    char path[TEMP_DIR_SIZE + 8];
    struct origin *origin = serve_with(state, serve_bodies, NULL);
    ferry_transport *transport = transport_with(state, NULL);
    assert_true(temp_dir_make(dir));
    snprintf(path, sizeof path, "%s/body", dir);
    for (int appends = 0; appends < 2; appends++) {
        size_t len;
        ferry_error err = {0};
        ferry_response *res = open_body(transport, origin, 3000000, 0);
        int fd =
            open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | (appends ? O_APPEND : 0), 0600);
        assert_int_equal(write(fd, "before", 6), 6);
        char first[1000]; /* and behind what was read before */
        assert_int_equal(ferry_response_read(res, first, sizeof first, &err), sizeof first);
        assert_int_equal(ferry_response_save(res, fd, &err), 2999000);
        assert_string_equal(err.message, "");
        ferry_response_close(res);
        close(fd);
        char *saved = temp_file_read(path, &len);
        assert_int_equal(len, 6 + 2999000);
        assert_memory_equal(saved, "before", 6);
        assert_int_equal(pattern_match(saved + 6, len - 6, 1000), len - 6);
        free(saved);
    }
    assert_int_equal(stats_of(transport).dials, 1); /* it ended as a read one does */
    temp_dir_remove(dir);
}

static void test_save_to_a_file_of_a_cut_body(void **state)
{
    static const struct origin_reply reply = {
        .bytes = "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\ncut",
        .then = ORIGIN_THEN_CLOSE};
    struct origin *origin = serve_replies(state, &reply, 1);
    ferry_response *res = open_get(transport_with(state, NULL), origin_url(origin, "/"));
    FILE *file = tmpfile();
    ferry_error err = {0};
    assert_non_null(file);
    assert_int_equal(ferry_response_save(res, fileno(file), &err), -1);
    assert_error(&err, FERRY_ETRUNCATED, "the connection ended before the response's body did");
    fclose(file);
    ferry_response_close(res);
}

/* The other end of a pipe, read by a thread. */
struct drainer {
    int fd;
    size_t total;
    bool right;
};

static void drain_pipe(void *arg)
{
    struct drainer *drainer = arg;
    char buf[3000];
    ssize_t got;
    drainer->right = true;
    while ((got = read(drainer->fd, buf, sizeof buf)) > 0) {
        drainer->right =
            drainer->right && pattern_match(buf, (size_t)got, drainer->total) == (size_t)got;
        drainer->total += (size_t)got;
    }
}

static void save_to_pipe(void **state, int flags)
{
    int ends[2];
    struct side side;
    struct origin *origin = serve_with(state, serve_bodies, NULL);
    ferry_transport *transport = transport_with(state, NULL);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(fcntl(ends[1], F_SETFL, flags), 0);
    struct drainer drainer = {.fd = ends[0]};
    ferry_error err = {0};
    ferry_response *res = open_body(transport, origin, 1000000, SIZED);
    start_side(&side, drain_pipe, &drainer);
    int64_t saved = ferry_response_save(res, ends[1], &err);
    close(ends[1]);
    end_side(&side);
    close(ends[0]);
    ferry_response_close(res);
    assert_string_equal(err.message, "");
    assert_int_equal(saved, 1000000);
    assert_int_equal(drainer.total, 1000000);
    assert_true(drainer.right);
}

static void test_save_to_a_pipe(void **state)
{
    save_to_pipe(state, 0);
}

static void test_save_to_a_nonblocking_pipe(void **state)
{
    save_to_pipe(state, O_NONBLOCK);
}

/* A descriptor that takes nothing: the error is the descriptor's, and the connection goes. */
static void expect_no_saving(void **state, int fd, int cause, const char *text)
{
    struct origin *origin = serve_with(state, serve_bodies, NULL);
    ferry_transport *transport = transport_with(state, NULL);
    ferry_error err = {0};
    ferry_response *res = open_body(transport, origin, 400000, SIZED);
    char wanted[240];
    snprintf(wanted, sizeof wanted, "saving the body of %s: %s", ferry_response_url(res), text);
    assert_int_equal(ferry_response_save(res, fd, &err), -1);
    assert_string_equal(err.message, wanted);
    assert_int_equal(err.code, FERRY_EWRITE);
    assert_int_equal(err.os_errno, cause);
    ferry_response_close(res);
}

static volatile sig_atomic_t pipes_broken;

static void count_broken_pipe(int number)
{
    (void)number;
    pipes_broken++;
}

static void test_save_to_a_closed_pipe_raises_no_signal(void **state)
{
    int ends[2];
    struct sigaction counting = {.sa_handler = count_broken_pipe};
    struct sigaction before;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    close(ends[0]);
    assert_int_equal(sigaction(SIGPIPE, &counting, &before), 0);
    expect_no_saving(state, ends[1], EPIPE, "broken pipe");
    close(ends[1]);
    assert_int_equal(sigaction(SIGPIPE, &before, NULL), 0);
    assert_int_equal(pipes_broken, 0);
}

static void test_save_to_a_full_disk(void **state)
{
    int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    if (fd < 0) {
        skip();
    }
    expect_no_saving(state, fd, ENOSPC, "no space left on device");
    close(fd);
}

static void test_save_to_no_descriptor(void **state)
{
    expect_no_saving(state, -1, EBADF, "bad file descriptor");
}

static void test_save_of_a_cut_body(void **state)
{
    static const struct origin_reply reply = {
        .bytes = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\ncut", .then = ORIGIN_THEN_CLOSE};
    struct origin *origin = serve_replies(state, &reply, 1);
    ferry_response *res = open_get(transport_with(state, NULL), origin_url(origin, "/"));
    int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    ferry_error err = {0};
    assert_int_equal(ferry_response_save(res, fd, &err), -1);
    assert_error(&err, FERRY_ETRUNCATED, "the connection ended before the response's body did");
    close(fd);
    ferry_response_close(res);
}

/* --------------------------------------------------------------------------- without a connection */

static void test_made_responses(void **state)
{
    (void)state;
    char body[] = "made up";
    char buf[4];
    size_t len;
    ferry_error err = {0};
    ferry_response *res = ferry_response_new(418, body, 7);
    assert_non_null(res);
    memset(body, 'x', 7); /* it was copied */
    assert_int_equal(ferry_response_status(res), 418);
    assert_string_equal(ferry_response_reason(res), "");
    assert_string_equal(ferry_response_proto(res), "HTTP/1.1");
    assert_string_equal(ferry_response_url(res), "");
    assert_int_equal(ferry_response_length(res), 7);
    assert_int_equal(ferry_response_header_count(res), 0);
    assert_int_equal(ferry_response_add_header(res, "X-A", "1"), 0);
    assert_int_equal(ferry_response_add_header(res, "x-a", "2"), 0);
    assert_int_equal(ferry_response_add_header(res, "X A", "2"), -1);
    assert_int_equal(ferry_response_add_header(res, "", "2"), -1);
    assert_int_equal(ferry_response_add_header(res, "X-B", "a\r\nb"), -1);
    assert_int_equal(ferry_response_header_count(res), 2);
    assert_string_equal(ferry_response_header(res, "X-a"), "1");
    assert_int_equal(ferry_open_responses(NULL), 1); /* it is to be closed like any other */
    assert_int_equal(ferry_response_write(res, "x", 1, &err), -1);
    assert_int_equal(err.code, FERRY_EUNSUPPORTED);
    assert_int_equal(ferry_response_read(res, buf, 4, &err), 4);
    assert_memory_equal(buf, "made", 4);
    char *rest = ferry_response_read_all(res, 100, &len, &err);
    assert_string_equal(rest, " up");
    assert_int_equal(len, 3);
    free(rest);
    assert_int_equal(ferry_response_read(res, buf, 4, &err), 0);
    assert_null(ferry_response_trailer(res, "X-A"));
    ferry_response_close(res);
    ferry_response_close(NULL);
}

static void test_made_responses_have_a_status(void **state)
{
    (void)state;
    static const int none[] = {99, 1000, 0, -1};
    for (size_t i = 0; i < 4; i++) {
        assert_null(ferry_response_new(none[i], NULL, 0));
    }
    assert_null(ferry_response_new(200, NULL, 1));
    ferry_response *res = ferry_response_new(100, NULL, 0);
    char buf[4];
    assert_int_equal(ferry_response_length(res), 0);
    assert_int_equal(ferry_response_read(res, buf, 4, NULL), 0);
    ferry_response_close(res);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRANSPORT_TEST(test_read_all_up_to_its_limit),
        TRANSPORT_TEST(test_read_all_of_an_absurd_length),
        TRANSPORT_TEST(test_read_all_takes_the_rest),
        TRANSPORT_TEST(test_save_to_a_file),
        TRANSPORT_TEST(test_save_behind_what_is_there),
        TRANSPORT_TEST(test_save_to_a_file_of_a_cut_body),
        TRANSPORT_TEST(test_save_to_a_pipe),
        TRANSPORT_TEST(test_save_to_a_nonblocking_pipe),
        TRANSPORT_TEST(test_save_to_a_closed_pipe_raises_no_signal),
        TRANSPORT_TEST(test_save_to_a_full_disk),
        TRANSPORT_TEST(test_save_to_no_descriptor),
        TRANSPORT_TEST(test_save_of_a_cut_body),
        TRANSPORT_TEST(test_made_responses),
        TRANSPORT_TEST(test_made_responses_have_a_status),
    };
    return cmocka_run_group_tests_name("body: into memory, to a descriptor", tests, NULL, NULL);
}
