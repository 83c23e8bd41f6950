/*
 * The request's head as bytes. Called by the write loop, once per request and attempt. Everything
 * that goes in has been checked by the setters and the URL parser; nothing here can break a line.
 */
#include <string.h>

#include "base/error.h"
#include "base/seldom.h"
#include "http/basic.h"
#include "http/bytes.h"
#include "http/request.h"
#include "http/trailer.h"

static bool is_one_of(const char *method, const char *const *methods)
{
    for (; *methods != NULL; methods++) {
        if (strcmp(method, *methods) == 0) {
            return true;
        }
    }
    return false;
}

/* Methods whose servers expect a length even where there is no content (RFC 9110 section 8.6). */
static bool expects_content(const char *method)
{
    static const char *const methods[] = {"POST", "PUT", "PATCH", NULL};
    return method[0] == 'P' && is_one_of(method, methods);
}

static bool is_connect(const ferry_request *req)
{
    return req->method[0] == 'C' && strcmp(req->method, "CONNECT") == 0;
}

bool fy_request_chunked(const ferry_request *req)
{
    bool unsized = req->body.kind == FY_REQUEST_READER && req->body.len < 0;
    return (unsized || (req->trailer != NULL && !req->body_dropped)) && !is_connect(req);
}

bool fy_request_leaves_coding(const ferry_request *req)
{
    return !req->no_accept_encoding && !req->raw_body &&
           fy_header_find(&req->header, "Accept-Encoding", NULL) == NULL &&
           fy_header_find(&req->header, "Range", NULL) == NULL &&
           (req->method[0] != 'H' || strcmp(req->method, "HEAD") != 0) && !is_connect(req);
}

/* Copies a piece of a line to where there is room for it, and returns where the next one goes. */
static inline char *put(char *to, const char *bytes, size_t len)
{
    memcpy(to, bytes, len);
    return to + len;
}

#define PUT(to, literal) put(to, literal, sizeof(literal) - 1)

/* One field line. Where the name is a literal, its copying is an instruction or two. */
static inline void append_field(struct fy_buffer *out, const char *name, size_t name_len,
                                const char *value, size_t value_len)
{
    char *to = fy_buffer_reserve(out, name_len + value_len + 4);
    if (to != NULL) {
        to = put(to, name, name_len);
        to = PUT(to, ": ");
        to = put(to, value, value_len);
        PUT(to, "\r\n");
        out->len += name_len + value_len + 4;
    }
}

#define APPEND_FIELD(out, name, value, value_len) \
    append_field(out, name, sizeof(name) - 1, value, value_len)

/* Where a proxy is to go: what the URL says, whatever stands in the Host field. */
static void append_site(const ferry_request *req, struct fy_buffer *out)
{
    fy_buffer_append_text(out, req->url.scheme);
    fy_buffer_append_text(out, "://");
    fy_buffer_append_text(out, req->url.authority);
}

void fy_request_append_target(const ferry_request *req, bool absolute, struct fy_buffer *out)
{
    const char *target = req->target;
    if (target == NULL && is_connect(req)) {
        const char *host = fy_header_get(&req->header, "Host");
        if (host != NULL) {
            fy_buffer_append_text(out, host);
        } else {
            fy_url_connect_target(&req->url, out);
        }
        return;
    }
    target = target != NULL ? target : req->url.target;
    if (absolute && !is_connect(req) && strcmp(target, "*") == 0) {
        append_site(req, out); /* RFC 9112 section 3.2.4: no path at all */
        return;
    }
    if (absolute && target[0] == '/') {
        append_site(req, out);
    }
    fy_buffer_append_text(out, target);
}

/* With the URL's target as it is, as most are. */
static void append_usual_line(const ferry_request *req, struct fy_buffer *out)
{
    size_t method_len = strlen(req->method);
    size_t len = method_len + req->url.target_len + sizeof("  HTTP/1.1\r\n") - 1;
    char *to = fy_buffer_reserve(out, len);
    if (to != NULL) {
        to = put(to, req->method, method_len);
        to = PUT(to, " ");
        to = put(to, req->url.target, req->url.target_len);
        PUT(to, " HTTP/1.1\r\n");
        out->len += len;
    }
}

static FY_SELDOM void append_other_line(const ferry_request *req, bool absolute,
                                        struct fy_buffer *out)
{
    fy_buffer_append_text(out, req->method);
    fy_buffer_append_byte(out, ' ');
    fy_request_append_target(req, absolute, out);
    fy_buffer_append_text(out, req->http_1_0 ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n");
}

/* The authority that is asked for, its port included, as in the request line. */
static FY_SELDOM void append_host_to_connect(const ferry_request *req, struct fy_buffer *out)
{
    fy_buffer_append_text(out, "Host: ");
    fy_url_connect_target(&req->url, out);
    fy_buffer_append_text(out, "\r\n");
}

static void append_host(const ferry_request *req, struct fy_buffer *out)
{
    const struct fy_field *own = fy_header_find(&req->header, "Host", NULL);
    if (own != NULL) {
        APPEND_FIELD(out, "Host", own->value, own->value_len);
    } else if (is_connect(req)) {
        append_host_to_connect(req, out);
    } else {
        APPEND_FIELD(out, "Host", req->url.authority, req->url.authority_len);
    }
}

/* One Connection field at most, whoever wants something said in it. */
static FY_SELDOM void append_connection(const ferry_request *req,
                                        const struct fy_head_options *options,
                                        struct fy_buffer *out)
{
    bool begun = false;
    const struct fy_field *field = NULL;
    while ((field = fy_header_find(&req->header, "Connection", field)) != NULL) {
        fy_buffer_append_text(out, begun ? ", " : "Connection: ");
        fy_buffer_append(out, field->value, field->value_len);
        begun = true;
    }
    if (req->close || options->close) {
        fy_buffer_append_text(out, begun ? ", close" : "Connection: close");
        begun = true;
    }
    if (begun) {
        fy_buffer_append_text(out, "\r\n");
    }
}

static void append_framing(const ferry_request *req, struct fy_buffer *out)
{
    if (is_connect(req)) {
        return; /* what follows is the tunnel's: RFC 9110 section 9.3.6 */
    }
    if (fy_request_chunked(req)) {
        fy_buffer_append_text(out, "Transfer-Encoding: chunked\r\n");
        if (req->trailer != NULL) {
            fy_request_trailer_announce(req->trailer, out);
        }
        return;
    }
    int64_t len = req->body.kind == FY_REQUEST_NO_BODY ? 0 : req->body.len;
    if (len == 0 && !expects_content(req->method)) {
        return;
    }
    char digits[20];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (char)('0' + len % 10);
        len /= 10;
    } while (len > 0);
    APPEND_FIELD(out, "Content-Length", digits + at, sizeof(digits) - at);
}

/* The URL's user info as Basic credentials (RFC 7617), unless the caller has others. */
static FY_SELDOM void append_authorization(const ferry_request *req, struct fy_buffer *out)
{
    if (!req->no_authorization && fy_header_find(&req->header, "Authorization", NULL) == NULL) {
        fy_buffer_append_text(out, "Authorization: ");
        fy_basic_append(out, req->url.user, req->url.password);
        fy_buffer_append_text(out, "\r\n");
    }
}

static bool is_written_above(const struct fy_field *field)
{
    return fy_text_is(field->name, field->name_len, "Host") ||
           fy_text_is(field->name, field->name_len, "Connection");
}

/* Whether a proxy reads the head: ours, or one that the caller speaks to by itself. */
static bool is_for_proxy(const ferry_request *req, const struct fy_head_options *options)
{
    return options->absolute || is_connect(req) ||
           (req->target != NULL && req->target[0] != '/' && req->target[0] != '*');
}

static void append_fields(const ferry_request *req, bool for_proxy, struct fy_buffer *out)
{
    for (size_t i = 0; i < req->header.count; i++) {
        const struct fy_field *field = &req->header.fields[i];
        if (!is_written_above(field) &&
            (for_proxy || !fy_text_is(field->name, field->name_len, "Proxy-Authorization"))) {
            append_field(out, field->name, field->name_len, field->value, field->value_len);
        }
    }
}

/* Once all others are written: no field of ours stands twice. */
static FY_SELDOM void append_proxy_fields(const ferry_request *req,
                                          const struct fy_head_options *options,
                                          struct fy_buffer *out)
{
    const struct fy_header *fields = options->proxy_fields;
    const char *credentials = options->proxy_authorization;
    if (credentials != NULL && fy_header_find(&req->header, "Proxy-Authorization", NULL) == NULL) {
        APPEND_FIELD(out, "Proxy-Authorization", credentials, strlen(credentials));
    }
    for (size_t i = 0; fields != NULL && i < fields->count; i++) {
        const struct fy_field *field = &fields->fields[i];
        if (fy_header_find(&req->header, field->name, NULL) == NULL &&
            !fy_text_is(field->name, field->name_len, "User-Agent") &&
            !fy_text_is(field->name, field->name_len, "Accept-Encoding")) {
            append_field(out, field->name, field->name_len, field->value, field->value_len);
        }
    }
}

const char *fy_request_user_agent(const ferry_request *req)
{
    const char *own = fy_header_get(&req->header, "User-Agent");
    const char *standard = req->send.user_agent != NULL ? req->send.user_agent : FY_USER_AGENT;
    return own != NULL ? own : req->no_user_agent ? NULL : standard;
}

int fy_request_write_head(const ferry_request *req, const struct fy_head_options *options,
                          struct fy_buffer *out, ferry_error *err)
{
    if (req->target == NULL && !options->absolute && !req->http_1_0 && !is_connect(req)) {
        append_usual_line(req, out);
    } else {
        append_other_line(req, options->absolute, out);
    }
    append_host(req, out);
    if (options->user_agent != NULL && options->user_agent[0] != '\0' && !req->no_user_agent &&
        fy_header_find(&req->header, "User-Agent", NULL) == NULL) {
        APPEND_FIELD(out, "User-Agent", options->user_agent, strlen(options->user_agent));
    }
    if (req->close || options->close || fy_header_find(&req->header, "Connection", NULL) != NULL) {
        append_connection(req, options, out);
    }
    append_framing(req, out);
    if (req->url.user != NULL || req->url.password != NULL) {
        append_authorization(req, out);
    }
    append_fields(req, is_for_proxy(req, options), out);
    if (options->accept_encoding != NULL) {
        APPEND_FIELD(out, "Accept-Encoding", options->accept_encoding,
                     strlen(options->accept_encoding));
    }
    if (options->absolute) {
        append_proxy_fields(req, options, out);
    }
    fy_buffer_append(out, "\r\n", 2);
    return out->failed ? fy_fail_memory(err) : 0;
}
