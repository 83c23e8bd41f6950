/*
 * Names to addresses: what the user has said, literals, what is kept from before and localhost at
 * once; all else by a lookup in the hosts file and DNS, as the system is configured. Parks the
 * task, never the thread.
 */
#ifndef FY_NET_RESOLVE_H
#define FY_NET_RESOLVE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <ferry.h>

#include "net/address.h"
#include "net/dns_cache.h"
#include "net/host_entries.h"
#include "task/chan.h"

/* What a transport knows of names; shared by its threads. One that knows and keeps nothing
 * may be zero-filled, or NULL in a call. */
struct fy_resolver {
    struct fy_host_entries entries; /* never change */
    struct fy_dns_cache *cache;     /* has its own lock; NULL: nothing is kept */
    /* Written with relaxed atomics: lookups begun; names whose addresses were kept, or were just
     * being looked up for another. */
    atomic_uint_least64_t lookups, cache_hits;
};

/* Reads the user's entries (fy_host_entries_read()). No answer is kept for longer than cache_ms;
 * -1: none is kept at all. -1 when out of memory. */
int fy_resolver_init(struct fy_resolver *resolver, const char *const *entries, int64_t cache_ms);
void fy_resolver_destroy(struct fy_resolver *resolver);

/* Looks host up ("example.org", "127.0.0.1", "::1", "fe80::1%eth0"), and leaves at least one
 * address in the empty list *addresses, in the order in which they are to be tried: that of the
 * user's entry; else that of RFC 6724, families in turn as RFC 8305 wants them. It is to be freed
 * with fy_addresses_free(). -1 and *err, the list empty: FERRY_ERESOLVE, FERRY_ETIMEOUT,
 * FERRY_ECANCELED when the channel closes, FERRY_ENOMEM: "lookup nosuch.example: no such host";
 * FERRY_EINVAL when an entry of the user's is none. deadline is an fy_now() time or FY_NEVER;
 * canceled may be NULL. A lookup that takes no network, a literal's above all, minds neither.
 *
 * Tasks of one thread that want the same name at the same time share one lookup. */
int fy_resolve(struct fy_resolver *resolver, struct fy_addresses *addresses, const char *host,
               uint16_t port, int64_t deadline, struct fy_chan *canceled, ferry_error *err);

/* As fy_resolve(), if that takes no lookup: 1, or -1 and *err. 0: it takes one. */
int fy_resolve_at_once(struct fy_resolver *resolver, struct fy_addresses *addresses,
                       const char *host, uint16_t port, ferry_error *err);

/* None of a host's addresses took a connection: what is kept is forgotten. */
void fy_resolve_suspect(struct fy_resolver *resolver, const char *host);

#endif
