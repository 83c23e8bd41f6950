/*
 * Set-Cookie fields taken apart. Called by the jar for each such field of a response, with bytes
 * that anybody may have sent.
 */
#include "client/cookie_parse.h"

#include <string.h>

#include "http/bytes.h"

static struct fy_slice trimmed(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t')) {
        at++;
    }
    while (end > at && (end[-1] == ' ' || end[-1] == '\t')) {
        end--;
    }
    return (struct fy_slice){at, (size_t)(end - at)};
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* ------------------------------------------------------------------------------------- the date */

/* RFC 6265 section 5.1.1: everything between two tokens of a date. */
static bool is_delimiter(char c)
{
    unsigned char byte = (unsigned char)c;
    return byte == 0x09 || (byte >= 0x20 && byte <= 0x2f) || (byte >= 0x3b && byte <= 0x40) ||
           (byte >= 0x5b && byte <= 0x60) || (byte >= 0x7b && byte <= 0x7e);
}

/* What has been found of a date; -1: not yet. */
struct date {
    int hour, minute, second, day, month, year;
};

/* Between least and most digits at *at, which moves behind them; -1 when there are not that many. */
static int take_number(const char **at, const char *end, int least, int most)
{
    int value = 0;
    int digits = 0;
    while (*at < end && digits < most && is_digit(**at)) {
        value = value * 10 + (*(*at)++ - '0');
        digits++;
    }
    return digits >= least && (*at == end || !is_digit(**at)) ? value : -1;
}

/* hms-time, and then anything that does not begin with a digit. */
static bool take_time(struct date *date, const char *at, const char *end)
{
    int parts[3];
    for (int i = 0; i < 3; i++) {
        if (i > 0 && (at == end || *at++ != ':')) {
            return false;
        }
        parts[i] = take_number(&at, end, 1, 2);
        if (parts[i] < 0) {
            return false;
        }
    }
    date->hour = parts[0];
    date->minute = parts[1];
    date->second = parts[2];
    return true;
}

static int month_of(const char *at, const char *end)
{
    static const char names[] = "janfebmaraprmayjunjulaugsepoctnovdec";
    for (int i = 0; end - at >= 3 && i < 12; i++) {
        if (fy_equal_fold(at, names + (size_t)i * 3, 3)) {
            return i + 1;
        }
    }
    return -1;
}

static void take_date_token(struct date *date, const char *at, const char *end)
{
    const char *from = at;
    int number;
    if (date->hour < 0 && take_time(date, at, end)) {
        return;
    }
    if (date->day < 0 && (number = take_number(&from, end, 1, 2)) >= 0) {
        date->day = number;
        return;
    }
    if (date->month < 0 && (number = month_of(at, end)) >= 0) {
        date->month = number;
        return;
    }
    from = at;
    if (date->year < 0 && (number = take_number(&from, end, 2, 4)) >= 0) {
        date->year = number < 70 ? number + 2000 : number < 100 ? number + 1900 : number;
    }
}

static bool leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* Days from 1970 to the first of January, years from 1601 on. */
static int64_t days_before(int year)
{
    int64_t past = year - 1;
    return past * 365 + past / 4 - past / 100 + past / 400 - 719162;
}

bool fy_cookie_date(const char *text, size_t len, int64_t *seconds)
{
    static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};
    struct date date = {-1, -1, -1, -1, -1, -1};
    const char *end = text + len;
    for (const char *at = text; at < end;) {
        while (at < end && is_delimiter(*at)) {
            at++;
        }
        const char *token = at;
        while (at < end && !is_delimiter(*at)) {
            at++;
        }
        take_date_token(&date, token, at);
    }
    if (date.hour < 0 || date.day < 1 || date.month < 0 || date.year < 1601 || date.hour > 23 ||
        date.minute > 59 || date.second > 59) {
        return false;
    }
    bool leap_day = leap(date.year) && date.month == 2;
    if (date.day > before[date.month] - before[date.month - 1] + (leap_day ? 1 : 0)) {
        return false;
    }
    int64_t days = days_before(date.year) + before[date.month - 1] + date.day - 1 +
                   (leap(date.year) && date.month > 2 ? 1 : 0);
    *seconds = ((days * 24 + date.hour) * 60 + date.minute) * 60 + date.second;
    return true;
}

/* ------------------------------------------------------------------------------- the attributes */

/* Section 5.6.2: digits, perhaps behind a minus; anything else is as if it were not there. */
static void take_max_age(struct fy_set_cookie *cookie, struct fy_slice value)
{
    bool negative = value.len > 0 && value.at[0] == '-';
    int64_t seconds = 0;
    for (size_t i = negative ? 1 : 0; i < value.len; i++) {
        if (!is_digit(value.at[i])) {
            return;
        }
        if (seconds < INT64_C(1) << 40) {
            seconds = seconds * 10 + (value.at[i] - '0');
        }
    }
    if (value.len > (negative ? 1u : 0u)) {
        cookie->has_max_age = true;
        cookie->max_age = negative ? -seconds : seconds;
    }
}

/* A dot alone is no leading one: it names no host, and so is refused later. */
static void take_domain(struct fy_set_cookie *cookie, struct fy_slice value)
{
    if (value.len > 1 && value.at[0] == '.') {
        value.at++;
        value.len--;
    }
    cookie->has_domain = value.len > 0;
    cookie->domain = value;
}

static void take_same_site(struct fy_set_cookie *cookie, struct fy_slice value)
{
    cookie->same_site = fy_text_is(value.at, value.len, "None")     ? FY_SAME_SITE_NONE
                        : fy_text_is(value.at, value.len, "Lax")    ? FY_SAME_SITE_LAX
                        : fy_text_is(value.at, value.len, "Strict") ? FY_SAME_SITE_STRICT
                                                                    : FY_SAME_SITE_UNSET;
}

static void take_attribute(struct fy_set_cookie *cookie, struct fy_slice name,
                           struct fy_slice value)
{
    if (value.len > FY_COOKIE_ATTRIBUTE_MAX) {
        return;
    }
    if (fy_text_is(name.at, name.len, "Expires")) {
        int64_t seconds;
        if (fy_cookie_date(value.at, value.len, &seconds)) {
            cookie->has_expires = true;
            cookie->expires = seconds;
        }
    } else if (fy_text_is(name.at, name.len, "Max-Age")) {
        take_max_age(cookie, value);
    } else if (fy_text_is(name.at, name.len, "Domain")) {
        take_domain(cookie, value);
    } else if (fy_text_is(name.at, name.len, "Path")) {
        cookie->has_path = value.len > 0 && value.at[0] == '/';
        cookie->path = value;
    } else if (fy_text_is(name.at, name.len, "Secure")) {
        cookie->secure = true;
    } else if (fy_text_is(name.at, name.len, "HttpOnly")) {
        cookie->http_only = true;
    } else if (fy_text_is(name.at, name.len, "SameSite")) {
        take_same_site(cookie, value);
    }
}

/* "name=value" in [at, end); without '=' all of it is one or the other. */
static void split(const char *at, const char *end, bool value_alone, struct fy_slice *name,
                  struct fy_slice *value)
{
    const char *equals = memchr(at, '=', (size_t)(end - at));
    if (equals != NULL) {
        *name = trimmed(at, equals);
        *value = trimmed(equals + 1, end);
        return;
    }
    *name = value_alone ? (struct fy_slice){at, 0} : trimmed(at, end);
    *value = value_alone ? trimmed(at, end) : (struct fy_slice){end, 0};
}

static const char *piece_end(const char *at, const char *end)
{
    const char *semicolon = memchr(at, ';', (size_t)(end - at));
    return semicolon != NULL ? semicolon : end;
}

const char *fy_set_cookie_parse(struct fy_set_cookie *cookie, const char *text, size_t len)
{
    *cookie = (struct fy_set_cookie){0};
    if (len == 0) {
        return "an empty cookie";
    }
    const char *end = text + len;
    if (fy_find_control(text, end) != end) {
        return "a cookie with a control byte in it";
    }
    const char *at = piece_end(text, end);
    split(text, at, true, &cookie->name, &cookie->value);
    if (cookie->name.len == 0 && cookie->value.len == 0) {
        return "an empty cookie";
    }
    if (cookie->name.len + cookie->value.len > FY_COOKIE_MAX) {
        return "a cookie of more than 4096 bytes";
    }
    if (cookie->value.len >= 2 && cookie->value.at[0] == '"' &&
        cookie->value.at[cookie->value.len - 1] == '"') {
        cookie->quoted = true;
        cookie->value.at++;
        cookie->value.len -= 2;
    }
    while (at < end) {
        const char *from = at + 1;
        struct fy_slice name;
        struct fy_slice value;
        at = piece_end(from, end);
        split(from, at, false, &name, &value);
        take_attribute(cookie, name, value);
    }
    return NULL;
}
