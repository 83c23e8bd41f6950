/*
 * progress.c: the line that says how far a download is.
 */
#include "progress.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "terminal.h"

#define MOMENT_MS 500   /* a transfer shorter than this shows nothing */
#define REDRAW_MS 100   /* the line is drawn no more often than this */
#define TEXT_COLUMNS 50 /* what stands beside the bar, at most */
#define MAX_BAR 60

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* "512 B", "12.3 MiB": never more than four figures. */
static void format_bytes(char *text, size_t size, double bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    size_t unit = 0;
    for (; bytes >= 1000 && unit + 1 < sizeof units / sizeof *units; unit++)
        bytes /= 1024;
    snprintf(text, size, "%.*f %s", unit == 0 ? 0 : 1, bytes, units[unit]);
}

/* "[=====>    ]  45%", as wide as the window allows; nothing if the total is unknown or the
 * window too small. */
static void format_bar(char *text, size_t size, const struct progress *progress)
{
    int width = cli_columns(stderr) - TEXT_COLUMNS;
    text[0] = '\0';
    if (progress->total <= 0 || width < 10)
        return;
    if (width > MAX_BAR)
        width = MAX_BAR;
    double part = (double)progress->done / (double)progress->total;
    if (part > 1)
        part = 1;
    char bar[MAX_BAR + 1];
    int filled = (int)(part * width);
    memset(bar, ' ', (size_t)width);
    memset(bar, '=', (size_t)filled);
    if (filled < width)
        bar[filled] = '>';
    bar[width] = '\0';
    snprintf(text, size, "[%s] %3d%%  ", bar, (int)(part * 100));
}

static void draw(struct progress *progress, int64_t now)
{
    double seconds = (double)(now - progress->started_ms) / 1000;
    double rate = seconds > 0 ? (double)progress->done / seconds : 0;
    char bar[MAX_BAR + 16], done[24], speed[24], left[32] = "";
    format_bar(bar, sizeof bar, progress);
    format_bytes(done, sizeof done, (double)progress->done);
    format_bytes(speed, sizeof speed, rate);
    if (progress->total > progress->done && rate > 0)
        snprintf(left, sizeof left, ", %.0f s left",
                 (double)(progress->total - progress->done) / rate);
    fprintf(stderr, "\r%s%s, %s/s%s\033[K", bar, done, speed, left);
    fflush(stderr);
    progress->shown = true;
    progress->drawn_ms = now;
}

void progress_begin(struct progress *progress, int64_t total, bool wanted)
{
    memset(progress, 0, sizeof *progress);
    progress->wanted = wanted;
    progress->total = total;
    progress->started_ms = wanted ? now_ms() : 0;
}

void progress_add(struct progress *progress, int64_t bytes)
{
    progress->done += bytes;
    if (!progress->wanted)
        return;
    int64_t now = now_ms();
    if (now - progress->started_ms >= MOMENT_MS && now - progress->drawn_ms >= REDRAW_MS)
        draw(progress, now);
}

void progress_end(struct progress *progress)
{
    if (!progress->shown)
        return;
    draw(progress, now_ms());
    fputc('\n', stderr);
    progress->shown = false;
}
