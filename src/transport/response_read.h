/*
 * Reading a response's head from a connection: status line, fields, framing.
 */
#ifndef FY_TRANSPORT_RESPONSE_READ_H
#define FY_TRANSPORT_RESPONSE_READ_H

#include "http/response.h"
#include "transport/exchange.h"

/* The final response to the exchange's request, its head read, its body attached; interim responses
 * are dealt with on the way. NULL and *err. */
ferry_response *fy_response_read(struct fy_exchange *exchange, ferry_error *err);

#endif
