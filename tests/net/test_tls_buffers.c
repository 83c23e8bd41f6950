/*
 * The record buffers that SSL keeps while its stream rests: few streams do, and not for long.
 */
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gate.h"
#include "net/tls_internal.h"
#include "net_test.h"
#include "process.h"
#include "task/sched.h"
#include "tls_test.h"

/* The least that a record may need (RFC 8446 section 5.2), for reading and for writing; since OpenSSL
 * 3.2 the one for writing cannot be kept. */
static size_t kept_buffers(void)
{
    return (OpenSSL_version_num() >= 0x30200000 ? 1 : 2) * (size_t)16384;
}

/* ---------------------------------------------------------------------- what OpenSSL has allocated */

static atomic_size_t allocated;

static void *count(void *piece)
{
    atomic_fetch_add(&allocated, piece != NULL ? malloc_usable_size(piece) : 0);
    return piece;
}

static void *counted_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return count(malloc(size));
}

static void counted_free(void *piece, const char *file, int line)
{
    (void)file;
    (void)line;
    atomic_fetch_sub(&allocated, piece != NULL ? malloc_usable_size(piece) : 0);
    free(piece);
}

static void *counted_realloc(void *piece, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    atomic_fetch_sub(&allocated, piece != NULL ? malloc_usable_size(piece) : 0);
    return count(realloc(piece, size));
}

/* ------------------------------------------------------------------------------------------- tests */

struct steps {
    struct gate shaken, one, two;
    struct fy_stream *stream; /* the client's */
    int rests;                /* how many are over */
};

static void speak_when_told(SSL *ssl, int fd, void *arg)
{
    struct steps *steps = arg;
    (void)fd;
    gate_open(&steps->shaken);
    gate_wait(&steps->one, 10000);
    SSL_write(ssl, "abcdef", 6);
    gate_wait(&steps->two, 10000);
}

static void rest_read_and_rest(void *arg)
{
    struct steps *steps = arg;
    assert_int_equal(net_test_wait_readable(steps->stream, "test rest"), 0);
    steps->rests++;
    tls_test_expect(steps->stream, "abcdef");
    assert_int_equal(net_test_wait_readable(steps->stream, "test rest"), 0);
    steps->rests++;
}

static bool first_is_over(void *arg)
{
    const struct steps *steps = arg;
    fy_poll_now();
    net_test_yield();
    return steps->rests >= 1;
}

static bool both_are_over(void *arg)
{
    return first_is_over(arg) && ((const struct steps *)arg)->rests == 2;
}

static bool keeps_none(void *arg)
{
    const struct fy_tls_stream *stream = arg;
    fy_poll_now();
    return stream->buffers.keeper == NULL;
}

/* A stream at rest, in a task of its own, which has read and written since it rested first. */
static struct fy_stream *open_to_rest(struct tls_server *server, struct steps *steps, int requests)
{
    struct fy_stream *stream = tls_test_open_to(server);
    assert_true(gate_wait(&steps->shaken, 10000)); /* the server has what it needs */
    for (int i = 0; i < requests; i++) {
        tls_test_write(stream, "a request");
    }
    steps->stream = stream;
    net_test_go(rest_read_and_rest, steps);
    net_test_yield();
    gate_open(&steps->one);
    assert_true(expect_eventually(first_is_over, steps, 10000));
    net_test_yield();
    tls_test_write(stream, "and another");
    return stream;
}

static void end(struct tls_server *server, struct steps *steps, struct fy_stream *stream)
{
    gate_open(&steps->two);
    assert_true(expect_eventually(both_are_over, steps, 10000));
    tls_test_free(stream);
    tls_server_stop(server);
}

static void buffers_are_kept_for_a_while(void **state)
{
    (void)state;
    struct steps steps = {0};
    struct tls_server *server = tls_test_serve(speak_when_told, &steps);
    struct fy_stream *stream = open_to_rest(server, &steps, 2);
    struct fy_tls_stream *self = fy_tls_stream_from(stream);
    size_t before = atomic_load(&allocated);
    assert_ptr_equal(self->buffers.keeper, fy_sched_running());
    assert_int_equal(fy_sched_running()->tls_buffers, 1);
    assert_true(expect_eventually(keeps_none, self, 10000));
    assert_true(atomic_load(&allocated) + kept_buffers() <= before);
    assert_int_equal(fy_sched_running()->tls_buffers, 0);
    end(server, &steps, stream);
}

static void no_more_streams_keep_theirs(void **state)
{
    (void)state;
    struct steps steps = {0};
    unsigned *keeping = &fy_sched_running()->tls_buffers;
    size_t rested[2];
    for (int many = 0; many < 2; many++) {
        steps = (struct steps){0};
        *keeping = many != 0 ? 64 : 0;
        struct tls_server *server = tls_test_serve(speak_when_told, &steps);
        size_t before = atomic_load(&allocated);
        struct fy_stream *stream = open_to_rest(server, &steps, 2);
        rested[many] = atomic_load(&allocated) - before;
        assert_int_equal(*keeping, many != 0 ? 64 : 1);
        end(server, &steps, stream);
        assert_int_equal(*keeping, many != 0 ? 64 : 0); /* a closed stream counts no more */
    }
    *keeping = 0;
    assert_true(rested[1] + kept_buffers() <= rested[0]);
}

static void a_first_request_keeps_none(void **state)
{
    (void)state;
    struct steps steps = {0};
    struct tls_server *server = tls_test_serve(speak_when_told, &steps);
    struct fy_stream *stream = open_to_rest(server, &steps, 1);
    assert_int_equal(fy_sched_running()->tls_buffers, 0);
    end(server, &steps, stream);
}

static void say_and_wait(SSL *ssl, int fd, void *arg)
{
    struct steps *steps = arg;
    (void)fd;
    SSL_write(ssl, "abcdef", 6);
    gate_open(&steps->shaken);
    gate_wait(&steps->two, 10000);
}

/* Whoever holds a first response has not rested, and has had tickets before it. */
static void none_are_held_with_a_response(void **state)
{
    (void)state;
    struct steps steps = {0};
    struct tls_server *server = tls_test_serve(say_and_wait, &steps);
    struct fy_stream *stream = tls_test_open_to(server);
    tls_test_expect(stream, "abcdef");
    assert_true(gate_wait(&steps.shaken, 10000));
    size_t before = atomic_load(&allocated);
    assert_true(SSL_free_buffers(fy_tls_stream_from(stream)->ssl));
    assert_int_equal(atomic_load(&allocated), before); /* there were none */
    gate_open(&steps.two);
    tls_test_free(stream);
    tls_server_stop(server);
}

/* On its way to another thread a stream takes no buffers along, and leaves this one's books. */
static void none_are_moved(void **state)
{
    (void)state;
    struct steps steps = {0};
    struct tls_server *server = tls_test_serve(speak_when_told, &steps);
    struct fy_stream *stream = open_to_rest(server, &steps, 2);
    size_t before = atomic_load(&allocated);
    stream->ops->detach(stream);
    assert_int_equal(fy_sched_running()->tls_buffers, 0);
    assert_true(atomic_load(&allocated) + kept_buffers() <= before);
    assert_int_equal(stream->ops->attach(stream), 0);
    end(server, &steps, stream);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, net_test_enter, net_test_leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(buffers_are_kept_for_a_while),
        TEST(no_more_streams_keep_theirs),
        TEST(a_first_request_keeps_none),
        TEST(none_are_held_with_a_response),
        TEST(none_are_moved),
    };
    if (!CRYPTO_set_mem_functions(counted_malloc, counted_realloc, counted_free)) {
        return 1;
    }
    fy_tls_buffers_kept = 300 * FY_MILLISECOND;
    return cmocka_run_group_tests_name("tls buffers", tests, tls_world_make, tls_world_free);
}
