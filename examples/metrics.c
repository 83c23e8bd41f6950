/*
 * metrics URL...: asks for each URL, then prints what ferry has counted, as Prometheus reads it: a server
 * of yours answers its GET /metrics with just this text.
 */
#include <ferry.h>

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        ferry_error err;
        FERRY_AUTO ferry_response *res = ferry_get(argv[i], &err);
        char *body = res != NULL ? ferry_response_read_all(res, 1 << 20, NULL, &err) : NULL;
        if (body == NULL) {
            fprintf(stderr, "%s\n", err.message); /* it counts as well */
        }
        free(body);
    }
    return ferry_metrics(stdout) == 0 ? 0 : 1;
}
