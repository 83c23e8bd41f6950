/*
 * Contender: send and recv that block, a thread for each connection. What a client by hand costs where
 * nothing is waited for but the server.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"
#include "plain_http.h"

static void work(void)
{
    struct bench_worker worker = {0};
    struct plain_request request;
    struct plain_response response;
    plain_request_make(&request);
    plain_response_restart(&response);
    int fd = plain_connect();
    while (bench_go_on()) {
        if (send(fd, request.bytes, request.len, MSG_NOSIGNAL) != (ssize_t)request.len) {
            bench_fail("send: %s", strerror(errno));
        }
        ssize_t got;
        do {
            size_t room;
            char *place = plain_room(&response, &room);
            got = recv(fd, place, room, 0);
            if (got <= 0) {
                bench_fail("recv: %s", got == 0 ? "the connection ended" : strerror(errno));
            }
        } while (!plain_take(&response, (size_t)got));
        bench_done(&worker, response.body);
        plain_response_restart(&response);
    }
    close(fd);
}

int main(int argc, char **argv)
{
    bench_begin(argc, argv);
    bench_run_threads(work);
    return bench_report("blocking");
}
