/*
 * A real nginx on a free loopback port, with a configuration, a document root and logs in a temporary
 * directory of its own.
 *
 *     char why[NGINX_WHY_SIZE];
 *     struct nginx *nginx = nginx_start(&(struct nginx_options){
 *         .server = "location = /slow { limit_rate 10k; }"}, why);
 *
 *     if (nginx == NULL)
 *         fail_msg("%s", why);                          (says so where nginx is not installed)
 *     nginx_write_file(nginx, "hello.txt", BYTES("hello\n"));
 *     response = ferry_get(nginx_url(nginx, "/hello.txt"), &err);
 *     …
 *     assert_true(nginx_await_requests(nginx, 6, 5000));
 *     assert_int_equal(nginx_counts(nginx).connections, 1);
 *     nginx_stop(nginx);
 *
 * nginx is killed when the thread that started it ends.
 */
#ifndef SUPPORT_NGINX_H
#define SUPPORT_NGINX_H

#include "bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define NGINX_WHY_SIZE 1024

struct nginx;

struct nginx_options {
    const char *keepalive_timeout; /* as in its configuration: "75s", "200ms", "0"; NULL: "75s" */
    const char *server;            /* more lines for the server block; NULL: none */
    const char *http;              /* more lines for the http block; NULL: none */

    /* PEM files: its certificate and those behind it, and the key. It then speaks TLS as well, on a
       port and a Unix socket of their own; `server` is for both. */
    const char *tls_certificate; /* NULL: no TLS */
    const char *tls_key;         /* NULL: in the same file */
};

/* NULL: why says so in a sentence. options may be NULL. */
struct nginx *nginx_start(const struct nginx_options *options, char why[NGINX_WHY_SIZE]);

/* Strings are valid until nginx_stop. A path starts with "/". Any thread. */
const char *nginx_url(struct nginx *nginx, const char *path);
const char *nginx_tls_url(struct nginx *nginx, const char *path); /* of "localhost" */
int nginx_port(const struct nginx *nginx);
int nginx_tls_port(const struct nginx *nginx);
const char *nginx_socket_path(const struct nginx *nginx); /* it listens on this Unix socket, too */
const char *nginx_tls_socket_path(const struct nginx *nginx); /* TLS */
pid_t nginx_pid(const struct nginx *nginx);

/* Put a file into the document root; folders on the way are made. False: errno says why. */
bool nginx_write_file(struct nginx *nginx, const char *name, const void *data, size_t len);
bool nginx_write_pattern(struct nginx *nginx, const char *name, uint64_t len); /* of bytes.h */

/* From its log, which has a request's line only when nginx is done with it: shortly after the client. */
struct nginx_counts {
    unsigned requests;
    unsigned connections; /* different ones that those came on */
};

struct nginx_counts nginx_counts(const struct nginx *nginx);
bool nginx_await_requests(const struct nginx *nginx, unsigned count, int timeout_ms);

/* Lines of: connection's number, request's number on it, status, "request line". To be freed; NULL: errno. */
char *nginx_access_log(const struct nginx *nginx);
char *nginx_error_log(const struct nginx *nginx);

/* Ends it and removes its directory. NULL is fine. */
void nginx_stop(struct nginx *nginx);

#endif
