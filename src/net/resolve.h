/*
 * Names to addresses: literals and localhost at once, all else by a lookup in the hosts file and
 * DNS, as the system is configured. Parks the task, never the thread.
 */
#ifndef FY_NET_RESOLVE_H
#define FY_NET_RESOLVE_H

#include <stdint.h>

#include <ferry.h>

#include "net/address.h"
#include "task/chan.h"

/* Looks host up ("example.org", "127.0.0.1", "::1", "fe80::1%eth0"), and leaves at least one
 * address in the empty list *addresses, in the order in which they are to be tried: that of RFC
 * 6724, families in turn as RFC 8305 wants them. It is to be freed with fy_addresses_free(). -1 and
 * *err, the list empty: FERRY_ERESOLVE, FERRY_ETIMEOUT, FERRY_ECANCELED when the channel closes,
 * FERRY_ENOMEM: "lookup nosuch.example: no such host". deadline is an fy_now() time or FY_NEVER;
 * canceled may be NULL. A lookup that takes no network, a literal's above all, minds neither. */
int fy_resolve(struct fy_addresses *addresses, const char *host, uint16_t port, int64_t deadline,
               struct fy_chan *canceled, ferry_error *err);

#endif
