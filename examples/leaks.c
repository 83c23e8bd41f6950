/*
 * leaks URL: the mistake that everybody makes once, and what ferry says about it. The first
 * response is read to its end, the second is not; neither is closed. Both are in the ledger, but
 * only the second one costs more than memory.
 *
 * FERRY_LEAKS=1 in the environment has the same printed at exit, by any program and without a
 * change to it; FERRY_LEAKS=fatal also ends it with status 23, for test runs.
 */
#include <ferry.h>

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: leaks URL\n");
        return 2;
    }
    ferry_error err;

    ferry_response *whole = ferry_get(argv[1], &err);
    char *body = whole != NULL ? ferry_response_read_all(whole, 1 << 20, NULL, &err) : NULL;
    ferry_response *unread = body != NULL ? ferry_get(argv[1], &err) : NULL;
    if (unread == NULL) {
        fprintf(stderr, "%s\n", err.message);
    }
    free(body);

    /* This thread, and the read loop and write loop of every connection. */
    printf("%d tasks\n", ferry_num_tasks());
    size_t count = ferry_open_responses(stdout);
    printf("%zu responses were never closed\n", count);
    return unread == NULL ? 1 : 0; /* and here they would have had to be */
}
