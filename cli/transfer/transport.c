/*
 * transport.c: flags about connections, TLS and proxies as the library's options. Files that these
 * name are looked at here already: each has an exit status of its own.
 */
#include "transfer/transport.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "exit_code.h"
#include "flags/words.h"
#include "memory.h"
#include "message.h"
#include "request/fields.h"
#include "request/url.h"

/* ---- TLS ---- */

static int check_file(const char *path, const char *what, int status)
{
    if (!path || access(path, R_OK) == 0)
        return CLI_OK;
    complain("(%d) cannot read %s %s: %s", status, what, path, strerror(errno));
    return status;
}

/* "FILE:password", where the file may have a ":" behind a backslash. */
static const char *split_certificate(const char *text, const char **password)
{
    if (!text)
        return NULL;
    char *file = word_keep(text, strlen(text)), *to = file;
    if (!file)
        return text;
    for (const char *from = file; *from; from++) {
        if (*from == '\\' && (from[1] == ':' || from[1] == '\\')) {
            from++;
        } else if (*from == ':') {
            *password = *password ? *password : word_keep(from + 1, strlen(from + 1));
            break;
        }
        *to++ = *from;
    }
    *to = '\0';
    return file;
}

/* What people have set for curl holds here; NULL: nothing. */
static const char *bundle_of_curl(void)
{
    const char *bundle = getenv("CURL_CA_BUNDLE");
    return bundle && bundle[0] != '\0' ? bundle : NULL;
}

void trust_as_curl(void)
{
    const char *bundle = bundle_of_curl();
    if (bundle)
        (void)setenv("SSL_CERT_FILE", bundle, 1); /* is_system_store() looks whether it is there */
}

/* Whether the system's store, for which OpenSSL looks into the environment, is what the bundle says. One
 * that cannot be read is to be complained of, and there OpenSSL would not. */
static bool is_system_store(const char *bundle)
{
    const char *file = getenv("SSL_CERT_FILE");
    return !bundle || (file && strcmp(file, bundle) == 0 && access(bundle, R_OK) == 0);
}

/* sha256// hashes, or a file with the key. */
static bool are_hashes(const char *text)
{
    return strncmp(text, "sha256//", 8) == 0;
}

/* Whether nothing is asked of TLS but what the library does by itself: that, it does when TLS is first
 * spoken, and a program that never speaks it is spared reading a hundred authorities. */
static bool is_standard(const struct config *config, const struct tls_config *tls)
{
    static const struct tls_config nothing;
    /* Theirs is from calloc(), padding included. NOLINTNEXTLINE(bugprone-suspicious-memory-comparison) */
    return memcmp(tls, &nothing, sizeof nothing) == 0 && !config->no_alpn &&
           !config->no_session_id && is_system_store(bundle_of_curl());
}

static int tls_options(const struct config *config, const struct tls_config *tls,
                       ferry_tls_options *options)
{
    const char *password = tls->key_password;
    const char *certificate = split_certificate(tls->certificate, &password);
    int status = check_file(tls->ca_file, "--cacert", CLI_CA_FILE);
    if (status == CLI_OK)
        status = check_file(tls->crl_file, "--crlfile", CLI_CRL_FILE);
    if (status == CLI_OK)
        status = check_file(certificate, "--cert", CLI_CERTIFICATE);
    if (status == CLI_OK)
        status = check_file(tls->key, "--key", CLI_CERTIFICATE);
    const char *bundle = bundle_of_curl();
    bool has_own = tls->ca_file || tls->ca_directory || !bundle;
    bool hashes = tls->pinned_keys && are_hashes(tls->pinned_keys);
    *options = (ferry_tls_options){
        .size = sizeof *options,
        .ca_file = has_own ? tls->ca_file : bundle,
        .ca_directory = tls->ca_directory,
        .crl_file = tls->crl_file,
        .pinned_public_keys = hashes ? tls->pinned_keys : NULL,
        .pinned_public_key_file = hashes ? NULL : tls->pinned_keys,
        .insecure_skip_verify = tls->insecure,
        .certificate_file = certificate,
        .certificate_type = tls->certificate_type,
        .key_file = tls->key,
        .key_type = tls->key_type,
        .key_password = password,
        .min_version = tls->min_version,
        .max_version = tls->max_version,
        .ciphers = tls->ciphers,
        .cipher_suites = tls->cipher_suites,
        .groups = tls->groups,
        .require_status = tls->require_status,
        .alpn = config->no_alpn ? "" : NULL,
        .disable_resumption = config->no_session_id,
    };
    return status;
}

/* ---- Proxies ---- */

/* Percent-encoded user info and "@"; "" if there is none. From malloc(). */
static char *proxy_credentials(const char *user)
{
    const char *colon = user ? strchr(user, ':') : NULL;
    char *text = NULL;
    if (!user)
        return text_copy("");
    char *name = url_encode(user, colon ? (size_t)(colon - user) : strlen(user));
    char *password = url_encode(colon ? colon + 1 : "", colon ? strlen(colon + 1) : 0);
    if (!name || !password || text_print(&text, "%s:%s@", name, password) < 0)
        text = NULL;
    free(name);
    free(password);
    return text;
}

/* With its scheme and, unless it has a port, curl's: 1080, and 443 for https. Kept as a word. */
static const char *proxy_url(const struct config *config, const char *proxy)
{
    if (!proxy || proxy[0] == '\0')
        return proxy;
    const char *mark = strstr(proxy, "://");
    const char *site = mark ? mark + 3 : proxy;
    size_t len = strcspn(site, "/?#");
    const char *at = memrchr(site, '@', len);
    const char *host = at ? at + 1 : site;
    size_t host_len = len - (size_t)(host - site);
    const char *bracket = memchr(host, ']', host_len);
    bool has_port = memchr(bracket ? bracket : host, ':',
                           host_len - (size_t)((bracket ? bracket : host) - host)) != NULL;
    char scheme[16] = "http";
    if (mark)
        url_scheme(proxy, scheme, sizeof scheme);
    char *given = config->proxy_user ? proxy_credentials(config->proxy_user)
                                     : text_copy_part(site, (size_t)(host - site));
    char *url = NULL;
    if (!given || text_print(&url, "%s://%s%.*s%s", scheme, given, (int)host_len, host,
                             has_port                       ? ""
                             : strcmp(scheme, "https") == 0 ? ":443"
                                                            : ":1080") < 0)
        url = NULL;
    free(given);
    const char *kept = url ? word_keep(url, strlen(url)) : NULL;
    free(url);
    return kept;
}

/* The first of the variables that says something; NULL: none does. */
static const char *environment(const char *const *names)
{
    for (; *names; names++) {
        const char *value = getenv(*names);
        if (value && value[0] != '\0')
            return value;
    }
    return NULL;
}

/* As curl reads them: for every host, localhost too, which the library's own reading leaves out.
 * HTTP_PROXY is never believed: in a CGI program it is a field of somebody's request. */
static void read_environment(struct group *group)
{
    static const char *const http[] = {"http_proxy", "all_proxy", "ALL_PROXY", NULL};
    static const char *const https[] = {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY",
                                        NULL};
    group->http_proxy = proxy_url(group->config, environment(http));
    group->https_proxy = proxy_url(group->config, environment(https));
}

static int choose_proxy(void *arg, const char *url, const char **proxy, ferry_error *err)
{
    const struct group *group = arg;
    (void)err;
    *proxy = strncmp(url, "https:", 6) == 0 ? group->https_proxy : group->http_proxy;
    return 0;
}

static const char *no_proxy(const struct config *config)
{
    static const char *const names[] = {"no_proxy", "NO_PROXY", NULL};
    return config->no_proxy ? config->no_proxy : environment(names);
}

/* The fields that curl sends to proxies, and those of --proxy-header. */
static int proxy_fields(struct group *group)
{
    struct texts texts = {0};
    int status = CLI_OK;
    if (!fields_expand(&group->config->proxy_headers, &texts, &status))
        return status;
    group->proxy_fields = calloc(texts.count + 2, sizeof *group->proxy_fields);
    for (size_t i = 0; group->proxy_fields && i < texts.count; i++) {
        char *name, *value, *text = word_keep(texts.items[i], strlen(texts.items[i]));
        if (text && field_parse(text, &name, &value) && value)
            group->proxy_fields[group->proxy_field_count++] = (ferry_field){name, value};
    }
    if (group->proxy_fields && !fields_have(&texts, "User-Agent")) {
        const char *agent = group->config->user_agent;
        group->proxy_fields[group->proxy_field_count++] =
            (ferry_field){"User-Agent", agent ? agent : "ferry/" FERRY_VERSION};
        if (agent && agent[0] == '\0')
            group->proxy_field_count--;
    }
    if (group->proxy_fields && !fields_have(&texts, "Proxy-Connection") &&
        !fields_have(&group->headers, "Proxy-Connection"))
        group->proxy_fields[group->proxy_field_count++] =
            (ferry_field){"Proxy-Connection", "Keep-Alive"};
    free(texts.items);
    if (!group->proxy_fields)
        memory_note_lack(); /* groups_open() says so */
    return CLI_OK;
}

/* ---- Connections ---- */

static bool is_address(const char *text)
{
    unsigned char address[16];
    return inet_pton(AF_INET, text, address) == 1 || inet_pton(AF_INET6, text, address) == 1;
}

/* "if!NAME", "host!ADDRESS", or either without saying which. */
static void local_end(const struct config *config, ferry_transport_options *options)
{
    const char *text = config->interface;
    if (text && strncmp(text, "if!", 3) == 0)
        options->interface = text + 3;
    else if (text && strncmp(text, "host!", 5) == 0)
        options->local_address = text + 5;
    else if (text && is_address(text))
        options->local_address = text;
    else if (text)
        options->interface = text;
    if (config->local_port) {
        const char *dash = strchr(config->local_port, '-');
        options->local_port = atoi(config->local_port);
        options->last_local_port = dash ? atoi(dash + 1) : 0;
    }
}

/* "HOST:PORT" of an entry. */
static size_t host_port_length(const char *entry)
{
    const char *bracket = entry[0] == '[' ? strchr(entry, ']') : NULL;
    const char *colon = strchr(bracket ? bracket : entry, ':');
    return colon ? (size_t)(colon + 1 - entry) + strcspn(colon + 1, ":") : strlen(entry);
}

/* Takes back the entries for that host and port; returns how many are left. */
static size_t take_back(const char **entries, size_t count, const char *host_port)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        size_t len = host_port_length(entries[i]);
        if (len != strlen(host_port) || strncasecmp(entries[i], host_port, len) != 0)
            entries[kept++] = entries[i];
        else
            entries[i] = NULL;
    }
    for (size_t i = kept; i < count; i++)
        entries[i] = NULL;
    return kept;
}

/* The list with a NULL behind it, in *kept, which is the caller's to free. Of --resolve, "+" before
 * an entry (it times out) means nothing here, "-" takes earlier ones back. */
static bool as_list(const struct texts *texts, bool resolve, const char ***kept)
{
    *kept = NULL;
    if (texts->count == 0)
        return true;
    *kept = calloc(texts->count + 1, sizeof **kept);
    size_t count = 0;
    for (size_t i = 0; *kept && i < texts->count; i++) {
        const char *text = texts->items[i];
        if (resolve && text[0] == '-') {
            count = take_back(*kept, count, text + 1);
            continue;
        }
        (*kept)[count++] = text + (resolve && text[0] == '+');
    }
    return *kept != NULL;
}

static const char *unix_socket(const struct config *config)
{
    const char *name = config->abstract_unix_socket;
    if (!name)
        return config->unix_socket;
    return word_join("@", name);
}

static int64_t keep_alive(const struct config *config)
{
    return config->no_keep_alive ? -1 : config->keep_alive_ms > 0 ? config->keep_alive_ms : 60000;
}

int group_transport(struct group *group)
{
    const struct config *config = group->config;
    ferry_tls_options tls, proxy_tls;
    const char **resolve, **connect_to;
    int status = tls_options(config, &config->tls, &tls);
    if (status == CLI_OK)
        status = tls_options(config, &config->proxy_tls, &proxy_tls);
    if (status == CLI_OK)
        status = proxy_fields(group);
    if (status != CLI_OK)
        return status;
    read_environment(group);
    bool standard = is_standard(config, &config->tls);
    bool all_standard = standard && is_standard(config, &config->proxy_tls);
    bool fine = as_list(&config->resolve, true, &resolve);
    fine = as_list(&config->connect_to, false, &connect_to) && fine;
    ferry_transport_options options = {
        .size = sizeof options,
        .unix_socket = unix_socket(config),
        .dial_timeout_ms = config->connect_timeout_ms > 0 ? config->connect_timeout_ms : 300000,
        .tls_handshake_timeout_ms =
            config->connect_timeout_ms > 0 ? config->connect_timeout_ms : 300000,
        .expect_continue_timeout_ms = !config->has_expect_timeout     ? 0
                                      : config->expect_timeout_ms > 0 ? config->expect_timeout_ms
                                                                      : -1,
        .keep_alive_probe_ms = keep_alive(config),
        .disable_compression = !config->compressed,
        .tls = standard ? NULL : &tls,
        .proxy_tls = all_standard ? NULL : &proxy_tls,
        .proxy = proxy_url(config, config->proxy),
        .proxy_fn = config->proxy ? NULL : choose_proxy,
        .proxy_arg = group,
        .no_proxy = no_proxy(config),
        .proxy_fields = group->proxy_fields,
        .proxy_field_count = group->proxy_field_count,
        .proxy_tunnel = config->proxy_tunnel,
        .proxy_digest = config->proxy_auth == AUTH_DIGEST,
        .resolve = resolve,
        .connect_to = connect_to,
        .ip_version = config->ip_version,
        .fallback_delay_ms = config->happy_eyeballs_ms,
        .delay_small_writes = config->delay_small_writes,
        .send_proxy_protocol = config->haproxy_protocol,
        .ignore_content_length = config->ignore_content_length,
    };
    local_end(config, &options);
    if (fine)
        group->transport = ferry_transport_new(&options);
    free(resolve);
    free(connect_to);
    if (group->transport)
        return CLI_OK;
    complain("(27) out of memory");
    return CLI_NO_MEMORY;
}

/* ---- Sharing ---- */

static bool same(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_texts(const struct texts *a, const struct texts *b)
{
    bool alike = a->count == b->count;
    for (size_t i = 0; alike && i < a->count; i++)
        alike = same(a->items[i], b->items[i]);
    return alike;
}

static bool same_tls(const struct tls_config *a, const struct tls_config *b)
{
    return same(a->ca_file, b->ca_file) && same(a->ca_directory, b->ca_directory) &&
           same(a->crl_file, b->crl_file) && same(a->certificate, b->certificate) &&
           same(a->certificate_type, b->certificate_type) && same(a->key, b->key) &&
           same(a->key_type, b->key_type) && same(a->key_password, b->key_password) &&
           same(a->pinned_keys, b->pinned_keys) && same(a->ciphers, b->ciphers) &&
           same(a->cipher_suites, b->cipher_suites) && same(a->groups, b->groups) &&
           a->min_version == b->min_version && a->max_version == b->max_version &&
           a->insecure == b->insecure && a->require_status == b->require_status;
}

static bool same_ends(const struct config *a, const struct config *b)
{
    return same(a->unix_socket, b->unix_socket) &&
           same(a->abstract_unix_socket, b->abstract_unix_socket) &&
           same(a->interface, b->interface) && same(a->local_port, b->local_port) &&
           a->ip_version == b->ip_version && a->connect_timeout_ms == b->connect_timeout_ms &&
           a->keep_alive_ms == b->keep_alive_ms && a->no_keep_alive == b->no_keep_alive &&
           a->happy_eyeballs_ms == b->happy_eyeballs_ms &&
           a->delay_small_writes == b->delay_small_writes &&
           a->haproxy_protocol == b->haproxy_protocol && same_texts(&a->resolve, &b->resolve) &&
           same_texts(&a->connect_to, &b->connect_to);
}

bool groups_alike(const struct config *a, const struct config *b)
{
    return same_ends(a, b) && same_tls(&a->tls, &b->tls) &&
           same_tls(&a->proxy_tls, &b->proxy_tls) && a->no_alpn == b->no_alpn &&
           a->no_session_id == b->no_session_id && same(a->proxy, b->proxy) &&
           same(a->proxy_user, b->proxy_user) && same(a->no_proxy, b->no_proxy) &&
           a->proxy_auth == b->proxy_auth && a->proxy_tunnel == b->proxy_tunnel &&
           same(a->user_agent, b->user_agent) && same_texts(&a->proxy_headers, &b->proxy_headers) &&
           a->compressed == b->compressed && a->ignore_content_length == b->ignore_content_length &&
           a->has_expect_timeout == b->has_expect_timeout &&
           a->expect_timeout_ms == b->expect_timeout_ms;
}
