/*
 * ferry_get, the body read into the caller's buffer, close; and where that has no option for what is
 * asked, a client and a transport of one's own, and a request made for each send.
 */
#include "ferry_request.h"

#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

static ferry_transport *transport; /* NULL: the default one */
static ferry_client *client;       /* NULL: ferry_get does */

void ferry_begin(void)
{
    if (!bench.tls && !bench.close && bench.upload < 0 && bench.connections <= KEPT_BY_DEFAULT) {
        return;
    }
    transport = ferry_transport_new(FERRY_TRANSPORT_OPTIONS(
            .max_idle = INT_MAX, .max_idle_per_host = INT_MAX, .tls_handshake_timeout_ms = -1,
            .tls = FERRY_TLS_OPTIONS(.ca_file = bench.ca, .disable_resumption = !bench.resume)));
    client = ferry_client_new(FERRY_CLIENT_OPTIONS(.transport = transport));
    if (transport == NULL || client == NULL) {
        bench_fail("out of memory");
    }
}

void ferry_end(void)
{
    ferry_stats stats = FERRY_STATS_INIT;
    ferry_transport_stats(transport, &stats);
    bench_opened((long)stats.dials);
    ferry_client_free(client);
    ferry_transport_free(transport);
}

void ferry_worker_begin(struct ferry_worker *worker, int number)
{
    *worker = (struct ferry_worker){.buffer = malloc(bench.buffer)};
    bench_url(number, worker->url);
    if (worker->buffer == NULL) {
        bench_fail("out of memory");
    }
}

void ferry_worker_end(struct ferry_worker *worker)
{
    free(worker->buffer);
}

/* What ferry_get does, but on the client, and with what else is asked for. */
static ferry_response *send_request(const char *url, ferry_error *err)
{
    ferry_request *request = ferry_request_new(bench.upload >= 0 ? "POST" : "GET", url, err);
    if (request == NULL) {
        return NULL;
    }
    ferry_request_set_close(request, bench.close);
    if (bench.upload_bytes != NULL) {
        ferry_request_set_body(request, bench.upload_bytes, bench.upload_len);
    } else if (bench.upload >= 0) {
        ferry_request_set_body_fd(request, bench.upload, 0, -1);
    }
    ferry_response *res = ferry_client_do(client, request, err);
    ferry_request_free(request);
    return res;
}

ferry_response *ferry_open(struct ferry_worker *worker)
{
    ferry_error err;
    ferry_response *res =
        client != NULL ? send_request(worker->url, &err) : ferry_get(worker->url, &err);
    if (res == NULL) {
        bench_fail("%s", err.message);
    }
    if (ferry_response_status(res) != 200) {
        bench_fail("the status is %d", ferry_response_status(res));
    }
    return res;
}

static ssize_t save(ferry_response *res, ferry_error *err)
{
    int file = bench_save_open();
    ssize_t saved = (ssize_t)ferry_response_save(res, file, err);
    close(file);
    return saved;
}

size_t ferry_finish(struct ferry_worker *worker, ferry_response *res)
{
    ferry_error err;
    size_t bytes = 0;
    ssize_t got;
    if (bench.save != NULL) {
        got = save(res, &err);
        bytes = (size_t)got;
    } else {
        while ((got = ferry_response_read(res, worker->buffer, bench.buffer, &err)) > 0) {
            bytes += (size_t)got;
        }
    }
    if (got < 0) {
        bench_fail("%s", err.message);
    }
    ferry_response_close(res);
    return bytes;
}

void ferry_work(int number)
{
    struct ferry_worker worker;
    ferry_worker_begin(&worker, number);
    while (bench_next(&worker.bench)) {
        bench_done(&worker.bench, ferry_finish(&worker, ferry_open(&worker)));
    }
    ferry_worker_end(&worker);
}
