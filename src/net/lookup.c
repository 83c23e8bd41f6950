/*
 * Lookups by c-ares. Each has a c-ares channel to itself, whose sockets are watched by a private
 * epoll descriptor; that one is registered with the scheduler as any descriptor is. A task can wait
 * for a descriptor or for channels, not for both: so a small task, the watch, waits for the epoll
 * descriptor and says on a channel when there is something to do, and the one that looks up waits
 * for that channel, the cancellation and the clock at once. Only the latter ever calls c-ares.
 *
 * When fy_lookup() returns the watch is over and every descriptor closed.
 */
#include "net/lookup.h"

#include <ares.h>
#include <limits.h>
#include <sys/epoll.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/errno.h"
#include "base/error.h"
#include "base/sigpipe.h"
#include "net/lookup_channel.h"
#include "task/clock.h"
#include "task/io.h"
#include "task/sched.h"

struct lookup {
    struct fy_lookup_channel *channel;
    int sockets; /* of the channel, open now */
    /* The watch's. */
    struct fy_io io;      /* of the epoll descriptor over c-ares' sockets */
    struct fy_chan ready; /* has a value when that may have events; closed when the watch is over */
    void *ready_place[1];
    /* c-ares' results. */
    struct ares_addrinfo *found; /* ours once done; NULL: none */
    int status;                  /* valid once done */
    bool done;
    bool lacked_memory; /* c-ares has, at some point: whatever it says may be wrong */
    int unwatched;      /* the errno with which a socket could not be watched; 0: all are */
};

void fy_lookup_ask(const char *servers, int timeout_ms, int tries)
{
    fy_lookup_channel_ask(servers, timeout_ms, tries);
}

/* ---------------------------------------------------------------------------------- the watch */

static void watch(void *arg)
{
    struct lookup *self = arg;
    while (fy_io_wait_readable(&self->io, FY_NEVER, "waiting for a name server") == FY_IO_READY) {
        /* The edge is used up before the word is given, and only then the events are taken: what
         * comes in between brings another. */
        fy_io_drained(&self->io);
        fy_chan_try_send(&self->ready, NULL); /* a value that is there already says it, too */
    }
    fy_chan_close(&self->ready);
}

static int open_watch(struct lookup *self)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0) {
        return -1;
    }
    if (fy_io_open(&self->io, epoll) != 0) {
        int error = errno;
        close(epoll);
        errno = error;
        return -1;
    }
    fy_chan_init(&self->ready, self->ready_place, 1);
    if (fy_task_start(FY_TASK_LIBRARY, FY_STACK_SMALL, "name lookup", watch, self) == NULL) {
        fy_io_close(&self->io);
        return -1;
    }
    return 0;
}

static void close_watch(struct lookup *self)
{
    fy_io_close(&self->io);
    while (fy_chan_receive(&self->ready, NULL, "ending a name lookup")) {}
}

/* --------------------------------------------------------------------------- what c-ares calls */

static void socket_changed(void *arg, int fd, bool readable, bool writable)
{
    struct lookup *self = arg;
    struct epoll_event event = {.data.fd = fd};
    if (!readable && !writable) {
        (void)epoll_ctl(self->io.fd, EPOLL_CTL_DEL, fd, &event);
        self->sockets--;
        return;
    }
    event.events = (readable ? EPOLLIN : 0) | (writable ? EPOLLOUT : 0);
    if (epoll_ctl(self->io.fd, EPOLL_CTL_MOD, fd, &event) == 0) {
        return;
    }
    if (errno != ENOENT || epoll_ctl(self->io.fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        self->unwatched = errno;
    }
    self->sockets++;
}

static void answered(void *arg, int status, int timeouts, struct ares_addrinfo *found)
{
    (void)timeouts;
    struct lookup *self = arg;
    self->status = status;
    self->found = found;
    self->done = true;
}

/* ------------------------------------------------------------------------------ calling c-ares */

static void begin(struct lookup *self, const char *name)
{
    struct fy_sigpipe held;
    const struct ares_addrinfo_hints hints = {
        .ai_flags = fy_lookup_channel_is_test() ? ARES_AI_ENVHOSTS : 0,
        .ai_family = AF_UNSPEC,
        .ai_socktype = SOCK_STREAM,
    };
    fy_sigpipe_hold(&held);
    ares_getaddrinfo(self->channel->ares, name, NULL, &hints, answered, self);
    fy_sigpipe_release(&held, true);
    self->lacked_memory |= fy_lookup_channel_lacked_memory();
}

/* fd ARES_SOCKET_BAD: for timeouts only. */
static void process(struct lookup *self, ares_socket_t fd, uint32_t events)
{
    const uint32_t broken = EPOLLERR | EPOLLHUP;
    struct fy_sigpipe held;
    fy_sigpipe_hold(&held);
    ares_process_fd(self->channel->ares, (events & (EPOLLIN | broken)) != 0 ? fd : ARES_SOCKET_BAD,
                    (events & (EPOLLOUT | broken)) != 0 ? fd : ARES_SOCKET_BAD);
    fy_sigpipe_release(&held, true);
    self->lacked_memory |= fy_lookup_channel_lacked_memory();
}

/* Whether there was anything. */
static bool process_events(struct lookup *self)
{
    struct epoll_event events[8];
    int count = epoll_wait(self->io.fd, events, 8, 0);
    for (int i = 0; i < count && !self->done && !self->lacked_memory; i++) {
        process(self, events[i].data.fd, events[i].events);
    }
    return count > 0;
}

/* When c-ares wants to be called anyway. It may have dropped the part of a millisecond, and would
 * find nothing to do if it was called that much too early. */
static int64_t next_timeout(struct lookup *self)
{
    struct timeval left;
    if (ares_timeout(self->channel->ares, NULL, &left) == NULL) {
        return FY_NEVER;
    }
    return fy_now() + (int64_t)left.tv_sec * 1000000000 + (int64_t)left.tv_usec * 1000 +
           FY_MILLISECOND;
}

/* Until c-ares has its result, or nobody wants it any more. The epoll descriptor is always found
 * empty before this parks: the scheduler's poller only reports what comes after that.
 *
 * Once it has lacked memory and has no result, c-ares is asked no more: where 1.34 cannot note down
 * that a question is answered, it comes back to it by a connection that it has freed since. */
static int await(struct lookup *self, int64_t deadline, struct fy_chan *canceled, ferry_error *err)
{
    struct fy_case cases[] = {FY_RECEIVE_FROM(canceled), FY_RECEIVE_FROM(&self->ready)};
    while (!self->done) {
        int64_t until = FY_AT_ONCE;
        if (process_events(self)) {
            fy_yield(); /* more may have come, and so may have a cancellation */
        } else {
            until = next_timeout(self);
        }
        if (self->done) {
            break;
        }
        if (self->lacked_memory) {
            errno = ENOMEM;
            return fy_fail_memory(err);
        }
        if (self->unwatched != 0) {
            errno = self->unwatched;
            return fy_fail_memory(err);
        }
        int chosen =
            fy_select(cases, 2, until < deadline ? until : deadline, "waiting for a name server");
        if (chosen == 0) {
            return fy_fail(err, FERRY_ECANCELED, 0, "canceled");
        }
        if (deadline != FY_NEVER && fy_now() >= deadline) {
            return fy_fail(err, FERRY_ETIMEOUT, 0, "i/o timeout");
        }
        if (chosen == FY_SELECT_TIMED_OUT) {
            process(self, ARES_SOCKET_BAD, 0);
        }
    }
    return 0;
}

/* -------------------------------------------------------------------------------- the outcome */

static int fail_with(int status, ferry_error *err)
{
    const char *text;
    switch (status) {
    case ARES_ENODATA:
    case ARES_ENONAME:
    case ARES_ENOTFOUND: text = "no such host"; break;
    case ARES_EBADNAME:
    case ARES_EBADSTR: text = "not a host name"; break;
    case ARES_ETIMEOUT: text = "no name server answered"; break;
    /* c-ares says this, too, when every server answered that it has failed. */
    case ARES_ECONNREFUSED: text = "no name server could be reached, or none could answer"; break;
    case ARES_ESERVFAIL: text = "the name server failed"; break;
    case ARES_EREFUSED: text = "the name server refused to answer"; break;
    case ARES_EFORMERR:
    case ARES_ENOTIMP: text = "the name server does not understand the question"; break;
    case ARES_EBADRESP: text = "the name server's answer makes no sense"; break;
    case ARES_EFILE: text = "the system's resolver configuration cannot be read"; break;
    case ARES_ENOMEM: errno = ENOMEM; return fy_fail_memory(err);
    default: text = ares_strerror(status); break;
    }
    return fy_fail(err, FERRY_ERESOLVE, 0, "%s", text);
}

static int64_t smallest_ttl(const struct ares_addrinfo *found)
{
    int64_t smallest = INT_MAX;
    for (struct ares_addrinfo_node *node = found->nodes; node != NULL; node = node->ai_next) {
        smallest = node->ai_ttl < smallest ? node->ai_ttl : smallest;
    }
    for (struct ares_addrinfo_cname *cname = found->cnames; cname != NULL; cname = cname->next) {
        smallest = cname->ttl < smallest ? cname->ttl : smallest;
    }
    /* RFC 2181 section 8: one with the topmost bit set counts as 0. */
    return smallest > 0 ? smallest : 0;
}

static int take(struct lookup *self, struct fy_addresses *addresses, int64_t *ttl_seconds,
                ferry_error *err)
{
    if (self->status != ARES_SUCCESS) {
        return fail_with(self->lacked_memory ? ARES_ENOMEM : self->status, err);
    }
    size_t before = addresses->count;
    for (struct ares_addrinfo_node *node = self->found->nodes; node != NULL; node = node->ai_next) {
        if (fy_addresses_add(addresses, node->ai_addr, 0) != 0) {
            return fy_fail_memory(err);
        }
    }
    *ttl_seconds = self->lacked_memory ? 0 : smallest_ttl(self->found);
    return addresses->count > before ? 0 : fail_with(ARES_ENODATA, err);
}

/* Whether the channel may serve again: what it was asked for is done, and no server has failed. */
static bool is_fit(const struct lookup *self)
{
    bool is_answer = self->status == ARES_SUCCESS || self->status == ARES_ENOTFOUND ||
                     self->status == ARES_ENODATA;
    return self->done && is_answer && self->sockets == 0 && self->unwatched == 0 &&
           !self->lacked_memory;
}

int fy_lookup(struct fy_addresses *addresses, int64_t *ttl_seconds, const char *name,
              int64_t deadline, struct fy_chan *canceled, ferry_error *err)
{
    struct lookup self = {.status = ARES_SUCCESS};
    int result = -1;
    if (open_watch(&self) != 0) {
        return fy_fail_memory(err);
    }
    (void)fy_lookup_channel_lacked_memory(); /* what was before is not about this lookup */
    int status = fy_lookup_channel_take(&self.channel);
    if (status != ARES_SUCCESS) {
        fail_with(fy_lookup_channel_lacked_memory() ? ARES_ENOMEM : status, err);
        goto no_channel;
    }
    self.channel->socket_changed = socket_changed;
    self.channel->arg = &self;
    begin(&self, name);
    if (await(&self, deadline, canceled, err) == 0) {
        result = take(&self, addresses, ttl_seconds, err);
    }
    fy_lookup_channel_give_back(self.channel, is_fit(&self)); /* calls answered(), if nothing has */
    if (self.found != NULL) {
        ares_freeaddrinfo(self.found);
    }
no_channel:
    close_watch(&self);
    return result;
}
