/*
 * proxy PROXY DOMAIN URL: hosts in a domain are reached through a proxy
 * ("socks5h://127.0.0.1:1080", "http://user:password@proxy:3128"), all others directly. A function
 * of the program's chooses, for each request. Where one proxy serves all but a list of hosts, the
 * options proxy and no_proxy will do, and where the environment names them (http_proxy,
 * https_proxy, all_proxy, no_proxy) nothing at all.
 */
#include <ferry.h>

#include <stdio.h>
#include <string.h>

struct rule {
    const char *proxy;
    const char *domain;
};

static int choose_proxy(void *arg, const char *url, const char **proxy, ferry_error *err)
{
    const struct rule *rule = arg;
    const char *host = strstr(url, "://") + 3; /* URLs come normalised: in lower case, too */
    size_t host_len = strcspn(host, ":/?");
    size_t domain_len = strlen(rule->domain);
    (void)err;
    if (host_len >= domain_len &&
        strncmp(host + host_len - domain_len, rule->domain, domain_len) == 0 &&
        (host_len == domain_len || host[host_len - domain_len - 1] == '.')) {
        *proxy = rule->proxy;
    }
    return 0; /* and -1, with err filled, for a request that must not be sent at all */
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: proxy PROXY DOMAIN URL\n");
        return 2;
    }
    struct rule rule = {.proxy = argv[1], .domain = argv[2]};
    ferry_error err = {.message = "out of memory"};
    ferry_transport *transport =
        ferry_transport_new(FERRY_TRANSPORT_OPTIONS(.proxy_fn = choose_proxy, .proxy_arg = &rule));
    ferry_client *client = ferry_client_new(FERRY_CLIENT_OPTIONS(.transport = transport));
    ferry_request *req = NULL;
    ferry_response *res = NULL;
    int64_t saved = -1;

    if (transport != NULL && client != NULL) {
        req = ferry_request_new("GET", argv[3], &err);
    }
    if (req != NULL) {
        res = ferry_client_do(client, req, &err);
    }
    if (res != NULL) {
        saved = ferry_response_save(res, 1, &err);
    }
    if (saved < 0) {
        fprintf(stderr, "%s\n", err.message);
    }
    ferry_response_close(res);
    ferry_request_free(req);
    ferry_client_free(client);
    ferry_transport_free(transport);
    return saved < 0 ? 1 : 0;
}
