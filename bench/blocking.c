/*
 * Contender: send and recv that block (with TLS: OpenSSL's calls on a blocking socket), a thread for each
 * connection. What a client by hand costs where nothing is waited for but the server.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "raw.h"

/* So much goes through the pipe at a time, if the system lets it have that much. */
#define PIPE_BYTES (1024 * 1024)

static int pipe_of_splice[2] = {-1, -1};

static char *new_buffer(void)
{
    char *buffer = malloc(bench.buffer);
    if (buffer == NULL) {
        bench_fail("out of memory");
    }
    return buffer;
}

static void write_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t done = write(fd, bytes, len);
        if (done <= 0) {
            bench_fail("%s: %s", bench.save, strerror(errno));
        }
        bytes += done;
        len -= (size_t)done;
    }
}

/* The rest of the body, from the socket to the file, without a copy of ours. */
static void splice_rest(struct raw *raw, struct raw_response *response, int file)
{
    if (pipe_of_splice[0] < 0) {
        if (pipe(pipe_of_splice) != 0) {
            bench_fail("pipe: %s", strerror(errno));
        }
        fcntl(pipe_of_splice[0], F_SETPIPE_SZ, PIPE_BYTES);
    }
    while (response->body_left > 0) {
        size_t most = response->body_left < PIPE_BYTES ? response->body_left : PIPE_BYTES;
        ssize_t in = splice(raw->fd, NULL, pipe_of_splice[1], NULL, most, SPLICE_F_MOVE);
        if (in <= 0) {
            bench_fail("splice: %s", in == 0 ? "the connection ended" : strerror(errno));
        }
        response->body_left -= (size_t)in;
        while (in > 0) {
            ssize_t out = splice(pipe_of_splice[0], NULL, file, NULL, (size_t)in, SPLICE_F_MOVE);
            if (out <= 0) {
                bench_fail("splice: %s", strerror(errno));
            }
            in -= out;
        }
    }
}

static void receive(struct raw *raw, struct raw_response *response, int file)
{
    ssize_t got;
    int complete;
    char *body;
    do {
        size_t room;
        char *place = raw_room(response, &room);
        got = raw_read(raw, place, room);
        if (got <= 0) {
            bench_fail("recv: %s", got == 0 ? "the connection ended" : strerror(errno));
        }
        complete = raw_take(response, (size_t)got, &body);
        if (file >= 0) {
            write_all(file, body, (size_t)(place + got - body));
        }
    } while (!complete && !(bench.splice && response->head_read));
    if (!complete) {
        splice_rest(raw, response, file);
    }
}

static void exchange(struct raw *raw, struct raw_response *response)
{
    int file = bench.save != NULL ? bench_save_open() : -1;
    if (raw->fd < 0) {
        raw_connect(raw);
    }
    raw_send(raw);
    receive(raw, response, file);
    if (bench.close) {
        raw_close(raw);
    }
    if (file >= 0) {
        close(file);
    }
}

static void work(int worker_number)
{
    struct bench_worker worker = {0};
    struct raw raw = {.fd = -1, .worker = worker_number};
    struct raw_response response = {.buffer = new_buffer()};
    while (bench_next(&worker)) {
        exchange(&raw, &response);
        bench_done(&worker, response.body);
        raw_restart(&response);
    }
    if (raw.fd >= 0) {
        raw_close(&raw);
    }
    free(response.buffer);
}

static int idle(void)
{
    struct raw *raws = calloc((size_t)bench.connections, sizeof *raws);
    struct raw_response response = {.buffer = new_buffer()};
    if (raws == NULL) {
        bench_fail("out of memory");
    }
    for (int i = 0; i < bench.connections; i++) {
        raws[i].fd = -1;
        raws[i].worker = i;
        exchange(&raws[i], &response);
        raw_restart(&response);
        if (i == 0) {
            bench_idle_before();
        }
    }
    bench_idle_now();
    usleep((useconds_t)(bench.idle * 1e6));
    return bench_idle_report("blocking");
}

int main(int argc, char **argv)
{
    bench_begin(argc, argv);
    raw_begin();
    if (bench.idle > 0) {
        return idle();
    }
    bench_run_threads(work);
    return bench_report("blocking");
}
