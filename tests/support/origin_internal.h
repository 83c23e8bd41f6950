/*
 * What the files of the origin share: origin.c (listening, counting, stopping), origin_read.c and
 * origin_send.c (what a serve function calls), origin_client.c (what the client's kernel side has read).
 */
#ifndef SUPPORT_ORIGIN_INTERNAL_H
#define SUPPORT_ORIGIN_INTERNAL_H

#include "origin.h"
#include "temp_dir.h"

#include <pthread.h>
#include <sys/socket.h>

/* A request in the log. Made by its connection's thread; never moved or freed before origin_stop. */
struct origin_record {
    struct origin_request request; /* under events.h's lock; what its strings hold never changes */
};

struct origin_conn {
    struct origin *origin;         /* constant */
    unsigned serial;               /* constant */
    struct sockaddr_storage local; /* constant */
    struct sockaddr_storage peer;  /* constant */
    pthread_t thread;      /* set before the accept thread goes on; joined by it or by stop */
    int fd;                /* written by the connection's thread under the lock; -1: closed */
    uint64_t sent;         /* bytes handed to the kernel; the connection's thread only */
    struct bytes in;       /* received and not yet asked for; the connection's thread only */
    struct bytes received; /* the first of all received; under the lock */
    struct origin_record *record;   /* the last request's; the connection's thread only */
    unsigned requests;              /* heads read; the connection's thread only */
    bool finished;                  /* its thread does nothing more; under the lock */
    struct origin_conn *next_ended; /* of the finished ones, to be joined; under the lock */
};

struct origin {
    struct origin_script script;         /* constant */
    int listener;                        /* constant until stop has joined the accept thread */
    int port;                            /* constant; 0 for a Unix socket */
    char host[64];                       /* constant */
    char directory[TEMP_DIR_SIZE];       /* constant; empty unless a Unix socket */
    char socket_path[TEMP_DIR_SIZE + 8]; /* constant; empty unless a Unix socket */
    pthread_t accept_thread;             /* constant */
    void *table;                         /* what origin_start_reply(s) allocated, freed by stop */

    /* All below: under the lock of events.h. */
    bool stopping;        /* every wait ends, nothing more is accepted */
    bool accept_finished; /* the accept thread does nothing more */
    struct origin_counts counts;
    struct origin_conn **conns; /* by serial number less one; kept until stop */
    size_t conns_capacity;
    struct origin_conn *ended;      /* finished, their threads not joined yet */
    struct origin_record **records; /* the log */
    size_t records_capacity;
    struct strings urls; /* handed out */
};

/* How much of a connection's bytes origin_received keeps. */
#define ORIGIN_RECEIVED_LIMIT ((size_t)1 << 20)

/* How the client's own socket stands, as the kernel sees it. */
enum client_progress {
    CLIENT_UNKNOWN,   /* this kernel does not tell */
    CLIENT_GONE,      /* the socket is no longer connected */
    CLIENT_RECEIVING, /* bytes are under way to it */
    CLIENT_HOLDS,     /* everything has arrived, not everything is read */
    CLIENT_HAS_READ,  /* everything has been read */
};

/* For several questions about one connection; begin and end on the connection's thread. */
struct client_watch {
    const struct origin_conn *conn;
    int diag; /* a netlink socket; -1: none */
};

void client_watch_begin(struct client_watch *watch, const struct origin_conn *conn);
enum client_progress client_watch_look(const struct client_watch *watch);
void client_watch_end(struct client_watch *watch);

#endif
