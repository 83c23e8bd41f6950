/*
 * run.h: one run of the command: its groups of flags made ready, and the transfers under way. All
 * of it is used by one thread; under -Z by several tasks of that thread, which take turns only
 * where they wait in ferry.
 */
#ifndef CLI_TRANSFER_RUN_H
#define CLI_TRANSFER_RUN_H

#include <ferry.h>

#include <stdbool.h>
#include <stdio.h>

#include "config.h"
#include "output/sink.h"
#include "pace.h"
#include "plan/operation.h"
#include "progress.h"
#include "request/body.h"

struct watch;

/* A group of flags, made ready. */
struct group {
    const struct config *config;
    ferry_transport *transport; /* owned, unless shared */
    bool shared;                /* it is the transport of an earlier group with the same flags */
    struct texts headers;       /* -H, with those of @FILE; texts are kept words. Owned array */
    ferry_field *proxy_fields;  /* --proxy-header; owned array */
    size_t proxy_field_count;
    const char *http_proxy, *https_proxy; /* the environment's; NULL: none. Kept words */
    ferry_hsts *hsts;                     /* --hsts; NULL: none. Owned */
    bool cookies;                         /* the run's jar is used */
    struct texts set_cookies; /* Set-Cookie fields in the files of -b: for whatever URL comes. Owned
                                 array, kept words */
    FILE *heads;              /* -D; NULL: none, or not opened yet */
};

struct run {
    struct run_config *flags;
    struct group *groups;
    size_t group_count;
    struct operations operations;
    ferry_cookie_jar *jar; /* NULL: no group uses cookies */
    FILE *trace;           /* --trace, --trace-ascii; NULL: none */
    struct watch *late;    /* watches whose connection's fate is still to be heard of */
    struct progress progress;
    int status;         /* of the last transfer; under -Z of the last that failed */
    bool stopped;       /* --fail-early, or an order that makes no sense */
    int64_t started_ms; /* of the transfer before, for --rate; 0: there was none */
};

/* What is known of a transfer, for -w. Times are microseconds of the monotonic clock; 0: it has not
 * come to that. */
struct result {
    int status;        /* the exit status */
    char message[400]; /* why, if not 0 */
    int response_code; /* of the last response; 0: none */
    int connect_code;  /* of the last CONNECT's */
    char *head;        /* the last response's, as it came; owned; NULL: none */
    size_t head_len;
    char proto[12];     /* "HTTP/1.1" */
    char *url;          /* the last one, normalised; owned */
    char *redirect_url; /* where it would have led; owned */
    char *referer;      /* owned; NULL: none was sent */
    const char *method;
    char local[80], remote[120]; /* "127.0.0.1:80" */
    uint64_t connection;         /* its number */
    uint64_t connection_requests;
    int put_result; /* enum ferry_put_result; -1: not known */
    int connects, redirects;
    bool tls, verified;
    int64_t header_bytes, request_bytes, downloaded, uploaded;
    int64_t started, name_looked_up, connected, tls_connected, sent, first_byte, hop_started, ended;
    time_t modified; /* Last-Modified; -1: not said */
};

struct transfer {
    struct run *run;
    struct group *group;
    const struct config *config;
    struct operation *operation;
    char *url; /* of the hop that it is at; owned */
    const char *method;
    char *user, *password; /* of -u, or of the URL; NULL: none. Owned */
    struct body body;
    bool body_dropped; /* a redirect has turned the POST into a GET */
    struct sink sink;
    struct pace pace;
    struct watch *watch; /* owned; NULL between hops */
    struct result result;
    struct progress_line line;
    ferry_context *context; /* --max-time, of one try */
    bool own_origin;        /* the hop goes where the user's URL goes: credentials may */
    bool no_expect;         /* the server has answered 417 */
    bool basic_after_all;   /* --anyauth: the server takes no Digest */
    bool unmet;             /* 304, or -z is not met: no file is made */
    bool too_slow;          /* --speed-limit has struck */
    int64_t resume;         /* -C: from where; 0: from the beginning */
};

/* Runs an operation to its end, with retries, -w and messages. The exit status. */
int transfer_run(struct run *run, struct operation *operation);

/* Follows one try through its redirects; result says how it went. */
void transfer_hops(struct transfer *transfer);

/* Takes the body of a final response; the exit status. */
int transfer_receive(struct transfer *transfer, ferry_response *res);

/* result->status and result->message; returns the status. */
int transfer_failed(struct transfer *transfer, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Makes the groups ready: transports, cookies, files. CLI_OK, or it has been said. */
int groups_open(struct run *run);
int groups_close(struct run *run);

#endif
