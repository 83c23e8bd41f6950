/*
 * A name server on 127.0.0.1, UDP and TCP on one port, in a thread of its own. What it answers is
 * in the name's first label:
 *
 *     both       A 127.0.0.1 and 127.0.0.2, AAAA ::1
 *     four       A 127.0.0.1; no AAAA
 *     six        AAAA ::1; no A
 *     long       as both, but over UDP only that it is too long: over TCP, then
 *     cut        as long, but over TCP it hangs up
 *     fail       SERVFAIL
 *     silent     nothing, ever
 *     any other  NXDOMAIN
 */
#ifndef DNS_SERVER_H
#define DNS_SERVER_H

#include <pthread.h>
#include <stdatomic.h>

struct dns_server {
    char address[32]; /* "127.0.0.1:5353", as fy_lookup_ask() takes it */
    atomic_int questions;
    int udp, tcp, stop; /* descriptors */
    pthread_t thread;
};

void dns_server_start(struct dns_server *server);
void dns_server_stop(struct dns_server *server);

#endif
