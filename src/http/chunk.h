/*
 * Chunk lines (RFC 9112 section 7.1), as pure functions: the body reader brings the bytes.
 */
#ifndef FY_HTTP_CHUNK_H
#define FY_HTTP_CHUNK_H

#include <stdint.h>

#include "http/response_parse.h"

/* The longest chunk line, extensions included: a peer that sends more is not talking to us. */
#define FY_CHUNK_LINE_MAX 4096

/* Takes a chunk's size line with its extensions (which are checked for control bytes and
 * otherwise ignored): DONE with *size, MORE, or BAD. No sign, no prefix, no white space before
 * the size; at most 2^62. */
enum fy_parse_result fy_parse_chunk_line(struct fy_parse *parse, uint64_t *size);

/* Takes the CRLF after a chunk's data: DONE, MORE or BAD. */
enum fy_parse_result fy_parse_chunk_end(struct fy_parse *parse);

/* Writes the size line of a chunk to be sent ("1f4\r\n"); returns its length. */
#define FY_CHUNK_HEAD_MAX 20
size_t fy_chunk_head(char out[FY_CHUNK_HEAD_MAX], uint64_t size);

#endif
