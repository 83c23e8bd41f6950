/*
 * The cookie jar: what may come in (RFC 6265bis section 5.7) and what goes with a request
 * (section 5.8). One lock for the whole jar, never held while anything is waited for; every public
 * function may be called from any thread.
 */
#include "client/cookie_jar.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "base/fork.h"
#include "client/cookie_scope.h"
#include "http/bytes.h"

struct ferry_cookie_jar {
    pthread_mutex_t lock;
    struct fy_fork_lock held;
    struct fy_cookie_store store; /* under lock */
};

/* ------------------------------------------------------------------------- setting from a field */

static bool is_secure(const struct fy_url *url)
{
    return strcmp(url->scheme, "https") == 0;
}

static bool speaks_http(const struct fy_url *url)
{
    return is_secure(url) || strcmp(url->scheme, "http") == 0;
}

static bool begins_with(const char *text, const char *prefix)
{
    size_t len = strlen(prefix);
    return strnlen(text, len) == len && fy_equal_fold(text, prefix, len);
}

/* Section 4.1.3: names that promise how they were set. path_given: by the Path attribute. */
static const char *check_prefix(const struct fy_cookie *cookie, bool path_given)
{
    const char *of = cookie->name[0] != '\0' ? cookie->name : cookie->value;
    bool host = begins_with(of, "__Host-");
    if (!host && !begins_with(of, "__Secure-")) {
        return NULL;
    }
    if (cookie->name[0] == '\0') {
        return "a nameless cookie that looks like one with a prefix";
    }
    if (!cookie->secure) {
        return "its name's prefix promises that it is Secure";
    }
    if (host && (!cookie->host_only || !path_given || strcmp(cookie->path, "/") != 0)) {
        return "its name's prefix promises that it is the host's alone, and of path /";
    }
    return NULL;
}

static bool is_shadowed(const struct fy_cookie *secure, const char *domain,
                        const struct fy_cookie *like, int64_t now)
{
    return secure->secure && secure->expires > now && strcmp(secure->name, like->name) == 0 &&
           (fy_cookie_domain_match(domain, secure->in->name) ||
            fy_cookie_domain_match(secure->in->name, domain)) &&
           fy_cookie_path_match(like->path, secure->path);
}

/* Section 5.7: over http nothing is put in the way of a secure cookie that would be sent along. */
static bool shadows_secure(ferry_cookie_jar *jar, const char *domain, const struct fy_cookie *like,
                           int64_t now)
{
    for (int i = 0; i < FY_COOKIE_BUCKETS; i++) {
        for (struct fy_cookie_domain *at = jar->store.buckets[i]; at != NULL; at = at->next) {
            FY_LIST_EACH(link, &at->cookies)
            {
                if (is_shadowed(fy_cookie_of(link), domain, like, now)) {
                    return true;
                }
            }
        }
    }
    return false;
}

static int64_t expiry_of(const struct fy_set_cookie *set, int64_t now)
{
    int64_t last = now + FY_COOKIE_LIFE_MAX;
    int64_t expires = FY_COOKIE_SESSION;
    if (set->has_max_age) {
        expires = set->max_age <= 0                   ? INT64_MIN
                  : set->max_age < FY_COOKIE_LIFE_MAX ? now + set->max_age
                                                      : last;
    } else if (set->has_expires) {
        expires = set->expires < last ? set->expires : last;
    }
    return expires;
}

static int refuse(ferry_error *err, const struct fy_url *url, const char *reason)
{
    return fy_fail(err, FERRY_EINVAL, 0, "a cookie from %s is refused: %s", url->authority, reason);
}

/* The cookie that a field makes, its strings in 'strings'. NULL, or why it is refused. domain:
 * where it belongs. */
static const char *make_cookie(struct fy_cookie *cookie, const struct fy_set_cookie *set,
                               const struct fy_url *url, char domain[FY_HOST_MAX + 1],
                               char *strings, int64_t now)
{
    char host[FY_HOST_MAX + 1];
    const char *reason;
    *cookie = (struct fy_cookie){.expires = expiry_of(set, now),
                                 .quoted = set->quoted,
                                 .host_only = true,
                                 .secure = set->secure,
                                 .http_only = set->http_only,
                                 .same_site = set->same_site};
    if (!speaks_http(url) || !fy_cookie_host(host, url->host, strlen(url->host))) {
        return "its URL is not one that has cookies";
    }
    memcpy(domain, host, sizeof host);
    if (set->has_domain) {
        if (!fy_cookie_host(domain, set->domain.at, set->domain.len)) {
            return "its Domain is no domain";
        }
        if ((reason = fy_cookie_domain_check(host, domain, &cookie->host_only)) != NULL) {
            return reason;
        }
    }
    cookie->name = strings;
    strings = fy_cookie_put_string(strings, set->name.at, set->name.len);
    cookie->value = strings;
    strings = fy_cookie_put_string(strings, set->value.at, set->value.len);
    size_t path_len = fy_cookie_default_path_len(url->target);
    const char *path = path_len > 0 ? url->target : "/";
    path_len = path_len > 0 ? path_len : 1;
    if (!set->has_path && path_len > FY_COOKIE_MAX) {
        return "the path that it would be for has more than 4096 bytes";
    }
    cookie->path = strings;
    fy_cookie_put_string(strings, set->has_path ? set->path.at : path,
                         set->has_path ? set->path.len : path_len);
    if (cookie->secure && !is_secure(url)) {
        return "it is Secure and came without TLS";
    }
    return check_prefix(cookie, set->has_path);
}

int fy_cookie_jar_set(ferry_cookie_jar *jar, const struct fy_url *url, const char *text, size_t len,
                      int64_t now, ferry_error *err)
{
    struct fy_set_cookie set;
    struct fy_cookie cookie;
    char domain[FY_HOST_MAX + 1];
    const char *reason = fy_set_cookie_parse(&set, text, len);
    if (reason != NULL) {
        return refuse(err, url, reason);
    }
    char *strings = malloc(len + strlen(url->target) + 8);
    if (strings == NULL) {
        return fy_fail_memory(err);
    }
    reason = make_cookie(&cookie, &set, url, domain, strings, now);
    int failed = 0;
    if (reason != NULL) {
        failed = refuse(err, url, reason);
    } else {
        pthread_mutex_lock(&jar->lock);
        if (!cookie.secure && !is_secure(url) && shadows_secure(jar, domain, &cookie, now)) {
            failed = refuse(err, url, "it would hide a Secure one, and came without TLS");
        } else if (fy_cookie_store_put(&jar->store, domain, &cookie, now) != 0) {
            failed = fy_fail_memory(err);
        }
        pthread_mutex_unlock(&jar->lock);
    }
    free(strings);
    return failed;
}

int fy_cookie_jar_put(ferry_cookie_jar *jar, const char *domain, const struct fy_cookie *like,
                      int64_t now, ferry_error *err)
{
    if (!like->host_only && (fy_cookie_host_is_ip(domain) || fy_cookie_public_suffix(domain))) {
        return fy_fail(err, FERRY_EINVAL, 0, "a cookie of all of %s is refused", domain);
    }
    const char *reason = check_prefix(like, true);
    if (reason != NULL) {
        return fy_fail(err, FERRY_EINVAL, 0, "a cookie of %s is refused: %s", domain, reason);
    }
    pthread_mutex_lock(&jar->lock);
    int failed = fy_cookie_store_put(&jar->store, domain, like, now);
    pthread_mutex_unlock(&jar->lock);
    return failed != 0 ? fy_fail_memory(err) : 0;
}

/* -------------------------------------------------------------------------------------- getting */

/* Cookies collected under the lock, to be sorted. */
struct found {
    struct fy_cookie **cookies; /* room for all that the jar has */
    size_t count;
};

/* Section 5.8.3: longer paths first, then older cookies. */
static int by_path(const void *a, const void *b)
{
    const struct fy_cookie *left = *(struct fy_cookie *const *)a;
    const struct fy_cookie *right = *(struct fy_cookie *const *)b;
    size_t left_len = strlen(left->path);
    size_t right_len = strlen(right->path);
    if (left_len != right_len) {
        return left_len > right_len ? -1 : 1;
    }
    return left->created < right->created ? -1 : left->created > right->created;
}

static int by_age(const void *a, const void *b)
{
    const struct fy_cookie *left = *(struct fy_cookie *const *)a;
    const struct fy_cookie *right = *(struct fy_cookie *const *)b;
    return left->created < right->created ? -1 : left->created > right->created;
}

static void find_in(ferry_cookie_jar *jar, const char *domain_name, bool is_host,
                    const struct fy_url *url, int64_t now, struct found *found)
{
    struct fy_cookie_domain *domain = fy_cookie_store_find(&jar->store, domain_name);
    if (domain == NULL) {
        return;
    }
    fy_cookie_store_expire(&jar->store, domain, now);
    FY_LIST_EACH(link, &domain->cookies)
    {
        struct fy_cookie *cookie = fy_cookie_of(link);
        if ((is_host || !cookie->host_only) && (!cookie->secure || is_secure(url)) &&
            fy_cookie_path_match(url->target, cookie->path)) {
            found->cookies[found->count++] = cookie;
        }
    }
    fy_cookie_store_tidy(&jar->store, domain);
}

static void append_cookie(struct fy_buffer *out, const struct fy_cookie *cookie, bool first)
{
    fy_buffer_append_text(out, first ? "" : "; ");
    if (cookie->name[0] != '\0') {
        fy_buffer_append_text(out, cookie->name);
        fy_buffer_append_byte(out, '=');
    }
    fy_buffer_append_text(out, cookie->quoted ? "\"" : "");
    fy_buffer_append_text(out, cookie->value);
    fy_buffer_append_text(out, cookie->quoted ? "\"" : "");
}

int fy_cookie_jar_get(ferry_cookie_jar *jar, const struct fy_url *url, int64_t now,
                      struct fy_buffer *out)
{
    char host[FY_HOST_MAX + 1];
    if (!speaks_http(url) || !fy_cookie_host(host, url->host, strlen(url->host))) {
        return 0;
    }
    bool ip = fy_cookie_host_is_ip(host);
    struct found found = {0};
    pthread_mutex_lock(&jar->lock);
    if (jar->store.count > 0) {
        found.cookies = malloc((size_t)jar->store.count * sizeof(struct fy_cookie *));
        out->failed = out->failed || found.cookies == NULL;
    }
    if (found.cookies != NULL) {
        find_in(jar, host, true, url, now, &found);
        for (const char *dot = strchr(host, '.'); !ip && dot != NULL; dot = strchr(dot + 1, '.')) {
            find_in(jar, dot + 1, false, url, now, &found);
        }
        qsort(found.cookies, found.count, sizeof(struct fy_cookie *), by_path);
        for (size_t i = 0; i < found.count; i++) {
            append_cookie(out, found.cookies[i], i == 0);
            found.cookies[i]->used = ++jar->store.clock;
        }
    }
    pthread_mutex_unlock(&jar->lock);
    free(found.cookies);
    return out->failed ? -1 : 0;
}

int fy_cookie_jar_each(ferry_cookie_jar *jar, int64_t now,
                       void (*fn)(void *arg, const char *domain, const struct fy_cookie *cookie),
                       void *arg)
{
    struct found found = {0};
    int failed = 0;
    pthread_mutex_lock(&jar->lock);
    if (jar->store.count > 0) {
        found.cookies = malloc((size_t)jar->store.count * sizeof(struct fy_cookie *));
        failed = found.cookies == NULL ? -1 : 0;
    }
    for (int i = 0; found.cookies != NULL && i < FY_COOKIE_BUCKETS; i++) {
        for (struct fy_cookie_domain *domain = jar->store.buckets[i]; domain != NULL;
             domain = domain->next) {
            FY_LIST_EACH(link, &domain->cookies)
            {
                if (fy_cookie_of(link)->expires > now) {
                    found.cookies[found.count++] = fy_cookie_of(link);
                }
            }
        }
    }
    if (found.count > 0) {
        qsort(found.cookies, found.count, sizeof(struct fy_cookie *), by_age);
    }
    for (size_t i = 0; i < found.count; i++) {
        fn(arg, found.cookies[i]->in->name, found.cookies[i]);
    }
    pthread_mutex_unlock(&jar->lock);
    free(found.cookies);
    return failed;
}

/* --------------------------------------------------------------------------------------- public */

FERRY_API ferry_cookie_jar *ferry_cookie_jar_new(void)
{
    ferry_cookie_jar *jar = calloc(1, sizeof *jar);
    if (jar != NULL && pthread_mutex_init(&jar->lock, NULL) != 0) {
        free(jar);
        jar = NULL;
    }
    if (jar != NULL) {
        fy_fork_lock_add(&jar->held, &jar->lock);
    }
    return jar;
}

FERRY_API void ferry_cookie_jar_clear(ferry_cookie_jar *jar)
{
    if (jar != NULL) {
        pthread_mutex_lock(&jar->lock);
        fy_cookie_store_clear(&jar->store);
        pthread_mutex_unlock(&jar->lock);
    }
}

FERRY_API void ferry_cookie_jar_free(ferry_cookie_jar *jar)
{
    if (jar != NULL) {
        ferry_cookie_jar_clear(jar);
        fy_fork_lock_remove(&jar->held);
        pthread_mutex_destroy(&jar->lock);
        free(jar);
    }
}

static void count_one(void *arg, const char *domain, const struct fy_cookie *cookie)
{
    (void)domain;
    (void)cookie;
    ++*(size_t *)arg;
}

FERRY_API size_t ferry_cookie_jar_count(ferry_cookie_jar *jar)
{
    size_t count = 0;
    if (jar != NULL) {
        (void)fy_cookie_jar_each(jar, (int64_t)time(NULL), count_one, &count);
    }
    return count;
}

FERRY_API int ferry_cookie_jar_set(ferry_cookie_jar *jar, const char *url, const char *set_cookie,
                                   ferry_error *err)
{
    struct fy_url parsed;
    err = FY_ERROR(err);
    if (jar == NULL || set_cookie == NULL) {
        return fy_fail_null(err, jar == NULL ? "a cookie jar" : "a Set-Cookie field");
    }
    if (fy_url_parse(&parsed, url, err) != 0) {
        return -1;
    }
    int failed =
        fy_cookie_jar_set(jar, &parsed, set_cookie, strlen(set_cookie), (int64_t)time(NULL), err);
    fy_url_free(&parsed);
    return failed;
}

FERRY_API char *ferry_cookie_jar_get(ferry_cookie_jar *jar, const char *url, ferry_error *err)
{
    struct fy_url parsed;
    struct fy_buffer out = {0};
    err = FY_ERROR(err);
    if (jar == NULL) {
        fy_fail_null(err, "a cookie jar");
        return NULL;
    }
    if (fy_url_parse(&parsed, url, err) != 0) {
        return NULL;
    }
    int failed = fy_cookie_jar_get(jar, &parsed, (int64_t)time(NULL), &out);
    fy_buffer_append_byte(&out, '\0');
    if (failed != 0 || out.failed) {
        fy_fail_memory(err);
        fy_buffer_free(&out);
    }
    fy_url_free(&parsed);
    return out.bytes;
}

/* What a visit is told, in the public form. */
struct visit {
    ferry_cookie_fn fn;
    void *arg;
};

static void visit_one(void *arg, const char *domain, const struct fy_cookie *cookie)
{
    const struct visit *visit = arg;
    const ferry_cookie shown = {
        .size = sizeof shown,
        .name = cookie->name,
        .value = cookie->value,
        .domain = domain,
        .path = cookie->path,
        .expires = cookie->expires == FY_COOKIE_SESSION ? 0 : cookie->expires,
        .host_only = cookie->host_only,
        .secure = cookie->secure,
        .http_only = cookie->http_only,
        .same_site = (int)cookie->same_site,
    };
    visit->fn(visit->arg, &shown);
}

FERRY_API int ferry_cookie_jar_each(ferry_cookie_jar *jar, ferry_cookie_fn fn, void *arg)
{
    struct visit visit = {fn, arg};
    if (jar == NULL || fn == NULL) {
        return -1;
    }
    return fy_cookie_jar_each(jar, (int64_t)time(NULL), visit_one, &visit);
}
