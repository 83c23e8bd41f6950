/*
 * tracer.h: lines of -v, and of the files of --trace and --trace-ascii.
 */
#ifndef CLI_TRANSFER_TRACER_H
#define CLI_TRANSFER_TRACER_H

#include <stddef.h>

#include "transfer/run.h"

enum trace_kind {
    TRACE_SAID, /* "* " ferry does something */
    TRACE_SENT, /* "> " a head */
    TRACE_CAME, /* "< " a head */
    TRACE_SENT_BODY,
    TRACE_CAME_BODY
};

/* Opens what the flags name. CLI_OK, or it has been said. */
int tracer_open(struct run *run);
void tracer_close(struct run *run);

/* Whether anybody wants to know. */
bool tracer_wanted(const struct run *run);

void tracer_write(struct run *run, enum trace_kind kind, const char *bytes, size_t len);

#endif
