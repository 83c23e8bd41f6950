/*
 * origin.c: the server of `ferry lab`. One libmicrohttpd daemon per host, each with one thread
 * around epoll; the daemons share the table of bodies. Everything that the threads touch is either
 * never changed after origin_start() or atomic.
 */
#include "origin.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIZED_BYTES 1000
#define BIG_BYTES 10485760 /* 10 MiB */
#define CHUNK_BYTES 1000
#define CHUNKS 2

/* One address with a daemon that serves it. */
struct host {
    struct MHD_Daemon *daemon; /* NULL: not started */
    char authority[32];        /* "127.0.0.1:41234" */
};

struct origin {
    atomic_uint_least64_t accepted; /* connections; written by every daemon's thread */
    char *bytes;                    /* BIG_BYTES of body, of which sized bodies are the beginning */
    char url[64];                   /* what origin_url() returned last */
    int hosts;                      /* length of host */
    struct host host[];
};

/* ---- The bodies: each makes the response to one request ---- */

static struct MHD_Response *sized_body(struct origin *origin)
{
    return MHD_create_response_from_buffer(SIZED_BYTES, origin->bytes, MHD_RESPMEM_PERSISTENT);
}

static struct MHD_Response *big_body(struct origin *origin)
{
    return MHD_create_response_from_buffer(BIG_BYTES, origin->bytes, MHD_RESPMEM_PERSISTENT);
}

static struct MHD_Response *empty_body(struct origin *origin)
{
    return MHD_create_response_from_buffer(0, origin->bytes, MHD_RESPMEM_PERSISTENT);
}

static struct MHD_Response *conn_close_body(struct origin *origin)
{
    struct MHD_Response *response = sized_body(origin);
    if (response &&
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close") != MHD_YES) {
        MHD_destroy_response(response);
        return NULL;
    }
    return response;
}

/* One call, one chunk. */
static ssize_t next_chunk(void *arg, uint64_t position, char *buf, size_t max)
{
    struct origin *origin = arg;
    if (position >= (uint64_t)CHUNKS * CHUNK_BYTES)
        return MHD_CONTENT_READER_END_OF_STREAM;
    size_t len = CHUNK_BYTES - (size_t)(position % CHUNK_BYTES);
    if (len > max)
        len = max;
    memcpy(buf, origin->bytes + position, len);
    return (ssize_t)len;
}

static struct MHD_Response *chunked_body(struct origin *origin)
{
    return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, CHUNK_BYTES, next_chunk, origin,
                                             NULL);
}

struct body {
    const char *path;
    struct MHD_Response *(*make)(struct origin *origin);
    bool corked; /* made of several writes, which are to leave together */
};

static const struct body bodies[] = {
    {"/sized", sized_body, false},
    {"/chunked", chunked_body, true},
    {"/big", big_body, false},
    {"/empty", empty_body, false},
    {"/conn-close", conn_close_body, false},
};

static const struct body no_such_body = {NULL, NULL, false};

static const struct body *find_body(const char *path)
{
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
        if (strcmp(bodies[i].path, path) == 0)
            return &bodies[i];
    return &no_such_body;
}

/* ---- What libmicrohttpd calls, on a daemon's thread ---- */

static void set_cork(struct MHD_Connection *connection, int on)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (info)
        setsockopt(info->connect_fd, IPPROTO_TCP, TCP_CORK, &on, sizeof on);
}

static enum MHD_Result refuse(struct MHD_Connection *connection, unsigned status)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    if (!response)
        return MHD_NO;
    enum MHD_Result queued = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return queued;
}

/* Called first with the head, when *request is still NULL and is made the body that is asked
 * for; then again with the bytes of the request, of which the experiment sends none. A response
 * that libmicrohttpd writes in pieces is held back (TCP_CORK) until it is whole and
 * request_over() lets it go: a client that closes at once is then to find all of it there, every
 * time. (The head of a connection's first response still leaves by itself: libmicrohttpd sets
 * TCP_NODELAY behind it.) */
static enum MHD_Result answer(void *arg, struct MHD_Connection *connection, const char *path,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_len, void **request)
{
    (void)version;
    (void)upload;
    if (!*request) {
        *request = (void *)(uintptr_t)find_body(path);
        return MHD_YES;
    }
    if (*upload_len > 0) {
        *upload_len = 0;
        return MHD_YES;
    }
    const struct body *body = *request;
    if (!body->make)
        return refuse(connection, MHD_HTTP_NOT_FOUND);
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        return refuse(connection, MHD_HTTP_METHOD_NOT_ALLOWED);
    struct MHD_Response *response = body->make(arg);
    if (!response)
        return MHD_NO;
    if (body->corked)
        set_cork(connection, 1);
    enum MHD_Result queued = MHD_queue_response(connection, MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    return queued;
}

static void request_over(void *arg, struct MHD_Connection *connection, void **request,
                         enum MHD_RequestTerminationCode code)
{
    const struct body *body = *request;
    (void)arg;
    if (code == MHD_REQUEST_TERMINATED_COMPLETED_OK && body && body->corked)
        set_cork(connection, 0);
}

static void count_connection(void *arg, struct MHD_Connection *connection, void **socket_context,
                             enum MHD_ConnectionNotificationCode code)
{
    struct origin *origin = arg;
    (void)connection;
    (void)socket_context;
    if (code == MHD_CONNECTION_NOTIFY_STARTED)
        atomic_fetch_add(&origin->accepted, 1);
}

/* ---- Starting and stopping ---- */

static int start_host(struct origin *origin, int index, unsigned max_connections)
{
    struct host *host = &origin->host[index];
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK + (in_addr_t)index);
    host->daemon =
        MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, answer, origin,
                         MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_CONNECTION_LIMIT,
                         max_connections, MHD_OPTION_NOTIFY_CONNECTION, count_connection, origin,
                         MHD_OPTION_NOTIFY_COMPLETED, request_over, origin, MHD_OPTION_END);
    if (!host->daemon)
        return -1;
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(host->daemon, MHD_DAEMON_INFO_BIND_PORT);
    char dotted[INET_ADDRSTRLEN];
    if (!info || !inet_ntop(AF_INET, &address.sin_addr, dotted, sizeof dotted))
        return -1;
    snprintf(host->authority, sizeof host->authority, "%s:%u", dotted, (unsigned)info->port);
    return 0;
}

struct origin *origin_start(int hosts, unsigned max_connections)
{
    struct origin *origin = calloc(1, sizeof *origin + (size_t)hosts * sizeof origin->host[0]);
    if (!origin)
        return NULL;
    atomic_init(&origin->accepted, 0);
    origin->hosts = hosts;
    origin->bytes = malloc(BIG_BYTES);
    if (!origin->bytes)
        goto fail;
    for (size_t i = 0; i < BIG_BYTES; i++)
        origin->bytes[i] = i % 64 == 63 ? '\n' : (char)('a' + i % 26);
    for (int i = 0; i < hosts; i++)
        if (start_host(origin, i, max_connections) < 0)
            goto fail;
    return origin;

fail:;
    int saved = errno;
    origin_stop(origin);
    errno = saved;
    return NULL;
}

void origin_stop(struct origin *origin)
{
    if (!origin)
        return;
    for (int i = 0; i < origin->hosts; i++)
        if (origin->host[i].daemon)
            MHD_stop_daemon(origin->host[i].daemon);
    free(origin->bytes);
    free(origin);
}

const char *origin_url(struct origin *origin, int host, const char *body)
{
    snprintf(origin->url, sizeof origin->url, "http://%s/%s", origin->host[host].authority, body);
    return origin->url;
}

uint64_t origin_accepted(const struct origin *origin)
{
    return atomic_load(&origin->accepted);
}
