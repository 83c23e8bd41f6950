/*
 * A dial on behalf of a want: who it is for, and how it is called off. Called by get_conn.
 */
#ifndef FY_TRANSPORT_DIAL_JOB_H
#define FY_TRANSPORT_DIAL_JOB_H

#include "task/chan.h"
#include "transport/want.h"

/* Under the lock of its scheduler. */
struct fy_dial_job {
    ferry_transport *transport; /* a hold */
    struct fy_host *host;       /* in which a place is reserved */
    struct fy_host_counts *counts;
    struct fy_want *want; /* a hold; its 'dial' is this until the job is done */
    bool place_lost;      /* the thread ends, and the place has been given back already */
    struct fy_chan canceled;
    struct fy_exit_hook exit;
    /* Copies, behind this struct or in long_texts: the dial may outlive the request. */
    char *name, *host_port;
    char *long_texts; /* NULL: they are not long */
    char *detour;     /* where it goes instead, as a host_port; NULL: there */
    uint16_t port;
    bool secure;            /* https */
    bool in_handshake;      /* TLS is being agreed on */
    int64_t begun;          /* fy_now() */
    struct fy_route route;  /* a copy */
    char *user_agent;       /* for a proxy that is asked for a tunnel; NULL: none */
    ferry_context *context; /* a hold; NULL: none */
    int64_t request_deadline;
    ferry_trace trace; /* zeroed when the want is over: its callbacks may be no more */
    void *trace_arg;
};

/* Starts the dial in the place that is reserved for it; when that cannot be done the want has
 * failed and the place is free again. */
void fy_dial_start(struct fy_want *want);

#endif
