/*
 * Reading the ledger: a reader goes from scheduler to scheduler and holds each one's lock for no
 * longer than copying takes; nothing is written or sorted meanwhile. A thread that is in ferry
 * gives its lock up whenever it waits or calls a function of the user's, so nobody waits for long
 * here.
 */
#include "watch/ledger_read.h"

#include <stdlib.h>
#include <string.h>

#include "task/clock.h"
#include "task/sched.h"
#include "watch/ledger.h"

static bool make_room(struct fy_open_responses *all)
{
    if (all->count < all->capacity) {
        return true;
    }
    size_t capacity = all->capacity == 0 ? 16 : all->capacity * 2;
    struct fy_open_response *more = realloc(all->list, capacity * sizeof *more);
    if (more == NULL) {
        return false;
    }
    all->list = more;
    all->capacity = capacity;
    return true;
}

static void copy(struct fy_open_responses *all, const struct fy_ledger_entry *entry)
{
    int64_t now = fy_now();
    char *url = make_room(all) ? strdup(entry->url) : NULL;
    all->open++;
    if (url == NULL) {
        return;
    }
    all->list[all->count++] = (struct fy_open_response){
        .file = entry->file,
        .line = entry->line,
        .url = url,
        .age = now > entry->opened ? now - entry->opened : 0,
        .unread_for = entry->last_read == 0    ? -1
                      : now > entry->last_read ? now - entry->last_read
                                               : 0,
        .bytes_read = entry->bytes_read,
        .length = entry->length,
        .connection = entry->connection,
        .holds_connection = entry->holds_connection,
        .abandoned = entry->abandoned,
        .memory =
            (entry->memory != NULL ? entry->memory(entry) : 0) +
            (entry->holds_connection && entry->held_memory != NULL ? entry->held_memory(entry) : 0),
    };
}

void fy_open_responses_add(struct fy_open_responses *all, struct fy_sched *sched)
{
    FY_LIST_EACH(link, &sched->open_responses)
    {
        copy(all, FY_CONTAINER(link, struct fy_ledger_entry, link));
    }
}

static void visit(struct fy_sched *sched, void *arg)
{
    fy_open_responses_add(arg, sched);
}

static int oldest_first(const void *a, const void *b)
{
    const struct fy_open_response *left = a;
    const struct fy_open_response *right = b;
    return left->age < right->age ? 1 : left->age > right->age ? -1 : 0;
}

void fy_open_responses_sort(struct fy_open_responses *all)
{
    if (all->count > 1) {
        qsort(all->list, all->count, sizeof all->list[0], oldest_first);
    }
}

void fy_open_responses_read(struct fy_open_responses *all)
{
    *all = (struct fy_open_responses){0};
    fy_sched_each(visit, all);
    fy_open_responses_sort(all);
}

void fy_open_responses_free(struct fy_open_responses *all)
{
    for (size_t i = 0; i < all->count; i++) {
        free(all->list[i].url);
    }
    free(all->list);
}

/* ----------------------------------------------------------------------------------- call sites */

static int compare_places(const struct fy_open_response *left, const struct fy_open_response *right)
{
    int order =
        strcmp(left->file != NULL ? left->file : "", right->file != NULL ? right->file : "");
    return order != 0 ? order : left->line - right->line;
}

static int by_place(const void *a, const void *b)
{
    const struct fy_open_response *left = *(const struct fy_open_response *const *)a;
    const struct fy_open_response *right = *(const struct fy_open_response *const *)b;
    int order = compare_places(left, right);
    return order != 0 ? order : oldest_first(left, right);
}

static int most_first(const void *a, const void *b)
{
    const struct fy_call_site *left = a;
    const struct fy_call_site *right = b;
    return left->open < right->open   ? 1
           : left->open > right->open ? -1
                                      : compare_places(left->oldest, right->oldest);
}

static void add(struct fy_call_site *site, const struct fy_open_response *one)
{
    int64_t unread = one->unread_for >= 0 ? one->unread_for : one->age;
    site->open++;
    site->connections += one->holds_connection;
    site->memory += one->memory;
    site->longest_unread = unread > site->longest_unread ? unread : site->longest_unread;
}

struct fy_call_site *fy_call_sites(const struct fy_open_responses *all, size_t *count)
{
    *count = 0;
    if (all->count == 0) {
        return NULL;
    }
    struct fy_call_site *sites = calloc(all->count, sizeof *sites);
    /* Pointers are what is sorted. NOLINTBEGIN(bugprone-sizeof-expression) */
    const struct fy_open_response **sorted = calloc(all->count, sizeof *sorted);
    if (sites == NULL || sorted == NULL) {
        free(sites);
        sites = NULL;
        goto done;
    }
    for (size_t i = 0; i < all->count; i++) {
        sorted[i] = &all->list[i];
    }
    qsort(sorted, all->count, sizeof *sorted, by_place);
    /* NOLINTEND(bugprone-sizeof-expression) */
    for (size_t i = 0; i < all->count; i++) {
        if (i == 0 || compare_places(sorted[i], sorted[i - 1]) != 0) {
            sites[(*count)++].oldest = sorted[i];
        }
        add(&sites[*count - 1], sorted[i]);
    }
    qsort(sites, *count, sizeof *sites, most_first);
done:
    free(sorted);
    return sites;
}
