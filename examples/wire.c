/*
 * wire URL [HOST:PORT:TO-HOST:TO-PORT]: what goes over the wire for a GET, and over which
 * connection. The second argument takes the request elsewhere, to a new server that is to be tried
 * before DNS names it, say: wire https://example.org/ example.org:443:staging.example.org:443
 */
#include <ferry.h>

#include <inttypes.h>
#include <stdio.h>

static void show(const char *head, size_t len, char direction)
{
    for (size_t start = 0; start < len;) {
        size_t end = start;
        while (end < len && head[end] != '\n') {
            end++;
        }
        size_t kept = end > start && head[end - 1] == '\r' ? end - 1 : end;
        printf("%c %.*s\n", direction, (int)(kept - start), head + start);
        start = end + 1;
    }
}

static void connection(void *arg, const ferry_connection_info *info)
{
    (void)arg;
    printf("* connection to %s%s%s%s, request %" PRIu64 " on it\n", info->remote,
           info->proxy[0] != '\0' ? " (a proxy)" : "", info->tls != NULL ? ", " : "",
           info->tls != NULL ? info->tls->version : "", info->requests + 1);
}

static void sent(void *arg, const char *head, size_t len)
{
    (void)arg;
    show(head, len, '>');
}

static void received(void *arg, const char *head, size_t len)
{
    (void)arg;
    show(head, len, '<');
}

static void answered(void *arg, int status, const char *head, size_t len)
{
    (void)arg;
    (void)status;
    show(head, len, '<');
}

int main(int argc, char **argv)
{
    if (argc < 2 || argc > 3) {
        fprintf(stderr, "usage: wire URL [HOST:PORT:TO-HOST:TO-PORT]\n");
        return 2;
    }
    ferry_error err = {.message = "out of memory"};
    const char *const elsewhere[] = {argc > 2 ? argv[2] : NULL, NULL};
    ferry_transport *transport =
        ferry_transport_new(FERRY_TRANSPORT_OPTIONS(.connect_to = elsewhere));
    ferry_client *client = ferry_client_new(FERRY_CLIENT_OPTIONS(.transport = transport));
    ferry_request *req = NULL;
    ferry_response *res = NULL;

    if (transport != NULL && client != NULL) {
        req = ferry_request_new("GET", argv[1], &err);
    }
    if (req != NULL) {
        ferry_request_set_trace(req,
                                FERRY_TRACE(.wrote_head_text = sent, .got_head_text = received,
                                            .got_connection = connection,
                                            .tunnel_wrote_head_text = sent,
                                            .tunnel_got_head_text = answered),
                                NULL);
        res = ferry_client_do(client, req, &err);
    }
    if (res == NULL) {
        fprintf(stderr, "%s\n", err.message);
    }
    int status = res != NULL ? 0 : 1;
    ferry_response_close(res);
    ferry_request_free(req);
    ferry_client_free(client);
    ferry_transport_free(transport);
    return status;
}
