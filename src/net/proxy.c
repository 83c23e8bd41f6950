/*
 * Proxies as objects: made from a setting, shared by holds.
 */
#include "net/proxy.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "http/basic.h"
#include "http/url.h"
#include "net/proxy_choice.h"

/* ------------------------------------------------------------------------------ birth and death */

static enum fy_proxy_kind kind_of(const char *scheme)
{
    return strcmp(scheme, "http") == 0      ? FY_PROXY_HTTP
           : strcmp(scheme, "https") == 0   ? FY_PROXY_HTTPS
           : strcmp(scheme, "socks4") == 0  ? FY_PROXY_SOCKS4
           : strcmp(scheme, "socks4a") == 0 ? FY_PROXY_SOCKS4A
           : strcmp(scheme, "socks5") == 0  ? FY_PROXY_SOCKS5
                                            : FY_PROXY_SOCKS5H;
}

/* What each protocol can carry: RFC 7617 section 2, RFC 1929 section 2. */
static int check_credentials(const struct fy_proxy *proxy, ferry_error *err)
{
    const char *user = proxy->user != NULL ? proxy->user : "";
    const char *password = proxy->password != NULL ? proxy->password : "";
    if (fy_proxy_is_socks(proxy)) {
        if (strlen(user) > 255 || strlen(password) > 255) {
            return fy_fail(err, FERRY_EINVAL, 0,
                           "a name or password for SOCKS cannot be longer than 255 bytes");
        }
    } else if (strchr(user, ':') != NULL && !proxy->digest) {
        return fy_fail(err, FERRY_EINVAL, 0,
                       "a name for Basic credentials cannot have a colon in it");
    }
    return 0;
}

static int take_url(struct fy_proxy *proxy, const struct fy_url *url, ferry_error *err)
{
    const char *host_port = url->host_port;
    char *with_port = NULL;
    proxy->kind = kind_of(url->scheme);
    proxy->port = url->port;
    if (proxy->port == 0) {
        proxy->port = 1080; /* RFC 1928 section 3; the other schemes' are the URL's to know */
        if (asprintf(&with_port, "%s:%d", url->host_port, proxy->port) < 0) {
            return fy_fail_memory(err);
        }
        host_port = with_port;
    }
    proxy->host = strdup(url->host);
    proxy->host_port = strdup(host_port);
    proxy->user = url->user != NULL ? strdup(url->user) : NULL;
    proxy->password = url->password != NULL ? strdup(url->password) : NULL;
    free(with_port);
    if (proxy->host == NULL || proxy->host_port == NULL ||
        (url->user != NULL && proxy->user == NULL) ||
        (url->password != NULL && proxy->password == NULL)) {
        return fy_fail_memory(err);
    }
    return check_credentials(proxy, err);
}

static void free_secret(char *text)
{
    if (text != NULL) {
        OPENSSL_cleanse(text, strlen(text));
        free(text);
    }
}

struct fy_proxy *fy_proxy_new(const char *setting, bool digest, ferry_error *err)
{
    struct fy_url url = {0};
    struct fy_proxy *made = NULL;
    char *text = fy_proxy_url(setting, err);
    struct fy_proxy *proxy = calloc(1, sizeof *proxy);
    if (text == NULL) {
        goto done;
    }
    if (proxy == NULL || (proxy->setting = strdup(setting)) == NULL) {
        fy_fail_memory(err);
        goto done;
    }
    atomic_init(&proxy->holds, 1);
    proxy->digest = digest;
    if (fy_url_parse(&url, text, err) != 0 || take_url(proxy, &url, err) != 0) {
        goto done;
    }
    if (pthread_mutex_init(&proxy->lock, NULL) != 0) {
        fy_fail_memory(err);
        goto done;
    }
    fy_fork_lock_add(&proxy->held, &proxy->lock);
    made = proxy;
done:
    if (made == NULL) {
        fy_error_prefix(err, "the proxy's setting");
        if (proxy != NULL) {
            free_secret(proxy->setting);
            free_secret(proxy->password);
            free(proxy->user);
            free(proxy->host_port);
            free(proxy->host);
        }
        free(proxy);
    }
    if (url.block != NULL) {
        OPENSSL_cleanse(url.block, url.block_size);
    }
    fy_url_free(&url);
    free_secret(text);
    return made;
}

struct fy_proxy *fy_proxy_hold(struct fy_proxy *proxy)
{
    if (proxy != NULL) {
        atomic_fetch_add_explicit(&proxy->holds, 1, memory_order_relaxed);
    }
    return proxy;
}

void fy_proxy_release(struct fy_proxy *proxy)
{
    if (proxy == NULL || atomic_fetch_sub_explicit(&proxy->holds, 1, memory_order_acq_rel) > 1) {
        return;
    }
    fy_fork_lock_remove(&proxy->held);
    pthread_mutex_destroy(&proxy->lock);
    fy_digest_free(&proxy->challenge);
    free_secret(proxy->setting);
    free_secret(proxy->password);
    free(proxy->user);
    free(proxy->host_port);
    free(proxy->host);
    free(proxy);
}

bool fy_proxy_is_socks(const struct fy_proxy *proxy)
{
    return proxy->kind == FY_PROXY_SOCKS5 || proxy->kind == FY_PROXY_SOCKS5H ||
           fy_proxy_is_socks4(proxy);
}

bool fy_proxy_is_socks4(const struct fy_proxy *proxy)
{
    return proxy->kind == FY_PROXY_SOCKS4 || proxy->kind == FY_PROXY_SOCKS4A;
}

/* ---------------------------------------------------------------------------------- credentials */

static int answer_challenge(struct fy_proxy *proxy, const char *method, const char *target,
                            struct fy_buffer *value, ferry_error *err)
{
    int failed = 0;
    pthread_mutex_lock(&proxy->lock);
    if (proxy->challenge.block != NULL) {
        const struct fy_digest_request request = {
            .method = method,
            .target = target,
            .user = proxy->user != NULL ? proxy->user : "",
            .password = proxy->password != NULL ? proxy->password : "",
            .cnonce = proxy->cnonce,
            .count = ++proxy->count,
        };
        failed = fy_digest_answer(&proxy->challenge, &request, value, err);
    }
    pthread_mutex_unlock(&proxy->lock);
    return failed;
}

int fy_proxy_authorize(struct fy_proxy *proxy, const char *method, const char *target,
                       struct fy_buffer *value, ferry_error *err)
{
    if ((proxy->user == NULL && proxy->password == NULL) || fy_proxy_is_socks(proxy)) {
        return 0;
    }
    if (proxy->digest) {
        return answer_challenge(proxy, method, target, value, err);
    }
    fy_basic_append(value, proxy->user, proxy->password);
    return value->failed ? fy_fail_memory(err) : 0;
}

static enum fy_digest_found find_challenge(const struct fy_header *header,
                                           struct fy_digest_challenge *challenge, ferry_error *err)
{
    enum fy_digest_found found = FY_DIGEST_NONE;
    const struct fy_field *field = NULL;
    while (found != FY_DIGEST_FOUND &&
           (field = fy_header_find(header, "Proxy-Authenticate", field)) != NULL) {
        enum fy_digest_found here = fy_digest_parse(challenge, field->value, err);
        found = here == FY_DIGEST_NONE ? found : here;
    }
    return found;
}

enum fy_digest_found fy_proxy_challenged(struct fy_proxy *proxy, const struct fy_header *header,
                                         ferry_error *err)
{
    struct fy_digest_challenge challenge;
    char cnonce[33];
    if (!proxy->digest || (proxy->user == NULL && proxy->password == NULL)) {
        return FY_DIGEST_NONE;
    }
    enum fy_digest_found found = find_challenge(header, &challenge, err);
    if (found != FY_DIGEST_FOUND) {
        return found;
    }
    if (fy_digest_cnonce(cnonce, err) != 0) {
        fy_digest_free(&challenge);
        return FY_DIGEST_FAILED;
    }
    pthread_mutex_lock(&proxy->lock);
    fy_digest_free(&proxy->challenge);
    proxy->challenge = challenge;
    memcpy(proxy->cnonce, cnonce, sizeof cnonce);
    proxy->count = 0;
    pthread_mutex_unlock(&proxy->lock);
    return FY_DIGEST_FOUND;
}
