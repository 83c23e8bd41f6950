/*
 * Contender: libcurl's blocking call, a thread with a handle of its own for each connection.
 */
#include "curl_request.h"

static void work(int worker)
{
    struct curl_request request;
    curl_request_init(&request, worker);
    while (curl_request_next(&request)) {
        curl_request_done(&request, curl_easy_perform(request.easy));
    }
    curl_request_free(&request);
}

int main(int argc, char **argv)
{
    bench_begin(argc, argv);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    bench_run_threads(work);
    curl_global_cleanup();
    return bench_report("curl-easy");
}
