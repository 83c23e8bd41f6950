/*
 * What the tests of tunnels share: proxies that do what they are asked, of each kind, and note it;
 * and targets with and without TLS.
 */
#ifndef PROXY_TEST_H
#define PROXY_TEST_H

#include "transport_test.h"

#include "certs.h"
#include "temp_dir.h"
#include "tls_server.h"

#define OK_REPLY "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

/* cmocka's group setup and teardown: certificates for localhost and 127.0.0.1, and no proxies in
 * the environment. */
int proxy_test_make(void **state);
int proxy_test_free(void **state);
extern struct cert *proxy_cert;
extern char proxy_ca_file[TEMP_DIR_SIZE + 16];

/* Serve functions of origins: a proxy that opens tunnels (whatever the credentials), and a SOCKS5
 * proxy. Loopback addresses, and names that end in ".example" as 127.0.0.1. */
void serve_tunnels(struct origin_conn *conn, void *arg);
void serve_socks(struct origin_conn *conn, void *arg);

/* What was asked of SOCKS proxies since the test began: each question in hexadecimal, a line each.
 * Static. */
const char *socks_asked(void);
void socks_forget(void);

/* An HTTPS proxy, which opens tunnels and forwards requests in absolute form, and what it was
 * asked: heads, one behind the other. Static. */
struct tls_server *serve_tls_proxy(void);
const char *tls_proxy_asked(void);

/* An https target, which answers each request with OK_REPLY; tls_target_asked() has the heads. */
struct tls_server *serve_tls_target(void);
const char *tls_target_asked(void);

/* "https://localhost:port/path"; in one of eight places. */
const char *tls_url(const struct tls_server *server, const char *path);

/* The name of a proxy at an origin: scheme, perhaps user info, and where it is; likewise. */
const char *proxy_at(const char *before, int port);

#endif
