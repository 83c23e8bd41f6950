/*
 * The client as an object: what its options say, kept. What it does with a request is in send.c.
 */
#include "client/client.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "http/header.h"
#include "http/request.h"

#define REDIRECTS 10

static ferry_client standard = {.user_agent = (char *)FY_USER_AGENT, .max_redirects = REDIRECTS};

FERRY_API ferry_client *ferry_default_client(void)
{
    return ferry_default_transport() != NULL ? &standard : NULL;
}

/* What would go into a field of every request, or of every answer to a challenge, and break it: the
 * client is made all the same, and each send says so, as it does for a request's fields. */
static void check(ferry_client *client, const char *option, const char *value)
{
    if (value != NULL && client->refused.code == FERRY_OK &&
        !fy_is_field_value(value, strlen(value))) {
        fy_fail(&client->refused, FERRY_EINVAL, 0,
                "the client's option %s has a control byte in it", option);
    }
}

/* As a request's field has it: blanks around a value are none of it. NULL: out of memory. */
static char *copy_trimmed(const char *value)
{
    value += strspn(value, " \t");
    size_t len = strlen(value);
    while (len > 0 && (value[len - 1] == ' ' || value[len - 1] == '\t')) {
        len--;
    }
    return strndup(value, len);
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
    if (options != NULL && options->size < sizeof options->size) {
        fy_fail(&client->refused, FERRY_EINVAL, 0,
                "ferry_client_options without their size: use FERRY_CLIENT_OPTIONS(), or set it");
    }
    client->transport = given.transport;
    if (given.round_tripper != NULL && given.round_tripper->round_trip == NULL &&
        client->refused.code == FERRY_OK) {
        /* What was to keep requests from the network must not let them out to it. */
        fy_fail_null(&client->refused, "a round tripper's function");
    }
    if (given.round_tripper != NULL) {
        client->round_tripper = *given.round_tripper;
    }
    client->timeout_ms = given.timeout_ms > 0 ? given.timeout_ms : 0;
    check(client, "user_agent", given.user_agent);
    check(client, "digest_user", given.digest_user);
    client->user_agent = copy_trimmed(given.user_agent != NULL ? given.user_agent : FY_USER_AGENT);
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
