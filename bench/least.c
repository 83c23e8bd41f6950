/*
 * Contender: the least that is a client. The epoll loop by hand believes the one server that it knows; whoever
 * hands responses to somebody else has to make a request of a URL and of fields, to check a head line by
 * line, to decide what frames the body, and to give that to the caller in a buffer of the caller's own. This
 * is the epoll loop with just that, by ferry's own functions: no tasks, no pool, no deadline, no second
 * thread. So what lies between the epoll loop and this one is what not believing the server costs, with these
 * functions; what lies between this one and ferry is the price of ferry's design. GETs on kept connections.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "bench.h"
#include "http/framing.h"
#include "http/request.h"
#include "http/response_parse.h"
#include "raw.h"

#define EVENTS_AT_ONCE 256
#define INPUT_BYTES 16384

struct connection {
    struct raw raw;
    struct bench_worker worker;
    char url[BENCH_URL_SIZE];
    char *output;           /* the caller's: bench.buffer bytes */
    ferry_request *request; /* under way */
    bool head_read;
    size_t body_left; /* valid once the head is read, as body is */
    size_t body;
    size_t len; /* of the head, and of what came with it */
    char input[INPUT_BYTES];
    max_align_t room[128]; /* of the response's fields and texts */
};

static int poller;
static int running; /* connections with a request under way */

static void watch(struct connection *connection)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    if (fcntl(connection->raw.fd, F_SETFL, O_NONBLOCK) != 0 ||
        epoll_ctl(poller, EPOLL_CTL_ADD, connection->raw.fd, &event) != 0) {
        bench_fail("%s", strerror(errno));
    }
}

static void begin_request(struct connection *connection)
{
    static const struct fy_head_options options = {.user_agent = "bench"};
    char bytes[1024];
    struct fy_buffer head = FY_BUFFER_IN(bytes);
    ferry_error err;
    if (!bench_next(&connection->worker)) {
        running--;
        return;
    }
    connection->request = ferry_request_new("GET", connection->url, &err);
    if (connection->request == NULL ||
        fy_request_write_head(connection->request, &options, &head, &err) != 0) {
        bench_fail("%s", err.message);
    }
    raw_send_other(&connection->raw, head.bytes, head.len);
    fy_buffer_free(&head);
}

/* Whether there is one: then *body_from is where the body begins. */
static bool take_head(struct connection *connection, size_t *body_from)
{
    struct fy_arena arena = {0};
    struct fy_header header = {0};
    struct fy_framing framing;
    struct fy_status_line line;
    struct fy_parse parse = {.bytes = connection->input, .len = connection->len};
    char detail[64];
    fy_arena_lend(&arena, connection->room, sizeof connection->room);
    enum fy_parse_result result = fy_parse_status_line(&parse, &line);
    while (result == FY_PARSE_DONE) {
        if (header.count == header.capacity && fy_header_grow(&header, &arena) != 0) {
            bench_fail("out of memory");
        }
        result =
            fy_parse_fields(&parse, INPUT_BYTES, header.fields, header.capacity, &header.count);
    }
    if (result == FY_PARSE_END) {
        char *kept = fy_arena_copy(&arena, parse.bytes, parse.at);
        if (kept == NULL) {
            bench_fail("out of memory");
        }
        fy_header_keep(&header, parse.bytes, kept);
        const char *refused = fy_framing_decide(&framing, ferry_request_method(connection->request),
                                                line.minor, line.status, &header, false, detail);
        if (refused != NULL || line.status != 200 || framing.kind != FY_BODY_LENGTH) {
            bench_fail("the response: %s", refused != NULL ? refused : "no 200 of a known length");
        }
        connection->body = connection->body_left = (size_t)framing.length;
        *body_from = parse.at;
    } else if (result == FY_PARSE_BAD) {
        bench_fail("the response has %s", parse.reason);
    }
    fy_arena_free(&arena);
    return result == FY_PARSE_END;
}

/* Bytes that have come, behind those of a head, or of a body in the caller's buffer. */
static void take(struct connection *connection, size_t got)
{
    if (!connection->head_read) {
        size_t from;
        connection->len += got;
        connection->head_read = take_head(connection, &from);
        if (!connection->head_read) {
            return;
        }
        got = connection->len - from;
        memcpy(connection->output, connection->input + from,
               got < bench.buffer ? got : bench.buffer);
    }
    if (got > connection->body_left) {
        bench_fail("bytes after the response");
    }
    connection->body_left -= got;
}

/* Whether the response is complete; false: more must come. */
static bool receive(struct connection *connection)
{
    do {
        char *place = connection->output;
        size_t room = bench.buffer;
        if (!connection->head_read) {
            place = connection->input + connection->len;
            room = INPUT_BYTES - connection->len;
        }
        ssize_t got = raw_read(&connection->raw, place, room);
        if (got < 0 && errno == EAGAIN) {
            return false;
        }
        if (got <= 0) {
            bench_fail("recv: %s", got == 0 ? "the connection ended" : strerror(errno));
        }
        take(connection, (size_t)got);
        /* What OpenSSL holds already is not reported again. */
    } while (connection->raw.ssl != NULL && !(connection->head_read && connection->body_left == 0));
    return connection->head_read && connection->body_left == 0;
}

static void serve(struct connection *connection)
{
    if (receive(connection)) {
        bench_done(&connection->worker, connection->body);
        ferry_request_free(connection->request);
        connection->head_read = false;
        connection->len = 0;
        begin_request(connection);
    }
}

static void open_connection(struct connection *connection, int number)
{
    connection->raw = (struct raw){.fd = -1, .worker = number};
    connection->output = malloc(bench.buffer);
    if (connection->output == NULL) {
        bench_fail("out of memory");
    }
    bench_url(number, connection->url);
    raw_connect(&connection->raw);
    watch(connection);
}

int main(int argc, char **argv)
{
    bench_begin(argc, argv);
    raw_begin();
    struct connection *connections = calloc((size_t)bench.connections, sizeof *connections);
    poller = epoll_create1(EPOLL_CLOEXEC);
    if (poller < 0 || connections == NULL) {
        bench_fail("%s", strerror(errno));
    }
    if (bench.close || bench.upload >= 0 || bench.save != NULL) {
        bench_fail("this contender makes GETs on kept connections");
    }
    for (int i = 0; i < bench.connections; i++) {
        open_connection(&connections[i], i);
    }
    running = bench.connections;
    for (int i = 0; i < bench.connections; i++) {
        begin_request(&connections[i]);
    }
    while (running > 0) {
        struct epoll_event events[EVENTS_AT_ONCE];
        int ready = epoll_wait(poller, events, EVENTS_AT_ONCE, -1);
        for (int i = 0; i < ready; i++) {
            serve(events[i].data.ptr);
        }
    }
    for (int i = 0; i < bench.connections; i++) {
        raw_forget(&connections[i].raw);
        free(connections[i].output);
    }
    close(poller);
    free(connections);
    bench_report("least");
    raw_end();
    bench_end();
    return 0;
}
