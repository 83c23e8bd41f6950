/*
 * unix_socket PATH URL: HTTP to a server that listens on a Unix socket, such as a container engine.
 * The URL's host only becomes the Host field; where to connect is the transport's affair.
 */
#include <ferry.h>

#include <stdio.h>

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: unix_socket PATH URL\n");
        return 2;
    }
    ferry_error err = {.message = "out of memory"};
    ferry_transport *transport =
        ferry_transport_new(FERRY_TRANSPORT_OPTIONS(.unix_socket = argv[1]));
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
