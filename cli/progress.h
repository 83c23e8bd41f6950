/*
 * progress.h: how far downloads are, on a terminal: a line for each that is under way, drawn again
 * in its place. Shows nothing for short transfers. Used by one thread.
 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <ferry.h>

#include <stdbool.h>
#include <stdint.h>

struct progress_line {
    struct progress_line *next; /* in the order of their beginnings */
    const char *name;           /* of the file; shown if there are several */
    int64_t total, done;        /* bytes; total -1: unknown */
    int64_t skipped;            /* of done: what -C had already */
    int64_t started_ms;
    bool added;
};

struct progress {
    bool wanted;   /* somebody looks, and has not said no */
    bool bar_only; /* -# */
    bool several;  /* -Z: names are shown */
    struct progress_line *lines;
    int drawn; /* lines on the screen */
    int64_t drawn_ms;
    ferry_group *ticker; /* of a task that draws when no bytes come; NULL: not begun. Owned */
    bool over;           /* the task is to end */
};

/* A transfer begins; it has so many bytes (-1: unknown). */
void progress_begin(struct progress *progress, struct progress_line *line, const char *name,
                    int64_t total, int64_t skipped);

/* n more bytes. */
void progress_add(struct progress *progress, struct progress_line *line, int64_t n);

/* It is over: its line, if it was on the screen, stays there as it is. */
void progress_end(struct progress *progress, struct progress_line *line);

/* All transfers are over. */
void progress_close(struct progress *progress);

/* Takes the lines away, so that a message can be printed; they come back with the next bytes. */
void progress_hide(struct progress *progress);

#endif
