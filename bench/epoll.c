/*
 * Contender: the limit. One thread, one epoll loop written for nothing but this exchange: per request
 * one send, one recv and a share of an epoll_wait, no allocation, and what parsing cannot be left out.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"
#include "plain_http.h"

#define EVENTS_AT_ONCE 256

struct connection {
    int fd;
    struct bench_worker worker;
};

static struct plain_request request;
static int running; /* connections with a request under way */

/* A request fits into the socket's empty buffer, always. */
static void begin_request(struct connection *connection)
{
    if (send(connection->fd, request.bytes, request.len, MSG_NOSIGNAL) != (ssize_t)request.len) {
        bench_fail("send: %s", strerror(errno));
    }
}

/* Level-triggered: what is not read now is reported again. A response that comes in one piece is read
 * into a buffer that all connections share; that of one which does not is its own. */
static void serve(struct connection *connection, struct plain_response *response)
{
    size_t room;
    char *place = plain_room(response, &room);
    ssize_t got = recv(connection->fd, place, room, 0);
    if (got <= 0) {
        if (got < 0 && errno == EAGAIN) {
            return;
        }
        bench_fail("recv: %s", got == 0 ? "the connection ended" : strerror(errno));
    }
    if (!plain_take(response, (size_t)got)) {
        return;
    }
    bench_done(&connection->worker, response->body);
    plain_response_restart(response);
    if (bench_go_on()) {
        begin_request(connection);
    } else {
        running--;
    }
}

int main(int argc, char **argv)
{
    bench_begin(argc, argv);
    plain_request_make(&request);
    int poller = epoll_create1(EPOLL_CLOEXEC);
    size_t count = (size_t)bench.connections;
    struct connection *connections = calloc(count, sizeof *connections);
    struct plain_response *responses = calloc(count, sizeof *responses);
    if (poller < 0 || connections == NULL || responses == NULL) {
        bench_fail("%s", strerror(errno));
    }
    for (size_t i = 0; i < count; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.u64 = i};
        connections[i].fd = plain_connect();
        if (fcntl(connections[i].fd, F_SETFL, O_NONBLOCK) != 0 ||
            epoll_ctl(poller, EPOLL_CTL_ADD, connections[i].fd, &event) != 0) {
            bench_fail("%s", strerror(errno));
        }
    }
    for (size_t i = 0; i < count; i++) {
        begin_request(&connections[i]);
        running++;
    }
    while (running > 0) {
        struct epoll_event events[EVENTS_AT_ONCE];
        int ready = epoll_wait(poller, events, EVENTS_AT_ONCE, -1);
        for (int i = 0; i < ready; i++) {
            serve(&connections[events[i].data.u64], &responses[events[i].data.u64]);
        }
    }
    for (size_t i = 0; i < count; i++) {
        close(connections[i].fd);
    }
    close(poller);
    free(responses);
    free(connections);
    return bench_report("epoll");
}
