/*
 * A connection of the scripted origin apart from its bytes: who it is, waiting, and the ways in which it
 * ends. Called by serve functions, on the connection's own thread.
 */
#include "origin_internal.h"

#include "events.h"

#include <errno.h>
#include <netinet/in.h>
#include <unistd.h>

#define RESET_LIMIT_MS 500

unsigned origin_conn_serial(const struct origin_conn *conn)
{
    unsigned serial;

    /* The thread may run before take_conn, which holds the lock, has numbered the connection. */
    events_lock();
    serial = conn->serial;
    events_unlock();
    return serial;
}

int origin_conn_peer_port(const struct origin_conn *conn)
{
    if (conn->peer.ss_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)&conn->peer)->sin_port);
    if (conn->peer.ss_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)&conn->peer)->sin6_port);
    return 0;
}

int origin_conn_fd(const struct origin_conn *conn)
{
    return conn->fd;
}

struct origin_request origin_conn_request(const struct origin_conn *conn)
{
    struct origin_request request = {0};

    events_lock();
    if (conn->record != NULL)
        request = conn->record->request;
    events_unlock();
    return request;
}

bool origin_wait(struct origin_conn *conn, struct gate *gate)
{
    bool open;

    events_lock();
    while (!gate->open && !conn->origin->stopping)
        events_wait(-1);
    open = gate->open;
    events_unlock();
    return open;
}

bool origin_sleep(struct origin_conn *conn, int ms)
{
    int64_t deadline = events_deadline(ms);
    bool stopping;

    events_lock();
    while (!(stopping = conn->origin->stopping) && events_wait(deadline))
        continue;
    events_unlock();
    return !stopping;
}

void origin_shutdown_write(struct origin_conn *conn)
{
    if (conn->fd >= 0)
        shutdown(conn->fd, SHUT_WR);
}

void origin_close(struct origin_conn *conn)
{
    /* Under the lock: stop shuts down only descriptors that are still this origin's. */
    events_lock();
    if (conn->fd >= 0) {
        close(conn->fd);
        conn->fd = -1;
        conn->origin->counts.open--;
        events_changed();
    }
    events_unlock();
}

void origin_reset(struct origin_conn *conn)
{
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    int64_t deadline = events_deadline(RESET_LIMIT_MS);
    struct client_watch watch;

    if (conn->fd < 0)
        return;
    /* Such a close drops what is still on its way, which would make the client's view a matter of luck. */
    client_watch_begin(&watch, conn);
    while (client_watch_look(&watch) == CLIENT_RECEIVING && events_now() < deadline)
        events_sleep(1);
    client_watch_end(&watch);
    setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    origin_close(conn);
}
