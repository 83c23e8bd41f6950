/*
 * The trailer section behind a chunked body (RFC 9112 section 7.1.2): field lines like those of the
 * head, kept with the response.
 */
#ifndef FY_TRANSPORT_TRAILER_H
#define FY_TRANSPORT_TRAILER_H

#include <stdbool.h>

#include <ferry.h>

#include "transport/exchange.h"

/* Takes the trailer section, to the empty line at its end: 0 and exchange->body_over; -1 and *err;
 * or FY_BODY_WOULD_PARK, and what has been taken so far is kept. */
int fy_trailer_read(struct fy_exchange *exchange, bool may_park, ferry_error *err);

#endif
