/*
 * What is said to a proxy, and heard from it, before a stream is the target's: with one deadline,
 * ended by a cancel, and with a sentence for whatever goes wrong. Called by SOCKS and CONNECT.
 */
#ifndef FY_NET_TALK_H
#define FY_NET_TALK_H

#include <stdint.h>
#include <sys/types.h>

#include <ferry.h>

#include "net/canceler.h"
#include "net/stream.h"

/* On the stack of the task that talks. */
struct fy_talk {
    struct fy_stream *stream;
    struct fy_canceler canceler;
    ferry_error *err;
};

/* Until the deadline (an fy_now() time or FY_NEVER), and until the channel closes (NULL: never). -1
 * and *err: there is nothing to end. */
int fy_talk_begin(struct fy_talk *talk, struct fy_stream *stream, int64_t deadline,
                  struct fy_chan *canceled, ferry_error *err);

/* Gives the stream back without a deadline. result: of the talk, below 0 for failed; returns it,
 * or -1 with the talk's error when it was cancelled. */
int fy_talk_end(struct fy_talk *talk, int result);

/* Says all of it: 0, or -1 with the talk's error. */
int fy_talk_say(struct fy_talk *talk, const void *bytes, size_t len);

/* Hears at least one byte: how many, or -1 with the talk's error. */
ssize_t fy_talk_hear(struct fy_talk *talk, void *buf, size_t len);

#endif
