/*
 * The client: what a round trip is wrapped in. One deadline for all of it, one sentence for what
 * went wrong, and the place in the program that the response belongs to.
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "http/request.h"
#include "http/response.h"
#include "task/clock.h"
#include "task/sched.h"

/* Never changes once made. */
struct ferry_client {
    ferry_transport *transport;        /* borrowed; NULL: the default one */
    ferry_round_tripper round_tripper; /* round_trip NULL: the transport is used */
    int64_t timeout_ms;                /* 0: none */
    char *user_agent;
};

static ferry_client standard = {.user_agent = (char *)FY_USER_AGENT};

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
    if (client->user_agent == NULL) {
        free(client);
        return NULL;
    }
    return client;
}

FERRY_API void ferry_client_free(ferry_client *client)
{
    if (client != NULL && client != &standard) {
        free(client->user_agent);
        free(client);
    }
}

/* The nearer of the client's and the request's timeouts, from now. */
static void set_deadline(const ferry_client *client, ferry_request *req)
{
    struct fy_send *send = &req->send;
    send->deadline = FY_NEVER;
    send->deadline_of = "request timeout";
    if (req->timeout_ms > 0) {
        send->deadline = fy_after_ms(req->timeout_ms);
    }
    if (client->timeout_ms > 0 && fy_after_ms(client->timeout_ms) < send->deadline) {
        send->deadline = fy_after_ms(client->timeout_ms);
        send->deadline_of = "client timeout";
    }
}

static ferry_response *round_trip(ferry_client *client, ferry_request *req, ferry_error *err)
{
    if (client->round_tripper.round_trip != NULL) {
        return client->round_tripper.round_trip(client->round_tripper.self, req, err);
    }
    return (ferry_transport_round_trip)(client->transport, req, err);
}

/* What the client knows and a round tripper may not have said. */
static void complete(ferry_response *res, const ferry_request *req, const char *file, int line)
{
    if (fy_enter() == NULL) {
        return;
    }
    if (res->url[0] == '\0') {
        char *url = fy_arena_copy(&res->arena, req->url.text, strlen(req->url.text));
        res->url = url != NULL ? url : res->url;
        res->entry.url = res->url;
    }
    res->entry.file = file;
    res->entry.line = line;
    fy_leave();
}

FERRY_API ferry_response *ferry_client_do_at(ferry_client *client, ferry_request *req,
                                             ferry_error *err, const char *file, int line)
{
    err = FY_ERROR(err);
    client = client != NULL ? client : ferry_default_client();
    if (client == NULL) {
        fy_fail_memory(err);
        return NULL;
    }
    if (req->refused.code != 0) {
        *err = req->refused;
        return NULL;
    }
    struct fy_send outer =
        req->send; /* a round tripper may send the request through a client of its own */
    set_deadline(client, req);
    req->send.user_agent = client->user_agent;
    ferry_error cause = {0};
    ferry_response *res = round_trip(client, req, &cause);
    req->send = outer;
    if (res != NULL) {
        complete(res, req, file, line);
        return res;
    }
    if (cause.code == 0) {
        fy_fail(&cause, FERRY_EUNSUPPORTED, 0,
                "the round tripper brought neither response nor error");
    }
    char verb[32];
    *err = cause;
    fy_error_prefix(err, "%s \"%s\"", fy_request_verb(req, verb), req->url.shown);
    return NULL;
}

FERRY_API ferry_response *(ferry_client_do)(ferry_client *client, ferry_request *req,
                                            ferry_error *err)
{
    return ferry_client_do_at(client, req, err, NULL, 0);
}
