/*
 * A client of blocking sockets, for the test support's tests of itself: what it sees is what any client
 * would.
 */
#ifndef SELFTEST_PLAIN_CLIENT_H
#define SELFTEST_PLAIN_CLIENT_H

#include <stddef.h>
#include <sys/types.h>

/* A connection, or -1 with errno. */
int plain_connect(int port);
int plain_connect_ipv6(int port);
int plain_connect_unix(const char *path);

/* Fails the test if not everything can be sent. */
void plain_send(int fd, const char *text);

/* Reads until that many bytes are there; fails the test if the connection ends before. */
void plain_expect(int fd, const char *expected);

/* Reads to the end into buf, with a NUL. Returns the length; fails the test if it is not an orderly end. */
size_t plain_read_all(int fd, char *buf, size_t size);

/* One recv: its bytes, 0 or -1. */
ssize_t plain_recv(int fd, void *buf, size_t size);

#endif
