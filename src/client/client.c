/*
 * The client as an object: what its options say, kept. What it does with a request is in send.c.
 */
#include "client/client.h"

#include <stdlib.h>
#include <string.h>

#include "http/request.h"

#define REDIRECTS 10

static ferry_client standard = {.user_agent = (char *)FY_USER_AGENT, .max_redirects = REDIRECTS};

FERRY_API ferry_client *ferry_default_client(void)
{
    return ferry_default_transport() != NULL ? &standard : NULL;
}

FERRY_API ferry_client *ferry_client_new(const ferry_client_options *options)
{
    ferry_client_options given = {0};
    if (options != NULL) {
        /* The caller may have been compiled with a struct that was shorter, or will be longer. */
        memcpy(&given, options, options->size < sizeof given ? options->size : sizeof given);
    }
    ferry_client *client = calloc(1, sizeof *client);
    if (client == NULL) {
        return NULL;
    }
    client->transport = given.transport;
    if (given.round_tripper != NULL) {
        client->round_tripper = *given.round_tripper;
    }
    client->timeout_ms = given.timeout_ms > 0 ? given.timeout_ms : 0;
    client->user_agent = strdup(given.user_agent != NULL ? given.user_agent : FY_USER_AGENT);
    client->max_redirects = given.max_redirects == 0  ? REDIRECTS
                            : given.max_redirects < 0 ? -1
                                                      : given.max_redirects;
    client->on_redirect = given.on_redirect;
    client->on_redirect_arg = given.on_redirect_arg;
    client->jar = given.cookie_jar;
    client->hsts = given.hsts;
    if (fy_credentials_make(&client->credentials, given.digest_user, given.digest_password,
                            given.netrc) != 0 ||
        fy_retry_make(&client->retry, &given) != 0 || client->user_agent == NULL) {
        ferry_client_free(client);
        return NULL;
    }
    return client;
}

FERRY_API void ferry_client_free(ferry_client *client)
{
    if (client != NULL && client != &standard) {
        fy_credentials_free(&client->credentials);
        fy_retry_free(&client->retry);
        free(client->user_agent);
        free(client);
    }
}
