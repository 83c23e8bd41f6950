/*
 * Sending a hop's request again: the client's policy put to use. Called by the client's loop after
 * each attempt.
 */
#ifndef FY_CLIENT_RETRY_H
#define FY_CLIENT_RETRY_H

#include <ferry.h>

#include "client/hop.h"
#include "client/retry_policy.h"

/* Of a client; never changes once made. */
struct fy_retry {
    struct fy_retry_policy policy;
    int *statuses;     /* what policy.statuses points to, or NULL */
    ferry_retry_fn fn; /* NULL: the policy's word is the last */
    void *arg;
};

/* From a client's options. -1 when out of memory. */
int fy_retry_make(struct fy_retry *retry, const ferry_client_options *options);
void fy_retry_free(struct fy_retry *retry);

/* Where the policy has more than one attempt, after one that brought res, or NULL and *err: 1 when the hop is to be sent once more, at
 * once, since all waiting has been done; the response is closed then, and the error forgotten. 0:
 * what the attempt brought is what there is. -1: the wait was ended, *err tells why, the response
 * is closed. */
int fy_retry_again(const struct fy_retry *retry, struct fy_hops *hops, ferry_response *res,
                   ferry_error *err);

#endif
