/*
 * dates.h: dates as people and HTTP write them. Pure.
 */
#ifndef CLI_REQUEST_DATES_H
#define CLI_REQUEST_DATES_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

/* "2026-11-22", "22 Nov 2026 21:00:00 GMT", "Sun, 22 Nov 2026 21:00:00 GMT", "20261122" and their
 * like. Without a zone it is GMT, as in curl. */
bool date_parse(const char *text, time_t *when);

/* As an HTTP date (RFC 9110 section 5.6.7). */
void date_format(time_t when, char *text, size_t size);

#endif
