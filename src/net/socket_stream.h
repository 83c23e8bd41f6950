/*
 * Streams over connected sockets, TCP and Unix: made from a descriptor, or by connecting to an
 * address. Called by the dial.
 */
#ifndef FY_NET_SOCKET_STREAM_H
#define FY_NET_SOCKET_STREAM_H

#include <stdint.h>
#include <sys/socket.h>

#include "net/local_end.h"
#include "net/stream.h"

/* A stream over a connected socket, which it makes non-blocking and takes over; TCP gets
 * TCP_NODELAY. NULL with errno; the descriptor is then still the caller's. (A socket of its own gets it
 * with its second write, unless local delays.) */
struct fy_stream *fy_socket_stream_new(int fd);

/* Makes a socket and begins to connect it, without parking. local may be NULL. 0: it is connected. -EINPROGRESS:
 * *stream is there, and fy_socket_stream_finish_connect() is to be called before anything else
 * (closing and freeing it excepted). Any other -errno: *stream is NULL. */
int fy_socket_stream_connect(struct fy_stream **stream, const struct sockaddr *address,
                             socklen_t len, const struct fy_local_end *local);

/* Parks until a connect that was in progress is done: 0, -errno, or -ECANCELED when the stream was
 * closed. It has no deadline of its own: whoever has one closes the stream. */
int fy_socket_stream_finish_connect(struct fy_stream *stream, const char *why);

/* TCP keep-alive probes: the time without a sign of life before the first, and between them.
 * Seconds are as fine as it gets. Failing is no matter: probes only find out sooner what a write
 * would. */
void fy_socket_stream_probe(struct fy_stream *stream, int64_t ms);

#endif
