/*
 * Credentials: those that a request is given by its caller (Basic, Bearer), and those that a client
 * gives it by itself (Digest, .netrc).
 */
#include "client/credentials.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/error.h"
#include "client/netrc.h"
#include "http/basic.h"
#include "http/header.h"
#include "http/response.h"

/* ----------------------------------------------------------------------------- Basic and Bearer */

/* "Basic " and base64 of user:password (RFC 7617 section 2), from malloc(). */
static char *basic_value(const char *user, const char *password)
{
    struct fy_buffer pair = {0};
    char *value = NULL;
    fy_buffer_append_text(&pair, user);
    fy_buffer_append_byte(&pair, ':');
    fy_buffer_append_text(&pair, password);
    if (!pair.failed && pair.len < INT32_MAX / 2) {
        value = malloc(strlen("Basic ") + (pair.len + 2) / 3 * 4 + 1);
    }
    if (value != NULL) {
        memcpy(value, "Basic ", strlen("Basic "));
        EVP_EncodeBlock((unsigned char *)value + strlen("Basic "),
                        (const unsigned char *)pair.bytes, (int)pair.len);
    }
    if (pair.bytes != NULL) {
        OPENSSL_cleanse(pair.bytes, pair.len);
    }
    fy_buffer_free(&pair);
    return value;
}

static int refuse(ferry_request *req, int code, const char *reason)
{
    if (req->refused.code == FERRY_OK) {
        fy_fail(&req->refused, code, 0, "%s", reason);
    }
    return -1;
}

/* RFC 7617 section 2: the first colon ends the name. */
static bool fits_basic(const char *user, const char *password)
{
    return strchr(user, ':') == NULL && fy_is_field_value(user, strlen(user)) &&
           fy_is_field_value(password, strlen(password));
}
#define NO_BASIC "Basic credentials with a colon in the name, or with a control byte"

FERRY_API int ferry_request_set_basic_auth(ferry_request *req, const char *user,
                                           const char *password)
{
    if (req == NULL) {
        return -1;
    }
    if (user == NULL) {
        return ferry_request_set_header(req, "Authorization", NULL);
    }
    password = password != NULL ? password : "";
    if (!fits_basic(user, password)) {
        return refuse(req, FERRY_EINVAL, NO_BASIC);
    }
    char *value = basic_value(user, password);
    if (value == NULL) {
        return refuse(req, FERRY_ENOMEM, "out of memory");
    }
    int failed = ferry_request_set_header(req, "Authorization", value);
    free(value);
    return failed;
}

FERRY_API int ferry_request_set_bearer(ferry_request *req, const char *token)
{
    if (req == NULL) {
        return -1;
    }
    if (token == NULL) {
        return ferry_request_set_header(req, "Authorization", NULL);
    }
    /* RFC 6750 section 2.1 has base64 and a few more; a space would begin something else. */
    if (token[0] == '\0' || strpbrk(token, " \t") != NULL ||
        !fy_is_field_value(token, strlen(token))) {
        return refuse(req, FERRY_EINVAL,
                      "a Bearer token that is empty, or has a space or a control byte in it");
    }
    struct fy_buffer value = {0};
    fy_buffer_append_text(&value, "Bearer ");
    fy_buffer_append_text(&value, token);
    fy_buffer_append_byte(&value, '\0');
    int failed = value.failed ? refuse(req, FERRY_ENOMEM, "out of memory")
                              : ferry_request_set_header(req, "Authorization", value.bytes);
    fy_buffer_free(&value);
    return failed;
}

int fy_credentials_of_url(struct fy_hops *hops, ferry_error *err)
{
    const ferry_request *req = hops->req;
    if ((req->url.user == NULL && req->url.password == NULL) || req->no_authorization ||
        fy_header_get(&req->header, "Authorization") != NULL) {
        return 0;
    }
    struct fy_buffer value = {0};
    fy_basic_append(&value, req->url.user, req->url.password);
    fy_buffer_append_byte(&value, '\0');
    int failed =
        value.failed ? fy_fail_memory(err) : fy_hops_set(hops, "Authorization", value.bytes, err);
    fy_buffer_free(&value);
    return failed;
}

/* ------------------------------------------------------------------------------ birth and death */

int fy_credentials_make(struct fy_credentials *credentials, const char *user, const char *password,
                        const char *netrc)
{
    *credentials = (struct fy_credentials){0};
    if (pthread_mutex_init(&credentials->lock, NULL) != 0) {
        return -1;
    }
    credentials->lock_made = true;
    fy_fork_lock_add(&credentials->held, &credentials->lock);
    if (user != NULL) {
        credentials->user = strdup(user);
        credentials->password = strdup(password != NULL ? password : "");
    }
    credentials->netrc = netrc != NULL ? strdup(netrc) : NULL;
    return (user != NULL && (credentials->user == NULL || credentials->password == NULL)) ||
                   (netrc != NULL && credentials->netrc == NULL)
               ? -1
               : 0;
}

void fy_credentials_free(struct fy_credentials *credentials)
{
    if (credentials->password != NULL) {
        OPENSSL_cleanse(credentials->password, strlen(credentials->password));
    }
    if (credentials->netrc_text != NULL) {
        OPENSSL_cleanse(credentials->netrc_text, strlen(credentials->netrc_text));
    }
    free(credentials->user);
    free(credentials->password);
    free(credentials->netrc);
    free(credentials->netrc_text);
    free(credentials->site);
    fy_digest_free(&credentials->challenge);
    if (credentials->lock_made) {
        fy_fork_lock_remove(&credentials->held);
        pthread_mutex_destroy(&credentials->lock);
    }
}

/* --------------------------------------------------------------------------------------- Digest */

/* The request has none of its own, and has not been told to send none: by its caller, or for this
 * hop by the redirect function. lent: those that it has are the client's. */
static bool wants_credentials(const struct fy_hops *hops, bool lent)
{
    const ferry_request *first = fy_hops_first(hops);
    const ferry_request *req = hops->req;
    return fy_header_get(&first->header, "Authorization") == NULL &&
           (lent || fy_header_get(&req->header, "Authorization") == NULL) &&
           !req->no_authorization && req->url.user == NULL && req->url.password == NULL;
}

/* Digest credentials are for the site that the caller has named, not for one that a redirect leads
 * to: an answer is enough to try out passwords on. */
static bool is_for_digest(const struct fy_credentials *credentials, const struct fy_hops *hops)
{
    const struct fy_url *first = fy_hops_site(hops);
    const struct fy_url *url = &hops->req->url;
    return credentials->user != NULL && !hops->secrets_gone &&
           strcmp(first->scheme, url->scheme) == 0 && strcmp(first->host_port, url->host_port) == 0;
}

static char *site_of(const struct fy_url *url)
{
    struct fy_buffer site = {0};
    fy_buffer_append_text(&site, url->scheme);
    fy_buffer_append_text(&site, "://");
    fy_buffer_append_text(&site, url->host_port);
    fy_buffer_append_byte(&site, '\0');
    if (site.failed) {
        fy_buffer_free(&site);
    }
    return site.bytes;
}

/* Under the lock. */
static int make_answer(struct fy_credentials *credentials, const ferry_request *req,
                       struct fy_buffer *out, ferry_error *err)
{
    const struct fy_digest_request request = {
        .method = req->method,
        .target = req->target != NULL ? req->target : req->url.target,
        .user = credentials->user,
        .password = credentials->password,
        .cnonce = credentials->cnonce,
        .count = ++credentials->count,
    };
    int failed = fy_digest_answer(&credentials->challenge, &request, out, err);
    fy_buffer_append_byte(out, '\0');
    return failed == 0 && out->failed ? fy_fail_memory(err) : failed;
}

/* The challenge that is known, if it is this site's, answered before it is asked again. 1: it was. */
static int apply_digest(struct fy_credentials *credentials, struct fy_hops *hops, ferry_error *err)
{
    struct fy_buffer value = {0};
    int result = 0;
    char *site = site_of(&hops->req->url);
    if (site == NULL) {
        return fy_fail_memory(err);
    }
    pthread_mutex_lock(&credentials->lock);
    if (credentials->site != NULL && strcmp(credentials->site, site) == 0) {
        result = make_answer(credentials, hops->req, &value, err) == 0 ? 1 : -1;
    }
    pthread_mutex_unlock(&credentials->lock);
    free(site);
    if (result == 1 && fy_hops_lend(hops, value.bytes, err) != 0) {
        result = -1;
    }
    fy_buffer_free(&value);
    return result;
}

/* The challenge of a response: the first field that has one which can be answered. */
static enum fy_digest_found find_challenge(const ferry_response *res,
                                           struct fy_digest_challenge *challenge, ferry_error *err)
{
    enum fy_digest_found found = FY_DIGEST_NONE;
    const struct fy_field *field = NULL;
    while (found != FY_DIGEST_FOUND &&
           (field = fy_header_find(&res->header, "WWW-Authenticate", field)) != NULL) {
        enum fy_digest_found here = fy_digest_parse(challenge, field->value, err);
        found = here == FY_DIGEST_NONE ? found : here;
    }
    return found;
}

/* Keeps a new challenge for this site, its count at none. Takes it over either way. */
static int keep_challenge(struct fy_credentials *credentials, struct fy_digest_challenge *challenge,
                          const struct fy_url *url, ferry_error *err)
{
    char cnonce[33];
    char *site = site_of(url);
    if (site == NULL || fy_digest_cnonce(cnonce, err) != 0) {
        free(site);
        fy_digest_free(challenge);
        return site == NULL ? fy_fail_memory(err) : -1;
    }
    free(credentials->site);
    fy_digest_free(&credentials->challenge);
    credentials->site = site;
    credentials->challenge = *challenge;
    credentials->count = 0;
    memcpy(credentials->cnonce, cnonce, sizeof cnonce);
    return 0;
}

int fy_credentials_answer(struct fy_credentials *credentials, struct fy_hops *hops,
                          const ferry_response *res, ferry_error *err)
{
    struct fy_digest_challenge challenge;
    struct fy_buffer value = {0};
    if (!is_for_digest(credentials, hops) || !wants_credentials(hops, hops->lent)) {
        return 0;
    }
    /* Where the body is gone, the caller has the 401, and his next request the answer. */
    const bool may_repeat = fy_hops_may_repeat(hops);
    enum fy_digest_found found = find_challenge(res, &challenge, err);
    if (found != FY_DIGEST_FOUND) {
        return may_repeat ? (int)found : 0;
    }
    pthread_mutex_lock(&credentials->lock);
    int failed = keep_challenge(credentials, &challenge, &hops->req->url, err);
    if (failed == 0 && may_repeat) {
        failed = make_answer(credentials, hops->req, &value, err);
    }
    pthread_mutex_unlock(&credentials->lock);
    if (failed == 0 && may_repeat) {
        failed = fy_hops_lend(hops, value.bytes, err);
    }
    fy_buffer_free(&value);
    return !may_repeat ? 0 : failed == 0 ? 1 : -1;
}

/* --------------------------------------------------------------------------------------- .netrc */

/* The file's text, read the first time and kept; a failure is not, so that the next send tries
 * again. NULL and *err. */
static const char *netrc_text(struct fy_credentials *credentials, ferry_error *err)
{
    pthread_mutex_lock(&credentials->lock);
    if (credentials->netrc_text == NULL) {
        credentials->netrc_text = fy_netrc_read(credentials->netrc, err);
    }
    const char *text = credentials->netrc_text;
    pthread_mutex_unlock(&credentials->lock);
    return text;
}

/* Name and password as this hop's Basic credentials. */
static int lend_basic(struct fy_hops *hops, const struct fy_netrc_entry *entry, ferry_error *err)
{
    const char *password = entry->password != NULL ? entry->password : "";
    if (!fits_basic(entry->login, password)) {
        return fy_fail(err, FERRY_EINVAL, 0, "the .netrc has " NO_BASIC " for %s",
                       hops->req->url.host);
    }
    char *value = basic_value(entry->login, password);
    int failed = value != NULL ? fy_hops_lend(hops, value, err) : fy_fail_memory(err);
    free(value);
    return failed;
}

/* "default" is for the machine that the caller has named, not for where a redirect leads to: another
 * one's entry counts only when the file names it. */
static bool is_by_default(const struct fy_hops *hops)
{
    return !hops->secrets_gone && strcmp(fy_hops_site(hops)->host, hops->req->url.host) == 0;
}

static int apply_netrc(struct fy_credentials *credentials, struct fy_hops *hops, ferry_error *err)
{
    struct fy_netrc_entry entry;
    const char *text = netrc_text(credentials, err);
    if (text == NULL) {
        return -1;
    }
    int found = fy_netrc_find(text, hops->req->url.host, &entry);
    if (found <= 0) {
        return found == 0 ? 0 : fy_fail_memory(err);
    }
    int failed = 0;
    if (entry.login != NULL && (!entry.is_default || is_by_default(hops))) {
        failed = lend_basic(hops, &entry, err);
    }
    fy_netrc_free(&entry);
    return failed;
}

/* A redirect from https may not lead credentials out of it, whoever the file names. */
static bool is_downgrade(const struct fy_hops *hops)
{
    return strcmp(fy_hops_site(hops)->scheme, "https") == 0 &&
           strcmp(hops->req->url.scheme, "https") != 0;
}

int fy_credentials_apply(struct fy_credentials *credentials, struct fy_hops *hops, ferry_error *err)
{
    int done = 0;
    if (!wants_credentials(hops, hops->lent_before)) {
        return 0;
    }
    if (is_for_digest(credentials, hops)) {
        done = apply_digest(credentials, hops, err);
    }
    if (done == 0 && credentials->user == NULL && credentials->netrc != NULL &&
        !is_downgrade(hops)) {
        done = apply_netrc(credentials, hops, err);
    }
    return done < 0 ? -1 : 0;
}
