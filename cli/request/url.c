/*
 * url.c: URLs as texts. What a URL means is the library's to say; here it is only cut and joined.
 */
#include "request/url.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "memory.h"

/* "host/?to=http://elsewhere" has none: a scheme is letters, digits, "+", "-" and "." (RFC 3986
 * section 3.1), and something has to stand before the "://". */
static bool has_scheme(const char *text)
{
    size_t len = 0;
    while (isalnum((unsigned char)text[len]) || (text[len] && strchr("+-.", text[len])))
        len++;
    return strncmp(text + len, "://", 3) == 0;
}

char *url_with_scheme(const char *text, const char *default_scheme)
{
    char *url = NULL;
    if (has_scheme(text))
        return text_copy(text);
    return text_print(&url, "%s://%s", default_scheme ? default_scheme : "http", text) < 0 ? NULL
                                                                                           : url;
}

void url_scheme(const char *url, char *scheme, size_t size)
{
    const char *end = strstr(url, "://");
    size_t len = end ? (size_t)(end - url) : 0;
    if (len >= size)
        len = size - 1;
    for (size_t i = 0; i < len; i++)
        scheme[i] = (char)tolower((unsigned char)url[i]);
    scheme[len] = '\0';
}

bool url_scheme_allowed(const char *list, const char *scheme)
{
    bool allowed = true;
    while (list && *list) {
        char sign = *list == '=' || *list == '-' || *list == '+' ? *list : '+';
        list += *list == sign;
        size_t len = strcspn(list, ",");
        bool named = (len == 3 && strncasecmp(list, "all", 3) == 0) ||
                     (len == strlen(scheme) && strncasecmp(list, scheme, len) == 0);
        if (sign == '=')
            allowed = named;
        else if (named)
            allowed = sign == '+';
        list += len + (list[len] == ',');
    }
    return allowed;
}

char *url_with_query(const char *url, const char *more)
{
    char *joined = NULL;
    size_t len = strcspn(url, "#");
    const char *mark = memchr(url, '?', len);
    const char *site = strstr(url, "://");
    size_t path = site ? strcspn(site + 3, "/?#") : 0;
    bool bare = site && site[3 + path] != '/'; /* "http://host" wants its "/" before the "?" */
    const char *between = mark ? (url[len - 1] == '?' ? "" : "&") : bare ? "/?" : "?";
    return text_print(&joined, "%.*s%s%s%s", (int)len, url, between, more, url + len) < 0 ? NULL
                                                                                          : joined;
}

/* Where the path begins: at a "/", or where one would be. */
static const char *path_of(const char *url)
{
    const char *site = strstr(url, "://");
    site = site ? site + 3 : url;
    return site + strcspn(site, "/?#");
}

char *url_encode(const char *text, size_t len)
{
    static const char digits[] = "0123456789ABCDEF";
    char *encoded = memory_resize(NULL, 3 * len + 1), *to = encoded;
    if (!encoded)
        return NULL;
    for (size_t i = 0; i < len; i++) {
        unsigned char byte = (unsigned char)text[i];
        if (isalnum(byte) || (byte && strchr("-._~", byte))) {
            *to++ = (char)byte;
        } else {
            *to++ = '%';
            *to++ = digits[byte >> 4];
            *to++ = digits[byte & 15];
        }
    }
    *to = '\0';
    return encoded;
}

char *url_with_file(const char *url, const char *file)
{
    const char *path = path_of(url);
    size_t len = strcspn(path, "?#");
    char *joined = NULL;
    if ((len > 0 && path[len - 1] != '/') || memchr(path, '?', strcspn(path, "#")))
        return text_copy(url);
    const char *name = strrchr(file, '/');
    name = name ? name + 1 : file;
    char *encoded = url_encode(name, strlen(name));
    if (encoded && text_print(&joined, "%.*s%s%s%s", (int)(path + len - url), url,
                              len > 0 ? "" : "/", encoded, path + len) < 0)
        joined = NULL;
    free(encoded);
    return joined;
}

char *url_file_name(const char *url)
{
    const char *path = path_of(url);
    size_t len = strcspn(path, "?#");
    size_t begin = len;
    while (begin > 0 && path[begin - 1] != '/')
        begin--;
    return text_copy_part(path + begin, len - begin);
}

static int hex_digit(char digit)
{
    if (isdigit((unsigned char)digit))
        return digit - '0';
    return isxdigit((unsigned char)digit) ? tolower((unsigned char)digit) - 'a' + 10 : -1;
}

static char *decoded(const char *text, size_t len)
{
    char *out = memory_resize(NULL, len + 1), *to = out;
    for (size_t i = 0; out && i < len; i++) {
        if (text[i] == '%' && i + 2 < len && hex_digit(text[i + 1]) >= 0 &&
            hex_digit(text[i + 2]) >= 0) {
            *to++ = (char)(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
            i += 2;
        } else {
            *to++ = text[i];
        }
    }
    if (out)
        *to = '\0';
    return out;
}

bool url_credentials(const char *url, char **user, char **password)
{
    const char *site = strstr(url, "://");
    *user = *password = NULL;
    if (!site)
        return true;
    site += 3;
    size_t len = strcspn(site, "/?#");
    const char *at = memrchr(site, '@', len);
    if (!at)
        return true;
    const char *colon = memchr(site, ':', (size_t)(at - site));
    const char *end = colon ? colon : at;
    *user = decoded(site, (size_t)(end - site));
    *password = colon ? decoded(colon + 1, (size_t)(at - colon - 1)) : text_copy("");
    return *user && *password;
}

void url_drop_credentials(char *url)
{
    char *site = strstr(url, "://");
    char *at = site ? memrchr(site + 3, '@', strcspn(site + 3, "/?#")) : NULL;
    if (at)
        memmove(site + 3, at + 1, strlen(at + 1) + 1);
}

/* How many dots a segment is, "%2e" being one, too; 0: it is something else. */
static size_t dots(const char *segment, size_t len)
{
    size_t count = 0;
    while (len > 0 && count < 3) {
        if (*segment != '.' && (len < 3 || strncasecmp(segment, "%2e", 3) != 0))
            return 0;
        size_t used = *segment == '.' ? 1 : 3;
        segment += used;
        len -= used;
        count++;
    }
    return len == 0 && count <= 2 ? count : 0;
}

void url_drop_dots(char *url)
{
    char *path = url + (path_of(url) - url);
    char *to = path;
    const char *from = path;
    while (*from == '/') {
        size_t len = strcspn(from + 1, "/?#");
        size_t count = dots(from + 1, len);
        bool last = from[1 + len] != '/';
        if (count == 2) {
            while (to > path && *--to != '/')
                ;
        }
        if (count > 0 && last) {
            *to++ = '/';
        } else if (count == 0) {
            memmove(to, from, 1 + len);
            to += 1 + len;
        }
        from += 1 + len;
    }
    memmove(to, from, strlen(from) + 1);
}

bool url_same_origin(const char *a, const char *b)
{
    size_t a_len = (size_t)(path_of(a) - a), b_len = (size_t)(path_of(b) - b);
    return a_len == b_len && strncasecmp(a, b, a_len) == 0;
}
