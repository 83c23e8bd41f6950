/*
 * scope URL...: FERRY_AUTO closes a response where its scope is left, whichever way that happens: here by
 * break, continue, return, or at the end. What a function gives to its caller it takes out of the
 * variable first.
 */
#include <ferry.h>

#include <stdio.h>
#include <string.h>

/* The first response with status 200, or NULL; the others are closed by then. */
static ferry_response *first_good(char **urls)
{
    for (; *urls != NULL; urls++) {
        ferry_error err;
        FERRY_AUTO ferry_response *res = ferry_get(*urls, &err);
        if (res == NULL) {
            fprintf(stderr, "%s\n", err.message);
            continue;
        }
        if (ferry_response_status(res) == 200) {
            ferry_response *given = res;
            res = NULL; /* it is the caller's now: nothing is left to close here */
            return given;
        }
        fprintf(stderr, "%s: status %d\n", *urls, ferry_response_status(res));
    }
    return NULL;
}

int main(int argc, char **argv)
{
    char line[81];
    ferry_error err;
    (void)argc;
    FERRY_AUTO ferry_response *res = first_good(argv + 1);
    if (res == NULL) {
        return 1;
    }
    ssize_t got = ferry_response_read(res, line, sizeof line - 1, &err);
    if (got < 0) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    line[got] = '\0';
    line[strcspn(line, "\n")] = '\0';
    printf("%s: %s\n", ferry_response_url(res), line);
    return 0; /* the rest of the body is not wanted: closed as it is */
}
