/*
 * SOCKS4 and SOCKS4A. Called by the dial, in its task, on a stream that is connected to the proxy.
 */
#ifndef FY_NET_SOCKS4_H
#define FY_NET_SOCKS4_H

#include "net/socks.h"

/* As fy_socks_connect(). An address of IPv6 is FERRY_ECONNECT; what the proxy refuses is too, for it
 * does not say why. Of the proxy's credentials only the name goes along. */
int fy_socks4_connect(struct fy_stream *stream, const struct fy_socks *socks, ferry_error *err);

#endif
