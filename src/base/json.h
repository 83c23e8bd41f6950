/*
 * Writing JSON (RFC 8259) piece by piece into a buffer: what needs escaping is done here, the braces
 * and commas are the caller's.
 */
#ifndef FY_BASE_JSON_H
#define FY_BASE_JSON_H

#include "base/buffer.h"

/* A string with its quotes. What is no UTF-8 becomes U+FFFD; NULL is written as null. */
void fy_json_string(struct fy_buffer *buffer, const char *text);

#endif
