/*
 * Intrusive doubly linked lists: a head that is a link to itself when empty, links embedded in what
 * is listed.
 */
#ifndef FY_BASE_LIST_H
#define FY_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct fy_link {
    struct fy_link *next;
    struct fy_link *prev;
};

/* The struct that a link is embedded in. */
#define FY_CONTAINER(link, type, member) ((type *)((char *)(link)-offsetof(type, member)))

#define FY_LIST_EACH(link, list) \
    for (struct fy_link *link = (list)->next; link != (list); link = link->next)

/* As FY_LIST_EACH, where the body may take the link itself out. */
#define FY_LIST_EACH_SAFE(link, list)                                                    \
    for (struct fy_link *link = (list)->next, *link##_next = link->next; link != (list); \
         link = link##_next, link##_next = link->next)

static inline void fy_list_init(struct fy_link *list)
{
    list->next = list;
    list->prev = list;
}

static inline bool fy_list_empty(const struct fy_link *list)
{
    return list->next == list;
}

static inline void fy_list_insert_before(struct fy_link *place, struct fy_link *link)
{
    link->prev = place->prev;
    link->next = place;
    place->prev->next = link;
    place->prev = link;
}

static inline void fy_list_push_back(struct fy_link *list, struct fy_link *link)
{
    fy_list_insert_before(list, link);
}

static inline void fy_list_push_front(struct fy_link *list, struct fy_link *link)
{
    fy_list_insert_before(list->next, link);
}

/* Leaves the link pointing to itself, so that taking it out again does no harm and
 * fy_list_empty(link) says "in no list". */
static inline void fy_list_remove(struct fy_link *link)
{
    link->prev->next = link->next;
    link->next->prev = link->prev;
    fy_list_init(link);
}

/* The first link, taken out; NULL if the list is empty. */
static inline struct fy_link *fy_list_pop_front(struct fy_link *list)
{
    struct fy_link *first = list->next;
    if (first == list) {
        return NULL;
    }
    fy_list_remove(first);
    return first;
}

#endif
