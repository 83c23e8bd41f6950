/*
 * The hops of one send. Called by the client's loop, on the request's own task.
 */
#include "client/hop.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "client/hsts.h"
#include "http/bytes.h"
#include "http/response.h"

/* As Go: a body of more is not worth a connection. */
#define PASS_OVER_MAX 2048

void fy_hops_begin(struct fy_hops *hops, ferry_request *req)
{
    *hops = (struct fy_hops){.req = req, .body_done = req->body.done};
    req->body.done = NULL;
}

const ferry_request *fy_hops_first(const struct fy_hops *hops)
{
    return hops->first != NULL ? &hops->first->request : hops->req;
}

const struct fy_url *fy_hops_site(const struct fy_hops *hops)
{
    return hops->first != NULL && hops->first->secure.block != NULL ? &hops->first->secure
                                                                    : &fy_hops_first(hops)->url;
}

/* A server may answer before it has read the request. The write loop is then still at the body,
 * which must not change under it; method, URL and fields it has done with, the head being the first
 * thing that it writes. */
static void await_writing(struct fy_hops *hops)
{
    fy_request_join_writing(hops->req, "waiting for a redirected request to be written");
}

static void drop_own(struct fy_hops *hops)
{
    fy_arena_free(&hops->req->arena);
    fy_url_free(&hops->req->url);
    free(hops->req->target);
}

/* The last hop's write loop tells the body's owner if it is not done; else it is told here. */
static void tell_body_done(struct fy_hops *hops)
{
    ferry_request *req = hops->req;
    if (hops->body_done == NULL) {
        return;
    }
    struct fy_sched *locked = fy_request_lock_writing(req);
    req->body.done = hops->body_done;
    bool over = req->writing == NULL;
    fy_request_unlock_writing(locked);
    if (over && req->body.given) {
        req->body.done(req->body.done_arg);
    }
}

/* The request is again what the caller has sent. The write loop may have done with the last hop's body,
 * or be about to. */
static void restore_first(struct fy_hops *hops)
{
    ferry_request *req = hops->req;
    struct fy_sched *locked = fy_request_lock_writing(req);
    struct ferry_request last = *req;
    drop_own(hops);
    free(last.own_body);
    *req = hops->first->request;
    req->writing = last.writing;
    req->written_on = last.written_on;
    req->trailer = last.trailer; /* went along, and may have been changed on the way */
    req->send = last.send;
    req->body_read = hops->body_read || last.body_read;
    fy_request_unlock_writing(locked);
    if (hops->first->secure.block != NULL) {
        fy_url_free(&hops->first->secure);
    }
    free(hops->first);
    hops->first = NULL;
}

void fy_hops_end(struct fy_hops *hops)
{
    const ferry_request *req = hops->req;
    if (hops->first != NULL) {
        if (req->body.kind == FY_REQUEST_NO_BODY || req->own_body != NULL) {
            await_writing(hops); /* only a head; else it would go on with the first one's body */
        }
        restore_first(hops);
    }
    tell_body_done(hops);
    if (hops->cookies_known || hops->hop_cookies_known) {
        fy_buffer_free(&hops->cookies);
        fy_buffer_free(&hops->hop_cookies);
    }
}

/* --------------------------------------------------------------------------- a hop's own fields */

/* Whether a field of the first request goes with this hop. */
static bool goes_along(const struct fy_hops *hops, const struct fy_field *field, bool with_body,
                       bool keeps_host)
{
    if (fy_text_is(field->name, field->name_len, "Cookie")) {
        return false; /* put together anew */
    }
    if (fy_text_is(field->name, field->name_len, "Host")) {
        return keeps_host;
    }
    return !(hops->secrets_gone && fy_redirect_is_sensitive(field->name)) &&
           (with_body || !fy_redirect_is_about_body(field->name));
}

static int copy_fields(struct fy_hops *hops, bool with_body, bool keeps_host, ferry_error *err)
{
    ferry_request *req = hops->req;
    const struct fy_header *from = &hops->first->request.header;
    req->arena = (struct fy_arena){0};
    req->header = (struct fy_header){0};
    req->stale = 0;
    for (size_t i = 0; i < from->count; i++) {
        const struct fy_field *field = &from->fields[i];
        if (goes_along(hops, field, with_body, keeps_host) &&
            fy_header_add(&req->header, &req->arena, field->name, field->name_len, field->value,
                          field->value_len) != 0) {
            return fy_fail_memory(err);
        }
    }
    if (hops->cookies.len > 0 && !hops->secrets_gone &&
        fy_header_add(&req->header, &req->arena, "Cookie", strlen("Cookie"), hops->cookies.bytes,
                      hops->cookies.len) != 0) {
        return fy_fail_memory(err);
    }
    return 0;
}

/* All Cookie fields as one (RFC 6265 section 5.4 allows no more). */
static void join_cookies(const struct fy_header *header, struct fy_buffer *out)
{
    const struct fy_field *field = NULL;
    while ((field = fy_header_find(header, "Cookie", field)) != NULL) {
        fy_buffer_append_text(out, out->len > 0 ? "; " : "");
        fy_buffer_append(out, field->value, field->value_len);
    }
}

/* Before the first change to the request's fields. */
static void note_cookies(struct fy_hops *hops)
{
    if (!hops->cookies_known) {
        join_cookies(&hops->req->header, &hops->cookies);
        hops->cookies_known = true;
    }
}

int fy_hops_own(struct fy_hops *hops, ferry_error *err)
{
    ferry_request *req = hops->req;
    if (hops->first != NULL) {
        return 0;
    }
    struct fy_first *first = malloc(sizeof *first);
    char *target = req->target != NULL ? strdup(req->target) : NULL;
    struct fy_url url = {0};
    note_cookies(hops);
    if (first == NULL || (req->target != NULL && target == NULL) || hops->cookies.failed ||
        fy_url_copy(&url, &req->url) != 0) {
        free(first);
        free(target);
        return fy_fail_memory(err);
    }
    first->request = *req;
    first->secure.block = NULL;
    hops->first = first;
    req->own_body = NULL; /* the first one's: who gives the hop another does not free that */
    req->target = target;
    req->url = url;
    return copy_fields(hops, true, true, err);
}

int fy_hops_set(struct fy_hops *hops, const char *name, const char *value, ferry_error *err)
{
    if (fy_hops_own(hops, err) != 0) {
        return -1;
    }
    if (ferry_request_set_header(hops->req, name, value) != 0) {
        *err = hops->req->refused;
        return -1;
    }
    return 0;
}

int fy_hops_lend(struct fy_hops *hops, const char *authorization, ferry_error *err)
{
    hops->lent = true;
    hops->lent_before = false;
    return fy_hops_set(hops, "Authorization", authorization, err);
}

void fy_hops_again(struct fy_hops *hops)
{
    hops->lent_before = hops->lent;
}

int fy_hops_secure(struct fy_hops *hops, ferry_hsts *hsts, ferry_error *err)
{
    struct fy_url url;
    hops->hsts = hsts;
    if (!fy_hsts_wants_tls(hsts, &hops->req->url, (int64_t)time(NULL))) {
        return 0;
    }
    if (fy_hops_own(hops, err) != 0 ||
        fy_url_over_tls(&hops->first->secure, &hops->req->url, err) != 0) {
        return -1;
    }
    if (fy_url_copy(&url, &hops->first->secure) != 0) {
        return fy_fail_memory(err);
    }
    fy_url_free(&hops->req->url);
    hops->req->url = url;
    return 0;
}

/* ------------------------------------------------------------------------------------- cookies */

/* What the caller, or the redirect callback, has put into this hop's Cookie fields. */
static int note_hop_cookies(struct fy_hops *hops, ferry_error *err)
{
    if (!hops->hop_cookies_known) {
        join_cookies(&hops->req->header, &hops->hop_cookies);
        hops->hop_cookies_known = true;
    }
    return hops->hop_cookies.failed ? fy_fail_memory(err) : 0;
}

int fy_hops_add_cookies(struct fy_hops *hops, ferry_cookie_jar *jar, ferry_error *err)
{
    struct fy_buffer jars = {0};
    struct fy_buffer all = {0};
    int failed = note_hop_cookies(hops, err);
    if (failed == 0 && fy_cookie_jar_get(jar, &hops->req->url, (int64_t)time(NULL), &jars) != 0) {
        failed = fy_fail_memory(err);
    }
    if (failed == 0 && (jars.len > 0 || hops->first != NULL || hops->hop_cookies_fewer)) {
        fy_buffer_append(&all, hops->hop_cookies.bytes, hops->hop_cookies.len);
        fy_buffer_append_text(&all, all.len > 0 && jars.len > 0 ? "; " : "");
        fy_buffer_append(&all, jars.bytes, jars.len);
        fy_buffer_append_byte(&all, '\0');
        failed = all.failed ? fy_fail_memory(err)
                            : fy_hops_set(hops, "Cookie", all.len > 1 ? all.bytes : NULL, err);
    }
    fy_buffer_free(&jars);
    fy_buffer_free(&all);
    return failed;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Whether a pair, up to its semicolon, is of that name. Without '=' it has none. */
static bool is_named(const char *pair, size_t pair_len, const char *name, size_t len)
{
    const char *equals = memchr(pair, '=', pair_len);
    const char *end = equals != NULL ? equals : pair;
    while (end > pair && is_blank(end[-1])) {
        end--;
    }
    return (size_t)(end - pair) == len && memcmp(pair, name, len) == 0;
}

/* Takes every pair of that name out of the caller's cookies. What stands between the others is the
 * caller's own, too: it may be no more than a semicolon. */
static void drop_cookie(struct fy_buffer *cookies, const char *name, size_t len)
{
    size_t kept = 0;
    size_t at = 0;
    while (at < cookies->len) {
        size_t from = at;
        while (at < cookies->len && is_blank(cookies->bytes[at])) {
            at++;
        }
        const char *pair = cookies->bytes + at;
        const char *semicolon = memchr(pair, ';', cookies->len - at);
        size_t pair_len = semicolon != NULL ? (size_t)(semicolon - pair) : cookies->len - at;
        size_t end = at + pair_len + (semicolon != NULL ? 1 : 0);
        if (!is_named(pair, pair_len, name, len)) {
            from = kept > 0 ? from : at;
            memmove(cookies->bytes + kept, cookies->bytes + from, end - from);
            kept += end - from;
        }
        at = end;
    }
    while (kept < cookies->len && kept > 0 &&
           (is_blank(cookies->bytes[kept - 1]) || cookies->bytes[kept - 1] == ';')) {
        kept--;
    }
    cookies->len = kept;
}

void fy_hops_keep_cookies(struct fy_hops *hops, ferry_cookie_jar *jar, const ferry_response *res)
{
    const struct fy_field *field = NULL;
    note_cookies(hops);
    while ((field = fy_header_find(&res->header, "Set-Cookie", field)) != NULL) {
        struct fy_set_cookie set;
        ferry_error unwanted;
        /* A cookie that is refused is the server's mistake, or its attack: not the caller's
         * failure. */
        (void)fy_cookie_jar_set(jar, &hops->req->url, field->value, field->value_len,
                                (int64_t)time(NULL), &unwanted);
        if ((hops->cookies.len > 0 || hops->hop_cookies.len > 0) &&
            fy_set_cookie_parse(&set, field->value, field->value_len) == NULL) {
            size_t before = hops->hop_cookies.len;
            drop_cookie(&hops->cookies, set.name.at, set.name.len);
            drop_cookie(&hops->hop_cookies, set.name.at, set.name.len);
            hops->hop_cookies_fewer |= hops->hop_cookies.len != before;
        }
    }
}

/* Only the first field counts, and only over TLS whose certificate was verified (RFC 6797
 * section 8.1). A round tripper that has its own ways to speak https is taken at its word. */
void fy_hops_keep_hsts(struct fy_hops *hops, const ferry_response *res)
{
    const struct fy_field *field = fy_header_find(&res->header, "Strict-Transport-Security", NULL);
    ferry_error unwanted; /* one that makes no sense is the server's mistake */
    if (field != NULL && (res->tls == NULL || res->tls->verified)) {
        (void)fy_hsts_note(hops->hsts, &hops->req->url, field->value, field->value_len,
                           (int64_t)time(NULL), &unwanted);
    }
}

/* -------------------------------------------------------------------------------- the next hop */

bool fy_hops_may_repeat(const struct fy_hops *hops)
{
    return fy_request_rewindable(hops->req);
}

/* Whether the caller's Host goes along: it went with this hop, and still names the server. The hop
 * may have one of the redirect function's, which was for it alone. */
static bool keeps_own_host(const struct fy_hops *hops, const struct fy_url *next,
                           const char *location)
{
    const char *own = fy_header_get(&hops->first->request.header, "Host");
    const char *sent = fy_header_get(&hops->req->header, "Host");
    return own != NULL && sent != NULL && strcmp(own, sent) == 0 &&
           fy_redirect_keeps_host(&hops->req->url, next, location);
}

/* The URL that a Location leads to. */
static int locate(const struct fy_hops *hops, struct fy_url *url, const char *location,
                  ferry_error *err)
{
    struct fy_url plain;
    if (fy_url_resolve(&plain, &hops->req->url, location, err) != 0) {
        fy_error_prefix(err, "failed to parse Location \"%.100s\"", location);
        return -1;
    }
    if (!fy_hsts_wants_tls(hops->hsts, &plain, (int64_t)time(NULL))) {
        *url = plain;
        return 0;
    }
    int failed = fy_url_over_tls(url, &plain, err);
    fy_url_free(&plain);
    return failed;
}

int fy_hops_next(struct fy_hops *hops, const struct fy_redirect *redirect, const char *location,
                 ferry_error *err)
{
    ferry_request *req = hops->req;
    struct fy_url url;
    const char *referer = NULL;
    char *referer_text = NULL;
    if (locate(hops, &url, location, err) != 0) {
        return -1;
    }
    if (fy_hops_own(hops, err) != 0) {
        goto fail;
    }
    const char *own_referer = fy_header_get(&hops->first->request.header, "Referer");
    referer = fy_redirect_referer(&req->url, &url, own_referer);
    referer_text = referer != NULL ? strdup(referer) : NULL;
    if (referer != NULL && referer_text == NULL) {
        fy_fail_memory(err);
        goto fail;
    }
    bool keeps_host = keeps_own_host(hops, &url, location);
    hops->secrets_gone = hops->secrets_gone || !fy_redirect_same_site(fy_hops_site(hops), &url);
    drop_own(hops);
    req->method = redirect->method;
    req->target = NULL;
    req->url = url;
    fy_buffer_free(&hops->hop_cookies);
    hops->hop_cookies_known = false;
    hops->hop_cookies_fewer = false;
    hops->lent = false;
    hops->lent_before = false;
    req->no_authorization = hops->first->request.no_authorization;
    if (copy_fields(hops, redirect->with_body, keeps_host, err) != 0) {
        free(referer_text);
        return -1;
    }
    int failed = 0;
    if (referer_text != NULL && own_referer == NULL) {
        failed = fy_hops_set(hops, "Referer", referer_text, err);
    }
    free(referer_text);
    return failed;
fail:
    free(referer_text);
    fy_url_free(&url);
    return -1;
}

void fy_hops_put_body(struct fy_hops *hops, bool with_body)
{
    ferry_request *req = hops->req;
    await_writing(hops);
    hops->body_read = hops->body_read || req->body_read;
    req->body_dropped = !with_body;
    free(req->own_body);
    req->own_body = NULL;
    if (with_body) {
        req->body = hops->first->request.body;
        req->body_read = hops->body_read;
    } else {
        req->body.kind = FY_REQUEST_NO_BODY;
        req->body.len = 0;
        req->body_read = false;
    }
}

void fy_hops_pass_over(ferry_response *res)
{
    char scratch[512];
    size_t left = PASS_OVER_MAX;
    if (res->length <= PASS_OVER_MAX) { /* -1, unknown, among them */
        ssize_t got = 1;
        while (left > 0 && got > 0) {
            size_t wanted = left < sizeof scratch ? left : sizeof scratch;
            got = ferry_response_read(res, scratch, wanted, NULL);
            left -= got > 0 ? (size_t)got : 0;
        }
    }
    ferry_response_close(res);
}
