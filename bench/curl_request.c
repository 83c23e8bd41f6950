/*
 * The easy handle's settings: none that costs what the others do not do as well.
 */
#include "curl_request.h"

#include <string.h>

static size_t take(char *data, size_t size, size_t count, void *arg)
{
    struct curl_request *request = arg;
    size_t len = size * count;
    memcpy(request->buffer, data, len < sizeof request->buffer ? len : sizeof request->buffer);
    request->bytes += len;
    return len;
}

void curl_request_init(struct curl_request *request)
{
    CURL *easy = curl_easy_init();
    if (easy == NULL) {
        bench_fail("out of memory");
    }
    curl_easy_setopt(easy, CURLOPT_URL, bench.url);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, request);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, request);
    request->easy = easy;
}

void curl_request_done(struct curl_request *request, CURLcode result)
{
    long status = 0;
    if (result != CURLE_OK) {
        bench_fail("libcurl: %s", curl_easy_strerror(result));
    }
    curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status != 200) {
        bench_fail("the status is %ld", status);
    }
    bench_done(&request->worker, request->bytes);
    request->bytes = 0;
}
