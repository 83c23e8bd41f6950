/*
 * Streams that fail where a kernel's socket would not be talked into it: a write that fails at its
 * first byte or after it, a read that fails with an error of its own, a deadline on the stream.
 *
 * The program is linked so that fy_socket_stream_new, which makes the stream of a dial function's
 * socket, is the one below.
 */
#include "https_test.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bytes.h"
#include "net/socket_stream.h"

struct fy_stream *__real_fy_socket_stream_new(int fd);
struct fy_stream *__wrap_fy_socket_stream_new(int fd);

#define MOST_STREAMS 8

/* What is to go wrong, on which stream: the first made is 1. All on one thread. */
static struct {
    int made;
    int stream;          /* faulty streams: from the first to this one */
    int write;           /* which of its writes fails: 1 is the first; 0: none */
    size_t goes;         /* ... after so many bytes went, and with the connection at its end */
    int read_after;      /* reads fail after this many bytes; -1: none does */
    int64_t deadline_ms; /* for reads; -1: none */
    int false_news;      /* so often it tells of news, and has none */
} fault;

/* One stream's, which outlives it. */
static struct faulty {
    struct fy_stream *stream;
    int fd;
    const struct fy_stream_ops *real;
    struct fy_stream_ops ops;
    int writes, bytes_read;
    bool broken;
} faulty[MOST_STREAMS];

static struct faulty *of(struct fy_stream *stream)
{
    int i = MOST_STREAMS - 1;
    while (i > 0 && faulty[i].stream != stream) { /* the latest that had this address */
        i--;
    }
    return &faulty[i];
}

static ssize_t faulty_writev(struct fy_stream *stream, const struct iovec *iov, int count,
                             const char *why)
{
    struct faulty *self = of(stream);
    self->writes++;
    if (self->broken) {
        return -EPIPE;
    }
    if (self->writes != fault.write) {
        return self->real->writev(stream, iov, count, why);
    }
    self->broken = true;
    if (fault.goes == 0) {
        return -EPIPE;
    }
    struct iovec part = {iov[0].iov_base, fault.goes};
    ssize_t written = self->real->writev(stream, &part, 1, why);
    shutdown(self->fd, SHUT_RDWR); /* to be read as the server's end */
    return written;
}

/* TLS tries this first. */
static ssize_t faulty_try_write(struct fy_stream *stream, const void *buf, size_t len)
{
    struct faulty *self = of(stream);
    return self->broken ? -EPIPE : self->real->try_write(stream, buf, len);
}

/* How much of len may still be read; 0: nothing, it fails. */
static size_t readable_of(const struct faulty *self, size_t len)
{
    size_t left = fault.read_after < 0 ? len : (size_t)(fault.read_after - self->bytes_read);
    return len < left ? len : left;
}

static ssize_t count_read(struct faulty *self, ssize_t got)
{
    self->bytes_read += got > 0 ? (int)got : 0;
    return got;
}

static ssize_t faulty_read(struct fy_stream *stream, void *buf, size_t len, const char *why)
{
    struct faulty *self = of(stream);
    len = readable_of(self, len);
    return len > 0 ? count_read(self, self->real->read(stream, buf, len, why)) : -EBADMSG;
}

static ssize_t faulty_try_read(struct fy_stream *stream, void *buf, size_t len)
{
    struct faulty *self = of(stream);
    if (fault.false_news > 0) {
        fault.false_news--;
        return -EAGAIN;
    }
    len = readable_of(self, len);
    return len > 0 ? count_read(self, self->real->try_read(stream, buf, len)) : -EBADMSG;
}

static int faulty_rest_readable(struct fy_stream *stream, const char *why)
{
    bool is_open = stream->ops->descriptor(stream) >= 0;
    return is_open && fault.false_news > 0 ? 0 : of(stream)->real->rest_readable(stream, why);
}

struct fy_stream *__wrap_fy_socket_stream_new(int fd)
{
    struct fy_stream *stream = __real_fy_socket_stream_new(fd);
    if (stream == NULL || fault.made == MOST_STREAMS || ++fault.made > fault.stream) {
        return stream;
    }
    struct faulty *self = &faulty[fault.made - 1];
    *self = (struct faulty){.stream = stream, .fd = fd, .real = stream->ops, .ops = *stream->ops};
    self->ops.writev = faulty_writev;
    self->ops.try_write = faulty_try_write;
    self->ops.read = faulty_read;
    self->ops.try_read = faulty_try_read;
    self->ops.rest_readable = faulty_rest_readable;
    stream->ops = &self->ops;
    if (fault.deadline_ms >= 0) {
        stream->read_deadline = fy_after_ms(fault.deadline_ms);
    }
    return stream;
}

/* No faults on streams to come, but those that the test then sets. */
static void no_faults(void)
{
    memset(&fault, 0, sizeof fault);
    memset(faulty, 0, sizeof faulty);
    fault.read_after = -1;
    fault.deadline_ms = -1;
}

static ferry_transport *faulty_transport(void **state, struct origin *origin)
{
    struct dial_hook *hook = KEPT(state, struct dial_hook, .port = origin_port(origin));
    no_faults();
    return transport_with(state, FERRY_TRANSPORT_OPTIONS(.dial = dial_hook, .dial_arg = hook));
}

/* --------------------------------------------------------------------------------------- retries */

static ssize_t read_text(void *arg, void *buf, size_t len)
{
    const char **text = arg;
    size_t left = strlen(*text);
    size_t give = left < len ? left : len;
    memcpy(buf, *text, give);
    *text += give;
    return (ssize_t)give;
}

static const char *replayed;

static int rewind_text(void *arg)
{
    *(const char **)arg = replayed;
    return 0;
}

/* Three equal requests; the second meets a failing write on the reused connection. */
static void retry_once(void **state, const char *method, bool body, bool a_byte_goes)
{
    struct origin *origin = serve_with(state, serve_identity, NULL);
    ferry_transport *transport = faulty_transport(state, origin);
    ferry_request *req = request(method, origin_url(origin, "/"));
    const char *text = replayed = "foo\n";

    if (body) {
        ferry_request_set_body_reader(req, read_text, rewind_text, &text, 4);
    }
    fault.stream = 1;
    fault.goes = a_byte_goes ? 1 : 0;
    assert_got(send_and_read(transport, req), 200, "1");
    fault.write = faulty[0].writes + 1;
    assert_got(send_and_read(transport, req), 200, "2");
    assert_int_equal(stats_of(transport).retries, 1);
    assert_got(send_and_read(transport, req), 200, "2");
    assert_int_equal(stats_of(transport).retries, 1);
    assert_int_equal(stats_of(transport).dials, 2);
    assert_int_equal(origin_counts(origin).requests, 3);
    for (size_t i = 1; i < 3; i++) {
        struct origin_request first = origin_request(origin, 0);
        struct origin_request again = origin_request(origin, i);
        assert_string_equal(again.head, first.head);
        assert_int_equal(again.body_len, body ? 4 : 0);
        assert_memory_equal(body ? again.body : "", "foo\n", body ? 4 : 0);
    }
    ferry_request_free(req);
}

static void test_TR_064_retry_get(void **state)
{
    retry_once(state, "GET", false, true);
}

static void test_TR_064_retry_get_with_body(void **state)
{
    retry_once(state, "GET", true, true);
}

static void test_TR_064_retry_delete(void **state)
{
    retry_once(state, "DELETE", false, false);
}

static void test_TR_064_retry_post_with_body(void **state)
{
    retry_once(state, "POST", true, false);
}

/* Something of it went out: a POST may have been acted upon. */
static void test_no_retry_of_a_post_half_written(void **state)
{
    struct origin *origin = serve_with(state, serve_identity, NULL);
    ferry_transport *transport = faulty_transport(state, origin);
    ferry_request *req = request("POST", origin_url(origin, "/"));

    ferry_request_set_body(req, "body", 4);
    fault.stream = 1;
    fault.goes = 1;
    assert_got(send_and_read(transport, req), 200, "1");
    fault.write = faulty[0].writes + 1;
    struct outcome outcome = send_and_read(transport, req);
    assert_int_equal(outcome.status, 0);
    assert_int_not_equal(outcome.err.code, 0);
    assert_int_equal(stats_of(transport).retries, 0);
    assert_int_equal(stats_of(transport).connections, 0);
    ferry_request_free(req);
}

static char large_body[60000];

/* Answers a GET, and what is as long as the large body: nothing that has come only in part. */
static void serve_whole(SSL *ssl, int fd, void *arg)
{
    static const char reply[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    char piece[16384];
    size_t len = 0;
    int got;
    (void)fd;
    (void)arg;
    while ((got = SSL_read(ssl, piece, sizeof piece)) > 0) {
        len += (size_t)got;
        if (piece[0] == 'G' || len > sizeof large_body) {
            SSL_write(ssl, reply, sizeof reply - 1);
            len = 0;
        }
    }
}

/* Likewise in TLS, where that was several records, of which some are with the server. */
static void test_no_retry_of_a_post_half_encrypted(void **state)
{
    struct tls_server *server =
        tls_server_start(&(struct tls_server_options){.cert = world.server, .serve = serve_whole});
    assert_non_null(server);
    const char *url = https_url(tls_server_port(server), "/");
    struct dial_hook *hook = KEPT(state, struct dial_hook, .port = tls_server_port(server));
    no_faults();
    ferry_transport *transport = transport_with(
        state, FERRY_TRANSPORT_OPTIONS(.dial = dial_hook, .dial_arg = hook, .tls = TRUSTING()));
    ferry_request *req = request("POST", url);

    ferry_request_set_body(req, large_body, sizeof large_body);
    fault.stream = 1;
    fault.goes = 40000;
    assert_got(get(transport, url), 200, "ok");
    fault.write = faulty[0].writes + 1;
    assert_int_equal(send_and_read(transport, req).status, 0);
    assert_true(faulty[0].broken);
    assert_int_equal(stats_of(transport).dials, 1);
    ferry_request_free(req);
    transport_done(state, transport);
    tls_server_stop(server);
}

/* The server's word on the request says more than the broken pipe, even if it comes a little later. */
static void serve_late_refusal(struct origin_conn *conn, void *failed)
{
    char head[4096];
    if (origin_read_head(conn, head, sizeof head) > 0 && origin_wait(conn, failed) &&
        origin_sleep(conn, 20)) {
        origin_send(conn, BYTES("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno"));
        origin_wait_eof(conn, -1);
    }
}

static void open_gate(void *failed, const ferry_error *err)
{
    if (err != NULL) {
        gate_open(failed);
    }
}

static void test_answer_after_a_failed_write(void **state)
{
    struct gate *failed = KEPT(state, struct gate);
    struct origin *origin = serve_with(state, serve_late_refusal, failed);
    ferry_transport *transport = faulty_transport(state, origin);
    ferry_request *req = request("POST", origin_url(origin, "/"));
    const char *text = "foo\n";

    ferry_request_set_body_reader(req, read_text, NULL, &text, 4);
    ferry_request_set_trace(req, FERRY_TRACE(.wrote_request = open_gate), failed);
    fault.stream = 1;
    fault.write = 2; /* the body's: the head has gone */
    assert_got(send_and_read(transport, req), 413, "no");
    assert_eventually(stats_of(transport).connections == 0);
    ferry_request_free(req);
}

/* And if it does not come, the failure itself is told. */
static void test_no_answer_after_a_failed_write(void **state)
{
    struct gate *never = KEPT(state, struct gate);
    struct origin *origin = serve_with(state, serve_late_refusal, never);
    ferry_transport *transport = faulty_transport(state, origin);
    ferry_request *req = request("POST", origin_url(origin, "/"));
    const char *text = "foo\n";

    ferry_request_set_body_reader(req, read_text, NULL, &text, 4);
    fault.stream = 1;
    fault.write = 2;
    struct outcome outcome = send_and_read(transport, req);
    assert_failed(outcome, FERRY_EWRITE, "write: ");
    assert_int_equal(outcome.err.os_errno, EPIPE);
    assert_int_equal(stats_of(transport).connections, 0);
    ferry_request_free(req);
}

static void break_at_once(void *arg, int reused, int64_t idle_ms)
{
    int *dials = arg;
    (void)reused;
    (void)idle_ms;
    faulty[*dials].broken = *dials < 4;
    ++*dials;
}

/* The first four connections break between their making, TLS included, and the first write. */
static void four_break(ferry_transport *transport, const char *url, const char *body)
{
    int dials = 0;
    ferry_request *req = request("GET", url);
    ferry_request_set_trace(req, FERRY_TRACE(.got_conn = break_at_once), &dials);
    fault.stream = 5;
    for (int i = 0; i < 4; i++) {
        struct outcome outcome = send_and_read(transport, req);
        assert_failed(outcome, FERRY_EWRITE, "write: ");
        assert_int_equal(outcome.err.os_errno, EPIPE);
        assert_int_equal(stats_of(transport).connections, 0);
    }
    assert_got(send_and_read(transport, req), 200, body);
    assert_int_equal(dials, 5);
    assert_int_equal(stats_of(transport).dials, 5);
    assert_int_equal(stats_of(transport).retries, 0);
    assert_int_equal(stats_of(transport).reuses, 0);
    assert_int_equal(stats_of(transport).idle, 1);
    ferry_request_free(req);
}

static void test_TR_125_broken_connections_are_not_kept(void **state)
{
    struct origin *origin = serve_reply(state, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    four_break(faulty_transport(state, origin), origin_url(origin, "/"), "");

    struct tls_server *server = https_ok_server();
    struct dial_hook *hook = KEPT(state, struct dial_hook, .port = tls_server_port(server));
    no_faults();
    ferry_transport *transport = transport_with(
        state, FERRY_TRANSPORT_OPTIONS(.dial = dial_hook, .dial_arg = hook, .tls = TRUSTING()));
    four_break(transport, https_url(tls_server_port(server), "/"), "ok");
    transport_done(state, transport);
    tls_server_stop(server);
}

/* ----------------------------------------------------------------------------------- reads' errors */

static void test_TR_106_the_read_error_itself(void **state)
{
    struct origin *origin = serve_with(state, serve_identity, NULL);
    ferry_transport *transport = faulty_transport(state, origin);

    fault.stream = 1;
    fault.read_after = 0;
    struct outcome outcome = get(transport, origin_url(origin, "/"));
    assert_failed(outcome, FERRY_EREAD, "read: ");
    assert_int_equal(outcome.err.os_errno, EBADMSG);
    assert_memory_equal(outcome.err.message, "read: ", 6); /* and nothing around it */
}

#define CHUNKED_HEAD "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

static void test_CH_008_read_error_behind_a_chunk(void **state)
{
    struct origin *origin = serve_reply(state, CHUNKED_HEAD "5\r\nhello\r\n0\r\n\r\n");
    ferry_transport *transport = faulty_transport(state, origin);

    fault.stream = 1;
    fault.read_after = (int)strlen(CHUNKED_HEAD "5\r\nhello");
    struct outcome outcome = get(transport, origin_url(origin, "/"));
    assert_int_equal(outcome.status, 200);
    assert_string_equal(outcome.body, "hello");
    assert_int_equal(outcome.body_len, -1);
    assert_failed(outcome, FERRY_EREAD, "read: ");
    assert_int_equal(outcome.err.os_errno, EBADMSG);
    assert_int_equal(stats_of(transport).connections, 0);
}

/* At every place in a response, the error is the one that happened. */
static void test_read_error_anywhere(void **state)
{
    static const char reply[] = CHUNKED_HEAD "5\r\nhello\r\n0\r\nTrailer: x\r\n\r\n";
    struct origin *origin = serve_reply(state, reply);
    struct dial_hook hook = {.port = origin_port(origin)};

    for (int at = 0; at < (int)strlen(reply); at++) {
        no_faults();
        ferry_transport *transport =
            ferry_transport_new(FERRY_TRANSPORT_OPTIONS(.dial = dial_hook, .dial_arg = &hook));
        assert_non_null(transport);
        fault.stream = 1;
        fault.read_after = at;
        assert_failed(get(transport, origin_url(origin, "/")), FERRY_EREAD, "read: ");
        assert_int_equal(stats_of(transport).connections, 0);
        ferry_transport_free(transport);
    }
}

static void serve_endless(struct origin_conn *conn, void *arg)
{
    (void)arg;
    if (origin_read_request(conn) && origin_send(conn, BYTES("HTTP/1.1 200 OK\r\n\r\n"))) {
        while (origin_send(conn, BYTES("for ever and ever and "))) {}
    }
}

static void serve_endless_chunks(struct origin_conn *conn, void *arg)
{
    (void)arg;
    if (origin_read_request(conn) && origin_send(conn, BYTES(CHUNKED_HEAD))) {
        while (origin_send(conn, BYTES("9\r\nfor ever \r\n"))) {}
    }
}

/* A dial function that ends its connections some time after their response has come, whoever reads. */
static void end_after_a_while(void *arg)
{
    int fd = *(int *)arg;
    ferry_sleep(100);
    shutdown(fd, SHUT_RDWR);
    close(fd);
}

struct short_lived {
    struct dial_hook hook;
    int copy;
};

static int dial_short_lived(void *arg, const ferry_dial_target *target, ferry_error *err)
{
    struct short_lived *lived = arg;
    int fd = dial_hook(&lived->hook, target, err);
    lived->copy = dup(fd);
    return lived->copy >= 0 ? fd : -1;
}

static ferry_error read_to_failure(ferry_response *res)
{
    ferry_error err = {0};
    char buf[4096];
    ssize_t got;
    do {
        got = ferry_response_read(res, buf, sizeof buf, &err);
    } while (got > 0);
    assert_int_equal(got, -1);
    return err;
}

static void test_a_dial_functions_deadline(void **state)
{
    struct origin *origin = serve_with(state, serve_endless_chunks, NULL);
    struct short_lived lived = {.hook.port = origin_port(origin)};
    ferry_transport *transport = transport_with(
        state, FERRY_TRANSPORT_OPTIONS(.dial = dial_short_lived, .dial_arg = &lived));
    no_faults();
    for (int i = 0; i < 5; i++) {
        ferry_response *res = open_get(transport, origin_url(origin, "/"));
        assert_int_equal(ferry_go(end_after_a_while, &lived.copy), 0);
        ferry_error err = read_to_failure(res);
        assert_true(err.code == FERRY_ETRUNCATED || err.code == FERRY_EREAD);
        assert_int_equal(stats_of(transport).connections, 0);
        ferry_response_close(res);
    }
}

static void test_TR_036_a_streams_deadline(void **state)
{
    struct origin *origin = serve_with(state, serve_endless, NULL);
    ferry_transport *transport = faulty_transport(state, origin);

    fault.stream = 5;
    fault.deadline_ms = 100;
    for (int i = 0; i < 5; i++) {
        ferry_response *res = open_get(transport, origin_url(origin, "/"));
        ferry_error err = read_to_failure(res);
        assert_error(&err, FERRY_ETIMEOUT, "reading the body of ");
        assert_int_equal(stats_of(transport).connections, 0);
        ferry_response_close(res);
    }
}

/* As TLS does for a server that sends new keys or tickets as fast as they are taken (RFC 8446 section 4.6): who
 * waits for a response may be out of patience meanwhile. */
static void test_news_that_are_none_keep_nobody(void **state)
{
    struct origin *origin = serve_with(state, serve_identity, NULL);
    ferry_context *context = ferry_context_new(-1);
    struct call call = {.transport = faulty_transport(state, origin),
                        .url = origin_url(origin, "/"),
                        .context = context};
    fault.stream = 1;
    fault.false_news = 1000000;
    start_call(&call);
    assert_eventually(stats_of(call.transport).connections == 1);
    ferry_context_cancel(context);
    assert_eventually(atomic_load(&call.done));
    assert_failed(call.outcome, FERRY_ECANCELED, NULL);
    assert_true(fault.false_news > 0);
    ferry_context_free(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRANSPORT_TEST(test_TR_064_retry_get),
        TRANSPORT_TEST(test_TR_064_retry_get_with_body),
        TRANSPORT_TEST(test_TR_064_retry_delete),
        TRANSPORT_TEST(test_TR_064_retry_post_with_body),
        TRANSPORT_TEST(test_no_retry_of_a_post_half_written),
        TRANSPORT_TEST(test_no_retry_of_a_post_half_encrypted),
        TRANSPORT_TEST(test_answer_after_a_failed_write),
        TRANSPORT_TEST(test_no_answer_after_a_failed_write),
        TRANSPORT_TEST(test_TR_125_broken_connections_are_not_kept),
        TRANSPORT_TEST(test_TR_106_the_read_error_itself),
        TRANSPORT_TEST(test_CH_008_read_error_behind_a_chunk),
        TRANSPORT_TEST(test_read_error_anywhere),
        TRANSPORT_TEST(test_TR_036_a_streams_deadline),
        TRANSPORT_TEST(test_a_dial_functions_deadline),
        TRANSPORT_TEST(test_news_that_are_none_keep_nobody),
    };
    return cmocka_run_group_tests(tests, https_world_make, https_world_free);
}
