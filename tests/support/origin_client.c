/*
 * How far the client has got with what was sent to it, asked of the kernel, since client and origin share
 * a machine. Called by origin_send.c and origin_conn.c.
 *
 * Acknowledgements would not do: they are sent before the client reads, and may be delayed after it has.
 */
#include "origin_internal.h"

#include "sock_diag.h"

#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

void client_watch_begin(struct client_watch *watch, const struct origin_conn *conn)
{
    watch->conn = conn;
    watch->diag = conn->local.ss_family == AF_UNIX ? -1 : sock_diag_open();
}

void client_watch_end(struct client_watch *watch)
{
    if (watch->diag >= 0)
        close(watch->diag);
    watch->diag = -1;
}

static bool is_dead(int fd)
{
    struct pollfd look = {.fd = fd};

    return poll(&look, 1, 0) == 1 && (look.revents & (POLLERR | POLLHUP)) != 0;
}

/* What our own socket knows. A Unix socket counts what it has sent as outstanding until the other end has
   read it; a TCP socket, until the other end has acknowledged it. */
static enum client_progress look_here(const struct origin_conn *conn)
{
    bool local = conn->local.ss_family == AF_UNIX;
    int outstanding;

    if (ioctl(conn->fd, SIOCOUTQ, &outstanding) != 0)
        return CLIENT_UNKNOWN;
    /* What was on its way when the connection was reset is outstanding for ever. */
    if (outstanding > 0 && is_dead(conn->fd))
        return CLIENT_GONE;
    if (outstanding > 0)
        return local ? CLIENT_HOLDS : CLIENT_RECEIVING;
    return local ? CLIENT_HAS_READ : CLIENT_UNKNOWN;
}

/* The kernel's look for a socket takes no lock: what else happens in its table at the time, or a
   lack of memory for the answer, can make it miss one that is there. It does not miss it again and
   again. */
#define ASK_AGAIN 20

enum client_progress client_watch_look(const struct client_watch *watch)
{
    const struct origin_conn *conn = watch->conn;
    struct sock_diag_found client;
    int result = 0;

    if (conn->fd < 0)
        return CLIENT_GONE;
    if (watch->diag < 0)
        return look_here(conn);
    /* The client's socket is the one whose local end is our peer. */
    for (int i = 0; i < ASK_AGAIN && result <= 0; i++)
        result = sock_diag_one(watch->diag, &conn->peer, &conn->local, &client);
    if (result == 0 || (result > 0 && !client.connected))
        return CLIENT_GONE;
    if (result < 0 || !client.has_counts)
        return look_here(conn);
    if (client.received < conn->sent)
        return CLIENT_RECEIVING;
    return client.unread == 0 ? CLIENT_HAS_READ : CLIENT_HOLDS;
}
