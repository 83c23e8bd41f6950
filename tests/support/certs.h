/*
 * Certificates made on the spot: authorities, what they issue, and everything that can be wrong with
 * it. Whatever cannot be made ends the test program.
 *
 *     struct cert *ca = cert_make(&(struct cert_options){.name = "Test CA", .is_ca = true});
 *     struct cert *leaf = cert_make(&(struct cert_options){
 *         .name = "server", .names = "DNS:localhost,IP:127.0.0.1", .issuer = ca});
 */
#ifndef SUPPORT_CERTS_H
#define SUPPORT_CERTS_H

#include <stdbool.h>

#include <openssl/x509.h>

struct cert {
    X509 *x509;
    EVP_PKEY *key;
};

struct cert_options {
    const char *name;          /* its common name */
    const char *names;         /* subjectAltName: "DNS:a.example,IP:::1"; NULL: none */
    const struct cert *issuer; /* NULL: self-signed */
    bool is_ca;
    long from, until;        /* seconds from now; both 0: from yesterday until tomorrow */
    int rsa_bits;            /* 0: an elliptic curve, P-256 */
    const char *usage;       /* extended key usage; NULL: "serverAuth" unless it is an authority */
    const char *constraints; /* nameConstraints: "permitted;DNS:.example" */
};

struct cert *cert_make(const struct cert_options *options);
void cert_free(struct cert *cert); /* NULL is fine */

/* Writes PEM: the certificates (NULL at the end), then the key if it is not NULL, encrypted if there is
   a password. */
void cert_write(const char *path, const struct cert *const *certs, const struct cert *key_of,
                const char *password);

/* Writes an issuer's revocation list, with revoked (NULL: nothing) in it, revoked yesterday. next: seconds
   from now until it has to be renewed. */
void cert_write_crl(const char *path, const struct cert *issuer, const struct cert *revoked,
                    long next);

/* Room for "sha256//", 32 bytes in base64, and a NUL. */
#define CERT_PIN_TEXT 56
void cert_pin(const struct cert *cert, char pin[CERT_PIN_TEXT]);

#endif
