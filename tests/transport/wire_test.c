/*
 * What the tests of bytes on the wire share.
 */
#include "wire_test.h"

#include <stdio.h>
#include <stdlib.h>

ferry_client *wire_client(ferry_transport *transport)
{
    ferry_client *client = ferry_client_new(FERRY_CLIENT_OPTIONS(.transport = transport));
    assert_non_null(client);
    return client;
}

struct wire_answer wire_send(ferry_client *client, ferry_request *req)
{
    struct wire_answer answer = {0};
    char piece[1024];
    ssize_t got;
    struct bytes body = {0};
    ferry_response *res = ferry_client_do(client, req, &answer.err);
    if (res == NULL) {
        return answer;
    }
    answer.status = ferry_response_status(res);
    answer.length = ferry_response_length(res);
    while ((got = ferry_response_read(res, piece, sizeof piece, &answer.err)) > 0) {
        bytes_append(&body, piece, (size_t)got);
    }
    bytes_append(&body, "", 0);
    const char *trailer = ferry_response_trailer(res, "X-Trailer");
    snprintf(answer.trailer, sizeof answer.trailer, "%s", trailer != NULL ? trailer : "");
    ferry_response_close(res);
    answer.body = body.data;
    answer.body_len = body.len;
    return answer;
}

struct wire_answer wire_get(ferry_client *client, const char *url)
{
    struct wire_answer answer = {0};
    ferry_request *req = ferry_request_new("GET", url, &answer.err);
    if (req != NULL) {
        answer = wire_send(client, req);
        ferry_request_free(req);
    }
    return answer;
}

void wire_answer_free(struct wire_answer *answer)
{
    free(answer->body);
    *answer = (struct wire_answer){0};
}

void wire_expect(ferry_client *client, ferry_request *req, int status, const char *body)
{
    struct wire_answer answer = wire_send(client, req);
    assert_string_equal(answer.err.message, "");
    assert_int_equal(answer.status, status);
    assert_string_equal(answer.body, body);
    wire_answer_free(&answer);
}

ferry_request *wire_request(const char *method, struct origin *origin, const char *path)
{
    return request(method, origin_url(origin, path));
}

bool wire_is_sentence(const char *message)
{
    size_t len = strlen(message);
    return len > 10 && strchr(message, '\n') == NULL && strstr(message, "  ") == NULL &&
           strchr(" .:,", message[len - 1]) == NULL;
}

void wire_find(struct wire_findings *findings, const char *format, ...)
{
    if (findings->count++ == 0) {
        va_list args;
        va_start(args, format);
        vsnprintf(findings->first, sizeof findings->first, format, args);
        va_end(args);
    }
}

void wire_assert_none(const struct wire_findings *findings)
{
    if (findings->count > 0) {
        fail_msg("%d findings, the first: %s", findings->count, findings->first);
    }
}
