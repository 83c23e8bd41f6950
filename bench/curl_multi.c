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

/* The next transfer that has ended, taken out of the multi handle; NULL: there is none. */
static struct curl_request *next_ended(CURLcode *result)
{
    struct curl_request *request;
    int left;
    CURLMsg *message = curl_multi_info_read(multi, &left);
    if (message == NULL) {
        return NULL;
    }
    CURL *easy = message->easy_handle;
    *result = message->data.result;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&request);
    curl_multi_remove_handle(multi, easy);
    return request;
}

/* Counts what is complete and sends it off again. Returns how many transfers ended for good. */
static int again(void)
{
    struct curl_request *request;
    CURLcode result;
    int ended = 0;
    while ((request = next_ended(&result)) != NULL) {
        if (bench.idle > 0) {
            curl_request_check(request, result);
            ended++;
            continue;
        }
        curl_request_done(request, result);
        if (curl_request_next(request)) {
            curl_multi_add_handle(multi, request->easy);
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

/* One request on each of so many new handles, all under way at once. With fresh connections each, of
 * which libcurl then keeps as many as it is allowed. */
static void run_requests(struct curl_request *requests, int count)
{
    for (int i = 0; i < count; i++) {
        curl_request_init(&requests[i], i);
        curl_request_next(&requests[i]);
        if (bench.idle > 0) {
            curl_easy_setopt(requests[i].easy, CURLOPT_FRESH_CONNECT, 1L);
        }
        curl_multi_add_handle(multi, requests[i].easy);
    }
    run(count);
    for (int i = 0; i < count; i++) {
        curl_request_free(&requests[i]);
    }
}

static int idle(struct curl_request *requests)
{
    run_requests(requests, 1);
    bench_idle_before();
    run_requests(requests, bench.connections);
    bench_idle_now();
    usleep((useconds_t)(bench.idle * 1e6));
    return bench_idle_report("curl-multi");
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
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)bench.connections + 1);
    if (bench.idle > 0) {
        return idle(requests);
    }
    run_requests(requests, bench.connections);
    curl_multi_cleanup(multi);
    close(poller);
    free(requests);
    curl_global_cleanup();
    return bench_report("curl-multi");
}
