/*
 * Making and keeping c-ares' channels. One that has served is kept in its scheduler, and goes with
 * its thread. Before it serves again, the files that it was made from are looked at: by stat(),
 * which costs a tenth of reading them.
 */
#include "net/lookup_channel.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/errno.h"

static const char *const files[FY_LOOKUP_FILES] = {"/etc/resolv.conf", "/etc/nsswitch.conf",
                                                   "/etc/host.conf"};

static struct {
    const char *servers; /* NULL: the system's */
    int timeout_ms, tries;
    unsigned count; /* how often it was said */
} asked;

void fy_lookup_channel_ask(const char *servers, int timeout_ms, int tries)
{
    asked.servers = servers;
    asked.timeout_ms = timeout_ms;
    asked.tries = tries;
    asked.count++;
}

bool fy_lookup_channel_is_test(void)
{
    return asked.servers != NULL;
}

/* ------------------------------------------------------------------------------ c-ares' memory */

/* Whether an allocation has failed. c-ares calls back on the thread that calls it, and nothing
 * parks between such a failure and the question. */
static _Thread_local bool lacked_memory;

/* Not inlined: who asks may have parked before, and must not use an address from before. */
__attribute__((noinline)) bool fy_lookup_channel_lacked_memory(void)
{
    __asm__ volatile("");
    bool lacked = lacked_memory;
    lacked_memory = false;
    return lacked;
}

static void *noted(void *memory)
{
    if (memory == NULL) {
        lacked_memory = true;
    }
    return memory;
}

static void *get_memory(size_t size)
{
    return noted(malloc(size));
}

static void *change_memory(void *memory, size_t size)
{
    return noted(realloc(memory, size));
}

static pthread_once_t library_once = PTHREAD_ONCE_INIT;
static int library_status;

/* In a program that has initialised c-ares before, that one's allocators stay, and failures of
 * theirs are not noted. */
static void init_library(void)
{
    library_status = ares_library_init_mem(ARES_LIB_INIT_ALL, get_memory, free, change_memory);
}

/* ------------------------------------------------------------------------------- configuration */

static void look_at_files(struct stat found[FY_LOOKUP_FILES])
{
    int saved_errno = errno;
    for (size_t i = 0; i < FY_LOOKUP_FILES; i++) {
        if (stat(files[i], &found[i]) != 0) {
            found[i] = (struct stat){0};
        }
    }
    errno = saved_errno;
}

static bool same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           same_time(a->st_mtim, b->st_mtim) && same_time(a->st_ctim, b->st_ctim);
}

static bool is_current(const struct fy_lookup_channel *channel)
{
    struct stat now[FY_LOOKUP_FILES];
    look_at_files(now);
    for (size_t i = 0; i < FY_LOOKUP_FILES; i++) {
        if (!same_file(&channel->read[i], &now[i])) {
            return false;
        }
    }
    return channel->asked == asked.count;
}

/* ---------------------------------------------------------------------------------- life of one */

static void socket_changed(void *arg, ares_socket_t fd, int readable, int writable)
{
    struct fy_lookup_channel *channel = arg;
    if (channel->socket_changed != NULL) {
        channel->socket_changed(channel->arg, fd, readable != 0, writable != 0);
    }
}

static int open_channel(struct fy_lookup_channel *channel)
{
    struct ares_options options = {.sock_state_cb = socket_changed, .sock_state_cb_data = channel};
    int mask = ARES_OPT_SOCK_STATE_CB;
#ifdef ARES_OPT_QUERY_CACHE
    mask |= ARES_OPT_QUERY_CACHE; /* c-ares' own, since 1.31: none, the transport has one */
    options.qcache_max_ttl = 0;
#endif
    if (asked.servers != NULL) {
        options.timeout = asked.timeout_ms;
        options.tries = asked.tries;
        mask |= ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES;
    }
    int status = ares_init_options(&channel->ares, &options, mask);
    if (status == ARES_SUCCESS && asked.servers != NULL) {
        status = ares_set_servers_ports_csv(channel->ares, asked.servers);
        if (status != ARES_SUCCESS) {
            ares_destroy(channel->ares);
        }
    }
    return status;
}

static void discard(struct fy_lookup_channel *channel)
{
    ares_destroy(channel->ares);
    free(channel);
}

static struct fy_lookup_channel *take_kept(void)
{
    struct fy_sched *sched = fy_sched_running();
    struct fy_lookup_channel *channel = sched->lookup_channel;
    if (channel == NULL) {
        return NULL;
    }
    sched->lookup_channel = NULL;
    fy_list_remove(&channel->exit.link);
    if (is_current(channel)) {
        return channel;
    }
    discard(channel);
    return NULL;
}

int fy_lookup_channel_take(struct fy_lookup_channel **taken)
{
    pthread_once(&library_once, init_library);
    if (library_status != ARES_SUCCESS) {
        return library_status;
    }
    struct fy_lookup_channel *channel = take_kept();
    if (channel == NULL) {
        channel = calloc(1, sizeof *channel);
        if (channel == NULL) {
            return ARES_ENOMEM;
        }
        /* Looked at before they are read: a change in between makes a channel that is not kept. */
        look_at_files(channel->read);
        channel->asked = asked.count;
        int status = open_channel(channel);
        if (status != ARES_SUCCESS) {
            free(channel);
            return status;
        }
    }
    *taken = channel;
    return ARES_SUCCESS;
}

static void thread_ends(struct fy_exit_hook *hook)
{
    struct fy_lookup_channel *channel = FY_CONTAINER(hook, struct fy_lookup_channel, exit);
    fy_sched_running()->lookup_channel = NULL;
    discard(channel);
}

/* In the child of a fork: two processes are not to draw the same numbers for their questions. */
static void begin_anew(struct fy_exit_hook *hook)
{
    fy_list_remove(&hook->link);
    thread_ends(hook);
}

static const struct fy_exit_kind kept_channel = {.run = thread_ends, .forked = begin_anew};

void fy_lookup_channel_give_back(struct fy_lookup_channel *channel, bool fit)
{
    struct fy_sched *sched = fy_sched_running();
    if (!fit || sched->lookup_channel != NULL) {
        discard(channel);
        return;
    }
    channel->socket_changed = NULL;
    channel->exit.kind = &kept_channel;
    fy_list_push_front(&sched->leftovers, &channel->exit.link);
    sched->lookup_channel = channel;
}
