/*
 * The hosts by name, in a small hash table, because a request asks for its own and for the domains
 * above it; and in the order in which they were last heard of, because the one unheard of for
 * longest goes first when there are too many. One lock for the whole store, never held while
 * anything is waited for; every public function may be called from any thread.
 */
#include "client/hsts.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "base/fork.h"
#include "base/list.h"
#include "client/cookie_scope.h"

#define BUCKETS 1024

/* A host. */
struct known {
    struct known *next;  /* in its bucket */
    struct fy_link link; /* in the store's list */
    int64_t expires;
    bool subdomains;
    char name[]; /* in lower case, IDNA, without the dot of an absolute name */
};

struct ferry_hsts {
    struct fy_fork_lock held;
    pthread_mutex_t lock; /* of all below */
    struct known *buckets[BUCKETS];
    struct fy_link hosts; /* last heard of at the back */
    size_t count;
};

/* ------------------------------------------------------------------------------- under the lock */

static unsigned bucket_of(const char *name)
{
    unsigned hash = 2166136261u; /* FNV-1a */
    for (; *name != '\0'; name++) {
        hash = (hash ^ (unsigned char)*name) * 16777619u;
    }
    return hash % BUCKETS;
}

/* The place that points to the host, or the end of its bucket. */
static struct known **find(ferry_hsts *hsts, const char *name)
{
    struct known **place = &hsts->buckets[bucket_of(name)];
    while (*place != NULL && strcmp((*place)->name, name) != 0) {
        place = &(*place)->next;
    }
    return place;
}

static void forget(ferry_hsts *hsts, struct known **place)
{
    struct known *known = *place;
    *place = known->next;
    fy_list_remove(&known->link);
    hsts->count--;
    free(known);
}

static void make_room(ferry_hsts *hsts, int64_t now)
{
    FY_LIST_EACH_SAFE(link, &hsts->hosts)
    {
        struct known *known = FY_CONTAINER(link, struct known, link);
        if (known->expires <= now) {
            forget(hsts, find(hsts, known->name));
        }
    }
    while (hsts->count >= FY_HSTS_MAX) {
        struct known *known = FY_CONTAINER(hsts->hosts.next, struct known, link);
        forget(hsts, find(hsts, known->name));
    }
}

static struct known *learn(ferry_hsts *hsts, const char *name, int64_t now)
{
    struct known **place = find(hsts, name);
    struct known *known = *place;
    if (known == NULL) {
        size_t size = strlen(name) + 1;
        known = malloc(sizeof *known + size);
        if (known == NULL) {
            return NULL;
        }
        if (hsts->count >= FY_HSTS_MAX) {
            make_room(hsts, now);
            place = find(hsts, name);
        }
        memcpy(known->name, name, size);
        fy_list_init(&known->link);
        known->next = NULL;
        *place = known;
        hsts->count++;
    }
    fy_list_remove(&known->link);
    fy_list_push_back(&hsts->hosts, &known->link);
    return known;
}

static bool speaks_for(ferry_hsts *hsts, const char *name, bool is_itself, int64_t now)
{
    const struct known *known = *find(hsts, name);
    return known != NULL && known->expires > now && (is_itself || known->subdomains);
}

/* The host itself, or a domain that it lies in (section 8.2). */
static bool is_known(ferry_hsts *hsts, const char *host, int64_t now)
{
    bool found = speaks_for(hsts, host, true, now);
    for (const char *dot = strchr(host, '.'); !found && dot != NULL; dot = strchr(dot + 1, '.')) {
        found = dot[1] != '\0' && speaks_for(hsts, dot + 1, false, now);
    }
    return found;
}

/* ------------------------------------------------------------------------------------ the rules */

/* A URL's host as the store has it; false for an address, which has no HSTS (section 8.1.1). */
static bool host_of(char out[FY_HOST_MAX + 1], const char *host)
{
    return fy_cookie_host(out, host, strlen(host)) && out[0] != '\0' && !fy_cookie_host_is_ip(out);
}

bool fy_hsts_wants_tls(ferry_hsts *hsts, const struct fy_url *url, int64_t now)
{
    char host[FY_HOST_MAX + 1];
    if (hsts == NULL || strcmp(url->scheme, "http") != 0 || !host_of(host, url->host)) {
        return false;
    }
    pthread_mutex_lock(&hsts->lock);
    bool known = is_known(hsts, host, now);
    pthread_mutex_unlock(&hsts->lock);
    return known;
}

int fy_hsts_note(ferry_hsts *hsts, const struct fy_url *url, const char *text, size_t len,
                 int64_t now, ferry_error *err)
{
    struct fy_hsts_field field;
    char host[FY_HOST_MAX + 1];
    const char *reason = fy_hsts_parse(&field, text, len);
    if (reason == NULL && strcmp(url->scheme, "https") != 0) {
        reason = "it did not come over https";
    }
    if (reason == NULL && !host_of(host, url->host)) {
        reason = "its host is an address, not a name";
    }
    if (reason != NULL) {
        return fy_fail(err, FERRY_EINVAL, 0, "Strict-Transport-Security of %s is ignored: %s",
                       url->authority, reason);
    }
    int failed = 0;
    pthread_mutex_lock(&hsts->lock);
    if (field.max_age == 0) {
        struct known **place = find(hsts, host);
        if (*place != NULL) {
            forget(hsts, place);
        }
    } else {
        struct known *known = learn(hsts, host, now);
        if (known != NULL) {
            known->expires =
                field.max_age < FY_HSTS_FOREVER - now ? now + field.max_age : FY_HSTS_FOREVER;
            known->subdomains = field.subdomains;
        }
        failed = known == NULL ? -1 : 0;
    }
    pthread_mutex_unlock(&hsts->lock);
    return failed != 0 ? fy_fail_memory(err) : 0;
}

int fy_hsts_put(ferry_hsts *hsts, const char *host, bool subdomains, int64_t expires, int64_t now)
{
    char name[FY_HOST_MAX + 1];
    if (!host_of(name, host) || expires <= now) {
        return 0;
    }
    pthread_mutex_lock(&hsts->lock);
    const struct known *there = *find(hsts, name);
    bool news = there == NULL || there->expires < expires;
    struct known *known = news ? learn(hsts, name, now) : NULL;
    if (known != NULL) {
        known->expires = expires;
        known->subdomains = subdomains;
    }
    pthread_mutex_unlock(&hsts->lock);
    return news && known == NULL ? -1 : 0;
}

void fy_hsts_each(ferry_hsts *hsts, int64_t now,
                  void (*fn)(void *arg, const char *host, bool subdomains, int64_t expires),
                  void *arg)
{
    pthread_mutex_lock(&hsts->lock);
    FY_LIST_EACH(link, &hsts->hosts)
    {
        const struct known *known = FY_CONTAINER(link, struct known, link);
        if (known->expires > now) {
            fn(arg, known->name, known->subdomains, known->expires);
        }
    }
    pthread_mutex_unlock(&hsts->lock);
}

/* --------------------------------------------------------------------------------------- public */

FERRY_API ferry_hsts *ferry_hsts_new(void)
{
    ferry_hsts *hsts = calloc(1, sizeof *hsts);
    if (hsts != NULL && pthread_mutex_init(&hsts->lock, NULL) != 0) {
        free(hsts);
        hsts = NULL;
    }
    if (hsts != NULL) {
        fy_fork_lock_add(&hsts->held, &hsts->lock);
        fy_list_init(&hsts->hosts);
    }
    return hsts;
}

FERRY_API void ferry_hsts_clear(ferry_hsts *hsts)
{
    if (hsts == NULL) {
        return;
    }
    pthread_mutex_lock(&hsts->lock);
    FY_LIST_EACH_SAFE(link, &hsts->hosts)
    {
        free(FY_CONTAINER(link, struct known, link));
    }
    fy_list_init(&hsts->hosts);
    memset(hsts->buckets, 0, sizeof hsts->buckets);
    hsts->count = 0;
    pthread_mutex_unlock(&hsts->lock);
}

FERRY_API void ferry_hsts_free(ferry_hsts *hsts)
{
    if (hsts != NULL) {
        ferry_hsts_clear(hsts);
        fy_fork_lock_remove(&hsts->held);
        pthread_mutex_destroy(&hsts->lock);
        free(hsts);
    }
}

FERRY_API int ferry_hsts_set(ferry_hsts *hsts, const char *url, const char *field, ferry_error *err)
{
    struct fy_url parsed;
    err = FY_ERROR(err);
    if (hsts == NULL || field == NULL) {
        return fy_fail_null(err,
                            hsts == NULL ? "an HSTS store" : "a Strict-Transport-Security field");
    }
    if (fy_url_parse(&parsed, url, err) != 0) {
        return -1;
    }
    int failed = fy_hsts_note(hsts, &parsed, field, strlen(field), (int64_t)time(NULL), err);
    fy_url_free(&parsed);
    return failed;
}

FERRY_API int ferry_hsts_has(ferry_hsts *hsts, const char *host)
{
    char name[FY_HOST_MAX + 1];
    if (hsts == NULL || host == NULL || !host_of(name, host)) {
        return 0;
    }
    pthread_mutex_lock(&hsts->lock);
    bool known = is_known(hsts, name, (int64_t)time(NULL));
    pthread_mutex_unlock(&hsts->lock);
    return known;
}

static void count_one(void *arg, const char *host, bool subdomains, int64_t expires)
{
    (void)host;
    (void)subdomains;
    (void)expires;
    ++*(size_t *)arg;
}

FERRY_API size_t ferry_hsts_count(ferry_hsts *hsts)
{
    size_t count = 0;
    if (hsts != NULL) {
        fy_hsts_each(hsts, (int64_t)time(NULL), count_one, &count);
    }
    return count;
}
