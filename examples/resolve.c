/*
 * resolve ENTRY URL: a request to a host at addresses of one's own choosing, such as a server that
 * DNS does not name yet: resolve example.org:80:127.0.0.1 http://example.org/. The server still
 * hears the URL's host, and over TLS must still have its certificate.
 */
#include <ferry.h>

#include <stdio.h>

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: resolve HOST:PORT:ADDRESS[,ADDRESS] URL\n");
        return 2;
    }
    ferry_error err = {.message = "out of memory"};
    const char *const entries[] = {argv[1], NULL};
    ferry_transport *transport = ferry_transport_new(FERRY_TRANSPORT_OPTIONS(.resolve = entries));
    ferry_client *client = ferry_client_new(FERRY_CLIENT_OPTIONS(.transport = transport));
    ferry_request *req = NULL;
    ferry_response *res = NULL;
    int64_t saved = -1;

    if (transport != NULL && client != NULL) {
        req = ferry_request_new("GET", argv[2], &err);
    }
    if (req != NULL) {
        res = ferry_client_do(client, req, &err);
    }
    if (res != NULL) {
        saved = ferry_response_save(res, 1, &err);
    }
    if (saved < 0) {
        fprintf(stderr, "%s\n", err.message);
    }
    ferry_response_close(res);
    ferry_request_free(req);
    ferry_client_free(client);
    ferry_transport_free(transport);
    return saved < 0 ? 1 : 0;
}
