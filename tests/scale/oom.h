/*
 * Running out of memory at every place there is: a scenario is run again and again, and each time
 * another of its allocations fails, once only or from then on for good.
 */
#ifndef TESTS_SCALE_OOM_H
#define TESTS_SCALE_OOM_H

#include "scale.h"

#include <stdbool.h>

#include "origin.h"

/* No scenario allocates that often. */
#define OOM_MOST 40000

/* What is tried again and again, on a thread of its own, so that a scheduler's making and its end are
 * part of it. */
struct oom_trial {
    ferry_error (*run)(const void *arg); /* what came of it; all that it has made is freed */
    const void *arg;
    bool hashes; /* FERRY_EUNSUPPORTED will do: OpenSSL's hashing does not say that it was memory */
};

/* Tries it once, with that allocation failing (0: none), or that one and all after it. */
struct oom_outcome {
    ferry_error error;
    long failed; /* allocations */
};
struct oom_outcome oom_try(const struct oom_trial *trial, long fail_at, bool all_after);

/* Tries it with every step-th allocation from the first on failing, and fails the test unless every
 * outcome is a good one and leaves nothing. Returns how many allocations there are, or a little less. */
long oom_try_all(const struct oom_trial *trial, long step, bool all_after);

/* Sends what it likes over the transport, and frees all that it has made. Returns what came of it: code
 * 0, FERRY_ENOMEM, or what is a fault. */
typedef ferry_error (*oom_scenario)(ferry_transport *transport);

struct oom_sweep {
    oom_scenario run;
    const ferry_transport_options *options; /* NULL: the defaults */
    bool for_good_too; /* also with every allocation failing after the first that did */
    long lost;         /* how many pieces a library below ferry is known to lose in one sweep */
};

/* Starts an origin, sweeps twice, and fails the test unless every outcome is a good one, nothing is left
 * behind, and the second time adds nothing to what is kept on purpose but what is known to be lost. */
void oom_run(void (*serve)(struct origin_conn *conn, void *arg), struct origin **origin,
             const struct oom_sweep *sweep);

/* Outcomes. */
ferry_error oom_error(const char *where);
ferry_error oom_wrong(const char *what);

#endif
