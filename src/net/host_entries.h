/*
 * Addresses that the user has given to hosts himself (a transport's "resolve" option):
 * "example.org:443:127.0.0.1,[::1]". Read once, then never changed. Called by fy_resolve().
 */
#ifndef FY_NET_HOST_ENTRIES_H
#define FY_NET_HOST_ENTRIES_H

#include <stddef.h>
#include <stdint.h>

#include <ferry.h>

#include "net/address.h"

struct fy_host_entry {
    char *host; /* no brackets; "*": any; allocated */
    uint16_t port;
    struct fy_addresses addresses; /* at least one */
};

/* Zero-filled is none. */
struct fy_host_entries {
    struct fy_host_entry *list; /* allocated */
    size_t count;
    ferry_error refused; /* the first text that is no entry; code 0: all are fine */
};

/* Reads texts up to a NULL; texts NULL: none. One that cannot be read is noted in refused, and the
 * rest left alone. -1 when out of memory; what has been read by then is to be freed then, too. */
int fy_host_entries_read(struct fy_host_entries *entries, const char *const *texts);
void fy_host_entries_free(struct fy_host_entries *entries);

/* The addresses given to a host and port, in the order in which they were given. A later entry goes
 * before an earlier one, and any before "*". NULL: none. */
const struct fy_addresses *fy_host_entries_find(const struct fy_host_entries *entries,
                                                const char *host, uint16_t port);

#endif
