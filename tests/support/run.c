/*
 * Running a program with all three standard streams on pipes. One thread serves the three, so that neither
 * side can block the other.
 */
#include "run.h"

#include "bytes.h"
#include "child.h"
#include "events.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define DEFAULT_TIMEOUT_MS 60000

/* Ends of the pipes here; -1: closed. */
struct pipes {
    int in;
    int out;
    int err;
};

static void close_end(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* Writes without SIGPIPE, which a pipe, other than a socket, raises in the writing thread. */
static ssize_t write_quietly(int fd, const void *data, size_t len)
{
    struct timespec at_once = {0};
    sigset_t broken_pipe;
    sigset_t before;
    ssize_t n;
    int error;

    sigemptyset(&broken_pipe);
    sigaddset(&broken_pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &broken_pipe, &before);
    n = write(fd, data, len);
    error = errno;
    if (n < 0 && error == EPIPE && !sigismember(&before, SIGPIPE))
        sigtimedwait(&broken_pipe, NULL, &at_once);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = error;
    return n;
}

static void feed(int *fd, const struct run_options *options, size_t *fed)
{
    ssize_t n = write_quietly(*fd, (const char *)options->input + *fed, options->input_len - *fed);

    if (n > 0)
        *fed += (size_t)n;
    else if (n < 0 && errno != EAGAIN && errno != EINTR)
        close_end(fd);
    if (*fed == options->input_len)
        close_end(fd);
}

static void collect(int *fd, struct bytes *collected)
{
    char piece[16384];
    ssize_t n = read(*fd, piece, sizeof(piece));

    if (n > 0)
        bytes_append(collected, piece, (size_t)n);
    else if (n == 0 || (errno != EINTR && errno != EAGAIN))
        close_end(fd);
}

/* Serves the pipes once, for at most 20 ms. True if anything came. */
static bool serve(struct pipes *pipes, const struct run_options *options, size_t *fed,
                  struct bytes *out, struct bytes *err)
{
    struct pollfd polled[3] = {{.fd = pipes->in, .events = POLLOUT},
                               {.fd = pipes->out, .events = POLLIN},
                               {.fd = pipes->err, .events = POLLIN}};

    if (poll(polled, 3, 20) <= 0)
        return false;
    if (polled[0].revents != 0)
        feed(&pipes->in, options, fed);
    if (polled[1].revents != 0)
        collect(&pipes->out, out);
    if (polled[2].revents != 0)
        collect(&pipes->err, err);
    return true;
}

/* Until the program has ended and everything that it wrote is here; what it started itself and left running
   is killed. Returns waitpid's status. */
static int follow(pid_t pid, struct pipes *pipes, const struct run_options *options,
                  struct run_result *result, struct bytes *out, struct bytes *err)
{
    int64_t deadline =
        events_deadline(options->timeout_ms > 0 ? options->timeout_ms : DEFAULT_TIMEOUT_MS);
    size_t fed = 0;
    int64_t left;
    int status = 0;

    if (pipes->in >= 0 && options->input_len == 0)
        close_end(&pipes->in);
    while (pipes->out >= 0 || pipes->err >= 0) {
        bool came = serve(pipes, options, &fed, out, err);

        /* Without this a grandchild that keeps the pipes open would hold us up. */
        if (!came && child_wait(pid, 0, &status)) {
            while (serve(pipes, options, &fed, out, err) && (pipes->out >= 0 || pipes->err >= 0))
                continue;
            kill(-pid, SIGKILL);
            return status;
        }
        if (events_now() >= deadline)
            break;
    }
    left = deadline - events_now();
    if (!child_wait(pid, left > 0 ? (int)left : 0, &status)) {
        result->timed_out = true;
        status = child_stop(pid, SIGKILL, 1000);
    }
    kill(-pid, SIGKILL);
    return status;
}

/* A pipe whose end here, of which is the number in ends, does not block. */
static bool make_pipe(int ends[2], int here)
{
    if (pipe2(ends, O_CLOEXEC) != 0) {
        ends[0] = ends[1] = -1;
        return false;
    }
    return fcntl(ends[here], F_SETFL, O_NONBLOCK) == 0;
}

static pid_t start(const struct run_options *options, struct pipes *pipes)
{
    int in[2] = {-1, -1};
    int out[2] = {-1, -1};
    int err[2] = {-1, -1};
    pid_t pid = -1;

    if ((options->input == NULL || make_pipe(in, 1)) && make_pipe(out, 0) && make_pipe(err, 0))
        pid = child_start(&(struct child_options){.argv = options->argv,
                                                  .env = options->env,
                                                  .directory = options->directory,
                                                  .standard = {in[0], out[1], err[1]}});
    int error = errno;

    close_end(&in[0]);
    close_end(&out[1]);
    close_end(&err[1]);
    *pipes = (struct pipes){.in = in[1], .out = out[0], .err = err[0]};
    errno = error;
    return pid;
}

bool run(const struct run_options *options, struct run_result *result)
{
    struct bytes out = {0};
    struct bytes err = {0};
    struct pipes pipes;
    pid_t pid;

    *result = (struct run_result){.status = -1};
    bytes_append(&out, "", 0);
    bytes_append(&err, "", 0);
    pid = start(options, &pipes);
    if (pid < 0) {
        result->os_errno = errno;
    } else {
        int status = follow(pid, &pipes, options, result, &out, &err);

        if (WIFEXITED(status))
            result->status = WEXITSTATUS(status);
        if (WIFSIGNALED(status))
            result->signal = WTERMSIG(status);
    }
    close_end(&pipes.in);
    close_end(&pipes.out);
    close_end(&pipes.err);
    result->out = out.data;
    result->out_len = out.len;
    result->err = err.data;
    result->err_len = err.len;
    return pid >= 0;
}

void run_free(struct run_result *result)
{
    free(result->out);
    free(result->err);
    *result = (struct run_result){.status = -1};
}
