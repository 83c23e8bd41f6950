/*
 * One easy handle, set up once and used again for every request, as libcurl's documentation advises.
 * What the contenders "curl-multi" and "curl-easy" share.
 */
#ifndef BENCH_CURL_REQUEST_H
#define BENCH_CURL_REQUEST_H

#include <curl/curl.h>

#include "bench.h"

struct curl_request {
    CURL *easy;
    struct curl_slist *fields; /* header fields */
    struct bench_worker worker;
    char url[BENCH_URL_SIZE];
    size_t bytes; /* of this response's body, so far */
    off_t sent;   /* of the upload's file, so far */
    int file;     /* bench.save, while a response is under way; else -1 */
    char *buffer; /* the body goes here, as with every contender; bench.buffer bytes */
};

/* Its body is counted in request->bytes. */
void curl_request_init(struct curl_request *request, int worker);
void curl_request_free(struct curl_request *request);

/* Whether another request is wanted; then the handle is ready for it. */
bool curl_request_next(struct curl_request *request);

/* A transfer has ended: checks it, and returns its body's bytes. */
size_t curl_request_check(struct curl_request *request, CURLcode result);

/* The same, and counts it. */
void curl_request_done(struct curl_request *request, CURLcode result);

#endif
