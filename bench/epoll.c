/*
 * Contender: the limit. One thread, one epoll loop written for nothing but this exchange: per request
 * one send, one recv and a share of an epoll_wait, no allocation, and what parsing cannot be left out.
 * With TLS the same on OpenSSL.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "bench.h"
#include "raw.h"

#define EVENTS_AT_ONCE 256

struct connection {
    struct raw raw;
    struct raw_response response;
    struct bench_worker worker;
    bool ready; /* connected, the handshake made, the request sent */
};

static int poller;
static int running; /* connections with a request under way */

/* Kept connections are level-triggered: what is not read now is reported again. A new one is told of
 * once it can be written to, and then when there is something new to read. */
static void watch(struct connection *connection)
{
    struct epoll_event event = {.events = bench.close ? EPOLLIN | EPOLLOUT | EPOLLET : EPOLLIN,
                                .data.ptr = connection};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, connection->raw.fd, &event) != 0) {
        bench_fail("epoll_ctl: %s", strerror(errno));
    }
}

static void connect_and_wait(struct connection *connection)
{
    raw_connect(&connection->raw);
    if (fcntl(connection->raw.fd, F_SETFL, O_NONBLOCK) != 0) {
        bench_fail("%s", strerror(errno));
    }
    connection->ready = true;
    watch(connection);
}

static void begin_request(struct connection *connection)
{
    if (!bench_next(&connection->worker)) {
        running--;
        return;
    }
    if (bench.close) {
        connection->ready = false;
        raw_connect_begin(&connection->raw);
        watch(connection);
    } else {
        raw_send_small(&connection->raw);
    }
}

/* Whether the response is complete; false: more must come. */
static bool receive(struct connection *connection)
{
    char *body;
    size_t room;
    ssize_t got;
    do {
        char *place = raw_room(&connection->response, &room);
        got = raw_read(&connection->raw, place, room);
        if (got <= 0) {
            if (got < 0 && errno == EAGAIN) {
                return false;
            }
            bench_fail("recv: %s", got == 0 ? "the connection ended" : strerror(errno));
        }
        if (raw_take(&connection->response, (size_t)got, &body)) {
            return true;
        }
        /* What OpenSSL holds already, and what will not be reported again, has to be read now. */
    } while (connection->raw.ssl != NULL || bench.close);
    return false;
}

static void serve(struct connection *connection)
{
    if (!connection->ready) {
        if (!raw_handshake(&connection->raw)) {
            return;
        }
        connection->ready = true;
        raw_send_small(&connection->raw);
        return;
    }
    if (!receive(connection)) {
        return;
    }
    if (bench.close) {
        raw_close(&connection->raw);
    }
    bench_done(&connection->worker, connection->response.body);
    raw_restart(&connection->response);
    begin_request(connection);
}

int main(int argc, char **argv)
{
    bench_begin(argc, argv);
    raw_begin();
    size_t count = (size_t)bench.connections;
    struct connection *connections = calloc(count, sizeof *connections);
    char *buffers = calloc(count, bench.buffer); /* a page of it is touched for each connection */
    poller = epoll_create1(EPOLL_CLOEXEC);
    if (poller < 0 || connections == NULL || buffers == NULL) {
        bench_fail("%s", strerror(errno));
    }
    for (size_t i = 0; i < count; i++) {
        connections[i].raw.fd = -1;
        connections[i].raw.worker = (int)i;
        connections[i].response.buffer = buffers + i * bench.buffer;
        if (!bench.close) {
            connect_and_wait(&connections[i]);
        }
    }
    for (size_t i = 0; i < count; i++) {
        running++;
        begin_request(&connections[i]);
    }
    while (running > 0) {
        struct epoll_event events[EVENTS_AT_ONCE];
        int ready = epoll_wait(poller, events, EVENTS_AT_ONCE, -1);
        for (int i = 0; i < ready; i++) {
            serve(events[i].data.ptr);
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (connections[i].raw.fd >= 0) {
            raw_close(&connections[i].raw);
        }
    }
    close(poller);
    free(buffers);
    free(connections);
    return bench_report("epoll");
}
