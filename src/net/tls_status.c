/*
 * A server's certificate with its issuer's word that it is not revoked (OCSP stapling, RFC 6066
 * section 8, RFC 6960), for configurations that insist on it. OpenSSL's callback during the
 * handshake, once the certificate itself has been checked; nothing here parks.
 */
#include "net/tls_internal.h"

#include <openssl/ocsp.h>

#include "base/error.h"

/* How far the clocks of the two may be apart, in seconds. */
#define CLOCK_SKEW 300

/* What is said about the certificate: NULL, or why that does not do, as a sentence's end. */
static const char *judge_single(OCSP_BASICRESP *basic, OCSP_CERTID *id)
{
    int status;
    ASN1_GENERALIZEDTIME *this_update;
    ASN1_GENERALIZEDTIME *next_update;
    if (!OCSP_resp_find_status(basic, id, &status, NULL, NULL, &this_update, &next_update)) {
        return "another certificate's status in the place of its own (OCSP)";
    }
    if (!OCSP_check_validity(this_update, next_update, CLOCK_SKEW, -1)) {
        return "a status that is out of date (OCSP)";
    }
    return status == V_OCSP_CERTSTATUS_GOOD ? NULL
           : status == V_OCSP_CERTSTATUS_REVOKED
               ? "the word that it is revoked (OCSP)"
               : "the word that its issuer does not know it (OCSP)";
}

/* Under each hash that responders name certificates by. */
static const char *judge_certificate(OCSP_BASICRESP *basic, X509 *certificate, X509 *issuer)
{
    const EVP_MD *const hashes[] = {EVP_sha1(), EVP_sha256()};
    const char *problem = NULL;
    for (size_t i = 0; i < sizeof hashes / sizeof hashes[0]; i++) {
        OCSP_CERTID *id = OCSP_cert_to_id(hashes[i], certificate, issuer);
        if (id == NULL) {
            return "a status that there is no memory for";
        }
        bool named = OCSP_resp_find(basic, id, -1) >= 0;
        problem = judge_single(basic, id);
        OCSP_CERTID_free(id);
        if (named) {
            break;
        }
    }
    return problem;
}

static const char *judge_basic(const SSL *ssl, OCSP_BASICRESP *basic)
{
    STACK_OF(X509) *verified = SSL_get0_verified_chain(ssl);
    STACK_OF(X509) *sent = SSL_get_peer_cert_chain(ssl);
    STACK_OF(X509) *chain = verified != NULL ? verified : sent;
    X509_STORE *store = SSL_CTX_get_cert_store(SSL_get_SSL_CTX(ssl));
    int count = sk_X509_num(chain);
    if (count < 1) {
        return "no chain of certificates";
    }
    /* A self-signed certificate is its own issuer. */
    X509 *issuer = sk_X509_value(chain, count > 1 ? 1 : 0);
    if (OCSP_basic_verify(basic, chain, store, OCSP_TRUSTOTHER) <= 0) {
        return "a status that its issuer has not signed (OCSP)";
    }
    return judge_certificate(basic, sk_X509_value(chain, 0), issuer);
}

static const char *judge(SSL *ssl)
{
    const unsigned char *bytes = NULL;
    long len = SSL_get_tlsext_status_ocsp_resp(ssl, &bytes);
    if (bytes == NULL || len <= 0) {
        return "no word on whether it is revoked (OCSP stapling)";
    }
    const char *problem = "a status that cannot be read (OCSP)";
    OCSP_RESPONSE *response = d2i_OCSP_RESPONSE(NULL, &bytes, len);
    OCSP_BASICRESP *basic = NULL;
    if (response != NULL && OCSP_response_status(response) != OCSP_RESPONSE_STATUS_SUCCESSFUL) {
        problem = "its responder's failure in the place of a status (OCSP)";
    } else if (response != NULL && (basic = OCSP_response_get1_basic(response)) != NULL) {
        problem = judge_basic(ssl, basic);
    }
    OCSP_BASICRESP_free(basic);
    OCSP_RESPONSE_free(response);
    return problem;
}

/* 1: go on; 0: refuse the certificate. */
static int check_status(SSL *ssl, void *arg)
{
    struct fy_tls_stream *stream = fy_tls_stream_of(ssl);
    (void)arg;
    if (SSL_session_reused(ssl)) {
        return 1; /* its certificate was looked at when the session began */
    }
    fy_tls_begin();
    const char *problem = judge(ssl);
    if (problem != NULL && fy_tls_lacked_memory()) {
        fy_fail(&stream->failure, FERRY_ENOMEM, ENOMEM, "out of memory");
    } else if (problem != NULL) {
        fy_fail(&stream->failure, FERRY_ECERTIFICATE, 0,
                "the certificate comes with %s, and a good status is required", problem);
    }
    ERR_clear_error();
    return problem == NULL;
}

void fy_tls_require_status(SSL_CTX *context)
{
    SSL_CTX_set_tlsext_status_type(context, TLSEXT_STATUSTYPE_ocsp);
    SSL_CTX_set_tlsext_status_cb(context, check_status);
}
