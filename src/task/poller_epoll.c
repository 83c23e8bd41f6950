/*
 * The poller on epoll. One EPOLL_CTL_ADD for a descriptor's life with a scheduler; closing the
 * descriptor ends the registration, so that only one which moves costs an EPOLL_CTL_DEL. It is for
 * reading: an EPOLLOUT of a socket that can be written to, as nearly all can all the time, would
 * only make the first wait return for nothing. Who has to wait for room asks for it then, once.
 */
#include "task/poller.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/errno.h"
#include "task/io.h"

#define NO_SLOT UINT32_MAX

/* Of the alarm's events. */
#define ALARM_KEY UINT64_MAX

/* A page of them; each growth doubles that. */
#define FIRST_SLOTS 256

/* A timer in the set. Edge-triggered, so that it need not be read; setting it takes back what it said. */
static int open_alarm(struct fy_poller *poller)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u64 = ALARM_KEY};
    poller->alarm_at = INT64_MAX;
    poller->alarm_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    return poller->alarm_fd >= 0 ? epoll_ctl(poller->fd, EPOLL_CTL_ADD, poller->alarm_fd, &event)
                                 : -1;
}

int fy_poller_open(struct fy_poller *poller)
{
    *poller = (struct fy_poller){
        .fd = epoll_create1(EPOLL_CLOEXEC), .alarm_fd = -1, .first_free = NO_SLOT};
    if (poller->fd < 0 || open_alarm(poller) != 0) {
        int cause = errno;
        fy_poller_close(poller);
        errno = cause;
        return -1;
    }
    return 0;
}

static void close_own(struct fy_poller *poller)
{
    if (poller->alarm_fd >= 0) {
        close(poller->alarm_fd);
        poller->alarm_fd = -1;
    }
    if (poller->fd >= 0) {
        close(poller->fd);
        poller->fd = -1;
    }
}

void fy_poller_close(struct fy_poller *poller)
{
    close_own(poller);
    if (poller->slots != NULL) {
        munmap(poller->slots, poller->slot_count * sizeof *poller->slots);
    }
    *poller = (struct fy_poller){.fd = -1, .alarm_fd = -1, .first_free = NO_SLOT};
}

/* On pages of their own: they grow in the midst of a burst, and from malloc() they would hold down
 * what that leaves behind. */
static struct fy_poller_slot *grow(struct fy_poller *poller, uint32_t count)
{
    size_t bytes = count * sizeof *poller->slots;
    size_t before = poller->slot_count * sizeof *poller->slots;
    void *slots =
        before == 0 ? mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
                    : mremap(poller->slots, before, bytes, MREMAP_MAYMOVE);
    return slots != MAP_FAILED ? slots : NULL;
}

/* A free slot; NO_SLOT when out of memory. */
static uint32_t slot_take(struct fy_poller *poller)
{
    if (poller->first_free == NO_SLOT) {
        uint32_t count = poller->slot_count == 0 ? FIRST_SLOTS : poller->slot_count * 2;
        struct fy_poller_slot *slots = grow(poller, count);
        if (slots == NULL) {
            return NO_SLOT;
        }
        for (uint32_t i = poller->slot_count; i < count; i++) {
            slots[i] = (struct fy_poller_slot){.next_free = i + 1 < count ? i + 1 : NO_SLOT};
        }
        poller->first_free = poller->slot_count;
        poller->slots = slots;
        poller->slot_count = count;
    }
    uint32_t slot = poller->first_free;
    poller->first_free = poller->slots[slot].next_free;
    return slot;
}

static void slot_give_back(struct fy_poller *poller, uint32_t slot)
{
    poller->slots[slot].io = NULL;
    poller->slots[slot].generation++;
    poller->slots[slot].next_free = poller->first_free;
    poller->first_free = slot;
}

static int control(const struct fy_poller *poller, int operation, const struct fy_io *io,
                   uint32_t slot)
{
    struct epoll_event event = {
        .events = EPOLLIN | EPOLLRDHUP | EPOLLET | (io->watches_writing ? EPOLLOUT : 0U),
        .data.u64 = (uint64_t)poller->slots[slot].generation << 32 | slot,
    };
    return epoll_ctl(poller->fd, operation, io->fd, &event);
}

int fy_poller_add(struct fy_poller *poller, struct fy_io *io)
{
    uint32_t slot = slot_take(poller);
    if (slot == NO_SLOT) {
        errno = ENOMEM;
        return -1;
    }
    if (control(poller, EPOLL_CTL_ADD, io, slot) != 0) {
        slot_give_back(poller, slot);
        return -1;
    }
    poller->slots[slot].io = io;
    io->slot = slot;
    return 0;
}

void fy_poller_watch_writing(struct fy_poller *poller, struct fy_io *io)
{
    io->watches_writing = true;
    (void)control(poller, EPOLL_CTL_MOD, io, io->slot); /* it is registered: cannot fail */
}

void fy_poller_remove(struct fy_poller *poller, struct fy_io *io)
{
    slot_give_back(poller, io->slot);
}

void fy_poller_withdraw(struct fy_poller *poller, struct fy_io *io)
{
    (void)epoll_ctl(poller->fd, EPOLL_CTL_DEL, io->fd, NULL);
    slot_give_back(poller, io->slot);
}

void fy_poller_close_inherited(struct fy_poller *poller)
{
    for (uint32_t i = 0; i < poller->slot_count; i++) {
        struct fy_io *io = poller->slots[i].io;
        if (io != NULL && io->fd >= 0) {
            close(io->fd);
            io->fd = -1;
        }
    }
    close_own(poller);
}

void fy_poller_forget_inherited(struct fy_poller *poller)
{
    for (uint32_t i = 0; i < poller->slot_count; i++) {
        struct fy_io *io = poller->slots[i].io;
        if (io != NULL && io->fd < 0) {
            slot_give_back(poller, i);
            fy_io_wake_lost(io);
        }
    }
}

int fy_poller_reopen(struct fy_poller *poller, int number)
{
    int fd = epoll_create1(EPOLL_CLOEXEC);
    if (fd >= 0 && number >= 0 && fd != number && dup3(fd, number, O_CLOEXEC) >= 0) {
        close(fd);
        fd = number;
    }
    poller->fd = fd;
    if (fd < 0 || open_alarm(poller) != 0) {
        close_own(poller); /* rather no wait than one that does not end in time */
        return -1;
    }
    return 0;
}

void fy_poller_alarm(struct fy_poller *poller, int64_t when)
{
    if (poller->alarm_at <= when) {
        return;
    }
    const struct itimerspec once = {
        .it_value = {.tv_sec = when / 1000000000, .tv_nsec = when % 1000000000}};
    (void)timerfd_settime(poller->alarm_fd, TFD_TIMER_ABSTIME, &once,
                          NULL); /* fails only where a wait does */
    poller->alarm_at = when;
}

int fy_poller_wait(int poller_fd, struct fy_poller_batch *batch, bool for_ever)
{
    _Static_assert(sizeof(struct epoll_event) <= sizeof batch->room / FY_POLLER_BATCH, "no room");
    struct epoll_event *ready = (struct epoll_event *)(void *)batch->room;
    int count = epoll_wait(poller_fd, ready, FY_POLLER_BATCH, for_ever ? -1 : 0);
    for (int i = 0; i < count; i++) {
        uint32_t bits = ready[i].events;
        batch->events[i] = (struct fy_poller_event){
            .key = ready[i].data.u64,
            .readable = (bits & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0,
            .writable = (bits & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0,
            .hangup = (bits & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0,
        };
    }
    return count < 0 ? 0 : count;
}

struct fy_io *fy_poller_find(struct fy_poller *poller, uint64_t key)
{
    uint32_t slot = (uint32_t)key;
    if (key == ALARM_KEY) {
        poller->alarm_at = INT64_MAX;
        return NULL;
    }
    if (slot >= poller->slot_count || poller->slots[slot].generation != (uint32_t)(key >> 32)) {
        return NULL;
    }
    return poller->slots[slot].io;
}
