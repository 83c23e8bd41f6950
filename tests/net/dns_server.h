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
 *     short      A 127.0.0.1 for 30 seconds, AAAA ::1 for 20
 *     alias      an alias for 10 seconds, of a name with A 127.0.0.1 for 30; no AAAA
 *     moment     A 127.0.0.1 for 0 seconds; no AAAA
 *     past       A 127.0.0.1 for -5 seconds, as some would read it; no AAAA
 *     held       as four, but the first so many questions are not answered
 *     any other  NXDOMAIN
 *
 * What is not said to be otherwise is good for 60 seconds.
 */
#ifndef DNS_SERVER_H
#define DNS_SERVER_H

#include <pthread.h>
#include <stdatomic.h>

struct dns_server {
    char address[32]; /* "127.0.0.1:5353", as fy_lookup_ask() takes it */
    atomic_int questions;
    atomic_int hold;    /* so many questions for "held" from now on are not answered */
    int udp, tcp, stop; /* descriptors */
    pthread_t thread;
};

void dns_server_start(struct dns_server *server);
void dns_server_stop(struct dns_server *server);

#endif
