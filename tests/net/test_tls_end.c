/*
 * How a TLS stream ends: said by the peer or by us, cut off, or broken.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "gate.h"
#include "net_test.h"
#include "tls_test.h"

static void close_notify_is_the_end(void **state)
{
    (void)state;
    char buf[4];
    struct tls_server *server = tls_test_serve(tls_serve_text, (void *)"hello");
    struct fy_stream *stream = tls_test_open_to(server);
    tls_test_expect(stream, "hello");
    assert_int_equal(tls_test_read(stream, buf, sizeof buf), 0);
    assert_int_equal(tls_test_read(stream, buf, sizeof buf), 0);
    assert_true(stream->ops->has_input(stream));
    assert_int_equal(net_test_wait_readable(stream, "test"), 0);
    assert_null(stream->ops->failure(stream));
    tls_test_free(stream);
    tls_server_stop(server);
}

static void cut_off(SSL *ssl, int fd, void *arg)
{
    const char *text = arg;
    SSL_write(ssl, text, (int)strlen(text));
    shutdown(fd, SHUT_WR);
}

static void truncation_is_no_end(void **state)
{
    (void)state;
    char buf[4];
    struct tls_server *server = tls_test_serve(cut_off, (void *)"hello");
    struct fy_stream *stream = tls_test_open_to(server);
    tls_test_expect(stream, "hello");
    assert_int_equal(tls_test_read(stream, buf, sizeof buf), -FY_TRUNCATED);
    assert_int_equal(tls_test_read(stream, buf, sizeof buf), -FY_TRUNCATED);
    assert_true(stream->ops->has_input(stream));
    assert_int_equal(net_test_wait_readable(stream, "test"), 0);
    tls_test_free(stream);
    tls_server_stop(server);
}

/* The attacker cuts in the middle of a record. */
static void half_a_record(SSL *ssl, int fd, void *arg)
{
    BIO *memory = BIO_new(BIO_s_mem());
    BIO *socket = SSL_get_wbio(ssl);
    char *bytes;
    (void)arg;
    BIO_up_ref(socket);
    SSL_set0_wbio(ssl, memory);
    SSL_write(ssl, "hello", 5);
    long len = BIO_get_mem_data(memory, &bytes);
    (void)!write(fd, bytes, (size_t)len - 3);
    SSL_set0_wbio(ssl, socket);
    shutdown(fd, SHUT_WR);
}

static void truncated_record(void **state)
{
    (void)state;
    char buf[4];
    struct tls_server *server = tls_test_serve(half_a_record, NULL);
    struct fy_stream *stream = tls_test_open_to(server);
    assert_int_equal(tls_test_read(stream, buf, sizeof buf), -FY_TRUNCATED);
    tls_test_free(stream);
    tls_server_stop(server);
}

static void reset_by_the_peer(SSL *ssl, int fd, void *arg)
{
    const struct sockaddr nobody = {.sa_family = AF_UNSPEC};
    (void)ssl;
    (void)arg;
    connect(fd, &nobody, sizeof nobody); /* lets go of the peer */
}

/* What fails below is no end, and stays. */
static void reset(void **state)
{
    (void)state;
    char buf[4];
    struct tls_server *server = tls_test_serve(reset_by_the_peer, NULL);
    struct fy_stream *stream = tls_test_open_to(server);
    assert_int_equal(tls_test_read(stream, buf, sizeof buf), -ECONNRESET);
    assert_int_equal(tls_test_read(stream, buf, sizeof buf), -ECONNRESET);
    assert_int_equal(stream->ops->try_read(stream, buf, sizeof buf), -ECONNRESET);
    assert_true(stream->ops->has_input(stream));
    assert_int_equal(net_test_wait_readable(stream, "test"), 0);
    tls_test_free(stream);
    tls_server_stop(server);
}

static void not_tls_any_more(SSL *ssl, int fd, void *arg)
{
    (void)ssl;
    (void)arg;
    (void)!write(fd, "HTTP/1.1 400 Bad Request\r\n\r\n", 28);
}

static void garbage(void **state)
{
    (void)state;
    char buf[4];
    struct tls_server *server = tls_test_serve(not_tls_any_more, NULL);
    struct fy_stream *stream = tls_test_open_to(server);
    assert_int_equal(tls_test_read(stream, buf, sizeof buf), -EPROTO);
    assert_int_equal(tls_test_read(stream, buf, sizeof buf), -EPROTO);
    assert_non_null(stream->ops->failure(stream));
    tls_test_free(stream);
    tls_server_stop(server);
}

struct heard {
    char bytes[64];
    int len;
    int error; /* SSL_get_error's, at the end */
    struct gate finished;
};

static void listen_to_the_end(SSL *ssl, int fd, void *arg)
{
    struct heard *heard = arg;
    int got;
    (void)fd;
    while ((got = SSL_read(ssl, heard->bytes + heard->len, (int)sizeof heard->bytes - heard->len)) >
           0) {
        heard->len += got;
    }
    heard->error = SSL_get_error(ssl, got);
    gate_open(&heard->finished);
}

/* A close says close_notify, without waiting for anything. */
static void close_says_so(void **state)
{
    (void)state;
    struct heard heard = {0};
    struct tls_server *server = tls_test_serve(listen_to_the_end, &heard);
    struct fy_stream *stream = tls_test_open_to(server);
    tls_test_write(stream, "bye");
    stream->ops->close(stream);
    stream->ops->close(stream);
    assert_true(gate_wait(&heard.finished, 10000));
    assert_int_equal(heard.len, 3);
    assert_int_equal(heard.error, SSL_ERROR_ZERO_RETURN);
    tls_test_free(stream);
    tls_server_stop(server);
}

static void closed_stream(void **state)
{
    (void)state;
    char buf[4];
    struct iovec iov = {.iov_base = buf, .iov_len = 1};
    struct tls_server *server = tls_test_serve(NULL, NULL);
    struct fy_stream *stream = tls_test_open_to(server);
    stream->ops->close(stream);
    assert_int_equal(tls_test_read(stream, buf, sizeof buf), -ECANCELED);
    assert_int_equal(stream->ops->writev(stream, &iov, 1, "test"), -ECANCELED);
    assert_int_equal(net_test_wait_readable(stream, "test"), -ECANCELED);
    assert_int_equal(stream->ops->shutdown_write(stream), -ECANCELED);
    assert_int_equal(stream->ops->try_read(stream, buf, 1), -ECANCELED);
    assert_int_equal(stream->ops->try_write(stream, buf, 1), -ECANCELED);
    assert_true(stream->ops->has_input(stream));
    tls_test_free(stream);
    tls_server_stop(server);
}

/* The server hears the end, answers, and ends: a half close. */
static void answer_the_end(SSL *ssl, int fd, void *arg)
{
    struct heard *heard = arg;
    listen_to_the_end(ssl, fd, heard);
    SSL_write(ssl, heard->bytes, heard->len);
    SSL_shutdown(ssl);
}

static void half_close(void **state)
{
    (void)state;
    char buf[4];
    struct heard heard = {0};
    struct tls_server *server = tls_test_serve(answer_the_end, &heard);
    struct fy_stream *stream = tls_test_open_to(server);
    tls_test_write(stream, "over");
    assert_int_equal(stream->ops->shutdown_write(stream), 0);
    tls_test_expect(stream, "over");
    assert_int_equal(tls_test_read(stream, buf, sizeof buf), 0);
    assert_int_equal(heard.error, SSL_ERROR_ZERO_RETURN);
    tls_test_free(stream);
    tls_server_stop(server);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, net_test_enter, net_test_leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(close_notify_is_the_end),
        TEST(truncation_is_no_end),
        TEST(truncated_record),
        TEST(reset),
        TEST(garbage),
        TEST(close_says_so),
        TEST(closed_stream),
        TEST(half_close),
    };
    return cmocka_run_group_tests_name("tls stream: its end", tests, tls_world_make,
                                       tls_world_free);
}
