/*
 * hsts FILE URL...: remembers, also from one run to the next, which hosts want to be spoken to by
 * https only (RFC 6797), and speaks to them so whatever the URL says. FILE is in curl's format.
 */
#include <ferry.h>

#include <stdio.h>
#include <unistd.h>

static int visit(ferry_client *client, const char *url, ferry_error *err)
{
    ferry_request *req = ferry_request_new("GET", url, err);
    ferry_response *res = req != NULL ? ferry_client_do(client, req, err) : NULL;
    if (res != NULL) {
        printf("%d from %s\n", ferry_response_status(res), ferry_response_url(res));
    }
    int failed = res == NULL;
    ferry_response_close(res);
    ferry_request_free(req);
    return failed;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: hsts FILE URL...\n");
        return 2;
    }
    ferry_error err = {.message = "out of memory"};
    ferry_hsts *hsts = ferry_hsts_new();
    ferry_client *client = ferry_client_new(FERRY_CLIENT_OPTIONS(.hsts = hsts));
    int failed = hsts == NULL || client == NULL;

    if (!failed && access(argv[1], F_OK) == 0) {
        failed = ferry_hsts_load(hsts, argv[1], &err);
    }
    for (int i = 2; !failed && i < argc; i++) {
        failed = visit(client, argv[i], &err);
    }
    if (failed || ferry_hsts_save(hsts, argv[1], &err) != 0) {
        fprintf(stderr, "%s\n", err.message);
        failed = 1;
    }
    ferry_client_free(client);
    ferry_hsts_free(hsts);
    return failed ? 1 : 0;
}
