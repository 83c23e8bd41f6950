/*
 * The addresses that names have turned out to have, each answer kept for the shortest time-to-live
 * of its records (RFC 1035 section 3.2.1), and never for longer than the transport wants. One for
 * each transport, shared by its threads: the lock inside is a leaf, and never held while parking.
 * Called by fy_resolve(), which says what time it is.
 */
#ifndef FY_NET_DNS_CACHE_H
#define FY_NET_DNS_CACHE_H

#include <stdint.h>

#include "net/address.h"

/* How many names are kept; beyond it the one that was asked for the longest ago goes. */
#define FY_DNS_CACHE_NAMES 1024

struct fy_dns_cache;

/* longest_ms: no answer is kept for longer. NULL when out of memory. */
struct fy_dns_cache *fy_dns_cache_new(int64_t longest_ms);
void fy_dns_cache_free(struct fy_dns_cache *cache);

/* Nanoseconds of a clock that goes on while the machine is suspended, as a time-to-live does. */
int64_t fy_dns_cache_now(void);

/* Fills the empty list with a name's addresses, each with the port, and returns 1. 0: none are
 * kept, or not any more; -1: out of memory. */
int fy_dns_cache_find(struct fy_dns_cache *cache, const char *name, int64_t now,
                      struct fy_addresses *addresses, uint16_t port);

/* Counts up with each flush. */
uint64_t fy_dns_cache_flushes(struct fy_dns_cache *cache);

/* Keeps a copy of an answer, in place of an older one. Not if its time-to-live is 0, there have
 * been other flushes than so many, or memory runs out. */
void fy_dns_cache_keep(struct fy_dns_cache *cache, const char *name, int64_t now,
                       const struct fy_addresses *addresses, int64_t ttl_seconds, uint64_t flushes);

/* Forgets a name; all names. */
void fy_dns_cache_drop(struct fy_dns_cache *cache, const char *name);
void fy_dns_cache_flush(struct fy_dns_cache *cache);

#endif
