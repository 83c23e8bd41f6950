/*
 * The client's handshake: from a stream below to a TLS stream, or to the sentence why not. Called
 * by the dial, in its task, whose stack is large: checking certificates takes one.
 */
#include "net/tls_internal.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/x509v3.h>

#include "base/errno.h"
#include "base/error.h"
#include "net/canceler.h"

#define SHAKING_HANDS "TLS handshake"

/* Room for a name of a host (RFC 1035 section 2.3.4) or an address, and its NUL. */
#define HOST_TEXT 256

/* ---------------------------------------------------------------------------------- whom to ask */

/* The host as certificates and the server know it: without a zone, or the dot of the root. */
static int plain_host(const char *host, char text[HOST_TEXT], ferry_error *err)
{
    size_t len = strlen(host);
    const char *zone = strchr(host, '%');
    if (zone != NULL) {
        len = (size_t)(zone - host);
    } else if (len > 1 && host[len - 1] == '.') {
        len--;
    }
    if (len == 0 || len >= HOST_TEXT) {
        return fy_fail(err, FERRY_EINVAL, 0, "no host name that a certificate could have");
    }
    memcpy(text, host, len);
    text[len] = '\0';
    return 0;
}

static bool is_address(const char *host)
{
    unsigned char bytes[16];
    return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

/* Who the certificate must be for; and which of its servers we mean (SNI, RFC 6066 section 3, has
 * no addresses). */
static int set_host(struct fy_tls_stream *self, const char *host, ferry_error *err)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(self->ssl);
    bool set;
    if (is_address(host)) {
        set = X509_VERIFY_PARAM_set1_ip_asc(param, host);
    } else {
        X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
                                                   X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
        set = X509_VERIFY_PARAM_set1_host(param, host, 0) &&
              SSL_set_tlsext_host_name(self->ssl, host);
    }
    return set ? 0 : fy_tls_fail_openssl(err, FERRY_ETLS, "");
}

static int set_session(struct fy_tls_stream *self, const char *host, const char *host_port,
                       ferry_error *err)
{
    if (asprintf(&self->session_key, "%s %s", host, host_port) < 0) {
        self->session_key = NULL;
        return fy_fail_memory(err);
    }
    if (self->config->resume) {
        SSL_SESSION *session = fy_tls_sessions_take(&self->config->sessions, self->session_key);
        if (session != NULL) {
            (void)SSL_set_session(self->ssl, session); /* without it a full handshake is made */
            SSL_SESSION_free(session);
        }
    }
    return 0;
}

/* ---------------------------------------------------------------------------------- what failed */

/* What a server means by an alert (RFC 8446 section 6.2) where OpenSSL's words do not say it. */
static const char *alert_text(int alert)
{
    switch (alert) {
    case SSL_AD_HANDSHAKE_FAILURE:
        return "handshake failure (no cipher in common, or it wants a client certificate)";
    case SSL_AD_PROTOCOL_VERSION: return "protocol version (none in common)";
    case SSL_AD_BAD_CERTIFICATE: return "bad certificate (the client's)";
    case SSL_AD_UNSUPPORTED_CERTIFICATE: return "unsupported certificate (the client's)";
    case SSL_AD_CERTIFICATE_REVOKED: return "certificate revoked (the client's)";
    case SSL_AD_CERTIFICATE_EXPIRED: return "certificate expired (the client's)";
    case SSL_AD_CERTIFICATE_UNKNOWN: return "certificate unknown (the client's)";
    case SSL_AD_UNKNOWN_CA: return "unknown CA (the client certificate's)";
    case SSL_AD_CERTIFICATE_REQUIRED: return "certificate required (the client has none)";
    case SSL_AD_UNRECOGNIZED_NAME: return "unrecognized name (it serves no such host)";
    case SSL_AD_NO_APPLICATION_PROTOCOL: return "no application protocol in common (ALPN)";
    default: return SSL_alert_desc_string_long(alert);
    }
}

void fy_tls_reason(ferry_error *err)
{
    unsigned long error = ERR_peek_error();
    int reason = ERR_GET_REASON(error);
    if (ERR_GET_LIB(error) != ERR_LIB_SSL || fy_tls_lacked_memory()) {
        fy_tls_fail_openssl(err, FERRY_ETLS, "");
        return;
    }
    if (reason >= SSL_AD_REASON_OFFSET && reason < SSL_AD_REASON_OFFSET + 256) {
        fy_fail(err, FERRY_ETLS, 0, "the server refused: %s",
                alert_text(reason - SSL_AD_REASON_OFFSET));
    } else if (reason == SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE) {
        fy_fail(err, FERRY_ETLS, 0, "the server refused: %s", alert_text(SSL_AD_HANDSHAKE_FAILURE));
    } else if (reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_UNSUPPORTED_PROTOCOL) {
        fy_fail(err, FERRY_ETLS, 0, "%s",
                reason == SSL_R_UNSUPPORTED_PROTOCOL
                    ? "the server speaks a version of TLS that is not allowed here"
                    : "what the server sent is not TLS, or a version that is not allowed here");
    } else {
        fy_tls_fail_openssl(err, FERRY_ETLS, "");
    }
    ERR_clear_error();
}

/* SSL has failed for good: -errno. */
static int fail_handshake(struct fy_tls_stream *self)
{
    if (self->ended) {
        return -FY_TRUNCATED;
    }
    if (self->plain_http && ERR_GET_REASON(ERR_peek_error()) == SSL_R_WRONG_VERSION_NUMBER) {
        fy_fail(&self->failure, FERRY_ETLS, 0,
                "the server answered in plain HTTP: is the URL's scheme http?");
    }
    return fy_tls_failed(self);
}

/* below failed, or ended, with the handshake still going on. An errno tells this from a handshake that
 * TLS itself has ended: another try may do better. */
static int fail_below(int error, ferry_error *err)
{
    switch (error) {
    case ETIMEDOUT: return fy_fail(err, FERRY_ETIMEOUT, 0, "handshake timeout");
    case ECANCELED: return fy_fail(err, FERRY_ECANCELED, 0, "canceled");
    case ENOMEM: return fy_fail(err, FERRY_ENOMEM, ENOMEM, "out of memory");
    case FY_TRUNCATED:
        return fy_fail(err, FERRY_ETLS, ECONNRESET,
                       "the server closed the connection during the handshake");
    default: return fy_fail(err, FERRY_ETLS, error, "handshake: %s", fy_errno_text(error));
    }
}

/* ------------------------------------------------------------------------------------ handshake */

/* SSL's steps, with what moves bytes in between. 0, or -errno; -EPROTO: self->failure has it. */
static int shake_hands(struct fy_tls_stream *self)
{
    const int64_t deadline = self->stream.read_deadline;
    for (;;) {
        int failed = 0;
        fy_tls_begin_reading(self);
        int done = SSL_do_handshake(self->ssl);
        int next = done == 1 ? SSL_ERROR_NONE : SSL_get_error(self->ssl, done);
        if (next != SSL_ERROR_NONE && next != SSL_ERROR_WANT_READ && next != SSL_ERROR_WANT_WRITE) {
            failed = fail_handshake(self);
            fy_tls_try_flush(self); /* the alert that tells the server what we did not like */
            return failed;
        }
        failed = fy_tls_flush(self, SHAKING_HANDS);
        /* A server that has refused us may have closed, and its alert is still to be read. */
        if (failed != 0 && failed != -EPIPE && failed != -ECONNRESET) {
            return failed;
        }
        if (next == SSL_ERROR_NONE) {
            return failed;
        }
        int read_failed =
            next == SSL_ERROR_WANT_READ ? fy_tls_wait(self, deadline, SHAKING_HANDS) : failed;
        if (read_failed != 0) {
            return read_failed;
        }
    }
}

static int handshake(struct fy_tls_stream *self, struct fy_chan *canceled, ferry_error *err)
{
    struct fy_canceler canceler;
    if (canceled != NULL && canceled->closed) {
        return fail_below(ECANCELED,
                          err); /* a quick handshake would be over before anybody looks */
    }
    if (fy_canceler_begin(&canceler, canceled, self->below) != 0) {
        return fy_fail_memory(err);
    }
    int failed = shake_hands(self);
    fy_canceler_end(&canceler);
    if (canceler.fired) {
        failed = -ECANCELED;
    }
    if (self->failure.code != 0 && failed != -ECANCELED) {
        *err = self->failure;
        return -1;
    }
    return failed == 0 ? 0 : fail_below(-failed, err);
}

/* Since OpenSSL 3.2 this takes memory, for the records in plain text, and does not say that there was
 * none: then the handshake fails and nobody knows why. */
static int be_client(struct fy_tls_stream *self, ferry_error *err)
{
    fy_tls_begin();
    SSL_set_connect_state(self->ssl);
    return fy_tls_lacked_memory() ? fy_tls_fail_openssl(err, FERRY_ENOMEM, "") : 0;
}

static struct fy_stream *agree(struct fy_tls_config *config, struct fy_stream *below,
                               const char *host, const char *host_port, int64_t deadline,
                               struct fy_chan *canceled, ferry_error *err)
{
    char plain[HOST_TEXT];
    struct fy_tls_stream *self = fy_tls_stream_new(config, below, err);
    if (self == NULL) {
        goto fail;
    }
    if (plain_host(host, plain, err) != 0 || set_host(self, plain, err) != 0 ||
        set_session(self, plain, host_port, err) != 0 || be_client(self, err) != 0) {
        goto fail;
    }
    self->dry = true; /* the server waits for our first message */
    self->host = plain;
    self->stream.read_deadline = deadline;
    self->stream.write_deadline = deadline;
    int failed = handshake(self, canceled, err);
    self->host = NULL;
    if (failed != 0) {
        goto fail;
    }
    self->established = true;
    self->dry = !SSL_has_pending(self->ssl);
    self->stream.read_deadline = FY_NEVER;
    self->stream.write_deadline = FY_NEVER;
    return &self->stream;
fail:
    fy_error_prefix(err, "tls %s", host_port);
    if (self != NULL) {
        fy_tls_stream_free(self);
    }
    return NULL;
}

struct fy_stream *fy_tls_client(struct fy_tls_config *config, struct fy_stream *below,
                                const char *host, const char *host_port, int64_t deadline,
                                struct fy_chan *canceled, ferry_error *err)
{
    struct fy_tls_pace pace;
    int64_t waited = fy_tls_pace_begin(&pace, canceled);
    if (deadline != FY_NEVER) {
        deadline += waited; /* it is for the server to keep */
    }
    struct fy_stream *stream = agree(config, below, host, host_port, deadline, canceled, err);
    fy_tls_pace_end(&pace);
    return stream;
}
