/*
 * Certificates for tests, by OpenSSL's own calls.
 */
#include "certs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#define DAY (24 * 60 * 60L)

/* A test cannot go on without its certificates. */
static void must(bool done, const char *what)
{
    if (!done) {
        fprintf(stderr, "certificates for the test: %s failed\n", what);
        abort();
    }
}

static void add_extension(X509 *x509, const struct cert *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer != NULL ? issuer->x509 : x509, x509, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    must(extension != NULL && X509_add_ext(x509, extension, -1), value);
    X509_EXTENSION_free(extension);
}

static void add_extensions(X509 *x509, const struct cert_options *options)
{
    const char *usage = options->usage != NULL ? options->usage
                        : options->is_ca       ? ""
                                               : "serverAuth";
    add_extension(x509, options->issuer, NID_subject_key_identifier, "hash");
    if (options->issuer != NULL) {
        add_extension(x509, options->issuer, NID_authority_key_identifier, "keyid");
    }
    if (options->is_ca) {
        add_extension(x509, options->issuer, NID_basic_constraints, "critical,CA:TRUE");
        add_extension(x509, options->issuer, NID_key_usage, "critical,keyCertSign,cRLSign");
    }
    if (*usage != '\0') {
        add_extension(x509, options->issuer, NID_ext_key_usage, usage);
    }
    if (options->names != NULL) {
        add_extension(x509, options->issuer, NID_subject_alt_name, options->names);
    }
    if (options->constraints != NULL) {
        add_extension(x509, options->issuer, NID_name_constraints, options->constraints);
    }
}

static void set_serial(X509 *x509)
{
    uint64_t serial;
    must(RAND_bytes((unsigned char *)&serial, sizeof serial) == 1 &&
             ASN1_INTEGER_set_uint64(X509_get_serialNumber(x509), serial >> 1),
         "a serial number");
}

struct cert *cert_make(const struct cert_options *options)
{
    struct cert *cert = calloc(1, sizeof *cert);
    bool is_dated = options->from != 0 || options->until != 0;
    must(cert != NULL, "memory");
    cert->key = options->rsa_bits > 0
                    ? EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)options->rsa_bits)
                    : EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    cert->x509 = X509_new();
    must(cert->key != NULL && cert->x509 != NULL, "a key");
    X509_NAME *name = X509_get_subject_name(cert->x509);
    must(X509_set_version(cert->x509, X509_VERSION_3) &&
             X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                        (const unsigned char *)options->name, -1, -1, 0) &&
             X509_set_pubkey(cert->x509, cert->key),
         "a certificate");
    set_serial(cert->x509);
    X509_gmtime_adj(X509_getm_notBefore(cert->x509), is_dated ? options->from : -DAY);
    X509_gmtime_adj(X509_getm_notAfter(cert->x509), is_dated ? options->until : DAY);
    const struct cert *signer = options->issuer != NULL ? options->issuer : cert;
    X509_set_issuer_name(cert->x509, X509_get_subject_name(signer->x509));
    add_extensions(cert->x509, options);
    must(X509_sign(cert->x509, signer->key, EVP_sha256()) > 0, "a signature");
    return cert;
}

void cert_free(struct cert *cert)
{
    if (cert != NULL) {
        X509_free(cert->x509);
        EVP_PKEY_free(cert->key);
        free(cert);
    }
}

static FILE *create(const char *path)
{
    FILE *file = fopen(path, "we");
    must(file != NULL, path);
    return file;
}

void cert_write(const char *path, const struct cert *const *certs, const struct cert *key_of,
                const char *password)
{
    FILE *file = create(path);
    for (; *certs != NULL; certs++) {
        must(PEM_write_X509(file, (*certs)->x509), path);
    }
    if (key_of != NULL) {
        must(PEM_write_PrivateKey(file, key_of->key, password != NULL ? EVP_aes_256_cbc() : NULL,
                                  (const unsigned char *)password,
                                  password != NULL ? (int)strlen(password) : 0, NULL, NULL),
             path);
    }
    must(fclose(file) == 0, path);
}

static void revoke(X509_CRL *crl, const struct cert *revoked)
{
    X509_REVOKED *entry = X509_REVOKED_new();
    ASN1_TIME *yesterday = X509_gmtime_adj(NULL, -DAY);
    must(entry != NULL && yesterday != NULL &&
             X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(revoked->x509)) &&
             X509_REVOKED_set_revocationDate(entry, yesterday) && X509_CRL_add0_revoked(crl, entry),
         "an entry of a revocation list");
    ASN1_TIME_free(yesterday);
}

void cert_write_crl(const char *path, const struct cert *issuer, const struct cert *revoked,
                    long next)
{
    FILE *file = create(path);
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *last = X509_gmtime_adj(NULL, -2 * DAY);
    ASN1_TIME *until = X509_gmtime_adj(NULL, next);
    must(crl != NULL && X509_CRL_set_version(crl, X509_CRL_VERSION_2) &&
             X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer->x509)) &&
             X509_CRL_set1_lastUpdate(crl, last) && X509_CRL_set1_nextUpdate(crl, until),
         "a revocation list");
    if (revoked != NULL) {
        revoke(crl, revoked);
    }
    must(X509_CRL_sort(crl) && X509_CRL_sign(crl, issuer->key, EVP_sha256()) > 0 &&
             PEM_write_X509_CRL(file, crl),
         path);
    ASN1_TIME_free(last);
    ASN1_TIME_free(until);
    X509_CRL_free(crl);
    must(fclose(file) == 0, path);
}

void cert_pin(const struct cert *cert, char pin[CERT_PIN_TEXT])
{
    unsigned char hash[32];
    unsigned char *der = NULL;
    int len = i2d_PUBKEY(cert->key, &der);
    must(len > 0 && EVP_Digest(der, (size_t)len, hash, NULL, EVP_sha256(), NULL), "a pin");
    OPENSSL_free(der);
    memcpy(pin, "sha256//", 8);
    EVP_EncodeBlock((unsigned char *)pin + 8, hash, sizeof hash);
}
