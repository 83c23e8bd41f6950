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
    struct bench_worker worker;
    size_t bytes;       /* of this response's body, so far */
    char buffer[16384]; /* the body goes here, as with every contender */
};

/* Its body is counted in request->bytes. */
void curl_request_init(struct curl_request *request);

/* A transfer has ended: checks and counts it. */
void curl_request_done(struct curl_request *request, CURLcode result);

#endif
