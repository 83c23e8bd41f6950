/*
 * Abandoned responses: the transport's abandoned_ms puts a bound on how long an open response that
 * nobody reads from may hold its connection.
 */
#ifndef FY_TRANSPORT_ABANDON_H
#define FY_TRANSPORT_ABANDON_H

#include "transport/exchange.h"

/* From the delivery of a response with a body until its fate is decided. Under the scheduler's
 * lock. */
void fy_abandon_watch(struct fy_exchange *exchange);
void fy_abandon_unwatch(struct fy_exchange *exchange);

#endif
