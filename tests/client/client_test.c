/*
 * What the client's tests share.
 */
#include "client_test.h"

#include <stdio.h>

ferry_client *client_with(ferry_transport *transport, ferry_client_options options)
{
    options.size = sizeof options;
    options.transport = transport;
    ferry_client *client = ferry_client_new(&options);
    assert_non_null(client);
    return client;
}

struct outcome do_request(ferry_client *client, ferry_request *req)
{
    struct outcome outcome = {0};
    ferry_response *res = ferry_client_do(client, req, &outcome.err);
    if (res != NULL) {
        outcome.status = ferry_response_status(res);
        read_body(res, &outcome);
        ferry_response_close(res);
    }
    return outcome;
}

struct outcome client_get(ferry_client *client, const char *url)
{
    ferry_request *req = request("GET", url);
    struct outcome outcome = do_request(client, req);
    ferry_request_free(req);
    return outcome;
}

void fails(ferry_client *client, ferry_request *req, int code, const char *text)
{
    struct outcome outcome = do_request(client, req);
    assert_failed(outcome, code, text);
}

bool has_field(struct origin *origin, size_t i, const char *field)
{
    const char *head = origin_request(origin, i).head;
    return head != NULL && strstr(head, field) != NULL;
}

const char *field_of(struct origin *origin, size_t i, const char *name, char value[512])
{
    char line[64];
    const char *head = origin_request(origin, i).head;
    snprintf(line, sizeof line, "\r\n%s: ", name);
    const char *at = head != NULL ? strstr(head, line) : NULL;
    value[0] = '\0';
    if (at != NULL) {
        at += strlen(line);
        snprintf(value, 512, "%.*s", (int)strcspn(at, "\r"), at);
    }
    return value;
}

ssize_t read_xs(void *arg, void *buf, size_t len)
{
    struct xs *xs = arg;
    if (xs->left == 0 || len == 0) {
        return 0;
    }
    xs->left--;
    *(char *)buf = 'x';
    return 1;
}

int rewind_xs(void *arg)
{
    struct xs *xs = arg;
    xs->left = 3;
    xs->rewinds++;
    return 0;
}

void xs_done(void *arg)
{
    ((struct xs *)arg)->dones++;
}
