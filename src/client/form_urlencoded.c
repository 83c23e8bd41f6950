/*
 * application/x-www-form-urlencoded (WHATWG URL, section 5): names and values as text.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "http/request.h"

static void append_encoded(struct fy_buffer *out, const char *text, size_t len)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
            c == '*' || c == '-' || c == '.' || c == '_') {
            fy_buffer_append_byte(out, (char)c);
        } else if (c == ' ') {
            fy_buffer_append_byte(out, '+');
        } else {
            char escape[3] = {'%', digits[c >> 4], digits[c & 15]};
            fy_buffer_append(out, escape, sizeof escape);
        }
    }
}

/* NUL-terminated, or NULL. */
static char *finish(struct fy_buffer *out)
{
    fy_buffer_append_byte(out, '\0');
    if (out->failed) {
        fy_buffer_free(out);
        return NULL;
    }
    return out->bytes;
}

FERRY_API char *ferry_urlencode(const char *text, size_t len)
{
    struct fy_buffer out = {0};
    if (text == NULL && len > 0) {
        return NULL;
    }
    append_encoded(&out, text, len);
    return finish(&out);
}

FERRY_API char *ferry_urlencode_fields(const ferry_field *fields, size_t count)
{
    struct fy_buffer out = {0};
    if (fields == NULL && count > 0) {
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            fy_buffer_append_byte(&out, '&');
        }
        const char *name = fields[i].name != NULL ? fields[i].name : "";
        const char *value = fields[i].value != NULL ? fields[i].value : "";
        append_encoded(&out, name, strlen(name));
        fy_buffer_append_byte(&out, '=');
        append_encoded(&out, value, strlen(value));
    }
    return finish(&out);
}

FERRY_API int ferry_request_set_urlencoded(ferry_request *req, const ferry_field *fields,
                                           size_t count)
{
    if (req == NULL) {
        return -1;
    }
    char *body = ferry_urlencode_fields(fields, count);
    if (body == NULL) {
        if (req->refused.code == 0 && fields == NULL) {
            fy_fail_null(&req->refused, "a row of fields");
        } else if (req->refused.code == 0) {
            fy_fail_memory(&req->refused);
        }
        return -1;
    }
    if (ferry_request_set_header(req, "Content-Type", "application/x-www-form-urlencoded") != 0 ||
        ferry_request_set_body(req, body, strlen(body)) != 0) {
        free(body);
        return -1;
    }
    req->own_body = body;
    return 0;
}

FERRY_API ferry_response *ferry_post_form_at(const char *url, const ferry_field *fields,
                                             size_t count, ferry_error *err, const char *file,
                                             int line)
{
    ferry_request *req = ferry_request_new("POST", url, err);
    if (req == NULL) {
        return NULL;
    }
    (void)ferry_request_set_urlencoded(req, fields, count); /* the send reports it */
    ferry_response *res = ferry_client_do_at(NULL, req, err, file, line);
    ferry_request_free(req);
    return res;
}

FERRY_API ferry_response *(ferry_post_form)(const char *url, const ferry_field *fields,
                                            size_t count, ferry_error *err)
{
    return ferry_post_form_at(url, fields, count, err, NULL, 0);
}
