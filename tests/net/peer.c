/*
 * A scripted peer.
 */
#include "peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "net/socket_stream.h"
#include "net_test.h"

static void show(const char *what, const char *bytes, size_t len)
{
    print_error("%s", what);
    for (size_t i = 0; i < len; i++) {
        unsigned char byte = (unsigned char)bytes[i];
        print_error(byte >= ' ' && byte < 0x7f ? "%c" : "\\x%02x", byte);
    }
    print_error("\n");
}

static bool expect(struct peer *peer, const struct peer_step *step)
{
    char got[2048];
    size_t len = 0;
    assert_true(step->expect_len < sizeof got);
    while (len < step->expect_len) {
        ssize_t more =
            peer->stream->ops->read(peer->stream, got + len, step->expect_len - len, "peer");
        if (more <= 0) {
            break;
        }
        len += (size_t)more;
    }
    if (len == step->expect_len && memcmp(got, step->expect, len) == 0) {
        return true;
    }
    show("the peer expected: ", step->expect, step->expect_len);
    show("and there came:    ", got, len);
    return false;
}

static void play(void *arg)
{
    struct peer *peer = arg;
    for (const struct peer_step *step = peer->steps;
         !peer->failed && (step->expect_len > 0 || step->send_len > 0); step++) {
        peer->failed = !expect(peer, step);
        struct iovec iov = {(void *)step->send, step->send_len};
        if (!peer->failed) {
            (void)fy_stream_write_all(peer->stream, &iov, 1, "peer");
        }
    }
    if (!peer->failed && peer->then == PEER_WAITS) {
        char byte;
        peer->saw_end = peer->stream->ops->read(peer->stream, &byte, 1, "peer") <= 0;
    }
    peer->stream->ops->free(peer->stream);
    fy_chan_close(&peer->over);
}

struct fy_stream *peer_start(struct peer *peer, const struct peer_step *steps, enum peer_then then)
{
    int ends[2];
    net_test_unix_pair(ends);
    *peer = (struct peer){.steps = steps, .then = then, .stream = fy_socket_stream_new(ends[1])};
    struct fy_stream *stream = fy_socket_stream_new(ends[0]);
    assert_non_null(peer->stream);
    assert_non_null(stream);
    fy_chan_init(&peer->over, NULL, 0);
    net_test_go(play, peer);
    return stream;
}

void peer_end(struct peer *peer)
{
    fy_chan_receive(&peer->over, NULL, "waiting for the peer");
    assert_false(peer->failed);
}
