/*
 * What is checked on a server's certificates, and the sentence about the check that failed and the
 * certificate that it failed on. OpenSSL's callback during the handshake; nothing here parks. What
 * a certificate says about itself goes into messages, so it is made harmless first.
 */
#include "net/tls_internal.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include <openssl/sha.h>
#include <openssl/x509v3.h>

#include "base/errno.h"
#include "base/error.h"

/* Room for a name in a message, and its NUL. */
#define NAME_TEXT 72

/* ------------------------------------------------------------------------------------- texts */

/* len bytes, cut where they grow too long, without control characters and quotes. */
static void tame(const unsigned char *bytes, size_t len, char *text, size_t size)
{
    size_t kept = len < size ? len : size - 1;
    for (size_t i = 0; i < kept; i++) {
        text[i] = bytes[i] < 0x20 || bytes[i] == 0x7f || bytes[i] == '"' ? '?' : (char)bytes[i];
    }
    text[kept] = '\0';
    if (kept < len) {
        memcpy(text + size - sizeof "...", "...", sizeof "...");
    }
}

static bool entry_text(const X509_NAME *name, int nid, char text[NAME_TEXT])
{
    unsigned char *utf8 = NULL;
    int at = X509_NAME_get_index_by_NID(name, nid, -1);
    if (at < 0) {
        return false;
    }
    int len = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
    if (len <= 0) {
        return false;
    }
    tame(utf8, (size_t)len, text, NAME_TEXT);
    OPENSSL_free(utf8);
    return true;
}

/* What people call it: the common name, or whatever else there is. */
static void name_text(const X509_NAME *name, char text[NAME_TEXT])
{
    if (entry_text(name, NID_commonName, text) ||
        entry_text(name, NID_organizationalUnitName, text) ||
        entry_text(name, NID_organizationName, text)) {
        return;
    }
    snprintf(text, NAME_TEXT, "no name");
}

void fy_tls_time_text(const ASN1_TIME *time, char text[FY_TLS_TIME_TEXT])
{
    struct tm tm;
    if (time == NULL || !ASN1_TIME_to_tm(time, &tm)) {
        snprintf(text, FY_TLS_TIME_TEXT, "an unreadable date");
        return;
    }
    strftime(text, FY_TLS_TIME_TEXT, "%Y-%m-%d %H:%M:%S UTC", &tm);
}

/* One name of a subjectAltName; false for the kinds that no server is asked for by. */
static bool general_name_text(const GENERAL_NAME *name, char text[NAME_TEXT])
{
    int type;
    const ASN1_STRING *value = GENERAL_NAME_get0_value(name, &type);
    if (type == GEN_DNS) {
        tame(ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value), text, NAME_TEXT);
        return true;
    }
    if (type != GEN_IPADD) {
        return false;
    }
    int len = ASN1_STRING_length(value);
    return (len == 4 || len == 16) &&
           inet_ntop(len == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(value), text, NAME_TEXT);
}

/* "a.example, *.b.example and 3 more"; "no host": it names none. */
static void names_text(X509 *certificate, char *text, size_t size)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    int shown = 0;
    int more = 0;
    size_t len = 0;
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        char name[NAME_TEXT];
        if (!general_name_text(sk_GENERAL_NAME_value(names, i), name)) {
            continue;
        }
        if (shown == 3 || len + strlen(name) + sizeof ", and 1000 more" > size) {
            more++;
            continue;
        }
        len += (size_t)snprintf(text + len, size - len, "%s%s", shown++ > 0 ? ", " : "", name);
    }
    if (shown == 0) {
        snprintf(text, size, "no host");
    } else if (more > 0) {
        snprintf(text + len, size - len, " and %d more", more);
    }
    GENERAL_NAMES_free(names);
}

/* --------------------------------------------------------------------------------- the sentence */

/* What failed, as OpenSSL has it. */
struct failed_check {
    int error; /* X509_V_ERR_... */
    X509 *certificate;
    X509_STORE_CTX *store;
    const char *host;
    char issuer[NAME_TEXT];
};

static void explain_time(const char *verb, const ASN1_TIME *time, char *text, size_t size)
{
    char date[FY_TLS_TIME_TEXT];
    fy_tls_time_text(time, date);
    snprintf(text, size, "%s %s", verb, date);
}

static void explain_host(const struct failed_check *check, char *text, size_t size)
{
    char names[120];
    names_text(check->certificate, names, sizeof names);
    snprintf(text, size, "is for %s, not for %.64s", names, check->host);
}

/* Of the certificate's issuer; to be freed. */
static STACK_OF(X509_CRL) * issuers_lists(const struct failed_check *check)
{
    return X509_STORE_CTX_get1_crls(check->store, X509_get_issuer_name(check->certificate));
}

static void explain_revoked(const struct failed_check *check, char *text, size_t size)
{
    STACK_OF(X509_CRL) *lists = issuers_lists(check);
    snprintf(text, size, "was revoked by its issuer \"%s\"", check->issuer);
    for (int i = 0; i < sk_X509_CRL_num(lists); i++) {
        X509_REVOKED *revoked;
        if (X509_CRL_get0_by_cert(sk_X509_CRL_value(lists, i), &revoked, check->certificate) == 1) {
            explain_time("was revoked on", X509_REVOKED_get0_revocationDate(revoked), text, size);
            break;
        }
    }
    sk_X509_CRL_pop_free(lists, X509_CRL_free);
}

static void explain_old_list(const struct failed_check *check, char *text, size_t size)
{
    STACK_OF(X509_CRL) *lists = issuers_lists(check);
    const X509_CRL *list = sk_X509_CRL_num(lists) > 0 ? sk_X509_CRL_value(lists, 0) : NULL;
    explain_time("cannot be checked: its issuer's revocation list expired on",
                 list != NULL ? X509_CRL_get0_nextUpdate(list) : NULL, text, size);
    sk_X509_CRL_pop_free(lists, X509_CRL_free);
}

static void explain_weak_key(const struct failed_check *check, char *text, size_t size)
{
    const EVP_PKEY *key = X509_get0_pubkey(check->certificate);
    if (key == NULL) {
        snprintf(text, size, "has a key that is too weak");
        return;
    }
    snprintf(text, size, "has a key that is too weak (%s, %d bits)",
             OBJ_nid2sn(EVP_PKEY_get_base_id(key)), EVP_PKEY_get_bits(key));
}

/* The end of the sentence that begins 'certificate "example.com" '. */
static void explain(const struct failed_check *check, char *text, size_t size)
{
    X509 *certificate = check->certificate;
    switch (check->error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        explain_time("expired on", X509_get0_notAfter(certificate), text, size);
        return;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        explain_time("is not valid before", X509_get0_notBefore(certificate), text, size);
        return;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH: explain_host(check, text, size); return;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        snprintf(text, size, "is self-signed, and not one of those trusted");
        return;
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        snprintf(text, size, "is a root that is not trusted (unknown authority)");
        return;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        snprintf(text, size,
                 "has an unknown issuer: \"%s\" is not trusted, and the server did not send its "
                 "certificate",
                 check->issuer);
        return;
    case X509_V_ERR_INVALID_PURPOSE:
        snprintf(text, size, "is not for servers (extended key usage)");
        return;
    case X509_V_ERR_INVALID_CA:
        snprintf(text, size, "is no authority's, and may not issue others");
        return;
    case X509_V_ERR_PATH_LENGTH_EXCEEDED:
        snprintf(text, size, "may not have so many authorities below it (path length)");
        return;
    case X509_V_ERR_CERT_REVOKED: explain_revoked(check, text, size); return;
    case X509_V_ERR_UNABLE_TO_GET_CRL:
        snprintf(text, size, "cannot be checked: there is no revocation list of \"%s\"",
                 check->issuer);
        return;
    case X509_V_ERR_CRL_HAS_EXPIRED: explain_old_list(check, text, size); return;
    case X509_V_ERR_EE_KEY_TOO_SMALL:
    case X509_V_ERR_CA_KEY_TOO_SMALL: explain_weak_key(check, text, size); return;
    case X509_V_ERR_CA_MD_TOO_WEAK:
        snprintf(text, size, "has a signature that is too weak (%s)",
                 OBJ_nid2ln(X509_get_signature_nid(certificate)));
        return;
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
        snprintf(text, size, "has a wrong signature: \"%s\" did not make it", check->issuer);
        return;
    case X509_V_ERR_PERMITTED_VIOLATION:
    case X509_V_ERR_EXCLUDED_VIOLATION:
        snprintf(text, size,
                 "is for a name that its authority may not issue for (name "
                 "constraints)");
        return;
    }
    snprintf(text, size, "was refused: %s", X509_verify_cert_error_string(check->error));
}

/* 'certificate "example.com" expired on 2026-01-02 03:04:05 UTC' */
static void fail_check(X509_STORE_CTX *store, const char *host, ferry_error *err)
{
    char subject[NAME_TEXT];
    char reason[240];
    struct failed_check check = {.error = X509_STORE_CTX_get_error(store),
                                 .certificate = X509_STORE_CTX_get_current_cert(store),
                                 .store = store,
                                 .host = host};
    /* A certificate that there was no memory to look for is one that is not there. */
    if (check.error == X509_V_ERR_OUT_OF_MEM || fy_tls_lacked_memory()) {
        fy_fail(err, FERRY_ENOMEM, ENOMEM, "out of memory");
        return;
    }
    if (check.certificate == NULL) {
        check.certificate = X509_STORE_CTX_get0_cert(store);
    }
    name_text(X509_get_subject_name(check.certificate), subject);
    name_text(X509_get_issuer_name(check.certificate), check.issuer);
    explain(&check, reason, sizeof reason);
    fy_fail(err, FERRY_ECERTIFICATE, 0, "%s \"%s\" %s",
            X509_STORE_CTX_get_error_depth(store) == 0 ? "certificate" : "authority's certificate",
            subject, reason);
}

/* ---------------------------------------------------------------------------------------- pins */

/* Whether the public key (its SubjectPublicKeyInfo, RFC 7469 section 2.4) is one of the pinned. */
static bool is_pinned(const struct fy_tls_config *config, X509 *certificate)
{
    unsigned char *der = NULL;
    unsigned char hash[SHA256_DIGEST_LENGTH];
    bool found = false;
    int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
    if (len <= 0) {
        return false;
    }
    if (EVP_Digest(der, (size_t)len, hash, NULL, EVP_sha256(), NULL)) {
        for (size_t i = 0; i < config->pin_count; i++) {
            found = found || memcmp(hash, config->pins[i], FY_TLS_PIN_LEN) == 0;
        }
    }
    OPENSSL_free(der);
    return found;
}

static void fail_pin(X509 *certificate, ferry_error *err)
{
    char subject[NAME_TEXT];
    if (fy_tls_lacked_memory()) {
        fy_fail(err, FERRY_ENOMEM, ENOMEM, "out of memory");
        return;
    }
    name_text(X509_get_subject_name(certificate), subject);
    fy_fail(err, FERRY_ECERTIFICATE, 0,
            "certificate \"%s\" has a public key that is none of the pinned ones", subject);
}

int fy_tls_verify(X509_STORE_CTX *store, void *arg)
{
    const struct fy_tls_config *config = arg;
    const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct fy_tls_stream *stream = fy_tls_stream_of(ssl);
    X509 *certificate = X509_STORE_CTX_get0_cert(store);
    if (config->verify && X509_verify_cert(store) <= 0) {
        fail_check(store, stream->host, &stream->failure);
        return 0;
    }
    if (config->pin_count > 0 && !is_pinned(config, certificate)) {
        fail_pin(certificate, &stream->failure);
        X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
        return 0;
    }
    if (!config->verify) {
        X509_STORE_CTX_set_error(store, X509_V_OK);
    }
    return 1;
}
