/* The scripted origin's slices: each comes out of a read of its own at the client. */
#include "origin.h"
#include "plain_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define RESPONSE "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

struct slicing {
    const size_t *cuts;
    size_t count;
    bool slowly;
    bool sent;
};

static void serve_slices(struct origin_conn *conn, void *arg)
{
    struct slicing *slicing = arg;

    while (origin_read_request(conn)) {
        if (slicing->slowly)
            slicing->sent = origin_send_slowly(conn, BYTES(RESPONSE));
        else
            slicing->sent =
                origin_send_slices(conn, BYTES(RESPONSE), slicing->cuts, slicing->count);
    }
}

/* Reads the response with a large buffer; returns how many reads that took, and their sizes. */
static size_t count_reads(int fd, size_t sizes[], size_t limit)
{
    char got[4096];
    size_t have = 0;
    size_t reads = 0;

    plain_send(fd, "GET / HTTP/1.1\r\n\r\n");
    while (have < strlen(RESPONSE)) {
        ssize_t n = plain_recv(fd, got + have, sizeof(got) - have);

        assert_true(n > 0);
        assert_true(reads < limit);
        sizes[reads++] = (size_t)n;
        have += (size_t)n;
    }
    assert_int_equal(have, strlen(RESPONSE));
    assert_memory_equal(got, RESPONSE, have);
    return reads;
}

static void check_slices(struct origin *origin, int fd)
{
    size_t sizes[8];

    assert_non_null(origin);
    assert_int_equal(count_reads(fd, sizes, 8), 4);
    assert_int_equal(sizes[0], 1);
    assert_int_equal(sizes[1], 15);
    assert_int_equal(sizes[2], 22);
    assert_int_equal(sizes[3], strlen(RESPONSE) - 38);
    close(fd);
    assert_true(origin_stop(origin));
}

/* Cuts that are no cuts (0, the same twice, the end and beyond) are passed over. */
static const size_t cuts[] = {0, 1, 16, 16, 38, sizeof(RESPONSE) - 1, 999};

static void slices_arrive_separately(void **state)
{
    struct slicing slicing = {.cuts = cuts, .count = 7};
    struct origin_script script = {.serve = serve_slices, .arg = &slicing};
    struct origin *origin;

    (void)state;
    origin = origin_start(&script);
    check_slices(origin, plain_connect(origin_port(origin)));
    script.family = ORIGIN_IPV6;
    origin = origin_start(&script);
    check_slices(origin, plain_connect_ipv6(origin_port(origin)));
    script.family = ORIGIN_UNIX;
    origin = origin_start(&script);
    check_slices(origin, plain_connect_unix(origin_socket_path(origin)));
}

static void slowly_is_byte_by_byte(void **state)
{
    struct slicing slicing = {.slowly = true};
    struct origin *origin =
        origin_start(&(struct origin_script){.serve = serve_slices, .arg = &slicing});
    int fd = plain_connect(origin_port(origin));
    size_t sizes[64];

    (void)state;
    /* Several on one connection: acknowledgements come late then, and must not matter. */
    for (int i = 0; i < 20; i++)
        assert_int_equal(count_reads(fd, sizes, 64), strlen(RESPONSE));
    close(fd);
    assert_true(origin_stop(origin));
}

static void every_split_in_two(void **state)
{
    struct slicing slicing = {.count = 1};
    struct origin *origin =
        origin_start(&(struct origin_script){.serve = serve_slices, .arg = &slicing});
    int fd = plain_connect(origin_port(origin));

    (void)state;
    for (size_t cut = 1; cut < strlen(RESPONSE); cut++) {
        size_t sizes[4];

        slicing.cuts = &cut;
        assert_int_equal(count_reads(fd, sizes, 4), 2);
        assert_int_equal(sizes[0], cut);
    }
    close(fd);
    assert_true(origin_stop(origin));
}

/* ---- Clients that do not read ---- */

struct outcome {
    struct gate known;
    bool read_before;
    bool read_after;
    struct gate asked;
};

static void serve_and_watch(struct origin_conn *conn, void *arg)
{
    struct outcome *outcome = arg;

    origin_send(conn, BYTES("0123456789"));
    outcome->read_before = origin_wait_read(conn, 0);
    gate_open(&outcome->asked);
    outcome->read_after = origin_wait_read(conn, 10000);
    gate_open(&outcome->known);
    origin_wait_eof(conn, -1);
}

static void it_knows_when_the_client_has_read(void **state)
{
    struct outcome outcome = {.read_before = true};
    struct origin *origin =
        origin_start(&(struct origin_script){.serve = serve_and_watch, .arg = &outcome});
    int fd = plain_connect(origin_port(origin));

    (void)state;
    assert_true(gate_wait(&outcome.asked, 10000));
    plain_expect(fd, "01234");
    plain_expect(fd, "56789");
    assert_true(gate_wait(&outcome.known, 10000));
    assert_false(outcome.read_before);
    assert_true(outcome.read_after);
    close(fd);
    assert_true(origin_stop(origin));
}

static void serve_after_close(struct origin_conn *conn, void *arg)
{
    struct outcome *outcome = arg;

    origin_wait_eof(conn, -1);
    origin_send_slices(conn, BYTES(RESPONSE), ORIGIN_CUTS(3, 5, 7));
    outcome->read_after = origin_send_slowly(conn, BYTES(RESPONSE));
    gate_open(&outcome->known);
}

static void a_client_that_is_gone_holds_nothing_up(void **state)
{
    struct outcome outcome = {.read_after = true};
    struct origin *origin =
        origin_start(&(struct origin_script){.serve = serve_after_close, .arg = &outcome});

    (void)state;
    close(plain_connect(origin_port(origin)));
    assert_true(gate_wait(&outcome.known, 10000));
    assert_false(outcome.read_after);
    assert_true(origin_stop(origin));
}

static void serve_pattern(struct origin_conn *conn, void *arg)
{
    (void)arg;
    origin_send_pattern(conn, 1000003);
    origin_shutdown_write(conn);
    origin_wait_eof(conn, -1);
}

static void a_pattern_is_checked_by_its_offset(void **state)
{
    struct origin *origin = origin_start(&(struct origin_script){.serve = serve_pattern});
    int fd = plain_connect(origin_port(origin));
    char *got = malloc(1000100);
    size_t len;

    (void)state;
    len = plain_read_all(fd, got, 1000100);
    assert_int_equal(len, 1000003);
    assert_int_equal(pattern_match(got, len, 0), len);
    assert_int_equal(pattern_match(got + 500, 1000, 500), 1000);
    assert_true(pattern_match(got + 500, 1000, 501) < 20);
    got[777]++;
    assert_int_equal(pattern_match(got, len, 0), 777);
    free(got);
    close(fd);
    assert_true(origin_stop(origin));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slices_arrive_separately),
        cmocka_unit_test(slowly_is_byte_by_byte),
        cmocka_unit_test(every_split_in_two),
        cmocka_unit_test(it_knows_when_the_client_has_read),
        cmocka_unit_test(a_client_that_is_gone_holds_nothing_up),
        cmocka_unit_test(a_pattern_is_checked_by_its_offset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
