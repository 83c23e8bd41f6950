/*
 * A tree by name and a list by use. What has expired stays until it is found so, or until its place
 * is wanted: the bound on names is the bound on memory.
 */
#include "net/dns_cache.h"

#include <pthread.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/fork.h"
#include "base/list.h"
#include "task/clock.h"

/* An answer of more is not kept, so that a name server cannot fill the memory: nobody races that
 * many. */
#define MOST_ADDRESSES 64

struct answer {
    struct fy_link used; /* in cache->used */
    char *name;          /* the key; case makes no difference (RFC 4343) */
    int64_t until;       /* fy_dns_cache_now() time from which on it is not true any more */
    struct fy_addresses addresses;
};

struct fy_dns_cache {
    int64_t longest; /* nanoseconds; never changes */
    struct fy_fork_lock held;
    pthread_mutex_t lock; /* guards all that follows */
    void *names;          /* tsearch tree of struct answer */
    struct fy_link used;  /* of struct answer, all of them, most recently used first */
    size_t count;
    uint64_t flushes;
};

int64_t fy_dns_cache_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

struct fy_dns_cache *fy_dns_cache_new(int64_t longest_ms)
{
    struct fy_dns_cache *cache = calloc(1, sizeof *cache);
    if (cache == NULL) {
        return NULL;
    }
    if (pthread_mutex_init(&cache->lock, NULL) != 0) {
        free(cache);
        return NULL;
    }
    fy_fork_lock_add(&cache->held, &cache->lock);
    cache->longest =
        longest_ms < INT64_MAX / FY_MILLISECOND ? longest_ms * FY_MILLISECOND : INT64_MAX;
    fy_list_init(&cache->used);
    return cache;
}

/* ------------------------------------------------------------------------------- under the lock */

static int compare(const void *a, const void *b)
{
    const struct answer *left = a;
    const struct answer *right = b;
    return strcasecmp(left->name, right->name);
}

static void answer_free(struct answer *answer)
{
    fy_addresses_free(&answer->addresses);
    free(answer->name);
    free(answer);
}

static struct answer *answer_new(const char *name, const struct fy_addresses *addresses)
{
    struct answer *answer = calloc(1, sizeof *answer);
    if (answer == NULL) {
        return NULL;
    }
    fy_list_init(&answer->used);
    answer->name = strdup(name);
    if (answer->name == NULL || fy_addresses_copy(&answer->addresses, addresses, 0) != 0) {
        answer_free(answer);
        return NULL;
    }
    return answer;
}

static struct answer *find(struct fy_dns_cache *cache, const char *name)
{
    struct answer key = {.name = (char *)name};
    struct answer **found = tfind(&key, &cache->names, compare);
    return found != NULL ? *found : NULL;
}

static void enter(struct fy_dns_cache *cache, struct answer *answer)
{
    if (tsearch(answer, &cache->names, compare) == NULL) {
        answer_free(answer);
        return;
    }
    fy_list_push_front(&cache->used, &answer->used);
    cache->count++;
}

static void discard(struct fy_dns_cache *cache, struct answer *answer)
{
    tdelete(answer, &cache->names, compare);
    fy_list_remove(&answer->used);
    cache->count--;
    answer_free(answer);
}

static void discard_all(struct fy_dns_cache *cache)
{
    while (!fy_list_empty(&cache->used)) {
        discard(cache, FY_CONTAINER(cache->used.next, struct answer, used));
    }
}

/* ------------------------------------------------------------------------------- what it is for */

int fy_dns_cache_find(struct fy_dns_cache *cache, const char *name, int64_t now,
                      struct fy_addresses *addresses, uint16_t port)
{
    int result = 0;
    pthread_mutex_lock(&cache->lock);
    struct answer *answer = find(cache, name);
    if (answer != NULL && now >= answer->until) {
        discard(cache, answer);
    } else if (answer != NULL) {
        fy_list_remove(&answer->used);
        fy_list_push_front(&cache->used, &answer->used);
        result = fy_addresses_copy(addresses, &answer->addresses, port) == 0 ? 1 : -1;
    }
    pthread_mutex_unlock(&cache->lock);
    return result;
}

uint64_t fy_dns_cache_flushes(struct fy_dns_cache *cache)
{
    pthread_mutex_lock(&cache->lock);
    uint64_t flushes = cache->flushes;
    pthread_mutex_unlock(&cache->lock);
    return flushes;
}

void fy_dns_cache_keep(struct fy_dns_cache *cache, const char *name, int64_t now,
                       const struct fy_addresses *addresses, int64_t ttl_seconds, uint64_t flushes)
{
    struct answer *answer = NULL;
    if (ttl_seconds > 0 && addresses->count <= MOST_ADDRESSES) {
        answer = answer_new(name, addresses);
    }
    if (answer != NULL) {
        int64_t ttl = ttl_seconds * 1000000000;
        answer->until = now + (ttl < cache->longest ? ttl : cache->longest);
    }
    pthread_mutex_lock(&cache->lock);
    struct answer *older = find(cache, name);
    if (older != NULL) {
        discard(cache, older);
    }
    if (answer != NULL && flushes != cache->flushes) {
        answer_free(answer);
    } else if (answer != NULL) {
        enter(cache, answer);
    }
    if (cache->count > FY_DNS_CACHE_NAMES) {
        discard(cache, FY_CONTAINER(cache->used.prev, struct answer, used));
    }
    pthread_mutex_unlock(&cache->lock);
}

void fy_dns_cache_drop(struct fy_dns_cache *cache, const char *name)
{
    pthread_mutex_lock(&cache->lock);
    struct answer *answer = find(cache, name);
    if (answer != NULL) {
        discard(cache, answer);
    }
    pthread_mutex_unlock(&cache->lock);
}

void fy_dns_cache_flush(struct fy_dns_cache *cache)
{
    pthread_mutex_lock(&cache->lock);
    discard_all(cache);
    cache->flushes++;
    pthread_mutex_unlock(&cache->lock);
}

void fy_dns_cache_free(struct fy_dns_cache *cache)
{
    if (cache != NULL) {
        discard_all(cache);
        fy_fork_lock_remove(&cache->held);
        pthread_mutex_destroy(&cache->lock);
        free(cache);
    }
}
