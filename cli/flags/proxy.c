/*
 * proxy.c: flags about proxies.
 */
#include "flags/rows.h"

#include <string.h>

#include "flags/words.h"

/* --socks5 HOST is --proxy socks5://HOST. */
static enum flag_word take_with_scheme(struct run_config *run, const char *scheme,
                                       const char *value)
{
    const char *host = strstr(value, "://");
    host = host ? host + 3 : value;
    run->last->proxy = word_join(scheme, host);
    return run->last->proxy ? FLAG_FINE : FLAG_NO_MEMORY;
}

static enum flag_word take_socks4(struct run_config *run, const char *value, const char **why)
{
    (void)why;
    return take_with_scheme(run, "socks4://", value);
}

static enum flag_word take_socks4a(struct run_config *run, const char *value, const char **why)
{
    (void)why;
    return take_with_scheme(run, "socks4a://", value);
}

static enum flag_word take_socks5(struct run_config *run, const char *value, const char **why)
{
    (void)why;
    return take_with_scheme(run, "socks5://", value);
}

static enum flag_word take_socks5_hostname(struct run_config *run, const char *value,
                                           const char **why)
{
    (void)why;
    return take_with_scheme(run, "socks5h://", value);
}

static enum flag_word does_nothing(struct run_config *run, const char *value, const char **why)
{
    (void)run;
    (void)value;
    (void)why;
    return FLAG_FINE;
}

const struct flag flags_proxy[] = {
    {"proxy", 'x', FLAG_TEXT, AT(proxy), .in = IN_PROXY | IN_IMPORTANT, .argument = "PROXY",
     .help = "go through this proxy: [http|https|socks4|socks4a|socks5|socks5h://]HOST[:PORT]",
     .more = "\"\" uses none, whatever the environment (http_proxy, https_proxy, all_proxy) says. "
             "The port is 1080 unless given, as in curl; 443 for https.",
     .example = "-x http://proxy.example:3128 https://example.com/"},
    {"proxy-user", 'U', FLAG_TEXT, AT(proxy_user), .in = IN_PROXY | IN_AUTH,
     .argument = "USER:PASSWORD", .help = "who we are to the proxy"},
    {"proxy-basic", 0, FLAG_SETS, AT(proxy_auth), .value = AUTH_BASIC, .in = IN_PROXY | IN_AUTH,
     .help = "with -U: Basic credentials, which is what ferry sends anyway"},
    {"proxy-digest", 0, FLAG_SETS, AT(proxy_auth), .value = AUTH_DIGEST,
     .in = IN_PROXY | IN_AUTH | IN_TLS, .help = "with -U: answer the proxy's Digest challenge"},
    {"proxy-header", 0, FLAG_LIST, AT(proxy_headers), .in = IN_PROXY, .argument = "FIELD",
     .help = "send this header field to the proxy; @FILE: those in a file"},
    {"proxytunnel", 'p', FLAG_SWITCH, AT(proxy_tunnel), .in = IN_PROXY,
     .help = "a tunnel through HTTP proxies (CONNECT) for http URLs, too"},
    {"noproxy", 0, FLAG_TEXT, AT(no_proxy), .in = IN_PROXY, .argument = "HOSTS",
     .help = "hosts that are reached without a proxy, separated by commas; * is all",
     .example = "--noproxy localhost,.example.org -x proxy:3128 https://www.example.org/"},
    {"socks4", 0, FLAG_TAKES, .take = take_socks4, .in = IN_PROXY, .argument = "HOST[:PORT]",
     .help = "a SOCKS4 proxy, which is told IPv4 addresses"},
    {"socks4a", 0, FLAG_TAKES, .take = take_socks4a, .in = IN_PROXY, .argument = "HOST[:PORT]",
     .help = "a SOCKS4 proxy that looks names up by itself"},
    {"haproxy-protocol", 0, FLAG_SWITCH, AT(haproxy_protocol), .in = IN_PROXY | IN_HTTP,
     .help = "begin connections with a line that names their two ends, as load balancers do"},
    {"socks5", 0, FLAG_TAKES, .take = take_socks5, .in = IN_PROXY, .argument = "HOST[:PORT]",
     .help = "a SOCKS5 proxy that is told addresses"},
    {"socks5-hostname", 0, FLAG_TAKES, .take = take_socks5_hostname, .in = IN_PROXY,
     .argument = "HOST[:PORT]", .help = "a SOCKS5 proxy that looks names up by itself"},
    {"socks5-basic", 0, FLAG_DOES, .take = does_nothing, .in = IN_PROXY | IN_AUTH,
     .help = "user and password to SOCKS5 proxies, which is what ferry does anyway"},
    {"suppress-connect-headers", 0, FLAG_SWITCH, AT(no_connect_heads), .in = IN_PROXY,
     .help = "with -i and -D: not the heads of responses to CONNECT"},
    LAST_ROW,
};
