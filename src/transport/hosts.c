/*
 * The hosts that a transport knows: a tree, in which each stands as long as anything refers to it.
 */
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "transport/pool_books.h"

static int compare_hosts(const void *a, const void *b)
{
    const struct fy_host *left = a;
    const struct fy_host *right = b;
    int order = strcmp(left->host_port, right->host_port);
    order = order != 0 ? order : strcmp(left->scheme, right->scheme);
    return order != 0 ? order : strcmp(left->proxy, right->proxy);
}

struct fy_host *fy_host_find(struct fy_pool *pool, const struct fy_host_key *key)
{
    struct fy_host wanted = {.scheme = (char *)key->scheme,
                             .host_port = (char *)key->host_port,
                             .proxy = (char *)key->proxy};
    struct fy_host **found = tfind(&wanted, &pool->hosts, compare_hosts);
    return found != NULL ? *found : NULL;
}

/* Copies a text to *place, and moves that behind it. */
static char *copy_text(char **place, const char *text)
{
    char *copy = *place;
    *place = stpcpy(copy, text) + 1;
    return copy;
}

/* With its texts behind it: it comes and goes with its connections. */
static struct fy_host *host_new(const struct fy_host_key *key)
{
    size_t texts = strlen(key->scheme) + strlen(key->host_port) + strlen(key->proxy) + 3;
    struct fy_host *host = malloc(sizeof *host + texts);
    if (host == NULL) {
        return NULL;
    }
    *host = (struct fy_host){0};
    char *place = (char *)(host + 1);
    host->scheme = copy_text(&place, key->scheme);
    host->host_port = copy_text(&place, key->host_port);
    host->proxy = copy_text(&place, key->proxy);
    fy_list_init(&host->idle);
    fy_list_init(&host->waiters);
    fy_list_init(&host->queue);
    return host;
}

struct fy_host *fy_host_find_or_make(struct fy_pool *pool, const struct fy_host_key *key)
{
    struct fy_host *host = fy_host_find(pool, key);
    if (host != NULL || (host = host_new(key)) == NULL) {
        return host;
    }
    if (tsearch(host, &pool->hosts, compare_hosts) == NULL) {
        free(host);
        return NULL;
    }
    return host;
}

/* A host that nothing refers to goes, so that a crawler's pool does not grow with the web. */
void fy_host_prune(struct fy_pool *pool, struct fy_host *host)
{
    if (host->conns == 0 && host->dials == 0 && fy_list_empty(&host->waiters)) {
        tdelete(host, &pool->hosts, compare_hosts);
        free(host);
    }
}
