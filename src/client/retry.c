/*
 * Sending again: what an attempt came to is put before the policy, then before the caller's
 * function; then the response is passed over, so that its connection serves the next attempt, and
 * the wait is waited. A wait that would outlast the send's time is not begun: what there is now is
 * worth more than a timeout later.
 */
#include "client/retry.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "http/response.h"

#define BASE_MS 200
#define MOST_MS 30000

int fy_retry_make(struct fy_retry *retry, const ferry_client_options *options)
{
    *retry = (struct fy_retry){.fn = options->on_retry, .arg = options->on_retry_arg};
    struct fy_retry_policy *policy = &retry->policy;
    policy->attempts = options->max_retries > 0 && options->max_retries < INT32_MAX
                           ? options->max_retries + 1
                           : options->max_retries;
    policy->base_ms = options->retry_base_ms == 0 ? BASE_MS : options->retry_base_ms;
    policy->base_ms = policy->base_ms < 0 ? 0 : policy->base_ms;
    policy->max_ms = options->retry_max_ms == 0 ? MOST_MS : options->retry_max_ms;
    policy->max_ms = policy->max_ms < 0 ? INT64_MAX : policy->max_ms;
    policy->any_method = options->retry_any_method != 0;
    if (options->retry_statuses == NULL) {
        return 0;
    }
    size_t count = 0;
    while (options->retry_statuses[count] != 0) {
        count++;
    }
    retry->statuses = malloc((count + 1) * sizeof(int));
    if (retry->statuses == NULL) {
        return -1;
    }
    memcpy(retry->statuses, options->retry_statuses, (count + 1) * sizeof(int));
    policy->statuses = retry->statuses;
    return 0;
}

void fy_retry_free(struct fy_retry *retry)
{
    free(retry->statuses);
}

/* What the policy says about an attempt: the wait, or -1. */
static int64_t decide(const struct fy_retry *retry, const struct fy_hops *hops,
                      const ferry_response *res, const ferry_error *err)
{
    const ferry_request *req = hops->req;
    const struct fy_retry_attempt attempt = {
        .number = hops->retries + 1,
        .status = res != NULL ? res->status : 0,
        .code = res != NULL ? 0 : err->code,
        .os_errno = res != NULL ? 0 : err->os_errno,
        .retry_after = res != NULL ? fy_header_get(&res->header, "Retry-After") : NULL,
        .idempotent = fy_retry_idempotent(req->method) || fy_request_replayable(req),
        /* Without a response the send is over: a body that was not begun by then is as good as new. */
        .rewindable = fy_request_rewindable(req) || (res == NULL && !req->body_read),
        .now = (int64_t)time(NULL),
        .random = fy_jitter(),
    };
    return fy_retry_decide(&retry->policy, &attempt);
}

/* Whether the request's time will be over after that wait. */
static bool is_vain(const ferry_request *req, int64_t ms)
{
    int64_t left = ferry_request_time_left(req);
    return left >= 0 && ms >= left;
}

int fy_retry_again(const struct fy_retry *retry, struct fy_hops *hops, ferry_response *res,
                   ferry_error *err)
{
    ferry_request *req = hops->req;
    int64_t wait = decide(retry, hops, res, err);
    if (wait >= 0 && retry->fn != NULL && !is_vain(req, 0)) {
        const ferry_retry asked = {
            .size = sizeof asked,
            .request = req,
            .response = res,
            .error = res != NULL ? NULL : err,
            .retries = hops->retries,
            .wait_ms = wait,
        };
        wait = retry->fn(retry->arg, &asked);
    }
    if (wait < 0 || is_vain(req, wait)) {
        return 0;
    }
    if (res != NULL) {
        fy_hops_pass_over(res);
    } else {
        *err = (ferry_error){0};
    }
    if (fy_request_sleep(req, wait, "waiting to send a request again", err) != 0) {
        return -1;
    }
    hops->retries++;
    return 1;
}
