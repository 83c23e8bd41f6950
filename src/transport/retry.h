/*
 * Whether a request that failed is sent again, on another connection. A pure decision.
 */
#ifndef FY_TRANSPORT_RETRY_H
#define FY_TRANSPORT_RETRY_H

#include <stdbool.h>

#include "http/request.h"
#include "transport/exchange.h"

/* reused: the connection that failed had served before. On a fresh one there is no innocent
 * explanation, so nothing is tried again. RFC 9110 section 9.2.2. */
bool fy_should_retry(const ferry_request *req, bool reused, enum fy_trip_failure failure);

#endif
