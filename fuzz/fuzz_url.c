/*
 * URLs: any text, parsed, and resolved as a reference. What must hold: what a URL becomes is final
 * (parsing it again gives the same), nothing in it can break a request line or a Host field, copies
 * are the same, and every refusal has its sentence.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "http/header.h"
#include "http/url.h"

/* Visible ASCII: neither a space nor a control byte. */
static bool is_visible(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text <= ' ' || *text >= 0x7f) {
            return false;
        }
    }
    return true;
}

/* Names beyond ASCII are not for every build. */
static bool is_refusal(int code)
{
#ifndef FERRY_WITH_IDN
    if (code == FERRY_EUNSUPPORTED) {
        return true;
    }
#endif
    return code == FERRY_EURL;
}

static bool same(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static void check_same(const struct fy_url *a, const struct fy_url *b)
{
    MUST(same(a->text, b->text) && same(a->scheme, b->scheme) && same(a->host, b->host));
    MUST(same(a->authority, b->authority) && same(a->host_port, b->host_port) &&
         same(a->target, b->target));
    MUST(a->port == b->port);
}

static void check(const struct fy_url *url)
{
    ferry_error err = {0};
    struct fy_url other;
    MUST(is_visible(url->text) && is_visible(url->shown) && is_visible(url->authority) &&
         is_visible(url->target));
    MUST(is_visible(url->host_port) && is_visible(url->host));
    MUST(url->target[0] == '/' && strchr(url->target, '#') == NULL);
    MUST(strpbrk(url->authority, "/?#@\\%") == NULL && url->authority[0] != '\0' &&
         url->host[0] != '\0');
    MUST(strncmp(url->text, url->scheme, strlen(url->scheme)) == 0);
    MUST(strstr(url->shown, url->target) != NULL);
    size_t text_len = strlen(url->text);
    size_t target_len = strlen(url->target);
    MUST(text_len > target_len && strcmp(url->text + text_len - target_len, url->target) == 0);

    if (text_len <= 64 * 1024) { /* encoding may have made it longer than what is taken */
        MUST(fy_url_parse(&other, url->text, &err) == 0);
        check_same(url, &other);
        MUST(other.user == NULL && other.password == NULL);
        fy_url_free(&other);
    }
    MUST(fy_url_copy(&other, url) == 0);
    check_same(url, &other);
    MUST(same(url->user, other.user) && same(url->password, other.password) &&
         same(url->shown, other.shown));
    fy_url_free(&other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const bases[] = {"http://base.example/a/b?c",
                                        "https://u:p@[fe80::1%25eth0]:8443//x/../y"};
    char *text = malloc(size + 1);
    MUST(text != NULL);
    if (size > 0) {
        memcpy(text, data, size);
    }
    text[size] = '\0';

    struct fy_url url;
    ferry_error err = {0};
    if (fy_url_parse(&url, text, &err) == 0) {
        check(&url);
        /* No user info, or what is shown in its place. */
        MUST((url.user == NULL && url.password == NULL) == (strcmp(url.text, url.shown) == 0));
        fy_url_free(&url);
    } else {
        MUST(is_refusal(err.code) && err.message[0] != '\0' && url.text == NULL);
        MUST(fy_is_field_value(err.message, strlen(err.message)));
    }
    for (size_t i = 0; i < 2; i++) {
        struct fy_url base;
        err = (ferry_error){0};
        MUST(fy_url_parse(&base, bases[i], &err) == 0);
        if (fy_url_resolve(&url, &base, text, &err) == 0) {
            check(&url);
            fy_url_free(&url);
        } else {
            MUST(is_refusal(err.code) && err.message[0] != '\0' && url.text == NULL);
        }
        fy_url_free(&base);
    }
    free(text);
    return 0;
}
