/*
 * Readiness of one descriptor: a task that got EAGAIN waits here until its direction is ready. All
 * under the lock of the scheduler that the descriptor is registered with.
 */
#ifndef FY_TASK_IO_H
#define FY_TASK_IO_H

#include <stdbool.h>
#include <stdint.h>

#include "task/timer.h"

struct fy_sched;
struct fy_task;

enum fy_io_result { FY_IO_READY, FY_IO_TIMED_OUT, FY_IO_CLOSED, FY_IO_RESTS };

/* Who is parked for one direction. Not on its stack: it may rest, and have none. */
struct fy_io_waiter {
    struct fy_task *task; /* NULL: nobody */
    enum fy_io_result result;
    bool rests; /* a loop that has yet to ask for the result */
    struct fy_timer timer;
};

struct fy_io {
    int fd;                 /* owned; -1 once closed */
    struct fy_sched *sched; /* where it is registered; NULL: nowhere, on its way to another */
    uint32_t slot;          /* the poller's */
    /* What the poller saw and nobody has used up since. They start true: the first call finds out. */
    bool readable, writable;
    bool watches_writing; /* the poller is to tell of room for writing, too */
    bool hangup; /* the peer is done sending, or the connection failed: a read will not wait */
    struct fy_io_waiter reader, writer; /* at most one for each direction */
};

/* Registers a non-blocking descriptor with the running scheduler and takes it over. On -1 (errno)
 * the descriptor is still the caller's. */
int fy_io_open(struct fy_io *io, int fd);

/* The same for a socket that is connecting: it becomes writable when that is over. */
int fy_io_open_connecting(struct fy_io *io, int fd);

/* Closes the descriptor; whoever waits gets FY_IO_CLOSED. Again and again if you like. */
void fy_io_close(struct fy_io *io);

/* Takes the descriptor out of its scheduler's poller, under that one's lock, with whoever is parked
 * on it; and registers it with the running scheduler's, where what came in between is found by
 * looking. -1 (errno): it cannot be; then it can only be closed. No wait on it may have a deadline.
 */
void fy_io_detach(struct fy_io *io);
int fy_io_attach(struct fy_io *io);

/* Park until the direction is ready, the deadline (fy_now() time, FY_NEVER) has passed, or it is
 * closed. Return at once when the poller has seen it ready since fy_io_drained(). */
enum fy_io_result fy_io_wait_readable(struct fy_io *io, int64_t deadline, const char *why);
enum fy_io_result fy_io_wait_writable(struct fy_io *io, int64_t deadline, const char *why);

/* A loop's wait between two turns (fy_loop_start()). As fy_io_wait_readable(), but where that would
 * park it returns FY_IO_RESTS: then the turn is to end with FY_TURN_REST, and the next one to begin
 * with the same call, which tells the result. (A task that is no loop parks instead.) */
enum fy_io_result fy_io_rest_readable(struct fy_io *io, int64_t deadline, const char *why);

/* A read got less than it asked for, or EAGAIN: wait for the next edge before trying again. A
 * hang-up that was seen already brings no further edge, so it stays readable. */
static inline void fy_io_drained(struct fy_io *io)
{
    io->readable = io->hangup;
}

/* A write got EAGAIN. */
static inline void fy_io_filled(struct fy_io *io)
{
    io->writable = false;
}

/* In the child of a fork, whose descriptor has been closed already: wakes who waits. */
void fy_io_wake_lost(struct fy_io *io);

/* The poller's: marks what is ready and wakes who waits for it. */
void fy_io_ready(struct fy_io *io, bool readable, bool writable, bool hangup);

#endif
