/*
 * What the test's own process holds: descriptors, sockets by state, threads, memory. For tests that say
 * "and everything is back to where it was".
 *
 * Fixtures that run in the process (origin.h) count too: their connections' descriptors and threads.
 * A sanitizer's own thread and memory as well, so compare with a count taken before, not with a number.
 */
#ifndef SUPPORT_PROCESS_H
#define SUPPORT_PROCESS_H

#include <stdbool.h>
#include <stddef.h>

/* Open descriptors. -1: they cannot be counted. */
int process_descriptors(void);

/* Those of them that are sockets. */
int process_sockets(void);

int process_threads(void);

/* Resident memory in bytes, 0 if it cannot be told. */
size_t process_resident(void);

/* How many TCP sockets of this machine, IPv4 and IPv6, have that state (TCP_ESTABLISHED, TCP_CLOSE_WAIT, …
   of <netinet/tcp.h>; 0: any), local port and remote port (0: any). Both ends of a connection over loopback
   are counted: name the server's port as the remote one to count clients only. -1: it cannot be told. */
int process_tcp_count(int state, int local_port, int remote_port);

/* Raises the soft limit of open descriptors to the hard one. Returns what it is then. */
size_t process_raise_descriptors(void);

/* Asks every millisecond until the answer is true. False: it was not within timeout_ms. The thread sleeps in
   between: where tasks must run for the answer to come, condition itself lets them. */
bool expect_eventually(bool (*condition)(void *arg), void *arg, int timeout_ms);

#endif
