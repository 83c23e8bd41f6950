/*
 * Children, their ends, and what they look at.
 */
#include "fork_test.h"

#include <sys/wait.h>

#include "task/sanitizer.h"

pid_t fork_and_watch(void)
{
    pid_t child = fork();
#ifdef FY_TSAN
    if (child == 0) {
        _exit(0);
    }
#endif
    return child;
}

void await_well(pid_t child)
{
    int status = -1;
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        fail_msg("the child ended with wait status 0x%x", (unsigned)status);
    }
}

bool got(ferry_transport *transport, const char *url, const char *body)
{
    struct outcome outcome = get(transport, url);
    if (outcome.status != 200 || strcmp(outcome.body, body) != 0) {
        fprintf(stderr, "got %d \"%s\" %s\n", outcome.status, outcome.body, outcome.err.message);
        return false;
    }
    return true;
}

void check_clean(ferry_transport *transport)
{
    CHECK(ferry_num_tasks() == 1);
    CHECK(ferry_open_responses(NULL) == 0);
    CHECK(stats_of(transport).connections == 0);
    CHECK(stats_of(transport).idle == 0);
    CHECK(stats_of(transport).waiting == 0);
    CHECK(stats_of(transport).open_responses == 0);
}
