/*
 * cancel URL [MILLISECONDS]: a request that ends when it has its answer, when its time is over, or
 * at Ctrl-C, whichever comes first. A context may be cancelled by a signal handler: that only
 * stores a number and wakes whoever waits.
 */
#include <ferry.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static ferry_context *context;

static void interrupted(int signal_number)
{
    (void)signal_number;
    ferry_context_cancel(context);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: cancel URL [MILLISECONDS]\n");
        return 2;
    }
    ferry_error err = {.message = "out of memory"};
    ferry_request *req = NULL;
    ferry_response *res = NULL;
    int64_t saved = -1;

    context = ferry_context_new(argc > 2 ? atoll(argv[2]) : -1);
    if (context != NULL) {
        signal(SIGINT, interrupted);
        req = ferry_request_new("GET", argv[1], &err);
    }
    if (req != NULL) {
        /* From here to the end of the body: dialing, waiting, reading. */
        ferry_request_set_context(req, context);
        res = ferry_client_do(NULL, req, &err);
    }
    if (res != NULL) {
        saved = ferry_response_save(res, 1, &err);
    }
    if (saved < 0) {
        fprintf(stderr, "%s: %s\n", ferry_strerror(err.code), err.message);
    }
    ferry_response_close(res);
    ferry_request_free(req);
    signal(SIGINT, SIG_DFL); /* before what it cancels goes */
    ferry_context_free(context);
    return saved < 0 ? 1 : 0;
}
