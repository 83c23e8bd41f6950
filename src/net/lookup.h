/*
 * One lookup of a name, through c-ares: the hosts file and DNS, as the system is configured. Called
 * by fy_resolve().
 */
#ifndef FY_NET_LOOKUP_H
#define FY_NET_LOOKUP_H

#include <stdint.h>

#include <ferry.h>

#include "net/address.h"
#include "task/chan.h"

/* Appends the addresses of a name (no literal), each with port 0, in the order of RFC 6724, and
 * sets how many seconds they are good for: the smallest time-to-live of the records that led to
 * them; 0 for what the hosts file says. -1 and *err as fy_resolve() has it, without a prefix; some
 * may have been appended then. */
int fy_lookup(struct fy_addresses *addresses, int64_t *ttl_seconds, const char *name,
              int64_t deadline, struct fy_chan *canceled, ferry_error *err);

/* For tests: whom lookups ask from now on instead of the system's name servers ("127.0.0.1:5353";
 * borrowed; NULL: the system's again), how long for an answer and how often. The hosts file is then
 * the one that CARES_HOSTS in the environment names, if it does. */
void fy_lookup_ask(const char *servers, int timeout_ms, int tries);

#endif
