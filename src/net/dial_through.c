/*
 * Dialing through a proxy. Each step works on the stream of the one before; when one fails, that
 * stream is freed here, and with it the socket below.
 */
#include "net/dial_through.h"

#include "base/error.h"
#include "net/socks.h"
#include "net/socks4.h"
#include "net/tunnel.h"
#include "task/clock.h"

static struct fy_stream *give_up(struct fy_stream *stream)
{
    stream->ops->free(stream);
    return NULL;
}

/* A stream to the proxy itself. */
static struct fy_stream *dial_proxy(const struct fy_dial *dial, const struct fy_through *through,
                                    ferry_error *err)
{
    const struct fy_proxy *proxy = through->proxy;
    struct fy_dial to_proxy = *dial;
    to_proxy.host = proxy->host;
    to_proxy.host_port = proxy->host_port;
    to_proxy.port = proxy->port;
    struct fy_stream *below = fy_dial(&to_proxy, err);
    if (below == NULL || proxy->kind != FY_PROXY_HTTPS) {
        return below;
    }
    int64_t deadline = fy_after_ms(through->tls_timeout_ms);
    deadline = deadline < dial->deadline ? deadline : dial->deadline;
    struct fy_stream *stream = fy_tls_client(through->tls, below, proxy->host, proxy->host_port,
                                             deadline, dial->canceled, err);
    return stream != NULL ? stream : give_up(below);
}

/* -------------------------------------------------------------------------------------- CONNECT */

static struct fy_stream *through_http(const struct fy_dial *dial, const struct fy_through *through,
                                      ferry_error *err)
{
    const struct fy_tunnel tunnel = {
        .proxy = through->proxy,
        .host = dial->host,
        .port = dial->port,
        .user_agent = through->user_agent,
        .fields = through->fields,
        .max_header_bytes = through->max_header_bytes,
        .max_header_fields = through->max_header_fields,
        .deadline = dial->deadline,
        .canceled = dial->canceled,
        .trace = dial->trace,
        .trace_arg = dial->trace_arg,
    };
    /* A challenge is answered once, and on another connection: most proxies close the one that they
     * have refused something on. */
    for (int left = 2;; left--) {
        struct fy_stream *stream = dial_proxy(dial, through, err);
        if (stream == NULL || !through->tunnel) {
            return stream;
        }
        enum fy_tunnel_result result = fy_tunnel_connect(stream, &tunnel, err);
        if (result == FY_TUNNEL_OPEN) {
            return stream;
        }
        (void)give_up(stream);
        if (result == FY_TUNNEL_FAILED || left == 1) {
            return NULL;
        }
    }
}

/* ----------------------------------------------------------------------------------------- SOCKS */

static struct fy_stream *ask_socks(const struct fy_dial *dial, const struct fy_through *through,
                                   const struct fy_address *address, bool *unreachable,
                                   ferry_error *err)
{
    const struct fy_socks socks = {
        .proxy = through->proxy,
        .address = address,
        .host = dial->host,
        .port = dial->port,
        .deadline = dial->deadline,
        .canceled = dial->canceled,
    };
    *unreachable = false;
    struct fy_stream *stream = dial_proxy(dial, through, err);
    if (stream == NULL ||
        (fy_proxy_is_socks4(through->proxy) ? fy_socks4_connect(stream, &socks, err)
                                            : fy_socks_connect(stream, &socks, err)) == 0) {
        return stream;
    }
    *unreachable = err->code == FERRY_ECONNECT;
    return give_up(stream);
}

/* By address: one after the other, as long as it is them that the proxy cannot reach, each on a
 * connection of its own (RFC 1928 section 6 ends it after a refusal). The first one's error is
 * told. */
static struct fy_stream *try_addresses(const struct fy_dial *dial, const struct fy_through *through,
                                       const struct fy_addresses *addresses, ferry_error *err)
{
    struct fy_stream *stream = NULL;
    bool unreachable = true;
    for (size_t i = 0; i < addresses->count && unreachable && stream == NULL; i++) {
        ferry_error one = {0};
        stream = ask_socks(dial, through, &addresses->list[i], &unreachable, &one);
        if (stream == NULL && (i == 0 || !unreachable)) {
            *err = one;
        }
    }
    if (stream == NULL && unreachable) {
        fy_resolve_suspect(dial->resolver, dial->host); /* as a dial does with its own */
    }
    return stream;
}

static struct fy_stream *through_socks(const struct fy_dial *dial, const struct fy_through *through,
                                       const struct fy_addresses *addresses, ferry_error *err)
{
    bool unreachable;
    if (addresses->count > 0) {
        return try_addresses(dial, through, addresses, err);
    }
    return ask_socks(dial, through, NULL, &unreachable, err);
}

/* SOCKS4 has no room for those of IPv6: they are left out, unless there are no others. */
static void leave_ipv6_out(struct fy_addresses *addresses)
{
    const struct fy_local_end four = {.family = AF_INET};
    bool has_four = false;
    for (size_t i = 0; i < addresses->count; i++) {
        has_four = has_four || addresses->list[i].sockaddr.ss_family == AF_INET;
    }
    if (has_four) {
        fy_local_end_choose(&four, addresses);
    }
}

/* What the target is asked for by: addresses, or if there are none its name. A name that is a
 * literal goes as the address that it is, whoever looks names up. It is the proxy that connects to
 * them, so this machine's own address does not matter; ip_version does, for what a name is found to
 * have. */
static int target_addresses(const struct fy_dial *dial, const struct fy_proxy *proxy,
                            struct fy_addresses *addresses, ferry_error *err)
{
    struct fy_address literal;
    bool is_literal = fy_address_parse(&literal, dial->host, dial->port);
    const struct fy_local_end far = {
        .family = is_literal || dial->local == NULL ? AF_UNSPEC : dial->local->ip_version};
    struct fy_dial target = *dial;
    *addresses = (struct fy_addresses){0};
    if (!is_literal && proxy->kind != FY_PROXY_SOCKS5 && proxy->kind != FY_PROXY_SOCKS4) {
        return 0;
    }
    target.local = &far;
    if (fy_dial_resolve(&target, addresses, err) != 0) {
        return -1;
    }
    if (fy_proxy_is_socks4(proxy)) {
        leave_ipv6_out(addresses);
    }
    return 0;
}

struct fy_stream *fy_dial_through(const struct fy_dial *dial, const struct fy_through *through,
                                  ferry_error *err)
{
    struct fy_addresses addresses = {0};
    struct fy_stream *stream;
    if (fy_proxy_is_socks(through->proxy)) {
        if (target_addresses(dial, through->proxy, &addresses, err) != 0) {
            return NULL;
        }
        stream = through_socks(dial, through, &addresses, err);
        fy_addresses_free(&addresses);
    } else {
        stream = through_http(dial, through, err);
    }
    if (stream == NULL) {
        fy_error_prefix(err, "proxy %s", through->proxy->host_port);
    }
    return stream;
}
