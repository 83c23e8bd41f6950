/*
 * sink.h: where a transfer's body goes: standard output, or a file that is made with its first
 * byte, so that a failure leaves an old file alone.
 */
#ifndef CLI_OUTPUT_SINK_H
#define CLI_OUTPUT_SINK_H

#include <ferry.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "config.h"
#include "plan/operation.h"

struct sink {
    const struct config *config;
    char *path;        /* NULL: standard output. Owned */
    bool from_header;  /* -J has named it: an existing file stays */
    bool asked_stdout; /* -o -: a terminal gets whatever comes */
    bool append;       /* -C */
    bool open;         /* fd is */
    bool style;        /* names in heads are bold: a terminal looks on */
    int fd;
    int64_t begin;     /* where this transfer's bytes begin in the file */
    int64_t bytes;     /* written by this try */
    int status;        /* the first failure; CLI_OK: none */
    char message[300]; /* what it was */
};

/* Names the file, by -o, -O, --output-dir. CLI_OK; else the status, and sink->message. */
int sink_begin(struct sink *sink, const struct operation *operation, bool style);

/* -J: the name that the response gives, if it does. */
int sink_take_name(struct sink *sink, const char *content_disposition);

/* Writes; CLI_OK, or the status, and sink->message. */
int sink_write(struct sink *sink, const char *bytes, size_t len);

/* A response's head, in bold on a terminal. */
int sink_write_head(struct sink *sink, const char *head, size_t len);

/* For another try: what has been written is taken back, where that is possible. */
int sink_again(struct sink *sink);

/* How a transfer has ended. */
enum sink_fate {
    SINK_DONE,
    SINK_UNMET, /* it was not to be had: no file is made for it */
    SINK_FAILED /* with --remove-on-error the file goes */
};

/* The end: an empty body still makes its file; modified (-1: unknown) is for -R; url and type for
 * --xattr (NULL: unknown). */
int sink_end(struct sink *sink, enum sink_fate fate, time_t modified, const char *url,
             const char *type);

/* The file name out of a Content-Disposition field, without folders; NULL: it has none. From
 * malloc(). Pure. */
char *disposition_name(const char *field);

#endif
