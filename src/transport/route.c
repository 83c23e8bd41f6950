/*
 * Routes and proxies.
 */
#include "transport/route.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "http/bytes.h"
#include "http/request.h"
#include "http/response.h"
#include "task/sched.h"
#include "transport/transport.h"

/* ------------------------------------------------------------------------------------- options */

/* What belongs to the message as a whole is not for an option to say. */
static bool may_be_added(const char *name)
{
    static const char *const framing[] = {"Host", "Connection", "Content-Length",
                                          "Transfer-Encoding", "Trailer"};
    for (size_t i = 0; i < sizeof framing / sizeof framing[0]; i++) {
        if (fy_text_is(name, strlen(name), framing[i])) {
            return false;
        }
    }
    return true;
}

/* -1: out of memory. A field that cannot be sent is told by the requests that would send it. */
static int take_fields(struct fy_proxies *proxies, const ferry_field *fields, size_t count)
{
    if (fields == NULL && count > 0) {
        fy_fail_null(&proxies->refused, "a row of proxy_fields");
        return 0;
    }
    for (size_t i = 0; i < count; i++) {
        const char *name = fields[i].name != NULL ? fields[i].name : "";
        const char *value = fields[i].value != NULL ? fields[i].value : "";
        if (!fy_is_token(name, strlen(name)) || !fy_is_field_value(value, strlen(value)) ||
            !may_be_added(name)) {
            fy_fail(&proxies->refused, FERRY_EINVAL, 0,
                    "proxy_fields: field %zu cannot be sent: its name is no token, or one of a "
                    "message's framing, or its value has a control byte in it",
                    i);
        } else if (fy_header_add(&proxies->fields, &proxies->arena, name, strlen(name), value,
                                 strlen(value)) != 0) {
            return -1;
        }
    }
    return 0;
}

/* A copy of a text that may not be set, or be empty, which is the same. */
static int copy_setting(const char **to, const char *text)
{
    *to = text != NULL && *text != '\0' ? strdup(text) : NULL;
    return text != NULL && *text != '\0' && *to == NULL ? -1 : 0;
}

static int copy_settings(struct fy_proxy_settings *to, const struct fy_proxy_settings *from)
{
    *to = (struct fy_proxy_settings){.http_proxy_forged = from->http_proxy_forged};
    return copy_setting(&to->http_proxy, from->http_proxy) != 0 ||
                   copy_setting(&to->https_proxy, from->https_proxy) != 0 ||
                   copy_setting(&to->all_proxy, from->all_proxy) != 0 ||
                   copy_setting(&to->no_proxy, from->no_proxy) != 0
               ? -1
               : 0;
}

static void free_setting(const char *setting)
{
    if (setting != NULL) {
        OPENSSL_cleanse((char *)setting, strlen(setting)); /* there may be a password in it */
        free((char *)setting);
    }
}

static int take_settings(struct fy_proxies *proxies, const ferry_transport_options *options)
{
    struct fy_proxy_settings settings = {.all_proxy = options->proxy};
    proxies->environment = options->proxy == NULL && options->proxy_fn == NULL;
    if (proxies->environment) {
        fy_proxy_from_environment(&settings, getenv);
    }
    if (options->no_proxy != NULL) {
        settings.no_proxy = options->no_proxy;
    }
    if (copy_settings(&proxies->settings, &settings) != 0) {
        return -1;
    }
    const struct fy_proxy_settings *own = &proxies->settings;
    proxies->any =
        options->unix_socket == NULL && (proxies->fn != NULL || own->http_proxy != NULL ||
                                         own->https_proxy != NULL || own->all_proxy != NULL);
    return 0;
}

int fy_proxies_init(struct fy_proxies *proxies, const ferry_transport_options *options)
{
    *proxies = (struct fy_proxies){.fn = options->proxy_fn,
                                   .fn_arg = options->proxy_arg,
                                   .tunnel = options->proxy_tunnel != 0,
                                   .digest = options->proxy_digest != 0,
                                   .own_tls = options->proxy_tls != NULL};
    if (pthread_mutex_init(&proxies->lock, NULL) != 0) {
        return -1;
    }
    if (proxies->own_tls && fy_transport_tls_init(&proxies->tls, options->proxy_tls) != 0) {
        pthread_mutex_destroy(&proxies->lock);
        return -1;
    }
    fy_fork_lock_add(&proxies->held, &proxies->lock);
    if (take_fields(proxies, options->proxy_fields, options->proxy_field_count) != 0 ||
        take_settings(proxies, options) != 0) {
        fy_proxies_destroy(proxies);
        return -1;
    }
    return 0;
}

void fy_proxies_destroy(struct fy_proxies *proxies)
{
    for (int i = 0; i < FY_PROXIES_KEPT; i++) {
        fy_proxy_release(proxies->kept[i]);
    }
    free_setting(proxies->settings.http_proxy);
    free_setting(proxies->settings.https_proxy);
    free_setting(proxies->settings.all_proxy);
    free_setting(proxies->settings.no_proxy);
    fy_arena_free(&proxies->arena);
    if (proxies->own_tls) {
        fy_transport_tls_destroy(&proxies->tls);
    }
    fy_fork_lock_remove(&proxies->held);
    pthread_mutex_destroy(&proxies->lock);
}

/* ---------------------------------------------------------------------------------- the choice */

/* Under the lock: moves a proxy to the front, where there is room, or where the last is let go. */
static void keep_first(struct fy_proxies *proxies, struct fy_proxy *proxy, int place)
{
    memmove(proxies->kept + 1, proxies->kept, (size_t)place * sizeof(struct fy_proxy *));
    proxies->kept[0] = proxy;
}

/* The proxy of a setting, with a hold. */
static struct fy_proxy *find_or_make(struct fy_proxies *proxies, const char *setting,
                                     ferry_error *err)
{
    struct fy_proxy *proxy = NULL;
    struct fy_proxy *let_go = NULL;
    pthread_mutex_lock(&proxies->lock);
    int i = 0;
    while (i < FY_PROXIES_KEPT && proxies->kept[i] != NULL &&
           strcmp(proxies->kept[i]->setting, setting) != 0) {
        i++;
    }
    if (i < FY_PROXIES_KEPT && proxies->kept[i] != NULL) {
        proxy = proxies->kept[i];
    } else if ((proxy = fy_proxy_new(setting, proxies->digest, err)) != NULL &&
               i == FY_PROXIES_KEPT) {
        let_go = proxies->kept[--i];
    }
    if (proxy != NULL) {
        keep_first(proxies, proxy, i);
        fy_proxy_hold(proxy);
    }
    pthread_mutex_unlock(&proxies->lock);
    fy_proxy_release(let_go);
    return proxy;
}

/* What the user's function says, copied: *setting NULL for none. */
static int ask_user(const struct fy_proxies *proxies, const ferry_request *req, char **setting,
                    ferry_error *err)
{
    const char *said = NULL;
    *err = (ferry_error){0};
    *setting = NULL;
    fy_leave();
    int failed = proxies->fn(proxies->fn_arg, req->url.text, &said, err);
    if (failed == 0 && said != NULL && *said != '\0') {
        *setting = strdup(said); /* here: another thread's call may say something else */
        failed = *setting != NULL ? 0 : 1;
    }
    (void)fy_enter(); /* cannot fail: this thread has its scheduler */
    if (failed > 0) {
        return fy_fail_memory(err);
    }
    if (failed < 0) {
        if (err->code == FERRY_OK) {
            fy_fail(err, FERRY_EPROXY, 0, "the proxy function failed");
        }
        fy_error_prefix(err, "choosing a proxy");
        return -1;
    }
    return 0;
}

/* The setting for this request, to be freed by free_setting(); NULL: none. */
static int find_setting(const struct fy_proxies *proxies, const ferry_request *req, char **setting,
                        ferry_error *err)
{
    const struct fy_url *url = &req->url;
    const char *chosen = NULL;
    *setting = NULL;
    if (proxies->environment) {
        if (fy_proxy_choose(&proxies->settings, url->scheme, url->host, url->port, &chosen, err) !=
            0) {
            return -1;
        }
    } else if (fy_no_proxy_names(proxies->settings.no_proxy, url->host, url->port)) {
        return 0;
    } else if (proxies->fn != NULL) {
        return ask_user(proxies, req, setting, err);
    } else {
        chosen = proxies->settings.all_proxy;
    }
    if (chosen != NULL && (*setting = strdup(chosen)) == NULL) {
        return fy_fail_memory(err);
    }
    return 0;
}

int fy_route_choose(ferry_transport *transport, const ferry_request *req, struct fy_route *route,
                    ferry_error *err)
{
    struct fy_proxies *proxies = &transport->proxies;
    char *setting;
    *route = (struct fy_route){0};
    if (!proxies->any) {
        return 0;
    }
    if (find_setting(proxies, req, &setting, err) != 0) {
        return -1;
    }
    if (setting == NULL) {
        return 0;
    }
    if (proxies->refused.code != FERRY_OK) {
        *err = proxies->refused;
    } else {
        route->proxy = find_or_make(proxies, setting, err);
    }
    free_setting(setting);
    if (route->proxy == NULL) {
        return -1;
    }
    const char *host = req->url.host;
    uint16_t port = req->url.port;
    route->absolute = !proxies->tunnel && !fy_proxy_is_socks(route->proxy) &&
                      strcmp(req->url.scheme, "http") == 0 &&
                      !fy_detours_find(&transport->set.detours, &host, &port);
    return 0;
}

void fy_route_copy(struct fy_route *route, const struct fy_route *from)
{
    *route = *from;
    (void)fy_proxy_hold(route->proxy);
}

void fy_route_end(struct fy_route *route)
{
    fy_proxy_release(route->proxy);
    *route = (struct fy_route){0};
}

struct fy_host_key fy_route_key(const struct fy_route *route, const ferry_request *req)
{
    return (struct fy_host_key){
        .scheme = req->url.scheme,
        .host_port = route->absolute ? "" : req->url.host_port,
        .proxy = route->proxy != NULL ? route->proxy->setting : "",
    };
}

/* ---------------------------------------------------------------------------------- credentials */

/* The caller's own are nothing to us. */
static bool has_own_credentials(const ferry_transport *transport, const ferry_request *req)
{
    return fy_header_find(&req->header, "Proxy-Authorization", NULL) != NULL ||
           fy_header_find(&transport->proxies.fields, "Proxy-Authorization", NULL) != NULL;
}

int fy_route_authorize(const struct fy_route *route, const ferry_transport *transport,
                       const ferry_request *req, struct fy_buffer *value, ferry_error *err)
{
    struct fy_buffer target = {0};
    int failed = 0;
    if ((route->proxy->user == NULL && route->proxy->password == NULL) ||
        has_own_credentials(transport, req)) {
        return 0;
    }
    fy_request_append_target(req, true, &target);
    fy_buffer_append_byte(&target, '\0');
    if (target.failed) {
        failed = fy_fail_memory(err);
    } else {
        failed = fy_proxy_authorize(route->proxy, req->method, target.bytes, value, err);
    }
    fy_buffer_free(&target);
    return failed;
}

int fy_route_challenged(const struct fy_route *route, const ferry_transport *transport,
                        const ferry_request *req, const ferry_response *res, ferry_error *err)
{
    if (res->status != 407 || has_own_credentials(transport, req) || !fy_request_rewindable(req)) {
        return 0;
    }
    int found = (int)fy_proxy_challenged(route->proxy, &res->header, err);
    if (found < 0) {
        fy_error_prefix(err, "proxy %s", route->proxy->host_port);
    }
    return found;
}
