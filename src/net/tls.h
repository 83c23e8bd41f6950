/*
 * TLS: a stream over a stream, and the configuration that many of them share. Called by the dial
 * (the handshake, in its task) and by transports, which own a configuration each.
 */
#ifndef FY_NET_TLS_H
#define FY_NET_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ferry.h>

#include "net/stream.h"
#include "task/chan.h"

/* As they stand in the handshake. Older ones are not spoken. */
enum { FY_TLS_1_2 = 0x0303, FY_TLS_1_3 = 0x0304 };

/* Zero-filled is the default: the system's trust store, everything checked, TLS 1.2 and up,
 * http/1.1. Borrowed while the configuration is made; files are read then, and not again. */
struct fy_tls_options {
    /* Whom to trust, any of the three together. None: the system's store, in which SSL_CERT_FILE and
     * SSL_CERT_DIR stand for its file and its directory. A self-signed or intermediate certificate
     * named here is trusted by itself. */
    const char *ca_file;      /* PEM */
    const char *ca_directory; /* of PEM files, named by hash (openssl rehash) */
    const void *ca_bytes;     /* PEM */
    size_t ca_len;
    bool ca_and_system; /* these and the system's store as well */
    /* PEM. Then every certificate of a chain needs a list of its issuer here. */
    const char *crl_file;
    /* What the public key of the server's own certificate must be, as curl has it:
     * "sha256//base64;sha256//base64". Checked beside all else, and with verification off, too. */
    const char *pinned_public_keys;
    /* Nothing at all is known about the server then. */
    bool insecure_skip_verify;

    /* Who we are, for servers that ask: PEM, the certificate first, then its issuers. A file, or
     * bytes. The key may stand in the same place. */
    const char *certificate_file;
    const void *certificate;
    size_t certificate_len;
    const char *key_file;
    const void *key;
    size_t key_len;
    const char *key_password; /* nobody is ever asked for one */

    int min_version, max_version; /* FY_TLS_1_2, FY_TLS_1_3; 0: no limit beyond 1.2 */
    const char *ciphers;          /* of TLS 1.2, as OpenSSL has it; NULL: its default */
    const char *cipher_suites;    /* of TLS 1.3, likewise */
    const char *alpn;             /* "h2,http/1.1"; NULL: "http/1.1"; "": not sent */
    const char *key_log_file;     /* appended to; NULL: SSLKEYLOGFILE, if it is set */
    bool disable_resumption;
};

/* Constant once made, but for the sessions in it, which have a lock of their own: any number of
 * threads may use one. */
struct fy_tls_config;

/* With one hold, or NULL and *err, which names the file that cannot be used and why. */
struct fy_tls_config *fy_tls_config_new(const struct fy_tls_options *options, ferry_error *err);
struct fy_tls_config *fy_tls_config_hold(struct fy_tls_config *config);
void fy_tls_config_release(struct fy_tls_config *config); /* NULL is fine */

/* A handshake with host (a name, or an address without brackets) over below, which it takes over if
 * it succeeds; else the caller frees it, and can use it for nothing else. Parks, and needs a large
 * stack. deadline: a fy_now() time or FY_NEVER; canceled: as in a dial, NULL: never.
 * host_port is for messages, and with the host the key under which sessions are kept. NULL and *err:
 * 'tls example.com:443: certificate "example.com" expired on 2026-01-02 03:04:05 UTC'
 * (FERRY_ECERTIFICATE), FERRY_ETLS, FERRY_ETIMEOUT, FERRY_ECANCELED.
 *
 * The stream's read returns 0 after close_notify only; an end without it is -FY_TRUNCATED. Whatever
 * breaks TLS's own rules, an alert among it, is -EPROTO; the failure op has the sentence. With TLS
 * 1.3 that is how a server says that it wants a client certificate: the handshake is over by then.
 * Once a write has failed or timed out all others fail likewise. */
struct fy_stream *fy_tls_client(struct fy_tls_config *config, struct fy_stream *below,
                                const char *host, const char *host_port, int64_t deadline,
                                struct fy_chan *canceled, ferry_error *err);

struct fy_tls_info {
    const char *version; /* "TLSv1.3"; static */
    const char *cipher;  /* "TLS_AES_256_GCM_SHA384"; static */
    char alpn[32];       /* "http/1.1"; "": the server did not choose */
    bool resumed;        /* a session of an earlier connection: no certificate was sent */
    bool verified;       /* the certificate was checked, now or when the session began */
    char subject[256];   /* of the server's certificate: "CN = example.com, O = Example" */
    char issuer[256];    /* likewise */
    char not_after[32];  /* "2026-01-02 03:04:05 UTC" */
};

/* What was agreed. False: the stream is no TLS stream. */
bool fy_tls_info(const struct fy_stream *stream, struct fy_tls_info *info);

#endif
