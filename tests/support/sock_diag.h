/*
 * Asking the kernel about TCP sockets, one or many, by sock_diag(7). Used by origin_client.c and process.c.
 *
 * /proc/net/tcp tells less, and is read piece by piece: while other programs come and go it shows a socket
 * twice, or not at all.
 */
#ifndef SUPPORT_SOCK_DIAG_H
#define SUPPORT_SOCK_DIAG_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* A socket that was found. */
struct sock_diag_found {
    bool connected;    /* it can still receive or be read */
    bool has_counts;   /* the kernel told the next two */
    uint64_t received; /* bytes that have ever arrived */
    uint32_t unread;   /* those of them that are not read yet */
};

/* A descriptor to ask through, or -1. */
int sock_diag_open(void);

/* The socket with these two ends. 1: found; 0: there is none; -1: the kernel does not say. */
int sock_diag_one(int fd, const struct sockaddr_storage *local,
                  const struct sockaddr_storage *remote, struct sock_diag_found *found);

/* How many sockets of the family have one of the states (a mask: 1 << TCP_ESTABLISHED …) and the ports
   (0: any); -1: the kernel does not say. */
int sock_diag_count(int fd, int family, uint32_t states, int local_port, int remote_port);

#endif
