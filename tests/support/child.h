/*
 * Child processes of a test: programs to run and servers to run against. A child has a process group of
 * its own, inherits no descriptor but its standard ones, and is killed when the thread that started it
 * ends, so that a test that dies leaves none behind.
 *
 * Used by run.c, nginx.c and mass.c.
 */
#ifndef SUPPORT_CHILD_H
#define SUPPORT_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

struct child_options {
    const char *const *argv; /* argv[0] is looked for in PATH; NULL at the end */
    const char *const
        *env; /* "NAME=value" sets, "NAME" removes, beside what there is; NULL at the end */
    const char *directory; /* where it runs; NULL: here */
    int standard[3];       /* descriptors for its input, output and errors; -1: /dev/null */
};

/* The child's process id once the program runs, or -1: errno says why. */
pid_t child_start(const struct child_options *options);

/* To be called first in a process that was forked: does what the head of this file says. keep is one more
   descriptor to stay open (-1: none), and is returned as the number that it has from now on. */
int child_detach(pid_t parent, const int standard[3], int keep);

/* True: it has ended, and *status is what waitpid said. False: it still ran after timeout_ms. */
bool child_wait(pid_t pid, int timeout_ms, int *status);

/* Ends it: by the signal, and after grace_ms, with its whole group, by SIGKILL. Returns waitpid's status. */
int child_stop(pid_t pid, int signal_number, int grace_ms);

#endif
