/*
 * SIGPIPE from a write is sent to the thread that writes. So it is enough to block it in this
 * thread, and to take it off the thread's list before it is unblocked. That costs two short system
 * calls, and a third where one may have been raised.
 */
#include "base/sigpipe.h"

#include <stddef.h>
#include <time.h>

#include "base/errno.h"

static void only_sigpipe(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGPIPE);
}

void fy_sigpipe_hold(struct fy_sigpipe *held)
{
    sigset_t pipe;
    only_sigpipe(&pipe);
    pthread_sigmask(SIG_BLOCK, &pipe, &held->mask);
    held->pending = false;
    /* A thread that did not block it cannot have had one waiting. */
    if (sigismember(&held->mask, SIGPIPE)) {
        sigset_t waiting;
        sigpending(&waiting);
        held->pending = sigismember(&waiting, SIGPIPE);
    }
}

void fy_sigpipe_release(const struct fy_sigpipe *held, bool maybe_raised)
{
    int saved_errno = errno;
    sigset_t pipe;
    only_sigpipe(&pipe);
    if (maybe_raised && !held->pending) {
        const struct timespec at_once = {0};
        while (sigtimedwait(&pipe, NULL, &at_once) < 0 && errno == EINTR) {}
    }
    if (!sigismember(&held->mask, SIGPIPE)) {
        pthread_sigmask(SIG_UNBLOCK, &pipe, NULL);
    }
    errno = saved_errno;
}
