/*
 * redirects URL [HOST]: shows the way that a request is sent along, and, if a HOST is named, goes no
 * further than that host: what leads elsewhere is looked at, not followed.
 */
#include <ferry.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Asked before each redirect is followed. */
static int look(void *arg, ferry_request *next, const ferry_response *res, int count,
                ferry_error *err)
{
    const char *host = arg;
    const char *url = ferry_request_url(next);
    const char *authority = strstr(url, "://") + 3;
    (void)err;
    printf("%d. %d: %s %s\n", count, ferry_response_status(res), ferry_request_method(next), url);
    if (host != NULL && (strncmp(authority, host, strlen(host)) != 0 ||
                         strchr(":/", authority[strlen(host)]) == NULL)) {
        return FERRY_REDIRECT_STOP; /* the redirect itself is the response */
    }
    return FERRY_REDIRECT_FOLLOW;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: redirects URL [HOST]\n");
        return 2;
    }
    ferry_error err = {.message = "out of memory"};
    ferry_client *client =
        ferry_client_new(FERRY_CLIENT_OPTIONS(.max_redirects = 5, .on_redirect = look,
                                              .on_redirect_arg = argc > 2 ? argv[2] : NULL));
    ferry_request *req = client != NULL ? ferry_request_new("GET", argv[1], &err) : NULL;
    ferry_response *res = req != NULL ? ferry_client_do(client, req, &err) : NULL;

    if (res != NULL) {
        char *location = ferry_response_location(res, NULL);
        printf("%d from %s%s%s\n", ferry_response_status(res), ferry_response_url(res),
               location != NULL ? ", which points to " : "", location != NULL ? location : "");
        free(location);
    } else {
        fprintf(stderr, "%s\n", err.message);
    }
    int failed = res == NULL;
    ferry_response_close(res);
    ferry_request_free(req);
    ferry_client_free(client);
    return failed;
}
