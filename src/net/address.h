/*
 * Addresses: as text that a person typed or will read, and lists of them in the order in which they
 * are to be tried. Called by name lookups and dials.
 */
#ifndef FY_NET_ADDRESS_H
#define FY_NET_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct fy_address {
    struct sockaddr_storage sockaddr;
    socklen_t len;
};

/* Zero-filled is empty. */
struct fy_addresses {
    struct fy_address *list; /* allocated; NULL: none */
    size_t count;
};

/* Room for "[fe80::1%interface]:65535" with the longest of each, and its NUL. */
#define FY_ADDRESS_TEXT 80

/* Whether host is an address and no name: "127.0.0.1", "::1", "fe80::1%eth0" (RFC 4007 section 11;
 * the zone must exist), and what it is then. */
bool fy_address_parse(struct fy_address *address, const char *host, uint16_t port);

/* "127.0.0.1:80", "[::1]:80". */
void fy_address_text(const struct fy_address *address, char text[FY_ADDRESS_TEXT]);

/* An address of IP as text without its port, brackets and zone, and the port; false: it is none. */
bool fy_address_split(const struct fy_address *address, char *host, size_t size, int *port);

/* Appends an IPv4 or IPv6 address with a port of its own; others are passed over. -1 when out of
 * memory. */
int fy_addresses_add(struct fy_addresses *addresses, const struct sockaddr *sockaddr,
                     uint16_t port);

/* Fills the empty list *to with the same addresses, and a port of its own. -1: out of memory. */
int fy_addresses_copy(struct fy_addresses *to, const struct fy_addresses *from, uint16_t port);

/* Families in turn, beginning with that of the first, each in the order it was in (RFC 8305 section
 * 4). */
void fy_addresses_interleave(struct fy_addresses *addresses);

/* The list is empty again. */
void fy_addresses_free(struct fy_addresses *addresses);

#endif
