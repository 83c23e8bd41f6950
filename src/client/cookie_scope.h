/*
 * Where a cookie belongs: hosts and domains, paths, public suffixes (RFC 6265bis sections 5.1.2 to
 * 5.1.4). Pure functions for the jar.
 */
#ifndef FY_CLIENT_COOKIE_SCOPE_H
#define FY_CLIENT_COOKIE_SCOPE_H

#include <stdbool.h>
#include <stddef.h>

#include "http/host.h"

/* A URL's or a Domain attribute's host as the jar compares it: lower case, IDNA, without the dot of
 * an absolute name. False for what is no host. */
bool fy_cookie_host(char out[FY_HOST_MAX + 1], const char *host, size_t len);

/* An IPv4 or IPv6 address in its text form, without brackets; a zone may follow. */
bool fy_cookie_host_is_ip(const char *host);

/* Whether the host is the domain or lies in it; an address lies in nothing. Section 5.1.3. */
bool fy_cookie_domain_match(const char *host, const char *domain);

/* Whether a cookie of that path goes with a request for that target (whose query is not looked at).
 * Section 5.1.4. */
bool fy_cookie_path_match(const char *target, const char *path);

/* How many bytes of the target are the default path of its cookies; 0: it is "/". Section 5.1.4. */
size_t fy_cookie_default_path_len(const char *target);

/* Whether anybody may register names in it. Without libpsl, or without its list: whether it is a
 * single label, which keeps cookies from whole top-level domains but not from "co.uk". */
bool fy_cookie_public_suffix(const char *domain);

/* What a Domain attribute makes of a cookie from that host. NULL and *host_only; or why it is
 * refused, as the end of a sentence. Both in the form of fy_cookie_host(). */
const char *fy_cookie_domain_check(const char *host, const char *domain, bool *host_only);

#endif
