/*
 * What the tests of https against real servers share: a small world of certificates in files, and
 * nginx and openssl s_server with them.
 */
#ifndef HTTPS_TEST_H
#define HTTPS_TEST_H

#include "certs.h"
#include "nginx.h"
#include "s_server.h"
#include "temp_dir.h"
#include "tls_server.h"
#include "transport_test.h"

#define DAY (24 * 60 * 60L)

/* Made once for a program: cmocka's group setup and teardown. */
struct https_world {
    struct cert *ca;     /* "Test CA" */
    struct cert *server; /* "server", for localhost, 127.0.0.1 and ::1, issued by it */
    struct cert *client; /* "client", likewise */
    char directory[TEMP_DIR_SIZE];
    const char *ca_file;     /* PEM: the ca's certificate */
    const char *server_file; /* the server's, and its key */
    const char *client_file; /* likewise */
};
extern struct https_world world;

int https_world_make(void **state);
int https_world_free(void **state);

/* A path in the world's directory, good until the world's end. */
const char *https_path(const char *name);

/* Writes a certificate, then those behind it (NULL at the end; NULL: none), then its key. Returns the
 * path. */
const char *https_write(const char *name, const struct cert *cert, const struct cert *const *chain);

/* An nginx that speaks TLS, with the world's certificate unless the options (NULL: none) have one. */
struct nginx *https_nginx(const struct nginx_options *options);

/* An s_server with the world's certificate, and up to 16 more arguments, NULL at the end. */
struct s_server *https_s_server(enum s_server_mode mode, const char *const *arguments);
#define S_SERVER(mode, ...) https_s_server((mode), (const char *const[]){__VA_ARGS__, NULL})

/* A server with the world's certificate, to be stopped, that answers each request "ok". */
struct tls_server *https_ok_server(void);

/* "https://localhost:port" and the path; static, good until the next eight calls. */
const char *https_url(int port, const char *path);

/* A transport that trusts the world's authority, with more TLS options. */
#define TRUSTING(...) FERRY_TLS_OPTIONS(.ca_file = world.ca_file, __VA_ARGS__)
ferry_transport *https_transport(void **state, const ferry_tls_options *tls);

/* What was agreed on the connection that a GET brought its response on; the strings are good until
 * the next call. The body must be read to its end. */
ferry_tls_info https_agreed(ferry_transport *transport, const char *url);

/* Reads a body of len bytes of the pattern of bytes.h to its end. */
void https_read_pattern(ferry_response *res, uint64_t len);

#endif
