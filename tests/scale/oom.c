/*
 * The sweep over a scenario's allocations.
 */
#include "oom.h"

#include <pthread.h>
#include <stdio.h>

#include "failing_alloc.h"

/* No scenario allocates that often. */
#define MOST_ALLOCATIONS 4000

ferry_error oom_error(const char *where)
{
    ferry_error err = {.code = FERRY_ENOMEM};
    snprintf(err.message, sizeof err.message, "%s", where);
    return err;
}

ferry_error oom_wrong(const char *what)
{
    ferry_error err = {.code = FERRY_EPROTOCOL};
    snprintf(err.message, sizeof err.message, "%s", what);
    return err;
}

struct attempt {
    const struct oom_sweep *sweep;
    long fail_at;
    bool all_after;
    long failed; /* allocations */
    ferry_error outcome;
};

static void *run_attempt(void *arg)
{
    struct attempt *attempt = arg;
    alloc_fail_at(attempt->fail_at, attempt->all_after);
    ferry_transport *transport = ferry_transport_new(attempt->sweep->options);
    attempt->outcome = transport != NULL ? attempt->sweep->run(transport) : oom_error("transport");
    ferry_transport_free(transport);
    attempt->failed = alloc_fail_none();
    return NULL;
}

static void check_attempt(const struct attempt *attempt, int tasks)
{
    int code = attempt->outcome.code;
    if (code != FERRY_OK && (code != FERRY_ENOMEM || attempt->failed == 0)) {
        fail_msg("allocation %ld fails%s: %s: %s", attempt->fail_at,
                 attempt->all_after ? ", and all after it" : "", ferry_strerror(code),
                 attempt->outcome.message);
    }
    if (ferry_num_tasks() != tasks || ferry_open_responses(NULL) != 0) {
        ferry_dump_tasks(stderr);
        fail_msg("allocation %ld fails%s: tasks or responses are left", attempt->fail_at,
                 attempt->all_after ? ", and all after it" : "");
    }
}

/* Returns how many allocations could fail. */
static long run_all(const struct oom_sweep *sweep, bool all_after)
{
    int tasks = ferry_num_tasks();
    for (long number = 1; number < MOST_ALLOCATIONS; number++) {
        struct attempt attempt = {.sweep = sweep, .fail_at = number, .all_after = all_after};
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, run_attempt, &attempt), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
        check_attempt(&attempt, tasks);
        if (attempt.failed == 0) {
            assert_int_equal(attempt.outcome.code, FERRY_OK);
            return number - 1;
        }
    }
    fail_msg("there is no end to the allocations");
    return 0;
}

/* The first time through fills what is kept on purpose (schedulers, lists of stacks); the second time
 * must not add a thing to it. */
void oom_run(void (*serve)(struct origin_conn *conn, void *arg), struct origin **origin,
             const struct oom_sweep *sweep)
{
    struct held before = held_now();
    long count = 0;
    long living = 0;
    watch_for_hang(scaled(50, 250));
    *origin = origin_start(&(struct origin_script){.serve = serve});
    assert_non_null(*origin);
    for (int time = 0; time < 2; time++) {
        living = alloc_living();
        count = run_all(sweep, false);
        if (sweep->for_good_too) {
            run_all(sweep, true);
        }
    }
    print_message("%ld allocations, each of which may fail; %ld are kept\n", count, living);
    assert_in_range(count, 5, MOST_ALLOCATIONS);
#ifdef ALLOC_WRAPPED
    /* What the C library has allocated (getline) and ferry frees is only seen to be freed. The
     * sanitizer that is there instead sees what is left. */
    assert_true(alloc_living() <= living);
#else
    assert_int_equal(alloc_living(), living);
#endif
    assert_true(origin_await_open(*origin, 0, 10000));
    assert_true(origin_stop(*origin));
    watch_for_hang(0);
    assert_given_back(before);
}
