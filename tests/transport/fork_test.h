/*
 * What the tests of forking share. A child says by its exit status whether all was well; what was not is
 * on standard error.
 */
#ifndef FORK_TEST_H
#define FORK_TEST_H

#include <stdio.h>
#include <sys/types.h>
#include <unistd.h>

#include "transport_test.h"

/* In a child, which must not come back into the test. */
#define CHECK(expression)                                                                         \
    do {                                                                                          \
        if (!(expression)) {                                                                      \
            fprintf(stderr, "%s:%d: not so in the child: %s\n", __FILE__, __LINE__, #expression); \
            _exit(1);                                                                             \
        }                                                                                         \
    } while (0)

/* What parent and child use. */
struct family {
    ferry_transport *transport;
    struct origin *origin;
    ferry_response *open;
    const char *url;
};

/* To ThreadSanitizer tasks are threads, and it does not follow the child of a process that has some: there
 * the child only ends, and what is looked at is the parent. */
pid_t fork_and_watch(void);

/* In the parent: the child ends, and all was well. */
void await_well(pid_t child);

/* In a child: whether a GET brings this body; and that nothing of the parent's is there. */
bool got(ferry_transport *transport, const char *url, const char *body);
void check_clean(ferry_transport *transport);

#endif
