/* A client of blocking sockets, called by the tests of the test support. */
#include "plain_client.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static int connect_to(const void *address, socklen_t len)
{
    int fd = socket(((const struct sockaddr *)address)->sa_family, SOCK_STREAM, 0);

    if (fd >= 0 && connect(fd, address, len) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

int plain_connect(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return connect_to(&address, sizeof(address));
}

int plain_connect_ipv6(int port)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6,
                                   .sin6_port = htons((uint16_t)port),
                                   .sin6_addr = IN6ADDR_LOOPBACK_INIT};

    return connect_to(&address, sizeof(address));
}

int plain_connect_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    return connect_to(&address, sizeof(address));
}

void plain_send(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

ssize_t plain_recv(int fd, void *buf, size_t size)
{
    return recv(fd, buf, size, 0);
}

void plain_expect(int fd, const char *expected)
{
    size_t len = strlen(expected);
    char got[4096];
    size_t have = 0;

    assert_true(len < sizeof(got));
    while (have < len) {
        ssize_t n = plain_recv(fd, got + have, len - have);

        assert_true(n > 0);
        have += (size_t)n;
    }
    got[have] = '\0';
    assert_string_equal(got, expected);
}

size_t plain_read_all(int fd, char *buf, size_t size)
{
    size_t have = 0;
    ssize_t n;

    while ((n = plain_recv(fd, buf + have, size - 1 - have)) > 0)
        have += (size_t)n;
    assert_int_equal(n, 0);
    buf[have] = '\0';
    return have;
}
