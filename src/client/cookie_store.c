/*
 * Cookies by domain, in a small hash table, because a request's cookies are those of its host and
 * of the domains above it. Replaces, expires and bounds; the rules for what may come in are the
 * jar's.
 */
#include "client/cookie_store.h"

#include <stdlib.h>
#include <string.h>

static unsigned bucket_of(const char *name)
{
    unsigned hash = 2166136261u; /* FNV-1a */
    for (; *name != '\0'; name++) {
        hash = (hash ^ (unsigned char)*name) * 16777619u;
    }
    return hash % FY_COOKIE_BUCKETS;
}

struct fy_cookie_domain *fy_cookie_store_find(struct fy_cookie_store *store, const char *name)
{
    struct fy_cookie_domain *domain = store->buckets[bucket_of(name)];
    while (domain != NULL && strcmp(domain->name, name) != 0) {
        domain = domain->next;
    }
    return domain;
}

static struct fy_cookie_domain *make_domain(struct fy_cookie_store *store, const char *name)
{
    struct fy_cookie_domain *domain = fy_cookie_store_find(store, name);
    if (domain != NULL) {
        return domain;
    }
    size_t size = strlen(name) + 1;
    domain = malloc(sizeof *domain + size);
    if (domain != NULL) {
        unsigned bucket = bucket_of(name);
        fy_list_init(&domain->cookies);
        domain->count = 0;
        memcpy(domain->name, name, size);
        domain->next = store->buckets[bucket];
        store->buckets[bucket] = domain;
    }
    return domain;
}

void fy_cookie_store_tidy(struct fy_cookie_store *store, struct fy_cookie_domain *domain)
{
    if (domain->count > 0) {
        return;
    }
    struct fy_cookie_domain **place = &store->buckets[bucket_of(domain->name)];
    while (*place != domain) {
        place = &(*place)->next;
    }
    *place = domain->next;
    free(domain);
}

/* Leaves its domain, even when that is empty now. */
static void take_out(struct fy_cookie_store *store, struct fy_cookie *cookie)
{
    fy_list_remove(&cookie->link);
    cookie->in->count--;
    store->count--;
#ifndef __clang_analyzer__ /* which takes it to be in its list still */
    free(cookie);
#endif
}

static struct fy_cookie *find_cookie(struct fy_cookie_domain *domain, const struct fy_cookie *like)
{
    FY_LIST_EACH(link, &domain->cookies)
    {
        struct fy_cookie *cookie = fy_cookie_of(link);
        if (strcmp(cookie->name, like->name) == 0 && strcmp(cookie->path, like->path) == 0 &&
            cookie->host_only == like->host_only) {
            return cookie;
        }
    }
    return NULL;
}

void fy_cookie_store_expire(struct fy_cookie_store *store, struct fy_cookie_domain *domain,
                            int64_t now)
{
    FY_LIST_EACH_SAFE(link, &domain->cookies)
    {
        if (fy_cookie_of(link)->expires <= now) {
            take_out(store, fy_cookie_of(link));
        }
    }
}

/* Which of two goes first: within a domain those not secure, then those not used for longest. */
static bool goes_before(const struct fy_cookie *a, const struct fy_cookie *b)
{
    if (b == NULL) {
        return true;
    }
    return a->secure != b->secure ? !a->secure : a->used < b->used;
}

/* Section 5.7, "excess": the expired ones, then one of a domain that has too many. The cookie to
 * stay is the one that was just put in. */
static void bound_domain(struct fy_cookie_store *store, struct fy_cookie_domain *domain,
                         const struct fy_cookie *stays, int64_t now)
{
    if (domain->count <= FY_COOKIES_PER_DOMAIN) {
        return;
    }
    fy_cookie_store_expire(store, domain, now);
    while (domain->count > FY_COOKIES_PER_DOMAIN) {
        struct fy_cookie *first = NULL;
        FY_LIST_EACH(link, &domain->cookies)
        {
            if (fy_cookie_of(link) != stays && goes_before(fy_cookie_of(link), first)) {
                first = fy_cookie_of(link);
            }
        }
        if (first == NULL) {
            break; /* nothing is left but what stays */
        }
        take_out(store, first);
    }
}

static void bound_all(struct fy_cookie_store *store, const struct fy_cookie *stays, int64_t now)
{
    while (store->count > FY_COOKIES_MAX) {
        struct fy_cookie *first = NULL;
        for (int i = 0; i < FY_COOKIE_BUCKETS; i++) {
            for (struct fy_cookie_domain *domain = store->buckets[i]; domain != NULL;
                 domain = domain->next) {
                FY_LIST_EACH(link, &domain->cookies)
                {
                    struct fy_cookie *cookie = fy_cookie_of(link);
                    bool expired = cookie->expires <= now;
                    if (cookie != stays && (first == NULL || expired ||
                                            (first->expires > now && cookie->used < first->used))) {
                        first = cookie;
                    }
                }
            }
        }
        if (first == NULL) {
            break;
        }
        struct fy_cookie_domain *domain = first->in;
        take_out(store, first);
        fy_cookie_store_tidy(store, domain);
    }
}

/* A copy with its strings behind it. */
static struct fy_cookie *copy_cookie(const struct fy_cookie *like)
{
    size_t name_len = strlen(like->name);
    size_t value_len = strlen(like->value);
    size_t path_len = strlen(like->path);
    struct fy_cookie *cookie = malloc(sizeof *cookie + name_len + value_len + path_len + 3);
    if (cookie == NULL) {
        return NULL;
    }
    *cookie = *like;
    char *to = (char *)(cookie + 1);
    cookie->name = to;
    to = fy_cookie_put_string(to, like->name, name_len);
    cookie->value = to;
    to = fy_cookie_put_string(to, like->value, value_len);
    cookie->path = to;
    fy_cookie_put_string(to, like->path, path_len);
    return cookie;
}

int fy_cookie_store_put(struct fy_cookie_store *store, const char *domain_name,
                        const struct fy_cookie *like, int64_t now)
{
    struct fy_cookie_domain *domain = make_domain(store, domain_name);
    if (domain == NULL) {
        return -1;
    }
    int failed = 0;
    struct fy_cookie *old = find_cookie(domain, like);
    if (like->expires > now) {
        struct fy_cookie *cookie = copy_cookie(like);
        failed = cookie == NULL ? -1 : 0;
        if (cookie != NULL) {
            cookie->in = domain;
            cookie->used = ++store->clock;
            cookie->created = old != NULL ? old->created : cookie->used;
            fy_list_push_back(&domain->cookies, &cookie->link);
            domain->count++;
            store->count++;
            if (old != NULL) {
                take_out(store, old);
            }
            bound_domain(store, domain, cookie, now);
            bound_all(store, cookie, now);
        }
    } else if (old != NULL) {
        take_out(store, old);
    }
    fy_cookie_store_tidy(store, domain);
    return failed;
}

void fy_cookie_store_clear(struct fy_cookie_store *store)
{
    for (int i = 0; i < FY_COOKIE_BUCKETS; i++) {
        struct fy_cookie_domain *domain = store->buckets[i];
        while (domain != NULL) {
            struct fy_cookie_domain *next = domain->next;
            FY_LIST_EACH_SAFE(link, &domain->cookies)
            {
                take_out(store, fy_cookie_of(link));
            }
            free(domain);
            domain = next;
        }
        store->buckets[i] = NULL;
    }
}
