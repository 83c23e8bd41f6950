/*
 * The near end of connections: from which address, interface and port they go out, over which
 * version of IP, and what else is set on their sockets. Made once from a transport's options, then
 * never changed. Called by whoever makes sockets.
 */
#ifndef FY_NET_LOCAL_END_H
#define FY_NET_LOCAL_END_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include <ferry.h>

#include "net/address.h"

/* Zero-filled: as the system likes. */
struct fy_local_end {
    struct fy_address address;      /* len 0: any */
    char *interface;                /* allocated; NULL: any */
    uint16_t first_port, last_port; /* 0: any */
    int ip_version;                 /* the option: AF_INET or AF_INET6; AF_UNSPEC: not set */
    int family;                     /* likewise, of what is dialed: the option's, or the address' */
    bool delays;                    /* small writes wait for their acknowledgements (Nagle) */
    ferry_error refused;            /* why the options cannot be used; code 0: they can */
};

/* -1 when out of memory. */
int fy_local_end_init(struct fy_local_end *end, const ferry_transport_options *options);
void fy_local_end_destroy(struct fy_local_end *end);

/* Removes the addresses that cannot be dialed from here. */
void fy_local_end_choose(const struct fy_local_end *end, struct fy_addresses *addresses);

/* Sets up a socket that is not connected yet: 0 or -errno. */
int fy_local_end_apply(const struct fy_local_end *end, int fd, sa_family_t family);

/* Whether a socket that comes from here may have this port. Without a word of the options these are the
 * ports that the system gives; asked for once, so a server's port costs a dial nothing. */
bool fy_local_end_may_have(const struct fy_local_end *end, uint16_t port);

/* Whether that is what an errno of a connect's must be about: 'from eth0, ports 5000 to 5009' in
 * text, or false. */
#define FY_LOCAL_END_TEXT 160
bool fy_local_end_explains(const struct fy_local_end *end, int error, char text[FY_LOCAL_END_TEXT]);

#endif
