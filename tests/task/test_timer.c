/*
 * Timers: the heap against a sorted array, and what a timer may do when it fires. The heap alone,
 * with a time of the test's own.
 */
#include "checked.h"

#include <stdlib.h>
#include <string.h>

#include "task/timer.h"

/* ------------------------------------------------------------------- against a sorted array */

#define TIMERS 500

static struct fy_timer timers[TIMERS];
static int sorted[TIMERS]; /* of armed timers: their indices by when, equal ones in any order */
static int sorted_count;

static int place_of(int index)
{
    for (int i = 0; i < sorted_count; i++) {
        if (sorted[i] == index) {
            return i;
        }
    }
    return -1;
}

static void sorted_insert(int index)
{
    int place = sorted_count++;
    for (; place > 0 && timers[sorted[place - 1]].when > timers[index].when; place--) {
        sorted[place] = sorted[place - 1];
    }
    sorted[place] = index;
}

static void sorted_remove(int index)
{
    int place = place_of(index);
    if (!CHECK(place >= 0)) {
        return;
    }
    sorted_count--;
    memmove(&sorted[place], &sorted[place + 1], (size_t)(sorted_count - place) * sizeof sorted[0]);
}

static int64_t now, last_fired;

static void fired(struct fy_timer *timer)
{
    CHECK(!fy_timer_armed(timer));
    CHECK(timer->when <= now);
    CHECK(timer->when >= last_fired);
    CHECK_INT(timer->when, timers[sorted[0]].when);
    last_fired = timer->when;
    sorted_remove((int)(timer - timers));
}

static void heap_agrees_with_a_sorted_array(void)
{
    struct fy_timers heap = {0};
    uint64_t random = 2024;
    int operations = check_scale(100000, 20000);
    sorted_count = 0;
    now = 0;
    for (int i = 0; i < operations; i++) {
        int index = (int)(check_random(&random) % TIMERS);
        uint32_t choice = check_random(&random) % 100;
        if (choice < 2) {
            now += check_random(&random) % 300;
            last_fired = INT64_MIN;
            fy_timers_fire(&heap, now);
        } else if (fy_timer_armed(&timers[index])) {
            sorted_remove(index);
            fy_timer_disarm(&heap, &timers[index]);
            CHECK(!fy_timer_armed(&timers[index]));
        } else if (choice < 70) {
            fy_timer_arm(&heap, &timers[index], now + check_random(&random) % 1000, fired);
            sorted_insert(index);
        } else {
            fy_timer_disarm(&heap, &timers[index]); /* not armed: nothing happens */
        }
        CHECK((heap.first == NULL) == (sorted_count == 0));
        if (heap.first != NULL && sorted_count > 0) {
            CHECK_INT(heap.first->when, timers[sorted[0]].when);
        }
    }
    now = INT64_MAX;
    last_fired = INT64_MIN;
    fy_timers_fire(&heap, now);
    CHECK_INT(sorted_count, 0);
    CHECK(heap.first == NULL);
}

/* ------------------------------------------------------------------------------ shapes of heaps */

static int64_t count_fired;

static void fire_in_order(struct fy_timer *timer)
{
    CHECK(timer->when >= last_fired);
    last_fired = timer->when;
    count_fired++;
}

/* Orders of arming that make one long list of siblings, or one long chain: no recursion may
 * follow. */
static void long_lists_take_no_stack(void)
{
    int count = check_scale(200000, 20000);
    struct fy_timer *many = calloc((size_t)count, sizeof *many);
    CHECK(many != NULL);
    for (int shape = 0; shape < 4 && many != NULL; shape++) {
        struct fy_timers heap = {0};
        uint64_t random = 7;
        for (int i = 0; i < count; i++) {
            int64_t when = shape == 0   ? i
                           : shape == 1 ? count - i
                           : shape == 2 ? 5
                                        : (int64_t)check_random(&random);
            fy_timer_arm(&heap, &many[i], when, fire_in_order);
        }
        last_fired = INT64_MIN;
        count_fired = 0;
        fy_timers_fire(&heap, INT64_MAX);
        CHECK_INT(count_fired, count);
        CHECK(heap.first == NULL);
    }
    free(many);
}

static void only_what_is_due_fires(void)
{
    struct fy_timers heap = {0};
    struct fy_timer some[10] = {0};
    for (int i = 0; i < 10; i++) {
        fy_timer_arm(&heap, &some[(i * 7) % 10], (i * 7) % 10 * 10, fire_in_order);
    }
    last_fired = INT64_MIN;
    count_fired = 0;
    fy_timers_fire(&heap, -1);
    CHECK_INT(count_fired, 0);
    fy_timers_fire(&heap, 40);
    CHECK_INT(count_fired, 5);
    fy_timers_fire(&heap, 49);
    CHECK_INT(count_fired, 5);
    CHECK_INT(heap.first->when, 50);
    for (int i = 9; i >= 5; i--) {
        CHECK(fy_timer_armed(&some[i]));
        fy_timer_disarm(&heap, &some[i]);
    }
    CHECK(heap.first == NULL);
}

/* ------------------------------------------------------------------------- from inside a firing */

static struct fy_timers live;

static void fire_again_later(struct fy_timer *timer)
{
    count_fired++;
    fy_timer_arm(&live, timer, timer->when + 10, fire_again_later);
}

static void a_timer_arms_itself_again(void)
{
    struct fy_timer timer = {0};
    struct fy_timer other = {0};
    live = (struct fy_timers){0};
    count_fired = 0;
    fy_timer_arm(&live, &timer, 10, fire_again_later);
    fy_timer_arm(&live, &other, 25, fire_again_later);
    fy_timers_fire(&live, 34); /* 10, 20, 25, 30 */
    CHECK_INT(count_fired, 4);
    CHECK_INT(other.when, 35);
    CHECK_INT(timer.when, 40);
    CHECK(live.first == &other);
    fy_timer_disarm(&live, &other);
    fy_timer_disarm(&live, &timer);
    CHECK(live.first == NULL);
}

static struct fy_timer doomed;

static void disarm_another(struct fy_timer *timer)
{
    (void)timer;
    fy_timer_disarm(&live, &doomed);
}

static void a_timer_disarms_another_that_is_due(void)
{
    struct fy_timer first = {0};
    struct fy_timer last = {0};
    live = (struct fy_timers){0};
    count_fired = 0;
    last_fired = INT64_MIN;
    fy_timer_arm(&live, &last, 3, fire_in_order);
    fy_timer_arm(&live, &doomed, 2, fire_in_order);
    fy_timer_arm(&live, &first, 1, disarm_another);
    fy_timers_fire(&live, 5);
    CHECK_INT(count_fired, 1);
    CHECK_INT(last_fired, 3);
    CHECK(live.first == NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(heap_agrees_with_a_sorted_array),
        TEST(long_lists_take_no_stack),
        TEST(only_what_is_due_fires),
        TEST(a_timer_arms_itself_again),
        TEST(a_timer_disarms_another_that_is_due),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
