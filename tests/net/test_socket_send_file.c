/*
 * Files sent over sockets by the kernel: what it means when less has gone than was asked for, and that
 * no SIGPIPE is left of it. Whole files: test_socket_stream.c.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/socket_stream.h"
#include "net_test.h"
#include "task/sched.h"

static void (*const kinds[])(int ends[2]) = {net_test_unix_pair, net_test_tcp_pair};
enum { KINDS = 2 };

/* The peer is a plain descriptor. */
static struct fy_stream *make(int kind, int *peer)
{
    int ends[2];
    kinds[kind](ends);
    struct fy_stream *stream = fy_socket_stream_new(ends[0]);
    assert_non_null(stream);
    *peer = ends[1];
    return stream;
}

static FILE *make_file(void)
{
    FILE *file = tmpfile();
    assert_non_null(file);
    fputs("text", file);
    fflush(file);
    return file;
}

static ssize_t send_file(struct fy_stream *stream, FILE *file, size_t len)
{
    return stream->ops->send_file(stream, fileno(file), 0, len, "test");
}

static ssize_t write_byte(struct fy_stream *stream, FILE *file)
{
    struct iovec iov = {.iov_base = (char *)"x", .iov_len = 1};
    (void)file;
    return stream->ops->writev(stream, &iov, 1, "test");
}

static ssize_t send_text(struct fy_stream *stream, FILE *file)
{
    return send_file(stream, file, 4);
}

/* Each is a part of what was asked for, because the file has no more: there is room all the time. */
static void short_of_its_end(void **state)
{
    (void)state;
    for (int kind = 0; kind < KINDS; kind++) {
        int peer;
        struct fy_stream *stream = make(kind, &peer);
        FILE *file = make_file();
        stream->write_deadline = fy_after_ms(10000);
        for (int n = 0; n < 4; n++) {
            assert_int_equal(send_file(stream, file, 100), 4);
        }
        fclose(file);
        stream->ops->free(stream);
        close(peer);
    }
}

static void says_when_to_read_instead(void **state)
{
    int peer;
    int ends[2];
    struct fy_stream *stream = make(1, &peer);
    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(stream->ops->send_file(stream, ends[0], 0, 10, "test"), -ENOSYS);
    close(ends[0]);
    close(ends[1]);
    assert_int_equal(stream->ops->send_file(stream, -1, 0, 10, "test"), -EBADF);
    stream->ops->free(stream);
    close(peer);
}

/* Over TCP the first bytes bring the reset, the next ones meet it. */
static void until_refused(struct fy_stream *stream, FILE *file,
                          ssize_t (*send_some)(struct fy_stream *stream, FILE *file))
{
    ssize_t result;
    do {
        result = send_some(stream, file);
        net_test_yield();
    } while (result > 0);
    if (result != -ECONNRESET) {
        assert_int_equal(result, -EPIPE);
    }
    assert_int_equal(send_some(stream, file), -EPIPE);
}

/* SIGPIPE would end the test. */
static void no_sigpipe(void **state)
{
    (void)state;
    for (int kind = 0; kind < KINDS; kind++) {
        int peers[2];
        struct fy_stream *written = make(kind, &peers[0]);
        struct fy_stream *sent_to = make(kind, &peers[1]);
        FILE *file = make_file();
        close(peers[0]);
        close(peers[1]);
        until_refused(written, file, write_byte);
        assert_int_equal(send_text(written, file), -EPIPE);
        until_refused(sent_to, file, send_text);
        fclose(file);
        written->ops->free(written);
        sent_to->ops->free(sent_to);
    }
}

/* A program that blocks SIGPIPE finds none waiting. */
static void no_sigpipe_is_left_pending(void **state)
{
    sigset_t pipe_set;
    sigset_t pending;
    (void)state;
    sigemptyset(&pipe_set);
    sigaddset(&pipe_set, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_set, NULL);
    no_sigpipe(NULL);
    sigpending(&pending);
    assert_false(sigismember(&pending, SIGPIPE));
    pthread_sigmask(SIG_UNBLOCK, &pipe_set, NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, net_test_enter, net_test_leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(short_of_its_end),
        TEST(says_when_to_read_instead),
        TEST(no_sigpipe),
        TEST(no_sigpipe_is_left_pending),
    };
    signal(SIGPIPE, SIG_DFL); /* whatever started this test may have ignored it */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
