/*
 * The least of HTTP that a client by hand gets away with against a server that it knows: what the
 * contenders "epoll" and "blocking" share. They set the mark, so this does no more than it must; but
 * it looks at the status, finds Content-Length whatever its case, and waits for the whole body.
 */
#ifndef BENCH_PLAIN_HTTP_H
#define BENCH_PLAIN_HTTP_H

#include <stddef.h>

struct plain_request {
    char bytes[512];
    size_t len;
};

/* A response on its way in. Zeroed is before the first byte. */
struct plain_response {
    char buffer[16384]; /* the head, and of the body what came with it; then the body in pieces */
    size_t len;         /* in the buffer; unused once body_left is known */
    size_t body;        /* length of the body; valid once the head is there */
    size_t body_left;   /* still to come; likewise */
    int head_read;
};

/* The request that every connection repeats. */
void plain_request_make(struct plain_request *request);

/* A connected socket with TCP_NODELAY. Ends the program if there is none. */
int plain_connect(void);

/* Where the next bytes go, and how many there is room for. */
char *plain_room(struct plain_response *response, size_t *room);

/* Takes bytes that have been put there. 1: the response is complete; 0: more must come. Ends the
 * program when they are not what the server should send. */
int plain_take(struct plain_response *response, size_t got);

/* Makes it ready for the next one. Its buffer is not cleared. */
void plain_response_restart(struct plain_response *response);

#endif
