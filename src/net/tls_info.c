/*
 * What a handshake has agreed on, kept apart from the connection: a response may be asked for it
 * when its connection is long closed.
 */
#include "net/tls_internal.h"

#include <stdlib.h>
#include <string.h>

/* A name on one line, "CN = example.com, O = Example", in memory to be read from. NULL: out of
 * memory. */
static BIO *one_line(const X509_NAME *name)
{
    BIO *line = BIO_new(BIO_s_mem());
    if (line != NULL && name != NULL &&
        X509_NAME_print_ex(line, name, 0, XN_FLAG_ONELINE & ~ASN1_STRFLGS_ESC_MSB) < 0) {
        BIO_free(line);
        return NULL;
    }
    return line;
}

/* Moves a line's text to where there is room for it and a NUL. */
static char *put_line(BIO *line, char *place)
{
    int len = BIO_read(line, place, (int)BIO_pending(line));
    place[len > 0 ? len : 0] = '\0';
    return place;
}

static void fill(struct fy_tls_info *info, struct fy_tls_stream *stream, const X509 *certificate)
{
    const unsigned char *alpn;
    unsigned len;
    SSL_get0_alpn_selected(stream->ssl, &alpn, &len);
    if (len > 0 && len < sizeof info->alpn) {
        memcpy(info->alpn, alpn, len);
    }
    if (certificate != NULL) {
        fy_tls_time_text(X509_get0_notBefore(certificate), info->not_before);
        fy_tls_time_text(X509_get0_notAfter(certificate), info->not_after);
    }
    info->shown.size = sizeof info->shown;
    info->shown.version = SSL_get_version(stream->ssl);
    info->shown.cipher = SSL_get_cipher_name(stream->ssl);
    info->shown.alpn = info->alpn;
    info->shown.resumed = SSL_session_reused(stream->ssl);
    info->shown.verified = stream->config->verify;
    info->shown.not_before = info->not_before;
    info->shown.not_after = info->not_after;
}

struct fy_tls_info *fy_tls_info_new(const struct fy_stream *stream)
{
    struct fy_tls_stream *self = fy_tls_stream_from(stream);
    struct fy_tls_info *info = NULL;
    if (self == NULL) {
        return NULL;
    }
    const X509 *certificate = SSL_get0_peer_certificate(self->ssl);
    BIO *subject = one_line(certificate != NULL ? X509_get_subject_name(certificate) : NULL);
    BIO *issuer = one_line(certificate != NULL ? X509_get_issuer_name(certificate) : NULL);
    if (subject != NULL && issuer != NULL) {
        size_t subject_len = BIO_pending(subject);
        info = calloc(1, sizeof *info + subject_len + 1 + (size_t)BIO_pending(issuer) + 1);
        if (info != NULL) {
            atomic_init(&info->holds, 1);
            fill(info, self, certificate);
            info->shown.subject = put_line(subject, info->names);
            info->shown.issuer = put_line(issuer, info->names + subject_len + 1);
        }
    }
    BIO_free(issuer);
    BIO_free(subject);
    return info;
}

struct fy_tls_info *fy_tls_info_hold(struct fy_tls_info *info)
{
    if (info != NULL) {
        atomic_fetch_add_explicit(&info->holds, 1, memory_order_relaxed);
    }
    return info;
}

void fy_tls_info_release(struct fy_tls_info *info)
{
    if (info != NULL && atomic_fetch_sub_explicit(&info->holds, 1, memory_order_acq_rel) == 1) {
        free(info);
    }
}
