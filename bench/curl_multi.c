/*
 * Contender: libcurl's multi interface on one thread, driven by epoll through curl_multi_socket_action:
 * the way that its documentation recommends for many transfers at once.
 */
#include "curl_request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define EVENTS_AT_ONCE 256

static CURLM *multi;
static int poller;
static long timer_ms = -1; /* what libcurl wants to be called after; -1: not */

static int socket_changed(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
    struct epoll_event event = {.data.fd = fd};
    (void)easy;
    (void)arg;
    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(poller, EPOLL_CTL_DEL, fd, NULL);
        return 0;
    }
    event.events =
        ((what & CURL_POLL_IN) != 0 ? EPOLLIN : 0U) | ((what & CURL_POLL_OUT) != 0 ? EPOLLOUT : 0U);
    if (epoll_ctl(poller, known != NULL ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) != 0) {
        bench_fail("epoll_ctl: %s", strerror(errno));
    }
    curl_multi_assign(multi, fd, &poller); /* anything but NULL: it is registered */
    return 0;
}

static int timer_changed(CURLM *handle, long ms, void *arg)
{
    (void)handle;
    (void)arg;
    timer_ms = ms;
    return 0;
}

/* Counts what is complete and sends it off again. Returns how many transfers ended for good. */
static int again(void)
{
    CURLMsg *message;
    int left;
    int ended = 0;
    while ((message = curl_multi_info_read(multi, &left)) != NULL) {
        struct curl_request *request;
        CURL *easy = message->easy_handle;
        CURLcode result = message->data.result;
        curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&request);
        curl_request_done(request, result);
        curl_multi_remove_handle(multi, easy);
        if (bench_go_on()) {
            curl_multi_add_handle(multi, easy);
        } else {
            ended++;
        }
    }
    return ended;
}

static void run(int running)
{
    while (running > 0) {
        struct epoll_event events[EVENTS_AT_ONCE];
        int still;
        int count = timer_ms == 0 ? 0 : epoll_wait(poller, events, EVENTS_AT_ONCE, (int)timer_ms);
        for (int i = 0; i < count; i++) {
            int what = ((events[i].events & EPOLLIN) != 0 ? CURL_CSELECT_IN : 0) |
                       ((events[i].events & EPOLLOUT) != 0 ? CURL_CSELECT_OUT : 0) |
                       ((events[i].events & (EPOLLERR | EPOLLHUP)) != 0 ? CURL_CSELECT_ERR : 0);
            curl_multi_socket_action(multi, events[i].data.fd, what, &still);
        }
        if (count <= 0 && timer_ms >= 0) {
            timer_ms = -1;
            curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &still);
        }
        running -= again();
    }
}

int main(int argc, char **argv)
{
    bench_begin(argc, argv);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    poller = epoll_create1(EPOLL_CLOEXEC);
    multi = curl_multi_init();
    struct curl_request *requests = calloc((size_t)bench.connections, sizeof *requests);
    if (poller < 0 || multi == NULL || requests == NULL) {
        bench_fail("%s", strerror(errno));
    }
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, socket_changed);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, timer_changed);
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)bench.connections);
    for (int i = 0; i < bench.connections; i++) {
        curl_request_init(&requests[i]);
        curl_multi_add_handle(multi, requests[i].easy);
    }
    run(bench.connections);
    for (int i = 0; i < bench.connections; i++) {
        curl_easy_cleanup(requests[i].easy);
    }
    curl_multi_cleanup(multi);
    close(poller);
    free(requests);
    curl_global_cleanup();
    return bench_report("curl-multi");
}
