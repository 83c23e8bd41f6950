/*
 * Cookies that a program puts on a request by hand.
 */
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "http/bytes.h"
#include "http/request.h"

/* RFC 6265 section 4.1.1: cookie-octet; *quote: there is a space or a comma, which quotes make
 * bearable. False: a byte that no quotes help with. */
static bool check_value(const char *value, bool *quote)
{
    *quote = false;
    for (; *value != '\0'; value++) {
        if (*value < 0x20 || *value >= 0x7f || strchr("\";\\", *value) != NULL) {
            return false;
        }
        *quote = *quote || *value == ' ' || *value == ',';
    }
    return true;
}

FERRY_API int ferry_request_add_cookie(ferry_request *req, const char *name, const char *value)
{
    bool quote;
    if (req == NULL) {
        return -1;
    }
    if (name == NULL || value == NULL || !fy_is_token(name, strlen(name)) ||
        !check_value(value, &quote)) {
        if (req->refused.code == FERRY_OK) {
            fy_fail(&req->refused, FERRY_EINVAL, 0,
                    "the cookie \"%.60s\" has a byte in its name or value that no cookie has",
                    name != NULL ? name : "");
        }
        return -1;
    }
    struct fy_buffer field = {0};
    const struct fy_field *old = NULL;
    while ((old = fy_header_find(&req->header, "Cookie", old)) != NULL) {
        fy_buffer_append(&field, old->value, old->value_len);
        fy_buffer_append_text(&field, "; ");
    }
    fy_buffer_printf(&field, "%s=", name);
    fy_buffer_append_text(&field, quote ? "\"" : "");
    fy_buffer_append_text(&field, value);
    fy_buffer_append_text(&field, quote ? "\"" : "");
    fy_buffer_append_byte(&field, '\0');
    int failed = -1;
    if (!field.failed) {
        failed = ferry_request_set_header(req, "Cookie", field.bytes);
    } else if (req->refused.code == FERRY_OK) {
        fy_fail_memory(&req->refused);
    }
    fy_buffer_free(&field);
    return failed;
}
