/*
 * The TLS stream once it is made: what each call returns, and two tasks in it at a time.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "gate.h"
#include "net/tls_internal.h"
#include "net_test.h"
#include "process.h"
#include "task/sched.h"
#include "tls_test.h"

/* -------------------------------------------------------------------------------- input and none */

struct steps {
    struct gate one, two;
};

static void speak_when_told(SSL *ssl, int fd, void *arg)
{
    struct steps *steps = arg;
    (void)fd;
    gate_wait(&steps->one, 10000);
    SSL_write(ssl, "abcdef", 6);
    gate_wait(&steps->two, 10000);
    SSL_shutdown(ssl);
}

static bool input_is_there(void *arg)
{
    struct fy_stream *stream = arg;
    fy_poll_now();
    return stream->ops->has_input(stream);
}

/* The tickets of TLS 1.3 have come, and are no input. */
static void tickets_are_no_input(void **state)
{
    (void)state;
    char buf[4];
    struct steps steps = {0};
    struct tls_server *server = tls_test_serve(speak_when_told, &steps);
    struct fy_stream *stream = tls_test_open_to(server);
    for (int i = 0; i < 20; i++) {
        assert_false(input_is_there(stream));
        usleep(1000);
    }
    ferry_tls_info info = tls_test_info(stream);
    assert_string_equal(info.version, "TLSv1.3");
    assert_int_equal(stream->ops->try_read(stream, buf, sizeof buf), -EAGAIN);
    gate_open(&steps.one);
    assert_true(expect_eventually(input_is_there, stream, 10000));
    assert_int_equal(stream->ops->try_read(stream, buf, 2), 2);
    assert_memory_equal(buf, "ab", 2);
    assert_true(stream->ops->has_input(stream));
    assert_int_equal(net_test_wait_readable(stream, "test"), 0);
    tls_test_expect(stream, "cdef");
    assert_false(stream->ops->has_input(stream));
    gate_open(&steps.two);
    assert_int_equal(net_test_wait_readable(stream, "test"), 0);
    assert_int_equal(tls_test_read(stream, buf, sizeof buf), 0);
    tls_test_free(stream);
    tls_server_stop(server);
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

static void reader(void *arg)
{
    struct waiter *self = arg;
    char buf[4];
    self->result = (int)tls_test_read(self->stream, buf, sizeof buf);
    self->done = true;
}

/* A task that is parked in it goes on when another closes it. */
static void close_under(void (*parked_in)(void *arg))
{
    struct steps steps = {0};
    struct tls_server *server = tls_test_serve(speak_when_told, &steps);
    struct waiter parked = {.stream = tls_test_open_to(server)};
    net_test_go(parked_in, &parked);
    net_test_yield();
    assert_false(parked.done);
    parked.stream->ops->close(parked.stream);
    net_test_yield();
    assert_true(parked.done);
    assert_int_equal(parked.result, -ECANCELED);
    tls_test_free(parked.stream);
    gate_open(&steps.one);
    gate_open(&steps.two);
    tls_server_stop(server);
}

static void close_under_parked_tasks(void **state)
{
    (void)state;
    close_under(waiter);
    close_under(reader);
}

static void read_deadline(void **state)
{
    (void)state;
    char buf[4];
    struct steps steps = {0};
    struct tls_server *server = tls_test_serve(speak_when_told, &steps);
    struct fy_stream *stream = tls_test_open_to(server);
    stream->read_deadline = fy_after_ms(5);
    assert_int_equal(tls_test_read(stream, buf, sizeof buf), -ETIMEDOUT);
    assert_int_equal(net_test_wait_readable(stream, "test"), -ETIMEDOUT);
    gate_open(&steps.one);
    assert_true(expect_eventually(input_is_there, stream, 10000));
    assert_int_equal(tls_test_read(stream, buf, sizeof buf), -ETIMEDOUT); /* in spite of it */
    stream->read_deadline = FY_NEVER;
    tls_test_expect(stream, "abcdef");
    gate_open(&steps.two);
    tls_test_free(stream);
    tls_server_stop(server);
}

/* ------------------------------------------------------------------------------- both ways at once */

#define MUCH ((size_t)8 << 20)

struct transfer {
    struct fy_stream *stream;
    struct fy_chan done;
    int result;
    size_t size;
};

static unsigned char byte_at(size_t i)
{
    return (unsigned char)(i * 31 + (i >> 12));
}

static void write_much(void *arg)
{
    struct transfer *self = arg;
    static unsigned char block[50000];
    for (size_t at = 0; at < self->size && self->result == 0;) {
        size_t len = self->size - at < sizeof block ? self->size - at : sizeof block;
        struct iovec iov = {.iov_base = block, .iov_len = len};
        for (size_t i = 0; i < len; i++) {
            block[i] = byte_at(at + i);
        }
        self->result = fy_stream_write_all(self->stream, &iov, 1, "test write");
        at += len;
    }
    fy_chan_close(&self->done);
}

static void read_much(void *arg)
{
    struct transfer *self = arg;
    static unsigned char block[30000];
    for (size_t at = 0; at < self->size;) {
        ssize_t got = tls_test_read(self->stream, block, sizeof block);
        if (got <= 0) {
            self->result = got == 0 ? -EPIPE : (int)got;
            break;
        }
        for (ssize_t i = 0; i < got; i++) {
            if (block[i] != byte_at(at + (size_t)i)) {
                self->result = -EBADMSG;
            }
        }
        at += (size_t)got;
    }
    fy_chan_close(&self->done);
}

static void both_ways(struct fy_stream *stream, size_t size)
{
    struct transfer writing = {.stream = stream, .size = size};
    struct transfer reading = writing;
    fy_chan_init(&writing.done, NULL, 0);
    fy_chan_init(&reading.done, NULL, 0);
    assert_non_null(
        fy_task_start(FY_TASK_LIBRARY, FY_STACK_SMALL, "test write", write_much, &writing));
    assert_non_null(
        fy_task_start(FY_TASK_LIBRARY, FY_STACK_SMALL, "test read", read_much, &reading));
    fy_chan_receive(&writing.done, NULL, "test");
    fy_chan_receive(&reading.done, NULL, "test");
    assert_int_equal(writing.result, 0);
    assert_int_equal(reading.result, 0);
    net_test_yield();
}

static void two_tasks_at_once(void **state)
{
    (void)state;
    struct tls_server *server = tls_test_serve(NULL, NULL);
    struct fy_stream *stream = tls_test_open_to(server);
    both_ways(stream, MUCH);
    tls_test_free(stream);
    tls_server_stop(server);
}

static void two_tasks_at_once_in_1_2(void **state)
{
    (void)state;
    struct tls_server *server = tls_test_serve(NULL, NULL);
    struct fy_stream *stream =
        tls_test_open(&(ferry_tls_options){.ca_file = world.ca_file, .max_version = FERRY_TLS_1_2},
                      tls_server_port(server));
    both_ways(stream, MUCH);
    tls_test_free(stream);
    tls_server_stop(server);
}

/* New keys again and again, each time with the wish that we change ours, too. */
static void echo_with_new_keys(SSL *ssl, int fd, void *arg)
{
    static char buf[16384];
    int got;
    (void)fd;
    (void)arg;
    while ((got = SSL_read(ssl, buf, sizeof buf)) > 0) {
        SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED);
        if (SSL_write(ssl, buf, got) != got) {
            break;
        }
    }
    SSL_shutdown(ssl);
}

static void key_updates(void **state)
{
    (void)state;
    struct tls_server *server = tls_test_serve(echo_with_new_keys, NULL);
    struct fy_stream *stream = tls_test_open_to(server);
    both_ways(stream, MUCH / 8);
    tls_test_free(stream);
    tls_server_stop(server);
}

/* So many new keys that two looks do not take them all (OpenSSL 3.5 reads 16 KiB by the first, and 32
 * by the second), and a text behind them. All are there when the first of them is read, which is as
 * much as a socket takes on loopback: 64 KiB. */
#define KEYS 2200

struct rush {
    struct gate sent;
    size_t len;
};

static void rush_of_keys(SSL *ssl, int fd, void *arg)
{
    struct rush *rush = arg;
    BIO *memory = BIO_new(BIO_s_mem());
    BIO *socket = SSL_get_wbio(ssl);
    const char *bytes;
    BIO_up_ref(socket);
    SSL_set0_wbio(ssl, memory);
    for (int i = 0; i < KEYS; i++) {
        SSL_key_update(ssl, SSL_KEY_UPDATE_NOT_REQUESTED);
        SSL_do_handshake(ssl);
    }
    SSL_write(ssl, "text", 4);
    rush->len = (size_t)BIO_get_mem_data(memory, (char **)&bytes);
    (void)!write(fd, bytes, rush->len);
    gate_open(&rush->sent);
    SSL_set0_wbio(ssl, socket);
    tls_serve_echo(ssl, fd, NULL);
}

static int left_in_socket(struct fy_stream *stream)
{
    int left = 0;
    assert_int_equal(ioctl(stream->ops->descriptor(stream), FIONREAD, &left), 0);
    return left;
}

/* A peer that sends what is not for us as fast as it is taken does not keep a look, or a task whose
 * time is over. */
static void a_rush_of_keys_keeps_nobody(void **state)
{
    (void)state;
    char buf[4];
    struct rush rush = {0};
    struct tls_server *server = tls_test_serve(rush_of_keys, &rush);
    struct fy_stream *stream = tls_test_open_to(server);
    assert_true(gate_wait(&rush.sent, 10000));
    while ((size_t)left_in_socket(stream) < rush.len) {
        usleep(1000);
    }
    assert_int_equal(stream->ops->try_read(stream, buf, sizeof buf), -EAGAIN);
    assert_true(left_in_socket(stream) > 0);
    assert_false(stream->ops->has_input(stream));
    assert_true(left_in_socket(stream) > 0);
    tls_test_expect(stream, "text");
    tls_test_free(stream);
    tls_server_stop(server);
}

/* A ticket so large that it takes several records, sent one by one. Behind it, an echo. */
static void ticket_in_pieces(SSL *ssl, int fd, void *arg)
{
    static unsigned char data[2000];
    struct gate *go_on = arg;
    BIO *memory = BIO_new(BIO_s_mem());
    BIO *socket = SSL_get_wbio(ssl);
    unsigned char *bytes;
    BIO_up_ref(socket);
    SSL_SESSION_set1_ticket_appdata(SSL_get_session(ssl), data, sizeof data);
    SSL_set_max_send_fragment(ssl, 512);
    SSL_set0_wbio(ssl, memory);
    SSL_new_session_ticket(ssl);
    SSL_do_handshake(ssl);
    size_t len = (size_t)BIO_get_mem_data(memory, (char **)&bytes);
    size_t first = len > 5 ? 5 + (size_t)(bytes[3] << 8 | bytes[4]) : len;
    (void)!write(fd, bytes, first);
    gate_wait(go_on, 10000);
    (void)!write(fd, bytes + first, len - first);
    SSL_set0_wbio(ssl, socket);
    tls_serve_echo(ssl, fd, NULL);
}

static bool has_half_a_ticket(void *arg)
{
    struct fy_stream *stream = arg;
    fy_poll_now();
    net_test_yield();
    return SSL_in_init(fy_tls_stream_from(stream)->ssl);
}

static void writer(void *arg)
{
    struct waiter *self = arg;
    tls_test_write(self->stream, "ping");
    self->done = true;
}

static bool is_done(void *arg)
{
    struct waiter *self = arg;
    fy_poll_now();
    net_test_yield();
    return self->done;
}

/* SSL writes nothing while it has half a message of the server's: the writer waits for the reader,
 * who alone may read from below. */
static void write_behind_half_a_ticket(void **state)
{
    (void)state;
    struct gate go_on = {0};
    struct tls_server *server = tls_test_serve(ticket_in_pieces, &go_on);
    struct fy_stream *stream = tls_test_open_to(server);
    struct waiter reading = {.stream = stream};
    struct waiter writing = {.stream = stream};
    net_test_go(reader, &reading);
    assert_true(expect_eventually(has_half_a_ticket, stream, 10000));
    net_test_go(writer, &writing);
    net_test_yield();
    assert_false(writing.done);
    gate_open(&go_on);
    assert_true(expect_eventually(is_done, &writing, 10000));
    assert_true(expect_eventually(is_done, &reading, 10000));
    assert_int_equal(reading.result, 4);
    tls_test_free(stream);
    tls_server_stop(server);
}

/* And where nobody reads, the writer does. */
static void write_without_a_reader(void **state)
{
    (void)state;
    struct gate go_on = {0};
    struct tls_server *server = tls_test_serve(ticket_in_pieces, &go_on);
    struct fy_stream *stream = tls_test_open_to(server);
    struct waiter writing = {.stream = stream};
    while (!stream->ops->has_input(stream) && !has_half_a_ticket(stream)) {}
    net_test_go(writer, &writing);
    net_test_yield();
    assert_false(writing.done);
    gate_open(&go_on);
    assert_true(expect_eventually(is_done, &writing, 10000));
    tls_test_expect(stream, "ping");
    tls_test_free(stream);
    tls_server_stop(server);
}

/* ---------------------------------------------------------------------------------- TLS in TLS */

/* What is served in the inner TLS. */
struct inner {
    void (*serve)(SSL *ssl, int fd, void *arg);
    void *arg;
};

/* The server's inner TLS, over the outer one: as an HTTPS proxy with a tunnel to an HTTPS server. */
static void serve_inner(SSL *outer, int fd, void *arg)
{
    const struct inner *serves = arg;
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    SSL *inner = SSL_new(context);
    BIO *bio = BIO_new(BIO_f_ssl());
    SSL_use_certificate(inner, world.server->x509);
    SSL_use_PrivateKey(inner, world.server->key);
    SSL_up_ref(outer);
    BIO_set_ssl(bio, outer, BIO_CLOSE);
    SSL_set_bio(inner, bio, bio);
    if (SSL_accept(inner) == 1) {
        serves->serve(inner, fd, serves->arg);
    }
    SSL_free(inner);
    SSL_CTX_free(context);
}

static struct fy_stream *open_inner(struct fy_stream *outer)
{
    ferry_error err = {0};
    struct fy_tls_config *config = tls_test_config(&(ferry_tls_options){.ca_file = world.ca_file});
    struct fy_stream *inner =
        fy_tls_client(config, outer, "localhost", "inner:443", FY_NEVER, NULL, &err);
    fy_tls_config_release(config);
    assert_string_equal(err.message, "");
    assert_non_null(inner);
    return inner;
}

static void tls_over_tls(void **state)
{
    (void)state;
    char buf[4];
    struct inner echo = {.serve = tls_serve_echo};
    struct tls_server *server = tls_test_serve(serve_inner, &echo);
    struct fy_stream *inner = open_inner(tls_test_open_to(server));
    assert_false(inner->ops->has_input(inner));
    tls_test_write(inner, "hello");
    tls_test_expect(inner, "hello");
    assert_int_equal(inner->ops->try_write(inner, "more", 4), 4);
    tls_test_expect(inner, "more");
    both_ways(inner, MUCH / 8);
    assert_int_equal(inner->ops->shutdown_write(inner), 0);
    assert_int_equal(tls_test_read(inner, buf, sizeof buf), 0);
    tls_test_free(inner);
    tls_server_stop(server);
}

struct late {
    struct gate go_on;
    atomic_size_t received;
};

static void read_when_told(SSL *ssl, int fd, void *arg)
{
    struct late *late = arg;
    char buf[1024];
    int got;
    (void)fd;
    gate_wait(&late->go_on, 10000);
    while ((got = SSL_read(ssl, buf, sizeof buf)) > 0) {
        atomic_fetch_add(&late->received, (size_t)got);
    }
}

struct filling {
    struct fy_stream *inner, *outer;
    struct late *late;
    size_t written;
    bool enough, done;
};

/* Until it is enough, or something has stayed behind in the outer TLS. */
static void write_pieces(void *arg)
{
    struct filling *self = arg;
    static char piece[16000]; /* less than a record */
    while (!self->enough && fy_tls_stream_from(self->outer)->out.len == 0) {
        struct iovec iov = {.iov_base = piece, .iov_len = sizeof piece};
        if (fy_stream_write_all(self->inner, &iov, 1, "test write") != 0) {
            break;
        }
        self->written += sizeof piece;
    }
    self->done = true;
}

static bool is_full(void *arg)
{
    const struct filling *self = arg;
    fy_poll_now();
    net_test_yield();
    return self->done || fy_tls_stream_from(self->outer)->flushing.taken;
}

static bool has_all_come(void *arg)
{
    const struct filling *self = arg;
    fy_poll_now();
    net_test_yield();
    return self->done && atomic_load(&self->late->received) == self->written;
}

/* What a write has taken comes to the server, though nothing is written behind it, nor read. */
static void nothing_stays_between_two_of_them(void **state)
{
    static const int small = 4096;
    (void)state;
    struct late late = {0};
    struct inner reads = {.serve = read_when_told, .arg = &late};
    struct tls_server *server = tls_test_serve(serve_inner, &reads);
    struct fy_stream *outer = tls_test_open_to(server);
    struct filling filling = {.inner = open_inner(outer), .outer = outer, .late = &late};
    assert_int_equal(
        setsockopt(outer->ops->descriptor(outer), SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
    net_test_go(write_pieces, &filling);
    assert_true(expect_eventually(is_full, &filling, 10000));
    filling.enough = true;
    gate_open(&late.go_on);
    assert_true(expect_eventually(has_all_come, &filling, 10000));
    tls_test_free(filling.inner);
    tls_server_stop(server);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, net_test_enter, net_test_leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(tickets_are_no_input),
        TEST(close_under_parked_tasks),
        TEST(read_deadline),
        TEST(two_tasks_at_once),
        TEST(two_tasks_at_once_in_1_2),
        TEST(key_updates),
        TEST(a_rush_of_keys_keeps_nobody),
        TEST(write_behind_half_a_ticket),
        TEST(write_without_a_reader),
        TEST(tls_over_tls),
        TEST(nothing_stays_between_two_of_them),
    };
    return cmocka_run_group_tests_name("tls stream", tests, tls_world_make, tls_world_free);
}
