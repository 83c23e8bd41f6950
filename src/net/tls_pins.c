/*
 * Pinned public keys: read from hashes and from files when a configuration is made.
 */
#include "net/tls_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/pem.h>

#include "base/errno.h"
#include "base/error.h"

/* A pin's base64, of len characters, is 32 bytes. */
static bool decode_pin(const char *text, size_t len, unsigned char pin[FY_TLS_PIN_LEN])
{
    unsigned char bytes[33]; /* EVP_DecodeBlock counts the padding as bytes */
    if (len != 44 || text[43] != '=' || text[42] == '=' ||
        EVP_DecodeBlock(bytes, (const unsigned char *)text, 44) != 33) {
        return false;
    }
    memcpy(pin, bytes, FY_TLS_PIN_LEN);
    return true;
}

/* Those of a text, up to its end. */
static int take_pins(struct fy_tls_config *config, const char *text, ferry_error *err)
{
    static const char prefix[] = "sha256//";
    for (;;) {
        size_t len = strcspn(text, ";");
        if (strncmp(text, prefix, strlen(prefix)) != 0 ||
            !decode_pin(text + strlen(prefix), len - strlen(prefix),
                        config->pins[config->pin_count])) {
            return fy_fail(err, FERRY_EINVAL, 0,
                           "tls: a pinned public key is \"sha256//\" and 32 bytes in base64: %s",
                           text);
        }
        config->pin_count++;
        if (text[len] == '\0') {
            return 0;
        }
        text += len + 1;
    }
}

/* The public key that a file has, in whatever form; NULL: none. */
static EVP_PKEY *read_key(BIO *bio)
{
    EVP_PKEY *key = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
    X509 *certificate = NULL;
    if (key == NULL && BIO_seek(bio, 0) == 0) {
        certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    }
    if (key == NULL && certificate == NULL && BIO_seek(bio, 0) == 0) {
        key = d2i_PUBKEY_bio(bio, NULL);
    }
    if (key == NULL && certificate == NULL && BIO_seek(bio, 0) == 0) {
        certificate = d2i_X509_bio(bio, NULL);
    }
    if (certificate != NULL) {
        key = X509_get_pubkey(certificate);
        X509_free(certificate);
    }
    return key;
}

static int hash_key(EVP_PKEY *key, unsigned char pin[FY_TLS_PIN_LEN])
{
    unsigned char *der = NULL;
    int len = i2d_PUBKEY(key, &der);
    bool hashed = len > 0 && EVP_Digest(der, (size_t)len, pin, NULL, EVP_sha256(), NULL);
    OPENSSL_free(der);
    return hashed ? 0 : -1;
}

static int take_file(struct fy_tls_config *config, const char *path, ferry_error *err)
{
    EVP_PKEY *key = NULL;
    int result = -1;
    fy_tls_begin();
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return fy_fail(err, errno == ENOMEM ? FERRY_ENOMEM : FERRY_EINVAL, errno,
                       "tls: pinned public key %s: %s", path, fy_errno_text(errno));
    }
    BIO *bio = BIO_new_fp(file, BIO_CLOSE);
    if (bio == NULL) {
        fclose(file);
        return fy_fail_memory(err);
    }
    key = read_key(bio);
    if (key != NULL && hash_key(key, config->pins[config->pin_count]) == 0) {
        config->pin_count++;
        result = 0;
    } else if (fy_tls_lacked_memory()) {
        fy_fail_memory(err);
    } else {
        fy_fail(
            err, FERRY_ETLS, 0,
            "tls: pinned public key %s: neither a public key nor a certificate (PEM, DER) in it",
            path);
    }
    ERR_clear_error();
    EVP_PKEY_free(key);
    BIO_free(bio);
    return result;
}

int fy_tls_load_pins(struct fy_tls_config *config, const ferry_tls_options *options,
                     ferry_error *err)
{
    const char *text = options->pinned_public_keys;
    const char *file = options->pinned_public_key_file;
    size_t most = 2;
    if (text == NULL && file == NULL) {
        return 0;
    }
    for (const char *c = text; c != NULL && *c != '\0'; c++) {
        most += *c == ';';
    }
    config->pins = malloc(most * sizeof *config->pins);
    if (config->pins == NULL) {
        return fy_fail_memory(err);
    }
    if (file != NULL && take_file(config, file, err) != 0) {
        return -1;
    }
    return text != NULL ? take_pins(config, text, err) : 0;
}
