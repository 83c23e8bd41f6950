/*
 * auth KIND URL [NAME SECRET]: who one is. KIND is one of
 *
 *     basic    name and password with the request (RFC 7617): over https, please
 *     bearer   the secret is a token (RFC 6750); the name does not matter
 *     digest   name and password, only to answer the server's challenge with (RFC 7616)
 *     netrc    whatever ~/.netrc, or the file that $NETRC names, has for the URL's host
 *
 * Basic and bearer are the request's, and go with it; digest and netrc are the client's, which
 * gives them to whom they are for. None of them follows a redirect to another host, nor out of
 * https.
 */
#include <ferry.h>

#include <stdio.h>
#include <string.h>

static ferry_client *client_for(const char *kind, const char *name, const char *secret)
{
    if (strcmp(kind, "digest") == 0) {
        return ferry_client_new(
            FERRY_CLIENT_OPTIONS(.digest_user = name, .digest_password = secret));
    }
    if (strcmp(kind, "netrc") == 0) {
        return ferry_client_new(FERRY_CLIENT_OPTIONS(.netrc = ""));
    }
    return ferry_client_new(NULL);
}

int main(int argc, char **argv)
{
    if (argc != 5 && (argc != 3 || strcmp(argv[1], "netrc") != 0)) {
        fprintf(stderr, "usage: auth basic|bearer|digest URL NAME SECRET, or auth netrc URL\n");
        return 2;
    }
    const char *kind = argv[1];
    const char *name = argc == 5 ? argv[3] : "";
    const char *secret = argc == 5 ? argv[4] : "";
    ferry_error err = {.message = "out of memory"};
    ferry_client *client = client_for(kind, name, secret);
    ferry_request *req = client != NULL ? ferry_request_new("GET", argv[2], &err) : NULL;
    if (req != NULL && strcmp(kind, "basic") == 0) {
        ferry_request_set_basic_auth(req, name, secret); /* the send tells what it refuses */
    } else if (req != NULL && strcmp(kind, "bearer") == 0) {
        ferry_request_set_bearer(req, secret);
    }
    ferry_response *res = req != NULL ? ferry_client_do(client, req, &err) : NULL;
    if (res != NULL) {
        printf("%d %s\n", ferry_response_status(res), ferry_response_reason(res));
    } else {
        fprintf(stderr, "%s\n", err.message);
    }
    int good = res != NULL && ferry_response_status(res) < 400;
    ferry_response_close(res);
    ferry_request_free(req);
    ferry_client_free(client);
    return good ? 0 : 1;
}
