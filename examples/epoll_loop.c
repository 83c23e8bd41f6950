/*
 * epoll_loop URL...: ferry inside a program that has an epoll loop of its own. The loop watches one
 * descriptor for ferry, whatever number of connections there is, and calls ferry_poll() whenever a
 * wait is over, at the latest after the time that the last call named. The requests are tasks.
 */
#include <ferry.h>

#include <limits.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

static int running; /* tasks; they and the loop share this thread, so it needs no lock */
static int failed;

static void fetch(void *arg)
{
    const char *url = arg;
    char buffer[4096];
    int64_t total = 0;
    ssize_t got = -1;
    ferry_error err;
    ferry_response *res = ferry_get(url, &err);
    if (res != NULL) {
        while ((got = ferry_response_read(res, buffer, sizeof buffer, &err)) > 0) {
            total += got;
        }
    }
    if (got == 0) {
        printf("%s: %d, %lld bytes\n", url, ferry_response_status(res), (long long)total);
    } else {
        fprintf(stderr, "%s\n", err.message);
        failed++;
    }
    ferry_response_close(res);
    running--;
}

/* What the program's own descriptor stands for here: a clock that ticks while requests wait. */
static int open_ticks(int loop)
{
    const struct itimerspec tenth = {.it_interval.tv_nsec = 100000000,
                                     .it_value.tv_nsec = 100000000};
    int ticks = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = ticks};
    if (ticks >= 0) {
        timerfd_settime(ticks, 0, &tenth, NULL);
        epoll_ctl(loop, EPOLL_CTL_ADD, ticks, &event);
    }
    return ticks;
}

static void tick(int ticks)
{
    uint64_t count;
    if (read(ticks, &count, sizeof count) == sizeof count) {
        fprintf(stderr, "tick\n");
    }
}

int main(int argc, char **argv)
{
    int loop = epoll_create1(EPOLL_CLOEXEC);
    int ticks = open_ticks(loop);
    int ferry = ferry_poll_fd();
    struct epoll_event event = {.events = EPOLLIN, .data.fd = ferry};
    if (loop < 0 || ticks < 0 || ferry < 0 || epoll_ctl(loop, EPOLL_CTL_ADD, ferry, &event) != 0) {
        perror("epoll");
        return 1;
    }
    for (int i = 1; i < argc; i++) {
        if (ferry_go(fetch, argv[i]) != 0) {
            perror("ferry_go");
            return 1;
        }
        running++;
    }

    /* The first call begins the tasks; each call runs what can go on and returns. */
    int64_t timeout = ferry_poll();
    while (running > 0) {
        int wait_ms = timeout < 0 || timeout > INT_MAX ? -1 : (int)timeout;
        if (epoll_wait(loop, &event, 1, wait_ms) == 1 && event.data.fd == ticks) {
            tick(ticks);
        }
        /* Whatever has ended the wait: a descriptor that is busier than ferry's time is long would
         * else keep that from ever coming. */
        timeout = ferry_poll();
    }
    close(ticks);
    close(loop);
    return failed > 0 ? 1 : 0;
}
