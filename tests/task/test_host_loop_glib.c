/*
 * Driven by GLib's main loop: one source for the descriptor, one for the time that ferry_poll()
 * names. Beside them the loop has work of its own, which goes on.
 */
#include "checked.h"

#include <glib-unix.h>
#include <glib.h>

#include "traffic.h"

static GMainLoop *loop;
static guint timer; /* the source for the time; 0: none */
static int expected;
static int ticks; /* of the loop's own work */

static void poll_ferry(void);

static gboolean when_time_has_come(gpointer data)
{
    (void)data;
    timer = 0;
    poll_ferry();
    return G_SOURCE_REMOVE;
}

static gboolean when_readable(gint fd, GIOCondition condition, gpointer data)
{
    (void)fd;
    (void)condition;
    (void)data;
    poll_ferry();
    return G_SOURCE_CONTINUE;
}

static void poll_ferry(void)
{
    int64_t wanted = ferry_poll();
    if (timer != 0) {
        g_source_remove(timer);
        timer = 0;
    }
    if (wanted >= 0) {
        timer = g_timeout_add((guint)wanted, when_time_has_come, NULL);
    }
    if (traffic_over() == expected) {
        g_main_loop_quit(loop);
    }
}

static gboolean tick(gpointer data)
{
    (void)data;
    ticks++;
    return G_SOURCE_CONTINUE;
}

static gboolean give_up(gpointer data)
{
    *(bool *)data = true;
    g_main_loop_quit(loop);
    return G_SOURCE_REMOVE;
}

static void tasks_progress_in_glibs_main_loop(void)
{
    bool given_up = false;
    loop = g_main_loop_new(NULL, FALSE);
    ticks = 0;
    expected = traffic_start();
    guint readable = g_unix_fd_add(ferry_poll_fd(), G_IO_IN, when_readable, NULL);
    guint ticking = g_timeout_add(1, tick, NULL);
    guint bound = g_timeout_add(50000, give_up, &given_up);
    poll_ferry();
    g_main_loop_run(loop);
    CHECK(!given_up);
    CHECK_INT(traffic_over(), expected);
    CHECK(ticks > 0);
    if (timer != 0) {
        g_source_remove(timer);
        timer = 0;
    }
    g_source_remove(readable);
    g_source_remove(ticking);
    if (!given_up) {
        g_source_remove(bound);
    }
    g_main_loop_unref(loop);
}

static void clicked(gpointer data)
{
    ferry_group_wait(
        data); /* in a callback of the loop: runs the tasks there until they are done */
    g_main_loop_quit(loop);
}

static gboolean click(gpointer data)
{
    clicked(data);
    return G_SOURCE_REMOVE;
}

static int napped;

static void nap(void *arg)
{
    (void)arg;
    ferry_sleep(1);
    napped++;
}

static void a_callback_may_block_in_ferry(void)
{
    ferry_group *group = ferry_group_new();
    loop = g_main_loop_new(NULL, FALSE);
    expected = -1;
    napped = 0;
    for (int i = 0; i < 10; i++) {
        CHECK_INT(ferry_group_go(group, nap, NULL), 0);
    }
    guint readable = g_unix_fd_add(ferry_poll_fd(), G_IO_IN, when_readable, NULL);
    g_idle_add(click, group);
    g_main_loop_run(loop);
    CHECK_INT(napped, 10);
    g_source_remove(readable);
    if (timer != 0) {
        g_source_remove(timer);
        timer = 0;
    }
    g_main_loop_unref(loop);
    ferry_group_free(group);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(tasks_progress_in_glibs_main_loop),
        TEST(a_callback_may_block_in_ferry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
