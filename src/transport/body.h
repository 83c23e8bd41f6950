/*
 * A response's body, read straight from its connection by whoever reads the response. The end, an
 * error or an early close is the body's fate, which the read loop waits for.
 */
#ifndef FY_TRANSPORT_BODY_H
#define FY_TRANSPORT_BODY_H

#include "http/response.h"
#include "transport/exchange.h"

/* Puts the exchange behind the response's body, with a hold. Its framing is decided. */
void fy_body_attach(struct fy_exchange *exchange, ferry_response *res);

/* What a read without parking comes back with when it would have to park. */
#define FY_BODY_WOULD_PARK (-2)

/* Reads some of the body: bytes, 0 at its end, -1 and *err, or, unless it may park,
 * FY_BODY_WOULD_PARK. Decides no fate. For the body's own reading and for the read loop's draining.
 */
ssize_t fy_body_read_some(struct fy_exchange *exchange, void *buf, size_t len, bool may_park,
                          ferry_error *err);

#endif
