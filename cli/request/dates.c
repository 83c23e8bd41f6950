/*
 * dates.c: dates.
 */
#include "request/dates.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

void date_format(time_t when, char *text, size_t size)
{
    struct tm tm;
    gmtime_r(&when, &tm);
    snprintf(text, size, "%s, %02d %s %04d %02d:%02d:%02d GMT", days[tm.tm_wday], tm.tm_mday,
             months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

/* What has been found so far; -1: not yet. */
struct date {
    int year, month, day, seconds;
    int zone; /* seconds east */
    bool has_zone;
};

static int name_in(const char *word, size_t len, const char *const *names, int count)
{
    for (int i = 0; len >= 3 && i < count; i++) {
        if (strncasecmp(word, names[i], 3) == 0)
            return i;
    }
    return -1;
}

static bool take_name(struct date *date, const char *word, size_t len)
{
    static const char *const zones[] = {"GMT", "UTC"};
    int month = name_in(word, len, months, 12);
    if (month >= 0 && date->month < 0) {
        date->month = month;
        return true;
    }
    if (name_in(word, len, zones, 2) >= 0 || (len == 1 && toupper((unsigned char)*word) == 'Z')) {
        date->has_zone = true;
        return true;
    }
    return name_in(word, len, days, 7) >= 0 || (len == 1 && toupper((unsigned char)*word) == 'T');
}

static bool take_number(struct date *date, const char *digits, size_t len)
{
    int number = atoi(digits);
    if (len == 8 && date->year < 0) { /* 20261122 */
        date->year = number / 10000;
        date->month = number / 100 % 100 - 1;
        date->day = number % 100;
        return date->month >= 0 && date->month < 12;
    }
    if (len == 4 && date->year < 0)
        date->year = number;
    else if (date->day < 0 && number >= 1 && number <= 31 && (date->year < 0 || date->month >= 0))
        date->day = number;
    else if (date->month < 0 && number >= 1 && number <= 12)
        date->month = number - 1;
    else if (date->year < 0 && len == 2) /* RFC 850's */
        date->year = number + (number < 70 ? 2000 : 1900);
    else
        return false;
    return true;
}

/* "21:00" or "21:00:00". */
static const char *take_clock(struct date *date, const char *text)
{
    int hour, minute, second = 0, used = 0, more = 0;
    if (sscanf(text, "%2d:%2d%n", &hour, &minute, &used) != 2)
        return NULL;
    if (text[used] == ':' && sscanf(text + used, ":%2d%n", &second, &more) == 1)
        used += more;
    if (hour > 23 || minute > 59 || second > 60)
        return NULL;
    date->seconds = hour * 3600 + minute * 60 + second;
    return text + used;
}

static const char *take_zone(struct date *date, const char *text)
{
    int hours, minutes;
    if (sscanf(text + 1, "%2d%2d", &hours, &minutes) != 2 || hours > 14 || minutes > 59)
        return NULL;
    date->zone = (hours * 3600 + minutes * 60) * (*text == '-' ? -1 : 1);
    date->has_zone = true;
    return text + 5;
}

static const char *take_part(struct date *date, const char *text)
{
    size_t letters = 0, digits = strspn(text, "0123456789");
    if (digits > 0 && digits <= 2 && text[digits] == ':')
        return take_clock(date, text);
    if (digits > 0)
        return digits <= 8 && take_number(date, text, digits) ? text + digits : NULL;
    while (isalpha((unsigned char)text[letters]))
        letters++;
    if (letters > 0)
        return take_name(date, text, letters) ? text + letters : NULL;
    if ((*text == '+' || *text == '-') && strspn(text + 1, "0123456789") == 4 && date->seconds >= 0)
        return take_zone(date, text);
    return strchr(" ,-/\t", *text) ? text + 1 : NULL;
}

bool date_parse(const char *text, time_t *when)
{
    struct date date = {.year = -1, .month = -1, .day = -1, .seconds = -1};
    while (text && *text)
        text = take_part(&date, text);
    if (!text || date.year < 0 || date.month < 0 || date.day < 0)
        return false;
    struct tm tm = {.tm_year = date.year - 1900, .tm_mon = date.month, .tm_mday = date.day};
    *when = timegm(&tm) + (date.seconds > 0 ? date.seconds : 0) - date.zone;
    return true;
}
