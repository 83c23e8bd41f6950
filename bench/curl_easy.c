/*
 * Contender: libcurl's blocking call, a thread with a handle of its own for each connection.
 */
#include "curl_request.h"

#include <stdlib.h>

static void work(void)
{
    struct curl_request *request = calloc(1, sizeof *request);
    if (request == NULL) {
        bench_fail("out of memory");
    }
    curl_request_init(request);
    while (bench_go_on()) {
        curl_request_done(request, curl_easy_perform(request->easy));
    }
    curl_easy_cleanup(request->easy);
    free(request);
}

int main(int argc, char **argv)
{
    bench_begin(argc, argv);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    bench_run_threads(work);
    curl_global_cleanup();
    return bench_report("curl-easy");
}
