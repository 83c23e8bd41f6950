/*
 * A talk with a SOCKS proxy.
 */
#include "socks_test.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

const struct fy_socks socks_by_name = {.host = "example.org", .port = 80};

void socks_talk(socks_connect connect, const char *setting, struct fy_socks socks,
                const struct peer_step *steps, const char *message, int code)
{
    struct peer peer;
    ferry_error err = {0};
    struct fy_proxy *proxy = fy_proxy_new(setting, false, &err);
    assert_string_equal(err.message, "");
    assert_non_null(proxy);
    struct fy_stream *stream = peer_start(&peer, steps, PEER_CLOSES);
    socks.proxy = proxy;
    socks.deadline = FY_NEVER;
    int result = connect(stream, &socks, &err);
    if (message == NULL) {
        char byte;
        assert_string_equal(err.message, "");
        assert_int_equal(result, 0);
        assert_int_equal(stream->ops->read(stream, &byte, 1, "test"), 0);
    } else {
        assert_int_equal(result, -1);
        assert_string_equal(err.message, message);
        assert_int_equal(err.code, code);
    }
    stream->ops->free(stream);
    peer_end(&peer);
    fy_proxy_release(proxy);
}
