/*
 * The least of HTTP, and of TLS below it, that a client by hand gets away with against a server that it
 * knows: what the contenders "epoll" and "blocking" share. They set the mark, so this does no more than
 * it must; but it looks at the status, finds Content-Length whatever its case, and waits for the whole
 * body.
 */
#ifndef BENCH_RAW_H
#define BENCH_RAW_H

#include <stddef.h>
#include <sys/types.h>

#include "bench.h"

typedef struct ssl_st SSL;
typedef struct ssl_session_st SSL_SESSION;

/* A connection of a worker, one after the other. Zeroed, but for fd -1, is before the first. */
struct raw {
    int fd;               /* -1: none */
    int worker;           /* whose it is: decides the address */
    SSL *ssl;             /* NULL: plain */
    SSL_SESSION *session; /* for the next connection; NULL: none yet */
};

/* A response on its way in. Zeroed, but for the buffer, is before the first byte. */
struct raw_response {
    char *buffer; /* bench.buffer bytes: the head, and of the body what came with it; then pieces */
    size_t len;   /* in the buffer; unused once the head is read */
    size_t body;  /* length of the body; valid once the head is read */
    size_t body_left; /* still to come; likewise */
    bool head_read;
};

/* Before and after all else. */
void raw_begin(void);
void raw_end(void);

/* A connected socket with TCP_NODELAY, the TLS handshake made. Ends the program if there is none. */
void raw_connect(struct raw *raw);

/* The same without waiting. The first leaves a non-blocking socket that becomes writable; the second goes
 * on with the handshake (plain: at once done) and returns whether it is done. */
void raw_connect_begin(struct raw *raw);
bool raw_handshake(struct raw *raw);

/* As recv: -1 with EAGAIN: not now. */
ssize_t raw_read(struct raw *raw, void *buffer, size_t len);

/* Sends the request, waiting if need be; a large body goes out from its file, by sendfile where nothing
 * is encrypted. Ends the program when it cannot. */
void raw_send(struct raw *raw);

/* The same of a small request, which always fits into the socket's empty buffer; and of one that is
 * another than what the arguments ask for. */
void raw_send_small(struct raw *raw);
void raw_send_other(struct raw *raw, const char *bytes, size_t len);

/* Says goodbye (TLS) and closes; the worker's session stays for its next connection. */
void raw_close(struct raw *raw);

/* Closes what is open, and drops the session. */
void raw_forget(struct raw *raw);

/* Where the next bytes go, and how many there is room for. */
char *raw_room(struct raw_response *response, size_t *room);

/* Takes bytes that have been put there. 1: the response is complete; 0: more must come. Ends the program
 * when they are not what the server should send. *body: where those that are of the body begin; they
 * reach to the end of what was put there. */
int raw_take(struct raw_response *response, size_t got, char **body);

/* Makes it ready for the next one. Its buffer is not cleared. */
void raw_restart(struct raw_response *response);

#endif
