/*
 * c-ares' channels. Making one reads the resolver's configuration, so one is kept for each
 * scheduler's next lookup, as long as that configuration stays what it was. A channel serves one
 * lookup at a time, and has no descriptors between two. Called by lookup.c.
 */
#ifndef FY_NET_LOOKUP_CHANNEL_H
#define FY_NET_LOOKUP_CHANNEL_H

#include <ares.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "task/sched.h"

/* What c-ares reads when a channel is made. */
#define FY_LOOKUP_FILES 3

struct fy_lookup_channel {
    ares_channel ares;
    /* Called when a socket is to be watched otherwise, or (both false) no more. The user's. */
    void (*socket_changed)(void *arg, int fd, bool readable, bool writable);
    void *arg;
    /* This file's. */
    struct fy_exit_hook exit;          /* in the scheduler's leftovers while it is kept */
    unsigned asked;                    /* which of fy_lookup_channel_ask()'s calls it heeds */
    struct stat read[FY_LOOKUP_FILES]; /* as they were; zeroed: there was none */
};

/* A channel to be given back on this scheduler: ARES_SUCCESS, or c-ares' status. */
int fy_lookup_channel_take(struct fy_lookup_channel **channel);

/* fit: it may serve again. Otherwise what it was asked for is over, with ARES_EDESTRUCTION. */
void fy_lookup_channel_give_back(struct fy_lookup_channel *channel, bool fit);

/* Whether an allocation of c-ares' on this thread has failed since the last time this was asked.
 * Not every such failure ends in ARES_ENOMEM: a name that c-ares has no memory to find is "not
 * found". */
bool fy_lookup_channel_lacked_memory(void);

/* fy_lookup_ask(). */
void fy_lookup_channel_ask(const char *servers, int timeout_ms, int tries);

/* Whether that was given servers. */
bool fy_lookup_channel_is_test(void);

#endif
