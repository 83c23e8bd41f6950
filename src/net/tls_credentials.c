/*
 * What a TLS configuration is given in files or bytes: whom to trust, and who we are. Called while
 * a configuration is made. The system's trust store is the same for all configurations, and loaded
 * once: most of it only when a server first shows a certificate that needs it.
 */
#include "base/fork.h"
#include "net/tls_internal.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509v3.h>

#include "base/errno.h"
#include "base/error.h"
#include "task/sanitizer.h"

/* What comes from a file (if that is not NULL) or from bytes. */
enum encoding { PEM, DER, P12 };

struct source {
    enum encoding encoding; /* PEM, but for who we are */
    const char *what;       /* for messages: "CA certificates" */
    const char *file;
    const void *bytes;
    size_t len;
};

static bool is_given(const struct source *source)
{
    return source->file != NULL || source->bytes != NULL || source->len > 0;
}

/* 'tls: CA certificates ca.pem: no such file or directory' */
static int fail_source(const struct source *source, int os_errno, const char *text,
                       ferry_error *err)
{
    int code = os_errno == ENOMEM ? FERRY_ENOMEM : os_errno != 0 ? FERRY_EINVAL : FERRY_ETLS;
    return fy_fail(err, code, os_errno, "tls: %s%s%s: %s", source->what,
                   source->file != NULL ? " " : "", source->file != NULL ? source->file : "", text);
}

static int fail_source_openssl(const struct source *source, ferry_error *err)
{
    ferry_error cause = {0};
    fy_tls_fail_openssl(&cause, FERRY_ETLS, "");
    return cause.code == FERRY_ENOMEM ? fy_fail(err, FERRY_ENOMEM, ENOMEM, "out of memory")
                                      : fail_source(source, 0, cause.message, err);
}

static BIO *open_source(const struct source *source, ferry_error *err)
{
    BIO *bio = NULL;
    if (source->file == NULL && source->bytes == NULL) {
        fail_source(source, EINVAL, "a length, and NULL in place of the bytes", err);
        return NULL;
    }
    fy_tls_begin();
    if (source->file != NULL) {
        FILE *file = fopen(source->file, "re");
        if (file == NULL) {
            fail_source(source, errno, fy_errno_text(errno), err);
            return NULL;
        }
        bio = BIO_new_fp(file, BIO_CLOSE);
        if (bio == NULL) {
            fclose(file);
        }
    } else if (source->len <= INT_MAX) {
        bio = BIO_new_mem_buf(source->bytes, (int)source->len);
    }
    if (bio == NULL) {
        fail_source_openssl(source, err);
    }
    return bio;
}

/* In the place of OpenSSL's own, which would ask at the terminal. */
static int give_password(char *buf, int size, int is_writing, void *password)
{
    (void)is_writing;
    size_t len = password != NULL ? strlen(password) : 0;
    if (len == 0 || len > (size_t)size) {
        return -1;
    }
    /* OpenSSL wants the length, and no NUL. NOLINTNEXTLINE(bugprone-not-null-terminated-result) */
    memcpy(buf, password, len);
    return (int)len;
}

/* After a read of PEM that gave nothing: whether that was only its end. */
static bool at_end(void)
{
    return ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE && !fy_tls_lacked_memory();
}

/* -------------------------------------------------------------------------------- whom to trust */

static pthread_mutex_t system_lock = PTHREAD_MUTEX_INITIALIZER; /* guards both */
FY_HELD_OVER_FORK(system_lock)
static X509_STORE *system_store; /* with a hold of ours for the life of the process */
static char *system_places;      /* which files and directories the environment named then */

/* What the environment says about the system's store, as one string to be freed. */
static char *places_now(void)
{
    const char *file = secure_getenv("SSL_CERT_FILE");
    const char *directory = secure_getenv("SSL_CERT_DIR");
    char *text;
    return asprintf(&text, "%s\n%s", file != NULL ? file : "", directory != NULL ? directory : "") <
                   0
               ? NULL
               : text;
}

/* A hold on the store that all share, or NULL with errno or OpenSSL's error. */
static X509_STORE *hold_system_store(void)
{
    X509_STORE *store = NULL;
    char *places = places_now();
    if (places == NULL) {
        return NULL;
    }
    pthread_mutex_lock(&system_lock);
    if (system_store == NULL || strcmp(places, system_places) != 0) {
        fy_tls_begin();
        X509_STORE *loaded = X509_STORE_new();
        /* A store that only lacks what there was no memory for is said to be fine, and would be
         * kept. */
        if (loaded == NULL || !X509_STORE_set_default_paths(loaded) || fy_tls_lacked_memory()) {
            X509_STORE_free(loaded);
            goto out;
        }
        X509_STORE_free(system_store);
        free(system_places);
        system_store = loaded;
        system_places = places;
        places = NULL;
    }
    X509_STORE_up_ref(system_store);
    store = system_store;
out:
    pthread_mutex_unlock(&system_lock);
    free(places);
    return store;
}

/* Reads the next object of its kind and adds it: whether there was one, and it was taken. */
typedef bool add_next_fn(X509_STORE *store, BIO *bio);

/* A certificate's extensions are taken apart when OpenSSL first asks for them, on whichever thread, and
 * it tells the others by an atomic flag. TSan does not see that in a library which it has not compiled,
 * and takes their reading for a race: so under TSan they are taken apart here. */
static void settle_extensions(X509 *certificate)
{
#ifdef FY_TSAN
    (void)X509_check_purpose(certificate, -1, 0);
#else
    (void)certificate;
#endif
}

static bool add_next_certificate(X509_STORE *store, BIO *bio)
{
    X509 *certificate = PEM_read_bio_X509_AUX(bio, NULL, give_password, NULL);
    if (certificate != NULL) {
        settle_extensions(certificate);
    }
    bool added = certificate != NULL && X509_STORE_add_cert(store, certificate) == 1;
    X509_free(certificate);
    return added;
}

static bool add_next_crl(X509_STORE *store, BIO *bio)
{
    X509_CRL *crl = PEM_read_bio_X509_CRL(bio, NULL, give_password, NULL);
    bool added = crl != NULL && X509_STORE_add_crl(store, crl) == 1;
    X509_CRL_free(crl);
    return added;
}

/* Adds all of them that the source has; that must be one at least, else `none` is the reason given. */
static int add_all(X509_STORE *store, const struct source *source, add_next_fn *add_next,
                   const char *none, ferry_error *err)
{
    int count = 0;
    BIO *bio = open_source(source, err);
    if (bio == NULL) {
        return -1;
    }
    while (add_next(store, bio)) {
        count++;
    }
    BIO_free(bio);
    if (!at_end()) {
        return fail_source_openssl(source, err);
    }
    ERR_clear_error();
    return count > 0 ? 0 : fail_source(source, 0, none, err);
}

static int add_certificates(X509_STORE *store, const struct source *source, ferry_error *err)
{
    return add_all(store, source, add_next_certificate, "no certificate in it (PEM)", err);
}

static int add_crls(X509_STORE *store, const struct source *source, ferry_error *err)
{
    return add_all(store, source, add_next_crl, "no revocation list in it (PEM)", err);
}

static int add_directory(X509_STORE *store, const char *path, ferry_error *err)
{
    const struct source source = {.what = "CA directory", .file = path};
    struct stat status;
    if (stat(path, &status) != 0) {
        return fail_source(&source, errno, fy_errno_text(errno), err);
    }
    if (!S_ISDIR(status.st_mode)) {
        return fail_source(&source, ENOTDIR, fy_errno_text(ENOTDIR), err);
    }
    return X509_STORE_load_path(store, path) ? 0 : fail_source_openssl(&source, err);
}

/* A store of the configuration's own. */
static int fill_store(X509_STORE *store, const ferry_tls_options *options, bool with_system,
                      ferry_error *err)
{
    const struct source file = {.what = "CA certificates", .file = options->ca_file};
    const struct source bytes = {
        .what = "CA certificates", .bytes = options->ca_bytes, .len = options->ca_len};
    const struct source crl = {.what = "CRL", .file = options->crl_file};
    if (with_system && !X509_STORE_set_default_paths(store)) {
        return fy_tls_fail_openssl(err, FERRY_ETLS, "tls: the system's trust store");
    }
    if ((is_given(&file) && add_certificates(store, &file, err) != 0) ||
        (is_given(&bytes) && add_certificates(store, &bytes, err) != 0) ||
        (options->ca_directory != NULL && add_directory(store, options->ca_directory, err) != 0)) {
        return -1;
    }
    return is_given(&crl) ? add_crls(store, &crl, err) : 0;
}

int fy_tls_load_trust(SSL_CTX *context, const ferry_tls_options *options, ferry_error *err)
{
    X509_VERIFY_PARAM *param = SSL_CTX_get0_param(context);
    /* A length alone is a mistake, which is told; it must not come to mean the system's store. */
    bool has_own = options->ca_file != NULL || options->ca_bytes != NULL || options->ca_len > 0 ||
                   options->ca_directory != NULL;
    /* OpenSSL looks for no list of a certificate's issuer that is not in the chain, so with lists
     * the chain has to reach a root. */
    X509_VERIFY_PARAM_set_flags(param, options->crl_file != NULL
                                           ? X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL
                                           : X509_V_FLAG_PARTIAL_CHAIN);
    if (has_own || options->crl_file != NULL) {
        return fill_store(SSL_CTX_get_cert_store(context), options,
                          !has_own || options->ca_and_system, err);
    }
    X509_STORE *store = hold_system_store();
    if (store == NULL) {
        return fy_tls_fail_openssl(err, FERRY_ETLS, "tls: the system's trust store");
    }
    SSL_CTX_set_cert_store(context, store); /* takes the hold */
    return 0;
}

/* ----------------------------------------------------------------------------------- who we are */

static int use_der_certificate(SSL_CTX *context, const struct source *source, ferry_error *err)
{
    BIO *bio = open_source(source, err);
    if (bio == NULL) {
        return -1;
    }
    X509 *certificate = d2i_X509_bio(bio, NULL);
    int result = certificate != NULL && SSL_CTX_use_certificate(context, certificate) ? 0 : -1;
    if (result != 0) {
        fail_source_openssl(source, err);
    }
    X509_free(certificate);
    BIO_free(bio);
    return result;
}

/* Certificate, key and issuers in one. */
static int use_p12(SSL_CTX *context, const struct source *source, const char *password,
                   ferry_error *err)
{
    X509 *certificate = NULL;
    EVP_PKEY *key = NULL;
    STACK_OF(X509) *issuers = NULL;
    int result = -1;
    BIO *bio = open_source(source, err);
    if (bio == NULL) {
        return -1;
    }
    PKCS12 *p12 = d2i_PKCS12_bio(bio, NULL);
    /* In the order in which it may fail. NOLINTNEXTLINE(bugprone-branch-clone) */
    if (p12 == NULL) {
        fail_source_openssl(source, err);
    } else if (!PKCS12_parse(p12, password, &key, &certificate, &issuers)) {
        if (fy_tls_lacked_memory()) {
            fail_source_openssl(source, err);
        } else {
            fail_source(source, 0, "it cannot be opened (is the password right?)", err);
        }
    } else if (certificate == NULL || key == NULL) {
        fail_source(source, 0, "no certificate, or no key, in it (PKCS #12)", err);
    } else if (!SSL_CTX_use_cert_and_key(context, certificate, key, issuers, 1)) {
        fail_source_openssl(source, err);
    } else {
        result = 0;
    }
    ERR_clear_error();
    sk_X509_pop_free(issuers, X509_free);
    X509_free(certificate);
    EVP_PKEY_free(key);
    PKCS12_free(p12);
    BIO_free(bio);
    return result;
}

/* The certificate, and behind it those that the server needs to find its root. */
static int use_chain(SSL_CTX *context, const struct source *source, ferry_error *err)
{
    int result = -1;
    X509 *issuer;
    X509 *certificate = NULL;
    BIO *bio = open_source(source, err);
    if (bio == NULL) {
        return -1;
    }
    certificate = PEM_read_bio_X509_AUX(bio, NULL, give_password, NULL);
    if (certificate == NULL && at_end()) {
        fail_source(source, 0, "no certificate in it (PEM)", err);
        goto out;
    }
    if (certificate == NULL || !SSL_CTX_use_certificate(context, certificate)) {
        fail_source_openssl(source, err);
        goto out;
    }
    while ((issuer = PEM_read_bio_X509(bio, NULL, give_password, NULL)) != NULL) {
        int added = SSL_CTX_add1_chain_cert(context, issuer);
        X509_free(issuer);
        if (!added) {
            break;
        }
    }
    if (!at_end()) {
        fail_source_openssl(source, err);
        goto out;
    }
    result = 0;
out:
    ERR_clear_error();
    X509_free(certificate);
    BIO_free(bio);
    return result;
}

/* The reason why a key could not be read, in words about keys. */
static int fail_key(const struct source *source, const char *password, ferry_error *err)
{
    unsigned long error = ERR_peek_last_error();
    if (fy_tls_lacked_memory()) {
        return fail_source_openssl(source, err);
    }
    if (source->encoding == DER) {
        return fail_source(source, 0,
                           password != NULL ? "no private key in it (DER), or another password's"
                                            : "no private key in it (DER)",
                           err);
    }
    if (at_end() || (password == NULL && ERR_GET_REASON(error) == ERR_R_UNSUPPORTED)) {
        return fail_source(source, 0, "no private key in it (PEM)", err);
    }
    /* A wrong password is found by what comes out making no sense, which OpenSSL tells in many
     * ways. */
    if (password == NULL && ERR_GET_REASON(error) == PEM_R_BAD_PASSWORD_READ) {
        return fail_source(source, 0, "it is encrypted, and no password is given", err);
    }
    if (password != NULL) {
        return fail_source(source, 0, "it cannot be decrypted (is the password right?)", err);
    }
    return fail_source_openssl(source, err);
}

static int use_key(SSL_CTX *context, const struct source *source, const char *password,
                   ferry_error *err)
{
    int result = -1;
    EVP_PKEY *key = NULL;
    BIO *bio = open_source(source, err);
    if (bio == NULL) {
        return -1;
    }
    if (source->encoding == PEM) {
        key = PEM_read_bio_PrivateKey(bio, NULL, give_password, (void *)password);
    } else if ((key = d2i_PrivateKey_bio(bio, NULL)) == NULL && password != NULL &&
               BIO_seek(bio, 0) == 0) {
        key = d2i_PKCS8PrivateKey_bio(bio, NULL, give_password, (void *)password);
    }
    if (key == NULL) {
        fail_key(source, password, err);
        goto out;
    }
    if (!SSL_CTX_use_PrivateKey(context, key) || !SSL_CTX_check_private_key(context)) {
        fail_source_openssl(source, err);
        goto out;
    }
    result = 0;
out:
    ERR_clear_error();
    EVP_PKEY_free(key);
    BIO_free(bio);
    return result;
}

static int encoding_of(const char *type, enum encoding *encoding, ferry_error *err)
{
    *encoding = type == NULL || strcasecmp(type, "PEM") == 0 ? PEM
                : strcasecmp(type, "DER") == 0               ? DER
                                                             : P12;
    if (*encoding != P12 || strcasecmp(type, "P12") == 0) {
        return 0;
    }
    return fy_fail(err, FERRY_EINVAL, 0,
                   "tls: a certificate's and a key's type is PEM, DER or P12, and not %s", type);
}

int fy_tls_load_certificate(SSL_CTX *context, const ferry_tls_options *options, ferry_error *err)
{
    struct source chain = {.what = "client certificate",
                           .file = options->certificate_file,
                           .bytes = options->certificate,
                           .len = options->certificate_len};
    struct source key = {.what = "client key",
                         .file = options->key_file,
                         .bytes = options->key,
                         .len = options->key_len};
    if (encoding_of(options->certificate_type, &chain.encoding, err) != 0 ||
        encoding_of(options->key_type, &key.encoding, err) != 0) {
        return -1;
    }
    if (!is_given(&chain)) {
        return is_given(&key) ? fail_source(&key, EINVAL, "it has no client certificate", err) : 0;
    }
    if (chain.encoding == P12) {
        return use_p12(context, &chain, options->key_password, err);
    }
    if (!is_given(&key)) {
        key = chain;
        key.what = "client key";
    }
    return (chain.encoding == DER ? use_der_certificate(context, &chain, err)
                                  : use_chain(context, &chain, err)) != 0 ||
                   use_key(context, &key, options->key_password, err) != 0
               ? -1
               : 0;
}
