/*
 * The TLS server of the tests.
 */
#include "tls_server.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "events.h"

struct tls_server {
    struct tls_server_options options; /* constant */
    SSL_CTX *context;                  /* constant */
    int listener;                      /* constant until the thread is joined */
    uint16_t port;                     /* constant */
    pthread_t thread;
    pthread_mutex_t lock;
    int fd;              /* the connection's; -1: none. Under the lock */
    bool stopping;       /* under the lock */
    char asked_for[256]; /* the thread's, until a handshake is over */
    atomic_int failures;
};

void tls_serve_echo(SSL *ssl, int fd, void *arg)
{
    static const size_t size = 65536;
    char *buf = malloc(size);
    int got;
    (void)fd;
    (void)arg;
    while (buf != NULL && (got = SSL_read(ssl, buf, (int)size)) > 0) {
        if (SSL_write(ssl, buf, got) != got) {
            break;
        }
    }
    free(buf);
    SSL_shutdown(ssl);
}

void tls_serve_each(SSL *ssl, int fd, void *arg)
{
    char buf[4096];
    const char *reply = arg;
    (void)fd;
    while (SSL_read(ssl, buf, sizeof buf) > 0) {
        SSL_write(ssl, reply, (int)strlen(reply));
    }
    SSL_shutdown(ssl);
}

void tls_serve_text(SSL *ssl, int fd, void *arg)
{
    const char *text = arg;
    (void)fd;
    SSL_write(ssl, text, (int)strlen(text));
    SSL_shutdown(ssl);
}

static int choose_name(SSL *ssl, int *alert, void *arg)
{
    struct tls_server *server = arg;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    (void)alert;
    strncpy(server->asked_for, name != NULL ? name : "", sizeof server->asked_for - 1);
    return SSL_TLSEXT_ERR_OK;
}

static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *outlen,
                           const unsigned char *in, unsigned inlen, void *arg)
{
    const char *wanted = arg;
    (void)ssl;
    for (unsigned i = 0; i + 1 <= inlen; i += 1U + in[i]) {
        if (in[i] == strlen(wanted) && memcmp(in + i + 1, wanted, in[i]) == 0) {
            *out = in + i + 1;
            *outlen = in[i];
            return SSL_TLSEXT_ERR_OK;
        }
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* True: it is registered, and a stop will end it. */
static bool set_connection(struct tls_server *server, int fd)
{
    pthread_mutex_lock(&server->lock);
    bool go_on = !server->stopping;
    server->fd = go_on ? fd : -1;
    pthread_mutex_unlock(&server->lock);
    return go_on;
}

static void serve(struct tls_server *server, int fd)
{
    SSL *ssl = SSL_new(server->context);
    SSL_set_fd(ssl, fd);
    server->asked_for[0] = '\0';
    if (set_connection(server, fd) && SSL_accept(ssl) == 1) {
        server->options.serve(ssl, fd, server->options.arg);
        /* Not answered with a reset, which would overtake what was sent last. */
        char rest[4096];
        shutdown(fd, SHUT_WR);
        while (read(fd, rest, sizeof rest) > 0) {}
    } else {
        char rest[4096];
        server->failures++;
        shutdown(fd, SHUT_WR);
        while (read(fd, rest, sizeof rest) > 0) {}
    }
    set_connection(server, -1);
    SSL_free(ssl);
    close(fd);
}

static void *run(void *arg)
{
    struct tls_server *server = arg;
    sigset_t pipe_signal;
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_signal, NULL); /* OpenSSL's sockets raise it */
    for (;;) {
        int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0) {
            serve(server, fd);
        } else if (errno != EINTR && errno != ECONNABORTED) {
            return NULL; /* the listener was shut down */
        }
    }
}

static int set_up(struct tls_server *server)
{
    const struct tls_server_options *options = &server->options;
    SSL_CTX *context = server->context;
    SSL_CTX_set_security_level(context, 0);
    if (!SSL_CTX_set_min_proto_version(context, options->min_version != 0 ? options->min_version
                                                                          : TLS1_VERSION) ||
        !SSL_CTX_set_max_proto_version(context, options->max_version) ||
        !SSL_CTX_use_certificate(context, options->cert->x509) ||
        !SSL_CTX_use_PrivateKey(context, options->cert->key) ||
        (options->ciphers != NULL && !SSL_CTX_set_cipher_list(context, options->ciphers))) {
        return -1;
    }
    for (size_t i = 0; options->chain != NULL && options->chain[i] != NULL; i++) {
        SSL_CTX_add1_chain_cert(context, options->chain[i]->x509);
    }
    if (options->client_ca != NULL) {
        X509_STORE_add_cert(SSL_CTX_get_cert_store(context), options->client_ca->x509);
        SSL_CTX_add_client_CA(context, options->client_ca->x509);
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    }
    if (options->alpn != NULL) {
        SSL_CTX_set_alpn_select_cb(context, choose_protocol, (void *)options->alpn);
    }
    SSL_CTX_set_session_id_context(context, (const unsigned char *)"test", 4);
    SSL_CTX_set_tlsext_servername_callback(context, choose_name);
    SSL_CTX_set_tlsext_servername_arg(context, server);
    return 0;
}

static int listen_here(struct tls_server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (server->listener < 0 ||
        bind(server->listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(server->listener, 16) != 0 ||
        getsockname(server->listener, (struct sockaddr *)&address, &len) != 0) {
        return -1;
    }
    server->port = ntohs(address.sin_port);
    return 0;
}

struct tls_server *tls_server_start(const struct tls_server_options *options)
{
    struct tls_server *server = calloc(1, sizeof *server);
    if (server == NULL) {
        return NULL;
    }
    server->options = *options;
    if (server->options.serve == NULL) {
        server->options.serve = tls_serve_echo;
    }
    server->fd = -1;
    server->listener = -1;
    pthread_mutex_init(&server->lock, NULL);
    server->context = SSL_CTX_new(TLS_server_method());
    if (server->context != NULL && set_up(server) == 0 && listen_here(server) == 0 &&
        pthread_create(&server->thread, NULL, run, server) == 0) {
        return server;
    }
    if (server->listener >= 0) {
        close(server->listener);
    }
    SSL_CTX_free(server->context);
    free(server);
    return NULL;
}

uint16_t tls_server_port(const struct tls_server *server)
{
    return server->port;
}

const char *tls_server_asked_for(const struct tls_server *server)
{
    return server->asked_for;
}

int tls_server_failures(const struct tls_server *server)
{
    return server->failures;
}

void tls_server_stop(struct tls_server *server)
{
    if (server == NULL) {
        return;
    }
    pthread_mutex_lock(&server->lock);
    server->stopping = true;
    if (server->fd >= 0) {
        shutdown(server->fd, SHUT_RDWR);
    }
    pthread_mutex_unlock(&server->lock);
    shutdown(server->listener, SHUT_RDWR);
    pthread_join(server->thread, NULL);
    close(server->listener);
    pthread_mutex_destroy(&server->lock);
    SSL_CTX_free(server->context);
    free(server);
}
