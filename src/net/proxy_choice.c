/*
 * The choice of a proxy. The rules are Go's, which are curl's where both agree.
 */
#include "net/proxy_choice.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "http/host.h"

static const char *either(char *(*get)(const char *name), const char *lower, const char *upper)
{
    const char *value = get(lower);
    return value != NULL && *value != '\0' ? value : get(upper);
}

void fy_proxy_from_environment(struct fy_proxy_settings *settings, char *(*get)(const char *name))
{
    const char *method = get("REQUEST_METHOD");
    const char *lower = get("http_proxy");
    const char *upper = get("HTTP_PROXY");
    bool is_cgi = method != NULL && *method != '\0';
    bool has_lower = lower != NULL && *lower != '\0';
    *settings = (struct fy_proxy_settings){
        .http_proxy = has_lower ? lower : upper,
        .https_proxy = either(get, "https_proxy", "HTTPS_PROXY"),
        .all_proxy = either(get, "all_proxy", "ALL_PROXY"),
        .no_proxy = either(get, "no_proxy", "NO_PROXY"),
        .http_proxy_forged = is_cgi && !has_lower && upper != NULL && *upper != '\0',
    };
}

/* ---------------------------------------------------------------------------------- addresses */

struct address {
    int bits; /* 32 or 128 */
    unsigned char bytes[16];
};

/* An IPv4 address in IPv6's clothes is that IPv4 address. */
static bool parse_address(const char *text, struct address *address)
{
    static const unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    if (inet_pton(AF_INET, text, address->bytes) == 1) {
        address->bits = 32;
        return true;
    }
    if (inet_pton(AF_INET6, text, address->bytes) != 1) {
        return false;
    }
    address->bits = 128;
    if (memcmp(address->bytes, mapped, sizeof mapped) == 0) {
        memmove(address->bytes, address->bytes + 12, 4);
        address->bits = 32;
    }
    return true;
}

static bool same_prefix(const struct address *a, const struct address *b, int bits)
{
    int whole = bits / 8;
    int rest = bits % 8;
    return memcmp(a->bytes, b->bytes, (size_t)whole) == 0 &&
           (rest == 0 || (a->bytes[whole] ^ b->bytes[whole]) >> (8 - rest) == 0);
}

static bool is_loopback(const struct address *address)
{
    static const unsigned char six[16] = {[15] = 1};
    return address->bits == 32 ? address->bytes[0] == 127 : memcmp(address->bytes, six, 16) == 0;
}

/* A host as a URL has it: no brackets, perhaps with a zone. */
static bool host_address(const char *host, struct address *address)
{
    char text[INET6_ADDRSTRLEN];
    size_t len = strcspn(host, "%");
    if (len >= sizeof text) {
        return false;
    }
    memcpy(text, host, len);
    text[len] = '\0';
    return parse_address(text, address);
}

/* ------------------------------------------------------------------------------------- entries */

/* Digits of at most a given value, and nothing else. -1: they are not. */
static long parse_number(const char *text, long most)
{
    long number = 0;
    if (*text == '\0') {
        return -1;
    }
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9') {
            return -1;
        }
        number = number * 10 + (*text - '0');
        if (number > most) {
            return -1;
        }
    }
    return number;
}

/* Letters in ASCII, whatever the locale. */
static bool equal_fold(const char *a, const char *b)
{
    for (; *a != '\0' && *b != '\0'; a++, b++) {
        char x = *a >= 'A' && *a <= 'Z' ? (char)(*a + 32) : *a;
        char y = *b >= 'A' && *b <= 'Z' ? (char)(*b + 32) : *b;
        if (x != y) {
            return false;
        }
    }
    return *a == *b;
}

/* A name beyond ASCII in the form that hosts of URLs have (RFC 5891); any other is as it should be.
 * false: it is no name, and so no host's. */
static bool to_host_form(const char **name, char ascii[FY_HOST_MAX + 1])
{
    for (const char *at = *name; *at != '\0'; at++) {
        if ((unsigned char)*at >= 0x80) {
            ferry_error ignored;
            if (fy_host_name(ascii, *name, strlen(*name), &ignored) != 0) {
                return false;
            }
            *name = ascii;
            return true;
        }
    }
    return true;
}

/* Names compare without case, and without the dot that may end them. */
static bool name_matches(const char *name, const char *host)
{
    char ascii[FY_HOST_MAX + 1];
    bool subdomains_only = false;
    if (strncmp(name, "*.", 2) == 0) {
        name++;
    }
    if (*name == '.') {
        subdomains_only = true;
        name++;
    }
    if (!to_host_form(&name, ascii)) {
        return false;
    }
    size_t name_len = strlen(name);
    size_t host_len = strlen(host);
    if (name_len == 0 || host_len < name_len || !equal_fold(host + host_len - name_len, name)) {
        return false;
    }
    return host_len == name_len ? !subdomains_only : host[host_len - name_len - 1] == '.';
}

/* Takes ":port" off an entry, and brackets; false: it is for another port, or none. */
static bool port_fits(char **entry, uint16_t port)
{
    char *text = *entry;
    char *colon = strrchr(text, ':');
    char *close_bracket = strchr(text, ']');
    if (*text == '[' && close_bracket != NULL) {
        colon = close_bracket[1] == ':' ? close_bracket + 1 : NULL;
        *entry = text + 1;
        *close_bracket = '\0';
    } else if (colon != NULL && strchr(text, ':') != colon) {
        colon = NULL; /* an IPv6 address */
    }
    if (colon == NULL) {
        return true;
    }
    *colon = '\0';
    return parse_number(colon + 1, 65535) == port;
}

static bool entry_names(char *entry, const char *host, const struct address *address, uint16_t port)
{
    struct address named;
    if (strcmp(entry, "*") == 0) {
        return true;
    }
    char *slash = strchr(entry, '/');
    if (slash != NULL) {
        *slash = '\0';
        if (address == NULL || !parse_address(entry, &named)) {
            return false;
        }
        long bits = parse_number(slash + 1, named.bits);
        return bits >= 0 && named.bits == address->bits && same_prefix(&named, address, (int)bits);
    }
    if (!port_fits(&entry, port)) {
        return false;
    }
    size_t len = strlen(entry);
    if (len > 0 && entry[len - 1] == '.') {
        entry[len - 1] = '\0';
    }
    if (parse_address(entry, &named)) {
        return address != NULL && named.bits == address->bits &&
               same_prefix(&named, address, named.bits);
    }
    return address == NULL && name_matches(entry, host);
}

/* A host's name without the dot that may end it, cut off where it is longer than a name can be. */
static void copy_host(char out[256], const char *host)
{
    size_t len = strlen(host);
    len = len < 255 ? len : 255;
    memcpy(out, host, len);
    out[len] = '\0';
    if (len > 0 && out[len - 1] == '.') {
        out[len - 1] = '\0';
    }
}

bool fy_no_proxy_names(const char *no_proxy, const char *host, uint16_t port)
{
    static const char separators[] = ", \t";
    struct address address;
    bool is_address = host_address(host, &address);
    char name[256];
    copy_host(name, host);
    while (no_proxy != NULL && *no_proxy != '\0') {
        char entry[300];
        size_t len = strcspn(no_proxy, separators);
        if (len > 0 && len < sizeof entry) {
            memcpy(entry, no_proxy, len);
            entry[len] = '\0';
            if (entry_names(entry, name, is_address ? &address : NULL, port)) {
                return true;
            }
        }
        no_proxy += len;
        no_proxy += strspn(no_proxy, separators);
    }
    return false;
}

/* ---------------------------------------------------------------------------------- the choice */

static bool is_set(const char *setting)
{
    return setting != NULL && *setting != '\0';
}

static bool is_local(const char *host)
{
    struct address address;
    char name[256];
    copy_host(name, host);
    return host_address(host, &address) ? is_loopback(&address) : equal_fold(name, "localhost");
}

int fy_proxy_choose(const struct fy_proxy_settings *settings, const char *scheme, const char *host,
                    uint16_t port, const char **proxy, ferry_error *err)
{
    bool http = strcmp(scheme, "http") == 0;
    const char *own = http                           ? settings->http_proxy
                      : strcmp(scheme, "https") == 0 ? settings->https_proxy
                                                     : NULL;
    *proxy = NULL;
    const char *setting = is_set(own) ? own : settings->all_proxy;
    if (!is_set(setting) || is_local(host) || fy_no_proxy_names(settings->no_proxy, host, port)) {
        return 0;
    }
    if (setting == own && http && settings->http_proxy_forged) {
        return fy_fail(err, FERRY_EINVAL, 0,
                       "refusing to use HTTP_PROXY in a CGI program, where it comes from the "
                       "client's request; set http_proxy");
    }
    *proxy = setting;
    return 0;
}

/* What stands before "://" in a setting: 0; or -1 and *err, with nothing of a password in it. */
static int check_scheme(const char *setting, size_t len, ferry_error *err)
{
    static const char *const schemes[] = {"http",    "https",  "socks5",
                                          "socks5h", "socks4", "socks4a"};
    char scheme[40];
    size_t valid =
        strspn(setting, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-.");
    if (len == 0 || valid < len) {
        return fy_fail(err, FERRY_EURL, 0,
                       "it has a \"://\" where none can be: percent-encode what is no letter or "
                       "digit in the name and the password");
    }
    len = len < sizeof scheme ? len : sizeof scheme - 1;
    memcpy(scheme, setting, len);
    scheme[len] = '\0';
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        if (equal_fold(scheme, schemes[i])) {
            return 0;
        }
    }
    return fy_fail(err, FERRY_EUNSUPPORTED, 0, "a proxy cannot have the scheme \"%s\"", scheme);
}

char *fy_proxy_url(const char *setting, ferry_error *err)
{
    const char *end = strstr(setting, "://");
    if (end != NULL && check_scheme(setting, (size_t)(end - setting), err) != 0) {
        return NULL;
    }
    const char *prefix = end != NULL ? "" : strncmp(setting, "//", 2) == 0 ? "http:" : "http://";
    size_t size = strlen(prefix) + strlen(setting) + 1;
    char *url = malloc(size);
    if (url == NULL) {
        fy_fail_memory(err);
        return NULL;
    }
    snprintf(url, size, "%s%s", prefix, setting);
    return url;
}
