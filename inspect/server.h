/*
 * The server inside libferry-inspect: what its files share. inspect.c starts and stops it,
 * address.c opens its socket, guard.c decides who is let in, answer.c answers, events.c feeds those
 * who watch. What they see comes from ferry's public interface, as text: this library has nothing
 * of ferry's insides.
 */
#ifndef INSPECT_SERVER_H
#define INSPECT_SERVER_H

#include <ferry.h>

#include <microhttpd.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "extra.h"

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
    int listening;     /* the socket, until the daemon has it; -1: not any more */
    char *unix_path;   /* to be removed at the end; NULL: none */
    dev_t unix_device; /* what it was when it was made: */
    ino_t unix_inode;  /* another one by now is not removed */
    char hosts[4][80]; /* what a Host header may say; if the first is "": it is not looked at */
    char token[MAX_TOKEN + 1]; /* "": none */
    char url[256];
    int interval_ms, suspicious_ms;
    struct fy_inspect_extra extra; /* zero: none */
    char *page;                    /* the page's text, with its places filled in */
    size_t page_len;
    pthread_t ticker;
    bool has_ticker;

    struct server *before; /* in a child: its parents' ones before this; NULL: none */

    pthread_mutex_t lock;  /* of all below */
    pthread_cond_t wanted; /* somebody watches, or it stops */
    struct stream *streams;
    int stream_count;
    struct payload *latest; /* a hold; NULL: nothing yet */
    uint64_t sequence;      /* of latest: 1, 2, 3 ... */
    bool stopping;
};

/* address.c: makes server->listening, or returns -1 and *err. Fills in the parts of the server that
 * the address decides. */
int server_listen(struct server *server, const char *address, ferry_error *err);

void server_unlink(const struct server *server);

/* guard.c: 0 when the request is let in, else the status to refuse it with, and *why. */
unsigned guard(const struct server *server, struct MHD_Connection *connection, const char *method,
               const char **why);

/* answer.c: what libmicrohttpd calls; arg is the server. */
enum MHD_Result answer(void *arg, struct MHD_Connection *connection, const char *path,
                       const char *method, const char *version, const char *upload,
                       size_t *upload_len, void **request);

/* events.c. */
int events_start(struct server *server);
void events_stop(struct server *server); /* afterwards nobody is kept waiting */
void events_free(struct server *server);
/* NULL: too many watch, or out of memory. */
struct MHD_Response *events_response(struct server *server, struct MHD_Connection *connection);

/* inspect.c: fills *err; returns -1. */
int inspect_fail(ferry_error *err, int code, int os_errno, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
