/*
 * Addresses on 127.0.0.1 where a dial fails: one that refuses, one that never answers. Both hold their port
 * as long as they are there, so that no other program can turn up on it.
 */
#ifndef SUPPORT_DEAD_END_H
#define SUPPORT_DEAD_END_H

#include <stdbool.h>

struct dead_end {
    int port;
    char url[64]; /* http://127.0.0.1:port/ */
    int bound;    /* the socket that holds the port */
    int filler;   /* the connection that fills a silent one's queue; -1: none */
};

/* Every dial is refused. False: errno says why. */
bool dead_end_refuse(struct dead_end *end);

/* No dial is ever answered: the queue of waiting connections is full. False: errno says why. */
bool dead_end_silence(struct dead_end *end);

void dead_end_close(struct dead_end *end);

#endif
