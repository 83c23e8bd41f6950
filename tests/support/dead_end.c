/*
 * Addresses that lead nowhere. A bound socket that does not listen refuses; one whose queue is full lets
 * the kernel drop what asks to connect, and the dial waits.
 */
#include "dead_end.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static bool hold_port(struct dead_end *end, struct sockaddr_in *address)
{
    socklen_t len = sizeof(*address);

    *end = (struct dead_end){.filler = -1};
    *address = (struct sockaddr_in){.sin_family = AF_INET};
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    end->bound = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (end->bound < 0)
        return false;
    if (bind(end->bound, (struct sockaddr *)address, sizeof(*address)) != 0 ||
        getsockname(end->bound, (struct sockaddr *)address, &len) != 0) {
        dead_end_close(end);
        return false;
    }
    end->port = ntohs(address->sin_port);
    snprintf(end->url, sizeof(end->url), "http://127.0.0.1:%d/", end->port);
    return true;
}

bool dead_end_refuse(struct dead_end *end)
{
    struct sockaddr_in address;

    return hold_port(end, &address);
}

bool dead_end_silence(struct dead_end *end)
{
    struct sockaddr_in address;

    if (!hold_port(end, &address))
        return false;
    /* A backlog of 0 has room for one. */
    if (listen(end->bound, 0) != 0)
        goto failed;
    end->filler = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (end->filler < 0 || connect(end->filler, (struct sockaddr *)&address, sizeof(address)) != 0)
        goto failed;
    return true;

failed:
    dead_end_close(end);
    return false;
}

void dead_end_close(struct dead_end *end)
{
    int error = errno;

    if (end->filler >= 0)
        close(end->filler);
    if (end->bound >= 0)
        close(end->bound);
    end->filler = end->bound = -1;
    errno = error;
}
