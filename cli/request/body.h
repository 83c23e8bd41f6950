/*
 * body.h: what a request sends along: data, a form, a file, or standard input as it comes.
 */
#ifndef CLI_REQUEST_BODY_H
#define CLI_REQUEST_BODY_H

#include <ferry.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "pace.h"

enum body_kind { BODY_NONE, BODY_MEMORY, BODY_FILE, BODY_STREAM, BODY_FORM };

/* Zero-filled is none. */
struct body {
    enum body_kind kind;
    char *bytes;              /* BODY_MEMORY; owned */
    int fd;                   /* BODY_FILE, BODY_STREAM */
    int64_t offset;           /* BODY_FILE: where it begins (-C) */
    int64_t length;           /* -1: unknown */
    ferry_form *form;         /* BODY_FORM; owned */
    const char *content_type; /* static; NULL: none of its own */
    bool json;
    struct pace *pace; /* --limit-rate; NULL: none. Borrowed */
    int64_t sent;      /* bytes that have been handed over, if read piece by piece */
    int64_t *counted;  /* where those are added up for the progress; NULL: nowhere */
};

/* What the flags (and -T, upload) make of it. 0; or the exit status, and it has been said. */
int body_open(struct body *body, const struct config *config, const char *upload);

/* Gives it to a request; 0, or -1. */
int body_attach(struct body *body, ferry_request *req, bool chunked);

/* Whether it can be sent once more. */
bool body_can_rewind(const struct body *body);

void body_close(struct body *body);

#endif
