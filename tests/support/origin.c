/*
 * The scripted origin: its listener, a thread for each connection, what it has counted and logged, and
 * its end. Tests call it; origin_read.c and origin_send.c serve the connections.
 *
 * What always holds: whatever two threads see is under the lock of events.h; nothing that a test was
 * given a pointer to moves or goes before origin_stop; stopping ends every wait.
 */
#include "origin_internal.h"

#include "events.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#define STOP_LIMIT_MS 10000

/* The same for every family, large enough for sanitizers and a serve function's buffers. */
#define CONN_STACK_SIZE ((size_t)1 << 20)

/* ---- Threads ---- */

/* Signals belong to the test's threads: these take none. */
static int start_thread(pthread_t *thread, void *(*run)(void *), void *arg)
{
    pthread_attr_t attributes;
    sigset_t all;
    sigset_t before;
    int result;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, CONN_STACK_SIZE);
    result = pthread_create(thread, &attributes, run, arg);
    pthread_attr_destroy(&attributes);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return result;
}

static void *run_conn(void *arg)
{
    struct origin_conn *conn = arg;
    struct origin *origin = conn->origin;

    origin->script.serve(conn, origin->script.arg);
    origin_close(conn);
    bytes_free(&conn->in);
    events_lock();
    conn->finished = true;
    conn->next_ended = origin->ended;
    origin->ended = conn;
    events_changed();
    events_unlock();
    return NULL;
}

/* Joins the threads that have finished, so that a test with thousands of connections in a row does not
   keep thousands of stacks. */
static void join_ended(struct origin *origin)
{
    struct origin_conn *conn;

    events_lock();
    conn = origin->ended;
    origin->ended = NULL;
    events_unlock();
    while (conn != NULL) {
        struct origin_conn *next = conn->next_ended;

        pthread_join(conn->thread, NULL);
        conn = next;
    }
}

static void read_addresses(struct origin_conn *conn)
{
    socklen_t len = sizeof(conn->local);
    int on = 1;

    getsockname(conn->fd, (struct sockaddr *)&conn->local, &len);
    len = sizeof(conn->peer);
    getpeername(conn->fd, (struct sockaddr *)&conn->peer, &len);
    /* A slice must leave at once, not when the last one is acknowledged. */
    if (conn->local.ss_family != AF_UNIX)
        setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

/* Enters the connection and starts its thread; false when the origin is being stopped. */
static bool take_conn(struct origin *origin, int fd)
{
    struct origin_conn *conn = calloc(1, sizeof(*conn));
    struct origin_counts *counts = &origin->counts;

    if (conn == NULL)
        abort();
    conn->origin = origin;
    conn->fd = fd;
    read_addresses(conn);

    /* The lock is kept across the start, so that stop sees either no connection or one whose thread can
       be joined. */
    events_lock();
    if (origin->stopping || start_thread(&conn->thread, run_conn, conn) != 0) {
        events_unlock();
        free(conn);
        return false;
    }
    origin->conns = array_grow(origin->conns, counts->accepted, &origin->conns_capacity);
    origin->conns[counts->accepted] = conn;
    conn->serial = ++counts->accepted;
    if (++counts->open > counts->peak)
        counts->peak = counts->open;
    events_changed();
    events_unlock();
    return true;
}

static bool is_stopping(struct origin *origin)
{
    bool stopping;

    events_lock();
    stopping = origin->stopping;
    events_unlock();
    return stopping;
}

static void *run_accept(void *arg)
{
    struct origin *origin = arg;

    events_lock();
    while (origin->script.accept_gate != NULL && !origin->script.accept_gate->open &&
           !origin->stopping)
        events_wait(-1);
    events_unlock();

    while (!is_stopping(origin)) {
        int fd = accept4(origin->listener, NULL, NULL, SOCK_CLOEXEC);

        join_ended(origin);
        if (fd < 0)
            events_sleep(1); /* out of descriptors, perhaps, which others will close */
        else if (!take_conn(origin, fd))
            close(fd);
    }

    events_lock();
    origin->accept_finished = true;
    events_changed();
    events_unlock();
    return NULL;
}

/* ---- Starting ---- */

/* Fills the address to bind to. Returns its length, 0 on failure. */
static socklen_t local_address(struct origin *origin, struct sockaddr_storage *address)
{
    const struct origin_script *script = &origin->script;

    memset(address, 0, sizeof(*address));
    if (script->family == ORIGIN_UNIX) {
        struct sockaddr_un *un = (struct sockaddr_un *)address;

        if (!temp_dir_make(origin->directory))
            return 0;
        snprintf(origin->socket_path, sizeof(origin->socket_path), "%s/socket", origin->directory);
        un->sun_family = AF_UNIX;
        memcpy(un->sun_path, origin->socket_path, strlen(origin->socket_path) + 1);
        return sizeof(*un);
    }
    if (script->family == ORIGIN_IPV6) {
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)address;

        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons((uint16_t)script->port);
        in6->sin6_addr = in6addr_loopback;
        return sizeof(*in6);
    }
    struct sockaddr_in *in = (struct sockaddr_in *)address;

    in->sin_family = AF_INET;
    in->sin_port = htons((uint16_t)script->port);
    in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return sizeof(*in);
}

static int port_of(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)address)->sin_port);
    if (address->ss_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)address)->sin6_port);
    return 0;
}

static bool listen_on(struct origin *origin)
{
    const struct origin_script *script = &origin->script;
    struct sockaddr_storage address;
    socklen_t len = local_address(origin, &address);
    int on = 1;

    if (len == 0)
        return false;
    origin->listener = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (origin->listener < 0)
        return false;
    if (script->family != ORIGIN_UNIX)
        setsockopt(origin->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (script->family == ORIGIN_IPV6)
        setsockopt(origin->listener, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    if (script->receive_buffer > 0)
        setsockopt(origin->listener, SOL_SOCKET, SO_RCVBUF, &script->receive_buffer,
                   sizeof(script->receive_buffer));
    if (bind(origin->listener, (struct sockaddr *)&address, len) != 0 ||
        listen(origin->listener, script->backlog > 0 ? script->backlog : 4096) != 0)
        return false;
    len = sizeof(address);
    if (getsockname(origin->listener, (struct sockaddr *)&address, &len) != 0)
        return false;
    origin->port = port_of(&address);
    return true;
}

static void name_host(struct origin *origin)
{
    if (origin->script.family == ORIGIN_UNIX)
        snprintf(origin->host, sizeof(origin->host), "localhost");
    else
        snprintf(origin->host, sizeof(origin->host), "%s:%d",
                 origin->script.family == ORIGIN_IPV6 ? "[::1]" : "127.0.0.1", origin->port);
}

struct origin *origin_start(const struct origin_script *script)
{
    struct origin *origin = calloc(1, sizeof(*origin));
    int error;

    if (origin == NULL)
        return NULL;
    origin->script = *script;
    origin->listener = -1;
    if (!listen_on(origin)) {
        error = errno;
        goto failed;
    }
    name_host(origin);
    error = start_thread(&origin->accept_thread, run_accept, origin);
    if (error != 0)
        goto failed;
    return origin;

failed:
    if (origin->listener >= 0)
        close(origin->listener);
    temp_dir_remove(origin->directory);
    free(origin);
    errno = error;
    return NULL;
}

/* ---- Stopping ---- */

/* With the lock held. */
static bool all_finished(const struct origin *origin)
{
    for (unsigned i = 0; i < origin->counts.accepted; i++) {
        if (!origin->conns[i]->finished)
            return false;
    }
    return origin->accept_finished;
}

/* Wakes whatever waits. Shutting a socket down ends the calls that block on it; closing would not. */
static bool end_threads(struct origin *origin)
{
    int64_t deadline = events_deadline(STOP_LIMIT_MS);
    bool finished;

    events_lock();
    origin->stopping = true;
    shutdown(origin->listener, SHUT_RDWR);
    for (unsigned i = 0; i < origin->counts.accepted; i++) {
        if (origin->conns[i]->fd >= 0)
            shutdown(origin->conns[i]->fd, SHUT_RDWR);
    }
    events_changed();
    while (!(finished = all_finished(origin)) && events_wait(deadline))
        continue;
    events_unlock();
    return finished;
}

bool origin_stop(struct origin *origin)
{
    if (origin == NULL)
        return true;
    if (!end_threads(origin))
        return false;
    pthread_join(origin->accept_thread, NULL);
    join_ended(origin);
    close(origin->listener);
    temp_dir_remove(origin->directory);

    for (unsigned i = 0; i < origin->counts.requests; i++) {
        struct origin_request *request = &origin->records[i]->request;

        free((char *)request->head);
        free((char *)request->body);
        free((char *)request->raw_body);
        free(origin->records[i]);
    }
    for (unsigned i = 0; i < origin->counts.accepted; i++) {
        bytes_free(&origin->conns[i]->received);
        free(origin->conns[i]);
    }
    free(origin->records);
    free(origin->conns);
    strings_free(&origin->urls);
    free(origin->table);
    free(origin);
    return true;
}

/* ---- Where it is ---- */

const char *origin_url(struct origin *origin, const char *path)
{
    char *url;

    if (asprintf(&url, "http://%s%s", origin->host, path) < 0)
        abort();
    events_lock();
    strings_keep(&origin->urls, url);
    events_unlock();
    return url;
}

const char *origin_host(const struct origin *origin)
{
    return origin->host;
}

int origin_port(const struct origin *origin)
{
    return origin->port;
}

const char *origin_socket_path(const struct origin *origin)
{
    return origin->socket_path[0] != '\0' ? origin->socket_path : NULL;
}

/* ---- What it has seen ---- */

struct origin_counts origin_counts(const struct origin *origin)
{
    struct origin_counts counts;

    events_lock();
    counts = origin->counts;
    events_unlock();
    return counts;
}

static bool await(const unsigned *counter, unsigned count, bool exactly, int timeout_ms)
{
    int64_t deadline = events_deadline(timeout_ms);
    bool there;

    events_lock();
    while (!(there = exactly ? *counter == count : *counter >= count) && events_wait(deadline))
        continue;
    events_unlock();
    return there;
}

bool origin_await_accepted(const struct origin *origin, unsigned count, int timeout_ms)
{
    return await(&origin->counts.accepted, count, false, timeout_ms);
}

bool origin_await_requests(const struct origin *origin, unsigned count, int timeout_ms)
{
    return await(&origin->counts.requests, count, false, timeout_ms);
}

bool origin_await_open(const struct origin *origin, unsigned count, int timeout_ms)
{
    return await(&origin->counts.open, count, true, timeout_ms);
}

struct origin_request origin_request(const struct origin *origin, size_t index)
{
    struct origin_request request = {0};

    events_lock();
    if (index < origin->counts.requests)
        request = origin->records[index]->request;
    events_unlock();
    return request;
}

char *origin_received(const struct origin *origin, unsigned connection, size_t *len)
{
    struct bytes copy = {0};

    events_lock();
    if (connection >= 1 && connection <= origin->counts.accepted) {
        const struct bytes *received = &origin->conns[connection - 1]->received;

        bytes_append(&copy, received->data, received->len);
    }
    events_unlock();
    if (len != NULL)
        *len = copy.len;
    return copy.data;
}
