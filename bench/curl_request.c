/*
 * The easy handle's settings: none that costs what the others do not do as well.
 */
#include "curl_request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* libcurl's own buffer, which a large bench.buffer makes larger (it takes 10 MiB at most). */
#define SMALLEST_BUFFER (16 * 1024)

static size_t take(char *data, size_t size, size_t count, void *arg)
{
    struct curl_request *request = arg;
    size_t len = size * count;
    request->bytes += len;
    if (request->file < 0) {
        memcpy(request->buffer, data, len < bench.buffer ? len : bench.buffer);
        return len;
    }
    for (size_t done = 0; done < len;) {
        ssize_t put = write(request->file, data + done, len - done);
        if (put <= 0) {
            bench_fail("%s: %s", bench.save, strerror(errno));
        }
        done += (size_t)put;
    }
    return len;
}

static size_t give(char *buffer, size_t size, size_t count, void *arg)
{
    struct curl_request *request = arg;
    ssize_t got = pread(bench.upload, buffer, size * count, request->sent);
    if (got < 0) {
        return CURL_READFUNC_ABORT;
    }
    request->sent += got;
    return (size_t)got;
}

static void add_field(struct curl_request *request, const char *field)
{
    request->fields = curl_slist_append(request->fields, field);
    if (request->fields == NULL) {
        bench_fail("out of memory");
    }
}

static void set_body(struct curl_request *request)
{
    CURL *easy = request->easy;
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)bench.upload_len);
    if (bench.upload_bytes != NULL) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, bench.upload_bytes);
    } else {
        curl_easy_setopt(easy, CURLOPT_READFUNCTION, give);
        curl_easy_setopt(easy, CURLOPT_READDATA, request);
        curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, (long)UPLOAD_IN_MEMORY);
    }
    add_field(request, "Expect:");
    add_field(request, "Content-Type:");
}

static void set_tls(CURL *easy)
{
    curl_easy_setopt(easy, CURLOPT_CAINFO, bench.ca);
    curl_easy_setopt(easy, CURLOPT_SSL_SESSIONID_CACHE, bench.resume ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_SSL_ENABLE_ALPN, 1L);
}

void curl_request_init(struct curl_request *request, int worker)
{
    CURL *easy = curl_easy_init();
    *request = (struct curl_request){.easy = easy, .file = -1, .buffer = malloc(bench.buffer)};
    if (easy == NULL || request->buffer == NULL) {
        bench_fail("out of memory");
    }
    bench_url(worker, request->url);
    curl_easy_setopt(easy, CURLOPT_URL, request->url);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, request);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, request);
    if (bench.buffer > SMALLEST_BUFFER) {
        curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)bench.buffer);
    }
    if (bench.upload >= 0) {
        set_body(request);
    }
    if (bench.close) {
        curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
        add_field(request, "Connection: close");
    }
    if (bench.tls) {
        set_tls(easy);
    }
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, request->fields);
}

void curl_request_free(struct curl_request *request)
{
    curl_easy_cleanup(request->easy);
    curl_slist_free_all(request->fields);
    free(request->buffer);
}

bool curl_request_next(struct curl_request *request)
{
    if (!bench_next(&request->worker)) {
        return false;
    }
    request->bytes = 0;
    request->sent = 0;
    if (bench.save != NULL) {
        request->file = bench_save_open();
    }
    return true;
}

size_t curl_request_check(struct curl_request *request, CURLcode result)
{
    long status = 0;
    long connections = 0;
    if (result != CURLE_OK) {
        bench_fail("libcurl: %s", curl_easy_strerror(result));
    }
    curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status != 200) {
        bench_fail("the status is %ld", status);
    }
    curl_easy_getinfo(request->easy, CURLINFO_NUM_CONNECTS, &connections);
    bench_opened(connections);
    if (request->file >= 0) {
        close(request->file);
        request->file = -1;
    }
    return request->bytes;
}

void curl_request_done(struct curl_request *request, CURLcode result)
{
    bench_done(&request->worker, curl_request_check(request, result));
}
