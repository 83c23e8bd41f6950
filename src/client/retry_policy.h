/*
 * Whether to send a request once more, and after how long: pure, no clock and no chance of its own.
 * The client asks it after each attempt, when its options have a retry policy.
 */
#ifndef FY_CLIENT_RETRY_POLICY_H
#define FY_CLIENT_RETRY_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include <ferry.h>

/* With every default put in; zero-filled: no retries. */
struct fy_retry_policy {
    int attempts;        /* in all; at most 1: no retries */
    int64_t base_ms;     /* the backoff's, before the first retry */
    int64_t max_ms;      /* of any wait: a server that asks for more is not waited for */
    const int *statuses; /* that pass, up to a 0; NULL: 429, 502, 503, 504 */
    bool any_method;     /* not only idempotent ones */
};

/* One attempt. */
struct fy_retry_attempt {
    int number;              /* 1 for the first */
    int status;              /* of the response; 0: none came */
    int code;                /* of the error when none came */
    int os_errno;            /* likewise */
    const char *retry_after; /* the field, or NULL */
    bool idempotent;         /* fy_retry_idempotent(), or an Idempotency-Key */
    bool rewindable;         /* the body can be sent again */
    int64_t now;             /* seconds since 1970, for a Retry-After that is a date */
    uint64_t random;         /* any number, each time another */
};

/* Milliseconds to wait before the next attempt; -1: there is to be none. */
int64_t fy_retry_decide(const struct fy_retry_policy *policy,
                        const struct fy_retry_attempt *attempt);

/* Whether to do it twice is to do it once: the methods of RFC 9110 section 9.2.2. */
bool fy_retry_idempotent(const char *method);

/* Whether an error is one of a connection that was not made, or broke: another may do better. */
bool fy_retry_other_connection(int code, int os_errno);

/* Exponential with full jitter: a wait between 0 and base * 2^(number - 1), at most max. */
int64_t fy_backoff_ms(int64_t base_ms, int64_t max_ms, int number, uint64_t random);

/* A Retry-After field (RFC 9110 section 10.2.3): milliseconds from now, 0 for a date that has
 * passed; -1: it says nothing that can be understood. */
int64_t fy_retry_after_ms(const char *field, int64_t now);

/* A number for jitter: not for secrets. */
uint64_t fy_jitter(void);

#endif
