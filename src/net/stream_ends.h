/*
 * Where a stream begins and where it leads, as text: asked of the socket at its bottom when
 * somebody wants to know. Called for traces.
 */
#ifndef FY_NET_STREAM_ENDS_H
#define FY_NET_STREAM_ENDS_H

#include "net/address.h"
#include "net/stream.h"

/* Room for an address with its port, and for a Unix socket's path ('@' in front of an abstract
 * one). */
#define FY_END_TEXT 128

struct fy_stream_ends {
    struct fy_address local, remote; /* len 0: unknown */
    char local_text[FY_END_TEXT];    /* "192.0.2.7:51234"; "": unknown, or a Unix socket without */
    char remote_text[FY_END_TEXT];
};

void fy_stream_ends(const struct fy_stream *stream, struct fy_stream_ends *ends);

#endif
