/*
 * retry URL [SECONDS]: a request that does not give up at once. Each failure that may pass is sent
 * again after a wait, longer and longer ones, or as long as the server asks for; but for SECONDS
 * (10) in all, and only as often as the function below agrees.
 */
#include <ferry.h>

#include <stdio.h>
#include <stdlib.h>

/* Asked before each retry. What it returns is waited for; -1 would give up. */
static int64_t tell(void *arg, const ferry_retry *retry)
{
    int *tries = arg;
    char status[16];
    snprintf(status, sizeof status, "%d",
             retry->response != NULL ? ferry_response_status(retry->response) : 0);
    fprintf(stderr, "%s: %s, again in %lld ms\n", ferry_request_url(retry->request),
            retry->error != NULL ? ferry_strerror(retry->error->code) : status,
            (long long)retry->wait_ms);
    (*tries)++;
    return retry->wait_ms;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: retry URL [SECONDS]\n");
        return 2;
    }
    int tries = 1;
    ferry_error err = {.message = "out of memory"};
    ferry_client *client = ferry_client_new(
        FERRY_CLIENT_OPTIONS(.max_retries = 4, .retry_base_ms = 20, .retry_max_ms = 2000,
                             .timeout_ms = (argc > 2 ? atoll(argv[2]) : 10) * 1000,
                             .on_retry = tell, .on_retry_arg = &tries));
    ferry_request *req = client != NULL ? ferry_request_new("GET", argv[1], &err) : NULL;
    ferry_response *res = req != NULL ? ferry_client_do(client, req, &err) : NULL;

    if (res != NULL) {
        printf("%d after %d tries\n", ferry_response_status(res), tries);
    } else {
        fprintf(stderr, "%s\n", err.message);
    }
    int good = res != NULL && ferry_response_status(res) < 400;
    ferry_response_close(res);
    ferry_request_free(req);
    ferry_client_free(client);
    return good ? 0 : 1;
}
