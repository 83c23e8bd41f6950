/*
 * Host names: from what stands in a URL or a Host field to what is looked up and written (RFC 3986
 * section 3.2.2, RFC 5891).
 */
#ifndef FY_HTTP_HOST_H
#define FY_HTTP_HOST_H

#include <stddef.h>

#include <ferry.h>

/* The longest name; the DNS ends at 253. */
#define FY_HOST_MAX 255

/* Turns a registered name, perhaps percent-encoded, into its form for lookups and the wire:
 * lower case, letters beyond ASCII in IDNA (RFC 5891, mapped by UTS 46 without its transitional
 * rules, so that "straße" keeps its ß). NUL-terminated. -1 and *err with the end of a sentence
 * ("the host has a space in it") for what is no name. */
int fy_host_name(char out[FY_HOST_MAX + 1], const char *text, size_t len, ferry_error *err);

/* What is wrong with a byte that no host may hold, as the end of a sentence; NULL for one that
 * it may: unreserved and sub-delims of RFC 3986, '%', and everything beyond ASCII. */
const char *fy_host_byte_refused(char byte);

#endif
