/*
 * The server for very many connections: a forked process with an edge-triggered event loop. After the fork
 * it allocates nothing, since other threads may have held the allocator's lock; its counts lie in memory
 * that it shares with the test.
 */
#include "mass.h"

#include "child.h"
#include "events.h"
#include "process.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* More descriptors than this are not served, however high the limit. */
#define TABLE_LIMIT ((size_t)1 << 18)

/* A connection of the server, found by its descriptor. */
struct entry {
    uint32_t owed;   /* responses still to be sent */
    uint32_t offset; /* how much of the first of them is sent */
    uint8_t matched; /* how many bytes of CR LF CR LF came last */
};

struct shared {
    atomic_uint accepted;
    atomic_uint open;
    atomic_uint peak;
    atomic_uint requests;
    atomic_uint refused;
};

struct mass {
    struct shared *shared; /* written by the server, read by the test */
    struct entry *table;   /* the server's, by descriptor */
    size_t table_size;     /* its entries */
    char *response;
    size_t response_len;
    int listener; /* open in the test's process until the fork only */
    int epoll;    /* the server's */
    pid_t pid;
    int port;
    char url[64];
};

/* ---- The server's process ---- */

static void end_conn(struct mass *mass, int fd)
{
    close(fd);
    atomic_fetch_sub(&mass->shared->open, 1);
}

static void accept_all(struct mass *mass)
{
    for (;;) {
        int fd = accept4(mass->listener, NULL, NULL, SOCK_NONBLOCK);
        struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data = {.fd = fd}};
        unsigned open;
        int on = 1;

        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE)
                atomic_fetch_add(&mass->shared->refused, 1);
            return;
        }
        atomic_fetch_add(&mass->shared->accepted, 1);
        open = atomic_fetch_add(&mass->shared->open, 1) + 1;
        if (open > atomic_load(&mass->shared->peak))
            atomic_store(&mass->shared->peak, open);
        if ((size_t)fd >= mass->table_size) {
            end_conn(mass, fd);
            continue;
        }
        mass->table[fd] = (struct entry){0};
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        if (epoll_ctl(mass->epoll, EPOLL_CTL_ADD, fd, &event) != 0)
            end_conn(mass, fd);
    }
}

/* Counts the heads that end in these bytes; what matched so far carries over from read to read. */
static void scan(struct mass *mass, struct entry *entry, const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (data[i] == "\r\n\r\n"[entry->matched])
            entry->matched++;
        else
            entry->matched = data[i] == '\r' ? 1 : 0;
        if (entry->matched == 4) {
            entry->matched = 0;
            entry->owed++;
            atomic_fetch_add(&mass->shared->requests, 1);
        }
    }
}

/* False: the connection has ended. */
static bool read_all(struct mass *mass, int fd)
{
    char piece[4096];

    for (;;) {
        ssize_t n = recv(fd, piece, sizeof(piece), 0);

        if (n == 0)
            return false;
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN;
        scan(mass, &mass->table[fd], piece, (size_t)n);
    }
}

/* False: the connection has ended. */
static bool answer(struct mass *mass, int fd)
{
    struct entry *entry = &mass->table[fd];

    while (entry->owed > 0) {
        ssize_t n = send(fd, mass->response + entry->offset, mass->response_len - entry->offset,
                         MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN;
        entry->offset += (uint32_t)n;
        if (entry->offset == mass->response_len) {
            entry->offset = 0;
            entry->owed--;
        }
    }
    return true;
}

static void serve(struct mass *mass)
{
    struct epoll_event event = {.events = EPOLLIN, .data = {.fd = mass->listener}};
    struct epoll_event ready[256];

    mass->epoll = epoll_create1(0);
    epoll_ctl(mass->epoll, EPOLL_CTL_ADD, mass->listener, &event);
    for (;;) {
        int count = epoll_wait(mass->epoll, ready, 256, -1);

        for (int i = 0; i < count; i++) {
            int fd = ready[i].data.fd;

            if (fd == mass->listener)
                accept_all(mass);
            else if (!read_all(mass, fd) || !answer(mass, fd))
                end_conn(mass, fd);
        }
    }
}

static void run_server(struct mass *mass, pid_t parent)
{
    static const int none[3] = {-1, -1, -1};

    mass->listener = child_detach(parent, none, mass->listener);
    serve(mass);
    _exit(0);
}

/* ---- The test's process ---- */

static bool listen_here(struct mass *mass)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof(address);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    mass->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (mass->listener < 0 ||
        bind(mass->listener, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(mass->listener, 16384) != 0 ||
        getsockname(mass->listener, (struct sockaddr *)&address, &len) != 0)
        return false;
    mass->port = ntohs(address.sin_port);
    snprintf(mass->url, sizeof(mass->url), "http://127.0.0.1:%d/", mass->port);
    return true;
}

static bool allocate(struct mass *mass, const char *response)
{
    mass->table_size = process_raise_descriptors();
    if (mass->table_size > TABLE_LIMIT)
        mass->table_size = TABLE_LIMIT;
    mass->table = calloc(mass->table_size, sizeof(*mass->table));
    mass->response = strdup(response);
    mass->response_len = strlen(response);
    mass->shared = mmap(NULL, sizeof(*mass->shared), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (mass->shared == MAP_FAILED)
        mass->shared = NULL;
    return mass->table != NULL && mass->response != NULL && mass->shared != NULL;
}

struct mass *mass_start(const char *response)
{
    struct mass *mass = calloc(1, sizeof(*mass));
    pid_t parent = getpid();
    int error;

    if (mass == NULL)
        return NULL;
    mass->listener = -1;
    if (!allocate(mass, response) || !listen_here(mass))
        goto failed;
    mass->pid = fork();
    if (mass->pid == 0)
        run_server(mass, parent);
    if (mass->pid < 0)
        goto failed;
    close(mass->listener);
    mass->listener = -1;
    return mass;

failed:
    error = errno;
    mass_stop(mass);
    errno = error;
    return NULL;
}

const char *mass_url(const struct mass *mass)
{
    return mass->url;
}

int mass_port(const struct mass *mass)
{
    return mass->port;
}

struct mass_counts mass_counts(const struct mass *mass)
{
    return (struct mass_counts){
        .accepted = atomic_load(&mass->shared->accepted),
        .open = atomic_load(&mass->shared->open),
        .peak = atomic_load(&mass->shared->peak),
        .requests = atomic_load(&mass->shared->requests),
        .refused = atomic_load(&mass->shared->refused),
    };
}

bool mass_await_open(const struct mass *mass, unsigned count, int timeout_ms)
{
    int64_t deadline = events_deadline(timeout_ms);

    while (atomic_load(&mass->shared->open) != count) {
        if (deadline >= 0 && events_now() >= deadline)
            return false;
        events_sleep(1);
    }
    return true;
}

void mass_stop(struct mass *mass)
{
    if (mass == NULL)
        return;
    if (mass->pid > 0)
        child_stop(mass->pid, SIGKILL, 5000);
    if (mass->listener >= 0)
        close(mass->listener);
    if (mass->shared != NULL)
        munmap(mass->shared, sizeof(*mass->shared));
    free(mass->table);
    free(mass->response);
    free(mass);
}
