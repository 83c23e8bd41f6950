/*
 * The server inside libferry-inspect: what its files share. inspect.c starts and stops it,
 * address.c opens its socket, guard.c decides who is let in, answer.c answers, events.c feeds those
 * who watch, json.c and metrics.c write what they see.
 */
#ifndef INSPECT_SERVER_H
#define INSPECT_SERVER_H

#include <ferry.h>

#include <microhttpd.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "extra.h"
#include "watch/snapshot.h"

#define MAX_TOKEN 128

/* One text that several streams may be sending: an event. Under the server's lock. */
struct payload {
    int holds;
    size_t len;
    char *bytes;
};

struct stream;

struct server {
    /* Constant while it serves. */
    struct MHD_Daemon *daemon;
    char *unix_path;                 /* to be removed at the end; NULL: none */
    char host[80], host_by_name[80]; /* what a Host header may say; "": not looked at */
    char token[MAX_TOKEN + 1];       /* "": none */
    char url[256];
    int interval_ms, suspicious_ms;
    struct fy_inspect_extra extra; /* zero: none */
    char *page;                    /* the page's text, with its places filled in */
    size_t page_len;
    pthread_t ticker;
    bool has_ticker;

    pthread_mutex_t lock;  /* of all below */
    pthread_cond_t wanted; /* somebody watches, or it stops */
    struct stream *streams;
    struct payload *latest; /* a hold; NULL: nothing yet */
    uint64_t sequence;      /* of latest: 1, 2, 3 ... */
    bool stopping;
};

/* address.c: a listening socket there, or -1 and *err. Fills in the parts of the server that the
 * address decides. */
int server_listen(struct server *server, const char *address, ferry_error *err);

/* guard.c: 0 when the request is let in, else the status to refuse it with, and *why. */
unsigned guard(const struct server *server, struct MHD_Connection *connection, const char *method,
               const char **why);
bool same_secret(const char *left, const char *right);

/* answer.c: what libmicrohttpd calls; arg is the server. */
enum MHD_Result answer(void *arg, struct MHD_Connection *connection, const char *path,
                       const char *method, const char *version, const char *upload,
                       size_t *upload_len, void **request);

/* The headers that every response has. */
bool add_headers(struct MHD_Response *response, const char *type);

/* events.c. */
int events_start(struct server *server);
void events_stop(struct server *server); /* afterwards nobody is kept waiting */
void events_free(struct server *server);
struct MHD_Response *events_response(struct server *server, struct MHD_Connection *connection);

/* json.c: each writes one JSON value. */
void json_tasks(FILE *out, const ferry_snapshot *snapshot);
void json_connections(FILE *out, const ferry_snapshot *snapshot);
void json_responses(FILE *out, const struct server *server, const ferry_snapshot *snapshot);
void json_event(FILE *out, const struct server *server, const ferry_snapshot *snapshot);

/* metrics.c: Prometheus text. */
void metrics(FILE *out, const ferry_snapshot *snapshot);

/* inspect.c: fills *err; returns -1. */
int inspect_fail(ferry_error *err, int code, int sys_errno, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
