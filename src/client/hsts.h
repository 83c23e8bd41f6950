/*
 * HSTS (RFC 6797): hosts that want to be spoken to by https only. What the store's public functions
 * stand on, with the time as an argument and parsed URLs, for the client, the file format and the
 * tests. Times are seconds since 1970.
 */
#ifndef FY_CLIENT_HSTS_H
#define FY_CLIENT_HSTS_H

#include <stdbool.h>
#include <stdint.h>

#include <ferry.h>

#include "client/hsts_parse.h"
#include "http/url.h"

/* Hosts in a store at most. */
#define FY_HSTS_MAX 10000

#define FY_HSTS_FOREVER INT64_MAX

/* Whether a request to that URL has to go over https instead: an http URL whose host is known, or
 * lies in one that is and speaks for its subdomains (sections 8.2 and 8.3). False for hsts NULL. */
bool fy_hsts_wants_tls(ferry_hsts *hsts, const struct fy_url *url, int64_t now);

/* What a field of a response from that URL does, which came over TLS whose certificate had been
 * verified: learns the host, or forgets it. 0; -1 and *err (FERRY_EINVAL, FERRY_ENOMEM): nothing.
 */
int fy_hsts_note(ferry_hsts *hsts, const struct fy_url *url, const char *text, size_t len,
                 int64_t now, ferry_error *err);

/* Puts in a host as a file has it, unless it is known for longer. -1 when out of memory. */
int fy_hsts_put(ferry_hsts *hsts, const char *host, bool subdomains, int64_t expires, int64_t now);

/* Calls fn for each host that has not expired, the one learned first first, under the store's lock:
 * fn may not call it. */
void fy_hsts_each(ferry_hsts *hsts, int64_t now,
                  void (*fn)(void *arg, const char *host, bool subdomains, int64_t expires),
                  void *arg);

#endif
