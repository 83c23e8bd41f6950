/*
 * The one-line calls: a request made, sent through the default client, and freed.
 */
#include <ferry.h>

#include "base/error.h"

/* The response does not need its request: what it keeps of it, it has copied. */
static ferry_response *send_and_free(ferry_request *req, ferry_error *err, const char *file,
                                     int line)
{
    ferry_response *res = ferry_client_do_at(NULL, req, err, file, line);
    ferry_request_free(req);
    return res;
}

FERRY_API ferry_response *ferry_get_at(const char *url, ferry_error *err, const char *file,
                                       int line)
{
    ferry_request *req = ferry_request_new("GET", url, err);
    return req != NULL ? send_and_free(req, err, file, line) : NULL;
}

FERRY_API ferry_response *ferry_head_at(const char *url, ferry_error *err, const char *file,
                                        int line)
{
    ferry_request *req = ferry_request_new("HEAD", url, err);
    return req != NULL ? send_and_free(req, err, file, line) : NULL;
}

FERRY_API ferry_response *ferry_post_at(const char *url, const char *content_type, const void *body,
                                        size_t len, ferry_error *err, const char *file, int line)
{
    ferry_request *req = ferry_request_new("POST", url, err);
    if (req == NULL) {
        return NULL;
    }
    if (content_type != NULL) {
        (void)ferry_request_set_header(req, "Content-Type", content_type); /* the send reports it */
    }
    (void)ferry_request_set_body(req, body, len);
    return send_and_free(req, err, file, line);
}

FERRY_API ferry_response *(ferry_get)(const char *url, ferry_error *err)
{
    return ferry_get_at(url, err, NULL, 0);
}

FERRY_API ferry_response *(ferry_head)(const char *url, ferry_error *err)
{
    return ferry_head_at(url, err, NULL, 0);
}

FERRY_API ferry_response *(ferry_post)(const char *url, const char *content_type, const void *body,
                                       size_t len, ferry_error *err)
{
    return ferry_post_at(url, content_type, body, len, err, NULL, 0);
}
