/*
 * Set-Cookie fields: any bytes, from a few hosts. What must hold: a cookie's slices lie in its text
 * and within their limits; what a jar takes goes back only to where it came from or inside its
 * domain; nothing of it can break a Cookie field; and every refusal has its sentence.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "client/cookie_jar.h"
#include "client/cookie_scope.h"
#include "fuzz.h"
#include "http/header.h"

static void check_slice(struct fy_slice slice, const char *text, size_t len)
{
    MUST(slice.len == 0 || (slice.at >= text && slice.at + slice.len <= text + len));
}

static void check_parse(const char *text, size_t len)
{
    struct fy_set_cookie cookie;
    int64_t seconds;
    if (fy_set_cookie_parse(&cookie, text, len) == NULL) {
        check_slice(cookie.name, text, len);
        check_slice(cookie.value, text, len);
        check_slice(cookie.domain, text, len);
        check_slice(cookie.path, text, len);
        MUST(cookie.name.len + cookie.value.len <= FY_COOKIE_MAX);
        MUST(!cookie.has_path || cookie.path.at[0] == '/');
        MUST(fy_is_field_value(cookie.value.at, cookie.value.len));
    }
    (void)fy_cookie_date(text, len, &seconds);
}

/* What the jar sends for a URL: a field's value, or nothing. */
static size_t sent(ferry_cookie_jar *jar, const char *text)
{
    struct fy_url url;
    ferry_error err = {0};
    struct fy_buffer out = {0};
    MUST(fy_url_parse(&url, text, &err) == 0);
    MUST(fy_cookie_jar_get(jar, &url, 1000, &out) == 0);
    size_t len = out.len;
    MUST(len == 0 || fy_is_field_value(out.bytes, len));
    fy_buffer_free(&out);
    fy_url_free(&url);
    return len;
}

static void check_jar(const char *from, const char *text, size_t len)
{
    struct fy_url url;
    ferry_error err = {0};
    ferry_cookie_jar *jar = ferry_cookie_jar_new();
    MUST(jar != NULL && fy_url_parse(&url, from, &err) == 0);
    if (fy_cookie_jar_set(jar, &url, text, len, 1000, &err) != 0) {
        MUST(err.code == FERRY_EINVAL && err.message[0] != '\0');
        MUST(sent(jar, from) == 0);
    }
    MUST(sent(jar, "https://victim.example/a/b") == 0);
    MUST(sent(jar, "https://example/a/b") == 0);
    MUST(sent(jar, "https://127.0.0.2/a/b") == 0);
    MUST(sent(jar, "https://other.test/a/b") == 0);
    fy_url_free(&url);
    ferry_cookie_jar_free(jar);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    MUST(text != NULL);
    if (size > 0) {
        memcpy(text, data, size);
    }
    text[size] = '\0';
    check_parse(text, size);
    check_jar("https://www.evil.test/a/b?c", text, size);
    check_jar("http://evil.test/", text, size);
    check_jar("http://127.0.0.1/", text, size);
    check_jar("https://[::1]/a/", text, size);
    free(text);
    return 0;
}
