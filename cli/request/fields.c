/*
 * fields.c: header fields.
 */
#include "request/fields.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "exit_code.h"
#include "flags/words.h"
#include "memory.h"
#include "message.h"
#include "request/conditions.h"
#include "request/data.h"
#include "request/url.h"

#define EXPECT_BYTES (1024 * 1024) /* POSTs beyond it announce themselves, as curl's do */

static size_t name_length(const char *text)
{
    return strcspn(text, ":;");
}

bool field_parse(char *text, char **name, char **value)
{
    size_t len = name_length(text);
    char mark = text[len];
    char *rest = text + len + (mark != '\0');
    while (isspace((unsigned char)*rest))
        rest++;
    *name = text;
    *value = rest;
    /* "Name: a;b" has its mark before; "Name;" must end there. */
    if (mark == '\0' || len == 0 || (mark == ';' && *rest != '\0'))
        return false;
    if (mark == ':' && *rest == '\0')
        *value = NULL;
    text[len] = '\0';
    return true;
}

bool fields_have(const struct texts *headers, const char *name)
{
    for (size_t i = 0; i < headers->count; i++) {
        const char *text = headers->items[i];
        size_t len = name_length(text);
        if (len == strlen(name) && text[len] != '\0' && strncasecmp(text, name, len) == 0)
            return true;
    }
    return false;
}

static bool add_lines(struct texts *to, char *bytes)
{
    char *rest = bytes;
    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
        size_t len = strlen(line);
        while (len > 0 && isspace((unsigned char)line[len - 1]))
            len--;
        const char *kept = len > 0 ? word_keep(line, len) : NULL;
        if (len > 0 && (!kept || !texts_add(to, kept)))
            return false;
    }
    return true;
}

bool fields_expand(const struct texts *from, struct texts *to, int *status)
{
    for (size_t i = 0; i < from->count; i++) {
        const char *text = from->items[i];
        size_t len;
        if (text[0] != '@') {
            if (!texts_add(to, text))
                return *status = CLI_NO_MEMORY, complain("(27) out of memory");
            continue;
        }
        char *bytes = data_read_file(text + 1, &len);
        if (!bytes) {
            *status = CLI_READ_FAILED;
            return complain("(26) cannot read %s: %s", text + 1, strerror(errno));
        }
        bool fine = add_lines(to, bytes);
        free(bytes);
        if (!fine)
            return *status = CLI_NO_MEMORY, complain("(27) out of memory");
    }
    return true;
}

/* ---- One request ---- */

/* A field of ferry's own, unless the user has that name. */
static void put(struct transfer *transfer, ferry_request *req, const char *name, const char *value)
{
    if (value && !fields_have(&transfer->group->headers, name))
        ferry_request_add_header(req, name, value);
}

static void put_text(struct transfer *transfer, ferry_request *req, const char *name, char *value)
{
    put(transfer, req, name, value);
    free(value);
}

static char *joined(const char *first, const char *between, const char *second)
{
    char *text = NULL;
    return text_print(&text, "%s%s%s", first, between, second) < 0 ? NULL : text;
}

/* Credentials go to the origin that the user named, and to no other unless all are trusted. */
static bool credentials_may(const struct transfer *transfer)
{
    return transfer->own_origin || transfer->config->location_trusted;
}

static void put_credentials(struct transfer *transfer, ferry_request *req)
{
    const struct config *config = transfer->config;
    bool basic = config->auth == AUTH_BASIC || transfer->basic_after_all;
    if (!credentials_may(transfer)) {
        return;
    } else if (config->bearer) {
        put_text(transfer, req, "Authorization", joined("Bearer", " ", config->bearer));
    } else if (transfer->user && basic &&
               !fields_have(&transfer->group->headers, "Authorization")) {
        ferry_request_set_basic_auth(req, transfer->user, transfer->password);
    }
}

static void put_user_agent(struct transfer *transfer, ferry_request *req)
{
    const char *name = transfer->config->user_agent;
    if (fields_have(&transfer->group->headers, "User-Agent") || (name && name[0] == '\0'))
        ferry_request_set_header(req, "User-Agent", NULL);
    else if (name)
        ferry_request_set_header(req, "User-Agent", name);
}

/* "URL;auto": the first hop's URL; from there on the hop before, which result.url still is. */
static void put_referer(struct transfer *transfer, ferry_request *req)
{
    const char *referer = transfer->config->referer;
    size_t len = referer ? strlen(referer) : 0;
    bool automatic = len >= 5 && strcmp(referer + len - 5, ";auto") == 0;
    char *value = NULL;
    if (referer && automatic && transfer->result.redirects > 0)
        value = text_copy(transfer->result.url);
    else if (referer)
        value = text_copy_part(referer, automatic ? len - 5 : len);
    free(transfer->result.referer);
    transfer->result.referer = NULL;
    if (value && value[0] != '\0') {
        put(transfer, req, "Referer", value);
        transfer->result.referer = value;
    } else {
        free(value);
    }
}

/* The jar's cookies, then those of the command line. */
static void put_cookies(struct transfer *transfer, ferry_request *req)
{
    const struct config *config = transfer->config;
    ferry_error err = {0};
    char *all = transfer->group->cookies
                    ? ferry_cookie_jar_get(transfer->run->jar, transfer->url, &err)
                    : NULL;
    memory_note(&err);
    bool given = false; /* curl puts nothing but ";" between those of several -b */
    for (size_t i = 0; i < config->cookies.count; i++) {
        const char *text = config->cookies.items[i];
        if (!strchr(text, '=') || !credentials_may(transfer))
            continue;
        char *more =
            all && all[0] != '\0' ? joined(all, given ? ";" : "; ", text) : text_copy(text);
        free(all);
        all = more;
        given = true;
    }
    if (all && all[0] != '\0')
        put(transfer, req, "Cookie", all);
    free(all);
}

static bool is_for_origin_only(const char *name)
{
    return strcasecmp(name, "Authorization") == 0 || strcasecmp(name, "Cookie") == 0;
}

/* Length and coding follow from the body; what was asked for is looked at elsewhere. */
static bool is_framing(const char *name)
{
    return strcasecmp(name, "Content-Length") == 0 || strcasecmp(name, "Transfer-Encoding") == 0;
}

static bool put_own(struct transfer *transfer, ferry_request *req, const char *text)
{
    char *copy = text_copy(text), *name, *value;
    bool fine = copy && field_parse(copy, &name, &value);
    if (!copy)
        return false;
    bool content_of_dropped =
        transfer->body_dropped && fine && strcasecmp(name, "Content-Type") == 0;
    if (!fine || is_framing(name) || content_of_dropped ||
        (is_for_origin_only(name) && !credentials_may(transfer))) {
        free(copy);
        return true; /* what is no field is passed over, as in curl */
    }
    if (!value || strcasecmp(name, "Host") == 0)
        fine = ferry_request_set_header(req, name, value) == 0 || !value;
    else
        fine = ferry_request_add_header(req, name, value) == 0;
    free(copy);
    return fine;
}

/* -H "Transfer-Encoding: chunked"; without a value it asks for the opposite. */
static bool wants_chunked(const struct transfer *transfer)
{
    static const char name[] = "Transfer-Encoding";
    const struct texts *headers = &transfer->group->headers;
    for (size_t i = 0; i < headers->count; i++) {
        const char *text = headers->items[i];
        size_t len = name_length(text);
        if (len == strlen(name) && strncasecmp(text, name, len) == 0 &&
            strcasestr(text + len, "chunked"))
            return true;
    }
    return false;
}

static void put_body(struct transfer *transfer, ferry_request *req)
{
    struct body *body = &transfer->body;
    if (transfer->body_dropped || body->kind == BODY_NONE)
        return;
    bool chunked = wants_chunked(transfer);
    body_attach(body, req, chunked);
    put(transfer, req, "Content-Type", body->content_type);
    if (body->json)
        put(transfer, req, "Accept", "application/json");
    int64_t length = body->kind == BODY_FORM ? ferry_request_body_length(req) : body->length;
    bool is_upload = body->kind == BODY_FILE || body->kind == BODY_STREAM;
    if (!transfer->no_expect && !transfer->config->http10 &&
        (length < 0 || length > (is_upload ? 0 : EXPECT_BYTES)))
        put(transfer, req, "Expect", "100-continue");
}

static void put_fields(struct transfer *transfer, ferry_request *req)
{
    const struct config *config = transfer->config;
    put_credentials(transfer, req);
    put_text(transfer, req, "Range", condition_range(transfer));
    put_user_agent(transfer, req);
    if (!transfer->body.json || transfer->body_dropped)
        put(transfer, req, "Accept", "*/*");
    put_referer(transfer, req);
    put_cookies(transfer, req);
    put_text(transfer, req, "Content-Range", condition_content_range(transfer));
    conditions_put(transfer, req, put);
    for (size_t i = 0; i < transfer->group->headers.count; i++) {
        if (!put_own(transfer, req, transfer->group->headers.items[i]))
            break; /* the request remembers, and the send says */
    }
    put_body(transfer, req);
    if (config->request_target)
        ferry_request_set_target(req, config->request_target);
    if (config->http10)
        ferry_request_set_http_1_0(req, 1);
    if (config->raw)
        ferry_request_set_raw_body(req, 1);
}

ferry_request *request_make(struct transfer *transfer)
{
    ferry_error err = {0};
    ferry_request *req = ferry_request_new(transfer->method, transfer->url, &err);
    if (!req) {
        transfer_failed(transfer, cli_exit_code(&err), "%s", err.message);
        return NULL;
    }
    put_fields(transfer, req);
    if (memory_lacked()) { /* it would be another one than was asked for */
        transfer_failed(transfer, CLI_NO_MEMORY, "out of memory");
        ferry_request_free(req);
        return NULL;
    }
    ferry_request_set_context(req, transfer->context);
    return req;
}
