/*
 * Connecting to one of several addresses, as RFC 8305 has it. Called by fy_dial().
 */
#ifndef FY_NET_RACE_H
#define FY_NET_RACE_H

#include <ferry.h>

#include "net/address.h"
#include "net/dial.h"
#include "net/stream.h"

/* A stream connected to the address that answered first, or NULL and *err (complete: "dial tcp
 * 127.0.0.1:1: connection refused"). Takes deadline, canceled and trace of the dial. At least one
 * address. */
struct fy_stream *fy_race(const struct fy_dial *dial, const struct fy_addresses *addresses,
                          ferry_error *err);

/* What became of one attempt to connect, error being an errno: *err is filled. */
void fy_connect_failed(const struct fy_dial *dial, ferry_error *err, int error, const char *network,
                       const char *address);

/* The dial's trace callbacks. err NULL: connected. */
void fy_trace_connect_start(const struct fy_dial *dial, const char *network, const char *address);
void fy_trace_connect_done(const struct fy_dial *dial, const char *network, const char *address,
                           const ferry_error *err);

#endif
