/*
 * A decoder between a response's body and its reader.
 */
#ifndef FY_TRANSPORT_DECODED_BODY_H
#define FY_TRANSPORT_DECODED_BODY_H

#include "http/response.h"

struct fy_decoded_body;

/* What it takes to decode the body as the response's Content-Encoding says, in the response's
 * arena; *body NULL: that names nothing, or something that ferry does not know. max: bytes that may
 * come out; -1: no limit. -1 when out of memory. */
int fy_decoded_body_new(ferry_response *res, int64_t max, struct fy_decoded_body **made);

/* Puts it before the body that the response has by now, of which nothing has been read.
 * Content-Encoding and Content-Length are then gone, and the length is unknown. NULL: does nothing.
 */
void fy_decoded_body_attach(struct fy_decoded_body *body);

#endif
