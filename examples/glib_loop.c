/*
 * glib_loop URL...: ferry inside a GLib main loop, as in a GTK program. A GSource of a few lines
 * watches ferry's one descriptor; the window stays alive while the requests, which are tasks, wait.
 */
#include <ferry.h>

#include <glib.h>
#include <stdio.h>

static GMainLoop *loop;
static int running; /* tasks; they and the loop share this thread, so it needs no lock */
static int failed;

/* ------------------------------------------------------------------------ ferry as a source */

static gboolean call_ferry(GSource *source, GSourceFunc callback, gpointer data)
{
    (void)callback;
    (void)data;
    int64_t wanted = ferry_poll();
    g_source_set_ready_time(source, wanted < 0 ? -1 : g_get_monotonic_time() + wanted * 1000);
    return G_SOURCE_CONTINUE;
}

/* No prepare and no check: GLib dispatches when the descriptor is readable or the time has come. */
static GSourceFuncs ferry_source = {.dispatch = call_ferry};

/* ----------------------------------------------------------------------------- the requests */

static void fetch(void *arg)
{
    const char *url = arg;
    char buffer[4096];
    int64_t total = 0;
    ssize_t got = -1;
    ferry_error err;
    ferry_response *res = ferry_get(url, &err);
    if (res != NULL) {
        while ((got = ferry_response_read(res, buffer, sizeof buffer, &err)) > 0) {
            total += got;
        }
    }
    if (got == 0) {
        printf("%s: %d, %lld bytes\n", url, ferry_response_status(res), (long long)total);
    } else {
        fprintf(stderr, "%s\n", err.message);
        failed++;
    }
    ferry_response_close(res);
    if (--running == 0) {
        g_main_loop_quit(loop);
    }
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: glib_loop URL...\n");
        return 2;
    }
    loop = g_main_loop_new(NULL, FALSE);
    GSource *source = g_source_new(&ferry_source, sizeof(GSource));
    g_source_add_unix_fd(source, ferry_poll_fd(), G_IO_IN);
    g_source_set_ready_time(source, 0); /* at once: the first call begins the tasks */
    g_source_attach(source, NULL);

    for (int i = 1; i < argc; i++) {
        running += ferry_go(fetch, argv[i]) == 0;
    }
    g_main_loop_run(loop);

    g_source_destroy(source);
    g_source_unref(source);
    g_main_loop_unref(loop);
    return failed > 0 ? 1 : 0;
}
