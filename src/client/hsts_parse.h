/*
 * Strict-Transport-Security fields taken apart (RFC 6797 section 6.1). Pure: no store, no clock.
 */
#ifndef FY_CLIENT_HSTS_PARSE_H
#define FY_CLIENT_HSTS_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fy_hsts_field {
    int64_t max_age; /* seconds, at most what an int64_t can say; 0: forget the host */
    bool subdomains; /* the hosts inside it, too */
};

/* NULL, or what is wrong with it, as the end of a sentence: then the whole field is to be ignored.
 * Directives that are not known are passed over. */
const char *fy_hsts_parse(struct fy_hsts_field *field, const char *text, size_t len);

#endif
