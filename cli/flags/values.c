/*
 * values.c: numbers, seconds, sizes, rates.
 */
#include "flags/values.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MOST_SECONDS 1e9

bool value_number(const char *text, int64_t *value)
{
    char *end;
    if (!isdigit((unsigned char)text[0]))
        return false;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    *value = number;
    return errno == 0 && *end == '\0';
}

/* No sign, no hexadecimal, no "inf": strtod() is kept to digits and one point. */
static bool decimal(const char *text, double *value, const char **rest)
{
    size_t len = strspn(text, "0123456789.");
    char digits[64];
    char *end;
    if (len == 0 || len >= sizeof digits)
        return false;
    memcpy(digits, text, len);
    digits[len] = '\0';
    *value = strtod(digits, &end);
    *rest = text + len;
    return end != digits && *end == '\0' && isfinite(*value);
}

bool value_seconds(const char *text, int64_t *ms)
{
    double seconds;
    const char *rest;
    if (!decimal(text, &seconds, &rest) || *rest != '\0' || seconds > MOST_SECONDS)
        return false;
    *ms = (int64_t)ceil(seconds * 1000);
    return true;
}

bool value_bytes(const char *text, int64_t *value)
{
    static const char units[] = "bkmgtp";
    double number;
    const char *rest;
    if (!decimal(text, &number, &rest))
        return false;
    if (*rest != '\0') {
        const char *unit = strchr(units, tolower((unsigned char)*rest));
        if (!unit || rest[1] != '\0')
            return false;
        number *= pow(1024, (double)(unit - units));
    }
    if (number >= 9.2e18)
        return false;
    *value = (int64_t)number;
    return true;
}

bool value_rate(const char *text, int64_t *ms)
{
    static const struct {
        char unit;
        int64_t ms;
    } units[] = {{'s', 1000}, {'m', 60000}, {'h', 3600000}, {'d', 86400000}};
    char *end;
    int64_t per = 3600000;
    if (!isdigit((unsigned char)text[0]))
        return false;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (errno != 0 || number <= 0)
        return false;
    if (*end == '/') {
        size_t i = 0;
        while (i < sizeof units / sizeof *units && units[i].unit != end[1])
            i++;
        if (i == sizeof units / sizeof *units || end[2] != '\0')
            return false;
        per = units[i].ms;
    } else if (*end != '\0') {
        return false;
    }
    *ms = per / number;
    return true;
}
