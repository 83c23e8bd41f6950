/*
 * Running out of memory at every place there is: a scenario is run again and again, and each time
 * another of its allocations fails, once only or from then on for good.
 */
#ifndef TESTS_SCALE_OOM_H
#define TESTS_SCALE_OOM_H

#include "scale.h"

#include <stdbool.h>

#include "origin.h"

/* Sends what it likes over the transport, and frees all that it has made. Returns what came of it: code
 * 0, FERRY_ENOMEM, or what is a fault. On a thread of its own, so that a scheduler's making and its end
 * are part of it. */
typedef ferry_error (*oom_scenario)(ferry_transport *transport);

struct oom_sweep {
    oom_scenario run;
    const ferry_transport_options *options; /* NULL: the defaults */
    bool for_good_too; /* also with every allocation failing after the first that did */
};

/* Starts an origin, sweeps twice, and fails the test unless every outcome is a good one, nothing is left
 * behind, and the second time adds nothing to what is kept on purpose. */
void oom_run(void (*serve)(struct origin_conn *conn, void *arg), struct origin **origin,
             const struct oom_sweep *sweep);

/* Outcomes. */
ferry_error oom_error(const char *where);
ferry_error oom_wrong(const char *what);

#endif
