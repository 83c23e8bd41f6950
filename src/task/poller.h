/*
 * The poller: which descriptors became ready. One implementation (epoll) behind this header, which
 * has room for another (kqueue). Each scheduler has one; everything but the wait itself happens
 * under the scheduler's lock.
 */
#ifndef FY_TASK_POLLER_H
#define FY_TASK_POLLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fy_io;

#define FY_POLLER_BATCH 256

/* A registration. Events carry its index and generation, never a pointer: one that was collected
 * before its descriptor was closed finds the generation changed and means nothing. */
struct fy_poller_slot {
    struct fy_io *io; /* NULL: free */
    uint32_t generation;
    uint32_t next_free;
};

struct fy_poller_event {
    uint64_t key;
    bool readable, writable, hangup;
};

/* What one wait brings; large, and so nobody's on a stack. */
struct fy_poller_batch {
    struct fy_poller_event events[FY_POLLER_BATCH];
    char room[FY_POLLER_BATCH * 16]; /* the implementation's */
};

struct fy_poller {
    int fd;           /* -1: not open */
    int alarm_fd;     /* likewise */
    int64_t alarm_at; /* fy_now() time when it rings; INT64_MAX: it has rung, or was never set */
    struct fy_poller_slot *slots;
    uint32_t slot_count, first_free;
};

int fy_poller_open(struct fy_poller *poller);
void fy_poller_close(struct fy_poller *poller);

/* Registers io->fd, edge-triggered, and sets io->slot: for reading, and for writing as well where
 * io->watches_writing says so. -1 with errno. */
int fy_poller_add(struct fy_poller *poller, struct fy_io *io);

/* From now on for writing as well; if there is room already, the next wait says so. */
void fy_poller_watch_writing(struct fy_poller *poller, struct fy_io *io);

/* Forgets io, whose descriptor is about to be closed (which takes it out of the kernel's set). */
void fy_poller_remove(struct fy_poller *poller, struct fy_io *io);

/* Forgets io, whose descriptor stays open, in the kernel's set as well. */
void fy_poller_withdraw(struct fy_poller *poller, struct fy_io *io);

/* In the child of a fork: closes every registered descriptor, and the poller's own, and nothing else:
 * the parent's go on. Then, when there is time, forgets them and wakes who waits for them. */
void fy_poller_close_inherited(struct fy_poller *poller);
void fy_poller_forget_inherited(struct fy_poller *poller);

/* Then makes a new one, which has the same number (-1: any). -1 with errno. */
int fy_poller_reopen(struct fy_poller *poller, int number);

/* A wait that is for ever ends at that time, too, or before, since an alarm that was set for an earlier
 * time stays: so only a time nearer than all before it costs a system call, and no wait has a limit of
 * its own, which the system would have to set and to take back each time. */
void fy_poller_alarm(struct fy_poller *poller, int64_t when);

/* Waits for ever, or not at all, and returns how many events there are. Does not touch the slots: runs
 * without the scheduler's lock. */
int fy_poller_wait(int poller_fd, struct fy_poller_batch *batch, bool for_ever);

/* The io that an event is for; NULL if it is gone, or if it was the alarm, which can then be set again. */
struct fy_io *fy_poller_find(struct fy_poller *poller, uint64_t key);

#endif
