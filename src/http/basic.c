/*
 * Basic credentials. Called for a URL's user info, by the request's head and by proxies.
 */
#include "http/basic.h"

#include <openssl/crypto.h>

static void append_base64(struct fy_buffer *out, const unsigned char *bytes, size_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < len; i += 3) {
        size_t left = len - i;
        unsigned group = (unsigned)bytes[i] << 16;
        group |= left > 1 ? (unsigned)bytes[i + 1] << 8 : 0;
        group |= left > 2 ? bytes[i + 2] : 0;
        char four[4] = {digits[group >> 18], digits[group >> 12 & 63],
                        left > 1 ? digits[group >> 6 & 63] : '=',
                        left > 2 ? digits[group & 63] : '='};
        fy_buffer_append(out, four, sizeof(four));
    }
}

void fy_basic_append(struct fy_buffer *out, const char *user, const char *password)
{
    struct fy_buffer pair = {0};
    fy_buffer_append_text(&pair, user == NULL ? "" : user);
    fy_buffer_append_byte(&pair, ':');
    fy_buffer_append_text(&pair, password == NULL ? "" : password);
    fy_buffer_append_text(out, "Basic ");
    append_base64(out, (const unsigned char *)pair.bytes, pair.len);
    out->failed = out->failed || pair.failed;
    if (pair.bytes != NULL) {
        OPENSSL_cleanse(pair.bytes, pair.len);
    }
    fy_buffer_free(&pair);
}
