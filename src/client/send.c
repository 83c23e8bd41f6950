/*
 * What a client wraps a round trip in: HSTS, cookies, credentials, retries and redirects, one
 * deadline for all of it, one sentence for what went wrong, and the place in the program that the
 * response belongs to.
 *
 *     the send         hop after hop: redirects, and answers to challenges
 *       a hop          attempt after attempt: retries
 *         an attempt   cookies and credentials put in, a round trip, cookies and HSTS taken out
 */
#include <string.h>

#include "base/error.h"
#include "base/seldom.h"
#include "client/client.h"
#include "client/hop.h"
#include "client/redirect.h"
#include "http/request.h"
#include "http/response.h"
#include "task/clock.h"
#include "task/sched.h"

/* The nearest of the client's and the request's timeouts, from now, and of the send's that this one
 * is a part of, if it is: a round tripper may send the request through a client of its own. */
static void set_deadline(const ferry_client *client, ferry_request *req)
{
    struct fy_send *send = &req->send;
    if (send->deadline_of == NULL) {
        send->deadline = FY_NEVER;
        send->deadline_of = "request timeout";
    }
    if (req->timeout_ms > 0 && fy_after_ms(req->timeout_ms) < send->deadline) {
        send->deadline = fy_after_ms(req->timeout_ms);
        send->deadline_of = "request timeout";
    }
    if (client->timeout_ms > 0 && fy_after_ms(client->timeout_ms) < send->deadline) {
        send->deadline = fy_after_ms(client->timeout_ms);
        send->deadline_of = "client timeout";
    }
}

/* What the client knows and a round tripper may not have said. */
static void complete(ferry_response *res, const ferry_request *req)
{
    if (res->url[0] == '\0' && fy_enter() != NULL) {
        char *url = fy_arena_copy(&res->arena, req->url.text, strlen(req->url.text));
        res->url = url != NULL ? url : res->url;
        res->entry.url = res->url;
        fy_leave();
    }
}

/* For the ledger: whoever brought the response knows no better. */
static void note_place(ferry_response *res, const struct fy_send *send)
{
    if (fy_enter() != NULL) {
        res->entry.file = send->file;
        res->entry.line = send->line;
        fy_leave();
    }
}

static ferry_response *round_trip(ferry_client *client, ferry_request *req, ferry_error *err)
{
    ferry_response *res;
    req->handed_begun = false;
    if (client->round_tripper.round_trip == NULL) {
        return ferry_transport_round_trip_at(client->transport, req, err, req->send.file,
                                             req->send.line);
    }
    *err = (ferry_error){0};
    res = client->round_tripper.round_trip(client->round_tripper.self, req, err);
    if (res != NULL) {
        complete(res, req);
        note_place(res, &req->send);
    }
    return res;
}

/* What a response has for the client to keep. */
static void learn(ferry_client *client, struct fy_hops *hops, const ferry_response *res)
{
    if (client->jar != NULL) {
        fy_hops_keep_cookies(hops, client->jar, res);
    }
    if (client->hsts != NULL && strcmp(hops->req->url.scheme, "https") == 0) {
        fy_hops_keep_hsts(hops, res);
    }
}

/* What a hop gets from the client. Credentials first: what they set is the hop's, too. */
static int prepare(ferry_client *client, struct fy_hops *hops, ferry_error *err)
{
    if (fy_credentials_any(&client->credentials) &&
        fy_credentials_apply(&client->credentials, hops, err) != 0) {
        return -1;
    }
    if (client->round_tripper.round_trip != NULL && fy_credentials_of_url(hops, err) != 0) {
        return -1;
    }
    return client->jar != NULL ? fy_hops_add_cookies(hops, client->jar, err) : 0;
}

/* What the limit and the caller say about the redirect to the request that is ready to go. */
static int may_follow(const ferry_client *client, const struct fy_hops *hops,
                      const ferry_response *res, int count, ferry_error *err)
{
    if (count > client->max_redirects) {
        fy_fail(err, FERRY_EREDIRECT, 0, "stopped after %d redirects", client->max_redirects);
        return FERRY_REDIRECT_FAIL;
    }
    if (client->on_redirect == NULL) {
        return FERRY_REDIRECT_FOLLOW;
    }
    *err = (ferry_error){0};
    int word = client->on_redirect(client->on_redirect_arg, hops->req, res, count, err);
    if (word != FERRY_REDIRECT_FOLLOW && word != FERRY_REDIRECT_STOP) {
        word = FERRY_REDIRECT_FAIL;
        if (err->code == 0) {
            fy_fail(err, FERRY_EREDIRECT, 0, "the redirect was refused");
        }
    } else if (word == FERRY_REDIRECT_FOLLOW && hops->req->refused.code != 0) {
        *err = hops->req->refused;
        word = FERRY_REDIRECT_FAIL;
    }
    return word;
}

/* Makes a response into the next hop, if it is a redirect to be followed: 1. 0: it is the caller's.
 * -1: it is closed, and *err tells. */
static int redirect(ferry_client *client, struct fy_hops *hops, ferry_response *res, int count,
                    ferry_error *err)
{
    if (res->status < 300 || res->status > 399) {
        return 0;
    }
    struct fy_redirect next = fy_redirect_decide(res->status, hops->req->method,
                                                 fy_request_rewindable(fy_hops_first(hops)));
    const char *location = next.follow ? fy_header_get(&res->header, "Location") : NULL;
    if (client->max_redirects < 0 || location == NULL || location[0] == '\0') {
        return 0;
    }
    int word = FERRY_REDIRECT_FAIL;
    if (fy_hops_next(hops, &next, location, err) == 0) {
        word = may_follow(client, hops, res, count, err);
    }
    if (word == FERRY_REDIRECT_STOP) {
        return 0;
    }
    fy_hops_pass_over(res);
    if (word == FERRY_REDIRECT_FAIL) {
        return -1;
    }
    fy_hops_put_body(hops, next.with_body);
    return 1;
}

/* One hop, sent as often as the retry policy has it. */
static ferry_response *send_hop(ferry_client *client, struct fy_hops *hops, ferry_error *err)
{
    for (;;) {
        if (prepare(client, hops, err) != 0) {
            return NULL;
        }
        ferry_response *res = round_trip(client, hops->req, err);
        if (res != NULL) {
            learn(client, hops, res);
        }
        int again =
            client->retry.policy.attempts > 1 ? fy_retry_again(&client->retry, hops, res, err) : 0;
        if (again <= 0) {
            return again == 0 ? res : NULL;
        }
        fy_hops_again(hops);
    }
}

/* Hop after hop, until a response is the caller's. */
static ferry_response *send_hops(ferry_client *client, struct fy_hops *hops, ferry_error *err)
{
    int redirects = 0;
    /* How many retries there were when this hop's challenge was answered; once is enough, but a
     * server that needed a retry may have been started anew, and have another. */
    int answered = -1;
    if (client->hsts != NULL && fy_hops_secure(hops, client->hsts, err) != 0) {
        return NULL;
    }
    for (;;) {
        ferry_response *res = send_hop(client, hops, err);
        if (res == NULL) {
            return NULL;
        }
        int again = res->status == 401 && answered != hops->retries
                        ? fy_credentials_answer(&client->credentials, hops, res, err)
                        : 0;
        if (again != 0) {
            fy_hops_pass_over(res);
            if (again < 0) {
                return NULL;
            }
            answered = hops->retries;
            continue;
        }
        again = redirect(client, hops, res, redirects + 1, err);
        if (again <= 0) {
            return again == 0 ? res : NULL;
        }
        redirects++;
        answered = -1;
    }
}

/* The cause, as the caller is told it. */
static FY_SELDOM void explain(const struct fy_hops *hops, const ferry_error *cause,
                              ferry_error *err)
{
    char verb[32];
    *err = *cause;
    if (err->code == 0) {
        fy_fail(err, FERRY_EUNSUPPORTED, 0, "the round tripper brought neither response nor error");
    }
    fy_error_prefix(err, "%s \"%s\"", fy_request_verb(fy_hops_first(hops), verb),
                    hops->req->url.shown);
}

/* Never sent. Whose body it is is told that it is not needed. */
static FY_SELDOM void refuse(ferry_request *req, ferry_error *err)
{
    struct fy_hops hops;
    *err = req->refused;
    fy_hops_begin(&hops, req);
    fy_hops_end(&hops);
}

static ferry_response *send_request(ferry_client *client, ferry_request *req, ferry_error *err,
                                    const char *file, int line)
{
    client = client != NULL ? client : ferry_default_client();
    if (client == NULL) {
        fy_fail_memory(err);
        return NULL;
    }
    if (req == NULL) {
        fy_fail_without_request(err);
        return NULL;
    }
    if (req->refused.code != 0) {
        refuse(req, err);
        return NULL;
    }
    struct fy_send outer = req->send;
    ferry_error cause; /* large, and seldom more than its code */
    cause.code = client->refused.code;
    set_deadline(client, req);
    req->send.user_agent = client->user_agent;
    req->send.file = file;
    req->send.line = line;
    struct fy_hops hops;
    fy_hops_begin(&hops, req);
    ferry_response *res = NULL;
    if (cause.code == FERRY_OK) {
        res = send_hops(client, &hops, &cause);
    } else {
        cause = client->refused;
    }
    if (res == NULL) {
        explain(&hops, &cause, err);
    }
    fy_hops_end(&hops);
    req->send = outer;
    return res;
}

static FY_SELDOM ferry_response *send_unexplained(ferry_client *client, ferry_request *req,
                                                  const char *file, int line)
{
    ferry_error unwanted;
    return send_request(client, req, &unwanted, file, line);
}

FERRY_API ferry_response *ferry_client_do_at(ferry_client *client, ferry_request *req,
                                             ferry_error *err, const char *file, int line)
{
    return err != NULL ? send_request(client, req, err, file, line)
                       : send_unexplained(client, req, file, line);
}

FERRY_API ferry_response *(ferry_client_do)(ferry_client *client, ferry_request *req,
                                            ferry_error *err)
{
    return ferry_client_do_at(client, req, err, NULL, 0);
}
