/*
 * The other end of a stream, which says and expects just the bytes of a script: a task beside the
 * one under test, over a pair of connected sockets.
 */
#ifndef PEER_H
#define PEER_H

#include <stdbool.h>
#include <stddef.h>

#include "bytes.h"
#include "net/stream.h"
#include "task/chan.h"

/* First these bytes must come, then those are sent. A step without bytes ends the script. */
struct peer_step {
    const char *expect;
    size_t expect_len;
    const char *send;
    size_t send_len;
};

/* Steps from literals, with NUL bytes in them as they like. */
#define PEER(expect, send)         \
    {                              \
        BYTES(expect), BYTES(send) \
    }

/* What becomes of it after the script. */
enum peer_then {
    PEER_CLOSES,
    PEER_WAITS /* for the end of the other side */
};

struct peer {
    const struct peer_step *steps;
    enum peer_then then;
    struct fy_stream *stream; /* its own end */
    bool failed;              /* something else came; what, has been printed */
    bool saw_end;             /* the other side ended where the script was over */
    struct fy_chan over;
};

/* Starts it, and returns the end that is under test. */
struct fy_stream *peer_start(struct peer *peer, const struct peer_step *steps, enum peer_then then);

/* Waits for its end, and fails the test if it heard anything else. The other end is to be freed
 * before, if the peer waits for that. */
void peer_end(struct peer *peer);

#endif
