/*
 * watch.h: what the library tells of a request's way: written down for -w, printed for -i, -D, -v
 * and --trace.
 */
#ifndef CLI_TRANSFER_WATCH_H
#define CLI_TRANSFER_WATCH_H

#include <ferry.h>

#include "transfer/run.h"

/* Follows the request, until watch_end(). NULL when out of memory. */
struct watch *watch_begin(struct transfer *transfer, ferry_request *req);

/* The hop is over. What became of its connection may be told later still. */
void watch_end(struct watch *watch);

/* Frees those of which something was still to be told: once the transports are gone. */
void watch_free_late(struct run *run);

/* "* ..." under -v, and in a trace. */
void watch_say(struct run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Body bytes, for a trace. */
void watch_body(struct run *run, bool sent, const char *bytes, size_t len);

#endif
