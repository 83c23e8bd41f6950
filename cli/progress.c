/*
 * progress.c: lines on standard error that say how far downloads are.
 */
#include "progress.h"

#include <stdio.h>
#include <string.h>

#include "pace.h"
#include "terminal.h"

#define MOMENT_MS 500   /* a transfer shorter than this shows nothing */
#define REDRAW_MS 100   /* the lines are drawn no more often than this */
#define QUIET_MS 300    /* ... and, where no bytes come, so often */
#define TICK_MS 50      /* what the end of it all may have to wait */
#define TEXT_COLUMNS 50 /* what stands beside the bar, at most */
#define MOST_LINES 20   /* of many transfers only so many are shown */
#define MAX_BAR 60

static int64_t now_ms(void)
{
    return clock_us() / 1000;
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

/* "[=====>    ]  45%", as wide as the window allows; nothing if the total is unknown or the window
 * too small. */
static void format_bar(char *text, size_t size, const struct progress_line *line, int beside)
{
    int width = cli_columns(stderr) - beside;
    text[0] = '\0';
    if (line->total <= 0 || width < 10)
        return;
    if (width > MAX_BAR)
        width = MAX_BAR;
    double part = (double)line->done / (double)line->total;
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

/* A line that wrapped would be two, and go_up() would find only one of them. */
static void print_line(const char *text)
{
    int most = cli_columns(stderr) - 1;
    fprintf(stderr, "\r%.*s\033[K\n", most, text);
}

static void draw_line(const struct progress *progress, const struct progress_line *line,
                      int64_t now)
{
    double seconds = (double)(now - line->started_ms) / 1000;
    double rate = seconds > 0 ? (double)(line->done - line->skipped) / seconds : 0;
    char bar[MAX_BAR + 16], done[24], speed[24], left[32] = "", name[24] = "", text[200];
    const char *slash = line->name ? strrchr(line->name, '/') : NULL;
    if (progress->several && line->name)
        snprintf(name, sizeof name, "%-18.18s ", slash ? slash + 1 : line->name);
    format_bar(bar, sizeof bar, line, TEXT_COLUMNS + (int)strlen(name));
    format_bytes(done, sizeof done, (double)line->done);
    format_bytes(speed, sizeof speed, rate);
    if (line->total > line->done && rate > 0)
        snprintf(left, sizeof left, ", %.0f s left", (double)(line->total - line->done) / rate);
    if (progress->bar_only && bar[0] != '\0')
        snprintf(text, sizeof text, "%s%s", name, bar);
    else
        snprintf(text, sizeof text, "%s%s%s, %s/s%s", name, bar, done, speed, left);
    print_line(text);
}

static void go_up(struct progress *progress)
{
    if (progress->drawn > 0)
        fprintf(stderr, "\033[%dA", progress->drawn);
    progress->drawn = 0;
}

static void draw(struct progress *progress, int64_t now)
{
    bool drawn_before = progress->drawn > 0;
    go_up(progress);
    for (const struct progress_line *line = progress->lines; line; line = line->next) {
        if (now - line->started_ms < MOMENT_MS)
            continue;
        if (progress->drawn == MOST_LINES) {
            print_line("...");
            progress->drawn++;
            break;
        }
        draw_line(progress, line, now);
        progress->drawn++;
    }
    if (progress->drawn > 0 || drawn_before) {
        fprintf(stderr, "\033[J");
        fflush(stderr);
    }
    progress->drawn_ms = now;
}

void progress_hide(struct progress *progress)
{
    if (progress->drawn == 0)
        return;
    go_up(progress);
    fprintf(stderr, "\r\033[J");
    fflush(stderr);
}

/* Bytes draw the lines; where none come, time does. */
static void tick(void *arg)
{
    struct progress *progress = arg;
    while (!progress->over) {
        ferry_sleep(TICK_MS);
        int64_t now = now_ms();
        if (progress->lines && now - progress->drawn_ms >= QUIET_MS)
            draw(progress, now);
    }
}

static void begin_ticking(struct progress *progress)
{
    if (progress->ticker)
        return;
    progress->ticker = ferry_group_new();
    if (progress->ticker)
        ferry_group_go(progress->ticker, tick, progress);
}

void progress_close(struct progress *progress)
{
    progress->over = true;
    if (progress->ticker)
        ferry_group_wait(progress->ticker);
    ferry_group_free(progress->ticker);
    progress->ticker = NULL;
}

void progress_begin(struct progress *progress, struct progress_line *line, const char *name,
                    int64_t total, int64_t skipped)
{
    struct progress_line **last = &progress->lines;
    if (!progress->wanted || line->added)
        return;
    *line = (struct progress_line){.name = name,
                                   .total = total < 0 ? -1 : total + skipped,
                                   .done = skipped,
                                   .skipped = skipped,
                                   .started_ms = now_ms(),
                                   .added = true};
    while (*last)
        last = &(*last)->next;
    *last = line;
    begin_ticking(progress);
}

void progress_add(struct progress *progress, struct progress_line *line, int64_t n)
{
    if (!line->added)
        return;
    line->done += n;
    int64_t now = now_ms();
    if (now - progress->drawn_ms >= REDRAW_MS && now - line->started_ms >= MOMENT_MS)
        draw(progress, now);
}

void progress_end(struct progress *progress, struct progress_line *line)
{
    struct progress_line **at = &progress->lines;
    if (!line->added)
        return;
    while (*at && *at != line)
        at = &(*at)->next;
    if (*at)
        *at = line->next;
    int64_t now = now_ms();
    if (progress->drawn > 0 && now - line->started_ms >= MOMENT_MS) {
        go_up(progress);
        draw_line(progress, line, now); /* for good, above the others */
        draw(progress, now);
    }
    line->added = false;
}
