/*
 * Streams over sockets: what each call returns, and that a task parked in one goes on when it
 * should.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/socket_stream.h"
#include "net_test.h"
#include "task/sched.h"

/* The stream under test and its peer, a plain descriptor. */
struct pair {
    struct fy_stream *stream;
    int fd; /* the stream's */
    int peer;
};

static struct pair make(void (*sockets)(int ends[2]))
{
    int ends[2];
    sockets(ends);
    struct pair pair = {.stream = fy_socket_stream_new(ends[0]), .fd = ends[0], .peer = ends[1]};
    assert_non_null(pair.stream);
    return pair;
}

static void drop(struct pair *pair)
{
    pair->stream->ops->free(pair->stream);
    if (pair->peer >= 0) {
        close(pair->peer);
    }
}

static void hang_up(struct pair *pair)
{
    close(pair->peer);
    pair->peer = -1;
}

static void peer_sends(struct pair *pair, const char *text)
{
    assert_int_equal(send(pair->peer, text, strlen(text), 0), strlen(text));
}

static ssize_t read_some(struct fy_stream *stream, char *buf, size_t len)
{
    return stream->ops->read(stream, buf, len, "test read");
}

static ssize_t write_text(struct fy_stream *stream, const char *text)
{
    struct iovec iov = {.iov_base = (char *)text, .iov_len = strlen(text)};
    return stream->ops->writev(stream, &iov, 1, "test write");
}

/* ------------------------------------------------------------------------------------ reading */

static void read_exactly_short_and_end(void **state)
{
    struct pair pair = make(net_test_tcp_pair);
    char buf[16];
    (void)state;
    peer_sends(&pair, "abcdef");
    assert_int_equal(read_some(pair.stream, buf, 4), 4);
    assert_memory_equal(buf, "abcd", 4);
    assert_int_equal(read_some(pair.stream, buf, sizeof buf), 2);
    assert_memory_equal(buf, "ef", 2);
    peer_sends(&pair, "g");
    assert_int_equal(read_some(pair.stream, buf, sizeof buf), 1);
    peer_sends(&pair, "last");
    hang_up(&pair);
    assert_int_equal(read_some(pair.stream, buf, sizeof buf), 4);
    assert_int_equal(read_some(pair.stream, buf, sizeof buf), 0);
    assert_int_equal(read_some(pair.stream, buf, sizeof buf), 0);
    drop(&pair);
}

struct reader {
    struct fy_stream *stream;
    char buf[16];
    ssize_t result;
    bool done;
};

static void reader(void *arg)
{
    struct reader *self = arg;
    self->result = read_some(self->stream, self->buf, sizeof self->buf);
    self->done = true;
}

static void parked_read_goes_on(void **state)
{
    struct pair pair = make(net_test_unix_pair);
    struct reader parked = {.stream = pair.stream};
    (void)state;
    net_test_go(reader, &parked);
    net_test_yield();
    assert_false(parked.done);
    peer_sends(&pair, "x");
    net_test_yield();
    assert_true(parked.done);
    assert_int_equal(parked.result, 1);
    drop(&pair);
}

static void read_after_reset(void **state)
{
    struct pair pair = make(net_test_tcp_pair);
    const struct linger reset = {.l_onoff = 1};
    char buf[4];
    (void)state;
    setsockopt(pair.peer, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    hang_up(&pair);
    assert_int_equal(read_some(pair.stream, buf, sizeof buf), -ECONNRESET);
    drop(&pair);
}

/* Looking ahead takes the error from the kernel, and must not take it from the read. */
static void reset_found_by_a_look_ahead(void **state)
{
    struct pair pair = make(net_test_tcp_pair);
    const struct linger reset = {.l_onoff = 1};
    char buf[4];
    (void)state;
    setsockopt(pair.peer, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    hang_up(&pair);
    assert_true(pair.stream->ops->has_input(pair.stream)); /* before the poller has seen it */
    assert_int_equal(net_test_wait_readable(pair.stream, "test"), 0);
    assert_int_equal(read_some(pair.stream, buf, sizeof buf), -ECONNRESET);
    drop(&pair);
}

static void has_input(void **state)
{
    struct pair pair = make(net_test_tcp_pair);
    char buf[4];
    (void)state;
    assert_false(pair.stream->ops->has_input(pair.stream));
    peer_sends(&pair, "abcd");
    fy_poll_now();
    assert_true(pair.stream->ops->has_input(pair.stream));
    assert_int_equal(read_some(pair.stream, buf, 4), 4);
    assert_false(pair.stream->ops->has_input(pair.stream)); /* not short, so it had to look */
    peer_sends(&pair, "ab");
    fy_poll_now();
    assert_int_equal(read_some(pair.stream, buf, 4), 2);
    assert_false(pair.stream->ops->has_input(pair.stream));
    hang_up(&pair);
    fy_poll_now();
    assert_true(pair.stream->ops->has_input(pair.stream));
    pair.stream->ops->close(pair.stream);
    assert_true(pair.stream->ops->has_input(pair.stream));
    drop(&pair);
}

struct waiter {
    struct fy_stream *stream;
    int result;
    bool done;
};

static void waiter(void *arg)
{
    struct waiter *self = arg;
    self->result = net_test_wait_readable(self->stream, "test wait");
    self->done = true;
}

static void wait_readable(void **state)
{
    struct pair pair = make(net_test_tcp_pair);
    struct waiter parked = {.stream = pair.stream};
    char buf[4];
    (void)state;
    peer_sends(&pair, "abcd");
    assert_int_equal(read_some(pair.stream, buf, 4), 4);
    net_test_go(waiter, &parked); /* readable still stands, with nothing there */
    net_test_yield();
    assert_false(parked.done);
    hang_up(&pair);
    net_test_yield();
    assert_true(parked.done);
    assert_int_equal(parked.result, 0);
    assert_int_equal(read_some(pair.stream, buf, 4), 0);
    drop(&pair);
}

/* ------------------------------------------------------------------------- deadlines and closes */

static void read_deadline(void **state)
{
    struct pair pair = make(net_test_unix_pair);
    char buf[4];
    (void)state;
    pair.stream->read_deadline = fy_after_ms(5);
    assert_int_equal(read_some(pair.stream, buf, sizeof buf), -ETIMEDOUT);
    assert_int_equal(net_test_wait_readable(pair.stream, "test"), -ETIMEDOUT);
    peer_sends(&pair, "x");
    assert_int_equal(read_some(pair.stream, buf, sizeof buf), -ETIMEDOUT); /* in spite of the x */
    pair.stream->read_deadline = FY_NEVER;
    assert_int_equal(read_some(pair.stream, buf, sizeof buf), 1);
    drop(&pair);
}

/* So that no write goes, until the peer reads. */
static void fill(struct pair *pair)
{
    static const char block[65536];
    while (send(pair->fd, block, sizeof block, MSG_DONTWAIT) > 0) {}
    while (send(pair->fd, block, 1, MSG_DONTWAIT) > 0) {}
    assert_int_equal(errno, EAGAIN);
}

static void write_deadline(void **state)
{
    struct pair pair = make(net_test_unix_pair);
    FILE *file = tmpfile();
    (void)state;
    assert_non_null(file);
    fputs("text", file);
    fflush(file);
    fill(&pair);
    pair.stream->write_deadline = fy_after_ms(5);
    assert_int_equal(write_text(pair.stream, "x"), -ETIMEDOUT);
    pair.stream->write_deadline = fy_after_ms(5);
    assert_int_equal(pair.stream->ops->send_file(pair.stream, fileno(file), 0, 4, "test"),
                     -ETIMEDOUT);
    fclose(file);
    drop(&pair);
}

struct writer {
    struct fy_stream *stream;
    ssize_t result;
    bool done;
};

static void writer(void *arg)
{
    struct writer *self = arg;
    self->result = write_text(self->stream, "more");
    self->done = true;
}

/* Without parking, and whatever the deadlines say. */
static void tries(void **state)
{
    struct pair pair = make(net_test_unix_pair);
    char buf[4];
    (void)state;
    pair.stream->read_deadline = 0;
    pair.stream->write_deadline = 0;
    assert_int_equal(pair.stream->ops->try_read(pair.stream, buf, sizeof buf), -EAGAIN);
    peer_sends(&pair, "ab");
    assert_int_equal(pair.stream->ops->try_read(pair.stream, buf, 1), 1);
    assert_int_equal(pair.stream->ops->try_read(pair.stream, buf, sizeof buf), 1);
    assert_int_equal(pair.stream->ops->try_read(pair.stream, buf, sizeof buf), -EAGAIN);
    assert_int_equal(pair.stream->ops->try_write(pair.stream, "cd", 2), 2);
    assert_int_equal(recv(pair.peer, buf, sizeof buf, 0), 2);
    fill(&pair);
    assert_int_equal(pair.stream->ops->try_write(pair.stream, "x", 1), -EAGAIN);
    hang_up(&pair);
    assert_int_equal(pair.stream->ops->try_write(pair.stream, "x", 1), -EPIPE);
    pair.stream->ops->close(pair.stream);
    assert_int_equal(pair.stream->ops->try_read(pair.stream, buf, 1), -ECANCELED);
    assert_int_equal(pair.stream->ops->try_write(pair.stream, buf, 1), -ECANCELED);
    drop(&pair);
}

/* A try that found nothing must not make a later read miss what comes. */
static void read_after_a_try(void **state)
{
    struct pair pair = make(net_test_unix_pair);
    struct reader parked = {.stream = pair.stream};
    char byte;
    (void)state;
    assert_int_equal(pair.stream->ops->try_read(pair.stream, &byte, 1), -EAGAIN);
    net_test_go(reader, &parked);
    net_test_yield();
    assert_false(parked.done);
    peer_sends(&pair, "x");
    net_test_yield();
    assert_true(parked.done);
    assert_int_equal(parked.result, 1);
    drop(&pair);
}

static void close_under_parked_tasks(void **state)
{
    struct pair pair = make(net_test_unix_pair);
    struct reader reading = {.stream = pair.stream};
    struct writer writing = {.stream = pair.stream};
    char buf[4];
    (void)state;
    fill(&pair);
    net_test_go(reader, &reading);
    net_test_go(writer, &writing);
    net_test_yield();
    assert_false(reading.done || writing.done);
    pair.stream->ops->close(pair.stream);
    pair.stream->ops->close(pair.stream);
    net_test_yield();
    assert_true(reading.done && writing.done);
    assert_int_equal(reading.result, -ECANCELED);
    assert_int_equal(writing.result, -ECANCELED);
    assert_int_equal(read_some(pair.stream, buf, sizeof buf), -ECANCELED);
    assert_int_equal(write_text(pair.stream, "x"), -ECANCELED);
    assert_int_equal(pair.stream->ops->send_file(pair.stream, 0, 0, 1, "test"), -ECANCELED);
    assert_int_equal(net_test_wait_readable(pair.stream, "test"), -ECANCELED);
    assert_int_equal(pair.stream->ops->shutdown_write(pair.stream), -ECANCELED);
    drop(&pair);
}

/* The bytes came, and then the close, both before the reader had its turn. */
static void closed_when_ready(void **state)
{
    struct pair pair = make(net_test_unix_pair);
    struct reader reading = {.stream = pair.stream};
    (void)state;
    net_test_go(reader, &reading);
    net_test_yield();
    peer_sends(&pair, "x");
    fy_poll_now();
    assert_false(reading.done);
    pair.stream->ops->close(pair.stream);
    net_test_yield();
    assert_int_equal(reading.result, -ECANCELED);
    drop(&pair);
}

static void count_turns(void *arg)
{
    int *turns = arg;
    while (*turns >= 0) {
        ++*turns;
        fy_yield();
    }
}

static void busy_peer_leaves_turns_to_others(void **state)
{
    struct pair pair = make(net_test_unix_pair);
    char text[1001];
    char byte;
    int turns = 0;
    (void)state;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    peer_sends(&pair, text);
    net_test_go(count_turns, &turns);
    for (size_t i = 0; i < sizeof text - 1; i++) {
        assert_int_equal(read_some(pair.stream, &byte, 1), 1); /* never needs to park */
    }
    assert_true(turns > 1);
    turns = -1;
    net_test_yield();
    drop(&pair);
}

/* ------------------------------------------------------------------------------------ writing */

static void peer_receives(int peer, char *buf, size_t len)
{
    assert_int_equal(recv(peer, buf, len, MSG_WAITALL), (ssize_t)len);
}

static void write_all_skips_empty_buffers(void **state)
{
    struct pair pair = make(net_test_tcp_pair);
    struct iovec iov[] = {{.iov_len = 0},
                          {.iov_base = (char *)"ab", .iov_len = 2},
                          {.iov_len = 0},
                          {.iov_base = (char *)"cd", .iov_len = 2},
                          {.iov_len = 0}};
    struct iovec nothing = {.iov_len = 0};
    char buf[4];
    (void)state;
    assert_int_equal(fy_stream_write_all(pair.stream, iov, 5, "test"), 0);
    peer_receives(pair.peer, buf, 4);
    assert_memory_equal(buf, "abcd", 4);
    assert_int_equal(fy_stream_write_all(pair.stream, &nothing, 1, "test"), 0);
    assert_int_equal(fy_stream_write_all(pair.stream, NULL, 0, "test"), 0);
    drop(&pair);
}

struct drainer {
    struct fy_stream *stream;
    size_t len;    /* received so far */
    bool in_order; /* byte i is i % 251 */
    bool done;
};

static void drainer(void *arg)
{
    struct drainer *self = arg;
    unsigned char buf[5000];
    ssize_t got;
    while ((got = read_some(self->stream, (char *)buf, sizeof buf)) > 0) {
        for (ssize_t i = 0; i < got; i++) {
            self->in_order = self->in_order && buf[i] == (self->len + (size_t)i) % 251;
        }
        self->len += (size_t)got;
    }
    self->done = true;
}

enum { MUCH = 3000000 };

static unsigned char *make_much(void)
{
    unsigned char *bytes = malloc(MUCH);
    assert_non_null(bytes);
    for (size_t i = 0; i < MUCH; i++) {
        bytes[i] = (unsigned char)(i % 251);
    }
    return bytes;
}

static void write_all_in_parts(void **state)
{
    int ends[2];
    (void)state;
    net_test_tcp_pair(ends);
    struct fy_stream *stream = fy_socket_stream_new(ends[0]);
    struct fy_stream *other = fy_socket_stream_new(ends[1]);
    struct drainer draining = {.stream = other, .in_order = true};
    unsigned char *bytes = make_much();
    /* More buffers than one system call takes. */
    enum { PARTS = 1500, PART = MUCH / PARTS };
    struct iovec *iov = calloc(PARTS, sizeof *iov);
    assert_non_null(iov);
    for (size_t i = 0; i < PARTS; i++) {
        iov[i] = (struct iovec){.iov_base = bytes + i * PART, .iov_len = PART};
    }
    net_test_go(drainer, &draining);
    assert_int_equal(fy_stream_write_all(stream, iov, PARTS, "test"), 0);
    assert_int_equal(stream->ops->shutdown_write(stream), 0);
    while (!draining.done) {
        fy_yield();
    }
    assert_int_equal(draining.len, MUCH);
    assert_true(draining.in_order);
    assert_int_equal(write_text(other, "ok"), 2); /* the other direction is open */
    char buf[2];
    assert_int_equal(read_some(stream, buf, 2), 2);
    free(iov);
    free(bytes);
    stream->ops->free(stream);
    other->ops->free(other);
}

static void send_file_in_parts(void **state)
{
    int ends[2];
    (void)state;
    net_test_tcp_pair(ends);
    struct fy_stream *stream = fy_socket_stream_new(ends[0]);
    struct fy_stream *other = fy_socket_stream_new(ends[1]);
    struct drainer draining = {.stream = other, .in_order = true};
    unsigned char *bytes = make_much();
    FILE *file = tmpfile();
    assert_non_null(file);
    fputs("skip", file);
    assert_int_equal(fwrite(bytes, 1, MUCH, file), MUCH);
    fflush(file);
    net_test_go(drainer, &draining);
    int64_t offset = 4;
    ssize_t sent;
    while ((sent = stream->ops->send_file(stream, fileno(file), offset, 1 << 30, "test")) > 0) {
        offset += sent;
    }
    assert_int_equal(sent, 0);
    assert_int_equal(offset, 4 + MUCH);
    stream->ops->close(stream);
    while (!draining.done) {
        fy_yield();
    }
    assert_int_equal(draining.len, MUCH);
    assert_true(draining.in_order);
    fclose(file);
    free(bytes);
    stream->ops->free(stream);
    other->ops->free(other);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, net_test_enter, net_test_leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(read_exactly_short_and_end),
        TEST(parked_read_goes_on),
        TEST(read_after_reset),
        TEST(reset_found_by_a_look_ahead),
        TEST(has_input),
        TEST(wait_readable),
        TEST(read_deadline),
        TEST(write_deadline),
        TEST(close_under_parked_tasks),
        TEST(tries),
        TEST(read_after_a_try),
        TEST(closed_when_ready),
        TEST(busy_peer_leaves_turns_to_others),
        TEST(write_all_skips_empty_buffers),
        TEST(write_all_in_parts),
        TEST(send_file_in_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
