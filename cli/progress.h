/*
 * progress.h: one line on standard error that says how far a download is. Shown only on a
 * terminal, and only once the transfer has taken longer than a moment: what is over at once needs
 * no bar. Used by `ferry URL -o FILE`.
 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    bool wanted;        /* somebody is looking; never changes */
    bool shown;         /* a line has been drawn and not yet been ended */
    int64_t total;      /* bytes expected; -1: unknown */
    int64_t done;       /* bytes so far */
    int64_t started_ms; /* monotonic clock */
    int64_t drawn_ms;   /* when the line was last drawn */
};

/* Begins a transfer of total bytes (-1: unknown). Without wanted nothing is ever drawn. */
void progress_begin(struct progress *progress, int64_t total, bool wanted);

/* Counts bytes, and draws the line if it is time to. */
void progress_add(struct progress *progress, int64_t bytes);

/* Ends the line, if there is one, so that what is written next begins on its own. */
void progress_end(struct progress *progress);

#endif
