/*
 * What the tests of both kinds of SOCKS share.
 */
#ifndef SOCKS_TEST_H
#define SOCKS_TEST_H

#include "net/socks.h"
#include "peer.h"

typedef int (*socks_connect)(struct fy_stream *stream, const struct fy_socks *socks,
                             ferry_error *err);

/* example.org:80 */
extern const struct fy_socks socks_by_name;

/* One talk with a peer that follows the script. NULL message: it succeeds, and what comes after it
 * is the target's. */
void socks_talk(socks_connect connect, const char *setting, struct fy_socks socks,
                const struct peer_step *steps, const char *message, int code);

#endif
