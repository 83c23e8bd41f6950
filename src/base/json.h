/*
 * Writing JSON (RFC 8259) piece by piece into a buffer: what needs escaping is done here, the
 * braces and commas are the caller's.
 */
#ifndef FY_BASE_JSON_H
#define FY_BASE_JSON_H

#include "base/buffer.h"

/* A string with its quotes. What is no UTF-8 becomes U+FFFD; NULL is written as null. */
void fy_json_string(struct fy_buffer *buffer, const char *text);

/* "true" or "false". */
const char *fy_json_bool(bool value);

/* Ends a document with a line feed and a NUL: its text, from malloc(), or NULL when memory was
 * short on the way. The buffer is empty again. */
char *fy_json_end(struct fy_buffer *buffer);

#endif
