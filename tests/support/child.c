/*
 * Starting and ending child processes. Between fork and exec only async-signal-safe calls are made, as the
 * forking process has threads: what needs memory is prepared before.
 */
#include "child.h"

#include "events.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* The first descriptor above the standard ones, where child_detach keeps the one it was given. */
#define KEPT 3

int child_detach(pid_t parent, const int standard[3], int keep)
{
    static const int restored[] = {SIGHUP, SIGINT, SIGPIPE, SIGTERM, SIGCHLD};
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int high[3];
    sigset_t none;

    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127);
    for (size_t i = 0; i < sizeof(restored) / sizeof(restored[0]); i++)
        signal(restored[i], SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);

    /* First out of the way of the numbers that they are moved to. */
    for (int i = 0; i < 3; i++)
        high[i] = fcntl(standard[i] >= 0 ? standard[i] : null, F_DUPFD, KEPT + 1);
    if (keep >= 0)
        keep = fcntl(keep, F_DUPFD_CLOEXEC, KEPT + 1);
    for (int i = 0; i < 3; i++)
        dup2(high[i], i);
    if (keep >= 0)
        dup3(keep, KEPT, O_CLOEXEC);
    close_range(keep >= 0 ? KEPT + 1 : KEPT, ~0U, 0);
    return keep >= 0 ? KEPT : -1;
}

static bool same_name(const char *variable, const char *other)
{
    size_t len = strcspn(other, "=");

    return strncmp(variable, other, len) == 0 && (variable[len] == '=' || variable[len] == '\0');
}

/* The environment with the additions; the strings are those of both, only the array is to be freed. */
static char **make_environment(const char *const *additions)
{
    size_t count = 0;
    size_t added = 0;
    size_t used = 0;
    char **made;

    while (environ != NULL && environ[count] != NULL)
        count++;
    while (additions != NULL && additions[added] != NULL)
        added++;
    made = calloc(count + added + 1, sizeof(*made));
    if (made == NULL)
        abort();
    for (size_t i = 0; i < count; i++) {
        bool replaced = false;

        for (size_t j = 0; j < added; j++)
            replaced = replaced || same_name(environ[i], additions[j]);
        if (!replaced)
            made[used++] = environ[i];
    }
    for (size_t j = 0; j < added; j++) {
        if (strchr(additions[j], '=') != NULL)
            made[used++] = (char *)additions[j];
    }
    return made;
}

/* In the child: never returns. What fails is written to the parent as an errno. */
static void become(const struct child_options *options, char **environment, pid_t parent,
                   int report)
{
    int error;

    report = child_detach(parent, options->standard, report);
    if (options->directory == NULL || chdir(options->directory) == 0)
        execvpe(options->argv[0], (char *const *)options->argv, environment);
    error = errno;
    if (write(report, &error, sizeof(error)) < 0)
        _exit(126);
    _exit(127);
}

pid_t child_start(const struct child_options *options)
{
    pid_t parent = getpid();
    char **environment;
    int report[2];
    int error = 0;
    ssize_t n;
    pid_t pid;

    if (pipe2(report, O_CLOEXEC) != 0)
        return -1;
    environment = make_environment(options->env);
    pid = fork();
    if (pid == 0)
        become(options, environment, parent, report[1]);
    if (pid < 0)
        error = errno;
    free(environment);
    close(report[1]);
    if (pid > 0) {
        /* The pipe closes when the program starts. */
        do {
            n = read(report[0], &error, sizeof(error));
        } while (n < 0 && errno == EINTR);
        if (n > 0)
            child_stop(pid, SIGKILL, 0);
    }
    close(report[0]);
    if (error != 0) {
        errno = error;
        return -1;
    }
    return pid;
}

bool child_wait(pid_t pid, int timeout_ms, int *status)
{
    int64_t deadline = events_deadline(timeout_ms);

    for (;;) {
        pid_t ended = waitpid(pid, status, WNOHANG);

        if (ended == pid)
            return true;
        if (ended < 0 && errno != EINTR) {
            *status = 0;
            return true;
        }
        if (deadline >= 0 && events_now() >= deadline)
            return false;
        events_sleep(1);
    }
}

int child_stop(pid_t pid, int signal_number, int grace_ms)
{
    int status;

    kill(pid, signal_number);
    if (!child_wait(pid, grace_ms, &status)) {
        kill(-pid, SIGKILL);
        kill(pid, SIGKILL);
        child_wait(pid, -1, &status);
    }
    return status;
}
