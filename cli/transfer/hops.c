/*
 * hops.c: one try of a transfer: the request, and the redirects it leads through. They are followed
 * here and not by the library, since curl's rules about methods, credentials and what is printed of
 * each hop are what people expect of these flags.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "exit_code.h"
#include "memory.h"
#include "request/fields.h"
#include "request/url.h"
#include "transfer/run.h"
#include "transfer/watch.h"

#define READ_AWAY_BYTES (256 * 1024)

static bool is_redirect(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* What the flags come to before anything is sent. */
static const char *first_method(const struct transfer *transfer)
{
    const struct config *config = transfer->config;
    if (config->method)
        return config->method;
    if (config->head)
        return "HEAD";
    if (transfer->operation->upload)
        return "PUT";
    return transfer->body.kind != BODY_NONE ? "POST" : "GET";
}

/* Whether the request is a POST by its body, whatever -X calls it. */
static bool posts(const struct transfer *transfer)
{
    return !transfer->body_dropped && !transfer->operation->upload &&
           transfer->body.kind != BODY_NONE;
}

static void drop_body(struct transfer *transfer)
{
    transfer->body_dropped = true;
    if (!transfer->config->method)
        transfer->method = transfer->config->head ? "HEAD" : "GET";
}

/* RFC 9110 section 15.4, as browsers and curl read it. */
static void change_method(struct transfer *transfer, int status)
{
    const struct config *config = transfer->config;
    bool stays = (status == 301 && config->post301) || (status == 302 && config->post302) ||
                 (status == 303 && config->post303);
    bool changes = status == 303 ? !(posts(transfer) && stays)
                                 : (status == 301 || status == 302) && posts(transfer) && !stays;
    if (changes)
        drop_body(transfer);
}

/* ---- Credentials of the client ---- */

static bool readable(const char *path)
{
    return access(path, R_OK) == 0;
}

/* "" is the library's word for the user's own file; NULL: none, or there is no such file. */
static const char *netrc_of(const struct transfer *transfer)
{
    const struct config *config = transfer->config;
    const char *home = getenv("HOME"), *named = getenv("NETRC");
    char path[512];
    if (transfer->user || config->bearer)
        return NULL;
    if (config->netrc_file)
        return readable(config->netrc_file) ? config->netrc_file : NULL;
    if (!config->netrc && !config->netrc_optional)
        return NULL;
    if (named && named[0] != '\0')
        return readable(named) ? "" : NULL;
    snprintf(path, sizeof path, "%.480s/.netrc", home ? home : "");
    return home && readable(path) ? "" : NULL;
}

static ferry_client *make_client(struct transfer *transfer)
{
    const struct config *config = transfer->config;
    bool digest = config->auth != AUTH_BASIC && !transfer->basic_after_all && !config->bearer &&
                  (transfer->own_origin || config->location_trusted);
    return ferry_client_new(
        FERRY_CLIENT_OPTIONS(.transport = transfer->group->transport, .max_redirects = -1,
                             .digest_user = digest ? transfer->user : NULL,
                             .digest_password = digest ? transfer->password : NULL,
                             .netrc = netrc_of(transfer), .hsts = transfer->group->hsts));
}

/* ---- One hop ---- */

static int status_of(const struct transfer *transfer, const ferry_error *err)
{
    if (err->code == FERRY_EPROXY && transfer->result.connect_code > 0)
        return CLI_RECEIVE_FAILED; /* CONNECT was refused */
    return exit_code_of(err);
}

static bool set_cookie(struct transfer *transfer, const char *url, const char *field)
{
    ferry_error err = {0};
    bool fine = ferry_cookie_jar_set(transfer->run->jar, url, field, &err) == 0;
    memory_note(&err);
    return fine;
}

static void keep_cookies(struct transfer *transfer, const ferry_response *res)
{
    if (!transfer->group->cookies)
        return;
    for (size_t i = 0; i < ferry_response_header_count(res); i++) {
        const char *name, *value;
        ferry_response_header_at(res, i, &name, &value);
        if (strcasecmp(name, "Set-Cookie") == 0 &&
            !set_cookie(transfer, ferry_response_url(res), value))
            watch_say(transfer->run, "a cookie is refused: %s", value);
    }
}

/* Where it leads, with the fragment, which the library leaves out. */
static char *location_of(const ferry_response *res)
{
    const char *field = ferry_response_header(res, "Location");
    ferry_error err = {0};
    char *url = field ? ferry_response_location(res, &err) : NULL;
    memory_note(&err);
    const char *fragment = field ? strchr(field, '#') : NULL;
    char *whole = NULL;
    if (!url || !fragment || strchr(url, '#'))
        return url;
    if (text_print(&whole, "%s%s", url, fragment) < 0)
        whole = NULL;
    free(url);
    return whole;
}

static void note_response(struct transfer *transfer, const ferry_response *res)
{
    struct result *result = &transfer->result;
    ferry_tls_info tls = FERRY_TLS_INFO_INIT;
    result->response_code = ferry_response_status(res);
    snprintf(result->proto, sizeof result->proto, "%s", ferry_response_proto(res));
    const char *fragment = strchr(transfer->url, '#');
    free(result->url);
    if (text_print(&result->url, "%s%s", ferry_response_url(res), fragment ? fragment : "") < 0)
        result->url = NULL;
    free(result->redirect_url);
    result->redirect_url =
        result->response_code >= 300 && result->response_code < 400 ? location_of(res) : NULL;
    if (ferry_response_tls(res, &tls)) {
        result->tls = true;
        result->verified = tls.verified;
    }
    keep_cookies(transfer, res);
}

static ferry_response *send_with(struct transfer *transfer, ferry_client *client,
                                 ferry_request *req)
{
    ferry_error err = {0};
    struct result *result = &transfer->result;
    free(result->url);
    result->url = text_copy(ferry_request_url(req));
    ferry_response *res = ferry_client_do(client, req, &err);
    if (res) {
        note_response(transfer, res);
        return res;
    }
    if (err.code == FERRY_EUNSUPPORTED && transfer->config->auth == AUTH_ANY &&
        !transfer->basic_after_all) {
        transfer->basic_after_all = true; /* and once more */
        return NULL;
    }
    if (transfer->too_slow)
        transfer_failed(transfer, CLI_TIMEOUT, "slower than --speed-limit: %s", err.message);
    else
        transfer_failed(transfer, status_of(transfer, &err), "%s", err.message);
    return NULL;
}

/* A hop from its request to its response's fate; *again: there is another to be made. */
static void one_hop(struct transfer *transfer, bool *again);

static void follow(struct transfer *transfer, bool *again)
{
    struct result *result = &transfer->result;
    const struct config *config = transfer->config;
    char scheme[16];
    url_scheme(result->redirect_url, scheme, sizeof scheme);
    if (config->max_redirects >= 0 && result->redirects >= config->max_redirects) {
        transfer_failed(transfer, CLI_REDIRECTS, "%s: more than %lld redirects", result->url,
                        (long long)config->max_redirects);
        return;
    }
    const char *allowed = config->redirect_protocols ? config->redirect_protocols : "=http,https";
    if (!url_scheme_allowed(allowed, scheme) || !url_scheme_allowed(config->protocols, scheme)) {
        transfer_failed(transfer, CLI_PROTOCOL, "a redirect to %s: %s is not allowed or not known",
                        result->redirect_url, scheme);
        return;
    }
    change_method(transfer, result->response_code);
    if (!transfer->body_dropped && !body_can_rewind(&transfer->body)) {
        transfer_failed(transfer, CLI_REWIND,
                        "a redirect to %s wants the body once more, and it cannot be read again",
                        result->redirect_url);
        return;
    }
    if (!url_same_origin(result->redirect_url, result->url)) /* both normalised by the library */
        transfer->own_origin = false;
    result->redirects++;
    watch_say(transfer->run, "follows the redirect to %s", result->redirect_url);
    free(transfer->url);
    transfer->url = result->redirect_url;
    result->redirect_url = NULL;
    *again = true;
}

/* The server does not care for "Expect": the body goes without. */
static bool wants_no_expect(struct transfer *transfer)
{
    bool wants = transfer->result.response_code == 417 && !transfer->no_expect &&
                 transfer->body.kind != BODY_NONE && body_can_rewind(&transfer->body);
    transfer->no_expect |= wants;
    return wants;
}

/* The body of a redirect: nobody wants it, but its connection is wanted for the next hop. */
static void read_away(ferry_response *res)
{
    char bytes[4096];
    for (int i = 0; i < READ_AWAY_BYTES / (int)sizeof bytes; i++) {
        if (ferry_response_read(res, bytes, sizeof bytes, NULL) <= 0)
            break;
    }
}

/* --anyauth: Digest was not asked for, and Basic was. */
static bool wants_basic(struct transfer *transfer, const ferry_response *res)
{
    bool basic = false, digest = false;
    if (transfer->config->auth != AUTH_ANY || !transfer->user || transfer->basic_after_all ||
        transfer->result.response_code != 401 || !body_can_rewind(&transfer->body))
        return false;
    for (size_t i = 0; i < ferry_response_header_count(res); i++) {
        const char *name, *value;
        ferry_response_header_at(res, i, &name, &value);
        if (strcasecmp(name, "WWW-Authenticate") != 0)
            continue;
        basic |= strcasestr(value, "Basic") != NULL;
        digest |= strncasecmp(value, "Digest", 6) == 0;
    }
    return transfer->basic_after_all = basic && !digest;
}

/* -L, and a Location that leads nowhere: its text is no URL, or one of another world. */
static bool is_astray(struct transfer *transfer, const ferry_response *res)
{
    const char *field = ferry_response_header(res, "Location");
    ferry_error err = {0};
    char scheme[16] = "";
    if (!transfer->config->location || transfer->result.redirect_url || !field || !field[0] ||
        !is_redirect(transfer->result.response_code))
        return false;
    char *url = ferry_response_location(res, &err);
    free(url); /* there is none */
    url_scheme(field, scheme, sizeof scheme);
    bool other = scheme[0] != '\0' && strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0;
    transfer_failed(transfer, other ? CLI_PROTOCOL : exit_code_of(&err), "a redirect to %s: %s",
                    field, other ? "its scheme is not known" : err.message);
    return true;
}

static void take_response(struct transfer *transfer, ferry_response *res, bool *again)
{
    struct result *result = &transfer->result;
    if (memory_lacked()) {
        transfer_failed(transfer, CLI_NO_MEMORY, "out of memory"); /* where it leads, perhaps */
        ferry_response_close(res);
    } else if (is_astray(transfer, res)) {
        ferry_response_close(res);
    } else if (wants_basic(transfer, res) || wants_no_expect(transfer)) {
        read_away(res);
        *again = true;
        ferry_response_close(res);
    } else if (transfer->config->location && result->redirect_url &&
               is_redirect(result->response_code)) {
        read_away(res);
        ferry_response_close(res);
        follow(transfer, again);
    } else {
        transfer_receive(transfer, res);
        ferry_response_close(res);
    }
}

static void one_hop(struct transfer *transfer, bool *again)
{
    bool basic_before = transfer->basic_after_all;
    struct watch *watch = NULL;
    *again = false;
    transfer->result.hop_started = clock_us();
    ferry_client *client = make_client(transfer);
    ferry_request *req = client ? request_make(transfer) : NULL;
    if (req)
        watch = watch_begin(transfer, req);
    if (watch) {
        ferry_response *res = send_with(transfer, client, req);
        if (res)
            take_response(transfer, res, again);
        else
            *again = transfer->basic_after_all != basic_before;
        if (!transfer->body_dropped && transfer->result.status == CLI_OK) {
            int64_t length = ferry_request_body_length(req);
            transfer->result.uploaded = length >= 0 ? length : transfer->body.sent;
        }
    } else if (!client || req) {
        transfer_failed(transfer, CLI_NO_MEMORY, "out of memory");
    }
    ferry_request_free(req);
    watch_end(watch);
    ferry_client_free(client);
}

void transfer_hops(struct transfer *transfer)
{
    bool again = true;
    for (size_t i = 0; i < transfer->group->set_cookies.count; i++)
        (void)set_cookie(transfer, transfer->url, transfer->group->set_cookies.items[i]);
    transfer->method = first_method(transfer);
    transfer->own_origin = true;
    transfer->body_dropped = false;
    while (again && transfer->result.status == CLI_OK) {
        transfer->result.method = transfer->method;
        one_hop(transfer, &again);
        transfer->result.method = transfer->method;
    }
}
