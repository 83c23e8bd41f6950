/* Dead ends: one refuses at once, the other leaves a dial waiting. */
#include "dead_end.h"
#include "plain_client.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static void a_refusing_end_refuses(void **state)
{
    struct dead_end end;

    (void)state;
    assert_true(dead_end_refuse(&end));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(plain_connect(end.port), -1);
        assert_int_equal(errno, ECONNREFUSED);
    }
    dead_end_close(&end);
}

/* That nothing comes can only be seen by waiting for a while; a longer one would not show more. */
static void a_silent_end_answers_nothing(void **state)
{
    struct dead_end end;
    struct sockaddr_in address = {.sin_family = AF_INET};
    struct pollfd dial = {.events = POLLOUT};

    (void)state;
    assert_true(dead_end_silence(&end));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((uint16_t)end.port);
    dial.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(connect(dial.fd, (struct sockaddr *)&address, sizeof(address)), -1);
    assert_int_equal(errno, EINPROGRESS);
    assert_int_equal(poll(&dial, 1, 100), 0);
    close(dial.fd);
    dead_end_close(&end);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_refusing_end_refuses),
        cmocka_unit_test(a_silent_end_answers_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
