/*
 * A persistent connection: a stream, and the two loops that live as long as it does. persist_conn.c
 * has its birth, its death and the round trip over it; read_loop.c and write_loop.c have the loops.
 * All under the lock of the scheduler it belongs to, except where a field says otherwise.
 */
#ifndef FY_TRANSPORT_PERSIST_CONN_H
#define FY_TRANSPORT_PERSIST_CONN_H

#include <stdbool.h>
#include <stdint.h>

#include <ferry.h>

#include "net/stream.h"
#include "net/tls.h"
#include "task/chan.h"
#include "task/sched.h"
#include "transport/conn_input.h"
#include "transport/exchange.h"
#include "transport/transport.h"

/* As an exchange, without gaps. */
struct fy_persist_conn {
    int holds;                  /* each loop's, each exchange's, the pool's while idle */
    int expected;               /* exchanges handed over whose response has not been read */
    ferry_transport *transport; /* a hold */
    struct fy_host *host;
    struct fy_host_counts *counts; /* the host's; outlives it */
    /* Where it lives. Whoever has taken it out of the pool may ask on another thread, too: until that
     * one's lock is held it may still change, once, when its thread ends. */
    _Atomic(struct fy_sched *) sched;
    struct fy_stream *stream; /* closed with the connection, freed with its last hold */
    struct fy_tls_info *tls;  /* a hold; NULL: no TLS */
    struct fy_route route;    /* how it was made, and its requests are written */
    struct fy_conn_input input;
    uint64_t number; /* as dumps and the ledger name it: 1, 2, 3 ... */

    /* From round trip to loops: exchanges. */
    struct fy_chan to_read, to_write;
    void *to_read_place[1], *to_write_place[1];
    struct fy_case to_write_cases[2]; /* what the write loop rests in: to_write, closed */
    struct fy_chan closed;            /* closed when the connection is */
    struct fy_chan gone; /* closed when its loops are, too (or one is left in a user's function) */

    struct fy_task *read_task, *write_task; /* NULL once their loops are over */
    struct fy_exchange *serving; /* the one that was handed over last, until the read loop is done
                                    with it; NULL: none. No hold */
    struct fy_task *caller;      /* who waits for its answer, until its trip is over: to be fetched
                                    ahead, before the exchange is there to lead to it */
    struct fy_exchange *being_written, *being_read; /* by its loops, which hold them; NULL: none */
    uint64_t requests;                              /* handed over */
    uint64_t bytes_written;
    const ferry_error *why; /* once closed: from malloc(), or static when there is no memory */
    enum fy_trip_failure why_failure; /* likewise: what it means for a request that was on it */
    bool is_closed;
    bool body_is_open; /* being_read's response is delivered, and its body's fate not known */
    bool reused;       /* has served a request before the present one */
    bool saw_end;      /* the peer has closed its side */
    bool read_loop_over, write_loop_over;
    bool in_user_function; /* the write loop is in a request's body reader */
    /* The read loop is in a request's put_idle_conn: by then the connection may serve another. */
    bool in_put_trace;
    bool was_put_back; /* another thread wanted it while a loop was at work: the pool is to be told
                          when it rests */
    /* The system is still to be asked to probe the peer: when the connection is kept, or has lived for
     * as long as a peer may be silent. One that serves a single request at once needs none. */
    bool probes_due;

    /* The pool's: under pool.lock. */
    bool is_idle;
    bool rests;         /* idle, and both loops are parked: another thread may take it */
    bool is_fetched;    /* another thread's request has it, and comes for it */
    bool drains;        /* a closed body is being read on */
    bool counted;       /* it takes one of its host's places */
    int64_t idle_since; /* fy_now() */
    struct fy_link idle_link, lru_link;

    struct fy_timer idle_timer; /* looks whether it has been idle too long; not moved at each use */
    /* Closes it with its thread, unless it is idle. Once it is closed: in sched->leftovers, for what
     * loops hold that are discarded with their thread, in a function of the user's. */
    struct fy_exit_hook exit;

    /* Sent home by another thread, which has taken it out of the pool, with the pool's hold. */
    struct fy_post home;
};

/* A connection over a stream, with its loops started, on the running scheduler. Takes the stream
 * over, the hold on what TLS has agreed (NULL: no TLS), and the place in the host's count that the
 * caller has reserved; on NULL (out of memory) all stay the caller's. probes_due: the stream is a
 * socket's, whose peer is to be probed (the option keep_alive_probe_ms) from when it matters. */
struct fy_persist_conn *fy_persist_conn_new(ferry_transport *transport, struct fy_host *host,
                                            struct fy_stream *stream, struct fy_tls_info *tls,
                                            const struct fy_route *route, bool probes_due);

/* Probes of its peer, if they are due, from now on; no matter how late that is, the first one comes
 * when the peer has been silent for its time. */
void fy_persist_conn_probe(struct fy_persist_conn *conn);

void fy_persist_conn_hold(struct fy_persist_conn *conn);
void fy_persist_conn_release(struct fy_persist_conn *conn);

/* Ends it, once, for a reason that becomes conn->why: takes it out of the pool, frees its place,
 * closes its stream and wakes everybody. Returns at once; the loops end when they next run. */
void fy_persist_conn_close(struct fy_persist_conn *conn, enum fy_trip_failure failure,
                           const ferry_error *why);

/* The same with a sentence. */
void fy_persist_conn_close_for(struct fy_persist_conn *conn, enum fy_trip_failure failure, int code,
                               const char *why);

/* Moves a connection that another thread's scheduler has, and that was taken out of the pool while
 * it rested, to the running one; whoever calls this has the pool's hold. Drops this scheduler's
 * lock meanwhile. False: it has closed, or came to be in use there; then that hold is given up. */
bool fy_persist_conn_move_here(struct fy_persist_conn *conn);

/* Parks until the loops of a closed connection have ended. */
void fy_persist_conn_wait_gone(struct fy_persist_conn *conn);

/* Whether the monitor may run its loops while their thread is away: not where they come to
 * functions of the user's. By the read loop, and by whoever hands the connection an exchange. */
void fy_persist_conn_set_unattended(struct fy_persist_conn *conn, bool unattended);

/* Whether an idle connection can be used: nothing has come in on it, no end and no byte. */
bool fy_persist_conn_is_fresh(struct fy_persist_conn *conn);

/* What a read of its stream (or a fill of its input) that brought no bytes means, as *err: got is 0
 * or -errno. ended: the sentence for an end that should not have come here. Returns -1. */
int fy_persist_conn_fail_read(const struct fy_persist_conn *conn, ssize_t got, const char *ended,
                              ferry_error *err);

/* Likewise for a write that failed with -errno. */
int fy_persist_conn_fail_write(const struct fy_persist_conn *conn, int result, ferry_error *err);

/* Sends the exchange's request and waits for the response's head. NULL with *err and *failure. The
 * exchange's req is not touched any more when it returns NULL. */
ferry_response *fy_persist_conn_round_trip(struct fy_persist_conn *conn,
                                           struct fy_exchange *exchange, ferry_error *err,
                                           enum fy_trip_failure *failure);

/* A turn of each loop (fy_loop_start()); arg is the connection. Told at their end. */
enum fy_turn fy_read_loop(void *arg);
enum fy_turn fy_write_loop(void *arg);
void fy_persist_conn_loop_over(struct fy_persist_conn *conn);

/* Tells the request's trace of the connection that it has got, if it wants to know: describe.c. */
void fy_persist_conn_trace(const struct fy_persist_conn *conn, ferry_request *req);

/* The read loop's task, as a snapshot shows it: describe.c. */
struct fy_snapshot_connection;
void fy_persist_conn_describe(const struct fy_task *task,
                              struct fy_snapshot_connection *connection);

#endif
