/* The server for very many connections: all are answered, and its descriptors are not the test's. */
#include "mass.h"
#include "plain_client.h"
#include "process.h"

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

#define RESPONSE "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define REQUEST "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

static void requests_are_found_however_they_come(void **state)
{
    struct mass *mass = mass_start(RESPONSE);
    int fd;

    (void)state;
    assert_non_null(mass);
    fd = plain_connect(mass_port(mass));
    for (const char *byte = REQUEST; *byte != '\0'; byte++)
        plain_send(fd, (char[]){*byte, '\0'});
    plain_expect(fd, RESPONSE);
    plain_send(fd, REQUEST REQUEST REQUEST);
    plain_expect(fd, RESPONSE RESPONSE RESPONSE);
    assert_int_equal(mass_counts(mass).requests, 4);
    assert_int_equal(mass_counts(mass).open, 1);
    close(fd);
    assert_true(mass_await_open(mass, 0, 10000));
    mass_stop(mass);
    mass_stop(NULL);
}

static void many_connections_at_once(void **state)
{
    size_t limit = process_raise_descriptors();
    size_t many = limit < 10100 ? limit - 100 : 10000;
    int *fds = calloc(many, sizeof(*fds));
    struct mass *mass = mass_start(RESPONSE);
    int before = process_descriptors();

    (void)state;
    assert_non_null(mass);
    for (size_t i = 0; i < many; i++) {
        fds[i] = plain_connect(mass_port(mass));
        assert_true(fds[i] >= 0);
        plain_send(fds[i], REQUEST);
    }
    assert_int_equal(process_descriptors(), before + (int)many);
    for (size_t i = 0; i < many; i++)
        plain_expect(fds[i], RESPONSE);
    assert_int_equal(mass_counts(mass).open, many);
    assert_int_equal(mass_counts(mass).peak, many);
    assert_int_equal(mass_counts(mass).requests, many);
    assert_int_equal(mass_counts(mass).refused, 0);
    for (size_t i = 0; i < many; i++)
        close(fds[i]);
    assert_true(mass_await_open(mass, 0, 10000));
    mass_stop(mass);
    free(fds);
}

/* A server that inherited a client's socket would keep that connection open when the client closes it. */
static void it_inherits_no_descriptor(void **state)
{
    struct mass *first = mass_start(RESPONSE);
    struct mass *second;
    int fds[16];

    (void)state;
    for (int i = 0; i < 16; i++)
        fds[i] = plain_connect(mass_port(first));
    assert_true(mass_await_open(first, 16, 10000));
    second = mass_start(RESPONSE);
    for (int i = 0; i < 16; i++)
        close(fds[i]);
    assert_true(mass_await_open(first, 0, 10000));
    mass_stop(first);
    mass_stop(second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_found_however_they_come),
        cmocka_unit_test(many_connections_at_once),
        cmocka_unit_test(it_inherits_no_descriptor),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
