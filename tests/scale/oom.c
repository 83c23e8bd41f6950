/*
 * The sweep over a scenario's allocations.
 */
#include "oom.h"

#include <pthread.h>
#include <stdio.h>

#include "failing_alloc.h"

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

/* ------------------------------------------------------------------------------------- a trial */

struct attempt {
    const struct oom_trial *trial;
    long fail_at;
    bool all_after;
    struct oom_outcome outcome;
};

static void *run_attempt(void *arg)
{
    struct attempt *attempt = arg;
    alloc_fail_at(attempt->fail_at, attempt->all_after);
    attempt->outcome.error = attempt->trial->run(attempt->trial->arg);
    attempt->outcome.failed = alloc_fail_none();
    return NULL;
}

struct oom_outcome oom_try(const struct oom_trial *trial, long fail_at, bool all_after)
{
    struct attempt attempt = {.trial = trial, .fail_at = fail_at, .all_after = all_after};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, run_attempt, &attempt), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    return attempt.outcome;
}

static bool is_good(const struct oom_trial *trial, const struct oom_outcome *outcome)
{
    switch (outcome->error.code) {
    case FERRY_OK: return true;
    case FERRY_ENOMEM: return outcome->failed > 0;
    case FERRY_EUNSUPPORTED: return outcome->failed > 0 && trial->hashes;
    default: return false;
    }
}

long oom_try_all(const struct oom_trial *trial, long step, bool all_after)
{
    int tasks = ferry_num_tasks();
    const char *and_all = all_after ? ", and all after it" : "";
    for (long number = 1; number < OOM_MOST; number += step) {
        struct oom_outcome outcome = oom_try(trial, number, all_after);
        if (!is_good(trial, &outcome)) {
            fail_msg("allocation %ld fails%s: %s: %s", number, and_all,
                     ferry_strerror(outcome.error.code), outcome.error.message);
        }
        if (ferry_num_tasks() != tasks || ferry_open_responses(NULL) != 0) {
            ferry_dump_tasks(stderr);
            fail_msg("allocation %ld fails%s: tasks or responses are left", number, and_all);
        }
        if (outcome.failed == 0) {
            assert_int_equal(outcome.error.code, FERRY_OK);
            return number - 1;
        }
    }
    fail_msg("there is no end to the allocations");
    return 0;
}

/* ------------------------------------------------------------------------- over a new transport */

static ferry_error run_scenario(const void *arg)
{
    const struct oom_sweep *sweep = arg;
    ferry_transport *transport = ferry_transport_new(sweep->options);
    ferry_error outcome = transport != NULL ? sweep->run(transport) : oom_error("transport");
    ferry_transport_free(transport);
    return outcome;
}

/* The first time through fills what is kept on purpose (schedulers, lists of stacks); the second time
 * must not add a thing to it. */
void oom_run(void (*serve)(struct origin_conn *conn, void *arg), struct origin **origin,
             const struct oom_sweep *sweep)
{
    const struct oom_trial trial = {.run = run_scenario, .arg = sweep};
    struct held before = held_now();
    long count = 0;
    long living = 0;
    watch_for_hang(scaled(50, 250));
    *origin = origin_start(&(struct origin_script){.serve = serve});
    assert_non_null(*origin);
    for (int time = 0; time < 2; time++) {
        living = alloc_living();
        count = oom_try_all(&trial, 1, false);
        if (sweep->for_good_too) {
            oom_try_all(&trial, 1, true);
        }
    }
    print_message("%ld allocations, each of which may fail; %ld are kept\n", count, living);
    assert_in_range(count, 5, OOM_MOST);
#ifdef ALLOC_WRAPPED
    /* What the C library has allocated (getline) and ferry frees is only seen to be freed. The
     * sanitizer that is there instead sees what is left. */
    assert_true(alloc_living() <= living + sweep->lost);
#else
    assert_in_range(alloc_living(), living, living + sweep->lost);
#endif
    assert_true(origin_await_open(*origin, 0, 10000));
    assert_true(origin_stop(*origin));
    watch_for_hang(0);
    assert_given_back(before);
}
