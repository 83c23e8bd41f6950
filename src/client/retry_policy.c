/*
 * The retry decision.
 */
#include "client/retry_policy.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "task/clock.h"

/* Beyond this no wait is told from another. */
#define AGES INT64_C(31536000)

int64_t fy_backoff_ms(int64_t base_ms, int64_t max_ms, int number, uint64_t random)
{
    int64_t most = base_ms;
    for (int i = 1; i < number && i < 64 && most < max_ms; i++) {
        most = most > max_ms / 2 ? max_ms : most * 2;
    }
    most = most < max_ms ? most : max_ms;
    return most <= 0 ? 0 : (int64_t)(random % ((uint64_t)most + 1));
}

/* splitmix64 over the clock and the place of a variable on this stack. */
uint64_t fy_jitter(void)
{
    uint64_t z = (uint64_t)fy_now();
    z += (uint64_t)(uintptr_t)&z + UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static int month_of(const char *name)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (int i = 0; i < 12; i++) {
        if (strncmp(name, names + (ptrdiff_t)3 * i, 3) == 0 && strlen(name) == 3) {
            return i;
        }
    }
    return -1;
}

/* The three forms of RFC 9110 section 5.6.7. False: none of them. */
static bool parse_date(const char *text, int64_t *seconds)
{
    struct tm tm = {0};
    char month[4];
    int end = 0;
    const char *comma = strchr(text, ',');
    const char *from = comma != NULL ? comma + 1 : text;
    if ((comma != NULL && sscanf(from, " %2d %3[A-Za-z] %4d %2d:%2d:%2d GMT%n", &tm.tm_mday, month,
                                 &tm.tm_year, &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &end) == 6) ||
        (comma == NULL &&
         sscanf(from, "%*3[A-Za-z] %3[A-Za-z] %2d %2d:%2d:%2d %4d%n", month, &tm.tm_mday,
                &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &tm.tm_year, &end) == 6)) {
        tm.tm_year -= 1900;
    } else if (comma != NULL &&
               sscanf(from, " %2d-%3[A-Za-z]-%2d %2d:%2d:%2d GMT%n", &tm.tm_mday, month,
                      &tm.tm_year, &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &end) == 6) {
        tm.tm_year += tm.tm_year < 70 ? 100 : 0;
    } else {
        return false;
    }
    tm.tm_mon = month_of(month);
    if (end == 0 || from[end] != '\0' || tm.tm_mon < 0 || tm.tm_mday < 1 || tm.tm_mday > 31 ||
        tm.tm_hour < 0 || tm.tm_hour > 23 || tm.tm_min < 0 || tm.tm_min > 59 || tm.tm_sec < 0 ||
        tm.tm_sec > 60) {
        return false;
    }
    *seconds = timegm(&tm);
    return true;
}

int64_t fy_retry_after_ms(const char *field, int64_t now)
{
    if (field == NULL || *field == '\0') {
        return -1;
    }
    int64_t seconds = 0;
    size_t digits = strspn(field, "0123456789");
    if (field[digits] == '\0') {
        for (size_t i = 0; i < digits; i++) {
            seconds = seconds * 10 + (field[i] - '0');
            seconds = seconds < AGES ? seconds : AGES;
        }
        return seconds * 1000;
    }
    if (!parse_date(field, &seconds)) {
        return -1;
    }
    int64_t wait = seconds - now;
    return wait <= 0 ? 0 : (wait < AGES ? wait : AGES) * 1000;
}

/* The server is there but not now; another time may do. */
static bool status_passes(const struct fy_retry_policy *policy, int status)
{
    static const int usual[] = {429, 502, 503, 504, 0};
    const int *passing = policy->statuses != NULL ? policy->statuses : usual;
    while (*passing != 0 && *passing != status) {
        passing++;
    }
    return *passing != 0;
}

bool fy_retry_other_connection(int code, int os_errno)
{
    switch (code) {
    case FERRY_ERESOLVE:
    case FERRY_ECONNECT:
    case FERRY_ETRUNCATED:
    case FERRY_ESERVERCLOSED:
    case FERRY_EREAD:
    case FERRY_EWRITE: return true;
    case FERRY_ETLS: return os_errno != 0; /* in the handshake, which TLS had nothing against */
    default: return false;
    }
}

/* What another connection may cure. What the caller has done or decided, it does not. A timeout is
 * one of the transport's: after the send's own nobody asks. */
static bool error_passes(const struct fy_retry_attempt *attempt)
{
    return attempt->code == FERRY_ETIMEOUT ||
           fy_retry_other_connection(attempt->code, attempt->os_errno);
}

bool fy_retry_idempotent(const char *method)
{
    static const char *const methods[] = {"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"};
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        if (strcmp(method, methods[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* The request has not been acted upon (429, RFC 6585 section 4: it was turned away for being one
 * too many): then any method may be sent again. */
static bool not_acted_upon(const struct fy_retry_attempt *attempt)
{
    return attempt->code == FERRY_ERESOLVE || attempt->code == FERRY_ECONNECT ||
           attempt->status == 429;
}

int64_t fy_retry_decide(const struct fy_retry_policy *policy,
                        const struct fy_retry_attempt *attempt)
{
    bool passes =
        attempt->status != 0 ? status_passes(policy, attempt->status) : error_passes(attempt);
    if (attempt->number >= policy->attempts || !passes || !attempt->rewindable ||
        !(attempt->idempotent || policy->any_method || not_acted_upon(attempt))) {
        return -1;
    }
    int64_t asked = fy_retry_after_ms(attempt->retry_after, attempt->now);
    if (attempt->status != 0 && asked >= 0) {
        return asked <= policy->max_ms ? asked : -1;
    }
    return fy_backoff_ms(policy->base_ms, policy->max_ms, attempt->number, attempt->random);
}
