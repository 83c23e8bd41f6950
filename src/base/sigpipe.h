/*
 * Keeping SIGPIPE from the program around a call that raises it and cannot be told not to:
 * sendfile(), c-ares' writes to a name server over TCP, and a write() to a descriptor of the
 * caller's, which may be a pipe. (sendmsg() has MSG_NOSIGNAL.) No handler and no process-wide
 * setting is touched: the program's own stay as they are.
 */
#ifndef FY_BASE_SIGPIPE_H
#define FY_BASE_SIGPIPE_H

#include <signal.h>
#include <stdbool.h>

struct fy_sigpipe {
    sigset_t mask; /* the thread's own, from before */
    bool pending;  /* one was waiting already, which is not ours to take */
};

/* From here on a SIGPIPE of this thread waits. Nothing may park until fy_sigpipe_release(). */
void fy_sigpipe_hold(struct fy_sigpipe *held);

/* Puts the thread's mask back. maybe_raised: takes away first what the calls in between have
 * raised; false where they cannot have. Leaves errno alone. */
void fy_sigpipe_release(const struct fy_sigpipe *held, bool maybe_raised);

#endif
