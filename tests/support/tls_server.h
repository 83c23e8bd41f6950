/*
 * A TLS server for tests, in a thread of its own: OpenSSL with blocking sockets on 127.0.0.1, one
 * connection after the other. What it says and how it ends is a function of the test's.
 */
#ifndef SUPPORT_TLS_SERVER_H
#define SUPPORT_TLS_SERVER_H

#include <stdint.h>

#include <openssl/ssl.h>

#include "certs.h"

struct tls_server;

struct tls_server_options {
    const struct cert *cert;         /* and its key */
    const struct cert *const *chain; /* sent behind it, NULL at the end; NULL: nothing */
    const struct cert *client_ca;    /* a client certificate of its is required; NULL: none is */
    int min_version, max_version;    /* TLS1_1_VERSION …; 0: OpenSSL's own */
    const char *ciphers;             /* of TLS 1.2; NULL: OpenSSL's own */
    const char *alpn;                /* the one protocol that it speaks; NULL: ignores ALPN */
    /* Called after each handshake; what it leaves open is closed. NULL: echo. fd is below ssl. */
    void (*serve)(SSL *ssl, int fd, void *arg);
    void *arg;
};

/* NULL: it cannot be started. */
struct tls_server *tls_server_start(const struct tls_server_options *options);
uint16_t tls_server_port(const struct tls_server *server);

/* What the last client asked for by SNI; "": nothing. Stable once its handshake is over. */
const char *tls_server_asked_for(const struct tls_server *server);

/* How many handshakes have come to nothing. */
int tls_server_failures(const struct tls_server *server);

/* Ends the connection in progress, if there is one. NULL is fine. */
void tls_server_stop(struct tls_server *server);

/* A serve function: sends back what comes until the client says close_notify, and then says it too. */
void tls_serve_echo(SSL *ssl, int fd, void *arg);

/* A serve function: answers whatever comes in one piece with arg, a string, until the client ends. */
void tls_serve_each(SSL *ssl, int fd, void *arg);

/* A serve function: sends arg, a string, then close_notify. */
void tls_serve_text(SSL *ssl, int fd, void *arg);

#endif
