/*
 * What a write of the TLS stream returns, and what has come of it at the server.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gate.h"
#include "net/tls_internal.h"
#include "net_test.h"
#include "tls_test.h"

static void never_read(SSL *ssl, int fd, void *arg)
{
    struct gate *enough = arg;
    (void)ssl;
    (void)fd;
    gate_wait(enough, 10000);
}

static void write_deadline(void **state)
{
    (void)state;
    static char block[65536];
    struct iovec iov = {.iov_base = block, .iov_len = sizeof block};
    struct gate enough = {0};
    struct tls_server *server = tls_test_serve(never_read, &enough);
    struct fy_stream *stream = tls_test_open_to(server);
    ssize_t written;
    do {
        stream->write_deadline = fy_after_ms(20);
        written = stream->ops->writev(stream, &iov, 1, "test");
    } while (written > 0);
    assert_int_equal(written, -ETIMEDOUT);
    stream->write_deadline = FY_NEVER;
    /* Half a record has gone: nothing can follow. */
    assert_int_equal(stream->ops->writev(stream, &iov, 1, "test"), -ETIMEDOUT);
    gate_open(&enough);
    tls_test_free(stream);
    tls_server_stop(server);
}

static void many_buffers(void **state)
{
    (void)state;
    static char large[40000];
    static char back[sizeof large + 6];
    struct iovec iov[] = {{.iov_len = 0},
                          {.iov_base = (char *)"ab", .iov_len = 2},
                          {.iov_len = 0},
                          {.iov_base = large, .iov_len = sizeof large},
                          {.iov_base = (char *)"cdef", .iov_len = 4},
                          {.iov_len = 0}};
    struct tls_server *server = tls_test_serve(NULL, NULL);
    struct fy_stream *stream = tls_test_open_to(server);
    size_t there = 0;
    for (size_t i = 0; i < sizeof large; i++) {
        large[i] = (char)(i * 7 + i / 251);
    }
    assert_int_equal(fy_stream_write_all(stream, iov, 6, "test"), 0);
    while (there < sizeof back) {
        ssize_t got = tls_test_read(stream, back + there, sizeof back - there);
        assert_true(got > 0);
        there += (size_t)got;
    }
    assert_memory_equal(back, "ab", 2);
    assert_memory_equal(back + 2, large, sizeof large);
    assert_memory_equal(back + 2 + sizeof large, "cdef", 4);
    tls_test_free(stream);
    tls_server_stop(server);
}

static void count_what_comes(SSL *ssl, int fd, void *arg)
{
    atomic_size_t *received = arg;
    char buf[1024];
    int got;
    (void)fd;
    while ((got = SSL_read(ssl, buf, sizeof buf)) > 0) {
        atomic_fetch_add(received, (size_t)got);
    }
}

/* A stream below that fails when so many bytes have gone. */
static const struct fy_stream_ops *sound;
static size_t bytes_left;

static ssize_t write_until_it_fails(struct fy_stream *stream, const struct iovec *iov, int count,
                                    const char *why)
{
    struct iovec part = *iov;
    (void)count;
    part.iov_len = part.iov_len < bytes_left ? part.iov_len : bytes_left;
    ssize_t written = part.iov_len > 0 ? sound->writev(stream, &part, 1, why) : -ECONNRESET;
    bytes_left -= written > 0 ? (size_t)written : 0;
    return written;
}

/* Writes 60,000 bytes, which are four records, of which only so much goes. Returns what the write does;
 * the server's count tells what has come there. */
static ssize_t write_partly(size_t goes, size_t *came)
{
    static char block[60000];
    struct iovec iov = {.iov_base = block, .iov_len = sizeof block};
    atomic_size_t received = 0;
    struct fy_stream_ops failing;
    struct tls_server *server = tls_test_serve(count_what_comes, &received);
    struct fy_stream *stream = tls_test_open_to(server);
    struct fy_stream *below = fy_tls_stream_from(stream)->below;
    sound = below->ops;
    failing = *sound;
    failing.writev = write_until_it_fails;
    below->ops = &failing;
    bytes_left = goes;
    ssize_t written = stream->ops->writev(stream, &iov, 1, "test");
    assert_int_equal(stream->ops->writev(stream, &iov, 1, "test"), -ECONNRESET);
    below->ops = sound;
    tls_test_free(stream);
    tls_server_stop(server);
    *came = atomic_load(&received);
    return written;
}

/* A write that fails has written nothing: what says so may be sent again, whatever it does. */
static void a_failed_write_has_written_nothing(void **state)
{
    (void)state;
    size_t came;
    assert_int_equal(write_partly(0, &came), -ECONNRESET);
    assert_int_equal(came, 0);
    ssize_t written = write_partly(40000, &came);
    assert_int_equal(came, 32768);
    assert_in_range(written, came, 59999);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, net_test_enter, net_test_leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(write_deadline),
        TEST(many_buffers),
        TEST(a_failed_write_has_written_nothing),
    };
    return cmocka_run_group_tests_name("tls write", tests, tls_world_make, tls_world_free);
}
