/*
 * https [--insecure] URL [CA-FILE [CLIENT-FILE]]: a GET over TLS. The body goes to standard output, what was
 * agreed with the server to standard error.
 *
 * Everything is checked without being asked for. CA-FILE (PEM) says whose certificates are believed, in
 * the place of the system's trust store: one's own authority, or just the server's own certificate.
 * CLIENT-FILE (PEM) has our certificate and its key, for a server that wants to know who asks.
 */
#include <ferry.h>

#include <stdio.h>
#include <string.h>

static void show_agreement(const ferry_response *res)
{
    ferry_tls_info info = FERRY_TLS_INFO_INIT;
    if (!ferry_response_tls(res, &info)) {
        fprintf(stderr, "no TLS: everybody on the way can read and change this\n");
        return;
    }
    fprintf(stderr, "%s, %s, %s (by %s) until %s, %s%s\n", info.version, info.cipher, info.subject,
            info.issuer, info.not_after, info.verified ? "verified" : "NOT VERIFIED",
            info.resumed ? ", resumed" : "");
}

int main(int argc, char **argv)
{
    int insecure = argc > 1 && strcmp(argv[1], "--insecure") == 0;
    argc -= insecure;
    argv += insecure;
    if (argc < 2 || argc > 4) {
        fprintf(stderr, "usage: https [--insecure] URL [CA-FILE [CLIENT-FILE]]\n");
        return 2;
    }
    const ferry_tls_options tls = {
        .size = sizeof tls,
        .ca_file = argc > 2 ? argv[2] : NULL,
        .certificate_file = argc > 3 ? argv[3] : NULL,

        /* The connection is encrypted all the same, but nobody knows to whom: whoever sits on the way
         * can answer in the server's place, read all and change all. This is for a look at a test
         * server. To get along with one whose certificate nobody signed, name that certificate as
         * ca_file; or give the SHA-256 of its key as pinned_public_keys, which counts even here. */
        .insecure_skip_verify = insecure,
    };
    ferry_error err = {.message = "out of memory"};
    ferry_transport *transport = ferry_transport_new(FERRY_TRANSPORT_OPTIONS(.tls = &tls));
    ferry_client *client = ferry_client_new(FERRY_CLIENT_OPTIONS(.transport = transport));
    ferry_request *req = NULL;
    ferry_response *res = NULL;
    int64_t saved = -1;

    if (transport != NULL && client != NULL) {
        req = ferry_request_new("GET", argv[1], &err);
    }
    if (req != NULL) {
        res = ferry_client_do(client, req, &err);
    }
    if (res != NULL) {
        show_agreement(res);
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
