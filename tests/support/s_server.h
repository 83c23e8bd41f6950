/*
 * OpenSSL's own test server (openssl-s_server(1)) on a free loopback port: it serves the files of a
 * temporary directory of its own, one connection after the other, or sends what the test types.
 *
 *     char why[S_SERVER_WHY_SIZE];
 *     struct s_server *server = s_server_start(
 *         S_SERVER_HTTP, (const char *const[]){"-cert", pem, "-key", pem, "-tls1_2", NULL}, why);
 *
 *     if (server == NULL)
 *         fail_msg("%s", why);
 *     s_server_write_file(server, "hello", BYTES("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
 *     response = ferry_get(https://localhost:s_server_port(server)/hello, &err);
 *     …
 *     s_server_stop(server);
 */
#ifndef SUPPORT_S_SERVER_H
#define SUPPORT_S_SERVER_H

#include "bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define S_SERVER_WHY_SIZE 1024

struct s_server;

enum s_server_mode {
    S_SERVER_PAGE,  /* answers each request with a page about its connection; one a connection */
    S_SERVER_FILES, /* each with a file, in HTTP/1.0 and up to the close; likewise */
    S_SERVER_HTTP,  /* the same, but the file is the whole response, head included */
    S_SERVER_TYPED, /* sends what is typed, and obeys it if it is a command: Q, R, k, K, P, … */
};

/* arguments: more of them, NULL at the end; at most 24. NULL: why says so in a sentence. */
struct s_server *s_server_start(enum s_server_mode mode, const char *const *arguments,
                                char why[S_SERVER_WHY_SIZE]);
int s_server_port(const struct s_server *server);
pid_t s_server_pid(const struct s_server *server);

/* Puts a file where it serves from. False: errno says why. */
bool s_server_write_file(struct s_server *server, const char *name, const void *data, size_t len);

/* S_SERVER_TYPED. It obeys a command only if that is all that it finds typed: wait before you type on. */
bool s_server_type(struct s_server *server, const char *text);

/* All that it has printed so far, what it was sent included; to be freed. */
char *s_server_output(const struct s_server *server);

/* Whether it has printed that. False: not within timeout_ms. */
bool s_server_await_output(const struct s_server *server, const char *text, int timeout_ms);

/* Ends it and removes its directory. NULL is fine. */
void s_server_stop(struct s_server *server);

#endif
