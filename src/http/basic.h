/*
 * Basic credentials (RFC 7617), for servers and proxies.
 */
#ifndef FY_HTTP_BASIC_H
#define FY_HTTP_BASIC_H

#include "base/buffer.h"

/* Appends the value of an Authorization or Proxy-Authorization field, "Basic " and base64 of
 * user:password; NULL is "". */
void fy_basic_append(struct fy_buffer *out, const char *user, const char *password);

#endif
