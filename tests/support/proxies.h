/*
 * Real proxies, each on a free loopback port: tinyproxy (HTTP) and microsocks (SOCKS5).
 *
 *     char why[PROXY_WHY_SIZE];
 *     struct proxy_server *proxy = tinyproxy_start("bob", "secret", why);
 *
 *     if (proxy == NULL)
 *         fail_msg("%s", why);                          (says so where tinyproxy is not installed)
 *     … http://bob:secret@127.0.0.1:proxy_server_port(proxy) …
 *     proxy_server_stop(proxy);
 *
 * A proxy is killed when the thread that started it ends.
 */
#ifndef SUPPORT_PROXIES_H
#define SUPPORT_PROXIES_H

#define PROXY_WHY_SIZE 1024

struct proxy_server;

/* user NULL: everybody may. NULL: why says so in a sentence. */
struct proxy_server *tinyproxy_start(const char *user, const char *password,
                                     char why[PROXY_WHY_SIZE]);
struct proxy_server *microsocks_start(const char *user, const char *password,
                                      char why[PROXY_WHY_SIZE]);

int proxy_server_port(const struct proxy_server *proxy);

/* What it has logged so far, its requests among it: tinyproxy's only. To be freed; NULL: errno. */
char *proxy_server_log(const struct proxy_server *proxy);

/* NULL is fine. */
void proxy_server_stop(struct proxy_server *proxy);

#endif
