/*
 * Where a cookie belongs. Called by the jar with hosts that came from parsed URLs and attributes
 * that came from anybody.
 */
#include "client/cookie_scope.h"

#include <arpa/inet.h>
#include <string.h>

#ifdef FERRY_WITH_PSL
#include <libpsl.h>
#endif

bool fy_cookie_host(char out[FY_HOST_MAX + 1], const char *host, size_t len)
{
    if (memchr(host, ':', len) != NULL) { /* an IPv6 address, which the URL parser has normalised */
        if (len > FY_HOST_MAX) {
            return false;
        }
        memcpy(out, host, len);
        out[len] = '\0';
        return true;
    }
    ferry_error unwanted;
    if (fy_host_name(out, host, len, &unwanted) != 0) {
        return false;
    }
    size_t out_len = strlen(out);
    if (out_len > 0 && out[out_len - 1] == '.') {
        out[out_len - 1] = '\0';
    }
    return true;
}

bool fy_cookie_host_is_ip(const char *host)
{
    unsigned char address[sizeof(struct in6_addr)];
    char plain[INET6_ADDRSTRLEN];
    size_t len = strcspn(host, "%");
    if (len >= sizeof plain) {
        return false;
    }
    memcpy(plain, host, len);
    plain[len] = '\0';
    return (host[len] == '\0' && inet_pton(AF_INET, plain, address) == 1) ||
           inet_pton(AF_INET6, plain, address) == 1;
}

bool fy_cookie_domain_match(const char *host, const char *domain)
{
    size_t host_len = strlen(host);
    size_t domain_len = strlen(domain);
    if (strcmp(host, domain) == 0) {
        return true;
    }
    return domain_len > 0 && host_len > domain_len && host[host_len - domain_len - 1] == '.' &&
           strcmp(host + host_len - domain_len, domain) == 0 && !fy_cookie_host_is_ip(host);
}

static size_t path_len(const char *target)
{
    return strcspn(target, "?#");
}

bool fy_cookie_path_match(const char *target, const char *path)
{
    size_t len = path_len(target);
    size_t cookie_len = strlen(path);
    if (len < cookie_len || memcmp(target, path, cookie_len) != 0) {
        return false;
    }
    return len == cookie_len || (cookie_len > 0 && path[cookie_len - 1] == '/') ||
           target[cookie_len] == '/';
}

size_t fy_cookie_default_path_len(const char *target)
{
    if (target[0] != '/') {
        return 0;
    }
    size_t len = path_len(target);
    while (target[len - 1] != '/') {
        len--;
    }
    return len - 1;
}

bool fy_cookie_public_suffix(const char *domain)
{
#ifdef FERRY_WITH_PSL
    const psl_ctx_t *list = psl_builtin();
    if (list != NULL) {
        return psl_is_public_suffix(list, domain) != 0;
    }
#endif
    return strchr(domain, '.') == NULL;
}

const char *fy_cookie_domain_check(const char *host, const char *domain, bool *host_only)
{
    *host_only = true;
    if (strcmp(host, domain) == 0) {
        *host_only = fy_cookie_host_is_ip(host) || fy_cookie_public_suffix(domain);
        return NULL;
    }
    if (domain[0] == '\0' || domain[0] == '.' || strstr(domain, "..") != NULL) {
        return "its Domain is no domain";
    }
    if (!fy_cookie_domain_match(host, domain)) {
        return "its Domain is not one of the host's";
    }
    if (fy_cookie_public_suffix(domain)) {
        return "its Domain is a public suffix";
    }
    *host_only = false;
    return NULL;
}
