/*
 * Parking on a descriptor. Whoever wakes the one who waits (the poller, its timer, a close) takes it
 * off the descriptor first, so it is woken once.
 */
#include "task/io.h"

#include <stddef.h>
#include <unistd.h>

#include "base/list.h"
#include "task/clock.h"
#include "task/sched.h"

static int open_as(struct fy_io *io, int fd, bool connecting)
{
    struct fy_sched *sched = fy_sched_running();
    *io = (struct fy_io){.fd = fd,
                         .sched = sched,
                         .readable = !connecting,
                         .writable = !connecting,
                         .watches_writing = connecting};
    if (fy_poller_add(&sched->poller, io) != 0) {
        io->fd = -1;
        return -1;
    }
    return 0;
}

int fy_io_open(struct fy_io *io, int fd)
{
    return open_as(io, fd, false);
}

int fy_io_open_connecting(struct fy_io *io, int fd)
{
    return open_as(io, fd, true);
}

static void finish(struct fy_io_waiter *waiter, enum fy_io_result result)
{
    struct fy_task *task = waiter->task;
    if (task == NULL) {
        return;
    }
    waiter->task = NULL;
    waiter->result = result;
    fy_timer_disarm(&task->sched->timers, &waiter->timer);
    fy_wake(task);
}

void fy_io_close(struct fy_io *io)
{
    if (io->fd < 0) {
        return;
    }
    if (io->sched != NULL) {
        fy_poller_remove(&io->sched->poller, io);
    }
    close(io->fd);
    io->fd = -1;
    finish(&io->reader, FY_IO_CLOSED);
    finish(&io->writer, FY_IO_CLOSED);
}

void fy_io_detach(struct fy_io *io)
{
    if (io->fd >= 0) {
        fy_poller_withdraw(&io->sched->poller, io);
        io->sched = NULL;
        fy_sched_running()->arriving_io = io;
    }
}

int fy_io_attach(struct fy_io *io)
{
    struct fy_sched *sched = fy_sched_running();
    sched->arriving_io = NULL;
    if (io->fd < 0) {
        return 0;
    }
    io->readable = true;
    io->writable = true;
    io->hangup = false;
    if (fy_poller_add(&sched->poller, io) != 0) {
        return -1;
    }
    io->sched = sched;
    return 0;
}

void fy_io_wake_lost(struct fy_io *io)
{
    io->readable = true; /* whoever looks finds it closed */
    io->writable = true;
    finish(&io->reader, FY_IO_CLOSED);
    finish(&io->writer, FY_IO_CLOSED);
}

static void time_out(struct fy_timer *timer)
{
    finish(FY_CONTAINER(timer, struct fy_io_waiter, timer), FY_IO_TIMED_OUT);
}

static void enlist(struct fy_io_waiter *waiter, int64_t deadline)
{
    waiter->task = fy_self();
    if (deadline != FY_NEVER) {
        fy_timer_arm(&waiter->task->sched->timers, &waiter->timer, deadline, time_out);
    }
}

static enum fy_io_result wait_as(struct fy_io_waiter *waiter, int64_t deadline, const char *why)
{
    enlist(waiter, deadline);
    fy_park("IO wait", why);
    return waiter->result;
}

enum fy_io_result fy_io_wait_readable(struct fy_io *io, int64_t deadline, const char *why)
{
    if (io->fd < 0) {
        return FY_IO_CLOSED;
    }
    return io->readable ? FY_IO_READY : wait_as(&io->reader, deadline, why);
}

enum fy_io_result fy_io_rest_readable(struct fy_io *io, int64_t deadline, const char *why)
{
    struct fy_io_waiter *reader = &io->reader;
    if (reader->rests) {
        reader->rests = false;
        return reader->result;
    }
    if (io->fd < 0) {
        return FY_IO_CLOSED;
    }
    if (io->readable) {
        return FY_IO_READY;
    }
    enlist(reader, deadline);
    reader->rests = true;
    fy_task_rest("IO wait", why);
    return FY_IO_RESTS;
}

enum fy_io_result fy_io_wait_writable(struct fy_io *io, int64_t deadline, const char *why)
{
    if (io->fd < 0) {
        return FY_IO_CLOSED;
    }
    if (io->writable) {
        return FY_IO_READY;
    }
    if (!io->watches_writing) {
        fy_poller_watch_writing(&io->sched->poller, io);
    }
    return wait_as(&io->writer, deadline, why);
}

void fy_io_ready(struct fy_io *io, bool readable, bool writable, bool hangup)
{
    io->hangup = io->hangup || hangup;
    if (readable) {
        io->readable = true;
        finish(&io->reader, FY_IO_READY);
    }
    if (writable) {
        io->writable = true;
        finish(&io->writer, FY_IO_READY);
    }
}
