/*
 * Streams over sockets. A call first tries, then parks: each descriptor is registered once,
 * edge-triggered, and a short read says that it is drained without a second one that would only see
 * EAGAIN. What must hold: readable may stand though there is nothing to read (the next look clears
 * it), but never fall though there is, for no further edge would come.
 */
#include "net/socket_stream.h"

#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "base/errno.h"
#include "base/list.h"
#include "base/sigpipe.h"
#include "base/slab.h"
#include "task/sched.h"

/* A task whose peer never keeps it waiting lets others, timers and cancellations have a turn after
 * so many calls. */
#define CALLS_PER_YIELD 64

struct socket_stream {
    struct fy_stream stream;
    struct fy_io io;
    /* How the connection failed, 0 as long as it has not. The kernel tells that once, to whichever
     * call comes first (a write, or a look ahead), and then pretends that the peer has ended its
     * side. */
    int error;
    unsigned calls;    /* counts up */
    bool wrote;        /* something, or tried to */
    bool undelayed;    /* TCP_NODELAY is set, or not to be */
    uint16_t own_port; /* the port that it dials, where that may be given to it; 0: not */
};

FY_SLAB_STATIC(streams, sizeof(struct socket_stream), FY_SLAB_CHUNK)

static struct socket_stream *of(struct fy_stream *stream)
{
    return FY_CONTAINER(stream, struct socket_stream, stream);
}

/* EAGAIN: nothing is there, so a hang-up has not happened either, and when it does it brings an
 * edge. */
static void nothing_there(struct fy_io *io)
{
    io->hangup = false;
    fy_io_drained(io);
}

/* After a wait. It may have been ready, and then closed before this task's turn came. */
static int failure(const struct fy_io *io, enum fy_io_result result)
{
    switch (result) {
    case FY_IO_READY: return io->fd >= 0 ? 0 : -ECANCELED;
    case FY_IO_TIMED_OUT: return -ETIMEDOUT;
    case FY_IO_RESTS: return -EAGAIN;
    case FY_IO_CLOSED: break;
    }
    return -ECANCELED;
}

/* Before each try. A deadline counts even if the peer is so busy that nothing ever parks. */
static int take_turn(struct socket_stream *self, int64_t deadline)
{
    if (++self->calls % CALLS_PER_YIELD == 0) {
        fy_yield();
    }
    return deadline != FY_NEVER && self->io.fd >= 0 && fy_now() >= deadline ? -ETIMEDOUT : 0;
}

static int readable_turn(struct socket_stream *self, const char *why)
{
    int failed = take_turn(self, self->stream.read_deadline);
    return failed != 0 ? failed
                       : failure(&self->io,
                                 fy_io_wait_readable(&self->io, self->stream.read_deadline, why));
}

static int writable_turn(struct socket_stream *self, const char *why)
{
    int failed = take_turn(self, self->stream.write_deadline);
    return failed != 0 ? failed
                       : failure(&self->io,
                                 fy_io_wait_writable(&self->io, self->stream.write_deadline, why));
}

/* errno is how a call failed for good: -errno. EPIPE only says that the peer has ended its side,
 * which reading finds by itself, behind what came before. */
static int broken(struct socket_stream *self)
{
    if (errno != EPIPE) {
        self->error = errno;
    }
    return -errno;
}

/* ------------------------------------------------------------------------------------ reading */

static ssize_t socket_read(struct fy_stream *stream, void *buf, size_t len, const char *why)
{
    struct socket_stream *self = of(stream);
    for (;;) {
        int failed = readable_turn(self, why);
        if (failed != 0) {
            return failed;
        }
        ssize_t got = recv(self->io.fd, buf, len, 0);
        if (got == 0 && self->error != 0) {
            return -self->error;
        }
        if (got >= 0) {
            if (got > 0 && (size_t)got < len) {
                fy_io_drained(
                    &self->io); /* after the end a read stays possible, and says so again */
            }
            return got;
        }
        if (errno == EAGAIN) {
            nothing_there(&self->io);
        } else if (errno != EINTR) {
            return broken(self);
        }
    }
}

/* Less than was asked for does not mean drained: the pipe may have had no place for more pieces. */
static ssize_t socket_splice(struct fy_stream *stream, int pipe, size_t len, const char *why)
{
    struct socket_stream *self = of(stream);
    for (;;) {
        int failed = readable_turn(self, why);
        if (failed != 0) {
            return failed;
        }
        ssize_t got = splice(self->io.fd, NULL, pipe, NULL, len, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        if (got == 0 && self->error != 0) {
            return -self->error;
        }
        if (got >= 0) {
            return got;
        }
        switch (errno) {
        case EAGAIN: nothing_there(&self->io); break;
        case EINTR: break;
        case EINVAL: return -EINVAL; /* not from this kind of socket: nothing is broken */
        default: return broken(self);
        }
    }
}

static bool socket_has_input(struct fy_stream *stream)
{
    struct socket_stream *self = of(stream);
    struct fy_io *io = &self->io;
    if (io->fd < 0 || io->hangup || self->error != 0) {
        return true;
    }
    while (io->readable) {
        char byte;
        if (recv(io->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0) {
            return true;
        }
        if (errno == EAGAIN) {
            nothing_there(io);
        } else if (errno != EINTR) {
            self->error = errno;
            return true;
        }
    }
    return false;
}

static int socket_wait_readable(struct fy_stream *stream, const char *why)
{
    return readable_turn(of(stream), why);
}

static int socket_rest_readable(struct fy_stream *stream, const char *why)
{
    struct socket_stream *self = of(stream);
    /* No turn is given away here: an idle connection is to be at rest when its response's reader
     * goes on, so that another thread can have it. */
    const int64_t deadline = self->stream.read_deadline;
    if (!self->io.reader.rests && deadline != FY_NEVER && self->io.fd >= 0 &&
        fy_now() >= deadline) {
        return -ETIMEDOUT;
    }
    return failure(&self->io, fy_io_rest_readable(&self->io, deadline, why));
}

/* ------------------------------------------------------------------------------------ writing */

static void set_undelayed(struct socket_stream *self)
{
    const int on = 1;
    self->undelayed = true;
    (void)setsockopt(self->io.fd, IPPROTO_TCP, TCP_NODELAY, &on,
                     sizeof on); /* fails on a Unix socket */
}

/* Before each write but the first. What Nagle's algorithm (RFC 896) keeps back is behind something that
 * is not acknowledged yet: the first write has nothing before it, and is the only one of many
 * connections. */
static void write_without_delay(struct socket_stream *self)
{
    if (self->wrote && !self->undelayed) {
        set_undelayed(self);
    }
    self->wrote = true;
}

static ssize_t socket_writev(struct fy_stream *stream, const struct iovec *iov, int count,
                             const char *why)
{
    struct socket_stream *self = of(stream);
    struct msghdr message = {
        .msg_iov = (struct iovec *)iov,
        .msg_iovlen = (size_t)(count < IOV_MAX ? count : IOV_MAX),
    };
    for (;;) {
        int failed = writable_turn(self, why);
        if (failed != 0) {
            return failed;
        }
        write_without_delay(self);
        /* One piece, as most requests are, has a shorter way through the kernel. */
        ssize_t written = count == 1 ? send(self->io.fd, iov->iov_base, iov->iov_len, MSG_NOSIGNAL)
                                     : sendmsg(self->io.fd, &message, MSG_NOSIGNAL);
        if (written >= 0) {
            return written;
        }
        if (errno == EAGAIN) {
            fy_io_filled(&self->io);
        } else if (errno != EINTR) {
            return broken(self);
        }
    }
}

/* sendfile() that raises no signal. It may have met the peer's close after a part has gone; then it
 * reports that part, and has raised SIGPIPE all the same. */
static ssize_t quiet_sendfile(int to, int from, int64_t offset, size_t len)
{
    struct fy_sigpipe held;
    off_t at = offset;
    fy_sigpipe_hold(&held);
    ssize_t sent = sendfile(to, from, &at, len);
    fy_sigpipe_release(&held, sent < 0 ? errno == EPIPE : (size_t)sent < len);
    return sent;
}

/* A part of a file has gone. A few bytes more could follow at once, and again, as fast as the peer
 * reads; waiting until the system calls it room, which is a third of the buffer, halves the calls.
 * Being asked, it tells of the room when there is some. (It may not be the buffer that ended the
 * part: a file that has been cut has an end as well.) */
static void look_for_room(struct fy_io *io)
{
    struct pollfd room = {.fd = io->fd, .events = POLLOUT};
    if (poll(&room, 1, 0) == 0) {
        fy_io_filled(io);
    }
}

static ssize_t socket_send_file(struct fy_stream *stream, int fd, int64_t offset, size_t len,
                                const char *why)
{
    struct socket_stream *self = of(stream);
    for (;;) {
        int failed = writable_turn(self, why);
        if (failed != 0) {
            return failed;
        }
        write_without_delay(self);
        ssize_t sent = quiet_sendfile(self->io.fd, fd, offset, len);
        if (sent > 0 && (size_t)sent < len) {
            look_for_room(&self->io);
        }
        if (sent >= 0) {
            return sent;
        }
        switch (errno) {
        case EAGAIN: fy_io_filled(&self->io); break;
        case EINTR: break;
        case EINVAL: /* no page cache behind it */
        case ESPIPE: /* a pipe, a terminal */
        case EOPNOTSUPP:
        case ENOSYS: return -ENOSYS;
        case ECONNRESET:
        case ETIMEDOUT: return broken(self);
        default: return -errno; /* may be the file's */
        }
    }
}

static void socket_detach(struct fy_stream *stream)
{
    fy_io_detach(&of(stream)->io);
}

static int socket_attach(struct fy_stream *stream)
{
    return fy_io_attach(&of(stream)->io) == 0 ? 0 : -errno;
}

static int socket_shutdown_write(struct fy_stream *stream)
{
    struct socket_stream *self = of(stream);
    if (self->io.fd < 0) {
        return -ECANCELED;
    }
    return shutdown(self->io.fd, SHUT_WR) == 0 ? 0 : -errno;
}

/* ----------------------------------------------------------------------------- without parking */

static ssize_t socket_try_read(struct fy_stream *stream, void *buf, size_t len)
{
    struct socket_stream *self = of(stream);
    if (self->io.fd < 0) {
        return -ECANCELED;
    }
    ssize_t got = recv(self->io.fd, buf, len, MSG_DONTWAIT);
    if (got == 0 && self->error != 0) {
        return -self->error;
    }
    if (got >= 0) {
        if (got > 0 && (size_t)got < len) {
            fy_io_drained(&self->io);
        }
        return got;
    }
    if (errno == EINTR) {
        return -EAGAIN;
    }
    if (errno == EAGAIN) {
        nothing_there(&self->io);
        return -EAGAIN;
    }
    return broken(self);
}

static ssize_t socket_try_write(struct fy_stream *stream, const void *buf, size_t len)
{
    struct socket_stream *self = of(stream);
    if (self->io.fd < 0) {
        return -ECANCELED;
    }
    write_without_delay(self);
    ssize_t written = send(self->io.fd, buf, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (written >= 0) {
        return written;
    }
    if (errno == EINTR) {
        return -EAGAIN;
    }
    if (errno == EAGAIN) {
        fy_io_filled(&self->io);
        return -EAGAIN;
    }
    return broken(self);
}

/* ---------------------------------------------------------------------------------- its life */

static void socket_close(struct fy_stream *stream)
{
    fy_io_close(&of(stream)->io);
}

static void socket_free(struct fy_stream *stream)
{
    socket_close(stream);
    fy_slab_give(&streams, of(stream));
}

static int socket_descriptor(const struct fy_stream *stream)
{
    return FY_CONTAINER(stream, const struct socket_stream, stream)->io.fd;
}

static const struct fy_stream_ops socket_ops = {
    .read = socket_read,
    .splice = socket_splice,
    .writev = socket_writev,
    .send_file = socket_send_file,
    .wait_readable = socket_wait_readable,
    .rest_readable = socket_rest_readable,
    .has_input = socket_has_input,
    .try_read = socket_try_read,
    .try_write = socket_try_write,
    .detach = socket_detach,
    .attach = socket_attach,
    .shutdown_write = socket_shutdown_write,
    .close = socket_close,
    .free = socket_free,
    .descriptor = socket_descriptor,
};

static int set_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0) {
        return -1;
    }
    return (flags & O_NONBLOCK) != 0 ? 0 : fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

/* Of a descriptor that does not block, which 'open' registers. */
static struct socket_stream *stream_new(int fd, int (*open)(struct fy_io *io, int fd))
{
    struct socket_stream *self = fy_slab_take(&streams);
    if (self == NULL) {
        return NULL;
    }
    *self = (struct socket_stream){
        .stream = {.ops = &socket_ops, .read_deadline = FY_NEVER, .write_deadline = FY_NEVER}};
    if (open(&self->io, fd) != 0) {
        int error = errno;
        fy_slab_give(&streams, self);
        errno = error;
        return NULL;
    }
    return self;
}

struct fy_stream *fy_socket_stream_new(int fd)
{
    struct socket_stream *self = set_nonblocking(fd) == 0 ? stream_new(fd, fy_io_open) : NULL;
    if (self == NULL) {
        return NULL;
    }
    set_undelayed(self); /* whoever made it may have written to it */
    return &self->stream;
}

/* ---------------------------------------------------------------------------------- connecting */

static uint16_t port_of(const struct sockaddr *address)
{
    return address->sa_family == AF_INET    ? ((const struct sockaddr_in *)address)->sin_port
           : address->sa_family == AF_INET6 ? ((const struct sockaddr_in6 *)address)->sin6_port
                                            : 0;
}

/* A port of this machine that nobody listens on may be given to the very socket that dials it,
 * which then is connected to itself. own_port: the one to look for, in network byte order; 0: none. */
static bool connected_to_itself(int fd, uint16_t own_port)
{
    struct sockaddr_storage own = {0};
    struct sockaddr_storage peer = {0};
    socklen_t own_len = sizeof own;
    socklen_t peer_len = sizeof peer;
    if (own_port == 0 || getsockname(fd, (struct sockaddr *)&own, &own_len) != 0 ||
        port_of((struct sockaddr *)&own) != own_port ||
        getpeername(fd, (struct sockaddr *)&peer, &peer_len) != 0) {
        return false;
    }
    return own_len == peer_len && memcmp(&own, &peer, own_len) == 0;
}

/* The socket has become writable: 0, or -errno. Only one that has hung up can have failed. */
static int connect_outcome(const struct socket_stream *self)
{
    const struct fy_io *io = &self->io;
    int error = 0;
    socklen_t len = sizeof error;
    if (io->hangup && getsockopt(io->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0) {
        error = errno;
    }
    if (error == 0 && connected_to_itself(io->fd, self->own_port)) {
        error = ECONNREFUSED;
    }
    return -error;
}

/* Begins, or asks again, and says how it stands: 0, -EINPROGRESS, or another -errno. */
static int connect_once(int fd, const struct sockaddr *address, socklen_t len)
{
    if (connect(fd, address, len) == 0 || errno == EISCONN) {
        return 0;
    }
    return errno == EALREADY || errno == EINTR ? -EINPROGRESS : -errno;
}

int fy_socket_stream_connect(struct fy_stream **stream, const struct sockaddr *address,
                             socklen_t len, const struct fy_local_end *local)
{
    *stream = NULL;
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    int result = fy_local_end_apply(local, fd, address->sa_family);
    if (result == 0) {
        result = connect_once(fd, address, len);
    }
    if (result == -EINPROGRESS) {
        result = connect_once(fd, address, len); /* on this machine a handshake is over by now */
    }
    uint16_t port = port_of(address);
    uint16_t own_port = fy_local_end_may_have(local, ntohs(port)) ? port : 0;
    if (result == 0 && connected_to_itself(fd, own_port)) {
        result = -ECONNREFUSED;
    }
    if (result != 0 && result != -EINPROGRESS) {
        goto fail;
    }
    /* Registered only now: a socket that is neither connected nor connecting counts as hung up. */
    struct socket_stream *self = stream_new(fd, result == 0 ? fy_io_open : fy_io_open_connecting);
    if (self == NULL) {
        result = -errno;
        goto fail;
    }
    self->own_port = own_port;
    self->undelayed = local != NULL && local->delays; /* it is not wanted */
    fy_io_drained(&self->io); /* the registration looks: what is there comes as an event */
    *stream = &self->stream;
    return result;
fail:
    close(fd);
    return result;
}

int fy_socket_stream_finish_connect(struct fy_stream *stream, const char *why)
{
    struct fy_io *io = &of(stream)->io;
    int failed = failure(io, fy_io_wait_writable(io, FY_NEVER, why));
    return failed != 0 ? failed : connect_outcome(of(stream));
}

void fy_socket_stream_probe(struct fy_stream *stream, int64_t ms)
{
    int fd = of(stream)->io.fd;
    const int on = 1;
    int64_t wanted = ms / 1000 + (ms % 1000 != 0);
    int seconds = wanted < 1 ? 1 : wanted > 32767 ? 32767 : (int)wanted; /* what the kernel takes */
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &seconds, sizeof seconds);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &seconds, sizeof seconds);
}
