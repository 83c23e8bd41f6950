/*
 * What the tests of TLS share: a small world of certificates, and a way from a port to a TLS stream.
 */
#ifndef TLS_TEST_H
#define TLS_TEST_H

#include <stdbool.h>
#include <stdint.h>

#include "certs.h"
#include "net/tls.h"
#include "temp_dir.h"
#include "tls_server.h"

/* Made once for a program: cmocka's group setup and teardown. */
struct tls_world {
    struct cert *ca;                  /* "Test CA" */
    struct cert *intermediate;        /* "Test Intermediate", issued by it */
    struct cert *server;              /* "server", for localhost and 127.0.0.1, issued by the ca */
    struct cert *client;              /* "client", likewise */
    char directory[TEMP_DIR_SIZE];    /* for files */
    char ca_file[TEMP_DIR_SIZE + 16]; /* the ca */
};
extern struct tls_world world;

int tls_world_make(void **state);
int tls_world_free(void **state);

/* A path in the world's directory; static, good until the next eight calls. */
const char *tls_path(const char *name);

/* A TCP connection to that port of 127.0.0.1. */
struct fy_stream *tls_test_connect(uint16_t port);

/* A configuration that must be possible. */
struct fy_tls_config *tls_test_config(const ferry_tls_options *options);

/* A server with the world's certificate that runs fn for each connection; to be stopped. */
struct tls_server *tls_test_serve(void (*fn)(SSL *ssl, int fd, void *arg), void *arg);

/* A handshake with that port; in messages its address is "test:443". NULL: *err. */
struct fy_stream *tls_test_client(struct fy_tls_config *config, uint16_t port, const char *host,
                                  ferry_error *err);

/* The same with a configuration of its own. */
struct fy_stream *tls_test_dial(const ferry_tls_options *options, uint16_t port, const char *host,
                                ferry_error *err);

/* As tls_test_dial, where the handshake must succeed, with "localhost". */
struct fy_stream *tls_test_open(const ferry_tls_options *options, uint16_t port);

/* Likewise to a server, trusting the world's authority. */
struct fy_stream *tls_test_open_to(const struct tls_server *server);

/* What was agreed; its strings are good until the next call. */
ferry_tls_info tls_test_info(const struct fy_stream *stream);

ssize_t tls_test_read(struct fy_stream *stream, void *buf, size_t len);

/* All of a text must go. */
void tls_test_write(struct fy_stream *stream, const char *text);

/* Exactly that text must come. */
void tls_test_expect(struct fy_stream *stream, const char *text);

void tls_test_free(struct fy_stream *stream);

#endif
