/*
 * What the tests of this folder share: a scheduler that is entered, descriptors and tasks counted
 * before and after, pairs of connected sockets, and listeners on loopback.
 */
#ifndef NET_TEST_H
#define NET_TEST_H

#include <stdint.h>
#include <sys/socket.h>

#include "net/address.h"
#include "net/stream.h"
#include "task/chan.h"

/* For cmocka_unit_test_setup_teardown: the test runs as a task of ferry's, and fails unless it
 * leaves as many descriptors and tasks as there were. */
int net_test_enter(void **state);
int net_test_leave(void **state);

/* Tasks of this thread's scheduler, the thread itself included. */
int net_test_tasks(void);

/* Starts a library task with a stack for anything. */
void net_test_go(void (*fn)(void *arg), void *arg);

/* Lets the others have a turn, so often that each has come to where it parks. */
void net_test_yield(void);

/* Until there is something to be read, as a loop waits between its turns: 0, or -errno. */
int net_test_wait_readable(struct fy_stream *stream, const char *why);

/* Two ends of a connection, over a Unix socket or TCP. */
void net_test_unix_pair(int ends[2]);
void net_test_tcp_pair(int ends[2]);

/* A TCP listener on host ("127.0.0.1", "::1"); its port goes to *port. -1: that is no address
 * here. */
int net_test_listen(const char *host, uint16_t *port);

/* A channel that another task closes, after it has yielded a few times. */
struct net_test_canceler {
    struct fy_chan canceled;
    int turns; /* how often it had a turn before it closed the channel; -1: it has not yet */
};
void net_test_cancel_soon(struct net_test_canceler *canceler);

#endif
