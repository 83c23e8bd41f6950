/*
 * JSON strings: always valid UTF-8, whatever bytes a file name or a header field was made of.
 */
#include "base/json.h"

#include <stdint.h>

/* The length of the UTF-8 sequence at text (RFC 3629 section 4); 0: there is none. The NUL at the
 * end of the text is no continuation, and so ends the look. */
static size_t sequence(const unsigned char *text)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned char first = text[0];
    size_t len = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (len == 1) {
        return 1;
    }
    if (first < 0xc2 || first > 0xf4) {
        return 0;
    }
    uint32_t code = first & (0x7fU >> len);
    for (size_t i = 1; i < len; i++) {
        if ((text[i] & 0xc0) != 0x80) {
            return 0;
        }
        code = code << 6 | (text[i] & 0x3fU);
    }
    return code >= least[len] && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff) ? len : 0;
}

void fy_json_string(struct fy_buffer *buffer, const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    if (text == NULL) {
        fy_buffer_append_text(buffer, "null");
        return;
    }
    fy_buffer_append_byte(buffer, '"');
    while (*at != '\0') {
        size_t len = sequence(at);
        if (len == 0) {
            fy_buffer_append_text(buffer, "\xef\xbf\xbd");
            at++;
        } else if (*at == '"' || *at == '\\') {
            fy_buffer_printf(buffer, "\\%c", *at++);
        } else if (*at < 0x20 || *at == 0x7f) {
            fy_buffer_printf(buffer, "\\u%04x", *at++);
        } else {
            fy_buffer_append(buffer, at, len);
            at += len;
        }
    }
    fy_buffer_append_byte(buffer, '"');
}

const char *fy_json_bool(bool value)
{
    return value ? "true" : "false";
}

char *fy_json_end(struct fy_buffer *buffer)
{
    fy_buffer_append(buffer, "\n", 2);
    if (buffer->failed) {
        fy_buffer_free(buffer);
        return NULL;
    }
    char *text = buffer->bytes;
    *buffer = (struct fy_buffer){0};
    return text;
}
