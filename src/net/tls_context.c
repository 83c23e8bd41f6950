/*
 * The configuration of TLS: options in, an SSL_CTX out, which all connections of a transport share.
 * What it needs from files is read here, once.
 */
#include "net/tls_internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/errno.h"
#include "base/error.h"

bool fy_tls_lacked_memory(void)
{
    return errno == ENOMEM || ERR_GET_REASON(ERR_peek_error()) == ERR_R_MALLOC_FAILURE ||
           ERR_GET_REASON(ERR_peek_last_error()) == ERR_R_MALLOC_FAILURE;
}

int fy_tls_fail_openssl(ferry_error *err, int code, const char *text)
{
    /* The newest says most: what OpenSSL could not do, not which part of a part gave up. */
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    bool memory = code == FERRY_ENOMEM || fy_tls_lacked_memory();
    unsigned long error;
    while ((error = ERR_get_error()) != 0) {
        memory = memory || ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE;
    }
    if (memory) {
        code = FERRY_ENOMEM;
        reason = "out of memory";
    } else if (reason == NULL) {
        reason = "OpenSSL does not say why";
    }
    return fy_fail(err, code, memory ? ENOMEM : 0, "%s%s%s", text, text[0] != '\0' ? ": " : "",
                   reason);
}

/* ------------------------------------------------------------------------- versions and ciphers */

static int set_versions(SSL_CTX *context, const ferry_tls_options *options, ferry_error *err)
{
    int min = options->min_version != 0 ? options->min_version : FERRY_TLS_1_2;
    int max = options->max_version;
    if (min < FERRY_TLS_1_2 || min > FERRY_TLS_1_3 ||
        (max != 0 && (max < FERRY_TLS_1_2 || max > FERRY_TLS_1_3))) {
        return fy_fail(err, FERRY_EINVAL, 0, "tls: versions are TLS 1.2 and TLS 1.3");
    }
    if (max != 0 && max < min) {
        return fy_fail(err, FERRY_EINVAL, 0, "tls: the highest version is below the lowest");
    }
    if (!SSL_CTX_set_min_proto_version(context, min) ||
        !SSL_CTX_set_max_proto_version(context, max)) {
        return fy_tls_fail_openssl(err, FERRY_ETLS, "tls: versions");
    }
    return 0;
}

static int fail_ciphers(const char *what, const char *names, ferry_error *err)
{
    if (fy_tls_lacked_memory()) {
        return fy_tls_fail_openssl(err, FERRY_ENOMEM, "tls");
    }
    ERR_clear_error();
    return fy_fail(err, FERRY_EINVAL, 0, "tls: no such %s: %s", what, names);
}

static int set_ciphers(SSL_CTX *context, const ferry_tls_options *options, ferry_error *err)
{
    /* Keys of 2048 bits and no SHA-1 in signatures, whatever the system's default is; a cipher list
     * that ends in @SECLEVEL=1 says otherwise. */
    if (SSL_CTX_get_security_level(context) < 2) {
        SSL_CTX_set_security_level(context, 2);
    }
    if (options->ciphers != NULL && !SSL_CTX_set_cipher_list(context, options->ciphers)) {
        return fail_ciphers("ciphers", options->ciphers, err);
    }
    if (options->cipher_suites != NULL &&
        !SSL_CTX_set_ciphersuites(context, options->cipher_suites)) {
        return fail_ciphers("cipher suites", options->cipher_suites, err);
    }
    if (options->groups != NULL && !SSL_CTX_set1_groups_list(context, options->groups)) {
        return fail_ciphers("groups", options->groups, err);
    }
    return 0;
}

/* "h2,http/1.1" as RFC 7301 section 3.1 has it: each name behind its length. */
static int set_alpn(SSL_CTX *context, const char *names, ferry_error *err)
{
    unsigned char wire[256];
    size_t len = 0;
    if (names == NULL) {
        names = "http/1.1";
    }
    while (*names != '\0') {
        size_t name = strcspn(names, ",");
        if (name == 0 || name > 255 || len + 1 + name > sizeof wire) {
            return fy_fail(err, FERRY_EINVAL, 0, "tls: protocol names (ALPN) are unusable: %s",
                           names);
        }
        wire[len++] = (unsigned char)name;
        memcpy(wire + len, names, name);
        len += name;
        names += name + (names[name] == ',');
    }
    if (len > 0 && SSL_CTX_set_alpn_protos(context, wire, (unsigned)len) != 0) { /* 0 is success */
        return fy_tls_fail_openssl(err, FERRY_ETLS, "tls: protocol names (ALPN)");
    }
    return 0;
}

/* ------------------------------------------------------------------------------------- key log */

static void log_key(const SSL *ssl, const char *line)
{
    const struct fy_tls_config *config = fy_tls_stream_of(ssl)->config;
    char text[512];
    int len = snprintf(text, sizeof text, "%s\n", line);
    if (len > 0 && (size_t)len < sizeof text) {
        /* One write, so that lines of several connections do not mix. A full disk is no reason to
         * end a connection. */
        ssize_t written = write(config->key_log_fd, text, (size_t)len);
        (void)written;
    }
}

static int open_key_log(struct fy_tls_config *config, const char *path, ferry_error *err)
{
    const char *wanted = path != NULL ? path : secure_getenv("SSLKEYLOGFILE");
    if (wanted == NULL || *wanted == '\0') {
        return 0;
    }
    config->key_log_fd = open(wanted, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (config->key_log_fd >= 0) {
        SSL_CTX_set_keylog_callback(config->context, log_key);
    } else if (path != NULL) {
        return fy_fail(err, FERRY_EINVAL, errno, "tls: key log %s: %s", path, fy_errno_text(errno));
    }
    return 0;
}

/* ------------------------------------------------------------------------------------ sessions */

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    struct fy_tls_stream *stream = fy_tls_stream_of(ssl);
    fy_tls_sessions_put(&stream->config->sessions, stream->session_key, session);
    return 0; /* what is kept is a copy */
}

/* Told of each record before it is sent, which makes SSL forget errno: when an alert goes out
 * because there was no memory, this is the last place to learn that. And of what stands where a
 * record's header should, when it has come: a server that does not speak TLS answers our first message
 * by what it takes to be an answer. */
static void look_at_record(int is_written, int version, int type, const void *bytes, size_t len,
                           SSL *ssl, void *arg)
{
    static const char plain[] = {'H', 'T', 'T', 'P', '/'};
    (void)version;
    (void)arg;
    if (is_written && errno == ENOMEM) {
        fy_tls_stream_of(ssl)->lacked_memory = true;
    }
    if (type == SSL3_RT_HEADER && len == sizeof plain && memcmp(bytes, plain, len) == 0) {
        fy_tls_stream_of(ssl)->plain_http = true;
    }
}

static void set_modes(struct fy_tls_config *config)
{
    SSL_CTX *context = config->context;
    SSL_CTX_set_msg_callback(context, look_at_record);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_AUTO_RETRY);
    /* A record is read in one go, and what came behind it with it. */
    SSL_CTX_set_read_ahead(context, 1);
    /* A server that asks for another handshake over TLS 1.2 is refused, as by everybody. */
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_cert_verify_callback(context, fy_tls_verify, config);
    if (config->resume) {
        SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
        SSL_CTX_sess_set_new_cb(context, keep_session);
    } else {
        SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
        SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
    }
}

/* ------------------------------------------------------------------------------------- its life */

/* The system's settings for OpenSSL are heeded, its clean-up at exit is not wanted: other threads
 * may be at work then, the monitor for one. */
static void begin_openssl(void)
{
    OPENSSL_init_ssl(OPENSSL_INIT_NO_ATEXIT, NULL);
}

struct fy_tls_config *fy_tls_config_new(const ferry_tls_options *options, ferry_error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, begin_openssl);
    struct fy_tls_config *config = calloc(1, sizeof *config);
    if (config == NULL) {
        fy_fail_memory(err);
        return NULL;
    }
    atomic_init(&config->holds, 1);
    config->key_log_fd = -1;
    config->verify = !options->insecure_skip_verify;
    config->resume = !options->disable_resumption;
    fy_tls_sessions_init(&config->sessions);
    fy_tls_begin();
    config->context = SSL_CTX_new(TLS_client_method());
    /* It leaves out the ciphers and groups that there is no memory for. */
    if (config->context == NULL || fy_tls_lacked_memory()) {
        fy_tls_fail_openssl(err, FERRY_ETLS, "tls");
        goto fail;
    }
    set_modes(config);
    if (options->require_status) {
        fy_tls_require_status(config->context);
    }
    if (set_versions(config->context, options, err) != 0 ||
        set_ciphers(config->context, options, err) != 0 ||
        set_alpn(config->context, options->alpn, err) != 0 ||
        fy_tls_load_pins(config, options, err) != 0 ||
        (config->verify && fy_tls_load_trust(config->context, options, err) != 0) ||
        fy_tls_load_certificate(config->context, options, err) != 0 ||
        open_key_log(config, options->key_log_file, err) != 0) {
        goto fail;
    }
    return config;
fail:
    fy_tls_config_release(config);
    return NULL;
}

struct fy_tls_config *fy_tls_config_hold(struct fy_tls_config *config)
{
    atomic_fetch_add_explicit(&config->holds, 1, memory_order_relaxed);
    return config;
}

void fy_tls_config_release(struct fy_tls_config *config)
{
    if (config == NULL || atomic_fetch_sub_explicit(&config->holds, 1, memory_order_acq_rel) > 1) {
        return;
    }
    fy_tls_sessions_free(&config->sessions);
    SSL_CTX_free(config->context);
    if (config->key_log_fd >= 0) {
        close(config->key_log_fd);
    }
    free(config->pins);
    free(config);
}
