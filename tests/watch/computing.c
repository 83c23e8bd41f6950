/*
 * A program that test_computing.c runs: computing URL [unwatched] makes one request, reads the response
 * to its end, says "computing", and then only computes: it calls neither ferry nor the system again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ferry.h>

static volatile double sum;

int main(int argc, char **argv)
{
    ferry_error err = {0};
    ferry_transport *transport = ferry_transport_new(
        FERRY_TRANSPORT_OPTIONS(.disable_monitor = argc > 2 && strcmp(argv[2], "unwatched") == 0));
    ferry_client *client = ferry_client_new(FERRY_CLIENT_OPTIONS(.transport = transport));
    ferry_request *req = ferry_request_new("GET", argv[1], &err);
    ferry_response *res = req != NULL ? ferry_client_do(client, req, &err) : NULL;
    if (res == NULL) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    free(ferry_response_read_all(res, 1000, NULL, NULL));
    ferry_response_close(res);
    printf("computing\n");
    fflush(stdout);
    for (double i = 1;; i++) {
        sum += 1 / i;
    }
}
