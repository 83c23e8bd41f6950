/*
 * origin.h: the HTTP server inside `ferry lab`: the five bodies of the experiment, on free
 * loopback ports, served by libmicrohttpd on threads of its own. None of them ever calls ferry, so
 * the server adds nothing to ferry's counts; and it counts the connections it accepts, so that
 * what the transport says of its dials can be checked against the other side.
 */
#ifndef CLI_ORIGIN_H
#define CLI_ORIGIN_H

#include <stdint.h>

struct origin;

/* Starts one server per host: 127.0.0.1, 127.0.0.2 and so on, each an authority of its own to a
 * pool of connections. Up to max_connections at once may be open to each. Returns NULL with
 * errno set. Give it to origin_stop(). */
struct origin *origin_start(int hosts, unsigned max_connections);

/* Closes what is still open and joins the threads. NULL is fine. */
void origin_stop(struct origin *origin);

/* The address of a body ("sized", "chunked", "big", "empty", "conn-close") on a host, counted
 * from 0. The string is valid until the next call. */
const char *origin_url(struct origin *origin, int host, const char *body);

/* How many connections have been accepted since the start, on all hosts. */
uint64_t origin_accepted(const struct origin *origin);

#endif
