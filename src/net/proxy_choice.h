/*
 * Which proxy a request goes through, by the variables that Unix programs share (http_proxy,
 * https_proxy, all_proxy, no_proxy), from the environment or from options. Pure: no lookups, no
 * connections.
 */
#ifndef FY_NET_PROXY_CHOICE_H
#define FY_NET_PROXY_CHOICE_H

#include <stdbool.h>
#include <stdint.h>

#include <ferry.h>

/* Borrowed texts; NULL or "": not set. */
struct fy_proxy_settings {
    const char *http_proxy;  /* for http URLs */
    const char *https_proxy; /* for https URLs */
    const char *all_proxy;   /* for those whose own is not set */
    const char *no_proxy;    /* hosts that are reached directly */
    /* HTTP_PROXY was found while REQUEST_METHOD is set: in a CGI program it is a field of the
     * client's request, "Proxy:", and must not be believed. */
    bool http_proxy_forged;
};

/* Reads the environment by the given function (getenv, or a test's). Lower case goes before upper
 * case. */
void fy_proxy_from_environment(struct fy_proxy_settings *settings, char *(*get)(const char *name));

/* The proxy for a URL's scheme, host (no brackets) and port, as its setting has it ("host:port",
 * "socks5://…"), in *proxy; NULL: none, go directly. -1 and *err when the setting may not be used.
 * localhost and loopback addresses are always reached directly. */
int fy_proxy_choose(const struct fy_proxy_settings *settings, const char *scheme, const char *host,
                    uint16_t port, const char **proxy, ferry_error *err);

/* The setting as a URL: "http://" is put before a bare host or host:port, "http:" before "//host".
 * From malloc(). NULL and *err: out of memory, or a scheme that no proxy has (http, https, socks4,
 * socks4a, socks5, socks5h do), or that is none. */
char *fy_proxy_url(const char *setting, ferry_error *err);

/* Whether a no_proxy list names the host. Its entries, separated by commas or blanks: "*"; a name,
 * for itself and its subdomains; ".name" or "*.name", for its subdomains only; an address; a
 * network, "10.0.0.0/8"; all but the network may end in ":port". */
bool fy_no_proxy_names(const char *no_proxy, const char *host, uint16_t port);

#endif
