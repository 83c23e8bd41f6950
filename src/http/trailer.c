/*
 * Trailer fields. Those of a request lie beside it and not in it, since a redirect changes all that
 * is in it, and a body's reader may set one at any time of the send.
 */
#include "http/trailer.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "http/bytes.h"
#include "http/header.h"
#include "http/request.h"

bool fy_trailer_allows(const char *name, size_t len)
{
    static const char *const forbidden[] = {
        /* framing and the connection */
        "Content-Length", "Transfer-Encoding", "Trailer", "Connection", "Keep-Alive",
        "Proxy-Connection", "TE", "Upgrade",
        /* routing, and what a request wants */
        "Host", "Expect", "Max-Forwards", "Cache-Control", "Pragma", "Range", "If-Match",
        "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range",
        /* who asks */
        "Authorization", "Proxy-Authorization", "Proxy-Authenticate", "WWW-Authenticate", "Cookie",
        "Set-Cookie",
        /* where the answer is, and how the content is to be read */
        "Location", "Retry-After", "Vary", "Age", "Date", "Expires", "Content-Encoding",
        "Content-Type", "Content-Range"};
    for (size_t i = 0; i < sizeof forbidden / sizeof forbidden[0]; i++) {
        if (fy_text_is(name, len, forbidden[i])) {
            return false;
        }
    }
    return true;
}

/* ---------------------------------------------------------------------------------- a request's */

void fy_request_trailer_free(struct fy_request_trailer *trailer)
{
    if (trailer == NULL) {
        return;
    }
    for (size_t i = 0; i < trailer->count; i++) {
        free(trailer->fields[i].name);
        free(trailer->fields[i].value);
    }
    free(trailer->fields);
    free(trailer);
}

static struct fy_trailer_field *find(const struct fy_request_trailer *trailer, const char *name)
{
    for (size_t i = 0; trailer != NULL && i < trailer->count; i++) {
        if (fy_text_is(name, strlen(name), trailer->fields[i].name)) {
            return &trailer->fields[i];
        }
    }
    return NULL;
}

/* A field of that name, without a value; NULL when out of memory. */
static struct fy_trailer_field *announce(ferry_request *req, const char *name)
{
    if (req->trailer == NULL) {
        req->trailer = calloc(1, sizeof *req->trailer);
        if (req->trailer == NULL) {
            return NULL;
        }
    }
    struct fy_request_trailer *trailer = req->trailer;
    struct fy_trailer_field *fields =
        realloc(trailer->fields, (trailer->count + 1) * sizeof *fields);
    if (fields == NULL) {
        return NULL;
    }
    trailer->fields = fields;
    char *copy = strdup(name);
    if (copy == NULL) {
        return NULL;
    }
    fields[trailer->count] = (struct fy_trailer_field){.name = copy};
    return &fields[trailer->count++];
}

/* What is wrong with it, or 0. */
static int check(const ferry_request *req, const char *name, const char *value, bool known,
                 ferry_error *err)
{
    if (!fy_is_token(name, strlen(name))) {
        return fy_fail(err, FERRY_EINVAL, 0, "the trailer name \"%.60s\" is no token", name);
    }
    if (!fy_trailer_allows(name, strlen(name))) {
        return fy_fail(err, FERRY_EINVAL, 0, "the field %.60s has no place behind a body", name);
    }
    if (value != NULL && !fy_is_field_value(value, strlen(value))) {
        return fy_fail(err, FERRY_EINVAL, 0,
                       "the value of the trailer %.60s has a control byte in it", name);
    }
    if (!known && req->writing != NULL) {
        return fy_fail(err, FERRY_EINVAL, 0,
                       "the trailer %.60s was not announced: set it to NULL before the send", name);
    }
    return 0;
}

static int set(ferry_request *req, const char *name, const char *value, ferry_error *err)
{
    struct fy_trailer_field *field = find(req->trailer, name);
    if (check(req, name, value, field != NULL, err) != 0) {
        return -1;
    }
    char *copy = NULL;
    if (value != NULL) {
        value += strspn(value, " \t");
        size_t len = strlen(value);
        while (len > 0 && (value[len - 1] == ' ' || value[len - 1] == '\t')) {
            len--;
        }
        copy = strndup(value, len);
        if (copy == NULL) {
            return fy_fail_memory(err);
        }
    }
    if (field == NULL) {
        field = announce(req, name);
        if (field == NULL) {
            free(copy);
            return fy_fail_memory(err);
        }
    }
    free(field->value);
    field->value = copy;
    return 0;
}

FERRY_API int ferry_request_set_trailer(ferry_request *req, const char *name, const char *value)
{
    ferry_error refusal = {0};
    if (req == NULL) {
        return -1;
    }
    if (name == NULL && req->writing != NULL) {
        fy_fail(&refusal, FERRY_EINVAL, 0, "trailers cannot be removed while they are being sent");
    } else if (name == NULL) {
        fy_request_trailer_free(req->trailer);
        req->trailer = NULL;
        return 0;
    } else if (set(req, name, value, &refusal) == 0) {
        return 0;
    }
    if (req->refused.code == FERRY_OK) {
        req->refused = refusal;
    }
    return -1;
}

FERRY_API const char *ferry_request_trailer(const ferry_request *req, const char *name)
{
    const struct fy_trailer_field *field =
        req != NULL && name != NULL ? find(req->trailer, name) : NULL;
    return field != NULL ? field->value : NULL;
}

void fy_request_trailer_announce(const struct fy_request_trailer *trailer, struct fy_buffer *out)
{
    for (size_t i = 0; i < trailer->count; i++) {
        fy_buffer_append_text(out, i == 0 ? "Trailer: " : ", ");
        fy_buffer_append_text(out, trailer->fields[i].name);
    }
    fy_buffer_append_text(out, trailer->count > 0 ? "\r\n" : "");
}

void fy_request_trailer_write(const struct fy_request_trailer *trailer, struct fy_buffer *out)
{
    fy_buffer_append_text(out, "0\r\n");
    for (size_t i = 0; trailer != NULL && i < trailer->count; i++) {
        const struct fy_trailer_field *field = &trailer->fields[i];
        if (field->value != NULL) {
            fy_buffer_append_text(out, field->name);
            fy_buffer_append_text(out, ": ");
            fy_buffer_append_text(out, field->value);
            fy_buffer_append_text(out, "\r\n");
        }
    }
    fy_buffer_append_text(out, "\r\n");
}
