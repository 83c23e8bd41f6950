/*
 * Starting, asking, stopping.
 */
#include "inspect_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "events.h"

void inspect_start(const char *address, const char *token)
{
    ferry_error err = {0};
    if (ferry_inspect_start(
            address, FERRY_INSPECT_OPTIONS(.token = token, .interval_ms = 20, .suspicious_ms = 1),
            &err) != 0)
        fail_msg("%s", err.message);
    assert_non_null(ferry_inspect_url());
}

/* The thread's task is left. */
int inspect_stop(void **state)
{
    (void)state;
    ferry_inspect_stop();
    ferry_transport_close_idle(NULL);
    assert_int_equal(ferry_open_responses(stderr), 0);
    for (int64_t until = events_deadline(10000); ferry_num_tasks() > 1 && events_now() < until;)
        ferry_sleep(1); /* streams that were closed early are read on for a moment */
    assert_int_equal(ferry_num_tasks(), 1);
    return 0;
}

struct answer ask(const char *method, const char *url, const char *name, const char *value)
{
    ferry_error err = {0};
    struct answer answer = {0};
    ferry_request *req = ferry_request_new(method, url, &err);
    assert_non_null(req);
    if (name != NULL)
        assert_int_equal(ferry_request_set_header(req, name, value), 0);
    answer.res = ferry_client_do(NULL, req, &err);
    ferry_request_free(req);
    if (answer.res == NULL)
        fail_msg("%s", err.message);
    answer.status = ferry_response_status(answer.res);
    answer.body = ferry_response_read_all(answer.res, 1 << 24, NULL, &err);
    assert_non_null(answer.body);
    return answer;
}

void drop(struct answer *answer)
{
    free(answer->body);
    ferry_response_close(answer->res);
}

const char *at(const char *path)
{
    static char url[256];
    const char *base = ferry_inspect_url();
    snprintf(url, sizeof url, "%.*s%s", (int)strcspn(base + 7, "/") + 7, base, path);
    return url;
}

void expect(const char *method, const char *path, const char *name, const char *value, int status)
{
    struct answer answer = ask(method, at(path), name, value);
    if (answer.status != status)
        fail_msg("%s %s: %d, not %d: %s", method, path, answer.status, status, answer.body);
    drop(&answer);
}
