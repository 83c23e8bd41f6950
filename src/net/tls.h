/*
 * TLS: a stream over a stream, and the configuration that many of them share. Called by the dial
 * (the handshake, in its task) and by transports, which own a configuration each.
 */
#ifndef FY_NET_TLS_H
#define FY_NET_TLS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ferry.h>

#include "net/stream.h"
#include "task/chan.h"

/* Constant once made, but for the sessions in it, which have a lock of their own: any number of
 * threads may use one. */
struct fy_tls_config;

/* With one hold, or NULL and *err, which names the file that cannot be used and why. All of the
 * struct is read, whatever its size says; files are read now, and not again. */
struct fy_tls_config *fy_tls_config_new(const ferry_tls_options *options, ferry_error *err);
struct fy_tls_config *fy_tls_config_hold(struct fy_tls_config *config);
void fy_tls_config_release(struct fy_tls_config *config); /* NULL is fine */

/* A handshake with host (a name, or an address without brackets) over below, which it takes over if
 * it succeeds; else the caller frees it, and can use it for nothing else. Parks, and needs a large
 * stack. deadline: a fy_now() time or FY_NEVER; canceled: as in a dial, NULL: never.
 * host_port is for messages, and with the host the key under which sessions are kept. NULL and
 * *err: 'tls example.com:443: certificate "example.com" expired on 2026-01-02 03:04:05 UTC'
 * (FERRY_ECERTIFICATE), FERRY_ETLS, FERRY_ETIMEOUT, FERRY_ECANCELED.
 *
 * The stream's read returns 0 after close_notify only; an end without it is -FY_TRUNCATED. Whatever
 * breaks TLS's own rules, an alert among it, is -EPROTO; the failure op has the sentence. With TLS
 * 1.3 that is how a server says that it wants a client certificate: the handshake is over by then.
 * Once a write has failed or timed out all others fail likewise. */
struct fy_stream *fy_tls_client(struct fy_tls_config *config, struct fy_stream *below,
                                const char *host, const char *host_port, int64_t deadline,
                                struct fy_chan *canceled, ferry_error *err);

/* What was agreed, for whoever asks after the stream is gone. Constant once made; held and released
 * from any thread. */
struct fy_tls_info {
    atomic_int holds;
    ferry_tls_info shown; /* its strings are static, or in the texts below */
    char alpn[32], not_before[32], not_after[32];
    char names[]; /* subject and issuer */
};

/* With one hold; NULL: the stream is no TLS stream, or out of memory. */
struct fy_tls_info *fy_tls_info_new(const struct fy_stream *stream);
struct fy_tls_info *fy_tls_info_hold(struct fy_tls_info *info); /* NULL is fine */
void fy_tls_info_release(struct fy_tls_info *info);             /* likewise */

#endif
