/*
 * A pairing heap: every node's children are a list, merging two heaps makes the later one a child
 * of the earlier, and taking a node out merges its children in pairs. No array that would have to
 * grow, so that arming a timer is never out of memory; most timers here are disarmed before they
 * fire, which costs little while they have no children.
 */
#include "task/timer.h"

#include <stddef.h>

static struct fy_timer *merge(struct fy_timer *a, struct fy_timer *b)
{
    if (a == NULL) {
        return b;
    }
    if (b == NULL) {
        return a;
    }
    if (b->when < a->when) {
        struct fy_timer *earlier = b;
        b = a;
        a = earlier;
    }
    b->prev = a;
    b->next = a->child;
    if (a->child != NULL) {
        a->child->prev = b;
    }
    a->child = b;
    a->next = NULL;
    a->prev = NULL;
    return a;
}

/* Merges a list of siblings into one heap: in pairs from the left, then all from the right. Without
 * recursion, since a list may be as long as there are timers and this runs on small stacks. */
static struct fy_timer *merge_siblings(struct fy_timer *sibling)
{
    struct fy_timer *pairs = NULL;
    while (sibling != NULL) {
        struct fy_timer *a = sibling;
        struct fy_timer *b = a->next;
        sibling = b != NULL ? b->next : NULL;
        a->next = a->prev = NULL;
        if (b != NULL) {
            b->next = b->prev = NULL;
        }
        struct fy_timer *pair = merge(a, b);
        pair->next = pairs;
        pairs = pair;
    }
    struct fy_timer *heap = NULL;
    while (pairs != NULL) {
        struct fy_timer *next = pairs->next;
        pairs->next = NULL;
        heap = merge(heap, pairs);
        pairs = next;
    }
    return heap;
}

void fy_timer_arm(struct fy_timers *timers, struct fy_timer *timer, int64_t when,
                  void (*fire)(struct fy_timer *timer))
{
    *timer = (struct fy_timer){.when = when, .fire = fire};
    timers->first = merge(timers->first, timer);
}

void fy_timer_take_out(struct fy_timers *timers, struct fy_timer *timer)
{
    timer->fire = NULL;
    struct fy_timer *children = merge_siblings(timer->child);
    if (timer == timers->first) {
        timers->first = children;
        return;
    }
    if (timer->prev->child == timer) {
        timer->prev->child = timer->next;
    } else {
        timer->prev->next = timer->next;
    }
    if (timer->next != NULL) {
        timer->next->prev = timer->prev;
    }
    timers->first = merge(timers->first, children);
}

void fy_timers_fire(struct fy_timers *timers, int64_t now)
{
    struct fy_timer *timer;
    while ((timer = timers->first) != NULL && timer->when <= now) {
        void (*fire)(struct fy_timer * timer) = timer->fire;
        fy_timer_take_out(timers, timer);
        fire(timer);
    }
}
